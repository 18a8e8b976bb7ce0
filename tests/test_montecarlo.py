from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mnbayes.base.montecarlo import effective_draws, mcse, normal_points, round_to_mcse


def autoregressive(rho: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    for t in range(1, shape[1]):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    return x


def test_independent_indicators_have_the_binomial_error() -> None:
    rng = np.random.default_rng(1)
    p = np.array([0.05, 0.3, 0.5, 0.9])
    draws = rng.random((4, 2000, 4)) < p
    np.testing.assert_allclose(mcse(draws), np.sqrt(p * (1 - p) / 8000), rtol=0.1)


def test_correlated_draws_have_the_error_of_their_spectrum() -> None:
    rho = 0.7
    expected = np.sqrt((1 + rho) / (1 - rho) / 20_000)
    assert mcse(autoregressive(rho, (4, 5000), 2)) == pytest.approx(expected, rel=0.1)
    ess = effective_draws(autoregressive(rho, (4, 5000), 2))
    assert ess == pytest.approx(20_000 * (1 - rho) / (1 + rho), rel=0.2)


def test_the_error_covers_the_truth() -> None:
    # 95 % of 200 estimates from correlated chains lie within 1.96 errors of the truth.
    draws = autoregressive(0.5, (4, 500, 200), 3) > 1.0
    z = (draws.mean(axis=(0, 1)) - stats.norm.sf(1.0)) / mcse(draws)
    assert 0.88 < np.mean(np.abs(z) < 1.96) < 0.99


@pytest.mark.parametrize("value", [False, True])
def test_certain_draws_do_not_claim_certainty(value: bool) -> None:
    draws = np.full((4, 250, 2), value)
    np.testing.assert_allclose(mcse(draws), 1 / 1001)


def test_the_driver_says_how_many_draws_stand_behind_certain_ones() -> None:
    driver = autoregressive(0.9, (4, 1000), 4)
    effective = float(effective_draws(driver))
    assert effective < 600
    draws = driver > 100
    assert mcse(draws, driver) == pytest.approx(1 / (effective + 1))
    # where the indicator varies, its own draws decide
    assert mcse(driver > 0, driver) == mcse(driver > 0)


def test_a_constant_that_is_no_probability_bound_is_exact() -> None:
    assert mcse(np.full((2, 100), 0.4)) == 0


def test_shapes_mixed_columns_and_nothing() -> None:
    rng = np.random.default_rng(5)
    draws = rng.random((4, 100, 3, 2)) < 0.5
    draws[..., 1, 0] = False
    error = mcse(draws, rng.standard_normal(draws.shape))
    assert error.shape == (3, 2)
    assert error[0, 1] == mcse(draws[..., 0, 1])
    assert 1 / 401 <= error[1, 0] < 1 / 200
    assert mcse(draws[:, :, :0]).shape == (0, 2)
    assert effective_draws(draws[:, :, :0]).shape == (0, 2)


def test_antithetic_draws_do_not_count_for_more_than_they_are() -> None:
    assert effective_draws(autoregressive(-0.8, (4, 500), 6)) == 2000


def test_normal_points_are_normal_fixed_and_better_than_chance() -> None:
    points = normal_points(512, 4, 1)
    assert points.shape == (512, 4)
    assert np.isfinite(points).all()
    np.testing.assert_array_equal(points, normal_points(512, 4, 1))
    assert not np.array_equal(points, normal_points(512, 4, 2))
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(np.cov(points.T), np.eye(4), atol=0.05)
    for threshold in (-1.5, 0.0, 0.7):
        share = np.mean(points.sum(axis=1) / 2 < threshold)
        assert share == pytest.approx(stats.norm.cdf(threshold), abs=0.012)


@pytest.mark.parametrize(
    ("probability", "mcse", "text"),
    [
        (0.6234, 0.0077, "62 %"),
        (0.6234, 0.0100, "62 %"),
        (0.6234, 0.0101, "62 ± 1 %"),
        (0.6384, 0.02, "64 ± 2 %"),
        (0.6384, 0.06, "64 ± 6 %"),
        (0.6384, 0.2, "64 ± 20 %"),
        (0.0, 0.00025, "<1 %"),
        (0.004, 0.001, "<1 %"),
        (1.0, 0.00025, ">99 %"),
        (0.9975, 0.0008, ">99 %"),
        (0.01, 0.03, "<3 %"),
        (0.01, 0.0101, "<2 %"),
        (0.012, 0.0101, "1 ± 1 %"),
        (0.99, 0.03, ">97 %"),
        (0.0, 0.0, "0 %"),
        (1.0, 0.0, "100 %"),
        (0.997, 0.0, ">99 %"),
        (0.003, 0.0, "<1 %"),
        (np.nan, np.nan, "–"),
        (0.5, np.nan, "–"),
    ],
)
def test_a_probability_is_a_whole_percentage_with_its_error_over_a_point(
    probability: float, mcse: float, text: str
) -> None:
    assert round_to_mcse(probability, mcse) == text
