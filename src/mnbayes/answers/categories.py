"""Categories of response, as one set of formulas for exact and for interval-valued levels.

A censored or missing level is an interval, and a statement about it is then a pair: whether it
*must* hold and whether it *may* (Kleene's strong three-valued logic; Kleene 1952, Introduction
to Metamathematics, section 64). The same formulas serve draws, which are exact, and
measurements, which may not be.

Remission is written ``complete | (fall_half & below_nephrotic)`` and not ``complete | partial``.
Every criterion gets easier with a lower visit level, a higher baseline and a higher albumin, so
in this form all of them are at their worst, and at their best, at the same corner of the
intervals: ``complete``, ``remission``, ``effective`` and ``none`` are therefore sharp. ``partial``
excludes ``complete`` and is only safe: where it says that it must (must not) hold, it does
(does not), but it may leave open what a closer look would decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import CATEGORIES, Category, Definitions

__all__ = ["CATEGORIES", "Category", "Interval", "Kleene", "classify"]

type BoolArray = NDArray[np.bool_]

#: A log level closer than this to a threshold is *on* it. Logarithms and differences of the
#: levels are rounded (relative error about 1e-16), so 1.6 g after 3.2 g need not give exactly
#: log(1/2); 1e-9 on the log scale is a billionth of the level, far below any assay's resolution.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Kleene:
    """Statements that must hold, or that may; undecided where only the latter.

    Attributes
    ----------
    must, may : array of bool, any one shape
        ``must`` implies ``may``.
    """

    must: BoolArray
    may: BoolArray

    def __and__(self, other: Kleene) -> Kleene:
        return Kleene(self.must & other.must, self.may & other.may)

    def __or__(self, other: Kleene) -> Kleene:
        return Kleene(self.must | other.must, self.may | other.may)

    def __invert__(self) -> Kleene:
        return Kleene(~self.may, ~self.must)

    @property
    def value(self) -> Floats:
        """1 where it holds, 0 where it does not, NaN where that is undecided."""
        return np.where(self.must, 1.0, np.where(self.may, np.nan, 0.0))


@dataclass(frozen=True)
class Interval:
    """Levels known to lie between two bounds, both included.

    Attributes
    ----------
    lower, upper : array of float, one shape
        Natural-log levels; ``-inf`` and ``inf`` where a side is open, equal where exact.
    """

    lower: Floats
    upper: Floats

    def __post_init__(self) -> None:
        if np.any(np.isnan(self.lower) | np.isnan(self.upper) | (self.lower > self.upper)):
            raise ValueError("an interval needs lower <= upper, and no NaN (missing is -inf, inf)")

    @classmethod
    def from_measurements(cls, value: Floats, lower: Floats, upper: Floats) -> Interval:
        """Intervals of measurements: a point, a range, or everything where all three are NaN.

        Parameters
        ----------
        value, lower, upper : array of float, one shape
            Natural-log levels; ``value`` is NaN where censored or missing, the bounds are NaN
            where exact or missing.
        """
        exact = ~np.isnan(value)
        return cls(
            np.where(exact, value, np.where(np.isnan(lower), -np.inf, lower)),
            # "<0.3" is below 0.3: a range's upper end is not part of it.
            np.where(exact, value, np.where(np.isnan(upper), np.inf, upper - 2 * TOLERANCE)),
        )


@dataclass(frozen=True)
class _Criteria[S: (NDArray[np.bool_], Kleene)]:
    fall_effective: S
    fall_half: S
    below_nephrotic: S
    below_complete: S
    albumin_normal: S | None


def _criteria(
    change: Floats, visit: Floats, albumin: Floats | None, definitions: Definitions
) -> _Criteria[NDArray[np.bool_]]:
    complete, partial = definitions.complete, definitions.partial
    effective_fall = np.log1p(-definitions.effective.fall.at_least)
    return _Criteria(
        fall_effective=change <= effective_fall + TOLERANCE,
        fall_half=change <= np.log1p(-partial.fall.at_least) + TOLERANCE,
        below_nephrotic=visit < np.log(partial.urine_protein_24h.below) - TOLERANCE,
        below_complete=visit < np.log(complete.urine_protein_24h.below) - TOLERANCE,
        albumin_normal=None
        if albumin is None
        else albumin >= np.log(complete.albumin.at_least) - TOLERANCE,
    )


def _combine[S: (NDArray[np.bool_], Kleene)](criteria: _Criteria[S]) -> dict[Category, S]:
    if criteria.albumin_normal is None:
        return {"effective": criteria.fall_effective, "none": ~criteria.fall_effective}
    complete = criteria.below_complete & criteria.albumin_normal
    responded = criteria.fall_half & criteria.below_nephrotic
    remission = complete | responded
    effective = criteria.fall_effective | remission
    return {
        "complete": complete,
        "partial": responded & ~complete,
        "remission": remission,
        "effective": effective,
        "none": ~effective,
    }


@overload
def classify(
    baseline: Floats,
    visit: Floats,
    albumin: Floats | None,
    definitions: Definitions,
) -> dict[Category, NDArray[np.bool_]]: ...
@overload
def classify(
    baseline: Interval,
    visit: Interval,
    albumin: Interval | None,
    definitions: Definitions,
) -> dict[Category, Kleene]: ...
def classify(
    baseline: Floats | Interval,
    visit: Floats | Interval,
    albumin: Floats | Interval | None,
    definitions: Definitions,
) -> dict[Category, NDArray[np.bool_]] | dict[Category, Kleene]:
    """Categories of response of levels, exact or known to intervals.

    Parameters
    ----------
    baseline, visit : array of float or Interval
        Natural log of the 24-h urine protein (g/24h) at baseline and at the visit; shapes
        broadcast. All arguments are arrays, or all are intervals.
    albumin : array of float, Interval or None
        Natural log of the albumin (g/L) at the visit; None where the model has no albumin.
    definitions : Definitions

    Returns
    -------
    dict
        Category to truth (arrays of bool) or to what must and may hold (:class:`Kleene`).
        Without albumin only ``effective`` (the fall alone) and ``none`` are there: the other
        categories need albumin, and are not guessed.

    Raises
    ------
    TypeError
        If arrays and intervals are mixed.
    """
    if isinstance(baseline, Interval) and isinstance(visit, Interval):
        if albumin is not None and not isinstance(albumin, Interval):
            raise TypeError("levels must be all arrays or all intervals")
        low, high = (None, None) if albumin is None else (albumin.lower, albumin.upper)
        worst = _criteria(visit.upper - baseline.lower, visit.upper, low, definitions)
        best = _criteria(visit.lower - baseline.upper, visit.lower, high, definitions)
        normal = (
            None
            if worst.albumin_normal is None or best.albumin_normal is None
            else Kleene(worst.albumin_normal, best.albumin_normal)
        )
        return _combine(
            _Criteria(
                fall_effective=Kleene(worst.fall_effective, best.fall_effective),
                fall_half=Kleene(worst.fall_half, best.fall_half),
                below_nephrotic=Kleene(worst.below_nephrotic, best.below_nephrotic),
                below_complete=Kleene(worst.below_complete, best.below_complete),
                albumin_normal=normal,
            )
        )
    if isinstance(baseline, Interval) or isinstance(visit, Interval):
        raise TypeError("levels must be all arrays or all intervals")
    if isinstance(albumin, Interval):
        raise TypeError("levels must be all arrays or all intervals")
    return _combine(_criteria(visit - baseline, visit, albumin, definitions))
