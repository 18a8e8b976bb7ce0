"""Log-likelihood of the Gaussian longitudinal model, patient effects integrated out.

Patients who were measured at the same visits and markers (and share the
covariate's value) form a *group*: they have the same mean vector ``m`` and the
same covariance ``V``, so a group enters only through its size ``n``, its mean
vector and its scatter matrix ``W``::

    log p = -n/2 (c log 2 pi + log|V|) - 1/2 tr(V^-1 (W + n (ybar - m)(ybar - m)'))

The cost of an evaluation therefore does not grow with the number of patients,
only with the number of groups.

The gradient is the standard one of a Gaussian likelihood
(`Magnus and Neudecker, Matrix Differential Calculus`, ch. 15):
with ``S = W + n e e'``, ``e = ybar - m``::

    d log p / d m = n V^-1 e,    d log p / d V = 1/2 (V^-1 S V^-1 - n V^-1)

The compiled function imports no PyTensor, so other engines can call it too.
"""

from __future__ import annotations

import numba as nb
import numpy as np

LOG_2PI = float(np.log(2.0 * np.pi))


@nb.njit(cache=True)
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


@nb.njit(cache=True)
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


@nb.njit(cache=True)
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


@nb.njit(cache=True)
def marginal_loglik_and_gradient(
    baseline_mean,
    visit_change,
    slope,
    effect_sd,
    partial,
    residual_sd,
    serial_sd,
    serial_weeks,
    weeks,
    group_size,
    group_covariate,
    group_start,
    cell_visit,
    cell_marker,
    cell_mean,
    scatter,
):
    """Log-likelihood and its gradient, patient effects integrated out.

    Parameters
    ----------
    baseline_mean : array, shape (marker,)
        Mean log baseline.
    visit_change : array, shape (visit - 1, marker)
        Mean change of the log value at each later visit.
    slope : array, shape (marker,)
        Change per unit of the covariate.
    effect_sd : array, shape (2 * marker,)
        SDs of the patient effects: baseline of every marker, then change of every marker.
    partial : array
        Canonical partial correlations of the patient effects.
    residual_sd : array, shape (marker,)
    serial_sd : array, shape (marker,)
        SD of the serially correlated part; zeros where there is none.
    serial_weeks : float
        Correlation time in weeks.
    weeks : array, shape (visit,)
        Weeks of the visits, baseline first.
    group_size, group_covariate : array, shape (group,)
    group_start : array of int, shape (group + 1,)
        Where each group's cells begin.
    cell_visit, cell_marker : arrays of int, shape (cell,)
    cell_mean : array, shape (cell,)
        Mean log value over the group's patients.
    scatter : array
        The groups' scatter matrices, each flattened row by row.

    Returns
    -------
    tuple
        ``(loglik, d_baseline_mean, d_visit_change, d_slope, d_effect_sd, d_partial,
        d_residual_sd, d_serial_sd, d_serial_weeks)``; the log-likelihood is -inf where
        the covariance is not positive definite.
    """
    n_marker = baseline_mean.size
    size = 2 * n_marker
    factor = correlation_cholesky(partial, size)
    scaled = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            scaled[i, j] = effect_sd[i] * factor[i, j]
    effect_cov = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            total = 0.0
            for k in range(min(i, j) + 1):
                total += scaled[i, k] * scaled[j, k]
            effect_cov[i, j] = total

    loglik = 0.0
    d_baseline_mean = np.zeros(n_marker)
    d_visit_change = np.zeros(visit_change.shape)
    d_slope = np.zeros(n_marker)
    d_effect_cov = np.zeros((size, size))
    d_residual_sd = np.zeros(n_marker)
    d_serial_sd = np.zeros(n_marker)
    d_serial_weeks = 0.0

    offset = 0
    for g in range(group_size.size):
        start, stop = group_start[g], group_start[g + 1]
        m = stop - start
        n = group_size[g]
        cov = np.zeros((m, m))
        inverse = np.zeros((m, m))
        error = np.empty(m)
        for a in range(m):
            t, k = cell_visit[start + a], cell_marker[start + a]
            mean = baseline_mean[k]
            if t > 0:
                mean += visit_change[t - 1, k] + slope[k] * group_covariate[g]
            error[a] = cell_mean[start + a] - mean
            for b in range(a + 1):
                t2, k2 = cell_visit[start + b], cell_marker[start + b]
                total = effect_cov[k, k2]
                if t > 0:
                    total += effect_cov[n_marker + k, k2]
                if t2 > 0:
                    total += effect_cov[k, n_marker + k2]
                if t > 0 and t2 > 0:
                    total += effect_cov[n_marker + k, n_marker + k2]
                if k == k2 and serial_sd[k] > 0.0:
                    total += serial_sd[k] ** 2 * np.exp(-abs(weeks[t] - weeks[t2]) / serial_weeks)
                if a == b:
                    total += residual_sd[k] ** 2
                cov[a, b] = total
                cov[b, a] = total
        logdet = _inverse_and_logdet(cov, inverse)
        if np.isnan(logdet):
            loglik = -np.inf
            break
        # moment = V^-1 S V^-1, built from inverse @ S.
        half = np.zeros((m, m))
        trace = 0.0
        for a in range(m):
            for b in range(m):
                total = 0.0
                for c in range(m):
                    total += inverse[a, c] * (scatter[offset + c * m + b] + n * error[c] * error[b])
                half[a, b] = total
            trace += half[a, a]
        loglik -= 0.5 * (n * (m * LOG_2PI + logdet) + trace)
        for a in range(m):
            t, k = cell_visit[start + a], cell_marker[start + a]
            d_mean = 0.0
            for c in range(m):
                d_mean += n * inverse[a, c] * error[c]
            d_baseline_mean[k] += d_mean
            if t > 0:
                d_visit_change[t - 1, k] += d_mean
                d_slope[k] += d_mean * group_covariate[g]
            for b in range(m):
                t2, k2 = cell_visit[start + b], cell_marker[start + b]
                total = -n * inverse[a, b]
                for c in range(m):
                    total += half[a, c] * inverse[c, b]
                d_cov = 0.5 * total
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
                    d_residual_sd[k] += d_cov * 2.0 * residual_sd[k]
        offset += m * m

    d_effect_sd = np.zeros(size)
    d_factor = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            total = 0.0
            for k in range(size):
                total += 2.0 * d_effect_cov[i, k] * scaled[k, j]
            d_effect_sd[i] += total * factor[i, j]
            d_factor[i, j] = total * effect_sd[i]
    d_partial = _partial_gradient(partial, size, d_factor)
    return (
        loglik,
        d_baseline_mean,
        d_visit_change,
        d_slope,
        d_effect_sd,
        d_partial,
        d_residual_sd,
        d_serial_sd,
        d_serial_weeks,
    )
