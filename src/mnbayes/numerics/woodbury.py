"""Log-likelihood of the Gaussian longitudinal model in the space of the patient effects.

The same number as :mod:`mnbayes.numerics.marginal` gives, for normal residuals, exact values and
no serial correlation, at a fraction of its cost: residuals of a marker then have one variance, so
that a patient's cells enter the patient's effects only through two sums for each marker, over all
visits and over those after baseline. In that module's notation, with ``Z`` the design of a
patient's effects, ``R`` the diagonal covariance of the residuals and ``L L'`` the covariance of
the effects (Woodbury's identity, in the form that allows SDs of 0)::

    A = Z' R^-1 Z,   B = I + L' A L = F F',   J = F^-1 L',   S = J' J
    V^-1 = R^-1 - R^-1 Z S Z' R^-1,   log|V| = log|R| + log|B|

Patients with the same observed cells and covariate form a group. ``S`` is the covariance of a
patient's effects given the data and the fixed effects, ``S Z' R^-1 (y - X beta)`` their mean.

The gradient is :mod:`mnbayes.numerics.woodbury_gradient`'s.
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.inputs import split
from mnbayes.numerics.marginal import LOG_2PI, correlation_cholesky
from mnbayes.numerics.sums import GROUP, unpacked_sums


@compiled
def rows_product(left, i, right, j, n):
    """Inner product of the first ``n`` entries of two rows."""
    total = 0.0
    for a in range(n):
        total += left[i, a] * right[j, a]
    return total


@compiled
def _root(matrix, factor):
    """Fill the lower Cholesky factor; return the log determinant, nan where there is none."""
    n = matrix.shape[0]
    product = 1.0
    logdet = 0.0
    for i in range(n):
        for j in range(i):
            total = matrix[i, j] - rows_product(factor, i, factor, j, j)
            factor[i, j] = total / factor[j, j]
        pivot = matrix[i, i] - rows_product(factor, i, factor, i, i)
        if not pivot > 0.0:
            return np.nan
        factor[i, i] = np.sqrt(pivot)
        product *= pivot
        if not 1e-100 < product < 1e100:  # one logarithm for many pivots
            logdet += np.log(product)
            product = 1.0
    return logdet + np.log(product)


@compiled
def _effect_roots(inputs, k):
    """Cholesky factors of the correlations and of the covariance of the patient effects."""
    unit = split(inputs, k)[6]
    factor = correlation_cholesky(2.0 * unit - 1.0, 2 * k)
    scaled = np.zeros((2 * k, 2 * k))
    for i in range(2 * k):
        sd = inputs[4 * k + i]  # baseline_sd, then change_sd
        for j in range(i + 1):
            scaled[i, j] = sd * factor[i, j]
    return factor, scaled


@compiled
def _group_effects(groups, start, own, k, scaled, precision, g, roots, spreads, scratch):
    """Covariance of the effects of a patient of a group, given data and fixed effects.

    Parameters
    ----------
    groups, start : array, int
        Where the group begins in its part of :func:`packed_sums`.
    own : int
        Its number of markers.
    scaled : array, shape (2 * marker, 2 * marker)
        ``L``.
    precision : array, shape (marker,)
        1 over the residuals' variances.
    roots, spreads : array, shape (group, 2 * own, 2 * own)
        Filled with ``J`` and ``S`` at ``g``.
    scratch : array, shape (4, 2 * own, 2 * own)

    Returns
    -------
    float
        ``log|B|``.
    """
    size, first = 2 * own, int(groups[start + 2])
    for e in range(size):
        i = first + e if e < own else k + first + e - own
        for f in range(size):
            j = first + f if f < own else k + first + f - own
            scratch[0, e, f] = scaled[i, j]  # L of the group's markers
            scratch[2, e, f] = 1.0 if e == f else 0.0
            scratch[3, e, f] = 0.0
            spreads[g, e, f] = 0.0
    weigh(groups, start, own, precision, scratch, 0, 1)
    for e in range(size):
        for f in range(size):
            times = scratch[0, e, f]
            if times != 0.0:
                for b in range(f + 1):
                    scratch[2, f, b] += times * scratch[1, e, b]  # B
    logdet = _root(scratch[2], scratch[3])
    if np.isnan(logdet):
        return logdet
    for i in range(size):
        for e in range(size):
            roots[g, i, e] = scratch[0, e, i]
        for j in range(i):
            times = scratch[3, i, j]
            for e in range(size):
                roots[g, i, e] -= times * roots[g, j, e]
        for e in range(size):
            roots[g, i, e] /= scratch[3, i, i]
    for i in range(size):
        for e in range(size):
            times = roots[g, i, e]
            if times != 0.0:
                for f in range(size):
                    spreads[g, e, f] += times * roots[g, i, f]
    return logdet


@compiled
def weigh(groups, start, own, precision, matrices, a, b):
    """Fill matrix ``b`` with ``A`` times matrix ``a``."""
    first = int(groups[start + 2])
    for j in range(own):
        before = precision[first + j] * groups[start + GROUP + j]
        later = precision[first + j] * groups[start + GROUP + own + j]
        for f in range(2 * own):
            both = later * (matrices[a, j, f] + matrices[a, own + j, f])
            matrices[b, j, f] = before * matrices[a, j, f] + both
            matrices[b, own + j, f] = both


@compiled
def errors_and_sums(
    groups, start, own, n_visit, mean, change, slope, deviation, precision, out, summed
):
    """Group means minus what is expected, and sums of them.

    Parameters
    ----------
    mean, change, slope : array, shape (marker,)
    deviation : array, shape (visit after baseline, marker)
    out : array, shape (visit, own)
        Filled with the errors, 0 where nothing is observed.
    summed : array, shape (2 * own,)
        Filled with ``Z' R^-1`` times the errors.
    """
    first, covariate = int(groups[start + 2]), groups[start + 1]
    seen = start + GROUP + 2 * own
    value = seen + (n_visit + 1) * own
    for j in range(own):
        k = first + j
        out[0, j] = groups[seen + j] * (groups[value + j] - mean[k])
        expected = mean[k] + change[k] + slope[k] * covariate
        later = 0.0
        for t in range(1, n_visit + 1):
            at = t * own + j
            error = groups[seen + at] * (groups[value + at] - expected - deviation[t - 1, k])
            out[t, j] = error
            later += error
        summed[own + j] = precision[k] * later
        summed[j] = precision[k] * (out[0, j] + later)


@compiled
def fixed_given_sums(inputs, sums, k):
    """Log-likelihood, and the fixed effects given the data.

    Parameters
    ----------
    inputs : array
        The likelihood's, in the order of :func:`mnbayes.numerics.inputs.input_sizes`.
    sums : array
        From :func:`packed_sums`.
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
    correlation_factor, scaled : array, shape (2 * marker, 2 * marker)
        Cholesky factors of the correlations and of the covariance of the patient effects.
    roots, spreads : array, shape (group, 2 * own, 2 * own)
        ``J`` and ``S`` of each group.
    """
    (
        place, effect, n_cell, squares, pair_a, pair_b, pair_marker, pair_value, entry_row,
        entry_column, entry_value, groups,
    ) = unpacked_sums(sums, k)  # fmt: skip
    n_group, n_visit, own, n_fixed = int(sums[0]), int(sums[1]), int(sums[2]), place.size
    length, size = int(sums[4]), 2 * own
    correlation_factor, scaled = _effect_roots(inputs, k)
    roots, spreads = np.empty((n_group, size, size)), np.empty((n_group, size, size))
    scratch = np.empty((4, size, size))
    # By marker: precision of a residual. By fixed effect: SD, score.
    precision = np.empty(k)
    sd, score = np.empty(n_fixed), np.zeros(n_fixed)
    inverse_cov = np.zeros((n_fixed, n_fixed))  # P, its lower triangle
    factor = np.zeros((n_fixed, n_fixed))
    times_design = np.empty((size, n_fixed))  # S Z' R^-1 U
    errors, none = np.empty((n_visit + 1, own)), np.zeros((n_visit, k))
    summed, explained = np.empty(size), np.empty(size)
    loglik = 0.0
    for j in range(k):
        residual_sd = inputs[6 * k + k * (2 * k - 1) + j]
        precision[j] = 1.0 / residual_sd**2
        loglik -= n_cell[j] * (0.5 * LOG_2PI + np.log(residual_sd))
        loglik -= 0.5 * squares[j] * precision[j]
    for i in range(n_fixed):
        sd[i] = inputs[int(place[i])]
        inverse_cov[i, i] = 1.0
    for p in range(pair_a.size):
        a, b = int(pair_a[p]), int(pair_b[p])
        inverse_cov[a, b] += precision[int(pair_marker[p])] * pair_value[p] * sd[a] * sd[b]
    for g in range(n_group):
        start = g * length
        n, first = groups[start], int(groups[start + 2])
        logdet = _group_effects(
            groups, start, own, k, scaled, precision, g, roots, spreads, scratch
        )
        loglik -= 0.5 * n * logdet
        errors_and_sums(
            groups, start, own, n_visit, inputs[:k], inputs[k : 2 * k], inputs[2 * k : 3 * k],
            none, precision, errors, summed,
        )  # fmt: skip
        total = 0.0
        for t in range(n_visit + 1):
            for j in range(own):
                total += precision[first + j] * errors[t, j] ** 2
        for e in range(size):
            part = 0.0
            explained[e] = 0.0
            for f in range(size):
                part += roots[g, e, f] * summed[f]
                explained[e] += spreads[g, e, f] * summed[f]
            total -= part * part
        scatter = start + GROUP + (4 + 2 * n_visit) * own
        for e in range(size):
            part = 0.0
            for f in range(size):
                weighted = precision[first + f % own] * groups[scatter + e * size + f]
                part += spreads[g, e, f] * weighted
            loglik += 0.5 * precision[first + e % own] * part
        loglik -= 0.5 * n * total
        for i in range(n_fixed):
            kind = int(effect[i]) // k
            j = int(effect[i]) - kind * k - first
            if kind == 3 + n_visit:  # shared by the markers
                for e in range(own, size):
                    score[i] += n * sd[i] * summed[e]
            elif 0 <= j < own:
                if kind == 0:
                    found = summed[j]
                elif kind < 3:
                    found = summed[own + j] * (1.0 if kind == 1 else groups[start + 1])
                else:
                    found = precision[first + j] * errors[kind - 2, j]
                score[i] += n * sd[i] * found
        times_design[:] = 0.0
        for p in range(int(groups[start + 3]), int(groups[start + 4])):
            e, i = int(entry_row[p]), int(entry_column[p])
            weight = precision[first + e % own] * entry_value[p] * sd[i]
            score[i] -= n * weight * explained[e]
            for f in range(size):
                times_design[f, i] += weight * spreads[g, e, f]
        for p in range(int(groups[start + 3]), int(groups[start + 4])):
            e, i = int(entry_row[p]), int(entry_column[p])
            weight = n * precision[first + e % own] * entry_value[p] * sd[i]
            for j in range(i + 1):
                inverse_cov[i, j] -= weight * times_design[e, j]
    logdet = _root(inverse_cov, factor)
    # The score's array takes the solution.
    for i in range(n_fixed):
        for j in range(i):
            score[i] -= factor[i, j] * score[j]
        score[i] /= factor[i, i]
        loglik += 0.5 * score[i] ** 2
    solve_transposed(factor, score)
    return loglik - 0.5 * logdet, score, factor, sd, correlation_factor, scaled, roots, spreads


@compiled
def solve_transposed(factor, vector):
    """Solve ``factor' x = vector`` in place, for a lower triangular factor."""
    for i in range(vector.size - 1, -1, -1):
        vector[i] /= factor[i, i]
        for j in range(i):
            vector[j] -= factor[i, j] * vector[i]
