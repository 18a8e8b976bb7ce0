"""Simon's two-stage designs and the exact single-stage test, by enumeration.

Simon 1989, doi:10.1016/0197-2456(89)90015-9. The first stage treats ``n1`` patients and stops
for futility with ``r1`` responders or fewer; the trial recommends the treatment with more than
``r`` responders among all ``n``. Of the designs that keep both error rates the *optimal* one has
the least expected number of patients where the treatment is no better than the reference, the
*minimax* one the least number of patients in all (and of those the least expected number).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnbayes.analyses.design.beta_binomial import at_least
from mnbayes.base.arrays import Floats

#: Most patients of a design that is searched for.
MOST = 300


@dataclass(frozen=True)
class TwoStageDesign:
    """A two-stage design; with ``n1 == n`` it has one stage.

    Attributes
    ----------
    r1, n1 : int
        Stop after ``n1`` patients with at most ``r1`` responders.
    r, n : int
        Recommend the treatment with more than ``r`` responders among ``n``.
    """

    r1: int
    n1: int
    r: int
    n: int

    def recommends(self, share: ArrayLike) -> Floats:
        """P(more than ``r1`` and then more than ``r`` responders) at given true shares."""
        p = np.asarray(share, dtype=float)
        if self.n1 == self.n:
            return at_least(self.r + 1, self.n, p)
        first = np.arange(self.r1 + 1, self.n1 + 1)
        seen = at_least(first, self.n1, p[..., None]) - at_least(first + 1, self.n1, p[..., None])
        rest = at_least(self.r + 1 - first, self.n - self.n1, p[..., None])
        return np.asarray((seen * rest).sum(axis=-1))

    def stops(self, share: ArrayLike) -> Floats:
        """Probability of early termination at given true shares; 0 with one stage."""
        p = np.asarray(share, dtype=float)
        if self.n1 == self.n:
            return np.zeros(p.shape)
        return np.asarray(1 - at_least(self.r1 + 1, self.n1, p))

    def expected(self, share: ArrayLike) -> Floats:
        """Expected number of patients at given true shares."""
        return np.asarray(self.n1 + (1 - self.stops(share)) * (self.n - self.n1))


@dataclass(frozen=True)
class _Binomials:
    """Of 0 to ``most`` patients (rows) at one share: P(X = x), and P(X > x - 1), x from 0 on."""

    exactly: Floats
    at_least: Floats

    @classmethod
    def at(cls, share: float, most: int) -> _Binomials:
        """The tables; one more column than there are patients, which is 0."""
        count, total = np.arange(most + 3), np.arange(most + 1)[:, None]
        tail = at_least(count, total, share)
        return cls(tail[:, :-1] - tail[:, 1:], tail[:, :-1])

    def recommended(self, n: int, r: int) -> Floats:
        """P(recommended) by n1 (rows, 1 to n - 1) and r1 (columns, 0 to n - 1)."""
        n1, x1 = np.arange(1, n)[:, None], np.arange(1, n + 1)[None, :]
        needed = np.clip(r + 1 - x1, 0, n + 1)
        joint = self.exactly[n1, x1] * self.at_least[n - n1, needed]
        # Column r1 sums over x1 > r1.
        return np.asarray(joint[:, ::-1].cumsum(axis=1)[:, ::-1])


def single_stage(
    reference: float, target: float, false_go: float, false_no_go: float, most: int = MOST
) -> TwoStageDesign | None:
    """The exact single-stage test with the fewest patients; None beyond ``most`` of them.

    Parameters are those of :func:`two_stage`.
    """
    for n in range(1, most + 1):
        count = np.arange(n + 1)
        enough = at_least(count, n, reference) <= false_go
        if not enough.any():
            continue
        least = int(count[enough][0])
        if at_least(least, n, target) >= 1 - false_no_go:
            return TwoStageDesign(least - 1, n, least - 1, n)
    return None


@lru_cache(maxsize=32)
def two_stage(
    reference: float, target: float, false_go: float, false_no_go: float, most: int = MOST
) -> tuple[TwoStageDesign, TwoStageDesign] | None:
    """Simon's optimal and minimax designs.

    Parameters
    ----------
    reference, target : float
        Shares of responders at which the treatment is no better than the reference, and good
        enough; the target is the larger.
    false_go, false_no_go : float
        Highest probability of recommending it at the reference, and of not recommending it at
        the target.
    most : int
        Largest number of patients that is tried.

    Returns
    -------
    optimal, minimax : TwoStageDesign
        None if there is no design of at most so many patients.
    """
    poor, good = _Binomials.at(reference, most), _Binomials.at(target, most)
    # P(more than r1 of n1 responders), by n1 = 0, ..., most and r1 = 0, 1, ...
    goes_on = poor.at_least[:, 1:]
    able = good.at_least[:, 1:] >= 1 - false_no_go
    optimal: tuple[float, TwoStageDesign] | None = None
    minimax: tuple[float, TwoStageDesign] | None = None
    for n in range(2, most + 1):
        n1 = np.arange(1, n)[:, None]
        expected = n1 + goes_on[1:n, :n] * (n - n1)
        possible = able[1:n, :n]
        if minimax is not None and optimal is not None:
            possible = possible & (expected < optimal[0])
            if n > optimal[0] and not possible.any():
                break  # both grow with n: no larger trial expects fewer patients
        best = _best(n, poor, good, expected, possible, false_go, false_no_go)
        if best is None:
            continue
        minimax = minimax or best
        if optimal is None or best[0] < optimal[0]:
            optimal = best
    return None if optimal is None or minimax is None else (optimal[1], minimax[1])


def _best(
    n: int,
    poor: _Binomials,
    good: _Binomials,
    expected: Floats,
    possible: NDArray[np.bool_],
    false_go: float,
    miss: float,
) -> tuple[float, TwoStageDesign] | None:
    """The admissible design of n patients that expects the fewest, and their number.

    ``expected`` and ``possible`` are by n1 and r1, as :meth:`_Binomials.recommended`.
    """
    best: tuple[float, TwoStageDesign] | None = None
    # A larger r than that of one stage only loses power.
    highest = int((poor.at_least[n, 1 : n + 1] > false_go).sum())
    for r in range(highest, -1, -1):
        kept = possible & (poor.recommended(n, r) <= false_go)
        if not kept.any():
            break  # nor is there with fewer responders asked for
        fit = kept & (good.recommended(n, r) >= 1 - miss)
        if not fit.any():
            continue
        at = np.unravel_index(np.where(fit, expected, np.inf).argmin(), fit.shape)
        if best is None or expected[at] <= best[0]:
            n1, r1 = int(at[0]) + 1, int(at[1])
            best = float(expected[at]), TwoStageDesign(r1, n1, max(r, r1), n)
    return best
