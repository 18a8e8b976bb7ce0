"""Least counts and chances of a single-stage rule, against SciPy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mnbayes.analyses.design.beta_binomial import (
    Beta,
    at_least,
    chances,
    cutoffs,
    least_count,
    nodes,
)
from mnbayes.analyses.design.rules import Criteria

JEFFREYS = Beta(0.5, 0.5)
RULE = Criteria(reference=0.25, confidence=0.95, target=0.35, target_confidence=0.5)


def go_by_hand(x: int, n: int, prior: Beta, rule: Criteria) -> tuple[bool, bool]:
    """Whether go, and whether go or consider: the criteria as they are written."""
    posterior = stats.beta(prior.a + x, prior.b + n - x)
    met = [
        posterior.sf(rule.reference) >= rule.confidence,
        posterior.sf(rule.target) >= rule.target_confidence,
    ]
    return n > 0 and all(met), n > 0 and any(met)


@settings(max_examples=60)
@given(
    st.integers(0, 60),
    st.floats(0.3, 5),
    st.floats(0.3, 5),
    st.floats(0.05, 0.9),
    st.floats(0.1, 0.99),
)
def test_the_least_count_is_the_first_that_suffices(n, a, b, threshold, confidence) -> None:
    found = int(least_count(n, Beta(a, b), threshold, confidence))
    chance = stats.beta.sf(threshold, a + np.arange(n + 1), b + n - np.arange(n + 1))
    enough = np.flatnonzero(chance >= confidence)
    assert found == (enough[0] if enough.size else n + 1)


def test_a_hand_worked_least_count() -> None:
    # With a flat prior after n of n the share's distribution function is t ** (n + 1):
    # P(share > 0.5) = 1 - 0.5 ** (n + 1) is 0.9375 for n = 3 and 0.96875 for n = 4.
    assert least_count([3, 4], Beta(1, 1), 0.5, 0.95).tolist() == [4, 4]


@pytest.mark.parametrize("n", [0, 1, 7, 30])
def test_tails_of_the_binomial(n) -> None:
    counts = np.arange(-1, n + 3)
    for share in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(
            at_least(counts, n, share), stats.binom.sf(counts - 1, n, share), atol=1e-13
        )


@pytest.mark.parametrize("handling", ["composite", "evaluable"])
@pytest.mark.parametrize("withdrawal", [0.0, 0.125, 0.4])
@pytest.mark.parametrize("n", [1, 12, 25])
def test_chances_are_the_sum_over_every_outcome(handling, withdrawal, n) -> None:
    shares = np.array([0.1, 0.35, 0.8])
    go, either = chances(shares, n, withdrawal, handling, JEFFREYS, RULE)
    expected = np.zeros((2, 3))
    for left in range(n + 1):
        weight = stats.binom.pmf(left, n, 1 - withdrawal)
        for x in range(left + 1):
            of = n if handling == "composite" else left
            said = go_by_hand(x, of, JEFFREYS, RULE)
            expected += np.outer(said, weight * stats.binom.pmf(x, left, shares))
    np.testing.assert_allclose([go, either], expected, atol=1e-10)


def test_chances_agree_with_simulated_trials() -> None:
    rng = np.random.default_rng(3)
    n, withdrawal, share, size = 20, 0.2, 0.45, 40_000
    left = rng.binomial(n, 1 - withdrawal, size)
    responders = rng.binomial(left, share)
    for handling, of in (("composite", np.full(size, n)), ("evaluable", left)):
        posterior = stats.beta(0.5 + responders, 0.5 + of - responders)
        said = (posterior.sf(0.25) >= 0.95) & (posterior.sf(0.35) >= 0.5) & (of > 0)
        go, _ = chances(np.array([share]), n, withdrawal, handling, JEFFREYS, RULE)
        error = np.sqrt(said.mean() * (1 - said.mean()) / size)
        assert abs(go[0] - said.mean()) < 4 * error


def test_nobody_left_is_a_no_go_whatever_the_prior() -> None:
    sure = Beta(50, 1)
    cut = cutoffs([0, 1], sure, RULE)
    assert cut.go.tolist() == [1, 0]
    go, either = chances(np.array([0.9]), 2, 0.999999, "evaluable", sure, RULE)
    assert go[0] < 1e-5
    assert either[0] < 1e-5


@pytest.mark.parametrize("prior", [Beta(0.5, 0.5), Beta(4.5, 4.5), Beta(300, 200), Beta(1, 9)])
@pytest.mark.parametrize("n", [1, 20, 60])
def test_nodes_average_a_chance_exactly(prior, n) -> None:
    share, weight = nodes(prior, n)
    assert weight.sum() == pytest.approx(1)
    go, either = chances(share, n, 0.0, "composite", JEFFREYS, RULE)
    counts = np.arange(n + 1)
    predicted = stats.betabinom.pmf(counts, n, prior.a, prior.b)
    said = np.array([go_by_hand(x, n, JEFFREYS, RULE) for x in counts])
    np.testing.assert_allclose([weight @ go, weight @ either], predicted @ said, atol=1e-10)


def test_a_posterior_and_its_quantiles() -> None:
    after = Beta(0.5, 0.5).after(4, 8)
    assert (after.a, after.b) == (4.5, 4.5)
    assert float(after.above(0.25)) == pytest.approx(stats.beta.sf(0.25, 4.5, 4.5))
    assert float(after.quantile(0.5)) == pytest.approx(0.5)
