"""Fixed and patient effects given the data and the other parameters, drawn exactly.

The compiled twin of :mod:`mnbayes.models.fixed_effects` and of
:func:`mnbayes.models.effects.conditional_deviations`, for studies of thousands of fits; without
serial correlation. In the notation of :mod:`mnbayes.numerics.woodbury` the standardised fixed
effects are normal with the mean and precision found there, and a patient's effects given them are
``J' (J Z' R^-1 (y - X beta) + noise)``, whose covariance is ``J' J = S``.
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.inputs import split
from mnbayes.numerics.posterior import given_point, parts
from mnbayes.numerics.sums import unpacked_sums
from mnbayes.numerics.woodbury import solve_transposed


@compiled
def draw_effects(points, data, values, member, fixed_noise, effect_noise):
    """Draw fixed and patient effects for each point.

    Parameters
    ----------
    points : array, shape (draw, coordinate)
    data : array
        From :func:`mnbayes.numerics.posterior.pack`, without serial correlation.
    values : array, shape (patient, visit, marker)
        Observed log values.
    member : array of int
        :attr:`mnbayes.numerics.groups.Groups.member`.
    fixed_noise : array, shape (draw, fixed)
        Standard normal; a fixed effect for each marker's baseline, change, slope and visits, and
        one that all markers share.
    effect_noise : array, shape (draw, patient, 2 * marker)
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
    _, _, sums, k = parts(data)
    effect, groups = unpacked_sums(sums, k)[1], unpacked_sums(sums, k)[-1]
    n_group, n_visit, own, length = int(sums[0]), int(sums[1]), int(sums[2]), int(sums[4])
    n_fixed = fixed_noise.shape[1]
    fixed = np.zeros((n_draw, n_fixed))
    effects = np.zeros((n_draw, n_patient, 2 * k))
    loglik = np.zeros(n_draw)
    summed, whitened = np.empty(2 * own), np.empty(2 * own)
    _, inputs, given = given_point(points[0], data)
    for d in range(n_draw):
        # Resampled draws repeat a point, one after another.
        if d > 0 and np.any(points[d] != points[d - 1]):
            _, inputs, given = given_point(points[d], data)
        loglik[d], mean, factor, sd = given[0], given[1], given[2], given[3]
        scaled, roots = given[5], given[6]
        residual_sd = split(inputs, k)[7]
        standard = fixed_noise[d, : mean.size].copy()
        solve_transposed(factor, standard)
        fixed[d, : 3 * k] = inputs[: 3 * k]
        for i in range(mean.size):
            fixed[d, int(effect[i])] += sd[i] * (mean[i] + standard[i])
        # Effects without data are as in the population.
        for i in range(n_patient):
            for e in range(2 * k):
                for f in range(e + 1):
                    effects[d, i, e] += scaled[e, f] * effect_noise[d, i, f]
        first_member = 0
        for g in range(n_group):
            start = g * length
            first, after = int(groups[start + 2]), first_member + int(groups[start])
            for i in member[first_member:after]:
                for j in range(own):
                    q = first + j
                    precision = 1.0 / residual_sd[q] ** 2
                    early = values[i, 0, q] - fixed[d, q]
                    later = 0.0
                    expected = fixed[d, q] + fixed[d, k + q] + fixed[d, n_fixed - 1]
                    expected += fixed[d, 2 * k + q] * groups[start + 1]
                    for t in range(1, n_visit + 1):
                        if not np.isnan(values[i, t, q]):
                            later += values[i, t, q] - expected - fixed[d, (2 + t) * k + q]
                    summed[own + j] = precision * later
                    summed[j] = precision * (later + (0.0 if np.isnan(early) else early))
                for e in range(2 * own):
                    f = first + e if e < own else k + first + e - own
                    whitened[e] = effect_noise[d, i, f]
                    for h in range(2 * own):
                        whitened[e] += roots[g, e, h] * summed[h]
                for e in range(2 * own):
                    f = first + e if e < own else k + first + e - own
                    effects[d, i, f] = 0.0
                    for h in range(2 * own):
                        effects[d, i, f] += roots[g, h, e] * whitened[h]
            first_member = after
    return fixed, effects, loglik
