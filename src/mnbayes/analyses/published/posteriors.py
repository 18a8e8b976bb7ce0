"""Log likelihood of published evidence in NumPy, as :mod:`.model` states it.

*One visit*: log ratios are normal.

*Best of several visits*: with ``u`` the least of ``visits`` standard normals, whose density is
``visits phi(u) (1 - Phi(u))^(visits - 1)``, the least log ratio is ``change + noise u``, so that::

    P(least <= x) = E_u Phi((x - mean - noise u) / sd)                 (sd >= noise)
                  = E_z [1 - (1 - Phi((x - mean - sd z) / noise))^visits]   (sd < noise)

with ``z`` standard normal. Either is an integral over a smooth function of the variable that
varies less, which 40 Gauss-Legendre nodes take to 1e-7.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr

from mnbayes.analyses.published.readings import Evidence
from mnbayes.base.arrays import Floats

#: Gauss-Legendre nodes of the integral over noise or change.
NODES = 40


def loglik(evidence: Evidence, mean: Floats, sd: Floats) -> Floats:
    """Log likelihood of each row of evidence at one visit; broadcasts over mean and SD.

    Returns
    -------
    array, shape (row, ...)
    """
    rows = []
    mean, sd = np.asarray(mean, dtype=float), np.asarray(sd, dtype=float)
    for low, high, patients in zip(evidence.lower, evidence.upper, evidence.patients, strict=True):
        if low == high:
            z = (low - mean) / sd
            term = -0.5 * z**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
        else:
            a, b = (low - mean) / sd, (high - mean) / sd
            # From the nearer tail, where the digits are.
            flip = np.broadcast_to(a > 0, np.broadcast(a, b).shape)
            between = np.where(flip, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
            with np.errstate(divide="ignore"):
                term = np.log(between)
        rows.append(patients * term)
    return np.array(rows)


def least_nodes(visits: int) -> Floats:
    """Nodes and weights of expectations over the least of some standard normals, and over one.

    Parameters
    ----------
    visits : int
        How many the least is of.

    Returns
    -------
    array, shape (4, 40)
        Rows: nodes of the least, their weights; nodes of one standard normal, their weights.
        Weights sum to 1.
    """
    from scipy.stats import norm

    unit, weight = np.polynomial.legendre.leggauss(NODES)
    # Beyond seven SDs lie less than 1e-11; the least of several lies lower.
    rows = []
    for low, high, count in ((-7.0, 7.0 if visits == 1 else 4.5, visits), (-7.0, 7.0, 1)):
        u = 0.5 * (high - low) * unit + 0.5 * (high + low)
        w = weight * count * np.exp(norm.logpdf(u) + (count - 1) * norm.logsf(u))
        rows += [u, w / w.sum()]
    return np.array(rows)


def least_loglik(
    evidence: Evidence, mean: Floats, sd: Floats, noise: Floats, visits: int
) -> Floats:
    """Log likelihood of each row of evidence of the least of several visits; broadcasts.

    Parameters
    ----------
    evidence : Evidence
        Of each patient's least log ratio.
    mean, sd : array
        Of the patients' true changes.
    noise : array
        SD of a visit around the true change.
    visits : int
        How many it is the least of.

    Returns
    -------
    array, shape (row, ...)
    """
    shape = np.broadcast_shapes(*(np.shape(each) for each in (mean, sd, noise)))
    of_least, w_least, of_one, w_one = least_nodes(visits)
    centre, spread, error = (np.broadcast_to(each, shape).ravel() for each in (mean, sd, noise))
    out = np.zeros((evidence.lower.size, centre.size))
    # What varies less is summed over, what varies more has its distribution function.
    wide = spread >= error
    m, s, e = centre[wide], spread[wide], error[wide]
    out[:, wide] = _summed(evidence, m, e, s, 1, of_least, w_least)
    m, s, e = centre[~wide], spread[~wide], error[~wide]
    out[:, ~wide] = _summed(evidence, m, s, e, visits, of_one, w_one)
    with np.errstate(divide="ignore"):
        out = evidence.patients[:, None] * np.log(np.maximum(out, 0.0))
    return out.reshape(-1, *shape)


def _summed(
    evidence: Evidence,
    mean: Floats,
    inner: Floats,
    outer: Floats,
    count: int,
    nodes: Floats,
    weights: Floats,
) -> Floats:
    """Likelihood of each row, of ``mean + inner node + outer times the least of count normals``."""

    def terms(x: float) -> Iterator[tuple[float, Floats]]:
        at, step = (x - mean) / outer, inner / outer
        for node, weight in zip(nodes, weights, strict=True):
            yield weight, at - step * node

    def above(x: float) -> Floats:
        if np.isinf(x):
            return np.full(mean.size, float(x < 0))
        total = np.zeros(mean.size)
        for weight, z in terms(x):
            total += weight * ndtr(-z) ** count
        return total

    def density(x: float) -> Floats:
        total = np.zeros(mean.size)
        for weight, z in terms(x):
            total += weight * np.exp(-0.5 * z * z) * ndtr(-z) ** (count - 1)
        return np.asarray(total * count / (np.sqrt(2.0 * np.pi) * outer))

    rows = list(zip(evidence.lower, evidence.upper, strict=True))
    ends = {end: above(end) for end in {end for row in rows if row[0] != row[1] for end in row}}
    out = [density(low) if low == high else ends[low] - ends[high] for low, high in rows]
    return np.array(out).reshape(len(rows), mean.size)
