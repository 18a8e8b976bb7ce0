"""Products, Cholesky factors and inverses of matrices of a few rows.

Written out because a call into LAPACK costs more than the work on such matrices. Cholesky factors
and inverses add multiples of whole rows, which run in vector registers without a sum being
reordered (see :mod:`mnbayes.numerics.compiling`).
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
def product(left, right):
    """Matrix product: by BLAS where the matrices are large enough to pay for the call."""
    if left.shape[1] > 12:
        return left @ right
    out = np.zeros((left.shape[0], right.shape[1]))
    for i in range(left.shape[0]):
        row = out[i]
        for k in range(left.shape[1]):
            factor, other = left[i, k], right[k]
            for j in range(row.size):
                row[j] += factor * other[j]
    return out


@compiled
def fill_root(matrix, factor, n):
    """Fill the lower Cholesky factor of the first ``n`` rows and columns.

    Returns
    -------
    float
        The log determinant, nan where the matrix is not positive definite.
    """
    # The transposed factor, each of its rows taken off those below.
    for i in range(n):
        for j in range(i + 1):
            factor[j, i] = matrix[i, j]
    pivots = 1.0
    logdet = 0.0
    for j in range(n):
        pivot = factor[j, j]
        if not pivot > 0.0:
            return np.nan
        row = factor[j, j:n]
        row /= np.sqrt(pivot)
        for i in range(1, row.size):
            times, after, below = row[i], row[i:], factor[j + i, j + i : n]
            for c in range(below.size):
                below[c] -= times * after[c]
        pivots *= pivot
        if not 1e-100 < pivots < 1e100:  # one logarithm for many pivots
            logdet += np.log(pivots)
            pivots = 1.0
    for i in range(n):
        for j in range(i):
            factor[i, j] = factor[j, i]
            factor[j, i] = 0.0
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
        row = columns[i]
        for c in range(n):
            row[c] = 0.0
        for a in range(i):
            times, above = factor[i, a], columns[a]
            for c in range(a + 1):
                row[c] -= times * above[c]
        for c in range(i):
            row[c] /= factor[i, i]
        row[i] = 1.0 / factor[i, i]
    for i in range(n):
        for j in range(i + 1):
            inverse[i, j] = 0.0
    for r in range(n):
        row = columns[r]
        for i in range(r + 1):
            times, sums = row[i], inverse[i]
            for j in range(i + 1):
                sums[j] += times * row[j]
    for i in range(n):
        for j in range(i):
            inverse[j, i] = inverse[i, j]


@compiled
def fill_inverse_and_logdet(matrix, inverse):
    """Fill the inverse of a symmetric matrix; return its log determinant.

    It is nan where the matrix is not positive definite.
    """
    n = matrix.shape[0]
    factor = np.empty((n, n))
    logdet = fill_root(matrix, factor, n)
    if not np.isnan(logdet):
        fill_inverse(factor, np.empty((n, n)), inverse, n)
    return logdet


@compiled
def solve_transposed(factor, vector):
    """Solve ``factor' x = vector`` in place, for a lower triangular factor."""
    for i in range(vector.size - 1, -1, -1):
        vector[i] /= factor[i, i]
        for j in range(i):
            vector[j] -= factor[i, j] * vector[i]
