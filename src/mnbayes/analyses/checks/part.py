"""Whether one model describes its measurements: what was left out, and the patients' courses."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mnbayes.analyses.checks.courses import course_table
from mnbayes.analyses.checks.leave_one_out import LeftOut, leave_one_out
from mnbayes.answers.result import ModelAsked, Result
from mnbayes.inference.fit import Fit
from mnbayes.run.needs import a_card

NAME = "checks"

#: Most numbers (draws times measurements) that are worked on; a Student-t residual takes longer.
_MOST, _MOST_STUDENT = 160_000, 40_000


@dataclass(frozen=True)
class Checks:
    """The checks of one model.

    Attributes
    ----------
    left_out : LeftOut or None
        None where a model does not say how a patient's measurements are distributed.
    why_not : str
        The reason for that.
    courses : DataFrame
        See :func:`mnbayes.analyses.checks.courses.course_table`.
    """

    left_out: LeftOut | None
    why_not: str
    courses: pd.DataFrame


def of(result: Result) -> Checks | None:
    """The checks of a model; None where it is withheld or they were not asked for."""
    found: Checks | None = result.parts.get(NAME)
    return found


def find(asked: ModelAsked) -> Checks | None:
    """Work them out."""
    result = asked.result
    if result.withheld:
        return None
    why_not = a_card(result.fit)
    left_out = None if why_not else leave_one_out(result.fit, _every(result.fit))
    return Checks(left_out, why_not, course_table(result.fit))


def _every(fit: Fit) -> int:
    """Of so many draws of a chain one is enough, and affordable."""
    sizes, data = fit.tree["posterior"].sizes, fit.observations
    numbers = sizes["chain"] * sizes["draw"] * int(data.observed.sum())
    return max(1, -(-numbers // (_MOST_STUDENT if data.weights else _MOST)))
