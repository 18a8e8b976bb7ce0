"""The collapsed engine: its parts against ArviZ and SciPy; whole against integration and NUTS."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base.array import array_stats
from conftest import simulate_cohort
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from test_identity import structured

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card, load_card
from mnbayes.data.observations import observations
from mnbayes.inference.collapsed import Weighted, equal_draws, weighted_draws, weighted_rounds
from mnbayes.inference.collapsed_effects import complete_draws
from mnbayes.inference.fit import Fit
from mnbayes.inference.study_fits import study_fit
from mnbayes.models.density import longitudinal_density
from mnbayes.numerics import importance, posterior


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_smoothed_weights_are_arvizs(scale: float) -> None:
    log_weight = scale * np.random.default_rng(1).standard_normal(1500)
    weight, k = importance.smooth(log_weight.copy())
    expected, expected_k = array_stats.psislw(-log_weight, axis=-1)  # takes log-likelihoods
    assert k == pytest.approx(float(expected_k), rel=1e-6)
    np.testing.assert_allclose(weight, np.exp(expected), rtol=1e-5)


def test_weights_that_no_tail_can_be_fitted_to_are_not_trusted() -> None:
    for log_weight in (np.zeros(100), np.full(100, -np.inf)):
        weight, k = importance.smooth(log_weight)
        assert k == np.inf
        assert not Weighted(np.zeros((100, 1)), weight, k).trusted


@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30).filter(lambda w: sum(w) > 0.1),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_resampling_is_systematic(weights: list[float], start: float) -> None:
    weight = np.array(weights) / sum(weights)
    count = 50
    drawn = importance.resample(weight, start, count)
    assert (np.diff(drawn) >= 0).all()
    times = np.bincount(drawn, minlength=weight.size)
    # Systematic resampling never misses the expected number by one or more.
    assert (np.abs(times - count * weight) < 1.0 + 1e-9).all()


@pytest.mark.parametrize("name", ["proteinuria", "remission"])
def test_mode_is_scipys(name: str) -> None:
    card = load_card(name)
    data = longitudinal_density(card, observations(card, simulate_cohort(markers=card.markers)))
    address = posterior.gradient_function().address
    point, value = importance.find_mode(address, data.data, data.dimension)

    def down(x: Floats) -> tuple[float, Floats]:
        height, slope = posterior.evaluate(x, data.data, posterior.gradient_function())
        return -height, -slope

    found = optimize.minimize(down, np.zeros(data.dimension), jac=True, method="BFGS")
    assert value == pytest.approx(-found.fun, abs=1e-5)
    np.testing.assert_allclose(point, found.x, atol=0.01)
    h = 1e-3
    bend = [
        (down(point + h * e)[0] - 2 * down(point)[0] + down(point - h * e)[0]) / h**2
        for e in np.eye(data.dimension)
    ]
    curvature = importance.curvature(address, data.data, point)
    np.testing.assert_allclose(np.diag(curvature), bend, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(curvature, curvature.T)


def test_value_alone_is_the_value_with_the_gradient(proteinuria_card: Card) -> None:
    density = longitudinal_density(
        proteinuria_card, observations(proteinuria_card, simulate_cohort())
    )
    data, n = density.data, density.dimension
    rng = np.random.default_rng(2)
    normal, chi_square = rng.standard_normal((20, n)), np.full(20, importance.PROPOSAL_DF)
    address = posterior.value_function().address
    points, log_weight = importance.propose(
        address, data, np.zeros(n), np.eye(n), normal, chi_square
    )
    log_t = stats.multivariate_t(np.zeros(n), np.eye(n), importance.PROPOSAL_DF).logpdf(points)
    expected = (
        np.array([posterior.evaluate(x, data, posterior.value_function())[0] for x in points])
        - log_t
    )
    np.testing.assert_allclose(np.diff(log_weight), np.diff(expected), rtol=1e-9, atol=1e-9)


def _small() -> Card:
    """A step of proteinuria with two unknowns left: the other scales have very narrow priors."""
    card = structured(load_card("proteinuria"), trajectory="step")
    narrow = {"visit_sd": 0.15, "residual_sd": 0.25}
    changed = dict(card.prior)
    for name, value in narrow.items():
        spec = card.prior[name]["urine_protein_24h"]
        held = {"mu": float(np.log(value)), "sigma": 1e-4}
        update = {"distribution": "LogNormal", "arguments": held}
        changed[name] = {"urine_protein_24h": spec.model_copy(update=update)}
    spec = card.prior["correlation"][""]
    changed["correlation"] = {"": spec.model_copy(update={"arguments": {"eta": 1e6}})}
    return card.model_copy(update={"prior": changed})


def test_engine_agrees_with_two_dimensional_integration() -> None:
    card = _small()
    data = observations(card, simulate_cohort(n_patients=8))
    density = longitudinal_density(card, data)
    names = [name for name in card.parameters if name not in ("baseline_mean", "change_mean")]
    base, change = names.index("baseline_sd"), names.index("change_sd")
    held = importance.find_mode(
        posterior.gradient_function().address, density.data, density.dimension
    )[0]
    grid = np.linspace(-6.0, 6.0, 121)
    height = np.empty((grid.size, grid.size))
    for i, a in enumerate(grid):
        for j, b in enumerate(grid):
            point = held.copy()
            point[[base, change]] = a, b
            height[i, j] = posterior.evaluate(point, density.data, posterior.value_function())[0]
    mass = np.exp(height - height.max())
    mass /= mass.sum()
    points = np.tile(held, (grid.size, 1))
    points[:, base] = points[:, change] = grid
    values = density.expand(points)
    weighted = weighted_draws(density, (1000, 1000, 8000), np.random.default_rng(3))
    assert weighted.trusted
    drawn = density.expand(weighted.points)
    for name, axis in (("baseline_sd", 1), ("change_sd", 0)):
        value = values[name][:, 0]
        own = mass.sum(axis=axis)
        mean, second = own @ value, own @ value**2
        sd = np.sqrt(second - mean**2)
        estimate = weighted.weight @ drawn[name][:, 0]
        assert estimate == pytest.approx(mean, abs=4 * sd / np.sqrt(weighted.effective))
        spread = np.sqrt(weighted.weight @ drawn[name][:, 0] ** 2 - estimate**2)
        assert spread == pytest.approx(sd, rel=0.05)


def test_engine_agrees_with_nuts(proteinuria: Fit, proteinuria_card: Card) -> None:
    data = proteinuria.observations
    density = longitudinal_density(proteinuria_card, data)
    rng = np.random.default_rng(4)
    weighted = weighted_draws(density, (1000, 8000), rng)
    assert weighted.trusted
    draws = complete_draws(
        proteinuria_card, data, density, equal_draws(weighted, 1, 4000, rng), rng
    )
    fitted = proteinuria.tree["posterior"]
    fitted = xr.merge([fitted.to_dataset(), proteinuria.tree["patients"].to_dataset()])
    names = set(draws) & set(fitted.data_vars)
    assert names >= {"change_mean", "visit_change", "patient_change", "level", "residual_sd"}
    for name in names:
        array = fitted[name].transpose("chain", "draw", ...).to_numpy()
        other = array.reshape(-1, *array.shape[2:])
        error = other.std(axis=0) * np.sqrt(1 / 1500 + 1 / 3000)
        assert (np.abs(draws[name].mean(axis=0) - other.mean(axis=0)) < 4 * error).all(), name
        ratio = draws[name].std(axis=0) / other.std(axis=0)
        np.testing.assert_allclose(ratio, 1.0, atol=0.08, err_msg=name)


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_equal_draws_come_from_the_weighted_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.dirichlet(np.ones(40))
    points = np.arange(40.0)[:, None]
    drawn = equal_draws(Weighted(points, weight, 0.1), 4, 25, rng)[:, 0]
    for chain, part in enumerate(np.array_split(drawn, 4)):
        assert ((part >= 10 * chain) & (part < 10 * (chain + 1))).all()


def test_study_fits_are_trusted_and_name_what_a_fit_names(proteinuria_card: Card) -> None:
    data = observations(proteinuria_card, simulate_cohort(8))
    fitted = study_fit(proteinuria_card, data, np.random.default_rng(7), draws=300)
    assert fitted.trusted
    assert fitted.draws["level"].shape == (300, 8, 3, 1)
    # More patients than unknowns: the typical change is near the one that was simulated.
    assert fitted.draws["change_mean"].mean() == pytest.approx(-0.6, abs=0.3)


def test_each_round_shapes_the_next(proteinuria_card: Card) -> None:
    """A round begins where the one before ended, and knows the posterior better."""
    density = longitudinal_density(
        proteinuria_card, observations(proteinuria_card, simulate_cohort(30))
    )
    rounds = (600, 900, 1200)
    made = list(weighted_rounds(density, rounds, np.random.default_rng(8)))
    assert [len(part.weight) for part in made] == list(rounds)
    share = [part.effective / len(part.weight) for part in made]
    assert share[0] < share[1]
    last = weighted_draws(density, rounds, np.random.default_rng(8))
    np.testing.assert_array_equal(last.points, made[-1].points)
    np.testing.assert_array_equal(last.weight, made[-1].weight)


def test_study_fits_end_at_the_first_round_that_is_enough(proteinuria_card: Card) -> None:
    data = observations(proteinuria_card, simulate_cohort(30))
    density = longitudinal_density(proteinuria_card, data)
    rounds = (600, 900, 1200)
    made = list(weighted_rounds(density, rounds, np.random.default_rng(9)))
    for wanted, expected in ((1.0, made[0]), (made[0].effective + 1.0, made[1]), (1e6, made[2])):
        rng = np.random.default_rng(9)
        fitted = study_fit(proteinuria_card, data, rng, 100, wanted, rounds)
        assert (fitted.effective, fitted.pareto_k) == (expected.effective, expected.pareto_k)


def test_no_mode_no_trust(proteinuria_card: Card) -> None:
    """Values that no density is finite at give weights that nobody trusts, and no error."""
    data = observations(proteinuria_card, simulate_cohort(4))
    density = longitudinal_density(proteinuria_card, data)
    broken = density.data.copy()
    broken[-1] = np.nan
    density = dataclasses.replace(density, data=broken)
    weighted = weighted_draws(density, (50,), np.random.default_rng(1))
    assert not weighted.trusted
    assert len(weighted.points) == 1
