"""The compiled log density: its transformations, its gradient, and the PyMC model it states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import simulate_cohort
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from mnbayes.base.arrays import Floats
from mnbayes.cards import families as priors
from mnbayes.cards.card import load_card
from mnbayes.data.observations import Observations, observations
from mnbayes.models.density import longitudinal_density
from mnbayes.numerics import posterior
from mnbayes.numerics.cell_posterior import cell_function, digamma, pack_cells
from mnbayes.numerics.density import Density

#: Arguments to try each family with.
ARGUMENTS = {
    "HalfNormal": (0.7,),
    "StudentT": (4.0, 0.3, 0.8),
    "HalfStudentT": (3.0, 0.5),
    "Exponential": (2.0,),
    "Gamma": (3.0, 5.0),
    "LogNormal": (-1.0, 0.6),
}
POINTS = np.linspace(-3.0, 3.0, 13)


@pytest.mark.parametrize("score", [-30.0, -8.0, -1.0, 0.0, 0.5, 1.5, 4.0, 8.0, 30.0])
def test_half_normal_of_score_keeps_digits_in_both_tails(score: float) -> None:
    value, slope = posterior.half_normal_of_score(score)
    # Both ways to compute it, each where it keeps its digits.
    if score < 0:
        expected = np.sqrt(2.0) * special.erfinv(stats.norm.cdf(score))
    else:
        expected = stats.norm.isf(stats.norm.sf(score) / 2.0)
    assert value == pytest.approx(expected, rel=1e-13)
    log_slope = stats.norm.logpdf(score) - np.log(2.0) - stats.norm.logpdf(expected)
    assert slope == pytest.approx(np.exp(log_slope), rel=1e-9)


def _constrained(family: str, arguments: tuple[float, ...]) -> Floats:
    padded = (*arguments, 0.0, 0.0)[:3]
    number = posterior.FAMILIES.index(family)
    return np.array([posterior.constrain(number, *padded, x) for x in POINTS])


@pytest.mark.parametrize("family", ARGUMENTS)
def test_density_of_a_coordinate_is_its_priors(family: str) -> None:
    value, slope, log_density, _ = _constrained(family, ARGUMENTS[family]).T
    named = dict(zip(priors.FAMILIES[family].arguments, ARGUMENTS[family], strict=True))
    expected = priors.log_density(family, named, value) + np.log(slope)
    np.testing.assert_allclose(np.diff(log_density), np.diff(expected), rtol=1e-9, atol=1e-12)


def test_density_of_a_correlation_is_beta() -> None:
    value, slope, log_density, _ = _constrained("Beta", (2.5,)).T
    expected = stats.beta(2.5, 2.5).logpdf(value) + np.log(slope)
    np.testing.assert_allclose(np.diff(log_density), np.diff(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("family", [*ARGUMENTS, "Beta"])
@given(x=st.floats(-4.0, 4.0))
def test_slopes_of_a_coordinate(family: str, x: float) -> None:
    number = posterior.FAMILIES.index(family)
    arguments = (*ARGUMENTS.get(family, (2.5,)), 0.0, 0.0)[:3]
    _, slope, _, d_density = posterior.constrain(number, *arguments, x)
    h = 1e-5
    below, above = (posterior.constrain(number, *arguments, x + step) for step in (-h, h))
    assert slope == pytest.approx((above[0] - below[0]) / (2 * h), rel=1e-6, abs=1e-8)
    assert d_density == pytest.approx((above[2] - below[2]) / (2 * h), rel=1e-5, abs=1e-6)


def test_draws_expand_to_the_parameters_by_name() -> None:
    card = load_card("lymphocytes")
    data = observations(card, simulate_cohort(markers=card.markers, seed=3))
    draws = longitudinal_density(card, data).expand(np.zeros((2, 26)))
    half = stats.halfnorm.ppf(0.5)  # a score of 0 is the prior's median
    sigma = card.argument_values("residual_sd")["sigma"]
    np.testing.assert_allclose(draws["residual_sd"], np.tile(half * sigma, (2, 1)))
    np.testing.assert_array_equal(draws["correlation_unit"], np.full((2, 5), 0.5))
    assert draws["change_spread"].shape == (2,)
    assert set(draws) == {
        *("baseline_sd", "change_sd", "visit_sd", "residual_sd"),
        *("change_spread", "correlation_unit"),
    }


def test_numbers_that_are_not_finite_never_reach_the_sampler() -> None:
    card = load_card("proteinuria")
    data = observations(card, simulate_cohort(markers=card.markers, seed=3))
    with pytest.raises(ValueError, match="not finite"):
        longitudinal_density(card, replace(data, covariate=data.covariate * np.nan))


@pytest.mark.parametrize("x", [0.05, 0.7, 3.0, 40.0, 1e6])
def test_digamma_is_scipy_s(x: float) -> None:
    assert digamma(x) == pytest.approx(special.digamma(x), rel=1e-12)


def _both_likelihoods(density: Density, data: Observations, point: Floats) -> list[Any]:
    """Value and gradient from the patients' means, and from their cells."""
    coordinates, inputs, _, n_marker = posterior.parts(density.data)
    nothing_hidden = pack_cells(0, 0, np.zeros(0), np.zeros(0), data.groups.packed())
    cells = posterior.pack(coordinates, inputs, n_marker, nothing_hidden)
    return [
        posterior.evaluate(point, density.data, posterior.gradient_function()),
        posterior.evaluate(point, cells, cell_function()),
    ]


@pytest.mark.parametrize("name", ["proteinuria", "remission", "lymphocytes", "joint"])
def test_means_say_what_the_cells_say_whatever_is_missing(name: str) -> None:
    card, rng = load_card(name), np.random.default_rng(5)
    data = observations(card, simulate_cohort(9, markers=card.markers, seed=3))
    value = np.where(rng.random(data.log_value.shape) < 0.3, np.nan, data.log_value)
    value[0, 1:] = np.nan  # only seen at baseline
    value[1, 0] = np.nan  # never seen at baseline
    value[2, :, 0] = np.nan  # one marker never measured
    data = replace(data, log_value=value)
    density = longitudinal_density(card, data)
    for point in rng.normal(0.0, 0.7, size=(4, density.dimension)):
        (ours, gradient), (expected, slope) = _both_likelihoods(density, data, point)
        assert ours == pytest.approx(expected, abs=1e-9)
        np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("score", [-3.0, -4.5, -6.0])
def test_residuals_next_to_zero_keep_the_digits(score: float) -> None:
    card = load_card("proteinuria")
    # With one visit after baseline each patient's effects may explain everything.
    data = observations(card, simulate_cohort(8, weeks=(0.0, 6.0)))
    density = longitudinal_density(card, data)
    point = np.array([0.7, 0.2, 0.3, score, 0.5])
    assert density.expand(point[None])["residual_sd"].item() < 10.0**score
    (ours, gradient), (expected, slope) = _both_likelihoods(density, data, point)
    assert ours == pytest.approx(expected, abs=1e-10)
    np.testing.assert_allclose(gradient, slope, rtol=1e-7, atol=1e-9)
