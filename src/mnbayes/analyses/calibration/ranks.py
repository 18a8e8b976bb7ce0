"""The rank of the truth among posterior draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats

type Integers = NDArray[np.int64]


def ranks(values: Floats, rng: np.random.Generator) -> Integers:
    """Rank of the first of each row among the others, ties broken at random.

    With ties left as they are a quantity with few values, such as whether a patient is in
    remission, could not have a uniform rank.

    Parameters
    ----------
    values : array, shape (quantity, 1 + draw)
        The truth, then the draws.
    rng : Generator

    Returns
    -------
    array of int, shape (quantity,)
        From 0, below all draws, to the number of draws.

    Raises
    ------
    ArithmeticError
        If a value is not a number.
    """
    if np.isnan(values).any():
        raise ArithmeticError("a quantity has no value")
    truth, draws = values[:, :1], values[:, 1:]
    ties = np.count_nonzero(draws == truth, axis=1)
    below = np.count_nonzero(draws < truth, axis=1)
    return np.asarray(below + rng.integers(0, ties + 1), dtype=np.int64)


def counts(rank: NDArray[np.integer], draws: int) -> Integers:
    """How often each rank occurs, shape (draws + 1,).

    The number of draws is told, not taken from the largest rank that occurs: a sampler whose
    truths never reach the top would otherwise look uniform.

    Raises
    ------
    ValueError
        If a rank is not among 0..draws.
    """
    if rank.size and not (rank.min() >= 0 and rank.max() <= draws):
        raise ValueError(f"a rank is not between 0 and {draws}")
    return np.bincount(rank.astype(np.int64), minlength=draws + 1)
