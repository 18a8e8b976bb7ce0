"""Gradient of the log-likelihood of :mod:`mnbayes.numerics.marginal`, in its notation.

The gradient of a marginal log-likelihood is the posterior expectation of the joint one's
(Fisher's identity). With ``zhat = P^-1 h``, ``P = R R'``, ``A = V^-1 U R'^-1``, ``T = V^-1 Z`` and
``q = V^-1 (e - U zhat)``::

    d / d offset = sum n X' q,    d / d sd = (zhat^2 - 1 + diag P^-1) / sd
    d / d V = 1/2 (T T' + n q q' + n A A' - n V^-1)
"""

from __future__ import annotations

from functools import partial

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.correlation_factor import partial_gradient
from mnbayes.numerics.inputs import CORRELATION, RESIDUAL_SD, SERIAL_SD, SERIAL_WEEKS, begins
from mnbayes.numerics.marginal import fixed_given_cells, solve_root
from mnbayes.numerics.packed_cells import CELL, GROUP, unpacked_cells


@compiled
def _inverse_diagonal(factor):
    """Diagonal of the inverse of the matrix that a lower Cholesky factor is of."""
    n = factor.shape[0]
    out, inverse = np.zeros(n), np.zeros((n, n))
    for i in range(n):
        row = inverse[i]
        for j in range(i):
            times = factor[i, j]
            for c in range(j + 1):
                row[c] -= times * inverse[j, c]
        for c in range(i):
            row[c] /= factor[i, i]
        row[i] = 1.0 / factor[i, i]
        for c in range(i + 1):
            out[c] += row[c] ** 2
    return out


@partial(compiled, inline="always")
def loglik_and_gradient(inputs, weight, augmented, cells, k):
    """Log-likelihood and its gradient, patient and fixed effects integrated out.

    Parameters
    ----------
    As of :func:`mnbayes.numerics.marginal.fixed_given_cells`.

    Returns
    -------
    loglik : float
    gradient : array
        In the order of the inputs.
    d_weight : array, shape of `weight`
    d_augmented : array, shape of `augmented`
    """
    (
        loglik,
        fixed,
        factor,
        sd,
        correlation_factor,
        _,
        level_root,
        decay,
        inverses,
        solved_design,
        solved_error,
    ) = fixed_given_cells(inputs, weight, augmented, cells, k)
    gradient = np.zeros(inputs.size)
    d_weight, d_augmented = np.zeros(weight.size), np.zeros(augmented.size)
    if not np.isfinite(loglik):
        return loglik, gradient, d_weight, d_augmented
    week, start, place, _ = unpacked_cells(cells)
    at = begins(k)
    n_fixed, widest = place.size, int(cells[4])
    drifts = decay.size > 0
    serial_weeks = inputs[at[SERIAL_WEEKS]]
    variance = _inverse_diagonal(factor)
    for i in range(n_fixed):
        if sd[i] > 0.0:
            gradient[int(place[i])] += (fixed[i] ** 2 - 1.0 + variance[i]) / sd[i]
        row = solved_design[i]
        for c in range(row.size):
            solved_error[c] -= fixed[i] * row[c]
    for i in range(n_fixed):  # in place: U' V^-1 becomes A'
        row = solved_design[i]
        for j in range(i):
            times, before = factor[i, j], solved_design[j]
            if times != 0.0:
                for c in range(row.size):
                    row[c] -= times * before[c]
        for c in range(row.size):
            row[c] /= factor[i, i]

    d_cov = np.zeros((2 * k, 2 * k))  # of the levels
    moment = np.empty((widest, widest))
    level, visit = np.empty(widest, dtype=np.int64), np.empty(widest, dtype=np.int64)
    spread = np.empty(widest)
    first = 0
    for g in range(start.size):
        group = int(start[g])
        n, covariate = cells[group], cells[group + 1]
        m, rank, schedule = int(cells[group + 2]), int(cells[group + 3]), int(cells[group + 4])
        inverse = inverses[first : first + m]
        for a in range(m):
            for b in range(a + 1):
                both = solved_error[first + a] * solved_error[first + b]
                moment[a, b] = n * (both - inverse[a, b])
        for j in range(n_fixed):
            part = solved_design[j, first : first + m]
            for a in range(m):
                times, row = n * part[a], moment[a]
                if times != 0.0:
                    for b in range(a + 1):
                        row[b] += times * part[b]
        scatter = group + GROUP + m * CELL
        for r in range(rank):
            solve_root(cells, scatter + r * m, inverse, m, spread)
            for a in range(m):
                for b in range(a + 1):
                    moment[a, b] += spread[a] * spread[b]
        for a in range(m):
            cell = group + GROUP + a * CELL
            i, t = int(cells[cell]), int(cells[cell + 1])
            level[a], visit[a] = i, t
            q = i % k
            d_mean = n * solved_error[first + a]
            gradient[q] += d_mean
            if t > 0:
                gradient[k + q] += d_mean
                gradient[2 * k + q] += covariate * d_mean
            hidden = int(cells[cell + 2])
            if hidden >= 0:
                d_augmented[hidden] -= d_mean
            # Off the diagonal d / d V stands for two equal entries.
            for b in range(a):
                d_cov[i, level[b]] += moment[a, b]
            d_cov[i, i] += 0.5 * moment[a, a]
            if drifts:
                serial_sd = inputs[at[SERIAL_SD] + q]
                for b in range(a):
                    if level[b] % k == q:
                        part = moment[a, b] * serial_sd * decay[schedule, t, visit[b]]
                        gradient[at[SERIAL_SD] + q] += 2.0 * part
                        gap = week[schedule, t] - week[schedule, visit[b]]
                        gradient[at[SERIAL_WEEKS]] += part * serial_sd * gap / serial_weeks**2
                gradient[at[SERIAL_SD] + q] += moment[a, a] * serial_sd
            residual_sd = inputs[at[RESIDUAL_SD] + q]
            if weight.size > 0:
                w = weight[first + a]
                gradient[at[RESIDUAL_SD] + q] += moment[a, a] * residual_sd / w
                d_weight[first + a] = -0.5 * moment[a, a] * (residual_sd / w) ** 2
            else:
                gradient[at[RESIDUAL_SD] + q] += moment[a, a] * residual_sd
            own = int(cells[cell + 4])
            if own >= 0:
                gradient[own] += moment[a, a] * inputs[own]
        first += m

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
    partial = 2.0 * inputs[at[CORRELATION] : at[RESIDUAL_SD]] - 1.0
    d_partial = partial_gradient(partial, 2 * k, d_factor)
    # In a loop: an assignment to a slice takes seconds to compile.
    for i in range(partial.size):
        gradient[at[CORRELATION] + i] = 2.0 * d_partial[i]
    return loglik, gradient, d_weight, d_augmented
