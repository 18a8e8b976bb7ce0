"""NUTS and the collapsed engine on simulated cohorts: what is stored, and a few fits anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import Definitions
from mnbayes.studies.engines import AGREEMENT_COLUMNS, agreement, agreement_summary
from mnbayes.studies.fingerprint import ENGINE_CODE, fingerprint

STORED = json.loads(
    (Path(__file__).parent / "reference" / "engines.json").read_text(encoding="utf-8")
)


def test_stored_agreement_is_of_the_present_code() -> None:
    present = fingerprint([load_card(STORED["card"])], ENGINE_CODE)
    assert present == STORED["fingerprint"], "run `python scripts/engines.py` again"


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


def test_two_cohorts_agree(definitions: Definitions) -> None:
    table = agreement(load_card("proteinuria"), definitions, (4, 8), (0.0, 2.0, 12.0), 2, seed=5)
    summary = agreement_summary(table)
    assert summary["withheld"] == 0
    assert set(table["patients"]) == {4, 8}
    assert set(table["kind"]) == {"mean", "sd", "probability"}
    assert summary["mean_in_errors"] < 5
    assert summary["probability_in_errors"] < 5
    assert summary["sd_relative"] < 0.1
