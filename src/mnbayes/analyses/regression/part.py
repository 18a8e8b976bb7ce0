"""Regression-to-the-mean bound beside one model's ratio at the last visit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mnbayes.analyses.regression.bound import regression_table
from mnbayes.answers.result import ModelAsked, Result, blanked
from mnbayes.cards.definitions import PROTEIN

NAME = "regression"


def of(result: Result) -> pd.DataFrame:
    """The bound under each assumption; empty where the model has no 24-h protein."""
    found: pd.DataFrame = result.parts.get(NAME, pd.DataFrame())
    return found


def find(asked: ModelAsked) -> pd.DataFrame:
    """Work it out; the estimated ratio is blank where the model is withheld."""
    result = asked.result
    data = result.fit.observations
    if PROTEIN not in data.markers:
        return pd.DataFrame()
    baseline = data.log_value[:, 0, data.markers.index(PROTEIN)]
    if not np.isfinite(baseline).any():
        return pd.DataFrame()
    last = result.estimates.query("marker == @PROTEIN").iloc[-1]
    table = regression_table(baseline, observed_gmr=float(last["gmr_median"]))
    if not result.withheld:
        return table
    assumed = ("reliability", "population_geometric_mean", "gmr_regression", "fall_regression")
    return blanked(table, assumed)
