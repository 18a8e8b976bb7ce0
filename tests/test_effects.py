"""Exact draws of patient effects, serial parts and measurements."""

import dataclasses

import numpy as np
import pytest
from conftest import simulate_cohort
from scipy import stats

from mnbayes.cards.card import load_card
from mnbayes.data.observations import Observations, observations
from mnbayes.models import effects as fx
from mnbayes.models.hyperparameters import Hyperparameters, cholesky_from_unit

N = 40_000


def parameters(n_marker: int, serial: float = 0.0) -> Hyperparameters:
    """The same parameters in every draw, so that draws estimate one distribution."""
    rng = np.random.default_rng(5)
    size = 2 * n_marker

    def repeat(value: np.ndarray) -> np.ndarray:
        return np.repeat(np.asarray(value, dtype=float)[None], N, axis=0)

    unit = rng.uniform(0.3, 0.7, size=size * (size - 1) // 2)
    return Hyperparameters(
        baseline_mean=repeat(rng.normal(size=n_marker)),
        visit_change=repeat(rng.normal(size=(2, n_marker))),
        slope=repeat(np.zeros(n_marker)),
        baseline_sd=repeat(0.5 + rng.uniform(size=n_marker)),
        change_sd=repeat(0.5 + rng.uniform(size=n_marker)),
        residual_sd=repeat(0.3 + rng.uniform(size=n_marker)),
        cholesky=repeat(cholesky_from_unit(unit[None], size)[0]),
        serial_sd=repeat(np.full(n_marker, serial)),
        serial_weeks=repeat(np.array(2.0)),
        residual_df=np.full(N, np.inf),
    )


def data(n_marker: int) -> Observations:
    markers = ("urine_protein_24h", "albumin")[:n_marker]
    card = load_card("proteinuria" if n_marker == 1 else "remission")
    out = observations(card, simulate_cohort(3, markers=markers))
    y = np.random.default_rng(7).normal(size=out.log_value.shape)
    y[2, 2] = np.nan  # a missed visit
    return dataclasses.replace(out, log_value=y)


def analytic(p: Hyperparameters, obs: Observations, patient: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a patient's levels given the data, by Gaussian conditioning."""
    weeks, k = np.array(obs.weeks), p.baseline_mean.shape[1]
    cells = [(t, m) for t in range(weeks.size) for m in range(k)]
    design = np.zeros((len(cells), 2 * k))
    mean, serial = np.zeros(len(cells)), np.zeros((len(cells),) * 2)
    for a, (t, m) in enumerate(cells):
        design[a, m] = 1.0
        design[a, k + m] = t > 0
        mean[a] = p.baseline_mean[0, m] + (p.visit_change[0, t - 1, m] if t else 0.0)
        for b, (t2, m2) in enumerate(cells):
            gap = abs(weeks[t] - weeks[t2])
            serial[a, b] = (m == m2) * p.serial_sd[0, m] ** 2 * np.exp(-gap / p.serial_weeks[0])
    factor = p.effect_cholesky[0]
    level = design @ factor @ factor.T @ design.T + serial
    y = obs.log_value[patient].ravel()
    seen = np.isfinite(y)
    noise = np.diag(np.array([p.residual_sd[0, m] ** 2 for _, m in cells])[seen])
    gain = level[:, seen] @ np.linalg.inv(level[np.ix_(seen, seen)] + noise)
    return mean + gain @ (y - mean)[seen], level - gain @ level[seen]


@pytest.mark.parametrize("n_marker", [1, 2])
@pytest.mark.parametrize("serial", [0.0, 0.6])
def test_conditional_levels_have_the_gaussian_mean_and_covariance(
    n_marker: int, serial: float
) -> None:
    p, obs = parameters(n_marker, serial), data(n_marker)
    deviations = fx.conditional_deviations(p, obs, np.random.default_rng(1))
    level = fx.levels(p, *deviations, obs.covariate).reshape(N, 3, -1)
    for patient in range(3):
        mean, cov = analytic(p, obs, patient)
        error = np.sqrt(np.diag(cov) / N)
        assert np.all(np.abs(level[:, patient].mean(axis=0) - mean) < 5 * error)
        np.testing.assert_allclose(np.cov(level[:, patient].T), cov, atol=0.03 * np.diag(cov).max())


def test_weights_are_those_of_the_cells() -> None:
    """A cell with a huge weight pins the level to its value; the others hardly matter."""
    p, obs = parameters(1), dataclasses.replace(data(1), weights=True)
    weight = np.full((N, obs.groups.visit.size), 1e-9)
    weight[:, 1] = 1e9  # the first patient's second visit
    level = fx.levels(
        p, *fx.conditional_deviations(p, obs, np.random.default_rng(1), weight), obs.covariate
    )
    np.testing.assert_allclose(level[:, 0, 1, 0], obs.log_value[0, 1, 0], atol=1e-3)
    assert level[:, 1, 1, 0].std() > 0.5


def test_a_patient_without_data_follows_the_population() -> None:
    p = parameters(1)
    obs = data(1)
    empty = dataclasses.replace(obs, log_value=np.full(obs.log_value.shape, np.nan))
    effects, _ = fx.conditional_deviations(p, empty, np.random.default_rng(2))
    assert effects[:, 0, 0].std() == pytest.approx(p.baseline_sd[0, 0], rel=0.02)


def test_serial_cholesky_is_the_exponential_kernel() -> None:
    weeks = np.array([0.0, 1.0, 2.0, 4.0, 12.0])
    factor = fx.serial_cholesky(weeks, np.array([3.0, 0.5]))
    for i, time in enumerate((3.0, 0.5)):
        kernel = np.exp(-np.abs(weeks[:, None] - weeks) / time)
        np.testing.assert_allclose(factor[i] @ factor[i].T, kernel, atol=1e-12)


def test_measurements_are_levels_with_residual_noise() -> None:
    p = parameters(1)
    level = np.zeros((N, 1, 3, 1))
    noise = fx.measurements(level, p, np.random.default_rng(3))[:, 0, 0, 0] / p.residual_sd[0, 0]
    assert stats.kstest(noise[:5000], "norm").pvalue > 1e-4
    heavy = dataclasses.replace(p, residual_df=np.full(N, 3.0))
    noise = (
        fx.measurements(level, heavy, np.random.default_rng(3))[:, 0, 0, 0] / p.residual_sd[0, 0]
    )
    assert stats.kstest(noise[:5000], stats.t(3).cdf).pvalue > 1e-4
