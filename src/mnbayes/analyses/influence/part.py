"""Influence of each patient on one model's answers, from its refits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from mnbayes.analyses.influence.refits import influence_table
from mnbayes.answers.result import Result

NAME = "influence"


def of(result: Result) -> pd.DataFrame:
    """How every answer moves when one patient is left out; empty unless it was asked for."""
    found: pd.DataFrame = result.parts.get(NAME, pd.DataFrame())
    return found


def with_refits(result: Result, refits: Mapping[str, pd.DataFrame | str]) -> Result:
    """A result with the answers of its refits beside its own."""
    return replace(result, parts={**result.parts, NAME: influence_table(result, refits)})
