"""The collapsed likelihood against SciPy's multivariate normal and finite differences."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from mnbayes.models.effects import cholesky_from_unit
from mnbayes.numerics.groups import group_patients
from mnbayes.numerics.marginal import correlation_cholesky, marginal_loglik_and_gradient

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
        rng.gamma(2.0, size=n_marker),
        rng.normal(size=(n_visits - 1, n_marker)),
        rng.normal(size=n_marker),
        rng.gamma(2.0, size=n_marker),
        rng.gamma(2.0, size=n_marker),
        rng.uniform(0.1, 0.9, size=size * (size - 1) // 2),
        0.2 + rng.gamma(2.0, 0.3, size=n_marker),
        rng.gamma(2.0, 0.3, size=n_marker) if kind != "plain" else np.zeros(n_marker),
        3.0,
        weight,
        rng.normal(size=int(censored.sum())),
    ]
    return Case(parameters, y, covariate, groups.packed(), censored)


def direct_loglik(case: Case) -> float:
    """The same log-likelihood, one multivariate normal a patient, written from the model."""
    mean, change, visit_sd, offset, slope, base_sd, change_sd, unit = case.parameters[:8]
    sd, serial, time, weight, hidden = case.parameters[8:]
    n_marker = len(mean)
    factor = correlation_cholesky(2 * unit - 1, 2 * n_marker)
    scale = np.diag(np.concatenate([base_sd, change_sd]))
    effect_cov = scale @ factor @ factor.T @ scale
    y = case.log_value.copy()
    y[case.censored] = hidden
    total, cell = 0.0, 0
    for i, patient in enumerate(y):
        visits, markers = np.nonzero(np.isfinite(patient))
        m = len(visits)
        design = np.zeros((m, 2 * n_marker))
        mu = mean[markers].copy()
        noise = np.zeros((m, m))
        for a, (t, k) in enumerate(zip(visits, markers, strict=True)):
            design[a, k] = 1.0
            if t > 0:
                design[a, n_marker + k] = 1.0
                mu[a] += change[k] + visit_sd[k] * offset[t - 1, k] + slope[k] * case.covariate[i]
            for b, (t2, k2) in enumerate(zip(visits, markers, strict=True)):
                if k == k2:
                    noise[a, b] = serial[k] ** 2 * np.exp(-abs(WEEKS[t] - WEEKS[t2]) / time)
            noise[a, a] += sd[k] ** 2 / (weight[cell + a] if len(weight) else 1.0)
        cell += m
        cov = design @ effect_cov @ design.T + noise
        total += stats.multivariate_normal(mu, cov).logpdf(patient[visits, markers])
    return float(total)


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
        if position in (9, 10) and kind == "plain":
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
    case.parameters[8] = np.array([np.nan])
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
