"""Which correlations between patient effects a card leaves free.

The effects are the baselines of every marker, then their changes. A correlation matrix is built
from canonical partial correlations, row by row (Lewandowski, Kurowicka and Joe 2009,
J. Multivariate Anal. 100:1989); a partial correlation that is fixed at 0 drops out, so that a
block that keeps its own ones is LKJ by itself and independent of the rest:

``all``
    every effect with every other;
``changes``
    the changes of the markers with each other, baselines on their own;
``within``
    each marker's change with its own baseline, markers independent.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.cards import families as priors

Kind = Literal["all", "changes", "within"]


def free_pairs(kind: Kind, n_marker: int) -> list[tuple[int, int]]:
    """Pairs of effects whose correlation is free, the later effect first, row by row."""
    return {
        "all": [(i, j) for i in range(2 * n_marker) for j in range(i)],
        "changes": [(n_marker + i, n_marker + j) for i in range(n_marker) for j in range(i)],
        "within": [(n_marker + k, k) for k in range(n_marker)],
    }[kind]


def free_partials(kind: Kind, n_marker: int) -> NDArray[np.int64]:
    """Positions of the free partial correlations in the row-by-row lower triangle.

    Returns
    -------
    array of int
        Of ``n (n - 1) / 2`` positions with ``n = 2 n_marker``; in increasing order.
    """
    pairs = free_pairs(kind, n_marker)
    return np.array([i * (i - 1) // 2 + j for i, j in pairs], dtype=np.int64)


def partial_alpha(kind: Kind, n_marker: int, eta: float) -> Floats:
    """Beta parameters of the free partial correlations under LKJ(eta), in their order.

    Returns
    -------
    array
        Of the length of :func:`free_partials`.
    """
    if kind == "within":
        return np.tile(priors.partial_correlation_alpha(eta, 2), n_marker)
    return priors.partial_correlation_alpha(eta, 2 * n_marker if kind == "all" else n_marker)


def all_partials(free: Floats, kind: Kind, n_marker: int) -> Floats:
    """Every partial correlation on the unit interval; the fixed ones are 1/2, that is 0.

    Parameters
    ----------
    free : array, shape (draw, free)

    Returns
    -------
    array, shape (draw, n (n - 1) / 2) with n = 2 n_marker
    """
    if kind == "all":
        return free
    out = np.full((free.shape[0], n_marker * (2 * n_marker - 1)), 0.5)
    out[:, free_partials(kind, n_marker)] = free
    return out


def correlation_factor(partial: Any, size: int) -> Any:
    """Cholesky factor of a correlation matrix from its canonical partial correlations, in PyTensor.

    Lewandowski, Kurowicka and Joe (2009), J. Multivariate Anal. 100:1989, eq. 2: row by row,
    ``r[i, j]`` times the root of what the columns before leave of the row's unit norm.

    Parameters
    ----------
    partial : tensor, shape (size (size - 1) / 2,)
        The lower triangle row by row, in (-1, 1).
    size : int

    Returns
    -------
    tensor, shape (size, size)
    """
    import pytensor.tensor as pt

    rows = pt.set_subtensor(pt.zeros((size, size))[np.tril_indices(size, -1)], partial)
    left = pt.cumprod(1.0 - rows**2, axis=1)
    left = pt.concatenate([pt.ones((size, 1)), left[:, :-1]], axis=1)
    return (rows + pt.eye(size)) * pt.sqrt(left)
