"""Exact draws of the means and visit deviations that the sampler never sees."""

import dataclasses

import numpy as np
import pytest
from conftest import simulate_cohort

from mnbayes.cards.card import Card, load_card
from mnbayes.cards.overrides import Change, apply_changes
from mnbayes.data.observations import Observations, observations
from mnbayes.models.fixed_effects import draw_fixed_effects

N = 30_000
SD = {"baseline_sd": 0.6, "change_sd": 0.4, "visit_sd": 0.3, "residual_sd": 0.25}
R = 0.3


def constant_draws(**more: np.ndarray) -> dict[str, np.ndarray]:
    draws = {name: np.full((N, 1), value) for name, value in SD.items()}
    return draws | {"correlation_unit": np.full((N, 1), (1 + R) / 2)} | more


def with_covariate(card: Card) -> Card:
    return card.model_copy(
        update={"structure": card.structure.model_copy(update={"covariate": "bmi"})}
    )


def analytic(card: Card, obs: Observations, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and covariance of (baseline, change, slope, visits), all data at once."""
    n_patients, n_visits = y.shape
    later = np.arange(n_visits) > 0
    rows, covs = [], []
    s = SD
    effect = np.array(
        [
            [s["baseline_sd"] ** 2, R * s["baseline_sd"] * s["change_sd"]],
            [R * s["baseline_sd"] * s["change_sd"], s["change_sd"] ** 2],
        ]
    )
    for i in range(n_patients):
        for t in range(n_visits):
            visit = [float(later[t] and t == u) for u in range(1, n_visits)]
            rows.append([1.0, later[t], later[t] * obs.covariate[i], *visit])
        design = np.column_stack([np.ones(n_visits), later])
        covs.append(design @ effect @ design.T + s["residual_sd"] ** 2 * np.eye(n_visits))
    x = np.array(rows)
    cov = np.zeros((len(x),) * 2)
    for i, block in enumerate(covs):
        cells = slice(i * n_visits, (i + 1) * n_visits)
        cov[cells, cells] = block
    names = ("baseline_mean", "change_mean", "covariate_slope")
    prior = [(card.argument_values(n)["mu"][0], card.argument_values(n)["sigma"][0]) for n in names]
    mean = np.array([m for m, _ in prior] + [0.0] * (n_visits - 1))
    spread = np.diag(np.array([v for _, v in prior] + [s["visit_sd"]] * (n_visits - 1)) ** 2)
    seen = np.isfinite(y.ravel())
    x, y, cov = x[seen], y.ravel()[seen], cov[np.ix_(seen, seen)]
    gain = spread @ x.T @ np.linalg.inv(x @ spread @ x.T + cov)
    return mean + gain @ (y - x @ mean), spread - gain @ x @ spread


def stacked(out: dict[str, np.ndarray]) -> np.ndarray:
    names = ("baseline_mean", "change_mean", "covariate_slope")
    visits = out["visit_offset"][..., 0] * SD["visit_sd"]
    return np.concatenate([*(out[name] for name in names), visits], axis=1)


@pytest.mark.parametrize("missing", [False, True])
def test_draws_have_the_posterior_mean_and_covariance(missing: bool) -> None:
    card = with_covariate(load_card("proteinuria"))
    obs = observations(card, simulate_cohort(5))
    y = obs.log_value.copy()
    if missing:
        y[1, 2, 0] = y[4, 1, 0] = np.nan
        obs = dataclasses.replace(obs, log_value=y)
    out = stacked(draw_fixed_effects(card, obs, constant_draws(), np.random.default_rng(1)))
    mean, cov = analytic(card, obs, y[..., 0])
    assert np.all(np.abs(out.mean(axis=0) - mean) < 5 * np.sqrt(np.diag(cov) / N))
    np.testing.assert_allclose(np.cov(out.T), cov, atol=0.03 * np.diag(cov).max())


def test_a_sampled_mean_is_kept() -> None:
    values = {"distribution": "StudentT", "nu": 4, "mu": 0, "sigma": 0.7}
    change = Change("change_mean", "", values, "test")
    card = apply_changes([load_card("proteinuria")], [change], strict=True)[0]
    sampled = np.random.default_rng(2).normal(size=(N, 1))
    draws = constant_draws(change_mean=sampled)
    out = draw_fixed_effects(
        card, observations(card, simulate_cohort(5)), draws, np.random.default_rng(1)
    )
    np.testing.assert_array_equal(out["change_mean"], sampled)


def test_censored_values_count_as_they_stand() -> None:
    card = load_card("proteinuria")
    obs = observations(card, simulate_cohort(5))
    y, low, high = (a.copy() for a in (obs.log_value, obs.log_lower, obs.log_upper))
    value = y[2, 1, 0]
    y[2, 1, 0], low[2, 1, 0], high[2, 1, 0] = np.nan, -np.inf, value + 1
    hidden = dataclasses.replace(obs, log_value=y, log_lower=low, log_upper=high)
    exact = draw_fixed_effects(card, obs, constant_draws(), np.random.default_rng(1))
    draws = constant_draws(censored_value=np.full((N, 1), value))
    augmented = draw_fixed_effects(card, hidden, draws, np.random.default_rng(1))
    np.testing.assert_allclose(exact["baseline_mean"], augmented["baseline_mean"], atol=1e-9)
