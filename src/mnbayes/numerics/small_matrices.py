"""Cholesky factors and inverses of matrices of a few rows.

Written out because a call into LAPACK costs more than the work on such matrices. Inverses add
multiples of whole rows, which run in vector registers without a sum being reordered (see
:mod:`mnbayes.numerics.compiling`); a Cholesky factor's sums are too short to gain from that.
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled


@compiled
def rows_product(left, i, right, j, n):
    """Inner product of the first ``n`` entries of two rows."""
    total = 0.0
    for a in range(n):
        total += left[i, a] * right[j, a]
    return total


@compiled
def fill_root(matrix, factor, n):
    """Fill the lower Cholesky factor of the first ``n`` rows and columns, and nothing above it.

    Returns
    -------
    float
        The log determinant, nan where the matrix is not positive definite.
    """
    pivots = 1.0
    logdet = 0.0
    for i in range(n):
        for j in range(i):
            factor[i, j] = (matrix[i, j] - rows_product(factor, i, factor, j, j)) / factor[j, j]
        pivot = matrix[i, i] - rows_product(factor, i, factor, i, i)
        if not pivot > 0.0:
            return np.nan
        factor[i, i] = np.sqrt(pivot)
        pivots *= pivot
        if not 1e-100 < pivots < 1e100:  # one logarithm for many pivots
            logdet += np.log(pivots)
            pivots = 1.0
    return logdet + np.log(pivots)


@compiled
def fill_inverse(factor, columns, inverse, n):
    """Fill the inverse of the matrix that a lower Cholesky factor is of.

    Parameters
    ----------
    factor, columns, inverse : array, shape (at least n, at least n)
        The second is used.
    n : int
    """
    for i in range(n):
        for c in range(i):
            columns[i, c] = 0.0
        for a in range(i):
            times = factor[i, a]
            for c in range(a + 1):
                columns[i, c] -= times * columns[a, c]
        for c in range(i):
            columns[i, c] /= factor[i, i]
        columns[i, i] = 1.0 / factor[i, i]
    for i in range(n):
        for j in range(i + 1):
            inverse[i, j] = 0.0
    for r in range(n):
        for i in range(r + 1):
            times = columns[r, i]
            for j in range(i + 1):
                inverse[i, j] += times * columns[r, j]
    for i in range(n):
        for j in range(i):
            inverse[j, i] = inverse[i, j]


@compiled
def solve_transposed(factor, vector):
    """Solve ``factor' x = vector`` in place, for a lower triangular factor."""
    for i in range(vector.size - 1, -1, -1):
        vector[i] /= factor[i, i]
        for j in range(i):
            vector[j] -= factor[i, j] * vector[i]
