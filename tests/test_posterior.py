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
from test_longitudinal import structured

from mnbayes.base.arrays import Floats
from mnbayes.cards import families as priors
from mnbayes.cards.card import Card, available_cards, load_card
from mnbayes.data.observations import Observations, observations
from mnbayes.models.density import has_density, longitudinal_density
from mnbayes.numerics import posterior
from mnbayes.numerics.density import Density
from mnbayes.numerics.serial_posterior import serial_function

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


def _evaluate(card: Card, density: Density, points: Floats) -> tuple[Floats, Floats]:
    function = serial_function() if card.structure.serial else posterior.gradient_function()
    assert density.address == function.address
    both = [posterior.evaluate(x, density.data, function) for x in points]
    return np.array([value for value, _ in both]), np.array([slope for _, slope in both])


def _with_family(card: Card, parameter: str, family: str, arguments: tuple[float, ...]) -> Card:
    named = dict(zip(priors.FAMILIES[family].arguments, arguments, strict=True))
    changed = {
        key: spec.model_copy(update={"distribution": family, "arguments": named})
        for key, spec in card.prior[parameter].items()
    }
    return card.model_copy(update={"prior": card.prior | {parameter: changed}})


def _variants() -> dict[str, Card]:
    """Every card as it stands, and cards with each family in the place of another."""
    cards = {name: load_card(name) for name in available_cards()}
    remission, proteinuria = cards["remission"], cards["proteinuria"]
    cards["serial"] = structured(proteinuria, serial=True)
    cards["covariate"] = structured(proteinuria, covariate="bmi")
    for family in ("HalfStudentT", "Exponential", "Gamma", "LogNormal"):
        cards[family] = _with_family(remission, "change_sd", family, ARGUMENTS[family])
    cards["StudentT"] = _with_family(remission, "change_mean", "StudentT", ARGUMENTS["StudentT"])
    cards["common StudentT"] = _with_family(
        cards["lymphocytes"], "common_change", "StudentT", ARGUMENTS["StudentT"]
    )
    return cards


VARIANTS = _variants()


@pytest.mark.parametrize("name", VARIANTS)
def test_density_is_that_of_the_pymc_model(name: str) -> None:
    from mnbayes.models.longitudinal import build_model

    card = VARIANTS[name]
    cohort = simulate_cohort(markers=card.markers, seed=3)
    data = observations(card, cohort)
    model = build_model(card, data)
    stated = model.compile_logp(mode="FAST_COMPILE")
    density = longitudinal_density(card, data)
    points = np.random.default_rng(4).normal(0.0, 0.7, size=(4, density.dimension))
    expected = []
    for point in points:
        at, position = {}, 0
        for name_, start in model.initial_point().items():
            at[name_] = point[position : position + start.size].reshape(start.shape)
            position += start.size
        assert position == density.dimension
        expected.append(float(stated(at)))
    logs, gradient = _evaluate(card, density, points)
    np.testing.assert_allclose(np.diff(logs), np.diff(expected), rtol=1e-9, atol=1e-8)
    h = 1e-5
    for i in range(density.dimension):
        step = h * np.eye(density.dimension)[i]
        ahead, behind = (_evaluate(card, density, points + sign * step)[0] for sign in (1, -1))
        np.testing.assert_allclose(gradient[:, i], (ahead - behind) / (2 * h), rtol=1e-4, atol=1e-4)


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


def test_what_the_density_cannot_state_is_refused() -> None:
    card = load_card("proteinuria")
    data = observations(card, simulate_cohort(markers=card.markers, seed=3))
    heavy = structured(card, residual="student_t")
    assert not has_density(heavy, data)
    lower = data.log_lower.copy()
    lower[0, 1, 0] = -np.inf
    for model, seen in ((heavy, data), (card, replace(data, log_lower=lower))):
        with pytest.raises(ValueError, match="normal residuals and exact values"):
            longitudinal_density(model, seen)
    with pytest.raises(ValueError, match="not finite"):
        longitudinal_density(card, replace(data, covariate=data.covariate * np.nan))


def _both_likelihoods(density: Density, data: Observations, point: Floats) -> list[Any]:
    """Value and gradient from the patients' means, and from their cells."""
    coordinates, inputs, _, n_marker = posterior.parts(density.data)
    cells = posterior.pack(coordinates, inputs, n_marker, data.groups.packed())
    return [
        posterior.evaluate(point, density.data, posterior.gradient_function()),
        posterior.evaluate(point, cells, serial_function()),
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
