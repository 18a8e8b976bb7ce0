"""The stored calibration is of this code, large enough, and passed; how it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnbayes.analyses.calibration.figure import calibration_figure
from mnbayes.analyses.calibration.replicates import CODE, calibration_study
from mnbayes.analyses.calibration.section import (
    StoredCalibration,
    calibration_section,
    stored_calibration,
    what_was_done,
)
from mnbayes.analyses.calibration.simulate import Setting
from mnbayes.base.resources import embedded_cohort
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.overrides import apply_changes, parse_setting
from mnbayes.data.cohort import load_cohort
from mnbayes.data.observations import observations
from mnbayes.report.kit.templates import environment
from mnbayes.studies.fingerprint import fingerprint

AGAIN = "the engine's code or a card has changed since: run `python scripts/calibration.py`"


@pytest.fixture(scope="module")
def stored() -> StoredCalibration:
    return stored_calibration()


def test_the_stored_calibration_is_of_this_code(stored: StoredCalibration) -> None:
    cards = [load_card(name) for name in stored.cards]
    assert stored.fingerprint == fingerprint(cards, CODE), AGAIN
    cohort = load_cohort(embedded_cohort())
    for kept, depends in zip(stored.calibrations, stored.depends, strict=True):
        card = load_card(kept.model)
        setting = Setting(card, observations(card, cohort), load_definitions(), kept.posterior)
        assert depends == calibration_study(setting, 1, 1).depends, AGAIN


def test_everything_passes_at_its_level(stored: StoredCalibration) -> None:
    for kept in stored.calibrations:
        assert kept.level == 0.95
        assert kept.passed, (kept.model, kept.reasons)
        assert set(kept.groups.values()) == {"parameter", "derived", "data"}


def test_enough_replicates(stored: StoredCalibration) -> None:
    replicates = {(kept.model, kept.posterior): kept.replicates for kept in stored.calibrations}
    assert replicates["proteinuria", False] >= 10_000
    assert replicates["proteinuria", True] >= 1_000
    assert replicates["remission", False] >= 500


def test_wrong_samplers_are_caught(stored: StoredCalibration) -> None:
    caught = {each["sampler"]: each["caught"] for each in stored.wrong}
    assert caught["all patients given one change of their own"]
    for name in ("visit_sd", "change_sd"):  # of the parameters of which eight patients say least
        assert caught[f"scale of the prior {name} times 1.5"]


def test_the_report_tells_date_hash_and_verdict(stored: StoredCalibration) -> None:
    section = calibration_section([load_card("proteinuria")], stored)
    assert stored.date in section.sentences[0]
    assert stored.fingerprint[:12] in section.sentences[0]
    assert [row[-1] for row in section.table.rows] == ["passed"] * len(stored.calibrations)
    assert not section.remarks
    page = environment().get_template("calibration/section.html.j2").render(calibration=section)
    assert stored.fingerprint[:12] in page
    assert "all patients given one change" in page


def test_what_was_not_calibrated_is_said(stored: StoredCalibration) -> None:
    card = load_card("proteinuria")
    (changed,) = apply_changes([card], [parse_setting("visit_sd.sigma=0.3")], strict=True)
    other = replace(stored, cards={"remission": ""})
    assert "other priors" in calibration_section([changed], stored).remarks[0]
    assert "not among those" in calibration_section([card], other).remarks[0]


def test_the_figure_shows_every_quantity(stored: StoredCalibration) -> None:
    first = stored.calibrations[0]
    figure = calibration_figure(first, synthetic=True)
    assert len(figure.axes) == len(first.counts)
    caption = figure.get_supxlabel()
    assert f"{first.ranked:,} simulated truths" in caption.replace("\n", " ")
    assert "posterior given the cohort" in what_was_done(stored.calibrations[1])
