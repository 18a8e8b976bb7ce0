"""Which visit headlines are about, and how many patients they rest on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import simulate_cohort

from mnbayes.analyses.summarise import summarise
from mnbayes.answers.result import before_primary
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.data.cohort import Cohort
from mnbayes.data.trial import Trial, primary_week
from mnbayes.inference.fit import Fit, Sampling, fit
from mnbayes.report.kit.results import measured_at

PROTEIN = "urine_protein_24h"


@pytest.mark.parametrize(
    ("measured", "week"),
    [
        ((8, 8, 7, 1), 24.0),  # one of eight at the last visit carries no headline
        ((8, 8, 3, 1), 12.0),
        ((8, 7, 8, 4), 52.0),  # half is enough
        ((3, 2, 3, 1), 24.0),  # nowhere half: the best attended, the last of them
    ],
)
def test_the_last_week_with_half_of_the_enrolled(measured: tuple[int, ...], week: float) -> None:
    assert primary_week(Trial(), (4.0, 12.0, 24.0, 52.0), measured, 8) == week
    named = Trial(primary_week=4.0)
    assert primary_week(named, (4.0, 12.0, 24.0, 52.0), measured, 8) == 4.0
    # A week at which nobody was measured is not the primary one of this model.
    assert primary_week(Trial(primary_week=8.0), (4.0, 12.0, 24.0, 52.0), measured, 8) == week


@pytest.fixture(scope="module")
def thin() -> Cohort:
    """Six patients, of whom one alone was seen at the last visit."""
    whole = simulate_cohort(6, weeks=(0.0, 4.0, 12.0, 52.0), seed=3)
    rows = whole.measurements
    left = rows[(rows["week"] < 52) | (rows["patient"] == "S001")].reset_index(drop=True)
    return replace(whole, measurements=left)


@pytest.fixture(scope="module")
def fitted(thin: Cohort) -> Fit:
    return fit(load_card("proteinuria"), thin, Sampling(draws=250, engine="collapsed"))


def test_a_thin_last_visit_is_not_the_headline(thin: Cohort, fitted: Fit) -> None:
    assert thin.primary_week([PROTEIN]) == 12.0
    assert fitted.primary_week == 12.0
    assert fitted.tree.attrs["primary_week"] == 12.0
    assert before_primary(fitted) == [4.0]


def test_headlines_say_how_many_were_measured(fitted: Fit) -> None:
    result = summarise(fitted, load_definitions("fall_by_half"), allow_unconverged=True)
    assert result.primary_week == 12.0
    assert measured_at(result, 12.0, PROTEIN) == "6 of 6 patients measured"
    assert measured_at(result, 52.0, PROTEIN) == "1 of 6 patients measured"


def test_a_response_to_be_confirmed_is_a_headline_of_the_visit_before(
    thin: Cohort, fitted: Fit
) -> None:
    late = replace(thin, trial=Trial(primary_week=52.0))
    last = fit(load_card("proteinuria"), late, Sampling(draws=250, engine="collapsed"))
    assert last.primary_week == 52.0
    confirmed = load_definitions("kdigo_mn_protein_confirmed")
    result = summarise(last, confirmed, allow_unconverged=True)
    assert result.primary_week == 12.0
    table = result.probabilities
    shown = table[(table["quantity"] == "latent") & (table["week"] == 52)]
    assert np.isnan(shown["probability"].astype(float)).all() or shown.empty
