"""Correlations between the patients' changes of two markers, of one model."""

from __future__ import annotations

import pandas as pd

from mnbayes.analyses.correlations.table import correlation_table
from mnbayes.answers.result import ModelAsked, Result, blanked

NAME = "correlations"


def of(result: Result) -> pd.DataFrame:
    """The correlations of a model (``correlations.csv``); empty where it leaves none free."""
    found: pd.DataFrame = result.parts.get(NAME, pd.DataFrame())
    return found


def find(asked: ModelAsked) -> pd.DataFrame:
    """Work them out."""
    table = correlation_table(asked.result.fit.tree, asked.result.name)
    return blanked(table, ("model", "marker", "other")) if asked.result.withheld else table
