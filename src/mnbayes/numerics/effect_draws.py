"""Fixed and patient effects given the data and the other parameters, drawn exactly.

The compiled twin of :mod:`mnbayes.models.fixed_effects` and of
:func:`mnbayes.models.effects.conditional_deviations`; without serial correlation. In the notation
of :mod:`mnbayes.numerics.patient_means` the standardised fixed effects are normal with the mean
and precision found there. Patient effects given them are drawn as the sum of effects of the
population and their regression on how far the patient's means are from those that such effects
would give (Matheron's rule: Journel and Huijbregts 1978, Mining Geostatistics, ch. VII).
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.inputs import RESIDUAL_SD, SERIAL_SD, begins
from mnbayes.numerics.packed_means import GROUP, unpacked_means
from mnbayes.numerics.posterior import given_point, parts
from mnbayes.numerics.small_matrices import rows_product, solve_transposed


@compiled
def draw_effects(points, data, values, member, fixed_noise, effect_noise, mean_noise):
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
    effect_noise, mean_noise : array, shape (draw, patient, 2 * marker)
        Standard normal; the second of the means' residuals.

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
    _, _, means, k = parts(data)
    effect, groups = unpacked_means(means, k)[1], unpacked_means(means, k)[-1]
    n_group, n_visit, most, length = int(means[0]), int(means[1]), int(means[2]), int(means[4])
    at, n_fixed = begins(k), fixed_noise.shape[1]
    fixed = np.zeros((n_draw, n_fixed))
    effects = np.zeros((n_draw, n_patient, 2 * k))
    loglik = np.zeros(n_draw)
    surprise, cross = np.empty(most), np.empty(most)
    gain = np.empty((2 * k, most))
    _, inputs, given = given_point(points[0], data)
    for d in range(n_draw):
        # Resampled draws repeat a point, one after another.
        if d > 0 and np.any(points[d] != points[d - 1]):
            _, inputs, given = given_point(points[d], data)
        loglik[d], mean, factor, sd = given[0], given[1], given[2], given[3]
        scaled, level_root, inverses = given[5], given[6], given[7]
        residual_sd = inputs[at[RESIDUAL_SD] : at[SERIAL_SD]]
        standard = fixed_noise[d, : mean.size].copy()
        solve_transposed(factor, standard)
        fixed[d, : 3 * k] = inputs[: 3 * k]
        for i in range(mean.size):
            fixed[d, int(effect[i])] += sd[i] * (mean[i] + standard[i])
        for i in range(n_patient):
            for e in range(2 * k):
                for f in range(e + 1):
                    effects[d, i, e] += scaled[e, f] * effect_noise[d, i, f]
        first_member = 0
        for g in range(n_group):
            start = g * length
            n_row, after = int(groups[start + 2]), first_member + int(groups[start])
            for e in range(2 * k):
                for r in range(n_row):
                    level = int(groups[start + GROUP + r])
                    cross[r] = rows_product(scaled, e, level_root, level, 2 * k)
                for r in range(n_row):
                    gain[e, r] = 0.0
                    for s in range(n_row):
                        gain[e, r] += cross[s] * inverses[g, s, r]
            for i in member[first_member:after]:
                for r in range(n_row):
                    level = int(groups[start + GROUP + r])
                    q, count = level % k, groups[start + GROUP + most + r]
                    expected = fixed[d, q] + effects[d, i, q]
                    value = 0.0
                    if level < k:
                        value = values[i, 0, q]
                    else:
                        expected += fixed[d, k + q] + fixed[d, 2 * k + q] * groups[start + 1]
                        expected += fixed[d, n_fixed - 1] + effects[d, i, level]
                        for t in range(1, n_visit + 1):
                            if not np.isnan(values[i, t, q]):
                                value += (values[i, t, q] - fixed[d, (2 + t) * k + q]) / count
                    noise = residual_sd[q] * mean_noise[d, i, level] / np.sqrt(count)
                    surprise[r] = value - expected - noise
                for e in range(2 * k):
                    for r in range(n_row):
                        effects[d, i, e] += gain[e, r] * surprise[r]
            first_member = after
    return fixed, effects, loglik
