"""Mean changes that shrink to a common one, and blocks of correlations, against SciPy."""

import dataclasses

import numpy as np
import pytest
from conftest import simulate_cohort

from mnbayes.base.problems import InputError
from mnbayes.cards.card import Card, load_card, parse_card
from mnbayes.cards.overrides import Change, apply_changes
from mnbayes.data.observations import Observations, observations
from mnbayes.models.density import longitudinal_density
from mnbayes.models.fixed_effects import draw_fixed_effects
from mnbayes.models.likelihood import draw_prior
from mnbayes.numerics import posterior

MARKERS = ("cd3", "cd4")


def card_of(base: str) -> Card:
    """The card with two markers only."""
    card = load_card(base)
    table = card.model_dump(mode="json", by_alias=True)
    table["markers"] = list(MARKERS)
    for name, priors in table["priors"].items():
        table["priors"][name] = {m: p for m, p in priors.items() if m in (*MARKERS, "")}
    return parse_card(table, "test")


def two_markers(missing: bool = True) -> Observations:
    cohort = simulate_cohort(5, markers=MARKERS)
    out = observations(card_of("lymphocytes"), cohort)
    y = out.log_value.copy()
    if missing:
        y[1, 2, 0] = y[4, 1, 1] = np.nan
    return dataclasses.replace(out, log_value=y)


def moments(card: Card, obs: Observations, point: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Mean and covariance of (fixed effects, all data) given SDs and correlations.

    Fixed effects: baseline means, change means, common change.
    """
    n_marker = len(MARKERS)
    numbers = {name: card.argument_values(name) for name in card.parameters}
    unit = 2 * point["correlation_unit"] - 1
    correlation = np.eye(2 * n_marker)
    if card.structure.correlation == "within":
        for k in range(n_marker):
            correlation[k, n_marker + k] = correlation[n_marker + k, k] = unit[k]
    else:
        correlation[2, 3] = correlation[3, 2] = unit[0]
    sd = np.concatenate([point["baseline_sd"], point["change_sd"]])
    own = np.outer(sd, sd) * correlation
    fixed_mean = np.concatenate([numbers["baseline_mean"]["mu"], np.zeros(n_marker + 1)])
    fixed_cov = np.diag(
        np.concatenate([numbers["baseline_mean"]["sigma"] ** 2, np.zeros(n_marker + 1)])
    )
    change = slice(n_marker, 2 * n_marker)
    if card.structure.shrink:
        common, spread = numbers["common_change"]["sigma"][0], float(point["change_spread"])
        fixed_mean[n_marker:] = numbers["common_change"]["mu"][0]
        fixed_cov[n_marker:, n_marker:] = common**2
        fixed_cov[change, change] += spread**2 * np.eye(n_marker)
    else:
        fixed_mean[change] = numbers["change_mean"]["mu"]
        fixed_cov[change, change] = np.diag(numbers["change_mean"]["sigma"] ** 2)
    cells = np.argwhere(np.isfinite(obs.log_value))
    design = np.zeros((len(cells), 2 * n_marker + 1))
    noise = np.zeros((len(cells),) * 2)
    for a, (i, t, k) in enumerate(cells):
        design[a, k], design[a, n_marker + k] = 1.0, float(t > 0)
        for b, (j, u, m) in enumerate(cells):
            noise[a, b] += (k == m and t == u and t > 0) * point["visit_sd"][k] ** 2
            if i == j:
                left, right = np.zeros(2 * n_marker), np.zeros(2 * n_marker)
                left[k], left[n_marker + k] = 1.0, t > 0
                right[m], right[n_marker + m] = 1.0, u > 0
                noise[a, b] += left @ own @ right
        noise[a, a] += point["residual_sd"][k] ** 2
    return (
        fixed_mean,
        fixed_cov,
        design @ fixed_mean,
        design @ fixed_cov @ design.T + noise,
        fixed_cov @ design.T,
    )


def random_point(card: Card, rng: np.random.Generator) -> dict[str, np.ndarray]:
    names = ("baseline_sd", "change_sd", "visit_sd", "residual_sd")
    point = {name: rng.uniform(0.2, 0.8, len(MARKERS)) for name in names}
    n = len(MARKERS) if card.structure.correlation == "within" else 1
    point["correlation_unit"] = rng.uniform(0.2, 0.8, n)
    if card.structure.shrink:
        point["change_spread"] = np.array(rng.uniform(0.1, 0.5))
    return point


def test_separate_markers_are_the_same_model() -> None:
    obs = two_markers()
    card = card_of("lymphocytes")
    together, apart = (dataclasses.replace(obs, separate=flag) for flag in (False, True))
    assert apart.groups.size.size > together.groups.size.size
    both = [longitudinal_density(card, which) for which in (together, apart)]
    at = np.random.default_rng(1).normal(size=both[0].dimension)
    (one, slope), (other, slope_apart) = (
        posterior.evaluate(at, density.data, posterior.gradient_function()) for density in both
    )
    assert one == pytest.approx(other, rel=1e-10)
    np.testing.assert_allclose(slope, slope_apart, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("family", ["Normal", "StudentT"])
def test_common_and_own_changes_have_the_posterior_moments(family: str) -> None:
    card, obs, n = card_of("lymphocytes"), two_markers(), 30_000
    point = random_point(card, np.random.default_rng(5))
    draws = {name: np.broadcast_to(v, (n, *v.shape)).copy() for name, v in point.items()}
    fixed_mean, fixed_cov, mean, cov, cross = moments(card, obs, point)
    if family == "StudentT":
        values = {"distribution": "StudentT", "nu": 4, "mu": 0, "sigma": 0.35}
        card = apply_changes([card], [Change("common_change", "", values, "test")], strict=True)[0]
        draws["common_change"] = np.full(n, 0.3)
    out = draw_fixed_effects(card, obs, draws, np.random.default_rng(1))
    drawn = np.column_stack([out["baseline_mean"], out["change_mean"], out["common_change"]])
    y = obs.log_value[np.isfinite(obs.log_value)]
    gain = cross @ np.linalg.inv(cov)
    expected, spread = fixed_mean + gain @ (y - mean), fixed_cov - gain @ cross.T
    if family == "StudentT":
        # Condition on the common change, which is sampled, not integrated.
        own = spread[:-1, -1] / spread[-1, -1]
        expected = np.append(expected[:-1] + own * (0.3 - expected[-1]), 0.3)
        spread[:-1, :-1] -= np.outer(own, spread[-1, :-1])
        spread[-1], spread[:, -1] = 0.0, 0.0
    error = np.sqrt(np.diag(spread) / n)
    assert np.all(np.abs(drawn.mean(axis=0) - expected) <= 5 * error + 1e-9)
    np.testing.assert_allclose(np.cov(drawn.T), spread, atol=0.03 * np.diag(spread).max())


def test_prior_draws_of_the_changes_have_their_variance() -> None:
    card, n = card_of("lymphocytes"), 40_000
    draws = draw_prior(card, 2, n, np.random.default_rng(1))
    # Var = common^2 + E[spread^2]; a half-normal's second moment is sigma^2.
    total = 0.35**2 + 0.25**2
    np.testing.assert_allclose(draws["change_mean"].var(axis=0), total, rtol=0.05)
    between = np.cov(draws["change_mean"].T)[0, 1]
    assert between == pytest.approx(0.35**2, rel=0.06)


def test_one_marker_cannot_shrink() -> None:
    table = load_card("proteinuria").model_dump(mode="json", by_alias=True)
    table["structure"] |= {"shrink": True, "correlation": "changes"}
    with pytest.raises(InputError) as caught:
        parse_card(table, "card.toml")
    assert "shrink needs more than one marker" in str(caught.value)
    assert 'correlation = "changes" needs more than one marker' in str(caught.value)
