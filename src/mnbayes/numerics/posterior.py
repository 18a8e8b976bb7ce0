"""Log posterior density of the Gaussian longitudinal model on unconstrained space.

Each coordinate ``x`` stands for one sampled number ``theta`` (an SD, a correlation, a location
whose prior is not normal). Its prior's family says which transformation takes one to the other;
the density includes the Jacobian. The likelihood is that of
:mod:`mnbayes.numerics.patient_means`; see :mod:`mnbayes.numerics.cell_posterior` for what
needs single cells.

A half-normal ``theta`` is the quantile of its prior at the probability of a standard normal
score, so that the sampler sees the prior as a standard normal. On the log scale an SD that the
data do not keep away from 0 has a long tail there, which costs small steps.

Everything enters as one array of numbers (:func:`pack`), so that new priors and observations
compile nothing. PyTensor is not needed; :mod:`mnbayes.models.longitudinal` states the model in
PyMC, and tests hold the two together.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from math import erfc, exp, log, log1p, sqrt
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.numerics.c_signature import SIGNATURE
from mnbayes.numerics.compiling import SOURCES, compiled
from mnbayes.numerics.patient_means import fixed_given_means
from mnbayes.numerics.patient_means_gradient import loglik_and_gradient

#: Prior families by their number in the packed array; the correlations' is Beta on (0, 1).
FAMILIES = (
    *("HalfNormal", "StudentT", "HalfStudentT", "Exponential", "Gamma", "LogNormal"),
    "Beta",
)
_HALF_NORMAL, _STUDENT, _HALF_STUDENT, _EXPONENTIAL, _GAMMA, _LOG_NORMAL, _BETA = range(7)
#: Numbers of a coordinate: family, three arguments of its prior, the place of its first target
#: among the likelihood's inputs, and how many inputs are equal to it.
COORDINATE = 6
#: Of the array: length, coordinates, markers.
HEADER = 3


def pack(coordinates: Floats, inputs: Floats, n_marker: int, observed: Floats) -> Floats:
    """One array of everything that the density reads.

    Parameters
    ----------
    coordinates : array, shape (coordinate, 6)
        See :data:`COORDINATE`.
    inputs : array, shape (input,)
        The likelihood's inputs where no coordinate sets them, in the order of
        :func:`mnbayes.numerics.inputs.input_sizes`.
    n_marker : int
    observed : array
        The observations as the likelihood reads them: from
        :func:`mnbayes.numerics.packed_means.packed_means`, or
        :func:`mnbayes.numerics.cell_posterior.pack_cells`.
    """
    length = HEADER + coordinates.size + inputs.size + observed.size
    header = np.array([length, len(coordinates), n_marker], dtype=float)
    return np.concatenate([header, coordinates.ravel(), inputs, observed])


def sampled_inputs(coordinates: Floats, inputs: Floats) -> NDArray[np.bool_]:
    """Which inputs of the likelihood are in the model: not 0, or set by a coordinate."""
    out = np.asarray(inputs != 0.0)
    for first, copies in coordinates[:, 4:6].astype(int):
        out[first : first + copies] = True
    return out


@compiled
def half_normal_of_score(score):
    """Standard half-normal quantile ``t`` at the probability of a normal score, and its slope.

    Solves ``2 Phi(t) - 1 = Phi(score)`` by Wichura's algorithm AS 241 (1988, Applied Statistics
    37:477), which takes the distance from 1/2 where that is small and the tail where that is:
    neither loses digits.
    """
    if score < 0.0:
        lower = 0.5 * erfc(-score / sqrt(2.0))
        middle, tail = 0.5 * lower, 0.5 * (1.0 - lower)
    else:
        upper = 0.5 * erfc(score / sqrt(2.0))
        middle, tail = 0.5 * (1.0 - upper), 0.5 * upper
    if middle <= 0.425:
        r = 0.180625 - middle * middle
        t = (
            middle
            * (
                (
                    (
                        (
                            (
                                (
                                    (2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r
                                    + 6.7265770927008700853e4
                                )
                                * r
                                + 4.5921953931549871457e4
                            )
                            * r
                            + 1.3731693765509461125e4
                        )
                        * r
                        + 1.9715909503065514427e3
                    )
                    * r
                    + 1.3314166789178437745e2
                )
                * r
                + 3.3871328727963666080e0
            )
            / (
                (
                    (
                        (
                            (
                                (
                                    (5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r
                                    + 3.9307895800092710610e4
                                )
                                * r
                                + 2.1213794301586595867e4
                            )
                            * r
                            + 5.3941960214247511077e3
                        )
                        * r
                        + 6.8718700749205790830e2
                    )
                    * r
                    + 4.2313330701600911252e1
                )
                * r
                + 1.0
            )
        )
    elif tail > 0.0:
        r = sqrt(-log(tail))
        if r <= 5.0:
            r -= 1.6
            t = (
                (
                    (
                        (
                            (
                                (
                                    (7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r
                                    + 2.41780725177450611770e-1
                                )
                                * r
                                + 1.27045825245236838258e0
                            )
                            * r
                            + 3.64784832476320460504e0
                        )
                        * r
                        + 5.76949722146069140550e0
                    )
                    * r
                    + 4.63033784615654529590e0
                )
                * r
                + 1.42343711074968357734e0
            ) / (
                (
                    (
                        (
                            (
                                (
                                    (1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r
                                    + 1.51986665636164571966e-2
                                )
                                * r
                                + 1.48103976427480074590e-1
                            )
                            * r
                            + 6.89767334985100004550e-1
                        )
                        * r
                        + 1.67638483018380384940e0
                    )
                    * r
                    + 2.05319162663775882187e0
                )
                * r
                + 1.0
            )
        else:
            r -= 5.0
            t = (
                (
                    (
                        (
                            (
                                (
                                    (2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r
                                    + 1.24266094738807843860e-3
                                )
                                * r
                                + 2.65321895265761230930e-2
                            )
                            * r
                            + 2.96560571828504891230e-1
                        )
                        * r
                        + 1.78482653991729133580e0
                    )
                    * r
                    + 5.46378491116411436990e0
                )
                * r
                + 6.65790464350110377720e0
            ) / (
                (
                    (
                        (
                            (
                                (
                                    (2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r
                                    + 1.84631831751005468180e-5
                                )
                                * r
                                + 7.86869131145613259100e-4
                            )
                            * r
                            + 1.48753612908506148525e-2
                        )
                        * r
                        + 1.36929880922735805310e-1
                    )
                    * r
                    + 5.99832206555887937690e-1
                )
                * r
                + 1.0
            )
    else:
        return np.inf, np.inf
    return t, 0.5 * exp(0.5 * (t * t - score * score))


@compiled
def constrain(family, a, b, c, x):
    """A coordinate's value, its slope in ``x``, and its log prior density with slope.

    The density is that of ``x``, Jacobian included, up to a constant.

    Parameters
    ----------
    family : int
        Position in :data:`FAMILIES`.
    a, b, c : float
        The prior's arguments in the order of :data:`mnbayes.cards.families.FAMILIES`; for Beta both
        parameters are ``a``.
    x : float

    Returns
    -------
    tuple of float
        Value, its slope, log density, its slope.
    """
    if family == _HALF_NORMAL:
        t, slope = half_normal_of_score(x)
        return a * t, a * slope, -0.5 * x * x, -x
    if family == _STUDENT:
        z = (x - b) / c
        log_density = -0.5 * (a + 1.0) * log1p(z * z / a)
        return x, 1.0, log_density, -(a + 1.0) * z / (a + z * z) / c
    if family == _BETA:
        # The logistic function's larger half is computed from the smaller: both keep digits.
        small = exp(-abs(x))
        unit = 1.0 / (1.0 + small) if x > 0.0 else small / (1.0 + small)
        log_density = a * (-abs(x) - 2.0 * log1p(small))
        return unit, unit * (1.0 - unit), log_density, a * (1.0 - 2.0 * unit)
    value = exp(x)
    if family == _HALF_STUDENT:
        z = value / b
        return (
            value,
            value,
            x - 0.5 * (a + 1.0) * log1p(z * z / a),
            (1.0 - (a + 1.0) * z * z / (a + z * z)),
        )
    if family == _EXPONENTIAL:
        return value, value, x - a * value, 1.0 - a * value
    if family == _GAMMA:
        return value, value, a * x - b * value, a - b * value
    z = (x - a) / b  # log-normal
    return value, value, -0.5 * z * z, -z / b


@compiled
def parts(data):
    """Coordinates, the likelihood's inputs as they stand in the data, and the observations."""
    n, n_marker = int(data[1]), int(data[2])
    coordinate = data[HEADER : HEADER + COORDINATE * n].reshape((n, COORDINATE))
    first = HEADER + COORDINATE * n
    n_input = 11 * n_marker + n_marker * (2 * n_marker - 1) + 2
    return coordinate, data[first : first + n_input].copy(), data[first + n_input :], n_marker


@compiled
def set_inputs(point, coordinate, inputs):
    """Set the inputs that a point stands for; return the log prior density."""
    total = 0.0
    for i in range(point.size):
        row = coordinate[i]
        value, _, log_density, _ = constrain(int(row[0]), row[1], row[2], row[3], point[i])
        total += log_density
        first = int(row[4])
        for j in range(first, first + int(row[5])):
            inputs[j] = value
    return total


@compiled
def given_point(point, data):
    """Log prior density, and what :func:`fixed_given_means` returns, at a point."""
    coordinate, inputs, means, k = parts(data)
    log_prior = set_inputs(point, coordinate, inputs)
    return log_prior, inputs, fixed_given_means(inputs, means, k)


@compiled
def chain_rule(x, coordinate, d_inputs, d_x):
    """Fill with the gradient in the coordinates; return whether it is finite.

    Parameters
    ----------
    x : array, shape (coordinate,)
    d_inputs : array
        The log-likelihood's, in the order of the inputs.
    d_x : array, shape (coordinate,)
    """
    finite = True
    for i in range(x.size):
        row = coordinate[i]
        _, d_value, _, d_x[i] = constrain(int(row[0]), row[1], row[2], row[3], x[i])
        first = int(row[4])
        for j in range(first, first + int(row[5])):
            d_x[i] += d_value * d_inputs[j]
        finite = finite and np.isfinite(d_x[i])
    return finite


def _gradient_function(sources: str) -> Any:
    # As a closure's value the hash of the sources is part of the disk cache's key.
    @nb.cfunc(SIGNATURE, cache=True, error_model="numpy")
    def density(n, point, gradient, log_density, data):
        x = nb.carray(point, (n,))
        coordinate, inputs, means, k = parts(nb.carray(data, (int(data[0]),)))
        log_prior = set_inputs(x, coordinate, inputs)
        loglik, d_inputs = loglik_and_gradient(inputs, means, k)
        log_density[0] = log_prior + loglik
        if len(sources) == 0 or not np.isfinite(log_density[0]):
            return 4
        return 0 if chain_rule(x, coordinate, d_inputs, nb.carray(gradient, (n,))) else 3

    return density


def _value_function(sources: str) -> Any:
    @nb.cfunc(SIGNATURE, cache=True, error_model="numpy")
    def density(n, point, gradient, log_density, data):
        log_prior, _, given = given_point(nb.carray(point, (n,)), nb.carray(data, (int(data[0]),)))
        log_density[0] = log_prior + given[0]
        return 0 if len(sources) > 0 and np.isfinite(log_density[0]) else 4

    return density


@cache
def gradient_function() -> Any:
    """C function of the log posterior density, up to a constant, and its gradient.

    Its signature is :data:`mnbayes.numerics.c_signature.SIGNATURE`, its data :func:`pack`'s. As C
    functions, so that what calls them is not compiled together with them.
    """
    return _gradient_function(SOURCES)


@cache
def value_function() -> Any:
    """C function as :func:`gradient_function`'s that leaves the gradient alone."""
    return _value_function(SOURCES)


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


def values(coordinates: Floats, points: Floats) -> Floats:
    """Constrained values of draws, shape (draw, coordinate)."""
    return np.asarray(_values(coordinates, points))


@compiled
def _values(coordinates, points):
    out = np.empty(points.shape)
    for i in range(points.shape[1]):
        row = coordinates[i]
        for d in range(points.shape[0]):
            out[d, i] = constrain(int(row[0]), row[1], row[2], row[3], points[d, i])[0]
    return out


def coordinate_rows(
    family: str, arguments: Sequence[Floats], places: NDArray[np.int64], copies: int = 1
) -> Floats:
    """Coordinates of one parameter.

    Parameters
    ----------
    family : str
        One of :data:`FAMILIES`.
    arguments : sequence of array, shape (coordinate,) or (1,)
        The prior's, in its order.
    places : array, shape (coordinate,)
        Of each coordinate's first target among the likelihood's inputs.
    copies : int
        Inputs that are equal to a coordinate: the one at its place and those after it.

    Returns
    -------
    array, shape (coordinate, 6)
    """
    out = np.zeros((len(places), COORDINATE))
    out[:, 0] = FAMILIES.index(family)
    for column, argument in enumerate(arguments, start=1):
        out[:, column] = argument
    out[:, 4] = places
    out[:, 5] = copies
    return out
