"""Mean changes that shrink to a common one, and blocks of correlations, against SciPy."""

import dataclasses

import numpy as np
import pytest
from conftest import simulate_cohort

from mnbayes.base.problems import InputError
from mnbayes.cards.card import Card, load_card, parse_card
from mnbayes.data.observations import Observations, observations
from mnbayes.models.density import longitudinal_density
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
