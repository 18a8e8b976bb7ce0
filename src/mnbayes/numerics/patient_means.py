"""Log-likelihood of the Gaussian longitudinal model from each patient's means.

The same number as :mod:`mnbayes.numerics.marginal` gives, for normal residuals, exact values and
no serial correlation, at a fraction of its cost. Residuals of a marker then have one variance
``s^2``, so that a patient's ``c`` values after baseline tell of the patient's level only through
their mean. What is left around the mean depends on the deviations of the visits alone, and is the
same whatever the levels' covariance::

    values after baseline = (their mean, variance s^2 / c)  and  (c - 1 contrasts, variance s^2)

In that module's notation, but for the baseline and the mean after it of each marker in the place
of the cells: ``ybar``, ``X`` and ``W`` are of those means, and ``V = Q L L' Q' + diag(s^2 / c)``,
``L L'`` the covariance of the patient effects and ``Q`` 1 where a mean's level holds an effect.
``V`` is as well conditioned as the model is, however small ``s`` is: nothing is subtracted from
1 / s^2.

Patients with the same observed cells and covariate form a group. The gradient is
:mod:`mnbayes.numerics.patient_means_gradient`'s.
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.correlation_factor import correlation_cholesky
from mnbayes.numerics.inputs import CORRELATION, RESIDUAL_SD, begins
from mnbayes.numerics.packed_means import GROUP, unpacked_means
from mnbayes.numerics.small_matrices import fill_inverse, fill_root, rows_product, solve_transposed


@compiled
def _effect_roots(inputs, k):
    """Roots of the patient effects' correlations, of their covariance, and of the levels'."""
    at = begins(k)
    factor = correlation_cholesky(2.0 * inputs[at[CORRELATION] : at[RESIDUAL_SD]] - 1.0, 2 * k)
    scaled, level_root = np.zeros((2 * k, 2 * k)), np.zeros((2 * k, 2 * k))
    for i in range(2 * k):
        sd = inputs[4 * k + i]  # baseline_sd, then change_sd
        for j in range(i + 1):
            scaled[i, j] = sd * factor[i, j]
            level_root[i, j] = scaled[i, j]
            if i >= k:  # a level after baseline is baseline and change
                level_root[i, j] += scaled[i - k, j]
    return factor, scaled, level_root


@compiled
def errors_of_means(groups, start, most, inputs, k, errors):
    """Fill with a group's means minus what the offsets of the fixed effects say of them."""
    n_row, covariate = int(groups[start + 2]), groups[start + 1]
    for r in range(n_row):
        i = int(groups[start + GROUP + r])
        error = groups[start + GROUP + 2 * most + r] - inputs[i % k]
        if i >= k:
            error -= inputs[i] + covariate * inputs[k + i]  # mean change and slope
        errors[r] = error


@compiled
def fixed_given_means(inputs, means, k):
    """Log-likelihood, and the fixed effects given the data.

    Parameters
    ----------
    inputs : array
        The likelihood's, in the order of :func:`mnbayes.numerics.inputs.input_sizes`.
    means : array
        From :func:`mnbayes.numerics.packed_means.packed_means`.
    k : int
        Number of markers.

    Returns
    -------
    loglik : float
        nan where a covariance is not positive definite.
    fixed : array, shape (fixed effect of the model,)
        Mean given the data, standardised.
    factor : array, shape (fixed effect, fixed effect)
        Cholesky factor of their precision.
    sd : array, shape (fixed effect,)
        Of their priors.
    correlation_factor, scaled, level_root : array, shape (2 * marker, 2 * marker)
        Cholesky factor of the effects' correlations, that of their covariance (``L``), and
        ``Q L`` for every marker.
    inverses : array, shape (group, row, row)
        ``V^-1`` of each group.
    """
    (
        place,
        effect,
        scores,
        freedom,
        squares,
        pair_a,
        pair_b,
        pair_marker,
        pair_value,
        entry_row,
        entry_column,
        entry_value,
        groups,
    ) = unpacked_means(means, k)
    n_group, most, n_fixed, length = int(means[0]), int(means[2]), place.size, int(means[4])
    correlation_factor, scaled, level_root = _effect_roots(inputs, k)
    level_cov = np.empty((2 * k, 2 * k))
    for i in range(2 * k):
        for j in range(i + 1):
            level_cov[i, j] = rows_product(level_root, i, level_root, j, 2 * k)
    inverses = np.empty((n_group, most, most))
    cov, root, columns = np.empty((most, most)), np.empty((most, most)), np.empty((most, most))
    errors, solved = np.empty(most), np.empty(most)
    solved_design = np.empty((most, n_fixed))  # V^-1 U
    variance = np.empty(k)
    sd, score = np.empty(n_fixed), np.empty(n_fixed)
    fixed_precision, factor = np.zeros((n_fixed, n_fixed)), np.zeros((n_fixed, n_fixed))
    loglik = means[7]
    for j in range(k):
        residual_sd = inputs[begins(k)[RESIDUAL_SD] + j]
        variance[j] = residual_sd**2
        loglik -= freedom[j] * np.log(residual_sd) + 0.5 * squares[j] / variance[j]
    for i in range(n_fixed):
        sd[i] = inputs[int(place[i])]
        score[i] = sd[i] * scores[i] / variance[int(effect[i]) % k]
        fixed_precision[i, i] = 1.0
    for p in range(pair_a.size):
        a, b = int(pair_a[p]), int(pair_b[p])
        fixed_precision[a, b] += pair_value[p] * sd[a] * sd[b] / variance[int(pair_marker[p])]
    for g in range(n_group):
        start = g * length
        n, n_row = groups[start], int(groups[start + 2])
        level, count = start + GROUP, start + GROUP + most
        for r in range(n_row):
            i = int(groups[level + r])
            for s in range(r + 1):  # levels ascend
                cov[r, s] = level_cov[i, int(groups[level + s])]
            cov[r, r] += variance[i % k] / groups[count + r]
        loglik -= 0.5 * n * fill_root(cov, root, n_row)
        fill_inverse(root, columns, inverses[g], n_row)
        errors_of_means(groups, start, most, inputs, k, errors)
        scatter = start + GROUP + 3 * most
        for r in range(n_row):
            solved[r], spread = 0.0, 0.0
            for s in range(n_row):
                solved[r] += inverses[g, r, s] * errors[s]
                spread += inverses[g, r, s] * groups[scatter + r * most + s]
            loglik -= 0.5 * (n * errors[r] * solved[r] + spread)
        solved_design[:] = 0.0
        for p in range(int(groups[start + 3]), int(groups[start + 4])):
            r, i = int(entry_row[p]), int(entry_column[p])
            weight = entry_value[p] * sd[i]
            score[i] += n * weight * solved[r]
            for s in range(n_row):
                solved_design[s, i] += weight * inverses[g, s, r]
        for p in range(int(groups[start + 3]), int(groups[start + 4])):
            r, i = int(entry_row[p]), int(entry_column[p])
            weight = n * entry_value[p] * sd[i]
            for j in range(i + 1):
                fixed_precision[i, j] += weight * solved_design[r, j]
    logdet = fill_root(fixed_precision, factor, n_fixed)
    # The score's array takes the solution.
    for i in range(n_fixed):
        for j in range(i):
            score[i] -= factor[i, j] * score[j]
        score[i] /= factor[i, i]
        loglik += 0.5 * score[i] ** 2
    solve_transposed(factor, score)
    return (
        loglik - 0.5 * logdet,
        score,
        factor,
        sd,
        correlation_factor,
        scaled,
        level_root,
        inverses,
    )
