"""The stored calibration is of these cards, gives its numbers again, and passed; how it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import script
from test_identity import structured

from mnbayes.analyses.calibration.figure import calibration_figure
from mnbayes.analyses.calibration.replicates import calibration_study, first_cases, quantities
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

#: Cases that do not pass though every quantity is in its band, and the reports say so: of two
#: markers with a drift the collapsed engine's weights are too uneven in 4 % (``auto`` hands over).
FAILING = {"collapsed-remission"}

made = script("calibration")


@pytest.fixture(scope="module")
def stored() -> StoredCalibration:
    return stored_calibration()


def moved_since(lines: Sequence[str], setting: Setting, seed: int) -> list[str]:
    """Columns in which the first replicates are other than stored."""
    count = len(from_lines(lines))
    assert count >= 2
    if setting.engine == "nuts":  # a chain follows roundings: what it is given is compared
        return moved(lines, first_cases(setting, count, seed))
    return moved(lines, first_replicates(calibration_study(setting, count, seed), count))


def settings_of(stored: StoredCalibration) -> list[Setting]:
    """Of each stored calibration, as the script makes it now."""
    return [made.setting_of(made.CASES[name]) for name in stored.names]


def test_the_stored_calibration_is_of_these_cards_and_settings(stored: StoredCalibration) -> None:
    settings = settings_of(stored)
    cards = [setting.card for setting in settings]
    assert stored.fingerprint == fingerprint(cards), AGAIN.format("cards")
    assert stored.cards == tuple(fingerprint([card]) for card in cards)
    parts = zip(stored.names, stored.calibrations, stored.depends, settings, strict=True)
    for name, kept, depends, setting in parts:
        assert depends == calibration_study(setting, 1, 1).depends, AGAIN.format(name)
        assert kept.counts.keys() == quantities(setting).keys()
        case = made.CASES[name]
        assert (kept.model, kept.engine, kept.posterior) == (
            *(case.model, case.engine, case.posterior),
        )
    assert stored.names == tuple(made.CASES)


def test_its_first_replicates_have_the_same_numbers_again(stored: StoredCalibration) -> None:
    content = json.loads(calibration_file().read_text(encoding="utf-8"))
    assert content["seed"] == made.SEED
    for name, lines, setting in zip(stored.names, stored.first, settings_of(stored), strict=True):
        assert moved_since(lines, setting, made.SEED) == [], AGAIN.format(name)
    wrong = dict(made.wrong_settings())
    assert [each["sampler"] for each in stored.wrong] == list(wrong)
    for each in stored.wrong:
        setting = wrong[each["sampler"]]
        assert moved_since(each["first"], setting, made.SEED) == [], AGAIN.format(each["sampler"])


def test_a_changed_prior_sampler_or_seed_moves_the_numbers(stored: StoredCalibration) -> None:
    changed = [parse_setting("visit_sd.sigma=0.201")]
    for name, column in (("collapsed", "pareto_k"), ("drift", "log_density")):
        right, lines = made.setting_of(made.CASES[name]), stored.first[stored.names.index(name)]
        (other,) = apply_changes([right.card], changed, strict=True)
        assert column in moved_since(lines, replace(right, card=other), made.SEED)
        assert moved_since(lines, right, made.SEED + 1)
        if name == "collapsed":
            wrong = dict(made.wrong_settings())["all patients given one change of their own"]
            assert moved_since(lines, wrong, made.SEED)


def test_every_case_has_a_verdict_and_those_that_pass_do(stored: StoredCalibration) -> None:
    for name, kept in zip(stored.names, stored.calibrations, strict=True):
        assert kept.level == 0.95
        assert not kept.outside, (name, kept.reasons)
        assert kept.passed == (name not in FAILING), (name, kept.reasons)
        assert set(kept.groups.values()) == {"parameter", "derived", "data"}


def test_enough_replicates(stored: StoredCalibration) -> None:
    replicates = {
        name: kept.replicates for name, kept in zip(stored.names, stored.calibrations, strict=True)
    }
    least = {"collapsed": 10_000, "collapsed-remission": 2_000, "drift": 10_000}
    for name, count in replicates.items():
        assert count >= least.get(name, 1_000), name


def test_fits_fail_only_where_hardly_a_value_is_above_the_limit(stored: StoredCalibration) -> None:
    content = json.loads(calibration_file().read_text(encoding="utf-8"))
    (bands,) = (c["failed_by_share"] for c in content["calibrations"] if c["case"] == "censored")
    kept = stored.calibrations[stored.names.index("censored")]
    assert [band["at_least"] for band in bands] == [0.0, *made.SHARES]
    assert sum(band["replicates"] for band in bands) == kept.replicates
    assert sum(band["failed"] for band in bands) == kept.failed
    assert {band["at_least"] for band in bands if band["failed"]} <= {0.8}


def test_wrong_samplers_are_caught(stored: StoredCalibration) -> None:
    caught = {each["sampler"]: each["caught"] for each in stored.wrong}
    assert caught["all patients given one change of their own"]
    for name in ("visit_sd", "change_sd"):  # of the parameters of which eight patients say least
        assert caught[f"scale of the prior {name} times 1.5"]


def test_the_report_tells_date_hash_and_verdict(stored: StoredCalibration) -> None:
    section = calibration_section([load_card("lymphocytes")], stored)
    verdicts = ["passed" if each.passed else "NOT passed" for each in stored.calibrations]
    assert [row[-1] for row in section.table.rows] == verdicts
    assert not section.remarks
    page = environment().get_template("calibration/section.html.j2").render(calibration=section)
    assert stored.date in page
    assert stored.fingerprint[:12] in page


def test_the_docs_show_the_report_s_table(stored: StoredCalibration) -> None:
    docs = (Path(__file__).parents[1] / "docs" / "calibration.md").read_text(encoding="utf-8")
    for row in calibration_section([], stored).table.rows:
        assert f"| {' | '.join(row)} |" in docs


def test_a_failure_is_said_first(stored: StoredCalibration) -> None:
    passing = [each for each in stored.calibrations if each.passed]
    first = passing[0]
    count = next(iter(first.counts.values()))
    skewed = {**first.counts, "visit_sd": np.sort(np.arange(count.size) + count)}
    bad = replace(first, counts=skewed)
    shown = replace(stored, calibrations=(bad, *stored.calibrations[1:]))
    section = calibration_section([load_card("proteinuria")], shown)
    assert section.sentences[0].startswith("NOT passed: proteinuria: drift, NUTS (visit_sd")
    assert "visit_sd" in section.sentences[0]
    assert section.table.rows[0][-1] == "NOT passed"
    assert "did NOT pass" in section.remarks[0]


def test_the_engine_that_did_not_pass_is_named(stored: StoredCalibration) -> None:
    """A run by NUTS is of an engine that passed."""
    (remark,) = calibration_section([load_card("remission")], stored).remarks
    assert "drift, collapsed engine" in remark
    assert "NUTS" not in remark


def test_what_was_not_calibrated_is_said(stored: StoredCalibration) -> None:
    card = load_card("proteinuria")
    (changed,) = apply_changes([card], [parse_setting("visit_sd.sigma=0.3")], strict=True)
    assert "other priors" in calibration_section([changed], stored).remarks[0]
    other = card.model_copy(update={"name": "mine"})
    assert "not among those" in calibration_section([other], stored).remarks[0]
    # A structure that was calibrated is one of the card's.
    step = structured(card, trajectory="step")
    assert not calibration_section([step], stored).remarks


def test_the_figure_shows_every_quantity(stored: StoredCalibration) -> None:
    first = stored.calibrations[0]
    figure = calibration_figure(first, synthetic=True)
    assert len(figure.axes) == len(first.counts)
    caption = figure.get_supxlabel()
    assert f"{first.ranked:,} simulated truths" in caption.replace("\n", " ")
