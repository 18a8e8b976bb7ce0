"""Prior families: SciPy's side against PyMC's, and closed forms."""

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, stats

from mnbayes.cards import families as priors
from mnbayes.models.hyperparameters import cholesky_from_unit

ARGUMENTS = {
    "Normal": {"mu": 0.3, "sigma": 0.7},
    "StudentT": {"nu": 4.0, "mu": -0.2, "sigma": 0.5},
    "HalfNormal": {"sigma": 0.51},
    "HalfStudentT": {"nu": 3.0, "sigma": 0.4},
    "Exponential": {"lam": 2.5},
    "Gamma": {"alpha": 2.0, "beta": 0.1},
    "LogNormal": {"mu": 1.0, "sigma": 0.8},
}


def test_every_univariate_family_is_covered() -> None:
    assert set(ARGUMENTS) == set(priors.FAMILIES) - {"LKJ"}


@pytest.mark.parametrize("family", ARGUMENTS)
def test_density_is_pymc_s(family: str) -> None:
    arguments = ARGUMENTS[family]
    x = np.array([0.05, 0.4, 1.3, 3.0])
    expected = pm.logp(getattr(pm, family).dist(**arguments), x).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(priors.log_density(family, arguments, x), expected, rtol=1e-6)


@pytest.mark.parametrize("family", [f for f in ARGUMENTS if f not in ("Normal", "StudentT")])
def test_scale_families_have_no_mass_below_zero(family: str) -> None:
    assert priors.log_density(family, ARGUMENTS[family], -0.5) == -np.inf


@pytest.mark.parametrize("family", ARGUMENTS)
def test_quantile_inverts_the_density(family: str) -> None:
    arguments = ARGUMENTS[family]
    low, high = priors.quantile(family, arguments, [0.1, 0.9])
    mass = integrate.quad(lambda x: np.exp(priors.log_density(family, arguments, x)), low, high)[0]
    assert mass == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("family", ARGUMENTS)
def test_draws_follow_the_quantiles(family: str) -> None:
    arguments = ARGUMENTS[family]
    sample = priors.draw(family, arguments, (4000,), np.random.default_rng(1))
    share = np.mean(sample <= priors.quantile(family, arguments, 0.3))
    assert share == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 4000))


def test_half_normal_tail_statement() -> None:
    # P(SD > 1) = 5 % is what the card's 0.51 stands for.
    assert priors.quantile("HalfNormal", {"sigma": 0.51}, 0.95) == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("eta", [1.0, 2.0, 5.0])
def test_partial_correlations_make_the_lkj_distribution(size: int, eta: float) -> None:
    """Every correlation of LKJ(eta) is 2 Beta(a, a) - 1 with a = eta + (size - 2) / 2."""
    alpha = priors.partial_correlation_alpha(eta, size)
    unit = np.random.default_rng(2).beta(alpha, alpha, size=(4000, alpha.size))
    factor = cholesky_from_unit(unit, size)
    correlation = factor @ factor.transpose(0, 2, 1)
    marginal = stats.beta(eta + (size - 2) / 2, eta + (size - 2) / 2, loc=-1, scale=2)
    for i in range(size):
        for j in range(i):
            assert stats.kstest(correlation[:, i, j], marginal.cdf).pvalue > 1e-4


def test_lkj_of_two_by_two_has_the_textbook_density() -> None:
    # p(r) proportional to (1 - r^2)^(eta - 1); in u = (1 + r) / 2 a Beta(eta, eta).
    assert priors.partial_correlation_alpha(2.0, 2).tolist() == [2.0]
