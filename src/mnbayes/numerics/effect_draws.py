"""Fixed and patient effects and drift given the data and the other parameters, drawn exactly.

In the notation of :mod:`mnbayes.numerics.marginal` the standardised fixed effects are normal with
the mean and precision found there. A patient's effects and drift given them are drawn as those of
the population, corrected by their regression on how far the patient's cells are from what such a
patient would have given (Matheron's rule: Journel and Huijbregts 1978, Mining Geostatistics,
ch. VII; Hoffman and Ribak 1991, Astrophys. J. 380:L5).
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.inputs import RESIDUAL_SD, SERIAL_SD, begins
from mnbayes.numerics.packed_cells import CELL, GROUP, unpacked_cells
from mnbayes.numerics.posterior import given_point, parts
from mnbayes.numerics.small_matrices import solve_transposed
from mnbayes.numerics.unknown_cells import unknown


@compiled
def draw_effects(
    points, data, values, member, schedule, fixed_noise, effect_noise, drift_noise, residual_noise
):
    """Draw fixed effects, patient effects and drift for each point.

    Parameters
    ----------
    points : array, shape (draw, coordinate)
    data : array
        From :func:`mnbayes.numerics.posterior.pack`.
    values : array, shape (patient, visit, marker)
        Observed log values; those of censored cells are not read.
    member, schedule : array of int
        As of :class:`mnbayes.numerics.groups.Groups`.
    fixed_noise : array, shape (draw, fixed)
        Standard normal; a fixed effect for each marker's baseline, change, slope and visits, and
        one that all markers share.
    effect_noise : array, shape (draw, patient, 2 * marker)
        Standard normal.
    drift_noise : array, shape (draw, patient, visit, marker)
        Standard normal; of no visit where the model has no drift.
    residual_noise : array, shape (draw, patient, visit, marker)
        Standard normal.

    Returns
    -------
    fixed : array, shape (draw, fixed)
        Mean baselines, changes (without what is common) and slopes by marker, deviations of the
        visits by visit and marker, and the change that the markers share.
    effects : array, shape (draw, patient, 2 * marker)
    drift : array, shape of `drift_noise`
    loglik : array, shape (draw,)
        Of all data, effects integrated out.
    """
    n_draw, n_patient = effect_noise.shape[:2]
    _, _, rest, k = parts(data)
    cells = unknown(rest)[3]
    _, start, _, effect = unpacked_cells(cells)
    n_visit, widest, at = int(cells[1]), int(cells[4]), begins(k)
    n_fixed = fixed_noise.shape[1]
    fixed = np.zeros((n_draw, n_fixed))
    effects = np.zeros((n_draw, n_patient, 2 * k))
    drift = np.zeros(drift_noise.shape)
    loglik = np.zeros(n_draw)
    surprise, solved = np.empty(widest), np.empty(widest)
    regressed = np.empty(2 * k)
    for d in range(n_draw):
        # Resampled draws repeat a point, one after another.
        if d == 0 or np.any(points[d] != points[d - 1]):
            _, inputs, weight, augmented, given = given_point(points[d], data)
        loglik[d], mean, factor, sd = given[0], given[1], given[2], given[3]
        scaled, level_root, decay, inverses = given[5], given[6], given[7], given[8]
        drifts = decay.size > 0
        for i in range(3 * k):
            fixed[d, i] = inputs[i]
        for i in range(3 * k, n_fixed - 1):  # deviations of visits, of which no two cells tell
            fixed[d, i] = inputs[3 * k + i % k] * fixed_noise[d, i]
        standard = np.empty(mean.size)
        for i in range(mean.size):
            standard[i] = fixed_noise[d, int(effect[i])]
        solve_transposed(factor, standard)
        for i in range(mean.size):
            e = int(effect[i])
            own = sd[i] * (mean[i] + standard[i])
            fixed[d, e] = fixed[d, e] + own if e < 3 * k else own
        for i in range(n_patient):
            for e in range(2 * k):
                for f in range(e + 1):
                    effects[d, i, e] += scaled[e, f] * effect_noise[d, i, f]
            if drifts:
                for q in range(k):
                    serial_sd = inputs[at[SERIAL_SD] + q]
                    drift[d, i, 0, q] = serial_sd * drift_noise[d, i, 0, q]
                    for t in range(1, n_visit):
                        rho = decay[schedule[i], t, t - 1]
                        fresh = serial_sd * np.sqrt(1.0 - rho**2) * drift_noise[d, i, t, q]
                        drift[d, i, t, q] = rho * drift[d, i, t - 1, q] + fresh
        first_member, first = 0, 0
        for g in range(start.size):
            group = int(start[g])
            covariate, m = cells[group + 1], int(cells[group + 2])
            after = first_member + int(cells[group])
            for i in member[first_member:after]:
                for a in range(m):
                    cell = group + GROUP + a * CELL
                    level, t, hidden = int(cells[cell]), int(cells[cell + 1]), int(cells[cell + 2])
                    q = level % k
                    expected = fixed[d, q] + effects[d, i, q]
                    if t > 0:
                        expected += fixed[d, k + q] + fixed[d, 2 * k + q] * covariate
                        expected += fixed[d, (2 + t) * k + q]
                        expected += fixed[d, n_fixed - 1] + effects[d, i, level]
                    if drifts:
                        expected += drift[d, i, t, q]
                    noise = inputs[at[RESIDUAL_SD] + q] * residual_noise[d, i, t, q]
                    if weight.size > 0:
                        noise /= np.sqrt(weight[first + a])
                    value = augmented[hidden] if hidden >= 0 else values[i, t, q]
                    surprise[a] = value - expected - noise
                regressed[:] = 0.0
                for a in range(m):
                    total = 0.0
                    for b in range(m):
                        total += inverses[first + a, b] * surprise[b]
                    solved[a] = total
                    level = int(cells[group + GROUP + a * CELL])
                    for e in range(level + 1):
                        regressed[e] += level_root[level, e] * total
                for e in range(2 * k):
                    for f in range(e + 1):
                        effects[d, i, e] += scaled[e, f] * regressed[f]
                for a in range(m):
                    cell = group + GROUP + a * CELL
                    q, t = int(cells[cell]) % k, int(cells[cell + 1])
                    if drifts:
                        variance = inputs[at[SERIAL_SD] + q] ** 2
                        for s in range(n_visit):
                            both = decay[schedule[i], max(s, t), min(s, t)]
                            drift[d, i, s, q] += variance * both * solved[a]
                    own = int(cells[cell + 4])
                    if own >= 0:
                        fixed[d, (2 + t) * k + q] += inputs[own] ** 2 * solved[a]
            first_member = after
            first += m
    return fixed, effects, drift, loglik
