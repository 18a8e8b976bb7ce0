"""Log-likelihood of the Gaussian longitudinal model, patient and fixed effects integrated out.

Patients who were measured at the same visits and markers (and share the covariate's value)
form a *group*: they have the same design ``X`` and the same covariance ``V`` of their cells,
so a group enters only through its size ``n``, its mean vector ``ybar`` and its scatter matrix
``W``. The cost of an evaluation therefore does not grow with the number of patients, only
with the number of groups.

The fixed effects are ``offset + sd z`` with ``z ~ N(0, I)``: mean baseline, mean change and
slope with the mean and SD of their normal priors, and the deviations of the visits with mean
0 and SD ``visit_sd``. With ``U = X diag(sd)``, ``e = ybar - X offset``::

    P = I + sum n U' V^-1 U,    h = sum n U' V^-1 e
    log p = sum [-n/2 (c log 2 pi + log|V|) - 1/2 tr(V^-1 (W + n e e'))]
            - 1/2 log|P| + 1/2 h' P^-1 h

(Lindley and Smith 1972, JRSS B 34:1). A parameter whose prior is not normal is sampled: it is
the offset, and its SD here is 0.

The gradient of a marginal log-likelihood is the posterior expectation of the joint one's
(Fisher's identity). With ``zhat = P^-1 h``, ``C = P^-1``, ``r = e - U zhat`` and
``S = W + n (r r' + U C U')``::

    d / d offset = sum n X' V^-1 r,    d / d V = 1/2 (V^-1 S V^-1 - n V^-1)

Two extensions keep the model Gaussian given some more unknowns, which the sampler draws:
a Student-t residual is a normal one whose precision is multiplied by a gamma *weight*
(Lange, Little and Taylor 1989, JASA 84:881), and a censored value is an unknown *augmented*
value inside its interval, so that integrating it out gives the interval likelihood.

The compiled function imports no PyTensor, so other engines can call it too.
"""

from __future__ import annotations

import numba as nb
import numpy as np

LOG_2PI = float(np.log(2.0 * np.pi))

# Division by zero gives inf or nan, which the sampler rejects; Python's check of it costs time.
compiled = nb.njit(cache=True, error_model="numpy")


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
def _partial_gradient(partial, size, d_factor):
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


@compiled
def _inverse_and_logdet(matrix, inverse):
    """Fill ``inverse`` of a symmetric positive definite matrix; return its log determinant.

    Written out because the matrices are tiny (at most visits x markers): a call
    into LAPACK costs more than the work. Returns nan where a pivot is not positive.
    """
    m = matrix.shape[0]
    factor = np.zeros((m, m))
    logdet = 0.0
    for j in range(m):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= factor[j, k] * factor[j, k]
        if not pivot > 0.0:
            return np.nan
        root = np.sqrt(pivot)
        factor[j, j] = root
        logdet += 2.0 * np.log(root)
        for i in range(j + 1, m):
            total = matrix[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            factor[i, j] = total / root
    # Invert the factor in place of a second array, then multiply: inverse = F^-T F^-1.
    for j in range(m):
        factor[j, j] = 1.0 / factor[j, j]
        for i in range(j + 1, m):
            total = 0.0
            for k in range(j, i):
                total -= factor[i, k] * factor[k, j]
            factor[i, j] = total / factor[i, i]
    for i in range(m):
        for j in range(i + 1):
            total = 0.0
            for k in range(i, m):
                total += factor[k, i] * factor[k, j]
            inverse[i, j] = total
            inverse[j, i] = total
    return logdet


@compiled
def _effect_covariance(baseline_sd, change_sd, factor):
    """Covariance of the patient effects and its scaled Cholesky factor."""
    n_marker = baseline_sd.size
    size = 2 * n_marker
    scaled = np.zeros((size, size))
    for i in range(size):
        sd = baseline_sd[i] if i < n_marker else change_sd[i - n_marker]
        for j in range(i + 1):
            scaled[i, j] = sd * factor[i, j]
    cov = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            total = 0.0
            for k in range(j + 1):
                total += scaled[i, k] * scaled[j, k]
            cov[i, j] = total
            cov[j, i] = total
    return cov, scaled


@compiled
def _group_covariance(effect_cov, residual_sd, serial_sd, serial_weeks, weeks, weight, first, t, k):
    """Covariance of a group's cells; ``t`` and ``k`` are their visits and markers."""
    m = t.size
    n_marker = residual_sd.size
    cov = np.zeros((m, m))
    for a in range(m):
        for b in range(a + 1):
            total = effect_cov[k[a], k[b]]
            if t[a] > 0:
                total += effect_cov[n_marker + k[a], k[b]]
            if t[b] > 0:
                total += effect_cov[k[a], n_marker + k[b]]
            if t[a] > 0 and t[b] > 0:
                total += effect_cov[n_marker + k[a], n_marker + k[b]]
            if k[a] == k[b] and serial_sd[k[a]] > 0.0:
                gap = abs(weeks[t[a]] - weeks[t[b]])
                total += serial_sd[k[a]] ** 2 * np.exp(-gap / serial_weeks)
            if a == b:
                variance = residual_sd[k[a]] ** 2
                total += variance / weight[first + a] if weight.size > 0 else variance
            cov[a, b] = total
            cov[b, a] = total
    return cov


@compiled
def _part_starts(packed):
    """Where the nine parts of :meth:`mnbayes.numerics.groups.Groups.packed` begin and end."""
    starts = np.empty(10, dtype=np.int64)
    starts[0] = 9
    for i in range(9):
        starts[i + 1] = starts[i] + int(packed[i])
    return starts


@compiled
def _multiply(left, right):
    """Matrix product; written out, since BLAS costs more than it saves at this size."""
    out = np.zeros((left.shape[0], right.shape[1]))
    for i in range(left.shape[0]):
        for k in range(left.shape[1]):
            if left[i, k] != 0.0:
                for j in range(right.shape[1]):
                    out[i, j] += left[i, k] * right[k, j]
    return out


@compiled
def _scaled_design(visit, marker, covariate, fixed_sd, visit_sd, n_visit):
    """Design of a group's cells times the fixed effects' SDs, shape (cell, fixed).

    Fixed effects: mean baseline, mean change and slope of every marker, then the deviation of
    every later visit, markers fastest.
    """
    n_marker = visit_sd.size
    out = np.zeros((visit.size, (3 + n_visit) * n_marker))
    for a in range(visit.size):
        t, k = visit[a], marker[a]
        out[a, k] = fixed_sd[k]
        if t > 0:
            out[a, n_marker + k] = fixed_sd[n_marker + k]
            out[a, 2 * n_marker + k] = fixed_sd[2 * n_marker + k] * covariate
            out[a, (2 + t) * n_marker + k] = visit_sd[k]
    return out


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
    fixed_sd : array, shape (3 * marker,)
        SDs of the normal priors of mean baseline, mean change and slope; 0 where sampled.
    packed : array
        :meth:`mnbayes.numerics.groups.Groups.packed`.

    Returns
    -------
    tuple
        The log-likelihood, then its gradient in each of the arguments before ``fixed_sd``.
        It is -inf where a covariance is not positive definite.
    """
    starts = _part_starts(packed)
    group_size = packed[starts[0] : starts[1]]
    group_covariate = packed[starts[1] : starts[2]]
    group_start = packed[starts[2] : starts[3]].astype(np.int64)
    cell_visit = packed[starts[3] : starts[4]].astype(np.int64)
    cell_marker = packed[starts[4] : starts[5]].astype(np.int64)
    cell_augmented = packed[starts[5] : starts[6]].astype(np.int64)
    cell_mean = packed[starts[6] : starts[7]]
    scatter = packed[starts[7] : starts[8]]
    weeks = packed[starts[8] : starts[9]]

    n_marker = baseline_mean.size
    n_visit = weeks.size - 1
    n_fixed = (3 + n_visit) * n_marker
    size = 2 * n_marker
    partial = 2.0 * unit - 1.0
    factor = correlation_cholesky(partial, size)
    effect_cov, scaled = _effect_covariance(baseline_sd, change_sd, factor)

    loglik = 0.0
    d_baseline_mean = np.zeros(n_marker)
    d_change_mean = np.zeros(n_marker)
    d_slope = np.zeros(n_marker)
    d_visit_sd = np.zeros(n_marker)
    d_effect_cov = np.zeros((size, size))
    d_residual_sd = np.zeros(n_marker)
    d_serial_sd = np.zeros(n_marker)
    d_serial_weeks = 0.0
    d_weight = np.zeros(weight.size)
    d_augmented = np.zeros(augmented.size)

    # First pass: the groups' inverse covariances, and the fixed effects given the data.
    inverses = np.zeros(scatter.size)
    errors = np.zeros(cell_mean.size)
    precision = np.eye(n_fixed)
    score = np.zeros(n_fixed)
    offset = 0
    for g in range(group_size.size):
        first, stop = group_start[g], group_start[g + 1]
        m = stop - first
        n = group_size[g]
        visit = cell_visit[first:stop]
        marker = cell_marker[first:stop]
        cov = _group_covariance(
            effect_cov, residual_sd, serial_sd, serial_weeks, weeks, weight, first, visit, marker
        )
        inverse = np.zeros((m, m))
        logdet = _inverse_and_logdet(cov, inverse)
        if np.isnan(logdet):
            loglik = -np.inf
            break
        for a in range(m):
            t, k = visit[a], marker[a]
            mean = baseline_mean[k]
            if t > 0:
                mean += change_mean[k] + slope[k] * group_covariate[g]
            hidden = cell_augmented[first + a]
            value = augmented[hidden] if hidden >= 0 else cell_mean[first + a]
            errors[first + a] = value - mean
        design = _scaled_design(visit, marker, group_covariate[g], fixed_sd, visit_sd, n_visit)
        loglik -= 0.5 * n * (m * LOG_2PI + logdet)
        for a in range(m):
            for b in range(m):
                weighted = n * inverse[a, b]
                inverses[offset + a * m + b] = inverse[a, b]
                loglik -= 0.5 * inverse[a, b] * scatter[offset + a * m + b]
                loglik -= 0.5 * weighted * errors[first + a] * errors[first + b]
                for i in range(n_fixed):
                    if design[a, i] == 0.0:
                        continue
                    score[i] += weighted * design[a, i] * errors[first + b]
                    for j in range(n_fixed):
                        precision[i, j] += weighted * design[a, i] * design[b, j]
        offset += m * m
    fixed_cov = np.zeros((n_fixed, n_fixed))
    logdet = _inverse_and_logdet(precision, fixed_cov) if loglik > -np.inf else np.nan
    if np.isnan(logdet):
        loglik, logdet = -np.inf, 0.0
    fixed = np.zeros(n_fixed)
    for i in range(n_fixed):
        for j in range(n_fixed):
            fixed[i] += fixed_cov[i, j] * score[j]
        loglik += 0.5 * score[i] * fixed[i]
    loglik -= 0.5 * logdet

    # Second pass: the gradient, by Fisher's identity.
    offset = 0
    for g in range(group_size.size):
        if loglik == -np.inf:
            break
        first, stop = group_start[g], group_start[g + 1]
        m = stop - first
        n = group_size[g]
        visit = cell_visit[first:stop]
        marker = cell_marker[first:stop]
        design = _scaled_design(visit, marker, group_covariate[g], fixed_sd, visit_sd, n_visit)
        spread = _multiply(design, fixed_cov)  # U C
        inverse = np.empty((m, m))
        residual = errors[first:stop].copy()
        for a in range(m):
            for i in range(n_fixed):
                residual[a] -= design[a, i] * fixed[i]
            for b in range(m):
                inverse[a, b] = inverses[offset + a * m + b]
        moment = np.empty((m, m))
        d_mean = np.zeros(m)
        for a in range(m):
            for b in range(m):
                total = residual[a] * residual[b]
                for i in range(n_fixed):
                    total += spread[a, i] * design[b, i]
                moment[a, b] = n * total + scatter[offset + a * m + b]
                d_mean[a] += n * inverse[a, b] * residual[b]
        d_cov_all = _multiply(_multiply(inverse, moment), inverse)
        d_spread = _multiply(inverse, spread)
        for a in range(m):
            t, k = visit[a], marker[a]
            d_baseline_mean[k] += d_mean[a]
            if t > 0:
                d_change_mean[k] += d_mean[a]
                d_slope[k] += d_mean[a] * group_covariate[g]
                column = (2 + t) * n_marker + k
                d_visit_sd[k] += fixed[column] * d_mean[a] - n * d_spread[a, column]
            hidden = cell_augmented[first + a]
            if hidden >= 0:
                d_augmented[hidden] -= d_mean[a]
            for b in range(m):
                t2, k2 = visit[b], marker[b]
                d_cov = 0.5 * (d_cov_all[a, b] - n * inverse[a, b])
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
        offset += m * m

    d_baseline_sd = np.zeros(n_marker)
    d_change_sd = np.zeros(n_marker)
    d_factor = np.zeros((size, size))
    for i in range(size):
        sd = baseline_sd[i] if i < n_marker else change_sd[i - n_marker]
        d_sd = 0.0
        for j in range(i + 1):
            total = 0.0
            for k in range(size):
                total += 2.0 * d_effect_cov[i, k] * scaled[k, j]
            d_sd += total * factor[i, j]
            d_factor[i, j] = total * sd
        if i < n_marker:
            d_baseline_sd[i] = d_sd
        else:
            d_change_sd[i - n_marker] = d_sd
    d_unit = 2.0 * _partial_gradient(partial, size, d_factor)
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
    )
