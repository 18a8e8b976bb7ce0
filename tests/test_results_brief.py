"""Sentences about the primary model: what its share does not explain, and who is told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from runs import DEFINITIONS, unsampled

from mnbayes.analyses.results.brief import beyond_the_model
from mnbayes.analyses.results.page_one import why_less_sure
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.result import Result
from mnbayes.cards.card import load_card
from mnbayes.data.embedded import embedded_cohort
from mnbayes.report.kit.prior_left import ratio_left, share_left


@pytest.fixture(scope="module")
def result() -> Result:
    """At week 12, 1 of 7 in complete remission (MN08), 4 of 7 in remission, 5 of 7 effective."""
    return summarise(unsampled(load_card("remission"), embedded_cohort()), DEFINITIONS)


def shares(result: Result, lower: float, upper: float) -> Result:
    """The result with another 95 % interval of every share."""
    table = result.population.assign(share_lower=lower, share_upper=upper)
    return replace(result, population=table)


def latent(result: Result, **chances: float) -> Result:
    """The result with other probabilities of the true level, by patient; others are certain."""
    table = result.probabilities.copy()
    own = table["quantity"] == "latent"
    table.loc[own, "probability"] = table.loc[own, "patient"].map(chances).fillna(1.0)
    table.loc[own, "mcse"] = 0.001
    return replace(result, probabilities=table)


@pytest.mark.parametrize(
    ("lower", "upper", "counted"),
    [
        (0.0, 1.0, []),
        (0.0, 0.6, ["5 of 7"]),  # effective, 71 %
        (0.0, 0.5, ["4 of 7", "5 of 7"]),  # and remission, 57 %
        (0.0, 0.1, ["1 of 7", "3 of 7", "4 of 7", "5 of 7"]),
        (0.9, 1.0, []),  # fewer than expected is what a true level's noise can do
        (np.nan, np.nan, []),
    ],
)
def test_more_counted_than_the_interval_allows(
    result: Result, lower: float, upper: float, counted: list[str]
) -> None:
    said = beyond_the_model(shares(result, lower, upper))
    assert len(said) == len(counted)
    for sentence, count in zip(said, counted, strict=True):
        assert f"{count} were counted" in sentence
        assert f"({100 * lower:.0f} % to {100 * upper:.0f} %)" in sentence


def test_who_was_measured_in_what_the_true_level_hardly_meets(result: Result) -> None:
    assert why_less_sure(latent(result)) is None
    assert why_less_sure(latent(result, MN08=0.5)) is None
    # Not measured at week 12, or measured in no response: there is nothing to explain.
    assert why_less_sure(latent(result, MN01=0.1, MN03=0.1, MN06=0.1)) is None
    said = str(why_less_sure(latent(result, MN08=0.312)))
    assert said.count("31 %") >= 1
    assert "MN08" in said
    assert "MN02" not in said
    both = str(why_less_sure(latent(result, MN08=0.312, MN02=0.2)))
    assert both.index("MN02") < both.index("MN08")
    assert "20 %" in both


def test_the_noise_of_one_measurement_is_that_of_the_posterior(result: Result) -> None:
    sd = result.fit.tree["posterior"]["residual_sd"].sel(marker="urine_protein_24h")
    noise = round(100 * float(np.expm1(np.median(sd))))
    assert f"varies by {noise} %" in str(why_less_sure(latent(result, MN08=0.1)))


@pytest.mark.parametrize(
    ("ends", "left"),
    [
        ((0.2, 0.5, 0.0, 1.0), 0.3),
        ((0.2, 0.5, 0.2, 0.5), 1.0),
        ((0.0, 0.9, 0.1, 0.7), 1.5),  # wider than the prior's
        ((0.4, 0.4, 0.0, 1.0), 0.0),
        ((0.4, 0.6, 0.5, 0.5), np.nan),  # a prior without width
        ((np.nan, np.nan, 0.0, 1.0), np.nan),
        ((0.1, 0.2, np.nan, np.nan), np.nan),
    ],
)
def test_share_left_by_hand(ends: tuple[float, ...], left: float) -> None:
    assert share_left(*ends) == pytest.approx(left, nan_ok=True)
    # a ratio on the log scale: the same of its logarithms
    assert ratio_left(*np.exp(ends)) == pytest.approx(left, nan_ok=True)


def test_ratio_left_by_hand() -> None:
    assert ratio_left(0.5, 1.0, 0.25, 4.0) == pytest.approx(0.25)  # one of four halvings
    assert pd.isna(ratio_left(np.nan, np.nan, 0.25, 4.0))
