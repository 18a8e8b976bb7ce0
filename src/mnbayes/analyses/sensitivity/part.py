"""Power scaling of one model's answers."""

from __future__ import annotations

import pandas as pd

from mnbayes.analyses.sensitivity.power_scaling import POWER_COLUMNS, power_scaling
from mnbayes.answers.result import ModelAsked, Result

NAME = "sensitivity"


def of(result: Result) -> pd.DataFrame:
    """How the answers at the primary week move when the priors count more or less.

    See :func:`mnbayes.analyses.sensitivity.power_scaling.power_scaling`; empty where withheld.
    """
    found: pd.DataFrame = result.parts.get(NAME, pd.DataFrame(columns=list(POWER_COLUMNS)))
    return found


def find(asked: ModelAsked) -> pd.DataFrame:
    """Reweight the draws."""
    if asked.result.withheld:
        return pd.DataFrame(columns=list(POWER_COLUMNS))
    return power_scaling(asked.result.fit, asked.draws, asked.result.answers)
