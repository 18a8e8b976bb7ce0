"""What others would have concluded from the same data: a paired test, and a count of responders.

Both look at the patients who were measured at baseline and at week 12, as published small trials
do; whoever left is left out.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnbayes.analyses.characteristics.parts import met
from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import Definitions

#: Two-sided level of the tests: P < 0.05.
LEVEL = 0.05
#: More than this share of the evaluable patients.
MAJORITY = 0.5


def wilcoxon_fall(first: Floats, last: Floats) -> float:
    """One-sided P of the paired Wilcoxon signed-rank test, the alternative being a fall.

    Parameters
    ----------
    first, last : array, shape (patient,)
        Protein in g/24h (not its logarithm, as published tests go); NaN where not measured.

    Returns
    -------
    float
        Exact, by SciPy. Half the two-sided P where protein fell, so that it is below
        ``LEVEL / 2`` where the two-sided test finds a fall at :data:`LEVEL`. NaN without pairs.
    """
    from scipy.stats import wilcoxon

    difference = last - first
    difference = difference[np.isfinite(difference) & (difference != 0)]
    if difference.size == 0:
        return float("nan")
    ordered = difference[np.argsort(np.abs(difference))]
    if not (np.diff(np.abs(ordered)) > 0).all():
        return float(wilcoxon(difference, alternative="less").pvalue)
    ranks = np.arange(1, ordered.size + 1)
    return _without_ties(ordered.size, int(ranks[ordered > 0].sum()))


@cache
def _without_ties(n: int, rises: int) -> float:
    """One-sided P of ``n`` differences without ties whose rises have that sum of ranks.

    SciPy is asked once for each sum, about some differences that have it: it works out the whole
    null distribution for every call, and a study makes a hundred thousand.
    """
    from scipy.stats import wilcoxon

    difference, left = -np.arange(1.0, n + 1.0), rises
    for rank in range(n, 0, -1):
        if left >= rank:
            difference[rank - 1] = rank
            left -= rank
    return float(wilcoxon(difference, alternative="less").pvalue)


def counted(first: Floats, last: Floats, definitions: Definitions) -> tuple[int, int]:
    """Effective patients and evaluable patients, as measured: the "5 of 7".

    Parameters
    ----------
    first, last : array, shape (patient,)
        Natural-log protein (g/24h) at baseline and at the visit; NaN where not measured.
    definitions : Definitions
        For the least fall that counts as effective.

    Returns
    -------
    effective, evaluable : int
    """
    there = np.isfinite(first) & np.isfinite(last)
    effective = met(definitions, first[there], last[there])["effective"]
    return int(np.count_nonzero(effective)), int(np.count_nonzero(there))


def majority(effective: ArrayLike, evaluable: ArrayLike) -> NDArray[np.bool_]:
    """Whether more than half of the evaluable were effective: how "71 % effective" is read."""
    return np.asarray(effective, dtype=float) > MAJORITY * np.asarray(evaluable, dtype=float)


def exact_majority(effective: ArrayLike, evaluable: ArrayLike) -> NDArray[np.bool_]:
    """Whether an exact binomial test finds more than half effective.

    One-sided at ``LEVEL / 2``: the same as the lower end of the two-sided 95 % Clopper-Pearson
    interval being above one half.
    """
    from scipy.special import betainc

    k, n = np.asarray(effective, dtype=float), np.asarray(evaluable, dtype=float)
    # P(at least k of n) as a beta probability; where k is 0 it is 1.
    tail = np.where(k > 0, betainc(np.maximum(k, 1), np.maximum(n - k, 0) + 1, MAJORITY), 1.0)
    return np.asarray(tail <= LEVEL / 2)
