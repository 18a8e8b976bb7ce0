"""Log densities of the published-evidence model, compiled: see :mod:`.model`.

Two posteriors, each with its gradient, from the same two kinds of evidence: ``patients`` whose
log ratio is known (both ends equal) or lies between two ends.

*One visit*: log ratios are normal; the unconstrained point is (mean, log SD).

*Best of several visits*: a patient's log ratio is the least of ``visits`` values, the patient's
own change, which is normal, plus independent normal noise; the point is (mean, log SD, log noise
SD). With ``u`` the least of ``visits`` standard normals, whose density is
``visits phi(u) (1 - Phi(u))^(visits - 1)``, the least log ratio is ``change + noise u``, so that::

    P(least <= x) = E_u Phi((x - mean - noise u) / sd)                 (sd >= noise)
                  = E_z [1 - (1 - Phi((x - mean - sd z) / noise))^visits]   (sd < noise)

with ``z`` standard normal. Either is an integral over a smooth function of the variable that
varies less, which 40 Gauss-Legendre nodes take to 1e-7.

Everything is in this one file because numba's disk cache looks at no other.
"""

# numba infers the types of its functions and takes no annotations.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators, no-check-untyped-defs

from __future__ import annotations

from math import erfc, exp, expm1, inf, isfinite, log, log1p, sqrt

import numba as nb
import numpy as np

from mnbayes.numerics.c_signature import SIGNATURE

#: Families of priors, by the numbers that the compiled functions know them by.
FAMILIES = ("Normal", "StudentT", "HalfNormal", "HalfStudentT", "Exponential", "Gamma", "LogNormal")
#: Numbers of a prior in the data: its family and up to three arguments.
PRIOR_SIZE = 4
_SQRT2, _LOG_SQRT_2PI = sqrt(2.0), 0.5 * log(2.0 * np.pi)

compiled = nb.njit(cache=True, error_model="numpy")


@compiled
def _prior(data, at, x):
    """Log density of a prior up to a constant, and its derivative."""
    family = int(data[at])
    a, b, c = data[at + 1], data[at + 2], data[at + 3]
    if family == 0:  # Normal(mu, sigma)
        z = (x - a) / b
        return -0.5 * z * z, -z / b
    if family == 1:  # StudentT(nu, mu, sigma)
        z = (x - b) / c
        return -0.5 * (a + 1.0) * log1p(z * z / a), -(a + 1.0) * z / (a + z * z) / c
    if family == 2:  # HalfNormal(sigma)
        return -0.5 * (x / a) ** 2, -x / a**2
    if family == 3:  # HalfStudentT(nu, sigma)
        z = x / b
        return -0.5 * (a + 1.0) * log1p(z * z / a), -(a + 1.0) * z / (a + z * z) / b
    if family == 4:  # Exponential(lam)
        return -a * x, -a
    if family == 5:  # Gamma(alpha, beta)
        return (a - 1.0) * log(x) - b * x, (a - 1.0) / x - b
    z = (log(x) - a) / b  # LogNormal(mu, sigma)
    return -0.5 * z * z - log(x), (-z / b - 1.0) / x


@compiled
def _log_phi(z):
    return -0.5 * z * z - _LOG_SQRT_2PI


@compiled
def _log_cdf(z):
    """Log of the standard normal distribution function."""
    if z > -20.0:
        return log(0.5 * erfc(-z / _SQRT2))
    # Abramowitz and Stegun 26.2.12; the first term left out is below 1e-8 of the sum here.
    r = 1.0 / (z * z)
    return _log_phi(z) - log(-z) + log1p(-r * (1.0 - 3.0 * r * (1.0 - 5.0 * r)))


@compiled
def _log_between(low, high):
    """Log probability that a standard normal lies between two ends, accurate in both tails."""
    if low > 0.0:
        low, high = -high, -low
    top = _log_cdf(high)
    if low == -inf:
        return top
    gap = _log_cdf(low) - top
    if gap > -0.7:
        return top + log(-expm1(gap))
    return top + log1p(-exp(gap))


@compiled
def _normal_term(low, high, mean, sd, gradient):
    """Log likelihood of one normal log ratio; its gradient by mean and log SD."""
    if low == high:
        z = (low - mean) / sd
        gradient[0], gradient[1] = z / sd, z * z - 1.0
        return _log_phi(z) - log(sd)
    za, zb = (low - mean) / sd, (high - mean) / sd
    value = _log_between(za, zb)
    gradient[0] = gradient[1] = 0.0
    if zb < inf:
        share = exp(_log_phi(zb) - value)
        gradient[0] -= share / sd
        gradient[1] -= share * zb
    if za > -inf:
        share = exp(_log_phi(za) - value)
        gradient[0] += share / sd
        gradient[1] += share * za
    return value


@compiled
def _tail_difference(low, high):
    """Probability that a standard normal lies between two ends, from the nearer tail."""
    if low > 0.0:
        return 0.5 * (erfc(low / _SQRT2) - erfc(high / _SQRT2))
    return 0.5 * (erfc(-high / _SQRT2) - erfc(-low / _SQRT2))


@compiled
def _least_upper(y, visits):
    """Probability that the least of some standard normals lies above ``y``, and below it."""
    above = 0.5 * erfc(y / _SQRT2)
    below = 1.0 - above if y > 0.0 else 0.5 * erfc(-y / _SQRT2)
    lower = 1.0 if below >= 1.0 else -expm1(visits * log1p(-below))
    return above**visits, lower


@compiled
def _least_height(y, visits):
    """Density of the least of some standard normals, and its derivative."""
    above, phi = 0.5 * erfc(y / _SQRT2), exp(_log_phi(y))
    height = visits * phi * above ** (visits - 1.0)
    slope = -y * height
    if visits > 1.0:
        slope -= visits * (visits - 1.0) * phi * phi * above ** (visits - 2.0)
    return height, slope


@compiled
def _least_density(x, mean, sd, noise, visits, nodes, out):
    """Density of the least of several visits at ``x``; see :func:`_least_between`."""
    out[:] = 0.0
    for k in range(nodes.shape[1]):
        if sd >= noise:
            u = nodes[0, k]
            z = (x - mean - noise * u) / sd
            height = nodes[1, k] * exp(_log_phi(z)) / sd
            out[0] += height
            out[1] += height * z / sd
            out[2] += height * (z * z - 1.0) / sd
            out[3] += height * z * u / sd
        else:
            z = nodes[2, k]
            y = (x - mean - sd * z) / noise
            height, slope = _least_height(y, visits)
            height *= nodes[3, k] / noise
            slope *= nodes[3, k] / noise
            out[0] += height
            out[1] -= slope / noise
            out[2] -= slope * z / noise
            out[3] -= (slope * y + height) / noise


@compiled
def _least_between(low, high, mean, sd, noise, visits, nodes, out):
    """Probability that the least of several visits lies between two ends.

    ``out``: value, derivatives by mean, SD and noise. ``nodes`` has rows u, weight of u, z,
    weight of z.
    """
    out[:] = 0.0
    for k in range(nodes.shape[1]):
        if sd >= noise:
            u, weight = nodes[0, k], nodes[1, k]
            za, zb = (low - mean - noise * u) / sd, (high - mean - noise * u) / sd
            out[0] += weight * _tail_difference(za, zb)
            for side in range(2):
                z = za if side == 0 else zb
                if isfinite(z):
                    height = (1.0 if side == 0 else -1.0) * weight * exp(_log_phi(z)) / sd
                    out[1] += height
                    out[2] += height * z
                    out[3] += height * u
        else:
            z, weight = nodes[2, k], nodes[3, k]
            ya, yb = (low - mean - sd * z) / noise, (high - mean - sd * z) / noise
            upper_a, lower_a = _least_upper(ya, visits)
            upper_b, lower_b = _least_upper(yb, visits)
            out[0] += weight * (upper_a - upper_b if upper_a < 0.5 else lower_b - lower_a)
            for side in range(2):
                y = ya if side == 0 else yb
                if isfinite(y):
                    height, _ = _least_height(y, visits)
                    height *= (1.0 if side == 0 else -1.0) * weight / noise
                    out[1] += height
                    out[2] += height * z
                    out[3] += height * y


@compiled
def _least_term(low, high, mean, sd, noise, visits, nodes, work, gradient):
    """Log likelihood of one least log ratio; its gradient by mean, log SD and log noise."""
    if low == high:
        _least_density(low, mean, sd, noise, visits, nodes, work)
    else:
        _least_between(low, high, mean, sd, noise, visits, nodes, work)
    value = work[0]
    gradient[0] = work[1] / value
    gradient[1] = work[2] * sd / value
    gradient[2] = work[3] * noise / value
    return log(value)


@compiled
def one_visit_density(point, gradient, data):
    """Log posterior of (mean, log SD) of normal log ratios, up to a constant.

    Parameters
    ----------
    point, gradient : array, shape (2,)
        The gradient is written.
    data : array
        From :func:`mnbayes.analyses.published.posteriors.one_visit`.
    """
    mean, sd = point[0], exp(point[1])
    term = np.empty(2)
    value, slope = _prior(data, 1, mean)
    total, gradient[0] = value, slope
    value, slope = _prior(data, 1 + PRIOR_SIZE, sd)
    total += value + point[1]
    gradient[1] = slope * sd + 1.0
    at = 1 + 2 * PRIOR_SIZE
    for i in range(int(data[at])):
        low, high, patients = data[at + 1 + 3 * i], data[at + 2 + 3 * i], data[at + 3 + 3 * i]
        total += patients * _normal_term(low, high, mean, sd, term)
        gradient[0] += patients * term[0]
        gradient[1] += patients * term[1]
    return total


@compiled
def best_visit_density(point, gradient, data):
    """Log posterior of (mean, log SD, log noise SD) of the least of several visits.

    As :func:`one_visit_density`, with data from
    :func:`mnbayes.analyses.published.posteriors.best_visit`.
    """
    mean, sd, noise = point[0], exp(point[1]), exp(point[2])
    term, work = np.empty(3), np.empty(4)
    value, slope = _prior(data, 1, mean)
    total, gradient[0] = value, slope
    value, slope = _prior(data, 1 + PRIOR_SIZE, sd)
    total += value + point[1]
    gradient[1] = slope * sd + 1.0
    value, slope = _prior(data, 1 + 2 * PRIOR_SIZE, noise)
    total += value + point[2]
    gradient[2] = slope * noise + 1.0
    at = 1 + 3 * PRIOR_SIZE
    visits, count, n = data[at], int(data[at + 1]), int(data[at + 2])
    nodes = data[at + 3 : at + 3 + 4 * n].reshape((4, n))
    at += 3 + 4 * n
    for i in range(count):
        low, high, patients = data[at + 3 * i], data[at + 1 + 3 * i], data[at + 2 + 3 * i]
        total += patients * _least_term(low, high, mean, sd, noise, visits, nodes, work, term)
        for j in range(3):
            gradient[j] += patients * term[j]
    return total


@compiled
def _finite(value, gradient):
    good = isfinite(value)
    for each in gradient:
        good = good and isfinite(each)
    return good


@nb.cfunc(SIGNATURE, cache=True)
def one_visit_c(n, point, gradient, value, data):
    """:func:`one_visit_density` for nutpie."""
    size = int(nb.carray(data, (1,))[0])
    slopes = nb.carray(gradient, (n,))
    found = one_visit_density(nb.carray(point, (n,)), slopes, nb.carray(data, (size,)))
    nb.carray(value, (1,))[0] = found
    return 0 if _finite(found, slopes) else 1


@nb.cfunc(SIGNATURE, cache=True)
def best_visit_c(n, point, gradient, value, data):
    """:func:`best_visit_density` for nutpie."""
    size = int(nb.carray(data, (1,))[0])
    slopes = nb.carray(gradient, (n,))
    found = best_visit_density(nb.carray(point, (n,)), slopes, nb.carray(data, (size,)))
    nb.carray(value, (1,))[0] = found
    return 0 if _finite(found, slopes) else 1
