"""The stored calibration is of these cards, gives its numbers again, and passed; how it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from conftest import script

from mnbayes.analyses.calibration.figure import calibration_figure
from mnbayes.analyses.calibration.replicates import calibration_study, quantities
from mnbayes.analyses.calibration.section import (
    StoredCalibration,
    calibration_section,
    stored_calibration,
)
from mnbayes.analyses.calibration.simulate import Setting
from mnbayes.base.resources import calibration_file
from mnbayes.cards.card import load_card
from mnbayes.cards.overrides import apply_changes, parse_setting
from mnbayes.report.kit.templates import environment
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.rerun import first_replicates, from_lines, moved

AGAIN = "{}: numbers or a card have changed since: run `python scripts/calibration.py`"


made = script("calibration")


@pytest.fixture(scope="module")
def stored() -> StoredCalibration:
    return stored_calibration()


def moved_since(lines: Sequence[str], setting: Setting, seed: int) -> list[str]:
    """Columns in which the first replicates are other than stored."""
    count = len(from_lines(lines))
    assert count >= 2
    return moved(lines, first_replicates(calibration_study(setting, count, seed), count))


def test_the_stored_calibration_is_of_these_cards_and_settings(stored: StoredCalibration) -> None:
    cards = {name: load_card(name) for name in stored.cards}
    assert stored.fingerprint == fingerprint(cards.values()), AGAIN.format("cards")
    assert stored.cards == {name: fingerprint([card]) for name, card in cards.items()}
    for kept, depends in zip(stored.calibrations, stored.depends, strict=True):
        setting = made.setting_of(kept.model, kept.posterior)
        assert depends == calibration_study(setting, 1, 1).depends, AGAIN.format(kept.model)
        assert kept.counts.keys() == quantities(setting).keys()
    found = [(each.model, each.posterior, each.replicates) for each in stored.calibrations]
    assert found == list(made.CASES)


def test_its_first_replicates_have_the_same_numbers_again(stored: StoredCalibration) -> None:
    content = json.loads(calibration_file().read_text(encoding="utf-8"))
    assert content["seed"] == made.SEED
    for kept, lines in zip(stored.calibrations, stored.first, strict=True):
        setting = made.setting_of(kept.model, kept.posterior)
        assert moved_since(lines, setting, made.SEED) == [], AGAIN.format(kept.model)
    wrong = dict(made.wrong_settings())
    assert [each["sampler"] for each in stored.wrong] == list(wrong)
    for each in stored.wrong:
        setting = wrong[each["sampler"]]
        assert moved_since(each["first"], setting, made.SEED) == [], AGAIN.format(each["sampler"])


def test_a_changed_prior_sampler_or_seed_moves_the_numbers(stored: StoredCalibration) -> None:
    right, lines = made.setting_of("proteinuria"), stored.first[0]
    (other,) = apply_changes([right.card], [parse_setting("visit_sd.sigma=0.201")], strict=True)
    assert "pareto_k" in moved_since(lines, replace(right, card=other), made.SEED)
    wrong = dict(made.wrong_settings())["all patients given one change of their own"]
    assert moved_since(lines, wrong, made.SEED)
    assert moved_since(lines, right, made.SEED + 1)


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
    assert [row[-1] for row in section.table.rows] == ["passed"] * len(stored.calibrations)
    assert not section.remarks
    page = environment().get_template("calibration/section.html.j2").render(calibration=section)
    assert stored.date in page
    assert stored.fingerprint[:12] in page


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
