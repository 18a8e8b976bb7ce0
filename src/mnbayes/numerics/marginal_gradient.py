"""Gradient of the log-likelihood of :mod:`mnbayes.numerics.marginal`, in its notation.

The gradient of a marginal log-likelihood is the posterior expectation of the joint one's
(Fisher's identity). With ``zhat = P^-1 h``, ``C = P^-1``, ``M = V^-1 U``, ``T = V^-1 Z`` and
``q = V^-1 (e - U zhat)``::

    d / d offset = sum n X' q,    d / d sd = diag(zhat) sum n X' q - diag(sum n X' M C)
    d / d V = 1/2 (T T' + n q q' + n M C M' - n V^-1)
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.correlation_factor import partial_gradient
from mnbayes.numerics.marginal import fixed_given_data, unpacked
from mnbayes.numerics.small_matrices import product, rows_product


@compiled
def marginal_loglik_and_gradient(
    baseline_mean,
    change_mean,
    slope,
    visit_sd,
    baseline_sd,
    change_sd,
    unit,
    residual_sd,
    serial_sd,
    serial_weeks,
    weight,
    augmented,
    fixed_sd,
    packed,
):
    """Log-likelihood and its gradient, patient and fixed effects integrated out.

    Parameters
    ----------
    baseline_mean, change_mean, slope : array, shape (marker,)
        Offsets of the mean log baseline, of the mean change of the log value and of its
        change per unit of the covariate: the means of their normal priors, or their values
        where they are sampled.
    visit_sd : array, shape (marker,)
        SD of the visits' deviations from the mean change.
    baseline_sd, change_sd : array, shape (marker,)
        SDs of the patient effects.
    unit : array
        ``(1 + r) / 2`` of the canonical partial correlations ``r`` of the effects, baselines
        of every marker first, then changes.
    residual_sd, serial_sd : array, shape (marker,)
        ``serial_sd`` is zero where there is no serial correlation.
    serial_weeks : float
        Correlation time in weeks.
    weight : array, shape (cell,) or (0,)
        Residual precision multipliers; empty for normal residuals.
    augmented : array
        The censored values as they now stand, on the log scale.
    fixed_sd : array, shape (3 * marker + 1,)
        SDs of the normal priors of mean baseline, mean change and slope, then of the common
        change; 0 where sampled or not in the model.
    packed : array
        :meth:`mnbayes.numerics.groups.Groups.packed`.

    Returns
    -------
    tuple
        The log-likelihood, then its gradient in each of the arguments before ``packed``.
        It is -inf where a covariance is not positive definite.
    """
    (
        loglik,
        fixed,
        fixed_cov,
        inverses,
        effect,
        value,
        n_slot,
        solved_design,
        solved_error,
        solved_root,
        factor,
        scaled,
        sd,
        position,
    ) = fixed_given_data(
        baseline_mean,
        change_mean,
        slope,
        visit_sd,
        baseline_sd,
        change_sd,
        unit,
        residual_sd,
        serial_sd,
        serial_weeks,
        weight,
        augmented,
        fixed_sd,
        packed,
    )
    (
        group_size,
        group_covariate,
        group_start,
        cell_visit,
        cell_marker,
        cell_augmented,
        _,
        group_rank,
        _,
        weeks,
    ) = unpacked(packed)
    n_marker = baseline_mean.size
    n_visit = weeks.size - 1
    size = 2 * n_marker
    partial = 2.0 * unit - 1.0
    d_baseline_mean = np.zeros(n_marker)
    d_change_mean = np.zeros(n_marker)
    d_slope = np.zeros(n_marker)
    d_sd = np.zeros(sd.size)
    d_effect_cov = np.zeros((size, size))
    d_residual_sd = np.zeros(n_marker)
    d_serial_sd = np.zeros(n_marker)
    d_serial_weeks = 0.0
    d_weight = np.zeros(weight.size)
    d_augmented = np.zeros(augmented.size)

    offset = 0
    for g in range(group_size.size):
        if loglik == -np.inf:
            break
        first, stop = group_start[g], group_start[g + 1]
        m = stop - first
        n = group_size[g]
        rank = group_rank[g]
        design = solved_design[first:stop]  # M
        spread = product(design, fixed_cov)  # M C
        moment = product(spread, design.T.copy())  # M C M'
        expected = design @ fixed
        roots = solved_root[offset : offset + m * rank].reshape((m, rank))
        for a in range(m):
            c = first + a
            t, k = cell_visit[c], cell_marker[c]
            solved_error[c] -= expected[a]
            d_mean = n * solved_error[c]
            d_baseline_mean[k] += d_mean
            if t > 0:
                d_change_mean[k] += d_mean
                d_slope[k] += d_mean * group_covariate[g]
            for s in range(n_slot[c]):
                i = position[effect[c, s]]
                d_sd[effect[c, s]] += value[c, s] * (fixed[i] * d_mean - n * spread[a, i])
            hidden = cell_augmented[c]
            if hidden >= 0:
                d_augmented[hidden] -= d_mean
        for a in range(m):
            t, k = cell_visit[first + a], cell_marker[first + a]
            for b in range(a + 1):
                t2, k2 = cell_visit[first + b], cell_marker[first + b]
                total = solved_error[first + a] * solved_error[first + b]
                total += moment[a, b] - inverses[first + a, b]
                total = n * total + rows_product(roots, a, roots, b, rank)
                # Off the diagonal d / d V stands for two equal entries.
                d_cov = 0.5 * total if a == b else total
                d_effect_cov[k, k2] += d_cov
                if t > 0:
                    d_effect_cov[n_marker + k, k2] += d_cov
                if t2 > 0:
                    d_effect_cov[k, n_marker + k2] += d_cov
                if t > 0 and t2 > 0:
                    d_effect_cov[n_marker + k, n_marker + k2] += d_cov
                if k == k2 and serial_sd[k] > 0.0:
                    gap = abs(weeks[t] - weeks[t2])
                    decay = np.exp(-gap / serial_weeks)
                    d_serial_sd[k] += d_cov * 2.0 * serial_sd[k] * decay
                    d_serial_weeks += d_cov * serial_sd[k] ** 2 * decay * gap / serial_weeks**2
                if a == b:
                    w = weight[first + a] if weight.size > 0 else 1.0
                    d_residual_sd[k] += d_cov * 2.0 * residual_sd[k] / w
                    if weight.size > 0:
                        d_weight[first + a] -= d_cov * residual_sd[k] ** 2 / w**2
        offset += m * rank

    d_visit_sd = np.zeros(n_marker)
    for t in range(n_visit):
        for k in range(n_marker):
            d_visit_sd[k] += d_sd[(3 + t) * n_marker + k]
    d_fixed_sd = np.empty(fixed_sd.size)
    for i in range(3 * n_marker):
        d_fixed_sd[i] = d_sd[i]
    d_fixed_sd[-1] = d_sd[-1]

    d_baseline_sd = np.zeros(n_marker)
    d_change_sd = np.zeros(n_marker)
    d_factor = np.zeros((size, size))
    for i in range(size):
        own_sd = baseline_sd[i] if i < n_marker else change_sd[i - n_marker]
        d_own = 0.0
        for j in range(i + 1):
            total = 0.0
            for k in range(size):
                total += (d_effect_cov[i, k] + d_effect_cov[k, i]) * scaled[k, j]
            d_own += total * factor[i, j]
            d_factor[i, j] = total * own_sd
        if i < n_marker:
            d_baseline_sd[i] = d_own
        else:
            d_change_sd[i - n_marker] = d_own
    d_unit = 2.0 * partial_gradient(partial, size, d_factor)
    return (
        loglik,
        d_baseline_mean,
        d_change_mean,
        d_slope,
        d_visit_sd,
        d_baseline_sd,
        d_change_sd,
        d_unit,
        d_residual_sd,
        d_serial_sd,
        d_serial_weeks,
        d_weight,
        d_augmented,
        d_fixed_sd,
    )
