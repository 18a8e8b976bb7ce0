"""Products, Cholesky factors and inverses of matrices of a few rows.

Written out because a call into LAPACK costs more than the work on such matrices.
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
    # Row j of ``columns`` is column j of the factor's inverse: all sums run along rows. They begin
    # at 0, where these rows are 0: loops that begin later are not vectorised.
    for j in range(n):
        for i in range(j):
            columns[j, i] = 0.0
        columns[j, j] = 1.0 / factor[j, j]
        for i in range(j + 1, n):
            columns[j, i] = -rows_product(factor, i, columns, j, i) / factor[i, i]
    for i in range(n):
        for j in range(i + 1):
            total = rows_product(columns, i, columns, j, n)
            inverse[i, j] = total
            inverse[j, i] = total


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
