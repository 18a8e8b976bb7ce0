"""Published sensitivity analyses, reproduced: six priors on one meta-analysis, and power scaling.

*Magnesium*: eight trials of magnesium in myocardial infarction under six priors of the
between-trial SD (BUGS examples, volume 1: "Sensitivity to prior distributions").
Numbers: MultiBUGS, github.com/MultiBUGS/MultiBUGS-txt, Examples/Magnesium.odc.cp at commit
1249f62e940bec9fb91f0fd9d50ba08effc72341, the last run of 2,000,000 draws. Here they come from
numerical integration that shares nothing with BUGS; then mnbayes's own functions judge them.

*Normal*: power scaling of a normal model by priorsense 1.x under JAGS, 4,000 draws,
github.com/n-kall/priorsense, articles/priorsense_with_jags.md at commit
581b62bf82fab8fc071293daf89b5cd5801b6429. The data enter through their number, mean and SD
(25, 9.844, 0.7697835: R/example_powerscale_model.R and articles/powerscaling.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from mnbayes.analyses.sensitivity.power_scaling import CONFLICT, NONE, diagnose
from mnbayes.answers.conclusions import conclusion, flip
from mnbayes.inference.importance_weights import (
    near_weights,
    scaled_weights,
    sensitivity,
    weighted_mean,
)

type Array = NDArray[np.float64]

#: Deaths and patients with magnesium and without: Morton, Rasmussen, Smith, Abraham, Feldstedt,
#: Schechter, Ceremuzynski, LIMIT-2.
TREATED = np.array([[1, 9, 2, 1, 10, 1, 1, 90], [40, 135, 200, 48, 150, 59, 25, 1159]])
CONTROL = np.array([[2, 23, 7, 1, 8, 9, 3, 118], [36, 135, 200, 46, 148, 56, 23, 1157]])

#: Prior to median and 95 % interval of the odds ratio, then mean, median and interval of tau.
PUBLISHED = {
    "gamma on precision": (0.4719, 0.1912, 0.7849, 0.5364, 0.4650, 0.0447, 1.492),
    "uniform on variance": (0.3831, 0.1092, 0.9722, 1.1230, 0.9810, 0.3074, 2.796),
    "uniform on SD": (0.4170, 0.1460, 0.8399, 0.8161, 0.7226, 0.1307, 2.047),
    "uniform shrinkage": (0.4633, 0.2191, 0.7656, 0.4864, 0.4395, 0.1063, 1.139),
    "DuMouchel": (0.4737, 0.2026, 0.7786, 0.5032, 0.4456, 0.02613, 1.345),
    "half-normal on variance": (0.4340, 0.2151, 0.7649, 0.5595, 0.5579, 0.1991, 0.9292),
}


def log_priors(tau: Array) -> dict[str, Array]:
    """Log prior densities of tau, up to a constant, in the order of the published table."""
    cells = np.concatenate([part for arm in (TREATED, CONTROL) for part in (arm[:1], arm[1:])])
    variances = (1 / (cells[::2] + 0.5) + 1 / (cells[1::2] - cells[::2] + 0.5)).sum(axis=0)
    s0 = 1 / np.mean(1 / variances)
    assert s0 == pytest.approx(0.1272041, abs=1e-6)  # as in Stan's version of the example
    densities = (
        stats.gamma(0.001, scale=1000).logpdf(tau**-2.0) - 3 * np.log(tau),
        np.where(tau**2 < 50, np.log(tau), -np.inf),
        np.zeros_like(tau),
        np.log(tau) - 2 * np.log(s0 + tau**2),
        -2 * np.log(np.sqrt(s0) + tau),
        # BUGS's phi is the normal distribution function.
        np.log(tau) - stats.norm.cdf(0.75) / s0 * tau**4 / 2,
    )
    return dict(zip(PUBLISHED, densities, strict=True))


@dataclass(frozen=True)
class Meta:
    """The log-likelihood of mean log odds ratio (rows) and between-trial SD (columns)."""

    mu: Array
    tau: Array
    loglik: Array

    def posterior(self, log_prior: Array, power: float = 1.0) -> Array:
        width = np.gradient(self.tau)
        log_density = self.loglik + power * log_prior + np.log(width)
        density: Array = np.exp(log_density - log_density.max())
        return density / density.sum()


@cache
def meta() -> Meta:
    """Control risks uniform, integrated out by Gauss-Legendre; trials' effects on a grid."""
    effect = np.arange(-22.0, 16.0, 0.02)
    node, weight = np.polynomial.legendre.leggauss(300)
    risk, weight = (node + 1) / 2, weight / 2
    logit = special.logit(risk) + effect[:, None]
    rows = []
    for treated, n_treated, control, n_control in zip(*TREATED, *CONTROL, strict=True):
        of_control = special.xlogy(control, risk) + special.xlog1py(n_control - control, -risk)
        of_treated = treated * logit - n_treated * np.logaddexp(0, logit)
        rows.append(special.logsumexp(of_control + of_treated, b=weight, axis=1))
    log_trial = np.array(rows)
    log_trial -= log_trial.max(axis=1, keepdims=True)
    trial = np.exp(log_trial)

    mu = np.arange(-6.0, 4.001, 0.04)
    tau = np.exp(np.linspace(np.log(2e-3), np.log(15), 140))
    node, weight = np.polynomial.hermite_e.hermegauss(31)
    loglik = np.empty((mu.size, tau.size))
    for column, sd in enumerate(tau):
        if sd < 0.2:  # narrower than the grid resolves: Gauss-Hermite around mu
            at = mu[:, None] + sd * node
            values = [np.interp(at, effect, each) @ weight for each in trial]
            total = np.log(np.array(values) / weight.sum()).sum(axis=0)
        else:
            kernel = np.exp(-0.5 * ((mu[:, None] - effect) / sd) ** 2) / sd
            total = np.log(kernel @ trial.T * 0.02 / np.sqrt(2 * np.pi)).sum(axis=1)
        loglik[:, column] = total
    return Meta(mu, tau, loglik)


def quantiles(values: Array, weights: Array, probabilities: tuple[float, ...]) -> Array:
    cumulated = np.cumsum(weights) - weights / 2
    return np.asarray(np.interp(probabilities, cumulated / weights.sum(), values))


@pytest.mark.parametrize("prior", PUBLISHED)
def test_magnesium_under_six_priors(prior: str) -> None:
    found = meta().posterior(log_priors(meta().tau)[prior])
    odds = np.exp(quantiles(meta().mu, found.sum(axis=1), (0.5, 0.025, 0.975)))
    spread = found.sum(axis=0)
    sds = quantiles(meta().tau, spread, (0.5, 0.025, 0.975))
    ours = (*odds, (meta().tau * spread).sum(), *sds)
    # Two million correlated draws: errors of at most half a percent of the numbers that are
    # not near 0, and of the grid.
    assert ours == pytest.approx(PUBLISHED[prior], rel=0.015, abs=0.004)


def test_the_published_conclusion_is_robust_and_the_heterogeneity_is_not() -> None:
    below, above = {}, {}
    for name, log_prior in log_priors(meta().tau).items():
        found = meta().posterior(log_prior)
        below[name] = found[meta().mu < 0].sum()
        above[name] = found[:, meta().tau > 0.5].sum()
    # Every published interval of the odds ratio ends below 1, and so says each probability.
    assert {conclusion(p, 0.975) for p in below.values()} == {"likely"}
    base = below["gamma on precision"], 0.001
    assert {flip(base, (p, 0.001), 0.8) for p in below.values()} == {"no"}
    # The published medians of tau lie on both sides of 0.5, so P(tau > 0.5) crosses one half ...
    for name, published in PUBLISHED.items():
        assert (above[name] > 0.5) == (published[4] > 0.5)
    # ... and it is likely under one prior and not under another.
    reference = above["uniform shrinkage"], 0.001
    assert conclusion(reference[0], 0.8) == "uncertain"
    assert flip(reference, (above["uniform on variance"], 0.001), 0.8) == "yes"


def test_power_scaling_of_magnesium_agrees_with_scaling_the_prior_exactly() -> None:
    log_prior = log_priors(meta().tau)["half-normal on variance"]
    density = meta().posterior(log_prior)
    rng = np.random.default_rng(1)
    cell = rng.choice(density.size, 40_000, p=density.ravel())
    row, column = (index.reshape(4, -1) for index in np.unravel_index(cell, density.shape))
    mu, tau, at_draws = meta().mu[row], meta().tau[column], log_prior[column]
    for power in (0.5, 2.0):
        exact = meta().posterior(log_prior, power)
        weights, khat = scaled_weights(at_draws, power)
        assert khat < 0.7
        for draws, expected in (
            ((mu < 0).astype(float), exact[meta().mu < 0].sum()),
            (tau, (meta().tau * exact.sum(axis=0)).sum()),
        ):
            value, error = weighted_mean(draws, weights, draws.size)
            assert value == pytest.approx(expected, abs=4 * error)
    # The prior matters for the spread between trials and hardly for the odds ratio.
    near = near_weights(at_draws)
    assert sensitivity(tau, near)[0] > 0.05
    assert sensitivity(mu, near)[0] < 0.05


def test_power_scaling_agrees_with_priorsense() -> None:
    n, mean, sd = 25, 9.844, 0.7697835
    centre, scale = np.linspace(mean - 2.8, mean + 0.6, 1701), np.linspace(0.45, 2.6, 1101)

    def loglik(mu: Array, sigma: Array) -> Array:
        squares = (n - 1) * sd**2 + n * (mean - mu) ** 2
        return np.asarray(-n * np.log(sigma) - squares / (2 * sigma**2))

    def prior_of_mu(mu: Array) -> Array:
        return np.asarray(-(mu**2) / 2)

    def prior_of_sigma(sigma: Array) -> Array:
        return np.asarray(-(sigma**2) / (2 * 2.5**2))

    grid = centre[:, None], scale[None]
    log_density = loglik(*grid) + prior_of_mu(grid[0]) + prior_of_sigma(grid[1])
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    rng = np.random.default_rng(2)
    found = []
    for _ in range(8):
        cell = rng.choice(density.size, 4000, p=density.ravel())
        row, column = (index.reshape(4, -1) for index in np.unravel_index(cell, density.shape))
        mu = centre[row] + np.ptp(centre) / 1700 * (rng.random(row.shape) - 0.5)
        sigma = scale[column] + np.ptp(scale) / 1100 * (rng.random(row.shape) - 0.5)
        own, other, data = prior_of_mu(mu), prior_of_sigma(sigma), loglik(mu, sigma)
        found.append(
            [
                sensitivity(draws, near_weights(log_density))[0]
                for log_density in (own + other, data, own, other)
                for draws in (mu, sigma)
            ]
        )
    # Both priors, the likelihood, the prior of mu alone, that of sigma alone: mu, then sigma.
    published = np.array([0.376, 0.252, 0.524, 0.468, 0.379, 0.258, 0.003, 0.006])
    # The page for Stan, on the same model, has 0.433, 0.359, 0.641, 0.674, 0.438, 0.369, 0.006,
    # 0.010: the published values themselves vary by more than the spread allowed here.
    spread = np.std(found, axis=0, ddof=1)
    ours = np.mean(found, axis=0)
    assert np.all(np.abs(ours - published) < 3.5 * spread + 0.01)
    assert [diagnose(p, ours[2 + i]) for i, p in enumerate(ours[:2])] == [CONFLICT, CONFLICT]
    assert [diagnose(p, ours[2 + i]) for i, p in enumerate(ours[6:])] == [NONE, NONE]
