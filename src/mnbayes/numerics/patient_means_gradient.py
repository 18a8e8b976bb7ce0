"""Gradient of the log-likelihood of :mod:`mnbayes.numerics.patient_means`.

By Fisher's identity: the gradient of a marginal log-likelihood is the expectation, given the data,
of the joint one's. So that of an SD ``s`` comes from the expected sum of squares of what it
scales: of a standardised fixed effect ``(E z^2 - 1) / s``, of ``f`` contrasts within patients
``(E sum e^2 / s^2 - f) / s``; and that of the means' covariance ``V`` is
``1/2 V^-1 (E sum e e' - n V) V^-1`` of each group.
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.correlation_factor import partial_gradient
from mnbayes.numerics.inputs import (
    CHANGE_MEAN,
    CORRELATION,
    COVARIATE_SLOPE,
    RESIDUAL_SD,
    SERIAL_SD,
    begins,
)
from mnbayes.numerics.packed_means import GROUP, unpacked_means
from mnbayes.numerics.patient_means import errors_of_means, fixed_given_means
from mnbayes.numerics.small_matrices import fill_inverse


@compiled
def loglik_and_gradient(inputs, means, k):
    """Log-likelihood and its gradient in the inputs, patient and fixed effects integrated out.

    Parameters
    ----------
    As of :func:`fixed_given_means`.

    Returns
    -------
    loglik : float
    gradient : array
        In the order of the inputs; 0 for those of serial correlation.
    """
    loglik, fixed, factor, sd, correlation_factor, _, level_root, inverses = fixed_given_means(
        inputs, means, k
    )
    gradient = np.zeros(inputs.size)
    if not np.isfinite(loglik):
        return loglik, gradient
    at = begins(k)
    residual_sd = inputs[at[RESIDUAL_SD] : at[SERIAL_SD]]
    partial = 2.0 * inputs[at[CORRELATION] : at[RESIDUAL_SD]] - 1.0
    d_mean, d_change = gradient[:k], gradient[at[CHANGE_MEAN] : at[COVARIATE_SLOPE]]
    d_slope = gradient[at[COVARIATE_SLOPE] : at[COVARIATE_SLOPE] + k]
    d_residual_sd = gradient[at[RESIDUAL_SD] : at[SERIAL_SD]]
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
    fixed_cov = np.empty((n_fixed, n_fixed))  # C
    fill_inverse(factor, np.empty((n_fixed, n_fixed)), fixed_cov, n_fixed)

    square = squares.copy()  # expected sum of squares within patients, by marker
    for i in range(n_fixed):
        square[int(effect[i]) % k] -= 2.0 * sd[i] * fixed[i] * scores[i]
        if sd[i] > 0.0:
            gradient[int(place[i])] += (fixed[i] ** 2 - 1.0 + fixed_cov[i, i]) / sd[i]
    for p in range(pair_a.size):
        a, b = int(pair_a[p]), int(pair_b[p])
        times = pair_value[p] if a == b else 2.0 * pair_value[p]
        moment = fixed[a] * fixed[b] + fixed_cov[a, b]
        square[int(pair_marker[p])] += times * sd[a] * sd[b] * moment
    for j in range(k):
        d_residual_sd[j] = (square[j] / residual_sd[j] ** 2 - freedom[j]) / residual_sd[j]

    d_cov = np.zeros((2 * k, 2 * k))  # of the levels
    errors, solved = np.empty(most), np.empty(most)
    design_cov = np.empty((most, n_fixed))  # U C
    moments, weighted = np.empty((most, most)), np.empty((most, most))
    for g in range(n_group):
        start = g * length
        n, n_row = groups[start], int(groups[start + 2])
        level, count = start + GROUP, start + GROUP + most
        scatter = start + GROUP + 3 * most
        errors_of_means(groups, start, most, inputs, k, errors)
        for r in range(n_row):
            for s in range(n_row):
                moments[r, s] = groups[scatter + r * most + s]
        design_cov[:] = 0.0
        for p in range(int(groups[start + 3]), int(groups[start + 4])):
            r, i = int(entry_row[p]), int(entry_column[p])
            weight = entry_value[p] * sd[i]
            errors[r] -= weight * fixed[i]
            for j in range(n_fixed):
                design_cov[r, j] += weight * fixed_cov[i, j]
        for p in range(int(groups[start + 3]), int(groups[start + 4])):
            r, i = int(entry_row[p]), int(entry_column[p])
            weight = n * entry_value[p] * sd[i]
            for s in range(n_row):
                moments[r, s] += weight * design_cov[s, i]
        for r in range(n_row):
            solved[r] = 0.0
            for s in range(n_row):
                solved[r] += inverses[g, r, s] * errors[s]
                weighted[r, s] = 0.0
            for q in range(n_row):
                times = inverses[g, r, q]
                for s in range(n_row):
                    weighted[r, s] += times * moments[q, s]
        for r in range(n_row):
            i = int(groups[level + r])
            d_mean[i % k] += n * solved[r]
            if i >= k:
                d_change[i - k] += n * solved[r]
                d_slope[i - k] += n * groups[start + 1] * solved[r]
            for s in range(n_row):
                total = n * (solved[r] * solved[s] - inverses[g, r, s])
                for q in range(n_row):
                    total += weighted[r, q] * inverses[g, q, s]
                d_cov[i, int(groups[level + s])] += 0.5 * total
                if s == r:  # the variance of a mean is that of a residual over their number
                    d_residual_sd[i % k] += total * residual_sd[i % k] / groups[count + r]

    d_scaled = np.zeros((2 * k, 2 * k))
    for i in range(2 * k):
        for e in range(2 * k):
            times = d_cov[i, e] + d_cov[e, i]
            if times != 0.0:
                for j in range(e + 1):
                    d_scaled[i, j] += times * level_root[e, j]
    for i in range(k):
        for j in range(i + 1):
            d_scaled[i, j] += d_scaled[k + i, j]  # baselines are part of later levels
    d_factor = np.zeros((2 * k, 2 * k))
    for i in range(2 * k):
        for j in range(i + 1):
            gradient[4 * k + i] += d_scaled[i, j] * correlation_factor[i, j]
            d_factor[i, j] = d_scaled[i, j] * inputs[4 * k + i]
    d_partial = partial_gradient(partial, 2 * k, d_factor)
    # In a loop: an assignment to a slice takes seconds to compile.
    for i in range(partial.size):
        gradient[at[CORRELATION] + i] = 2.0 * d_partial[i]
    return loglik, gradient
