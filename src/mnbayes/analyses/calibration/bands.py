"""Simultaneous bands for the ECDF of ranks.

Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32:32. Of N ranks, uniform on
0..L, the number below ``i`` is binomial with probability ``z_i = i / (L + 1)``. At each ``z_i``
the band holds the numbers whose tails both have at least ``gamma / 2``; ``gamma`` is such that all
numbers are in their intervals at once with the stated probability. That probability is exact here:
counts of the single ranks are independent Poisson numbers given their sum, so it is a chain of
convolutions, each cut off at the band.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mnbayes.base.arrays import Floats

type Integers = NDArray[np.int64]

_STEPS = 45  # of the bisection, in the log of gamma
_SMALLEST = 1e-12
#: A tail is compared with this relative tolerance: it is rounded.
_ROUNDING = 1e-9


def _positions(ranks: int) -> Floats:
    return np.arange(1, ranks) / ranks


def _limits(gamma: float, size: int, ranks: int) -> tuple[Integers, Integers]:
    """Smallest and largest numbers in the band at ``1/ranks, 2/ranks, ... 1 - 1/ranks``."""
    tail = min(0.5 * gamma * (1.0 - _ROUNDING), 1.0)
    lower = np.asarray(stats.binom.ppf(tail, size, _positions(ranks))).astype(np.int64)
    return lower, size - lower[::-1]


def simultaneous(gamma: float, size: int, ranks: int) -> float:
    """Probability that the ECDF of uniform ranks is in the band everywhere.

    Parameters
    ----------
    gamma : float
        Both tails of each interval together, at least.
    size : int
        Number N of ranks.
    ranks : int
        Number L + 1 of their possible values.
    """
    lower, upper = _limits(gamma, size, ranks)
    mean = size / ranks
    most = int(
        mean + 10.0 * np.sqrt(mean) + 30.0
    )  # of one rank; more has no probability to speak of
    step = stats.poisson.pmf(np.arange(min(most, size) + 1), mean)
    first, mass = 0, np.ones(1)  # of the numbers first, first + 1, ...
    for low, high in zip(lower.tolist(), upper.tolist(), strict=True):
        if high < max(low, first):
            return 0.0
        mass = np.convolve(mass, step)[max(low - first, 0) : high - first + 1]
        if not mass.size:
            return 0.0
        first = max(low, first)
    last = stats.poisson.pmf(size - first - np.arange(mass.size), mean)
    return float(mass @ last / stats.poisson.pmf(size, size))


@lru_cache(maxsize=64)
def critical(level: float, size: int, ranks: int) -> float:
    """Largest ``gamma`` whose band holds uniform ranks with at least a probability.

    Parameters
    ----------
    level : float
        That probability, such as 0.95.
    size, ranks : int
        See :func:`simultaneous`.
    """
    low, high = np.log(_SMALLEST), 0.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if simultaneous(float(np.exp(middle)), size, ranks) >= level:
            low = middle
        else:
            high = middle
    return float(np.exp(low))


@dataclass(frozen=True)
class Check:
    """The ECDF of ranks against its band.

    Attributes
    ----------
    position : array, shape (rank + 1,)
        0 to 1.
    difference : array, shape (rank + 1,)
        Share of ranks below the position, minus the position.
    lower, upper : array, shape (rank + 1,)
        Band of the difference.
    p_value : float
        Probability that uniform ranks stray as far or farther from their ECDF.
    """

    position: Floats
    difference: Floats
    lower: Floats
    upper: Floats
    p_value: float

    @property
    def inside(self) -> bool:
        """Whether the ECDF is in the band everywhere."""
        slack = 1e-12  # the band's ends are shares too
        return bool(
            np.all(self.difference >= self.lower - slack)
            and np.all(self.difference <= self.upper + slack)
        )

    @property
    def farthest(self) -> int:
        """Where the difference is largest."""
        return int(np.argmax(np.abs(self.difference)))


def check(count: Integers, level: float) -> Check:
    """Compare ranks with the uniform distribution.

    Parameters
    ----------
    count : array of int, shape (rank,)
        How often each of the possible ranks occurred; see
        :func:`mnbayes.analyses.calibration.ranks.counts`.
    level : float
        Of the simultaneous band.

    Raises
    ------
    ValueError
        If there are no ranks.
    """
    size, ranks = int(count.sum()), count.size
    if size == 0:
        raise ValueError("no ranks")
    number = np.cumsum(count)[:-1]
    position = _positions(ranks)
    tails = np.minimum(
        stats.binom.cdf(number, size, position), stats.binom.sf(number - 1, size, position)
    )
    # Bands hold what has a tail of `gamma / 2`; strictly more is asked here.
    beyond = 2.0 * float(tails.min()) * (1.0 + 3.0 * _ROUNDING)
    p_value = 1.0 - simultaneous(beyond, size, ranks) if beyond > _SMALLEST else 0.0
    ends = _limits(critical(level, size, ranks), size, ranks)

    def difference(numbers: Integers) -> Floats:
        return np.concatenate([[0.0], numbers / size - position, [0.0]])

    return Check(
        np.concatenate([[0.0], position, [1.0]]),
        difference(number),
        difference(ends[0]),
        difference(ends[1]),
        min(max(p_value, 0.0), 1.0),
    )
