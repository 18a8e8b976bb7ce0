"""NUTS and the collapsed engine on simulated cohorts: what is stored, and a few fits anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import script

from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import Definitions
from mnbayes.studies.engines import (
    AGREEMENT_COLUMNS,
    agreement,
    agreement_summary,
    first_cohorts,
)
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.rerun import from_lines

STORED = json.loads(
    (Path(__file__).parent / "reference" / "engines.json").read_text(encoding="utf-8")
)


AGAIN = "numbers or a card have changed: run `python scripts/engines.py`"


def test_stored_agreement_is_of_this_card_and_these_settings() -> None:
    assert STORED["fingerprint"] == fingerprint([load_card(STORED["card"])]), AGAIN
    made = script("engines")
    names = ("card", "patients", "weeks", "draws_per_chain", "times_where_beyond_a_limit", "seed")
    expected = (made.CARD, list(made.PATIENTS), list(made.WEEKS), made.DRAWS, made.MORE, made.SEED)
    assert tuple(STORED[name] for name in names) == expected, AGAIN
    assert STORED["summary"]["cohorts"] == made.COHORTS


def test_engines_agree_on_a_hundred_cohorts() -> None:
    summary = STORED["summary"]
    assert summary["cohorts"] - summary["withheld"] >= 100
    assert summary["withheld"] <= 5  # by a gate, so that there is nothing to compare
    assert len(STORED["withheld_because"]) == summary["withheld"]
    assert summary["mean_beyond_4"] == 0
    assert summary["sd_beyond_5_percent"] == 0
    # Of some 18,000 probabilities one lies beyond four errors by chance.
    assert summary["probability_beyond_4"] <= 1
    assert summary["probability_in_errors"] < 5


def test_summary_by_hand() -> None:
    rows = [
        (0, 4, "mean", "a", 0.3, 0.1, ""),
        (0, 4, "sd", "a", -0.06, 0.01, ""),
        (0, 4, "probability", "b", 0.05, 0.01, ""),
        (1, 6, "failed", "", np.nan, np.nan, "Pareto k"),
    ]
    out = agreement_summary(pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS)))
    assert (out["cohorts"], out["withheld"], out["quantities"]) == (2, 1, 3)
    assert out["mean_in_errors"] == pytest.approx(3.0)
    assert (out["mean_beyond_4"], out["sd_beyond_5_percent"]) == (0, 1)
    assert (out["probability_in_errors"], out["probability_beyond_4"]) == (pytest.approx(5.0), 1)


def test_the_first_two_cohorts_agree_as_they_did(definitions: Definitions) -> None:
    before = from_lines(STORED["first"])
    patients, weeks, seed = STORED["patients"], STORED["weeks"], STORED["seed"]
    table = agreement(load_card(STORED["card"]), definitions, patients, weeks, 2, seed)
    now = from_lines(first_cohorts(table, 2))
    names = ["cohort", "patients", "kind", "quantity"]
    assert now[names].equals(before[names]), AGAIN
    # NUTS takes another way after one rounding, so these numbers have Monte Carlo error.
    error = np.hypot(now["error"], before["error"])
    assert ((now["difference"] - before["difference"]).abs() <= 4 * error).all(), AGAIN
    np.testing.assert_allclose(now["error"], before["error"], rtol=0.5)

    summary = agreement_summary(table)
    assert summary["withheld"] == 0
    assert set(table["patients"]) == set(patients[:2])
    assert set(table["kind"]) == {"mean", "sd", "probability"}
    assert summary["mean_in_errors"] < 5
    assert summary["probability_in_errors"] < 5
    assert summary["sd_relative"] < 0.1
