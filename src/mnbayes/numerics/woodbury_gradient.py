"""Gradient of the log-likelihood of :mod:`mnbayes.numerics.woodbury`.

By Fisher's identity: the gradient of a marginal log-likelihood is the expectation, given the data,
of the joint one's. So that of an SD ``s`` comes from the expected sum of squares of what it
scales: of ``n`` residuals ``(E sum e^2 / s^2 - n) / s``, of a standardised fixed effect
``(E z^2 - 1) / s``, and that of the covariance of the patient effects from the expected outer
product of ``Z' V^-1 (y - X beta)``.
"""

from __future__ import annotations

import numpy as np

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.inputs import split
from mnbayes.numerics.marginal import partial_gradient
from mnbayes.numerics.sums import GROUP, unpacked_sums
from mnbayes.numerics.woodbury import errors_and_sums, fixed_given_sums, rows_product, weigh


@compiled
def _inverse(factor):
    """Inverse of the matrix that a lower Cholesky factor is of."""
    n = factor.shape[0]
    # Row j is column j of the factor's inverse: all sums run along rows. They begin at 0, where
    # these rows are 0: loops that begin later are not vectorised.
    columns = np.zeros((n, n))
    for j in range(n):
        columns[j, j] = 1.0 / factor[j, j]
        for i in range(j + 1, n):
            columns[j, i] = -rows_product(factor, i, columns, j, i) / factor[i, i]
    out = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = rows_product(columns, i, columns, j, n)
            out[i, j] = total
            out[j, i] = total
    return out


@compiled
def loglik_and_gradient(inputs, sums, k):
    """Log-likelihood and its gradient in the inputs, patient and fixed effects integrated out.

    Parameters
    ----------
    As of :func:`fixed_given_sums`.

    Returns
    -------
    loglik : float
    gradient : array
        In the order of the inputs; 0 for those of serial correlation.
    """
    loglik, fixed, factor, sd, correlation_factor, scaled, _, spreads = fixed_given_sums(
        inputs, sums, k
    )
    gradient = np.zeros(inputs.size)
    if not np.isfinite(loglik):
        return loglik, gradient
    mean, change, slope, _, _, _, unit, residual_sd, _, _, _ = split(inputs, k)
    d_mean, d_change, d_slope, _, _, _, d_unit, d_residual_sd, _, _, _ = split(gradient, k)
    (
        place, effect, n_cell, squares, pair_a, pair_b, pair_marker, pair_value, entry_row,
        entry_column, entry_value, groups,
    ) = unpacked_sums(sums, k)  # fmt: skip
    n_group, n_visit, own, n_fixed = int(sums[0]), int(sums[1]), int(sums[2]), place.size
    length, size = int(sums[4]), 2 * own
    cov = _inverse(factor)  # C
    precision = np.empty(k)
    for j in range(k):
        precision[j] = 1.0 / residual_sd[j] ** 2

    # What the fixed effects are expected to be, by marker and visit.
    expected = np.empty((3, k))
    for j in range(k):
        expected[0, j], expected[1, j], expected[2, j] = mean[j], change[j], slope[j]
    deviation = np.zeros((n_visit, k))
    for i in range(n_fixed):
        kind = int(effect[i]) // k
        j = int(effect[i]) - kind * k
        step = sd[i] * fixed[i]
        if kind < 3:
            expected[kind, j] += step
        elif kind < 3 + n_visit:
            deviation[kind - 3, j] = step
        else:
            for other in range(k):
                expected[1, other] += step
        if sd[i] > 0.0:
            gradient[int(place[i])] += (fixed[i] ** 2 - 1.0 + cov[i, i]) / sd[i]

    square = squares.copy()  # expected sum of squared residuals by marker
    for p in range(pair_a.size):
        a, b = int(pair_a[p]), int(pair_b[p])
        times = pair_value[p] if a == b else 2.0 * pair_value[p]
        square[int(pair_marker[p])] += times * sd[a] * sd[b] * cov[a, b]
    d_cov = np.zeros((2 * k, 2 * k))
    errors = np.empty((n_visit + 1, own))
    summed, own_effect, score = np.empty(size), np.empty(size), np.empty(size)
    design_cov = np.empty((size, n_fixed))  # Z' R^-1 U C
    matrices = np.empty((6, size, size))
    for g in range(n_group):
        start = g * length
        n, first = groups[start], int(groups[start + 2])
        early, later = start + GROUP, start + GROUP + own
        errors_and_sums(
            groups, start, own, n_visit, expected[0], expected[1], expected[2], deviation,
            precision, errors, summed,
        )  # fmt: skip
        for e in range(size):
            own_effect[e] = 0.0
            for f in range(size):
                own_effect[e] += spreads[g, e, f] * summed[f]
        seen = start + GROUP + 2 * own
        for j in range(own):
            first_effect = own_effect[j]
            both = first_effect + own_effect[own + j]
            total = (errors[0, j] - groups[seen + j] * first_effect) ** 2
            for t in range(1, n_visit + 1):
                total += (errors[t, j] - groups[seen + t * own + j] * both) ** 2
            square[first + j] += n * total
            after = precision[first + j] * groups[later + j] * both
            before = precision[first + j] * groups[early + j] * first_effect
            score[j] = summed[j] - before - after
            score[own + j] = summed[own + j] - after
            d_mean[first + j] += n * score[j]
            d_change[first + j] += n * score[own + j]
            d_slope[first + j] += n * groups[start + 1] * score[own + j]

        # Second moments of Z' R^-1 (y - X beta) around those sums: scatter and fixed effects.
        scatter = start + GROUP + (4 + 2 * n_visit) * own
        for e in range(size):
            for f in range(size):
                weight = precision[first + e % own] * precision[first + f % own]
                matrices[0, e, f] = weight * groups[scatter + e * size + f]
                matrices[1, e, f] = matrices[2, e, f] = 0.0
        design_cov[:] = 0.0
        for p in range(int(groups[start + 3]), int(groups[start + 4])):
            e, i = int(entry_row[p]), int(entry_column[p])
            weight = precision[first + e % own] * entry_value[p] * sd[i]
            for j in range(n_fixed):
                design_cov[e, j] += weight * cov[i, j]
        for p in range(int(groups[start + 3]), int(groups[start + 4])):
            f, i = int(entry_row[p]), int(entry_column[p])
            weight = n * precision[first + f % own] * entry_value[p] * sd[i]
            for e in range(size):
                matrices[0, f, e] += weight * design_cov[e, i]
        for e in range(size):
            for f in range(size):
                times = spreads[g, e, f]
                for h in range(size):
                    matrices[1, e, h] += times * matrices[0, f, h]
        for e in range(size):
            for f in range(size):
                times = matrices[1, e, f]
                for h in range(size):
                    matrices[2, e, h] += times * spreads[g, f, h]
            for f in range(size):
                matrices[2, e, f] += n * spreads[g, e, f]
        for j in range(own):
            at_first = matrices[2, j, j]
            after = at_first + 2.0 * matrices[2, j, own + j] + matrices[2, own + j, own + j]
            square[first + j] += groups[early + j] * at_first + groups[later + j] * after
            twice = matrices[1, j, j] + matrices[1, own + j, own + j]
            square[first + j] -= 2.0 * twice * residual_sd[first + j] ** 2
        _add_effect_gradient(groups, start, own, k, precision, matrices, score, d_cov)
    for j in range(k):
        d_residual_sd[j] = (square[j] * precision[j] - n_cell[j]) / residual_sd[j]

    d_factor = np.zeros((2 * k, 2 * k))
    for i in range(2 * k):
        for j in range(i + 1):
            total = 0.0
            for e in range(2 * k):
                total += (d_cov[i, e] + d_cov[e, i]) * scaled[e, j]
            gradient[4 * k + i] += total * correlation_factor[i, j]  # baseline_sd, change_sd
            d_factor[i, j] = total * inputs[4 * k + i]
    d_partial = partial_gradient(2.0 * unit - 1.0, 2 * k, d_factor)
    # In a loop: an assignment to a slice takes seconds to compile.
    for i in range(unit.size):
        d_unit[i] = 2.0 * d_partial[i]
    return loglik, gradient


@compiled
def _add_effect_gradient(groups, start, own, k, precision, matrices, score, d_cov):
    """Add the derivative in the covariance of the effects, as of a matrix of free entries.

    ``1/2 Z' V^-1 (E - n V) V^-1 Z``, ``E`` the expected sum of squares of errors; there
    ``Z' V^-1 = (I - A S) Z' R^-1``.

    Parameters
    ----------
    matrices : array, shape (6, 2 * own, 2 * own)
        Second moments, ``S`` times them, and that times ``S`` with ``n S`` added; the rest is
        used.
    score : array, shape (2 * own,)
        ``Z' V^-1`` times the errors.
    """
    size, n, first = 2 * own, groups[start], int(groups[start + 2])
    weigh(groups, start, own, precision, matrices, 2, 3)
    for e in range(size):
        for f in range(size):
            matrices[4, e, f] = matrices[3, f, e]
    weigh(groups, start, own, precision, matrices, 4, 5)
    weigh(groups, start, own, precision, matrices, 1, 3)
    for e in range(size):
        for f in range(size):
            matrices[1, e, f] = 1.0 if e == f else 0.0
    weigh(groups, start, own, precision, matrices, 1, 4)  # A itself
    for e in range(size):
        i = first + e if e < own else k + first + e - own
        for f in range(size):
            j = first + f if f < own else k + first + f - own
            total = matrices[5, e, f] - matrices[3, e, f] - matrices[3, f, e]
            total += matrices[0, e, f] - n * matrices[4, e, f]
            d_cov[i, j] += 0.5 * (total + n * score[e] * score[f])
