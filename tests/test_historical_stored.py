"""Stored numbers are still those of the model; scripts/historical_prior.py prints new ones."""

from __future__ import annotations

import pytest

from mnbayes.analyses.historical.card import load_historical_card
from mnbayes.analyses.historical.matching import (
    card_shares,
    match,
    match_card,
    match_published,
    published_shares,
)
from mnbayes.analyses.historical.stored import StoredRate, stored_rate
from mnbayes.analyses.historical.table import load_historical
from mnbayes.analyses.priors.predictive import prior_predictive
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.overrides import with_priors
from mnbayes.cards.prior_sets import load_prior_set

AGAIN = "python scripts/historical_prior.py prints the numbers to store"


@pytest.fixture(scope="module")
def rate() -> StoredRate:
    card = load_historical_card()
    return stored_rate(load_historical(classes=card.classes), card, draws=3000)


def test_benchmark_is_the_rate_of_the_model(rate: StoredRate) -> None:
    stored = load_definitions().benchmarks["remission"]
    assert abs(stored - rate.mean) < 0.005 + 4 * rate.error, AGAIN


def test_what_the_benchmark_says_of_itself(rate: StoredRate) -> None:
    (benchmark,) = (b for b in load_definitions().benchmark if b.category == "remission")
    assert "mean 25 %" in benchmark.why
    assert "interval 6 to 59 %" in benchmark.why
    # half a percent of rounding, and four Monte Carlo errors of a tail quantile of 12,000 draws
    assert rate.lower == pytest.approx(0.06, abs=0.005 + 4 * 0.0007), AGAIN
    assert rate.upper == pytest.approx(0.59, abs=0.015), AGAIN
    assert rate.ess == pytest.approx(12, abs=1), AGAIN


def test_historical_set_is_what_the_model_leads_to(rate: StoredRate) -> None:
    stored = {
        (change.parameter, change.marker): change.values
        for change in load_prior_set("historical").changes
    }
    found = match_card(load_card("remission"), load_definitions(), rate)
    for marker in ("urine_protein_24h", "urine_protein_conc"):
        own = stored["change_mean", marker]
        assert own["mu"] == pytest.approx(found.mu, abs=0.02), AGAIN
        assert own["sigma"] == pytest.approx(found.sigma, abs=0.02), AGAIN
    found = match_published(rate)
    assert stored["mean_log_ratio", ""]["mu"] == pytest.approx(found.mu, abs=0.02), AGAIN
    assert stored["mean_log_ratio", ""]["sigma"] == pytest.approx(found.sigma, abs=0.02), AGAIN


def test_the_set_implies_the_historical_rate_of_remission(rate: StoredRate) -> None:
    """By the program's own prior predictive, which shares no code with the matching."""
    card = with_priors(load_card("remission"), "historical")
    found = prior_predictive(card, load_definitions(), n=20_000)
    at_last = found.responses[found.responses["week"] == 12].set_index("category")
    assert at_last.loc["remission", "probability"] == pytest.approx(rate.mean, abs=0.015)
    assert found.implausible == ()


def test_the_set_is_reasoned_and_sourced() -> None:
    loaded = load_prior_set("historical")
    assert loaded.brought
    assert "Weaknesses" in loaded.why
    assert 40 < len(loaded.first_sentence) < 140
    for change in loaded.changes:
        assert {"meaning", "why", "source"} <= set(change.values)
    texts = [loaded.why, *(change.values["why"] for change in loaded.changes)]
    assert "effect" not in " ".join(texts).lower()


def test_matching_undoes_what_a_prior_implies() -> None:
    """Shares under a known prior lead back to it."""
    whole, typical = published_shares(1.0), published_shares(1.0, typical=True)
    known = typical(-0.3, 0.25)
    found = match(typical, typical, known.mean(), known.std())
    assert (found.mu, found.sigma) == pytest.approx((-0.3, 0.25), abs=1e-3)
    # Under the whole prior the shares are more spread out than history's.
    assert match(whole, typical, known.mean(), known.std()).sd > known.std()


def test_shares_of_a_card_fall_with_the_ratio() -> None:
    shares = card_shares(load_card("remission"), load_definitions())
    means = [shares(mu, 0.2).mean() for mu in (-1.0, -0.4, 0.0, 0.5)]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.5
