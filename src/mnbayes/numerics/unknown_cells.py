"""What keeps the model Gaussian given one more unknown for a cell: weights and censored values.

A sampler moves them as coordinates after the parameters' own:

- a cell's *weight* ``w ~ Gamma(df / 2, df / 2)``, as ``log w / sqrt(2 / df)``, whose spread
  hardly depends on ``df``: sampled as they are, the weights and ``df`` form a funnel. A Student-t
  residual is a normal one whose precision is multiplied by ``w`` (Lange, Little and Taylor 1989,
  JASA 84:881);
- a censored *value*, flat inside its interval. Between two limits its coordinate is the logit of
  its place; with one, its distance from that is ``log(1 + exp(x))``, in units about the SD of a
  measurement: close to the limit it cannot cross, and far from it a value moves as a normal one
  does, together with the patient's others. (The log of the distance bends that: where most values
  of a cohort are censored, half the effective draws took twice the time.) Integrating it out gives
  the interval likelihood.
"""

from __future__ import annotations

from math import exp, lgamma, log, log1p, sqrt

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.numerics.compiling import compiled

#: Of a censored value: between two limits, below one, above one.
BETWEEN, BELOW, ABOVE = range(3)


def pack_unknown(n_weight: int, df_at: int, low: Floats, high: Floats, scale: Floats) -> Floats:
    """What the density reads of the unknown cells.

    Parameters
    ----------
    n_weight : int
        Cells that have a weight: all or none.
    df_at : int
        Position of ``residual_df`` among the coordinates.
    low, high : array, shape (censored,)
        Limits of the censored values, log scale; infinite where open.
    scale : array, shape (censored,)
        Unit of the distance from a single limit, about the SD of a measurement.
    """
    kind = np.where(np.isinf(low), BELOW, np.where(np.isinf(high), ABOVE, BETWEEN))
    limits = (np.where(np.isinf(limit), 0.0, limit) for limit in (low, high))
    return np.concatenate([[n_weight, low.size, df_at], kind, *limits, scale])


@compiled
def unknown(packed):
    """Number of weights, where ``df`` is, what is known of censored values, and what follows.

    Known are kind, limits and scale, shape (4, censored).
    """
    n_weight, n_hidden, df_at = int(packed[0]), int(packed[1]), int(packed[2])
    hidden = packed[3 : 3 + 4 * n_hidden].reshape((4, n_hidden))
    return n_weight, df_at, hidden, packed[3 + 4 * n_hidden :]


@compiled
def censored_value(known, x):
    """A censored value at its coordinate, its slope, the log Jacobian, and the slope of that.

    The Jacobian is up to a constant; ``known`` is a column of :func:`unknown`.
    """
    kind, low, high, scale = int(known[0]), known[1], known[2], known[3]
    # The logistic function, from the half that keeps its digits.
    small = exp(-abs(x))
    unit = 1.0 / (1.0 + small) if x > 0.0 else small / (1.0 + small)
    if kind == BETWEEN:
        slope = (high - low) * unit * (1.0 - unit)
        return low + (high - low) * unit, slope, -abs(x) - 2.0 * log1p(small), 1.0 - 2.0 * unit
    distance = scale * (max(x, 0.0) + log1p(small))
    log_unit = min(x, 0.0) - log1p(small)
    if kind == BELOW:
        return high - distance, -scale * unit, log_unit, 1.0 - unit
    return low + distance, scale * unit, log_unit, 1.0 - unit


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
def unknown_cells(packed, df, points):
    """Weights and censored values at points of their coordinates, which come in this order.

    Parameters
    ----------
    packed : array
        From :func:`pack_unknown`.
    df : array, shape (draw,)
        Of the weights; anything where there are none.
    points : array, shape (draw, weight + censored)

    Returns
    -------
    weight : array, shape (draw, weight)
    value : array, shape (draw, censored)
    """
    n_weight, _, hidden, _ = unknown(packed)
    n_draw, n_hidden = points.shape[0], hidden.shape[1]
    weight, value = np.empty((n_draw, n_weight)), np.empty((n_draw, n_hidden))
    for d in range(n_draw):
        if n_weight > 0:
            weights_density(points[d, :n_weight], df[d], weight[d])
        for i in range(n_hidden):
            value[d, i] = censored_value(hidden[:, i], points[d, n_weight + i])[0]
    return weight, value
