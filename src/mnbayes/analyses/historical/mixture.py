"""Mixtures of beta distributions: a sampled distribution of a rate as a conjugate prior.

A mixture of a few betas comes as close as one likes to a distribution on (0, 1) (Dalal and Hall
1983, JRSS B 45:278), and its posterior after binomial data is a mixture again. With a vague
component beside the fitted ones it is *robust*: where new data contradict history, the vague one
takes over (Schmidli et al. 2014, doi:10.1111/biom.12242).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnbayes.base.arrays import Floats

#: The penalty of RBesT's ``automixfit`` for each parameter (AIC's would be 2): few components.
PENALTY = 6.0
#: Points that the mixture is fitted to; more draws are taken together.
MOST_DRAWS = 2000
_SMALLEST_WEIGHT = 1e-4
#: EM stops where a round adds less than this to the log-likelihood of a draw.
_ENOUGH = 2e-7


@dataclass(frozen=True, eq=False)
class BetaMixture:
    """A mixture of beta distributions.

    Attributes
    ----------
    weight, a, b : array, shape (component,)
        Weights add up to 1. In a robust mixture the vague component is the last.
    """

    weight: Floats
    a: Floats
    b: Floats

    @property
    def mean(self) -> float:
        """Expected rate."""
        return float(self.weight @ (self.a / (self.a + self.b)))

    @property
    def sd(self) -> float:
        """Standard deviation of the rate."""
        total = self.a + self.b
        second = self.a * (self.a + 1) / (total * (total + 1))
        return float(np.sqrt(self.weight @ second - self.mean**2))

    def density(self, rate: ArrayLike) -> Floats:
        """Density; shape of ``rate``."""
        return np.exp(_log_components(rate, self)) @ self.weight

    def cdf(self, rate: ArrayLike) -> Floats:
        """Probability below ``rate``; its shape."""
        from scipy.special import betainc

        return np.asarray(betainc(self.a, self.b, np.asarray(rate)[..., None]) @ self.weight)

    def quantile(self, probability: float) -> float:
        """Rate below which this probability lies."""
        from scipy.optimize import brentq

        return float(brentq(lambda rate: float(self.cdf(rate)) - probability, 0.0, 1.0, xtol=1e-10))

    def predictive(self, n: int) -> Floats:
        """Probability of 0, 1, …, n of n patients; beta-binomial, shape (n + 1,)."""
        return np.exp(_log_beta_binomial(np.arange(n + 1), n, self.a, self.b)) @ self.weight

    def updated(self, remission: int, n: int) -> BetaMixture:
        """The posterior after ``remission`` of ``n``; the weights move too."""
        log_weight = np.log(self.weight) + _log_beta_binomial(
            np.array([remission]), n, self.a, self.b
        )
        weight = np.exp(log_weight[0] - log_weight.max())
        return BetaMixture(weight / weight.sum(), self.a + remission, self.b + n - remission)

    def robust(self, weight: float, a: float = 1.0, b: float = 1.0) -> BetaMixture:
        """With a vague component of this prior weight in the last place."""
        weights = np.append((1.0 - weight) * self.weight, weight)
        return BetaMixture(weights, np.append(self.a, a), np.append(self.b, b))

    @property
    def text(self) -> str:
        """Such as ``0.61 Beta(4.1, 13.2) + 0.39 Beta(1.7, 3.8)``."""
        parts = zip(self.weight, self.a, self.b, strict=True)
        return " + ".join(f"{w:.2f} Beta({a:.1f}, {b:.1f})" for w, a, b in parts)


def _log_components(rate: ArrayLike, mixture: BetaMixture) -> Floats:
    """Log density of each component on the last axis."""
    from scipy.special import betaln, xlog1py, xlogy

    x = np.asarray(rate, dtype=float)[..., None]
    return np.asarray(
        xlogy(mixture.a - 1, x) + xlog1py(mixture.b - 1, -x) - betaln(mixture.a, mixture.b)
    )


def _log_beta_binomial(count: NDArray[np.int64], n: int, a: Floats, b: Floats) -> Floats:
    """Log probability of counts under each component; shape (count, component)."""
    from scipy.special import betaln, gammaln

    k = count[:, None]
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.asarray(choose + betaln(k + a, n - k + b) - betaln(a, b))


def fit_beta_mixture(draws: ArrayLike, most: int = 4) -> BetaMixture:
    """Fit mixtures of 1 to ``most`` betas by maximum likelihood and keep the best.

    Parameters
    ----------
    draws : array
        Draws of a rate, inside (0, 1); any shape.
    most : int

    Returns
    -------
    BetaMixture
        By the log-likelihood less :data:`PENALTY` / 2 for each parameter, one more component as
        long as that gains, ordered by weight. No component has ``a`` or ``b`` below 1: a
        logit-normal's density vanishes at 0 and 1, that of such a component is infinite there.

    Raises
    ------
    ValueError
        If a draw is not inside (0, 1).
    """
    x = np.sort(np.ravel(np.asarray(draws, dtype=float)))
    if not x.size or not 0 < x[0] <= x[-1] < 1:
        raise ValueError("a beta mixture needs draws inside (0, 1)")
    # Of very many draws, neighbours are taken together: their mean stands for them.
    copies = -(-x.size // MOST_DRAWS)
    x = np.array([part.mean() for part in np.array_split(x, x.size // copies)]) if copies > 1 else x
    best, reached = _em(x, 1)
    for count in range(2, most + 1):
        richer, loglik = _em(x, count)
        if copies * (loglik - reached) <= PENALTY / 2 * 3:
            break
        best, reached = richer, loglik
    order = np.argsort(-best.weight)
    return BetaMixture(best.weight[order], best.a[order], best.b[order])


def _em(x: Floats, count: int, steps: int = 300) -> tuple[BetaMixture, float]:
    """Expectation-maximisation from equal slices of the sorted draws; with the log-likelihood."""
    from scipy.special import betaln

    logs = np.stack([np.log(x), np.log1p(-x)])
    slices = np.array_split(x, count)
    start = np.array([_moments(part) for part in slices])
    mixture = BetaMixture(np.full(count, 1.0 / count), start[:, 0], start[:, 1])
    before = -np.inf
    for _ in range(steps):
        ends = betaln(mixture.a, mixture.b) - np.log(mixture.weight)
        joint = logs.T @ np.stack([mixture.a - 1, mixture.b - 1]) - ends
        top = joint.max(axis=1)
        share = np.exp(joint - top[:, None])
        each = share.sum(axis=1)
        reached = float(np.sum(top + np.log(each)))
        if reached - before < _ENOUGH * x.size:
            break
        before = reached
        share /= each[:, None]
        mass = np.maximum(share.sum(axis=0), _SMALLEST_WEIGHT * x.size)
        a, b = _improve(logs @ share / mass, mixture.a, mixture.b)
        mixture = BetaMixture(mass / mass.sum(), a, b)
    return mixture, before


def _moments(x: Floats) -> tuple[float, float]:
    """A beta with the mean of a slice and twice its SD, so that slices overlap at the start."""
    mean, variance = float(x.mean()), 4.0 * float(x.var()) + 1e-6
    total = max(mean * (1 - mean) / variance - 1.0, 2.0)
    return max(mean * total, 1.0), max((1 - mean) * total, 1.0)


def _improve(mean_logs: Floats, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Betas of higher likelihood given mean log rate and mean log (1 - rate).

    A few Newton steps in log a and log b, which end at the maximum once the mixture stands still
    (generalised EM: Dempster, Laird and Rubin 1977, JRSS B 39:1).
    """
    from scipy.special import polygamma, psi

    for _ in range(3):
        ga, gb = psi(a + b) - psi(a) + mean_logs[0], psi(a + b) - psi(b) + mean_logs[1]
        both = polygamma(1, a + b)
        haa, hbb = both - polygamma(1, a), both - polygamma(1, b)
        determinant = haa * hbb - both**2  # positive: the likelihood is concave in a and b
        da = np.clip((both * gb - hbb * ga) / determinant / a, -1.0, 1.0)
        db = np.clip((both * ga - haa * gb) / determinant / b, -1.0, 1.0)
        a, b = np.maximum(a * np.exp(da), 1.0), np.maximum(b * np.exp(db), 1.0)
    return a, b
