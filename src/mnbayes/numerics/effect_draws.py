"""Fixed and patient effects given the data and the other parameters, drawn exactly.

The compiled twin of :mod:`mnbayes.models.fixed_effects` and of
:func:`mnbayes.models.effects.conditional_deviations`, ten times as fast, for studies of thousands
of fits; without serial correlation. In the notation of :mod:`mnbayes.numerics.marginal` the
standardised fixed effects are ``zhat + chol(C) noise``; patient effects are drawn from the
population and corrected by the regression on what that draw misses (Matheron's rule; Hoffman and
Ribak 1991, Astrophys. J. 380:L5).
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.marginal import unpacked
from mnbayes.numerics.posterior import given_point, parts, split


@compiled
def draw_effects(points, data, values, member, fixed_noise, effect_noise, cell_noise):
    """Draw fixed and patient effects for each point.

    Parameters
    ----------
    points : array, shape (draw, coordinate)
    data : array
        From :func:`mnbayes.numerics.posterior.pack`.
    values : array, shape (patient, visit, marker)
        Observed log values.
    member : array of int
        :attr:`mnbayes.numerics.groups.Groups.member`.
    fixed_noise : array, shape (draw, fixed)
        Standard normal; a fixed effect for each marker's baseline, change, slope and visits, and
        one that all markers share.
    effect_noise : array, shape (draw, patient, 2 * marker)
        Standard normal.
    cell_noise : array, shape (draw, patient * visit * marker)
        Standard normal.

    Returns
    -------
    fixed : array, shape (draw, fixed)
        Mean baselines, changes (without what is common) and slopes by marker, deviations of the
        visits by visit and marker, and the change that the markers share.
    effects : array, shape (draw, patient, 2 * marker)
    loglik : array, shape (draw,)
        Of all data, effects integrated out.
    """
    n_draw, n_patient = effect_noise.shape[:2]
    _, _, cells, k = parts(data)
    (
        group_size, group_covariate, group_start, cell_visit, cell_marker, _, _, _, _, _,
    ) = unpacked(cells)  # fmt: skip
    n_fixed = fixed_noise.shape[1]
    fixed = np.zeros((n_draw, n_fixed))
    effects = np.zeros((n_draw, n_patient, 2 * k))
    loglik = np.zeros(n_draw)
    _, given, inputs = given_point(points[0], data)
    factor = np.linalg.cholesky(given[2])
    for d in range(n_draw):
        # Resampled draws repeat a point, one after another.
        if d > 0 and np.any(points[d] != points[d - 1]):
            _, given, inputs = given_point(points[d], data)
            factor = np.linalg.cholesky(given[2])
        loglik[d] = given[0]
        mean, inverses = given[1], given[3]
        scaled, sd, position = given[11], given[12], given[13]
        offsets = inputs[: 3 * k]
        residual_sd = split(inputs, k)[7]
        standard = factor @ fixed_noise[d, : mean.size] + mean
        for i in range(n_fixed):
            fixed[d, i] = offsets[i] if i < 3 * k else 0.0
            if position[i] >= 0:
                fixed[d, i] += sd[i] * standard[position[i]]
        effect_cov = scaled @ scaled.T
        for i in range(n_patient):
            effects[d, i] = scaled @ effect_noise[d, i]
        first_member, noise = 0, 0
        for g in range(group_size.size):
            first, m = group_start[g], group_start[g + 1] - group_start[g]
            missed = np.zeros(m)
            for i in member[first_member : first_member + int(group_size[g])]:
                own = effects[d, i]
                for c in range(m):
                    t, j = cell_visit[first + c], cell_marker[first + c]
                    level = fixed[d, j] + own[j]
                    if t > 0:
                        level += fixed[d, k + j] + own[k + j] + fixed[d, n_fixed - 1]
                        level += fixed[d, 2 * k + j] * group_covariate[g]
                        level += fixed[d, (2 + t) * k + j]
                    missed[c] = values[i, t, j] - level - residual_sd[j] * cell_noise[d, noise]
                    noise += 1
                for a in range(m):
                    step = 0.0
                    for b in range(m):
                        step += inverses[first + a, b] * missed[b]
                    t, j = cell_visit[first + a], cell_marker[first + a]
                    for e in range(2 * k):
                        own[e] += effect_cov[e, j] * step
                        if t > 0:
                            own[e] += effect_cov[e, k + j] * step
            first_member += int(group_size[g])
    return fixed, effects, loglik
