"""Serial parts and measurements of a population's patients."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

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


def test_drifts_fade_in_each_patient_s_own_times() -> None:
    p = parameters(1, serial=0.6)
    times = np.array([[0.0, 1.0, 4.0], [-1.0, 1.5, 3.0], [0.0, 1.0, 4.0]])
    drift = fx.prior_deviations(p, times, 3, np.random.default_rng(4))[1]
    assert drift is not None
    for patient, own in enumerate(times):
        expected = 0.36 * np.exp(-np.abs(own[:, None] - own) / 2.0)
        found = np.cov(drift[:, patient, :, 0].T)
        np.testing.assert_allclose(found, expected, atol=5 * 0.36 * np.sqrt(2 / N))
        visits, marker = np.arange(3), np.zeros(3, dtype=np.int64)
        noise = np.zeros((N, 3))
        with_drift, without = (
            fx.cell_covariance(each, own, visits, marker, noise)[0] for each in (p, parameters(1))
        )
        np.testing.assert_allclose(with_drift - without, expected)
    assert np.corrcoef(drift[:, :, 1, 0].T) == pytest.approx(np.eye(3), abs=0.025)


def test_equal_times_are_one_schedule() -> None:
    p = parameters(2, serial=0.6)
    weeks = np.array([0.0, 1.0, 4.0])
    once, each = (
        fx.prior_deviations(p, times, 3, np.random.default_rng(4))
        for times in (weeks, np.tile(weeks, (3, 1)))
    )
    for first, second in zip(once, each, strict=True):
        np.testing.assert_array_equal(first, second)
