"""Log-likelihood of the Gaussian longitudinal model, patient and fixed effects integrated out.

Patients who were measured at the same visits and markers (and share the covariate's value and the
times of their visits) form a *group*: they have the same design ``X`` and the same covariance ``V``
of their cells, so a group enters only through its size ``n``, its mean vector ``ybar`` and a root
``Z`` of its scatter matrix ``W = Z Z'``. The cost of an evaluation therefore does not grow with the
number of patients, only with the number of groups.

The fixed effects are ``offset + sd z`` with ``z ~ N(0, I)``: mean baseline, mean change and
slope with the mean and SD of their normal priors; the deviations of the visits with mean 0 and
SD ``visit_sd``; and, where the markers' mean changes shrink to a common one, that common
change, which every cell after baseline shares. With ``U = X diag(sd)``, ``e = ybar - X offset``::

    V = Q L L' Q' + drift + diag(residual_sd^2 / weight)
    P = I + sum n U' V^-1 U,    h = sum n U' V^-1 e
    log p = sum [-n/2 (c log 2 pi + log|V|) - 1/2 tr(V^-1 (W + n e e'))]
            - 1/2 log|P| + 1/2 h' P^-1 h

(Lindley and Smith 1972, JRSS B 34:1), ``L L'`` the covariance of the patient effects and ``Q`` 1
where a cell's level holds an effect; the drift's covariance is
``serial_sd^2 exp(-|weeks apart| / serial_weeks)`` between cells of a marker, at the patient's own
times (a *schedule*). A parameter whose
prior is not normal is sampled: it is the offset, and its SD here is 0.

Given the weights of Student-t residuals and the censored values
(:mod:`mnbayes.numerics.unknown_cells`) all this holds for every structure.
The gradient is :mod:`mnbayes.numerics.marginal_gradient`'s.
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.correlation_factor import correlation_cholesky
from mnbayes.numerics.inputs import CORRELATION, RESIDUAL_SD, SERIAL_SD, SERIAL_WEEKS, begins
from mnbayes.numerics.packed_cells import CELL, GROUP, SLOTS, unpacked_cells
from mnbayes.numerics.small_matrices import fill_inverse, fill_root, rows_product, solve_transposed

LOG_2PI = float(np.log(2.0 * np.pi))


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
def drift_decay(times, serial_weeks):
    """Correlation of the drift between visits, shape (schedule, visit, visit), lower triangles."""
    n_schedule, n_visit = times.shape
    decay = np.empty((n_schedule, n_visit, n_visit))
    for own in range(n_schedule):
        for t in range(n_visit):
            rho = np.exp((times[own, t - 1] - times[own, t]) / serial_weeks) if t > 0 else 0.0
            for s in range(t):
                decay[own, t, s] = rho * decay[own, t - 1, s]
            decay[own, t, t] = 1.0
    return decay


@compiled
def has_drift(inputs, k):
    """Whether the model has a drift: its SDs are 0 where it has none."""
    return inputs[begins(k)[SERIAL_SD]] > 0.0


@compiled
def solve_root(cells, column, inverse, m, spread):
    """Fill with ``V^-1`` times a column of a group's scatter root, which begins at ``column``."""
    spread[:m] = 0.0
    for a in range(m):
        times = cells[column + a]
        for b in range(m):
            spread[b] += times * inverse[a, b]


@compiled
def fixed_given_cells(inputs, weight, augmented, cells, k):
    """Log-likelihood, and the fixed effects given the data.

    Parameters
    ----------
    inputs : array
        The likelihood's, in the order of :func:`mnbayes.numerics.inputs.input_sizes`.
    weight : array, shape (cell,) or (0,)
        Residual precision multipliers; empty for normal residuals.
    augmented : array, shape (censored,)
        The censored values as they now stand, on the log scale.
    cells : array
        From :func:`mnbayes.numerics.packed_cells.packed_cells`.
    k : int
        Number of markers.

    Returns
    -------
    loglik : float
        nan where a covariance is not positive definite.
    fixed : array, shape (fixed effect of the model,)
        Mean given the data, standardised.
    factor : array, shape (fixed effect, fixed effect)
        Cholesky factor of their precision ``P``.
    sd : array, shape (fixed effect,)
        Of their priors.
    correlation_factor, scaled, level_root : array, shape (2 * marker, 2 * marker)
        Cholesky factor of the effects' correlations, that of their covariance (``L``), and
        ``Q L`` for every level.
    decay : array, shape (schedule, visit, visit)
        The drift's correlations; empty where there is none.
    inverses : array, shape (cell, cell of the largest group)
        ``V^-1`` of each group.
    solved_design : array, shape (fixed effect, cell)
        ``U' V^-1``.
    solved_error : array, shape (cell,)
        ``V^-1 e``.
    """
    week, start, place, _ = unpacked_cells(cells)
    n_fixed, n_cell, widest = place.size, int(cells[3]), int(cells[4])
    at = begins(k)
    correlation_factor, scaled, level_root = _effect_roots(inputs, k)
    level_cov = np.empty((2 * k, 2 * k))
    for i in range(2 * k):
        for j in range(i + 1):
            level_cov[i, j] = rows_product(level_root, i, level_root, j, j + 1)
            level_cov[j, i] = level_cov[i, j]
    drifts = has_drift(inputs, k)
    decay = drift_decay(week, inputs[at[SERIAL_WEEKS]]) if drifts else np.empty((0, 0, 0))
    inverses = np.empty((n_cell, widest))
    solved_design = np.zeros((n_fixed, n_cell))
    solved_error = np.zeros(n_cell)
    cov, root, columns = (
        np.empty((widest, widest)),
        np.empty((widest, widest)),
        np.empty((widest, widest)),
    )
    error, spread = np.empty(widest), np.empty(widest)
    level, visit = np.empty(widest, dtype=np.int64), np.empty(widest, dtype=np.int64)
    sd, score = np.empty(n_fixed), np.zeros(n_fixed)
    precision, factor = np.zeros((n_fixed, n_fixed)), np.zeros((n_fixed, n_fixed))
    for i in range(n_fixed):
        sd[i] = inputs[int(place[i])]
        precision[i, i] = 1.0
    loglik = 0.0
    first = 0
    for g in range(start.size):
        group = int(start[g])
        n, covariate = cells[group], cells[group + 1]
        m, rank, schedule = int(cells[group + 2]), int(cells[group + 3]), int(cells[group + 4])
        for a in range(m):
            cell = group + GROUP + a * CELL
            i, t = int(cells[cell]), int(cells[cell + 1])
            level[a], visit[a] = i, t
            q = i % k
            for b in range(a + 1):
                cov[a, b] = level_cov[i, level[b]]
                if drifts and level[b] % k == q:
                    cov[a, b] += inputs[at[SERIAL_SD] + q] ** 2 * decay[schedule, t, visit[b]]
            variance = inputs[at[RESIDUAL_SD] + q] ** 2
            cov[a, a] += variance / weight[first + a] if weight.size > 0 else variance
            own = int(cells[cell + 4])
            if own >= 0:
                cov[a, a] += inputs[own] ** 2
            hidden = int(cells[cell + 2])
            error[a] = (augmented[hidden] if hidden >= 0 else cells[cell + 3]) - inputs[q]
            if t > 0:
                error[a] -= inputs[k + q] + covariate * inputs[2 * k + q]
        inverse = inverses[first : first + m]
        loglik -= 0.5 * n * (m * LOG_2PI + fill_root(cov, root, m))
        fill_inverse(root, columns, inverse, m)
        for a in range(m):
            total = 0.0
            for b in range(m):
                total += inverse[a, b] * error[b]
            solved_error[first + a] = total
            loglik -= 0.5 * n * error[a] * total
        scatter = group + GROUP + m * CELL
        for r in range(rank):
            solve_root(cells, scatter + r * m, inverse, m, spread)
            for a in range(m):
                loglik -= 0.5 * cells[scatter + r * m + a] * spread[a]
        for a in range(m):
            cell = group + GROUP + a * CELL
            for s in range(int(cells[cell + 5])):
                i = int(cells[cell + 6 + s])
                times = cells[cell + 6 + SLOTS + s] * sd[i]
                score[i] += n * times * solved_error[first + a]
                part, row = solved_design[i, first : first + m], inverse[a]
                for b in range(m):
                    part[b] += times * row[b]
        for a in range(m):
            cell = group + GROUP + a * CELL
            for s in range(int(cells[cell + 5])):
                i = int(cells[cell + 6 + s])
                times = n * cells[cell + 6 + SLOTS + s] * sd[i]
                for j in range(i + 1):
                    precision[i, j] += times * solved_design[j, first + a]
        first += m
    logdet = fill_root(precision, factor, n_fixed)
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
        decay,
        inverses,
        solved_design,
        solved_error,
    )
