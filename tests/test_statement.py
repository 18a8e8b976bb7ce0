"""Fits of the compiled density beside stored ones of the statement (scripts/statement.py)."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from conftest import script

import mnbayes as mn

CASES = ("proteinuria", "remission", "Student-t residuals", "constant step", "censored values")


@pytest.mark.parametrize("name", CASES)
def test_what_runs_by_default_agrees_with_the_statement(name: str) -> None:
    module = script("statement")
    assert set(module.cases()) == set(CASES)
    card, cohort = module.cases()[name]
    stored = json.loads(module.FILE.read_text(encoding="utf-8"))[name]
    theirs = pd.DataFrame.from_dict(stored, orient="index")
    ours = module.numbers(mn.fit(card, cohort, mn.Sampling(draws=2000, seed=3)))
    assert set(ours.index) == set(theirs.index)
    far = module.apart(ours, theirs)
    assert far["errors"].max() < 4.5
    assert far["sd_ratio"].between(0.85, 1.15).all()  # tails of half-normal SDs are noisy
