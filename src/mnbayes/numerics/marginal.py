"""Log-likelihood of the Gaussian longitudinal model, patient and fixed effects integrated out.

Patients who were measured at the same visits and markers (and share the covariate's value)
form a *group*: they have the same design ``X`` and the same covariance ``V`` of their cells,
so a group enters only through its size ``n``, its mean vector ``ybar`` and a root ``Z`` of its
scatter matrix ``W = Z Z'``. The cost of an evaluation therefore does not grow with the number
of patients, only with the number of groups.

The fixed effects are ``offset + sd z`` with ``z ~ N(0, I)``: mean baseline, mean change and
slope with the mean and SD of their normal priors; the deviations of the visits with mean 0 and
SD ``visit_sd``; and, where the markers' mean changes shrink to a common one, that common
change, which every cell after baseline shares. With ``U = X diag(sd)``, ``e = ybar - X offset``::

    P = I + sum n U' V^-1 U,    h = sum n U' V^-1 e
    log p = sum [-n/2 (c log 2 pi + log|V|) - 1/2 tr(V^-1 (W + n e e'))]
            - 1/2 log|P| + 1/2 h' P^-1 h

(Lindley and Smith 1972, JRSS B 34:1). A parameter whose prior is not normal is sampled: it is
the offset, and its SD here is 0.

Two extensions keep the model Gaussian given some more unknowns, which the sampler draws:
a Student-t residual is a normal one whose precision is multiplied by a gamma *weight*
(Lange, Little and Taylor 1989, JASA 84:881), and a censored value is an unknown *augmented*
value inside its interval, so that integrating it out gives the interval likelihood.

The gradient is :mod:`mnbayes.numerics.marginal_gradient`'s. None of this needs PyTensor.
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.correlation_factor import correlation_cholesky
from mnbayes.numerics.small_matrices import fill_inverse_and_logdet

LOG_2PI = float(np.log(2.0 * np.pi))
#: A cell's design has at most this many entries: baseline, change, slope, visit, common change.
SLOTS = 5


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
    """Where the ten parts of :meth:`mnbayes.numerics.groups.Groups.packed` begin and end."""
    starts = np.empty(11, dtype=np.int64)
    starts[0] = 10
    for i in range(10):
        starts[i + 1] = starts[i] + int(packed[i])
    return starts


@compiled
def _all_sds(fixed_sd, visit_sd, n_visit):
    """SDs of all fixed effects: three for each marker, its visits' deviations, the common one."""
    n_marker = visit_sd.size
    out = np.empty((3 + n_visit) * n_marker + 1)
    for i in range(3 * n_marker):
        out[i] = fixed_sd[i]
    for t in range(n_visit):
        for k in range(n_marker):
            out[(3 + t) * n_marker + k] = visit_sd[k]
    out[-1] = fixed_sd[-1]
    return out


@compiled
def _active(sd):
    """Number the fixed effects whose SD is not 0; -1 for the others, which drop out."""
    position = np.full(sd.size, -1)
    count = 0
    for i in range(sd.size):
        if sd[i] != 0.0:
            position[i] = count
            count += 1
    return position, count


@compiled
def _cell_slots(visit, marker, covariate, n_marker, n_visit, position, effect, value):
    """Fill a cell's row of the design: which fixed effects, with which factor; return how many."""
    effect[0], value[0] = marker, 1.0
    n = 1
    if visit > 0:
        effect[1], value[1] = n_marker + marker, 1.0
        effect[2], value[2] = 2 * n_marker + marker, covariate
        effect[3], value[3] = (2 + visit) * n_marker + marker, 1.0
        effect[4], value[4] = (3 + n_visit) * n_marker, 1.0
        n = 5
    kept = 0
    for s in range(n):
        if position[effect[s]] >= 0:
            effect[kept], value[kept] = effect[s], value[s]
            kept += 1
    return kept


@compiled
def unpacked(packed):
    """The arrays of :class:`mnbayes.numerics.groups.Groups`, in their order."""
    starts = _part_starts(packed)
    return (
        packed[starts[0] : starts[1]],
        packed[starts[1] : starts[2]],
        packed[starts[2] : starts[3]].astype(np.int64),
        packed[starts[3] : starts[4]].astype(np.int64),
        packed[starts[4] : starts[5]].astype(np.int64),
        packed[starts[5] : starts[6]].astype(np.int64),
        packed[starts[6] : starts[7]],
        packed[starts[7] : starts[8]].astype(np.int64),
        packed[starts[8] : starts[9]],
        packed[starts[9] : starts[10]],
    )


@compiled
def fixed_given_data(
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
    """Log-likelihood, and the fixed effects given the data.

    Parameters
    ----------
    As of :func:`mnbayes.numerics.marginal_gradient.marginal_loglik_and_gradient`.

    Returns
    -------
    tuple
        The log-likelihood (-inf where a covariance is not positive definite); mean ``zhat`` and
        covariance ``C`` of the fixed effects whose SD is not 0, standardised; and what the
        gradient is made of: ``V^-1`` of each group, the cells' designs (which effects, with
        which factor, how many), ``M``, ``V^-1 e``, ``T``, Cholesky factors of the effects'
        correlations and covariance, the SDs of all fixed effects and their position (-1: SD 0).
    """
    (
        group_size,
        group_covariate,
        group_start,
        cell_visit,
        cell_marker,
        cell_augmented,
        cell_mean,
        group_rank,
        root,
        weeks,
    ) = unpacked(packed)
    n_marker = baseline_mean.size
    n_visit = weeks.size - 1
    n_cell = cell_mean.size
    factor = correlation_cholesky(2.0 * unit - 1.0, 2 * n_marker)
    effect_cov, scaled = _effect_covariance(baseline_sd, change_sd, factor)
    sd = _all_sds(fixed_sd, visit_sd, n_visit)
    position, n_fixed = _active(sd)

    loglik = 0.0
    widest = 0
    for g in range(group_size.size):
        widest = max(widest, group_start[g + 1] - group_start[g])
    inverses = np.zeros((n_cell, widest))
    effect = np.zeros((n_cell, SLOTS), dtype=np.int64)
    value = np.zeros((n_cell, SLOTS))
    n_slot = np.zeros(n_cell, dtype=np.int64)
    solved_design = np.zeros((n_cell, n_fixed))  # M
    solved_error = np.zeros(n_cell)  # V^-1 e
    solved_root = np.zeros(root.size)  # T
    error = np.zeros(widest)
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
        inverse = inverses[first:stop]
        logdet = fill_inverse_and_logdet(cov, inverse)
        if np.isnan(logdet):
            loglik = -np.inf
            break
        for a in range(m):
            t, k, c = visit[a], marker[a], first + a
            mean = baseline_mean[k]
            if t > 0:
                mean += change_mean[k] + slope[k] * group_covariate[g]
            hidden = cell_augmented[c]
            error[a] = (augmented[hidden] if hidden >= 0 else cell_mean[c]) - mean
            n_slot[c] = _cell_slots(
                t, k, group_covariate[g], n_marker, n_visit, position, effect[c], value[c]
            )
        loglik -= 0.5 * n * (m * LOG_2PI + logdet)
        for a in range(m):
            total = 0.0
            for b in range(m):
                total += inverse[a, b] * error[b]
                for s in range(n_slot[first + b]):
                    column = effect[first + b, s]
                    scale = value[first + b, s] * sd[column]
                    solved_design[first + a, position[column]] += inverse[a, b] * scale
            solved_error[first + a] = total
            loglik -= 0.5 * n * error[a] * total
        rank = group_rank[g]
        for a in range(m):
            for b in range(m):
                for r in range(rank):
                    solved_root[offset + a * rank + r] += (
                        inverse[a, b] * root[offset + b * rank + r]
                    )
            for r in range(rank):
                cell = offset + a * rank + r
                loglik -= 0.5 * root[cell] * solved_root[cell]
        for c in range(first, stop):
            for s in range(n_slot[c]):
                i = position[effect[c, s]]
                weighted = n * value[c, s] * sd[effect[c, s]]
                score[i] += weighted * solved_error[c]
                row, design_row = precision[i], solved_design[c]
                for j in range(n_fixed):
                    row[j] += weighted * design_row[j]
        offset += m * rank
    fixed_cov = np.zeros((n_fixed, n_fixed))
    logdet = fill_inverse_and_logdet(precision, fixed_cov) if loglik > -np.inf else np.nan
    if np.isnan(logdet):
        loglik, logdet = -np.inf, 0.0
    fixed = fixed_cov @ score
    for i in range(n_fixed):
        loglik += 0.5 * score[i] * fixed[i]
    loglik -= 0.5 * logdet
    return (
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
    )
