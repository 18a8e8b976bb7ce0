"""The historical model with the effects of studies and arms integrated out, in NumPy.

Given the parameters above the studies the studies are independent, and each has one effect, with
one more for each of its arms where it has several. They are summed over by Gauss-Hermite
quadrature, in coordinates in which they are nearly standard normal: what they would be if each
arm's log odds were observed with a normal error, ``y`` with information ``I``. With
``r = y - alpha[c] - z . beta`` (:mod:`.model`), ``a = tau sqrt(rho)`` and
``b = tau sqrt(1 - rho)`` (for an arm alone in its study ``a = tau``, ``b = 0``)::

    Q[j] = 1 + b^2 I[j],  G[j] = I[j] / Q[j],  P = 1 + a^2 sum G
    u = a sum(G r) / P + w / sqrt(P)                        the study's effect
    v[j] = b I[j] (r[j] - a u) / Q[j] + w[j] / sqrt(Q[j])   the arm's
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from mnbayes.analyses.historical.design import COVARIATES, Design
from mnbayes.base.arrays import Floats

#: Points of the quadrature over an effect: off by less than 0.01 in a study's log likelihood.
POINTS = 9
#: Draws worked out at a time: what fits a processor's cache takes half the time.
BLOCK = 500
#: Coordinates among which an effect is drawn, evenly.
GRID = np.linspace(-4.8, 4.8, 41)


def working_observations(data: Design) -> tuple[Floats, Floats]:
    """Each arm's log odds as if observed with a normal error, and the information of that.

    They shape coordinates, not the model. An interval of counts is taken as its middle, with the
    variance of a uniform distribution over it added.

    Returns
    -------
    log_odds, information : array, shape (row,)
    """
    middle, width = (data.low + data.high) / 2, data.high - data.low
    rate = (middle + 0.5) / (data.n + 1.0)
    information = data.n * rate * (1.0 - rate)
    variance = 1.0 / information + width**2 / 12.0 / information**2
    return np.log(rate / (1.0 - rate)), data.weight / variance


def study_numbers(data: Design) -> list[Floats]:
    """Numbers of each study's arms, as :func:`study_likelihood` takes them.

    Returns
    -------
    list of array, shape (arm, 6 + coefficient)
        Patients, lowest and highest count, power of the likelihood, ``y``, ``I``, design.
    """
    columns = (data.n, data.low, data.high, data.weight, *working_observations(data))
    numbers = np.column_stack([*columns, data.x]).astype(float)
    return [numbers[data.study == study] for study in range(len(data.studies))]


def _interval(log_odds: Floats, n: float, low: float, high: float) -> Floats:
    """Log probability that a binomial count lies in an interval; up to a constant where exact."""
    odds = np.exp(-abs(log_odds))  # for or against: at most 1, so that nothing overflows
    none = -n * (np.maximum(log_odds, 0.0) + np.log1p(odds))
    if low == high:
        return np.asarray(none + low * log_odds)
    count = np.arange(low, high + 1.0)
    coefficient = gammaln(n + 1.0) - gammaln(count + 1.0) - gammaln(n - count + 1.0)
    terms = np.exp(coefficient - coefficient.max())
    up = log_odds > 0.0
    total = np.empty_like(odds)
    total[up], total[~up] = np.polyval(terms, odds[up]), np.polyval(terms[::-1], odds[~up])
    return np.asarray(none + np.where(up, high, low) * log_odds + np.log(total))


def _log_sum(terms: Floats) -> Floats:
    """Log of the sum of exponentials over the last axis; SciPy's takes three times as long."""
    largest = terms.max(axis=-1)
    return np.asarray(np.log(np.exp(terms - largest[..., None]).sum(axis=-1)) + largest)


def _nodes() -> tuple[Floats, Floats]:
    """Points of a standard normal, and the logs of their weights over its density's exponential."""
    z, weight = np.polynomial.hermite_e.hermegauss(POINTS)
    return z, np.log(weight / weight.sum()) + 0.5 * z**2


@dataclass(frozen=True)
class _Study:
    """A study at draws of the parameters above it: see the module's docstring.

    ``known`` is the log odds of its arms without effects, ``pull`` the mean of ``u``.
    """

    arms: Floats
    known: Floats
    a: Floats
    b: Floats
    q: Floats
    p: Floats
    pull: Floats

    @classmethod
    def at(cls, draws: Mapping[str, Floats], arms: Floats) -> _Study:
        tau = draws["between_study_sd"]
        a, b = tau, np.zeros_like(tau)
        if len(arms) > 1:
            rho = draws["arm_correlation"]
            a, b = tau * np.sqrt(rho), tau * np.sqrt(1.0 - rho)
        coefficients = np.column_stack([draws["class_log_odds"], *(draws[c] for c in COVARIATES)])
        known, y, information = coefficients @ arms[:, 6:].T, arms[:, 4], arms[:, 5]
        q = 1.0 + b[:, None] ** 2 * information
        p = 1.0 + a**2 * (information / q).sum(axis=1)
        pull = a * (information / q * (y - known)).sum(axis=1) / p
        return cls(arms, known, a, b, q, p, pull)

    def effect(self, w: Floats) -> Floats:
        """``u`` of coordinates, shape (draw, point)."""
        return np.asarray(self.pull[:, None] + w / np.sqrt(self.p)[:, None])

    def arm_effect(self, j: int, mean: Floats, w: Floats) -> Floats:
        """``v`` of an arm whose log odds would be ``mean`` without it; both (draw, ...)."""
        shape = (-1, *(1 for _ in range(mean.ndim - 1)))
        b, q = self.b.reshape(shape), self.q[:, j].reshape(shape)
        return np.asarray(b * self.arms[j, 5] * (self.arms[j, 4] - mean) / q + w / np.sqrt(q))

    def arm_loglik(self, j: int, log_odds: Floats) -> Floats:
        """Log likelihood of an arm's count."""
        n, low, high, power = self.arms[j, :4]
        return np.asarray(power * _interval(log_odds, n, low, high))

    def loglik(self, u: Floats) -> Floats:
        """Log likelihood given the study's effect, shape (draw, point); arms' integrated out."""
        total = np.zeros_like(u)
        z, log_weight = _nodes()
        for j in range(len(self.arms)):
            mean = self.known[:, j, None] + self.a[:, None] * u
            if len(self.arms) == 1:
                total += self.arm_loglik(j, mean)
                continue
            v = self.arm_effect(j, mean[..., None], z)
            log_odds = mean[..., None] + self.b[:, None, None] * v
            terms = log_weight - 0.5 * v**2 + self.arm_loglik(j, log_odds)
            total += _log_sum(terms) - 0.5 * np.log(self.q[:, j, None])
        return total


def study_precision(tau: Floats, rho: Floats, arms: Floats) -> tuple[Floats, Floats]:
    """Inverse covariance of a study's arms, were their log odds observed with normal errors.

    Returns
    -------
    g : array, shape (draw, arm)
    shared : array, shape (draw,)
        The inverse is ``diag(g) - shared g g'``.
    """
    a, b = tau, np.zeros_like(tau)
    if len(arms) > 1:
        a, b = tau * np.sqrt(rho), tau * np.sqrt(1.0 - rho)
    g = arms[:, 5] / (1.0 + b[:, None] ** 2 * arms[:, 5])
    return g, a**2 / (1.0 + a**2 * g.sum(axis=1))


def study_likelihood(draws: Mapping[str, Floats], arms: Floats) -> Floats:
    """Log likelihood of one study at draws of the parameters above it, up to a constant.

    Parameters
    ----------
    draws : mapping
        The draw on the first axis.
    arms : array
        One of :func:`study_numbers`.

    Returns
    -------
    array, shape (draw,)
    """
    z, log_weight = _nodes()
    out = np.empty(len(draws["between_study_sd"]))
    for start in range(0, out.size, BLOCK):
        block = slice(start, start + BLOCK)
        study = _Study.at({name: values[block] for name, values in draws.items()}, arms)
        u = study.effect(z)
        terms = log_weight - 0.5 * u**2 + study.loglik(u)
        out[block] = _log_sum(terms) - 0.5 * np.log(study.p)
    return out


def draw_log_odds(draws: Mapping[str, Floats], data: Design, rng: np.random.Generator) -> Floats:
    """Log odds of every arm, its effects drawn given the parameters above the studies.

    Each is drawn from its distribution over even cells of its coordinate.

    Returns
    -------
    array, shape (draw, row)
    """
    out = np.empty((len(draws["between_study_sd"]), len(data.labels)))
    for position, arms in enumerate(study_numbers(data)):
        rows = np.flatnonzero(data.study == position)
        for start in range(0, len(out), BLOCK):
            block = slice(start, start + BLOCK)
            study = _Study.at({name: values[block] for name, values in draws.items()}, arms)
            u = study.effect(GRID)
            u = study.effect(_drawn(study.loglik(u) - 0.5 * u**2, rng)[:, None])
            for j, row in enumerate(rows):
                mean = study.known[:, j, None] + study.a[:, None] * u
                if len(arms) > 1:
                    b = study.b[:, None]
                    v = study.arm_effect(j, mean, GRID)
                    w = _drawn(study.arm_loglik(j, mean + b * v) - 0.5 * v**2, rng)
                    mean = mean + b * study.arm_effect(j, mean, w[:, None])
                out[block, row] = mean[:, 0]
    return out


def _drawn(log_weight: Floats, rng: np.random.Generator) -> Floats:
    """One coordinate for each row of log probabilities of :data:`GRID`'s cells."""
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    below = np.cumsum(weight, axis=1)
    aim = rng.random(len(below)) * below[:, -1]
    cell = np.minimum((below < aim[:, None]).sum(axis=1), GRID.size - 1)
    at = np.arange(len(below)), cell
    share = 1.0 - (below[at] - aim) / weight[at]  # of the cell that lies below
    return np.asarray(GRID[cell] + (share - 0.5) * (GRID[1] - GRID[0]))
