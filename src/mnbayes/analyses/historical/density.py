"""Log density of the historical model with its gradient, compiled by numba.

The same posterior as :func:`mnbayes.analyses.historical.model.build_model`. Coordinates of a
point: the
coefficients (classes, then covariates), tau, the log odds of rho where a study has several arms,
and standardised effects, each study's followed by those of its arms.

tau may have a sign: the density is that of |tau|, and the effects change sign with it. So there is
no infinitely long way to tau = 0, as there is for log tau.

Effects are standardised by what they would be, given everything else, if each arm's log odds were
observed with a normal error: ``y`` with information ``I``, fixed numbers of the data. With
``e = x . coefficients``, ``r = y - e``, ``a = tau sqrt(rho)`` and ``b = tau sqrt(1 - rho)`` (for
an arm alone in its study ``a = tau``, ``b = 0``)::

    Q[j] = 1 + b^2 I[j],  G[j] = I[j] / Q[j],  P = 1 + a^2 sum G
    u = a sum(G r) / P + w / sqrt(P)                      the study's effect
    v[j] = b I[j] (r[j] - a u) / Q[j] + w[j] / sqrt(Q[j])   the arm's
    eta[j] = e[j] + a u + b v[j]

An affine map of ``w``, so the model is exactly the same; its log Jacobian is
``-(log P + sum log Q) / 2``. It makes the effects nearly independent of tau: neither centred nor
non-centred effects are good where some arms have 12 patients and others 300 (Papaspiliopoulos et
al. 2007, Stat. Sci. 22:59).

Everything compiled is in this one file: numba's disk cache looks at no other.
"""

from __future__ import annotations

from functools import cache
from math import lgamma
from typing import Any

import numba as nb
import numpy as np

from mnbayes.numerics.c_signature import SIGNATURE

#: Families by their number in the data.
CODES = {"Normal": 0, "HalfNormal": 0, "StudentT": 1, "HalfStudentT": 1, "Exponential": 2}
#: Numbers at the head of the data, of a prior, and of a row before its design.
_HEAD, _PRIOR, _ROW = 6, 4, 6

_compiled: Any = nb.njit(cache=True, error_model="numpy")


@_compiled
def _log_prior(value, data, at):  # type: ignore[no-untyped-def]
    """Log density of a prior up to a constant, and its derivative."""
    family, nu, mu, sigma = data[at], data[at + 1], data[at + 2], data[at + 3]
    z = (value - mu) / sigma
    if family == 0.0:
        return -0.5 * z * z, -z / sigma
    if family == 1.0:
        return -0.5 * (nu + 1.0) * np.log1p(z * z / nu), -(nu + 1.0) * z / (nu + z * z) / sigma
    return -z, -1.0 / sigma  # exponential, sigma being its mean


@_compiled
def _interval(eta, n, low, high):  # type: ignore[no-untyped-def]
    """Log probability that a binomial count lies in an interval, and its derivative in eta."""
    log_none = -n * (np.log1p(np.exp(-abs(eta))) + max(eta, 0.0))
    rate = 1.0 / (1.0 + np.exp(-eta))
    if low == high:  # the binomial coefficient is a constant
        return low * eta + log_none, low - n * rate
    # Terms relative to the largest one: ratios from there fall on both sides, nothing overflows.
    top = min(max(int((n + 1.0) * rate), low), high)
    odds = np.exp(eta)
    total, first = 1.0, float(top)
    share = 1.0
    for k in range(top, high):
        share *= (n - k) / (k + 1.0) * odds
        total += share
        first += (k + 1.0) * share
    share = 1.0
    for k in range(top, low, -1):
        share *= k / (n - k + 1.0) / odds
        total += share
        first += (k - 1.0) * share
    largest = lgamma(n + 1.0) - lgamma(top + 1.0) - lgamma(n - top + 1.0) + top * eta
    return largest + np.log(total) + log_none, first / total - n * rate


@_compiled
def log_density_and_gradient(point, data, gradient):  # type: ignore[no-untyped-def]
    """Log density at a point, up to a constant; fills the gradient.

    Parameters
    ----------
    point, gradient : array, shape (dimension,)
    data : array
        From :func:`mnbayes.analyses.historical.points.pack`.
    """
    studies, size, correlated = int(data[1]), int(data[2]), int(data[3])
    most = int(data[4])  # arms of a study
    gradient[:] = 0.0
    total = 0.0
    at = _HEAD
    for i in range(size):
        value, slope = _log_prior(point[i], data, at)
        total += value
        gradient[i] += slope
        at += _PRIOR
    # A half-family is the symmetric one folded.
    tau = point[size]
    value, slope = _log_prior(abs(tau), data, at)
    total += value
    gradient[size] += slope if tau >= 0.0 else -slope
    at += _PRIOR
    root, rest, d_root, d_rest = 1.0, 0.0, 0.0, 0.0
    if correlated:
        value, slope = _log_prior(point[size + 1], data, at)
        total += value
        gradient[size + 1] += slope
        rho = 1.0 / (1.0 + np.exp(-point[size + 1]))
        root, rest = np.sqrt(rho), np.sqrt(1.0 - rho)
        d_root, d_rest = 0.5 * root * (1.0 - rho), -0.5 * rest * rho
    at += _PRIOR
    coordinate = size + 1 + correlated
    r, v, d_e, d_v, d_q = (np.empty(most), np.empty(most), np.empty(most), np.empty(most),
                           np.empty(most))  # fmt: skip
    width = _ROW + size
    for _ in range(studies):
        arms = int(data[at])
        first = at + 1
        at = first + arms * width
        a, b = (tau * root, tau * rest) if arms > 1 else (tau, 0.0)
        # Forwards: the study's effect, its arms', and the likelihood.
        sum_g, sum_gr = 0.0, 0.0
        for j in range(arms):
            row = first + j * width
            e = 0.0
            for i in range(size):
                e += data[row + _ROW + i] * point[i]
            r[j] = data[row + 4] - e
            g = data[row + 5] / (1.0 + b * b * data[row + 5])
            sum_g += g
            sum_gr += g * r[j]
        p = 1.0 + a * a * sum_g
        w = point[coordinate]
        u = a * sum_gr / p + w / np.sqrt(p)
        total -= 0.5 * (u * u + np.log(p))
        d_u, d_a, d_b = -u, 0.0, 0.0
        for j in range(arms):
            row = first + j * width
            info = data[row + 5]
            q = 1.0 + b * b * info
            v[j] = 0.0
            if arms > 1:
                v[j] = b * info * (r[j] - a * u) / q + point[coordinate + 1 + j] / np.sqrt(q)
                total -= 0.5 * (v[j] * v[j] + np.log(q))
            eta = data[row + 4] - r[j] + a * u + b * v[j]
            value, slope = _interval(eta, data[row], int(data[row + 1]), int(data[row + 2]))
            total += data[row + 3] * value
            slope *= data[row + 3]
            d_e[j] = slope
            d_u += slope * a
            d_a += slope * u
            d_b += slope * v[j]
            d_v[j] = slope * b - v[j]
        # Backwards: what each of them owes to the coordinates.
        for j in range(arms):
            d_q[j] = 0.0
            if arms > 1:
                info = data[first + j * width + 5]
                q = 1.0 + b * b * info
                own = point[coordinate + 1 + j]
                gradient[coordinate + 1 + j] += d_v[j] / np.sqrt(q)
                off = info * (r[j] - a * u) / q
                step = d_v[j] * b * info / q
                d_b += d_v[j] * off
                d_q[j] = -0.5 * (d_v[j] * own / np.sqrt(q) + 1.0) / q - d_v[j] * b * off / q
                d_e[j] -= step
                d_a -= step * u
                d_u -= step * a
        gradient[coordinate] += d_u / np.sqrt(p)
        d_p = -0.5 * (d_u * w / np.sqrt(p) + 1.0) / p - d_u * a * sum_gr / (p * p)
        d_a += d_u * sum_gr / p + d_p * 2.0 * a * sum_g
        for j in range(arms):
            row = first + j * width
            info = data[row + 5]
            q = 1.0 + b * b * info
            d_g = d_u * a / p * r[j] + d_p * a * a
            d_e[j] -= d_u * a / p * info / q
            d_b += (d_q[j] - d_g * info / (q * q)) * 2.0 * b * info
            for i in range(size):
                gradient[i] += d_e[j] * data[row + _ROW + i]
        if arms > 1:
            gradient[size] += d_a * root + d_b * rest
            gradient[size + 1] += tau * (d_a * d_root + d_b * d_rest)
            coordinate += 1 + arms
        else:
            gradient[size] += d_a
            coordinate += 1
    return total


@_compiled
def _arm_log_likelihood(mean, b, row, z, log_weight):  # type: ignore[no-untyped-def]
    """Log likelihood of an arm, its own deviation integrated out; its log odds have SD b."""
    info = row[5]
    q = 1.0 + b * b * info
    centre, scale = b * info * (row[4] - mean) / q, 1.0 / np.sqrt(q)
    largest, total = -np.inf, 0.0
    for k in range(len(z)):
        v = centre + z[k] * scale
        value, _ = _interval(mean + b * v, row[0], int(row[1]), int(row[2]))
        term = log_weight[k] + 0.5 * (z[k] * z[k] - v * v) + row[3] * value
        if term > largest:
            total *= np.exp(largest - term)
            largest = term
        total += np.exp(term - largest)
    return largest + np.log(total) - 0.5 * np.log(q)


@_compiled
def study_log_likelihood(coefficients, tau, rho, study, z, log_weight):  # type: ignore[no-untyped-def]
    """Log likelihood of one study given the parameters above it, its effects integrated out.

    By Gauss-Hermite quadrature in the coordinates in which the effects are sampled, where the
    integrand is nearly a normal density: nine points are off by less than 0.01.

    Parameters
    ----------
    coefficients : array, shape (draw, coefficient)
    tau, rho : array, shape (draw,)
    study : array
        Number of arms, then their rows as :func:`mnbayes.analyses.historical.points.pack` has them.
    z, log_weight : array, shape (point,)
        Of the quadrature for a standard normal.

    Returns
    -------
    array, shape (draw,)
        Up to a constant.
    """
    draws, size = coefficients.shape
    arms = int(study[0])
    rows = study[1:].reshape(arms, _ROW + size)
    out, e = np.empty(draws), np.empty(arms)
    for i in range(draws):
        a, b = tau[i], 0.0
        if arms > 1:
            a, b = tau[i] * np.sqrt(rho[i]), tau[i] * np.sqrt(1.0 - rho[i])
        sum_g, sum_gr = 0.0, 0.0
        for j in range(arms):
            e[j] = 0.0
            for c in range(size):
                e[j] += rows[j, _ROW + c] * coefficients[i, c]
            g = rows[j, 5] / (1.0 + b * b * rows[j, 5])
            sum_g += g
            sum_gr += g * (rows[j, 4] - e[j])
        p = 1.0 + a * a * sum_g
        largest, total = -np.inf, 0.0
        for k in range(len(z)):
            u = a * sum_gr / p + z[k] / np.sqrt(p)
            term = log_weight[k] + 0.5 * (z[k] * z[k] - u * u)
            for j in range(arms):
                mean = e[j] + a * u
                if arms > 1:
                    term += _arm_log_likelihood(mean, b, rows[j], z, log_weight)
                else:
                    value, _ = _interval(mean, rows[j, 0], int(rows[j, 1]), int(rows[j, 2]))
                    term += rows[j, 3] * value
            if term > largest:
                total *= np.exp(largest - term)
                largest = term
            total += np.exp(term - largest)
        out[i] = largest + np.log(total) - 0.5 * np.log(p)
    return out


def _c_density(dimension, point, gradient, out, data):  # type: ignore[no-untyped-def]
    slopes = nb.carray(gradient, (dimension,))
    value = log_density_and_gradient(
        nb.carray(point, (dimension,)), nb.carray(data, (int(data[0]),)), slopes
    )
    out[0] = value
    if not np.isfinite(value):
        return 1
    for i in range(dimension):
        if not np.isfinite(slopes[i]):
            return 1
    return 0


@cache
def c_function() -> Any:
    """The C function that nutpie calls, loaded from numba's cache or compiled once."""
    return nb.cfunc(SIGNATURE, cache=True)(_c_density)
