"""The stored operating characteristics: their age, what they say, and how they are shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import script

from mnbayes.analyses.characteristics import section as report
from mnbayes.analyses.characteristics import words
from mnbayes.analyses.characteristics.command import FIRST, characteristics_study
from mnbayes.analyses.characteristics.figure import characteristics_figures
from mnbayes.analyses.characteristics.judges import BETWEEN, FALSE, TRUE, other_judges, rule_judges
from mnbayes.analyses.characteristics.parts import Simulated
from mnbayes.analyses.characteristics.patients import PATIENT_COLUMNS, told
from mnbayes.analyses.characteristics.result import (
    Characteristics,
    Described,
    read_result,
    result_files,
)
from mnbayes.analyses.characteristics.scenarios import find_scenario, scenarios
from mnbayes.analyses.characteristics.stored import (
    behaviour,
    inputs_of,
    is_current,
    made_of,
    stored_results,
)
from mnbayes.analyses.design.rules import load_rules
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import Definitions, load_definitions, parse_definitions
from mnbayes.cards.overrides import apply_changes, parse_setting
from mnbayes.report.kit.figures import svg_bytes
from mnbayes.report.kit.templates import environment
from mnbayes.studies.rerun import first_replicates, from_lines, moved

CARD, DEFINITIONS = load_card("proteinuria"), load_definitions()
RULES, _ = rule_judges(load_rules().rule, CARD, DEFINITIONS)
JUDGES = (*RULES, *other_judges())
AGAIN = (
    "a card, a scenario, the rule or the engine's numbers have changed since the study: run "
    "`python scripts/characteristics.py`"
)


def stored(model: str) -> Characteristics:
    return next(found for found in stored_results() if found.model == model)


# The stored results


@pytest.mark.parametrize("found", stored_results(), ids=lambda item: item.model)
def test_the_stored_study_is_of_these_cards_rules_and_scenarios(found: Characteristics) -> None:
    made = script("characteristics")
    assert is_current(found), AGAIN
    assert (found.patients, found.replicates) == made.STUDIES[found.model], AGAIN
    assert found.seed == made.SEED, AGAIN


@pytest.mark.parametrize("found", stored_results(), ids=lambda item: item.model)
def test_its_first_replicates_have_the_same_numbers_again(found: Characteristics) -> None:
    study = characteristics_study(*inputs_of(found), found.patients, FIRST, found.seed)
    assert len(from_lines(found.first)) == found.cells * FIRST
    assert moved(found.first, first_replicates(study, FIRST)) == [], AGAIN


def test_another_card_rule_or_seed_moves_the_numbers() -> None:
    found = stored("proteinuria")
    card, definitions, rules, chosen = inputs_of(found)
    (other,) = apply_changes([card], [parse_setting("change_mean.sigma=0.701")], strict=True)
    criteria = replace(rules[0].criteria, target=rules[0].criteria.target * 1.1)
    stricter = (replace(rules[0], criteria=criteria), *rules[1:])
    for given, seed in (
        ((other, definitions, rules, chosen), found.seed),
        ((card, definitions, stricter, chosen), found.seed),
        ((card, definitions, rules, chosen), found.seed + 1),
    ):
        study = characteristics_study(*given, found.patients, FIRST, seed)
        assert moved(found.first, first_replicates(study, FIRST)), seed


@pytest.mark.parametrize("found", stored_results(), ids=lambda item: item.model)
def test_what_was_shown_can_be_written_and_read(found: Characteristics, tmp_path: Path) -> None:
    assert found.false_go  # what is worked out on the way is not written
    found.cell(found.rules[0].name, found.scenarios[0].name, found.patients[0])
    for name, content in result_files(found).items():
        (tmp_path / name).write_bytes(content)
    again = read_result(tmp_path)
    assert again.scenarios == found.scenarios
    pd.testing.assert_frame_equal(again.decisions, found.decisions)


def test_the_whole_grid_is_stored() -> None:
    found = stored("proteinuria")
    assert [item.name for item in found.scenarios] == [item.name for item in scenarios()]
    assert {min(found.patients), max(found.patients)} == {4, 40}
    assert 8 in found.patients
    for found in stored_results():
        assert len(found.estimates) == found.cells
        assert set(found.estimates["replicates"]) == {found.replicates}
        assert len(found.decisions) == found.cells * len(found.judges)
        quantities = 4 + 4 * len(told(load_card(found.model)))
        assert len(found.per_patient) == found.cells * quantities
        assert found.estimates["withheld"].sum() <= 0.01 * found.cells * found.replicates
        assert found.estimates["failed"].sum() == 0


def test_what_the_stored_results_must_show() -> None:
    """Facts that hold whatever the engine: a study that missed one would be wrong."""
    found = stored("proteinuria")
    table = found.estimates.set_index(["scenario", "patients"])
    for n in found.patients:
        for name in ("no_change", "scatter", "heavy_tails"):
            row = table.loc[(name, n)]
            assert abs(row["bias"]) < 0.01 + 4 * row["bias_mcse"], (name, n)
            assert row["coverage"] > 0.93 - 4 * row["coverage_mcse"], (name, n)
        # exp(-0.228) and exp(-0.378): the closed forms of the scenarios' test.
        assert table.loc[("regression_to_mean", n), "bias"] < -0.12
        assert (
            table.loc[("strong_regression", n), "bias"]
            < table.loc[("regression_to_mean", n), "bias"]
        )
    assert found.of("wilcoxon", "change").iloc[0]["go"] == 0.0  # four pairs
    most = found.of("wilcoxon", "strong_regression").iloc[-1]
    assert most["go"] > 0.95  # the more patients, the surer of a fall that is none
    under_no_change = found.of("wilcoxon", "no_change").iloc[-1]
    assert under_no_change["go"] < 0.025 + 4 * under_no_change["go_mcse"]


# What makes a stored result stale


def test_numbers_count_and_words_do_not() -> None:
    chosen = scenarios()
    now = made_of(CARD, DEFINITIONS, JUDGES, chosen)
    assert now == made_of(CARD, DEFINITIONS, JUDGES, chosen)
    renamed = [replace(item, title="X", says="Y") for item in chosen]
    retitled = [replace(judge, title="X", says="Y") for judge in JUDGES]
    assert now == made_of(CARD, DEFINITIONS, retitled, renamed)

    card = apply_changes([CARD], [parse_setting("change_mean.sigma=0.6")], strict=True)[0]
    criteria = replace(RULES[0].criteria, target=0.8)
    data = DEFINITIONS.recorded()
    data["category"][3]["any"][0]["fall_at_least"] = 0.25
    definitions = parse_definitions(data, "x")
    line = DEFINITIONS.decision.model_copy(update={"probability": 0.9})
    surer = DEFINITIONS.model_copy(update={"decision": line})
    others = {
        made_of(CARD, surer, JUDGES, chosen),
        made_of(card, DEFINITIONS, JUDGES, chosen),
        made_of(CARD, definitions, JUDGES, chosen),
        made_of(CARD, DEFINITIONS, (replace(RULES[0], criteria=criteria), *JUDGES[1:]), chosen),
        made_of(CARD, DEFINITIONS, JUDGES, chosen[:-1]),
        now,
    }
    assert len(others) == 6


def test_a_scenario_is_known_by_what_it_makes() -> None:
    scenario = find_scenario("change")

    def same(n: int, rng: np.random.Generator) -> Simulated:
        return scenario.simulate(n, rng)

    def shifted(n: int, rng: np.random.Generator) -> Simulated:
        cohort = scenario.simulate(n, rng)
        return Simulated(cohort.true, cohort.measured + 1e-4)

    assert behaviour(replace(scenario, simulate=same)) == behaviour(scenario)
    assert behaviour(replace(scenario, simulate=shifted)) != behaviour(scenario)


def test_another_fingerprint_or_an_unknown_scenario_is_not_current() -> None:
    made = small()
    assert not is_current(made)
    gone = replace(made, scenarios=(Described("gone", "Gone", ""),))
    assert not is_current(gone)


# How they are shown


def small(patients: tuple[int, ...] = (4, 8)) -> Characteristics:
    """A result with round numbers: two scenarios."""
    names = {"strong_regression": FALSE, "change": TRUE}
    estimates, decisions, own = [], [], []
    said = {
        "covered_95": 0.9,
        "covered_80": 0.7,
        "covered_left": np.nan,
        "rmse": 0.25,
        "brier_effective": 0.125,
        "wrong_effective": 0.1,
        "said_effective": 0.95,
        "true_effective": 0.85,
    }
    for name, meaning in names.items():
        for n in patients:
            bias = -0.3 if meaning == FALSE else 0.05
            estimates.append((name, n, 400, 2, 0, 1.0, bias, 0.01, 0.6, 0.0245, 0.8, float(n)))
            own += [(name, n, quantity, value, 0.01) for quantity, value in said.items()]
            for judge in JUDGES:
                go = (0.4 if meaning == FALSE else 0.9) + 0.001 * n
                decisions.append(
                    (name, n, judge.name, 400, 0.5, meaning, go, 0.02, 0.05, 0.01, 0.05, 0.01, 0.0)
                )
    from mnbayes.analyses.characteristics.summary import DECISION_COLUMNS, ESTIMATE_COLUMNS

    return Characteristics(
        model="proteinuria",
        prior_set="weak",
        definitions="embedded",
        replicates=400,
        patients=patients,
        scenarios=tuple(Described(s.name, s.title, s.says) for s in scenarios() if s.name in names),
        rules=tuple(Described(j.name, j.title, j.says) for j in RULES),
        others=tuple(Described(j.name, j.title, j.says) for j in other_judges()),
        left_out={"remission": "it needs albumin"},
        seed=1,
        date="2026-01-02",
        fingerprint="0123456789abcdef",
        first=(),
        seconds=1.0,
        estimates=pd.DataFrame(estimates, columns=list(ESTIMATE_COLUMNS)),
        decisions=pd.DataFrame(decisions, columns=list(DECISION_COLUMNS)),
        per_patient=pd.DataFrame(own, columns=list(PATIENT_COLUMNS)),
    )


def test_a_go_is_false_right_or_in_between() -> None:
    found = small()
    assert [item.name for item in found.false_go] == ["strong_regression"]
    table = found.decisions.copy()
    table.loc[(table["scenario"] == "change") & (table["judge"] == "effective"), "meaning"] = (
        BETWEEN
    )
    mixed = replace(found, decisions=table)
    assert mixed.meaning("change") == BETWEEN
    assert [item.name for item in mixed.other_go] == ["change"]


def test_sentences_have_the_numbers_and_no_effect() -> None:
    text = " ".join(words.sentences(small()))
    assert "a fall of 26 % that is none" in text  # 1 - exp(-0.3)
    assert "8 of 1,600 fits were withheld or failed" in text
    assert "effect of" not in text


@pytest.mark.parametrize("patients", [(4, 8), (8,)])
def test_figures_hold_every_scenario_and_judge(patients: tuple[int, ...]) -> None:
    figures = characteristics_figures(small(patients))
    assert list(figures) == ["false_go", "right_go", "estimates", "patients"]
    ax = figures["false_go"].axes[0]
    assert ax.get_title(loc="left") == "Strong regression to the mean"
    lines = [line for line in ax.get_lines() if len(line.get_xdata())]
    assert len(lines) == len(JUDGES)
    assert lines[0].get_ydata()[-1] == pytest.approx(40.8)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [str(n) for n in patients]
    if len(patients) == 1:  # side by side, not one on the other
        assert len({float(line.get_xdata()[0]) for line in lines}) == len(JUDGES)
    held, wrong, true = figures["patients"].axes
    assert [line.get_xdata()[0] for line in wrong.get_lines()] == [10.0]
    assert [line.get_xdata()[0] for line in true.get_lines()] == [85.0]
    assert {90.0, 70.0} <= {line.get_xdata()[0] for line in held.get_lines()}
    for figure in figures.values():
        assert svg_bytes(figure).startswith(b"<?xml")


def test_the_report_shows_two_tables_pictures_date_and_hash() -> None:
    part = report.characteristics_part(small(), current=True)
    assert "0123456789ab" in part.provenance
    go, coverage = part.tables
    assert go.rows[0][:4] == ("Strong regression to the mean", "false", "41 %", "41 %")
    assert "at most 2.0 points" in go.caption
    assert coverage.rows[0][1:4] == ("1.00", "0.74", "60 %")
    assert coverage.rows[0][4:] == ("90 %", "10 %", "2")
    assert len(go.rows) == len(coverage.rows) == 2

    def page(*others: report.Part, outdated: tuple[str, ...] = ()) -> str:
        template = environment().get_template("characteristics/section.html.j2")
        return template.render(part=part, others=others, outdated=outdated)

    html = page()
    assert "Out of date" not in html
    assert "not of this run’s cohort" in html
    assert html.count("data:image/svg+xml") == 4
    assert "Out of date" in page(outdated=("proteinuria",))


def test_the_command_shows_every_number_of_patients() -> None:
    rates, errors, own = report.of_study(small()).shown
    row = next(row for row in rates.rows if row[2] == "8")
    assert isinstance(row, tuple)
    assert row[:2] == ("Strong regression to the mean", "false")
    row = next(row for row in errors.rows if row[1] == "8")
    assert row[3:5] == ("1.00", "0.74")
    assert own.rows[0][2:] == ("90 %", "70 %", "–", "0.25", "10 %", "95 %", "85 %", "0.125")
    assert len(own.rows) == 4


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.424, 0.02, "42 %"),
        (0.0, 0.003, "<1 %"),
        (0.0, 0.04, "<4 %"),  # none of 24: no bound of one percent
        (0.5, 0.2, "50 ± 20 %"),
        (0.996, 0.03, ">97 %"),
    ],
)
def test_a_share_is_whole_percents_unless_it_rests_on_too_few(
    value: float, error: float, text: str
) -> None:
    assert words.share(value, error) == text


def test_every_stored_number_is_in_the_folder_of_a_run(definitions: Definitions) -> None:
    parts = report.characteristics_parts({found.model for found in stored_results()}, definitions)
    tables = report.tidy([part.found for part in parts])
    assert set(tables) == {
        f"characteristics_{name}" for name in ("estimates", "decisions", "per_patient", "scenarios")
    }
    decisions = tables["characteristics_decisions"].frame
    assert len(decisions) == sum(len(part.found.decisions) for part in parts)
    assert set(decisions["model"]) == {part.model for part in parts}
