"""Cholesky factor of a correlation matrix from what the sampler moves, and its gradient."""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled


@compiled
def correlation_cholesky(partial, size):
    """Cholesky factor of a correlation matrix from its canonical partial correlations.

    Lewandowski, Kurowicka and Joe (2009), J. Multivariate Anal. 100:1989, eq. 2;
    ``partial`` runs over the lower triangle row by row.

    Parameters
    ----------
    partial : array, shape (size * (size - 1) / 2,)
        Canonical partial correlations in (-1, 1).
    size : int
        Number of rows.

    Returns
    -------
    array, shape (size, size)
        Lower triangular, unit row norms.
    """
    factor = np.zeros((size, size))
    position = 0
    for i in range(size):
        left = 1.0
        for j in range(i):
            r = partial[position]
            factor[i, j] = r * np.sqrt(left)
            left *= 1.0 - r * r
            position += 1
        factor[i, i] = np.sqrt(left)
    return factor


@compiled
def partial_gradient(partial, size, d_factor):
    """Chain ``d_factor`` (gradient in the Cholesky factor) back to the partial correlations."""
    gradient = np.zeros(partial.size)
    position = 0
    for i in range(size):
        # left[j] is what is left of the unit row norm before column j.
        left = np.ones(i + 1)
        for j in range(i):
            r = partial[position + j]
            left[j + 1] = left[j] * (1.0 - r * r)
        d_left = d_factor[i, i] * 0.5 / np.sqrt(left[i])
        for j in range(i - 1, -1, -1):
            r = partial[position + j]
            root = np.sqrt(left[j])
            gradient[position + j] = d_factor[i, j] * root - 2.0 * r * left[j] * d_left
            d_left = d_left * (1.0 - r * r) + d_factor[i, j] * r * 0.5 / root
        position += i
    return gradient
