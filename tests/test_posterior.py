"""The compiled log density: its transformations, its gradient, and the PyMC model it states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import simulate_cohort
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from test_identity import structured

from mnbayes.base.arrays import Floats
from mnbayes.cards import families as priors
from mnbayes.cards.card import load_card
from mnbayes.cards.overrides import Change, apply_changes
from mnbayes.data.observations import observations
from mnbayes.models.density import longitudinal_density
from mnbayes.numerics import coordinates, posterior
from mnbayes.numerics.unknown_cells import digamma

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
    value, slope = coordinates.half_normal_of_score(score)
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
    number = coordinates.FAMILIES.index(family)
    return np.array([coordinates.constrain(number, *padded, x) for x in POINTS])


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
    number = coordinates.FAMILIES.index(family)
    arguments = (*ARGUMENTS.get(family, (2.5,)), 0.0, 0.0)[:3]
    _, slope, _, d_density = coordinates.constrain(number, *arguments, x)
    h = 1e-5
    below, above = (coordinates.constrain(number, *arguments, x + step) for step in (-h, h))
    assert slope == pytest.approx((above[0] - below[0]) / (2 * h), rel=1e-6, abs=1e-8)
    assert d_density == pytest.approx((above[2] - below[2]) / (2 * h), rel=1e-5, abs=1e-6)


def test_draws_expand_to_the_parameters_by_name() -> None:
    card = load_card("lymphocytes")
    data = observations(card, simulate_cohort(markers=card.markers, seed=3))
    density = longitudinal_density(card, data)
    draws = density.expand(np.zeros((2, density.dimension)))
    half = stats.halfnorm.ppf(0.5)  # a score of 0 is the prior's median
    sigma = card.argument_values("visit_sd")["sigma"]
    np.testing.assert_allclose(draws["visit_sd"], np.tile(half * sigma, (2, 1)))
    np.testing.assert_array_equal(draws["correlation_unit"], np.full((2, 5), 0.5))
    assert draws["change_spread"].shape == draws["serial_weeks"].shape == (2,)
    assert set(draws) == {
        *("baseline_sd", "change_sd", "visit_sd", "residual_sd", "serial_sd", "serial_weeks"),
        *("change_spread", "correlation_unit"),
    }
    assert density.dimension == 5 * 5 + 1 + 1 + 5


@pytest.mark.parametrize(
    ("family", "arguments"),
    [
        ("LogNormal", {"mu": 1.4, "sigma": 0.8}),
        ("HalfNormal", {"sigma": 4.0}),
        ("Exponential", {"lam": 0.2}),
        ("Gamma", {"alpha": 3.0, "beta": 0.7}),
    ],
)
def test_yearly_visits_are_weekly_ones_in_other_units(
    family: str, arguments: dict[str, float]
) -> None:
    """Stretched with the follow-up, the drift's prior knows no unit of time."""
    card = load_card("proteinuria")
    spec = card.prior["serial_weeks"][""]
    assert spec.follow_up_weeks == 12
    other = spec.model_copy(update={"distribution": family, "arguments": arguments})
    card = card.model_copy(update={"prior": card.prior | {"serial_weeks": {"": other}}})
    weekly = observations(card, simulate_cohort(6, weeks=(0.0, 2.0, 5.0, 12.0), seed=3))
    yearly = replace(weekly, weeks=tuple(52 * week for week in weekly.weeks))
    pair = [longitudinal_density(card.scheduled(o.weeks[-1]), o) for o in (weekly, yearly)]
    places = list(pair[0].expand(np.zeros((1, pair[0].dimension))))
    moved = np.zeros(pair[0].dimension)
    if family != "HalfNormal":  # a score knows no unit; a logarithm moves with it
        moved[places.index("serial_weeks")] = np.log(52)
    points = np.random.default_rng(2).normal(size=(4, moved.size))
    ours, theirs = (
        [posterior.evaluate(p, each.data, posterior.value_function())[0] for p in points + shift]
        for each, shift in zip(pair, (0.0, moved), strict=True)
    )
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-9)
    given = {"mu": 2.0, "sigma": 0.5, "distribution": "LogNormal"}
    (own,) = apply_changes([card], [Change("serial_weeks", "", given, "test")], strict=True)
    assert own.scheduled(624.0).prior["serial_weeks"][""].arguments["mu"] == 2.0


def test_numbers_that_are_not_finite_never_reach_the_sampler() -> None:
    card = load_card("proteinuria")
    data = observations(card, simulate_cohort(markers=card.markers, seed=3))
    with pytest.raises(ValueError, match="not finite"):
        longitudinal_density(card, replace(data, covariate=data.covariate * np.nan))


@pytest.mark.parametrize("x", [0.05, 0.7, 3.0, 40.0, 1e6])
def test_digamma_is_scipy_s(x: float) -> None:
    assert digamma(x) == pytest.approx(special.digamma(x), rel=1e-12)


@pytest.mark.parametrize("score", [-3.0, -4.5, -6.0])
def test_residuals_next_to_zero_keep_the_digits(score: float) -> None:
    card = structured(load_card("proteinuria"), trajectory="step")
    half = {"distribution": "HalfNormal", "sigma": 0.3}
    card = apply_changes([card], [Change("residual_sd", "", half, "test")], strict=True)[0]
    # With one visit after baseline each patient's effects may explain everything.
    data = observations(card, simulate_cohort(8, weeks=(0.0, 6.0)))
    density = longitudinal_density(card, data)
    where = {name: i for i, name in enumerate(density.expand(np.zeros((1, density.dimension))))}
    design = np.kron(np.eye(8), [[1.0, 0.0], [1.0, 1.0]])

    def expected(point: Floats) -> float:
        theta = {name: float(np.ravel(v)[0]) for name, v in density.expand(point[None]).items()}
        sd = np.diag([theta["baseline_sd"], theta["change_sd"]])
        r = 2 * theta["correlation_unit"] - 1
        effects = np.kron(np.eye(8), sd @ [[1.0, r], [r, 1.0]] @ sd)
        mean, shared = [], np.zeros((2, 2))
        for i, name in enumerate(("baseline_mean", "change_mean")):
            mu, sigma = (values[0] for values in card.argument_values(name).values())
            mean.append(mu)
            shared[i, i] = sigma**2
        shared[1, 1] += theta["visit_sd"] ** 2
        cov = design @ (effects + np.kron(np.ones((8, 8)), shared)) @ design.T
        cov += theta["residual_sd"] ** 2 * np.eye(16)
        law = stats.multivariate_normal(design @ np.tile(mean, 8), cov)
        return float(law.logpdf(data.log_value.ravel()))

    point = np.array([0.7, 0.2, 0.3, -0.4, 0.5])
    moved = point.copy()
    moved[where["residual_sd"]] = score
    assert density.expand(moved[None])["residual_sd"].item() < 10.0**score
    # The scale of visits has a prior of its own on its coordinate; the residual's is a score's.
    ours, theirs = (
        [value(at) for at in (point, moved)]
        for value in (
            lambda at: (
                posterior.evaluate(at, density.data, posterior.value_function())[0]
                + 0.5 * at[where["residual_sd"]] ** 2
            ),
            expected,
        )
    )
    assert ours[1] - ours[0] == pytest.approx(theirs[1] - theirs[0], abs=1e-7)
    _, gradient = posterior.evaluate(moved, density.data, posterior.gradient_function())
    for i in range(point.size):
        step = 1e-4 * np.eye(point.size)[i]
        ahead, behind = (
            posterior.evaluate(moved + s, density.data, posterior.value_function())[0]
            for s in (step, -step)
        )
        assert gradient[i] == pytest.approx((ahead - behind) / 2e-4, rel=1e-5, abs=1e-5)
