"""The collapsed likelihood against SciPy's multivariate normal and finite differences."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from mnbayes.models.hyperparameters import cholesky_from_unit
from mnbayes.numerics.correlation_factor import correlation_cholesky
from mnbayes.numerics.groups import group_patients
from mnbayes.numerics.marginal_gradient import marginal_loglik_and_gradient

WEEKS = np.array([0.0, 1.0, 4.0, 12.0])


@dataclass
class Case:
    """Parameters and data of one evaluation."""

    parameters: list[np.ndarray | float]
    log_value: np.ndarray
    covariate: np.ndarray
    packed: np.ndarray
    censored: np.ndarray


def make_case(n_marker: int, kind: str) -> Case:
    rng = np.random.default_rng(n_marker)
    n_patients, n_visits, size = 6, len(WEEKS), 2 * n_marker
    y = rng.normal(size=(n_patients, n_visits, n_marker))
    y[5, 3] = np.nan
    y[2, 1, 0] = np.nan
    censored = np.zeros(y.shape, dtype=bool)
    if kind == "censored":
        censored[1, 2, 0] = censored[3, 3, n_marker - 1] = True
        y[censored] = np.nan
    covariate = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.5])
    groups = group_patients(y, censored, covariate, WEEKS, one_each=kind != "plain")
    weight = rng.gamma(4.0, 0.25, size=groups.visit.size if kind == "student" else 0)
    parameters = [
        rng.normal(size=n_marker),
        rng.normal(size=n_marker),
        rng.normal(size=n_marker),
        rng.gamma(2.0, size=n_marker),
        rng.gamma(2.0, size=n_marker),
        rng.gamma(2.0, size=n_marker),
        rng.uniform(0.1, 0.9, size=size * (size - 1) // 2),
        0.2 + rng.gamma(2.0, 0.3, size=n_marker),
        rng.gamma(2.0, 0.3, size=n_marker) if kind != "plain" else np.zeros(n_marker),
        3.0,
        weight,
        rng.normal(size=int(censored.sum())),
        # A sampled parameter has no prior SD here.
        np.where(np.arange(3 * n_marker + 1) == 1, 0.0, rng.gamma(2.0, size=3 * n_marker + 1)),
    ]
    return Case(parameters, y, covariate, groups.packed(), censored)


def direct_loglik(case: Case) -> float:
    """The same log-likelihood: one multivariate normal of all data, written from the model."""
    mean, change, slope, visit_sd, base_sd, change_sd, unit = case.parameters[:7]
    sd, serial, time, weight, hidden, fixed_sd = case.parameters[7:]
    n_marker = len(mean)
    factor = correlation_cholesky(2 * unit - 1, 2 * n_marker)
    scale = np.diag(np.concatenate([base_sd, change_sd]))
    effect_cov = scale @ factor @ factor.T @ scale
    y = case.log_value.copy()
    y[case.censored] = hidden
    cells = np.argwhere(np.isfinite(y))
    mu = np.zeros(len(cells))
    cov = np.zeros((len(cells),) * 2)
    a_sd, d_sd, s_sd = fixed_sd[:-1].reshape(3, n_marker)
    for a, (i, t, k) in enumerate(cells):
        x = case.covariate[i]
        mu[a] = mean[k] + (t > 0) * (change[k] + slope[k] * x)
        for b, (i2, t2, k2) in enumerate(cells):
            both = t > 0 and t2 > 0
            cov[a, b] += both * fixed_sd[-1] ** 2
            if k == k2:
                cov[a, b] += a_sd[k] ** 2
                cov[a, b] += both * (d_sd[k] ** 2 + s_sd[k] ** 2 * x * case.covariate[i2])
                cov[a, b] += (both and t == t2) * visit_sd[k] ** 2
            if i == i2:
                one = np.zeros((2, 2 * n_marker))
                one[0, k] = one[1, k2] = 1.0
                one[0, n_marker + k] = t > 0
                one[1, n_marker + k2] = t2 > 0
                cov[a, b] += one[0] @ effect_cov @ one[1]
                gap = abs(WEEKS[t] - WEEKS[t2])
                cov[a, b] += (k == k2) * serial[k] ** 2 * np.exp(-gap / time)
        cov[a, a] += sd[k] ** 2 / (weight[a] if len(weight) else 1.0)
    return float(stats.multivariate_normal(mu, cov).logpdf(y[tuple(cells.T)]))


@pytest.mark.parametrize("n_marker", [1, 2, 3])
@pytest.mark.parametrize("kind", ["plain", "student", "censored"])
def test_loglik_is_the_multivariate_normal(n_marker: int, kind: str) -> None:
    case = make_case(n_marker, kind)
    value = marginal_loglik_and_gradient(*case.parameters, case.packed)[0]
    assert value == pytest.approx(direct_loglik(case), rel=1e-10)


@pytest.mark.parametrize("n_marker", [1, 2])
@pytest.mark.parametrize("kind", ["plain", "student", "censored"])
def test_gradient_is_the_finite_difference(n_marker: int, kind: str) -> None:
    case = make_case(n_marker, kind)
    gradients = marginal_loglik_and_gradient(*case.parameters, case.packed)[1:]
    for position, gradient in enumerate(gradients):
        original = np.atleast_1d(np.asarray(case.parameters[position], dtype=float))
        if position in (8, 9) and kind == "plain":
            continue  # no serial part: its SD is exactly zero, a boundary
        for index in np.ndindex(original.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = original.copy()
                moved[index] += step
                arguments = list(case.parameters)
                arguments[position] = (
                    moved if np.ndim(case.parameters[position]) else float(moved[0])
                )
                values.append(marginal_loglik_and_gradient(*arguments, case.packed)[0])
            difference = (values[0] - values[1]) / 2e-5
            assert np.atleast_1d(gradient)[index] == pytest.approx(difference, rel=1e-5, abs=1e-6)


def test_groups_are_sufficient() -> None:
    """Patients in groups give the same likelihood as every patient on its own."""
    case = make_case(2, "plain")
    single = group_patients(case.log_value, case.censored, case.covariate, WEEKS, one_each=True)
    together = marginal_loglik_and_gradient(*case.parameters, case.packed)
    apart = marginal_loglik_and_gradient(*case.parameters, single.packed())
    for left, right in zip(together, apart, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)


def test_groups_of_equal_patients_merge() -> None:
    y = np.zeros((100, 4, 1))
    groups = group_patients(y, np.zeros(y.shape, bool), np.zeros(100), WEEKS, one_each=False)
    assert groups.size.tolist() == [100.0]
    assert groups.mean.tolist() == [0.0] * 4


def test_impossible_covariance_is_rejected_not_raised() -> None:
    case = make_case(1, "plain")
    case.parameters[7] = np.array([np.nan])
    assert marginal_loglik_and_gradient(*case.parameters, case.packed)[0] == -np.inf


def test_cholesky_of_two_by_two_is_the_closed_form() -> None:
    factor = correlation_cholesky(np.array([0.6]), 2)
    np.testing.assert_allclose(factor, [[1.0, 0.0], [0.6, 0.8]])


def test_vectorised_cholesky_is_the_compiled_one() -> None:
    unit = np.random.default_rng(1).uniform(size=(5, 6))
    factors = cholesky_from_unit(unit, 4)
    for row, factor in zip(unit, factors, strict=True):
        np.testing.assert_allclose(factor, correlation_cholesky(2 * row - 1, 4))
        np.testing.assert_allclose(np.diag(factor @ factor.T), 1.0)
