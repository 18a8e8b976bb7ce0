"""Beta mixtures, ELIR and conflict against closed forms and published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate, stats

from mnbayes.analyses.historical.conflict import conflict, conflict_table
from mnbayes.analyses.historical.ess import elir
from mnbayes.analyses.historical.mixture import BetaMixture, fit_beta_mixture

PUBLISHED = BetaMixture(
    np.array([0.4612914, 0.1917812, 0.1893896, 0.1575378]),
    np.array([33.9513487, 19.4400089, 12.2692310, 2.2521243]),
    np.array([103.0146367, 41.5205219, 55.9202833, 5.4812202]),
)

sizes = st.floats(1.0, 200.0)


def single(a: float, b: float) -> BetaMixture:
    return BetaMixture(np.array([1.0]), np.array([a]), np.array([b]))


def test_elir_of_the_published_mixture() -> None:
    assert round(elir(PUBLISHED)) == 38


@given(sizes, sizes)
@example(1.0, 1.0)
@example(1.001, 3.0)
@example(1.0, 1.25)
def test_elir_of_one_beta_is_its_number_of_patients(a: float, b: float) -> None:
    assert elir(single(a, b)) == pytest.approx(a + b, rel=2e-6)


def test_elir_is_the_expectation_of_the_definition() -> None:
    """-(log p)'' x (1 - x) averaged over p, with the derivatives written out."""

    def integrand(x: float) -> float:
        parts = PUBLISHED.weight * stats.beta.pdf(x, PUBLISHED.a, PUBLISHED.b)
        slope = (PUBLISHED.a - 1) / x - (PUBLISHED.b - 1) / (1 - x)
        bend = -(PUBLISHED.a - 1) / x**2 - (PUBLISHED.b - 1) / (1 - x) ** 2
        p, first, second = parts.sum(), parts @ slope, parts @ (slope**2 + bend)
        return float((first**2 / p - second) * x * (1 - x))

    found, _ = integrate.quad(integrand, 0, 1, points=[0.2, 0.25, 0.3], limit=400)
    assert elir(PUBLISHED) == pytest.approx(found, rel=1e-6)


def test_elir_refuses_an_infinite_end() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        elir(single(0.9, 3.0))


@given(sizes, sizes, st.integers(0, 12))
def test_updating_one_beta_is_conjugate(a: float, b: float, remission: int) -> None:
    after = single(a, b).updated(remission, 12)
    assert (after.a[0], after.b[0]) == (a + remission, b + 12 - remission)
    assert after.weight.tolist() == [1.0]


def test_a_mixtures_posterior_is_bayes_rule_on_a_grid() -> None:
    prior = PUBLISHED.robust(0.2)
    x = (np.arange(20_000) + 0.5) / 20_000
    joint = prior.density(x) * x**4 * (1 - x) ** 3
    joint /= joint.sum()
    after = prior.updated(4, 7)
    assert after.mean == pytest.approx(float(joint @ x), abs=1e-6)
    assert after.weight.sum() == pytest.approx(1.0)
    middle = float(np.interp(0.5, np.cumsum(joint), x))
    assert after.quantile(0.5) == pytest.approx(middle, abs=1e-4)


def test_moments_and_probabilities_of_a_mixture() -> None:
    x = (np.arange(20_000) + 0.5) / 20_000
    p = PUBLISHED.density(x) / 20_000
    assert p.sum() == pytest.approx(1.0, abs=1e-6)
    assert PUBLISHED.mean == pytest.approx(float(p @ x), abs=1e-6)
    assert PUBLISHED.sd == pytest.approx(float(np.sqrt(p @ x**2 - (p @ x) ** 2)), abs=1e-6)
    assert float(PUBLISHED.cdf(0.3)) == pytest.approx(float(p[x < 0.3].sum()), abs=1e-6)
    assert PUBLISHED.predictive(9).sum() == pytest.approx(1.0)
    assert PUBLISHED.predictive(1)[1] == pytest.approx(PUBLISHED.mean)


def test_em_finds_what_was_drawn() -> None:
    rng = np.random.default_rng(1)
    draws = np.concatenate([rng.beta(30, 100, 6000), rng.beta(4, 4, 4000)])
    found = fit_beta_mixture(draws)
    assert found.weight == pytest.approx([0.6, 0.4], abs=0.03)
    assert found.a / (found.a + found.b) == pytest.approx([30 / 130, 0.5], abs=0.02)
    assert found.mean == pytest.approx(draws.mean(), abs=0.002)
    assert found.sd == pytest.approx(draws.std(), rel=0.02)


def test_em_keeps_one_component_where_one_will_do() -> None:
    draws = np.random.default_rng(2).beta(3, 9, 4000)
    found = fit_beta_mixture(draws)
    assert found.weight.size == 1
    a, b, _, _ = stats.beta.fit(draws, floc=0, fscale=1)
    assert (found.a[0], found.b[0]) == pytest.approx((a, b), rel=1e-3)


def test_a_logit_normal_is_well_described() -> None:
    """The kind of distribution it is for: distribution functions nowhere 1.5 % apart."""
    draws = 1 / (1 + np.exp(-np.random.default_rng(3).normal(-1.2, 0.8, 8000)))
    found = fit_beta_mixture(draws)
    x = np.sort(draws)
    assert np.abs(found.cdf(x) - (np.arange(8000) + 0.5) / 8000).max() < 0.015
    assert min(found.a.min(), found.b.min()) >= 1


def test_draws_on_the_edge_are_refused() -> None:
    with pytest.raises(ValueError, match="inside"):
        fit_beta_mixture([0.0, 0.5])


def test_conflict_of_one_beta_by_hand() -> None:
    """Beta(1, 1): every count of 7 has probability 1/8, and history says nothing."""
    flat = single(1.0, 1.0)
    found = conflict(flat, flat.robust(0.5), 4, 7)
    assert found["p_at_least"] == pytest.approx(4 / 8)
    assert found["p_as_unlikely"] == pytest.approx(1.0)
    assert found["vague_weight_after"] == pytest.approx(0.5)
    assert found["mean_after"] == pytest.approx(5 / 9)
    assert found["expected"] == pytest.approx(3.5)


def test_conflict_of_two_components_by_hand() -> None:
    """A history of 1 in 21 against 7 of 7: the vague component takes over."""
    history = single(1.0, 20.0)
    robust = history.robust(0.2)
    found = conflict(history, robust, 7, 7)
    # Beta-binomial of all 7: product of (a + i) / (a + b + i).
    told = np.prod([(1 + i) / (21 + i) for i in range(7)])
    vague = 1 / 8
    assert found["p_at_least"] == pytest.approx(told)
    assert found["vague_weight_after"] == pytest.approx(0.2 * vague / (0.2 * vague + 0.8 * told))
    assert found["vague_weight_after"] > 0.99
    assert found["mean_after"] == pytest.approx(found["mean_without_history"], abs=0.01)


def test_conflict_interval_holds_95_percent() -> None:
    found = conflict(PUBLISHED, PUBLISHED.robust(0.2), 3, 30)
    chance = PUBLISHED.predictive(30)
    inside = chance[found["lower"] : found["upper"] + 1].sum()
    assert inside >= 0.95
    assert chance[: found["lower"]].sum() <= 0.025
    assert chance[found["upper"] + 1 :].sum() <= 0.025


def test_conflict_table_has_a_row_for_each_count() -> None:
    rng = np.random.default_rng(1)
    part = rng.choice(4, size=(4, 2000, 3), p=PUBLISHED.weight / PUBLISHED.weight.sum())
    rates = rng.beta(PUBLISHED.a[part], PUBLISHED.b[part])
    counts = [("a", 4, 7, 2.8), ("b", 0, 8, 2.8)]
    table = conflict_table(
        PUBLISHED, PUBLISHED.robust(0.2), counts, rates, rng.uniform(size=9999), 6
    )
    assert table["count"].tolist() == ["a", "b"]
    assert table.notna().all(axis=None)
    # The draws say what the mixture says, and under a flat prior every count is as likely.
    drawn = stats.binom.sf(3, 7, rates).mean()
    error = table["p_at_least_mcse"].iloc[0]
    assert table["p_at_least"].iloc[0] == pytest.approx(drawn, abs=4 * error)
    assert table["p_at_least_prior"].iloc[0] == pytest.approx(4 / 8, abs=0.02)
    assert table["p_at_least"].iloc[1] == pytest.approx(1.0)
