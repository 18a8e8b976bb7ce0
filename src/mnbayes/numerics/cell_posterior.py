"""Log posterior density of the longitudinal model over single cells, whatever its structure.

As :mod:`mnbayes.numerics.posterior`, with the likelihood of :mod:`mnbayes.numerics.marginal`:
for serial correlation, Student-t residuals and censored values. The last two keep the model
Gaussian given one more unknown for each cell, which are coordinates after the parameters' own:

- a cell's *weight* ``w ~ Gamma(df / 2, df / 2)``, as ``log w / sqrt(2 / df)``, whose spread
  hardly depends on ``df``: sampled as they are, the weights and ``df`` form a funnel;
- a censored *value*, flat inside its interval: the logit of its place between two limits, or the
  log of its distance from the one there is.

Compiled apart: most models need none of it, and do not wait for this.
"""

from __future__ import annotations

from functools import cache
from math import exp, lgamma, log, log1p, sqrt
from typing import Any

import numba as nb
import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.numerics.c_signature import SIGNATURE
from mnbayes.numerics.compiling import SOURCES, compiled
from mnbayes.numerics.inputs import split
from mnbayes.numerics.marginal_gradient import marginal_loglik_and_gradient
from mnbayes.numerics.posterior import chain_rule, constrain, parts, set_inputs

#: Of a censored value: between two limits, below one, above one.
BETWEEN, BELOW, ABOVE = range(3)


def pack_cells(n_weight: int, df_at: int, low: Floats, high: Floats, groups: Floats) -> Floats:
    """The observations as this density reads them.

    Parameters
    ----------
    n_weight : int
        Cells that have a weight: all or none.
    df_at : int
        Position of ``residual_df`` among the coordinates.
    low, high : array, shape (censored,)
        Limits of the censored values, log scale; infinite where open.
    groups : array
        :meth:`mnbayes.numerics.groups.Groups.packed`.
    """
    kind = np.where(np.isinf(low), BELOW, np.where(np.isinf(high), ABOVE, BETWEEN))
    limits = (np.where(np.isinf(limit), 0.0, limit) for limit in (low, high))
    return np.concatenate([[n_weight, low.size, df_at], kind, *limits, groups])


@compiled
def cells(observed):
    """Number of weights, where ``df`` is, kinds and limits of censored values, the groups."""
    n_weight, n_hidden, df_at = int(observed[0]), int(observed[1]), int(observed[2])
    hidden = observed[3 : 3 + 3 * n_hidden].reshape((3, n_hidden))
    return n_weight, df_at, hidden, observed[3 + 3 * n_hidden :]


@compiled
def censored_value(kind, low, high, x):
    """A censored value at its coordinate, its slope, the log Jacobian, and the slope of that."""
    if kind == BETWEEN:
        small = exp(-abs(x))
        unit = 1.0 / (1.0 + small) if x > 0.0 else small / (1.0 + small)
        slope = (high - low) * unit * (1.0 - unit)
        return low + (high - low) * unit, slope, -abs(x) - 2.0 * log1p(small), 1.0 - 2.0 * unit
    distance = exp(x)
    if kind == BELOW:
        return high - distance, -distance, x, 1.0
    return low + distance, distance, x, 1.0


@compiled
def digamma(x):
    """Derivative of the log gamma function (Abramowitz and Stegun 1964, 6.3.5 and 6.3.18)."""
    total = 0.0
    while x < 8.0:
        total -= 1.0 / x
        x += 1.0
    f = 1.0 / (x * x)
    series = f * (1 / 12 - f * (1 / 120 - f * (1 / 252 - f * (1 / 240 - f * (1 / 132)))))
    return total + log(x) - 0.5 / x - series


@compiled
def weights_density(offset, df, weight):
    """Fill with the weights; return the log density of their coordinates."""
    half = 0.5 * df
    scale = sqrt(1.0 / half)
    total = weight.size * (half * log(half) - lgamma(half) + log(scale))
    for i in range(weight.size):
        weight[i] = exp(scale * offset[i])
        total += half * (scale * offset[i] - weight[i])
    return total


@compiled
def weights_gradient(offset, df, weight, d_weight, d_offset):
    """Fill with the gradient in the coordinates; return that in ``df``.

    ``d_weight`` is the log-likelihood's gradient in the weights.
    """
    half = 0.5 * df
    scale = sqrt(1.0 / half)
    d_half = weight.size * (log(half) + 1.0 - digamma(half) - 0.5 / half)
    for i in range(weight.size):
        log_weight = scale * offset[i]
        d_log = half * (1.0 - weight[i]) + d_weight[i] * weight[i]
        d_offset[i] = scale * d_log
        d_half += log_weight - weight[i] - 0.5 * log_weight / half * d_log
    return 0.5 * d_half


@compiled
def _likelihood(inputs, weight, augmented, groups, k):
    """Log-likelihood, its gradient in the order of the inputs, in the weights and the values."""
    base, change, slope, visit, base_sd, change_sd, unit, sd, serial, weeks, fixed = split(
        inputs, k
    )
    out = marginal_loglik_and_gradient(
        base,
        change,
        slope,
        visit,
        base_sd,
        change_sd,
        unit,
        sd,
        serial,
        weeks[0],
        weight,
        augmented,
        fixed,
        groups,
    )
    # The gradient in serial_weeks, out[10], is a number.
    of_inputs = np.concatenate(
        (
            out[1],
            out[2],
            out[3],
            out[4],
            out[5],
            out[6],
            out[7],
            out[8],
            out[9],
            np.full(1, out[10]),
            out[13],
        )
    )
    return out[0], of_inputs, out[11], out[12]


def _function(sources: str) -> Any:
    # As a closure's value the hash of the sources is part of the disk cache's key.
    @nb.cfunc(SIGNATURE, cache=True, error_model="numpy")
    def density(n, point, gradient, log_density, data):
        x, d_x = nb.carray(point, (n,)), nb.carray(gradient, (n,))
        coordinate, inputs, observed, k = parts(nb.carray(data, (int(data[0]),)))
        n_weight, df_at, hidden, groups = cells(observed)
        n_own = coordinate.shape[0]
        own, offset, places = x[:n_own], x[n_own : n_own + n_weight], x[n_own + n_weight :]
        total = set_inputs(own, coordinate, inputs)
        weight, df, d_df = np.empty(n_weight), 1.0, 0.0
        if n_weight > 0:
            row = coordinate[df_at]
            df, d_df, _, _ = constrain(int(row[0]), row[1], row[2], row[3], x[df_at])
            total += weights_density(offset, df, weight)
        augmented = np.empty(places.size)
        for i in range(places.size):
            kind, low, high = int(hidden[0, i]), hidden[1, i], hidden[2, i]
            augmented[i], _, jacobian, _ = censored_value(kind, low, high, places[i])
            total += jacobian
        loglik, d_inputs, d_weight, d_augmented = _likelihood(inputs, weight, augmented, groups, k)
        log_density[0] = total + loglik
        if len(sources) == 0 or not np.isfinite(log_density[0]):
            return 4
        finite = chain_rule(own, coordinate, d_inputs, d_x[:n_own])
        if n_weight > 0:
            d_offset = d_x[n_own : n_own + n_weight]
            d_x[df_at] += d_df * weights_gradient(offset, df, weight, d_weight, d_offset)
            finite = finite and np.isfinite(d_x[df_at]) and np.isfinite(d_offset.sum())
        for i in range(places.size):
            kind, low, high = int(hidden[0, i]), hidden[1, i], hidden[2, i]
            _, slope, _, d_jacobian = censored_value(kind, low, high, places[i])
            d_x[n_own + n_weight + i] = slope * d_augmented[i] + d_jacobian
            finite = finite and np.isfinite(d_x[n_own + n_weight + i])
        return 0 if finite else 3

    return density


@cache
def cell_function() -> Any:
    """C function of the log density and its gradient.

    See :func:`mnbayes.numerics.posterior.gradient_function`; of its data the observations are
    :func:`pack_cells`'.
    """
    return _function(SOURCES)


@compiled
def unknown_cells(observed, df, points):
    """Weights and censored values at points of their coordinates, which come in this order.

    Parameters
    ----------
    observed : array
        From :func:`pack_cells`.
    df : array, shape (draw,)
        Of the weights; anything where there are none.
    points : array, shape (draw, weight + censored)

    Returns
    -------
    weight : array, shape (draw, weight)
    value : array, shape (draw, censored)
    """
    n_weight, _, hidden, _ = cells(observed)
    n_draw, n_hidden = points.shape[0], hidden.shape[1]
    weight, value = np.empty((n_draw, n_weight)), np.empty((n_draw, n_hidden))
    for d in range(n_draw):
        if n_weight > 0:
            weights_density(points[d, :n_weight], df[d], weight[d])
        for i in range(n_hidden):
            kind, low, high = int(hidden[0, i]), hidden[1, i], hidden[2, i]
            value[d, i] = censored_value(kind, low, high, points[d, n_weight + i])[0]
    return weight, value
