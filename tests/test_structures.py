"""Other structures of a model beside the one fitted: what is refitted, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from runs import DEFINITIONS, unsampled, with_part
from trees import default_hyper

from mnbayes.analyses.sensitivity import refits, structures
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.result import ModelAsked, Result
from mnbayes.cards.card import Card, load_card
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Fit, Sampling
from mnbayes.run.run import Run


def fake_fit(card: Card, cohort: Cohort, sampling: Sampling, progress: object = None) -> Fit:
    """A fit that nobody sampled: protein falls by half, under a step by a hundredth."""
    n_visit = len({*cohort.measurements["week"]}) - 1
    hyper = default_hyper(card.markers, n_visit)
    if card.structure.trajectory == "step":
        hyper = replace(hyper, visit_change=0.02 * hyper.visit_change)
    else:
        hyper = replace(hyper, serial_sd=np.full(len(card.markers), 0.1), serial_weeks=4.0)
    if card.structure.residual == "student_t":
        hyper = replace(hyper, residual_df=5.0)
    return unsampled(card, cohort, replace(sampling, draws=100), hyper=hyper)


def found(monkeypatch: pytest.MonkeyPatch, card: Card, cohort: Cohort) -> Result:
    monkeypatch.setattr(refits, "fit", fake_fit)
    return summarise(fake_fit(card, cohort, Sampling()), DEFINITIONS, 1)


def test_each_part_of_the_structure_is_changed_by_itself() -> None:
    card = load_card("proteinuria")
    tried = [(c.structure.residual, c.structure.trajectory) for c in structures.others(card)]
    assert tried == [("student_t", "drift"), ("normal", "step")]
    own = {name: specs for name, specs in card.prior.items() if name != "residual_df"}
    without = card.model_copy(update={"prior": own})
    assert [c.structure.trajectory for c in structures.others(without)] == ["step"]


def test_answers_under_each_structure_and_what_flips(
    monkeypatch: pytest.MonkeyPatch, cohort: Cohort
) -> None:
    card = load_card("proteinuria")
    result = found(monkeypatch, card, cohort)
    table = structures.find(ModelAsked(result, DEFINITIONS, None, cohort))
    sizes = table.groupby(["trajectory", "residual"], sort=False).size()
    assert list(sizes.index) == [("drift", "normal"), ("drift", "student_t"), ("step", "normal")]
    assert len(set(sizes)) == 1
    ratio = table[(table["kind"] == "gmr") & (table["week"] == 12)].set_index("trajectory")
    assert ratio.loc["step", "value"] > 0.9 > float(np.max(ratio.loc["drift", "value"]))
    result = with_part(result, structures.NAME, table)
    run = Run(cohort, DEFINITIONS, (result,), "weak", (), {})
    heavy, step = (each.sentence for each in structures.changes_of(result, run))
    assert heavy == "With Student-t residuals, no conclusion changes."
    assert "the probability that 24-h urinary protein fell would go from" in step
    (shown,) = structures.section(run).shown
    assert shown.head == ("Answer", "As fitted", "Student-t residuals", "A constant step")


def test_cards_that_ask_for_no_refits_have_none(cohort: Cohort) -> None:
    result = summarise(unsampled(load_card("urine_protein_conc"), cohort), DEFINITIONS, 1)
    nothing = structures.find(ModelAsked(result, DEFINITIONS, None, cohort))
    assert nothing.empty
    pd.testing.assert_index_equal(nothing.columns, pd.Index(structures.COLUMNS))
