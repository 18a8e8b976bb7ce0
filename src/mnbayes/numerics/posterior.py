"""Log posterior density of the longitudinal model on unconstrained space.

The density of the coordinates (:mod:`mnbayes.numerics.coordinates`) that stand for the sampled
parameters, then of those for the weights and censored values of cells
(:mod:`mnbayes.numerics.unknown_cells`); Jacobians included. The likelihood is that of
:mod:`mnbayes.numerics.marginal`.

Everything enters as one array of numbers (:func:`pack`), so that new priors, observations and
structures compile nothing. PyTensor is not needed; :mod:`mnbayes.models.longitudinal` states the
model in PyMC, and tests hold the two together.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.base.new_files import alone
from mnbayes.numerics.c_signature import SIGNATURE
from mnbayes.numerics.compiling import SOURCES, c_function, compiled
from mnbayes.numerics.coordinates import COORDINATE, chain_rule, constrain, set_inputs
from mnbayes.numerics.inputs import begins
from mnbayes.numerics.marginal import fixed_given_cells
from mnbayes.numerics.marginal_gradient import loglik_and_gradient
from mnbayes.numerics.unknown_cells import (
    censored_value,
    unknown,
    weights_density,
    weights_gradient,
)

#: Of the array: length, coordinates, markers.
HEADER = 3


def pack(
    coordinates: Floats, inputs: Floats, n_marker: int, unknown_cells: Floats, cells: Floats
) -> Floats:
    """One array of everything that the density reads.

    Parameters
    ----------
    coordinates : array, shape (coordinate, 6)
        See :data:`mnbayes.numerics.coordinates.COORDINATE`.
    inputs : array, shape (input,)
        The likelihood's inputs where no coordinate sets them, in the order of
        :func:`mnbayes.numerics.inputs.input_sizes`.
    n_marker : int
    unknown_cells : array
        From :func:`mnbayes.numerics.unknown_cells.pack_unknown`.
    cells : array
        From :func:`mnbayes.numerics.packed_cells.packed_cells`.
    """
    parts = [coordinates.ravel(), inputs, unknown_cells, cells]
    length = HEADER + sum(part.size for part in parts)
    return np.concatenate([np.array([length, len(coordinates), n_marker], dtype=float), *parts])


@compiled
def parts(data):
    """Coordinates, the likelihood's inputs as they stand in the data, the rest, and the markers."""
    n, n_marker = int(data[1]), int(data[2])
    coordinate = data[HEADER : HEADER + COORDINATE * n].reshape((n, COORDINATE))
    first = HEADER + COORDINATE * n
    n_input = begins(n_marker)[-1]
    return coordinate, data[first : first + n_input].copy(), data[first + n_input :], n_marker


@compiled
def set_unknown(point, coordinate, n_weight, df_at, hidden):
    """Weights with their ``df`` and its slope, censored values with theirs, and the log density.

    The density is that of the cells' coordinates.
    """
    n_own = coordinate.shape[0]
    weight, value = np.empty(n_weight), np.empty(hidden.shape[1])
    slope, d_jacobian = np.empty(value.size), np.empty(value.size)
    total, df, d_df = 0.0, 1.0, 0.0
    if n_weight > 0:
        row = coordinate[df_at]
        df, d_df, _, _ = constrain(int(row[0]), row[1], row[2], row[3], point[df_at])
        total += weights_density(point[n_own : n_own + n_weight], df, weight)
    for i in range(value.size):
        value[i], slope[i], jacobian, d_jacobian[i] = censored_value(
            hidden[:, i], point[n_own + n_weight + i]
        )
        total += jacobian
    return weight, df, d_df, value, slope, d_jacobian, total


@partial(compiled, inline="always")
def given_point(point, data):
    """At a point: the inputs, weights, censored values, and what :func:`fixed_given_cells` returns.

    The log prior density comes first.
    """
    coordinate, inputs, rest, k = parts(data)
    n_weight, df_at, hidden, cells = unknown(rest)
    log_prior = set_inputs(point[: coordinate.shape[0]], coordinate, inputs)
    weight, _, _, value, _, _, jacobian = set_unknown(point, coordinate, n_weight, df_at, hidden)
    given = fixed_given_cells(inputs, weight, value, cells, k)
    return log_prior + jacobian, inputs, weight, value, given


def _gradient_function(sources: str) -> Any:
    # As a closure's value the hash of the sources is part of the disk cache's key.
    @c_function(SIGNATURE, error_model="numpy")
    def density(n, point, gradient, log_density, data):
        x, d_x = nb.carray(point, (n,)), nb.carray(gradient, (n,))
        coordinate, inputs, rest, k = parts(nb.carray(data, (int(data[0]),)))
        n_weight, df_at, hidden, cells = unknown(rest)
        n_own = coordinate.shape[0]
        total = set_inputs(x[:n_own], coordinate, inputs)
        weight, df, d_df, value, slope, d_jacobian, jacobian = set_unknown(
            x, coordinate, n_weight, df_at, hidden
        )
        loglik, d_inputs, d_weight, d_value = loglik_and_gradient(inputs, weight, value, cells, k)
        log_density[0] = total + jacobian + loglik
        if len(sources) == 0 or not np.isfinite(log_density[0]):
            return 4
        finite = chain_rule(x[:n_own], coordinate, d_inputs, d_x[:n_own])
        if n_weight > 0:
            ends = n_own + n_weight
            d_offset = d_x[n_own:ends]
            d_x[df_at] += d_df * weights_gradient(x[n_own:ends], df, weight, d_weight, d_offset)
            finite = finite and np.isfinite(d_x[df_at]) and np.isfinite(d_offset.sum())
        for i in range(value.size):
            at = n_own + n_weight + i
            d_x[at] = slope[i] * d_value[i] + d_jacobian[i]
            finite = finite and np.isfinite(d_x[at])
        return 0 if finite else 3

    return density


def _value_function(sources: str) -> Any:
    @c_function(SIGNATURE, error_model="numpy")
    def density(n, point, gradient, log_density, data):
        log_prior, _, _, _, given = given_point(
            nb.carray(point, (n,)), nb.carray(data, (int(data[0]),))
        )
        log_density[0] = log_prior + given[0]
        return 0 if len(sources) > 0 and np.isfinite(log_density[0]) else 4

    return density


@cache
def gradient_function() -> Any:
    """C function of the log posterior density, up to a constant, and its gradient.

    Its signature is :data:`mnbayes.numerics.c_signature.SIGNATURE`, its data :func:`pack`'s. As C
    functions, so that what calls them is not compiled together with them.
    """
    return _made_alone(_gradient_function)


@cache
def value_function() -> Any:
    """C function as :func:`gradient_function`'s that leaves the gradient alone."""
    return _made_alone(_value_function)


def _made_alone(make: Callable[[str], Any]) -> Any:
    """Of processes that start together the first compiles, for some ten seconds.

    The others wait for what it leaves on the disk: they would take its core to do the same.
    """
    with alone(Path(nb.config.CACHE_DIR or Path(__file__).parent)):
        return make(SOURCES)


def evaluate(point: Floats, data: Floats, function: Any) -> tuple[float, Floats]:
    """Log posterior density up to a constant, and its gradient.

    Parameters
    ----------
    point : array, shape (coordinate,)
    data : array
        From :func:`pack`.
    function : object
        C function of numba: :func:`gradient_function`, say.
    """
    double = ctypes.POINTER(ctypes.c_double)
    x = np.ascontiguousarray(point, dtype=float)
    gradient, value = np.zeros_like(x), np.zeros(1)
    pointers = (array.ctypes.data_as(double) for array in (x, gradient, value, data))
    function.ctypes(x.size, *pointers)
    return float(value[0]), gradient
