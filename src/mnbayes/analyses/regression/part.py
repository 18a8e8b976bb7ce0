"""Regression-to-the-mean bound beside one model's ratio at the primary week."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mnbayes.analyses.regression.bound import SCREENINGS, regression_table
from mnbayes.answers.result import ModelAsked, Result, blanked

NAME = "regression"


def of(result: Result) -> pd.DataFrame:
    """The bound under each assumption; empty where the model has not the primary marker."""
    found: pd.DataFrame = result.parts.get(NAME, pd.DataFrame())
    return found


def stated(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the fewest screenings: the trial's own number, or one where it is not known."""
    rows: pd.DataFrame = table[table["screenings"] == table["screenings"].min()]
    return rows


def find(asked: ModelAsked) -> pd.DataFrame:
    """Work it out; the estimated ratio is blank where the model is withheld."""
    result, cohort = asked.result, asked.result.fit.cohort
    data = result.fit.observations
    primary = data.markers[0] if cohort is None else cohort.primary_marker
    if primary not in data.markers:
        return pd.DataFrame()
    marker = result.catalogue[primary]
    baseline = data.log_value[:, 0, data.markers.index(marker.name)]
    if not np.isfinite(baseline).any():
        return pd.DataFrame()
    rows = result.estimates[result.estimates["marker"] == marker.name]
    (observed,) = rows.loc[rows["week"] == result.primary_week, "gmr_median"]
    said = None if cohort is None else cohort.trial.screenings
    swept = SCREENINGS if said is None else (said,)
    table = regression_table(baseline, marker, float(observed), screenings=swept)
    if not result.withheld:
        return table
    assumed = (
        *("marker", "screenings", "reliability", "population_geometric_mean"),
        *("gmr_regression", "fall_regression"),
    )
    return blanked(table, assumed)
