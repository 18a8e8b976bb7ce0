"""Coordinates that a sampler moves: from the real line to a parameter under its prior.

Each coordinate ``x`` stands for one sampled number ``theta`` (an SD, a correlation, a location
whose prior is not normal). Its prior's family says which transformation takes one to the other.

A half-normal ``theta`` is the quantile of its prior at the probability of a standard normal
score, so that the sampler sees the prior as a standard normal. On the log scale an SD that the
data do not keep away from 0 has a long tail there, which costs small steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, log, log1p, sqrt

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.numerics.compiling import compiled

#: Prior families by their number in the packed array; the correlations' is Beta on (0, 1).
FAMILIES = (
    *("HalfNormal", "StudentT", "HalfStudentT", "Exponential", "Gamma", "LogNormal"),
    "Beta",
)
_HALF_NORMAL, _STUDENT, _HALF_STUDENT, _EXPONENTIAL, _GAMMA, _LOG_NORMAL, _BETA = range(7)
#: Numbers of a coordinate: family, three arguments of its prior, the place of its first target
#: among the likelihood's inputs, and how many inputs are equal to it.
COORDINATE = 6


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


def sampled_inputs(coordinates: Floats, inputs: Floats) -> NDArray[np.bool_]:
    """Which inputs of the likelihood are in the model: not 0, or set by a coordinate."""
    out = np.asarray(inputs != 0.0)
    for first, copies in coordinates[:, 4:6].astype(int):
        out[first : first + copies] = True
    return out


#: Numerators and denominators of AS 241, near the middle, in the tail and far out in it.
_NEAR = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_TAIL = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258e0,
        3.64784832476320460504e0,
        5.76949722146069140550e0,
        4.63033784615654529590e0,
        1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940e0,
        2.05319162663775882187e0,
        1.0,
    ),
)
_FAR = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580e0,
        5.46378491116411436990e0,
        6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ),
)


@compiled
def _polynomial(r, coefficients):
    """Value of a polynomial, the highest power first (Horner's rule)."""
    value = coefficients[0]
    for i in range(1, len(coefficients)):
        value = value * r + coefficients[i]
    return value


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
        t = middle * _polynomial(r, _NEAR[0]) / _polynomial(r, _NEAR[1])
    elif tail > 0.0:
        r = sqrt(-log(tail))
        if r <= 5.0:
            t = _polynomial(r - 1.6, _TAIL[0]) / _polynomial(r - 1.6, _TAIL[1])
        else:
            t = _polynomial(r - 5.0, _FAR[0]) / _polynomial(r - 5.0, _FAR[1])
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
