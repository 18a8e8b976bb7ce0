"""The multiverse: what is refitted, what flips, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import simulate_cohort
from echo_task import double
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import BAD, DEFINITIONS, texts, unsampled
from trees import default_hyper
from typer.testing import CliRunner

from mnbayes.analyses.sensitivity import command, multiverse
from mnbayes.analyses.sensitivity.decisions import base_of, flips
from mnbayes.analyses.sensitivity.figure import specification_curve
from mnbayes.analyses.sensitivity.multiverse import NUMBERS, Multiverse, run_multiverse
from mnbayes.analyses.sensitivity.specifications import (
    default_prior_sets,
    fittings,
    parse_thresholds,
    thresholds,
    variants,
    with_structure,
)
from mnbayes.analyses.sensitivity.words import covered
from mnbayes.answers.answer_table import KEYS
from mnbayes.answers.conclusions import concluded, conclusion, flip
from mnbayes.base import workers
from mnbayes.base.problems import InputError, Problem
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.prior_sets import available_prior_sets
from mnbayes.cli import app
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import observations
from mnbayes.inference.fit import Fit, Sampling
from mnbayes.run.keeping import claim

PROTEIN = "urine_protein_24h"
COHORT = simulate_cohort(n_patients=5)

FakeFit = Callable[..., Fit]


def fake_fit(card: Card, cohort: Cohort, sampling: Sampling, progress: object = None) -> Fit:
    """A fit that nobody sampled: protein falls by half, under narrow priors of the change less."""
    data = observations(card, cohort)
    hyper = default_hyper(card.markers, len(data.weeks) - 1)
    narrow = card.prior["change_mean"][PROTEIN].arguments["sigma"] < 0.5
    change = hyper.visit_change * (0.1 if narrow else 1.0)
    hyper = replace(hyper, visit_change=change, residual_df=5.0 if data.weights else None)
    return unsampled(card, cohort, replace(sampling, draws=100), hyper=hyper)


def failing(card: Card, cohort: Cohort, sampling: Sampling, progress: object = None) -> Fit:
    """No fit with Student-t residuals converges."""
    fitted = fake_fit(card, cohort, sampling)
    heavy = card.structure.residual == "student_t"
    return replace(fitted, diagnostics=BAD, retried=True) if heavy else fitted


def run(monkeypatch: pytest.MonkeyPatch, fit: FakeFit = fake_fit, **options: object) -> Multiverse:
    monkeypatch.setattr(multiverse, "fit", fit)
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 1)
    cards = [load_card("proteinuria")]
    return run_multiverse(COHORT, cards, DEFINITIONS, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found() -> Multiverse:
    with pytest.MonkeyPatch.context() as monkeypatch:
        options = {"prior_sets": ["weak", "sceptical"], "thresholds": ["effective.fall=0.4"]}
        options["trajectories"] = ["drift"]
        return run(monkeypatch, **options)


def example(values: dict[tuple[str, str], float], error: float = 0.005) -> Multiverse:
    """A multiverse of one probability: prior set and residuals to P(fall); NaN: no numbers."""
    names = [
        {"model": "m", "prior_set": p, "residual": r, "trajectory": "drift"} for p, r in values
    ]
    answer = {"kind": "p_fall", "patient": "", "marker": PROTEIN, "week": 4.0, "category": ""}
    rows, fits = [], []
    for name, value in zip(names, values.values(), strict=True):
        reason = "did not converge: no" if np.isnan(value) else ""
        numbers = {"prior": 0.5, "value": value, "lower": np.nan, "upper": np.nan}
        rows.append(
            name | answer | numbers | {"mcse": error, "benchmark": np.nan, "reason": reason}
        )
        fits.append(name | {"card_sha256": "0", "retried": False, "reason": reason, "seconds": 1.0})
    return Multiverse(
        COHORT,
        DEFINITIONS,
        Sampling(),
        ("model", "prior_set", "residual", "trajectory"),
        pd.DataFrame(rows),
        pd.DataFrame(),
        pd.DataFrame(fits),
        datetime(2026, 1, 1, tzinfo=UTC),
        1.0,
    )


# ------------------------------------------------------------------ what is refitted


def test_every_combination_is_fitted_own_choices_first() -> None:
    card = load_card("proteinuria")
    chosen = fittings([card], ["weak", "sceptical"], trajectories=["drift"])
    assert [(each.prior_set, each.residual) for each in chosen] == [
        ("weak", "normal"),
        ("sceptical", "normal"),
        ("weak", "student_t"),
        ("sceptical", "student_t"),
    ]
    assert chosen[0].card == card
    narrow = chosen[3].card
    assert narrow.structure.residual == "student_t"
    assert narrow.prior["change_mean"][PROTEIN].arguments["sigma"] == 0.2
    other = with_structure(card, residual="student_t", trajectory="step")
    assert [(each.trajectory, each.residual) for each in fittings([other], ["weak"])] == [
        ("step", "student_t"),
        ("step", "normal"),
        ("drift", "student_t"),
        ("drift", "normal"),
    ]


def test_default_prior_sets_are_all_that_exist_the_cards_own_first() -> None:
    names = default_prior_sets()
    assert names[0] == "weak"
    assert set(names) == set(available_prior_sets())


@pytest.mark.parametrize(
    ("prior_sets", "residuals", "said"),
    [
        (["weak", "nonsense"], [], "nonsense"),
        (["weak", "weak"], [], "each one once"),
        (["weak"], ["gaussian"], "one of normal, student_t"),
        (["weak"], ["normal", "normal"], "each one once"),
    ],
)
def test_wrong_names_are_refused(
    prior_sets: Sequence[str], residuals: Sequence[str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        fittings([load_card("proteinuria")], prior_sets, residuals)


def test_every_number_of_the_definitions_can_be_varied() -> None:
    assert set(thresholds(DEFINITIONS)) == {
        "complete.urine_protein_24h",
        "complete.albumin",
        "partial.fall",
        "partial.urine_protein_24h",
        "effective.fall",
        "benchmark.remission",
        "benchmark.effective",
    }
    for name in thresholds(DEFINITIONS):
        value = {"complete.albumin": 30.0, "partial.urine_protein_24h": 3.0}.get(name, 0.2)
        first, second = variants(DEFINITIONS, {name: [value]})
        assert first.definitions == DEFINITIONS
        assert second.definitions != DEFINITIONS
        assert second.thresholds == {name: value}


def test_the_present_thresholds_come_first_and_once() -> None:
    grid = parse_thresholds(
        ["effective.fall=0.10, 0.15", "effective.fall=0.25", "benchmark.effective=0.3"],
        DEFINITIONS,
    )
    tried = [each.thresholds for each in variants(DEFINITIONS, grid)]
    assert tried[0] == {"effective.fall": 0.15, "benchmark.effective": 0.5}
    assert len(tried) == 6
    assert tried[-1] == {"effective.fall": 0.25, "benchmark.effective": 0.3}
    last = variants(DEFINITIONS, grid)[-1].definitions
    assert (
        last.threshold("effective", PROTEIN, "fall_at_least"),
        last.benchmarks["effective"],
    ) == (0.25, 0.3)


def test_wrong_thresholds_are_refused_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_thresholds(["effectiv.fall=0.1", "effective.fall=x", "effective.fall"], DEFINITIONS)
    text = str(caught.value)
    assert "did you mean effective.fall?" in text
    assert '"x"' in text or "'x'" in text
    assert "NAME=VALUE,VALUE" in text
    with pytest.raises(InputError, match="less than 1"):
        variants(DEFINITIONS, {"effective.fall": [1.5]})
    with pytest.raises(InputError, match="at most partial's"):
        variants(DEFINITIONS, {"complete.urine_protein_24h": [4.0]})


@given(st.text(max_size=20))
def test_any_text_is_thresholds_or_an_error_in_words(text: str) -> None:
    with suppress(InputError):
        for variant in variants(DEFINITIONS, parse_thresholds([text], DEFINITIONS)):
            assert variant.definitions.model_dump()


# ------------------------------------------------------------------ the refits


def test_the_table_has_every_answer_under_every_specification(found: Multiverse) -> None:
    assert found.axes == ("model", "prior_set", "residual", "trajectory", "effective.fall")
    assert tuple(found.table.columns) == (*found.axes, *KEYS, *NUMBERS, "reason")
    sizes = found.table.groupby(list(found.axes), sort=False).size()
    assert len(sizes) == 8
    assert len(set(sizes)) == 1
    assert not found.table.duplicated([*found.axes, *KEYS]).any()
    judged = found.table[found.table["kind"] == "exceeds"]
    assert set(judged["benchmark"]) == {0.5}
    assert found.table.loc[found.table["kind"] == "gmr", "benchmark"].isna().all()
    assert found.table["mcse"].notna().all()


def test_definitions_read_the_same_draws_again(found: Multiverse) -> None:
    # A stricter definition of the same draws: the ratios stay, the shares fall.
    wide = found.table.pivot_table(
        "value", [*KEYS, "prior_set", "residual"], "effective.fall", dropna=False
    ).reset_index()
    ratios = wide[wide["kind"] == "gmr"].dropna()
    assert len(ratios)
    np.testing.assert_array_equal(ratios[0.15], ratios[0.4])
    shares = wide[(wide["kind"] == "population") & (wide["category"] == "effective")].dropna()
    assert (shares[0.4] < shares[0.15]).all()


def test_a_specification_has_the_numbers_of_that_run(found: Multiverse) -> None:
    from mnbayes.answers.probability_tables import probability_table
    from mnbayes.answers.response_draws import response_draws

    card = next(
        each.card
        for each in fittings([load_card("proteinuria")], ["sceptical"], ["student_t"], ["drift"])
    )
    tree = fake_fit(card, COHORT, Sampling()).tree
    alone = probability_table(response_draws(tree, DEFINITIONS, 1), "proteinuria")
    alone = alone[(alone["quantity"] == "next_patient") & (alone["category"] == "effective")]
    rows = found.table.query(
        "prior_set == 'sceptical' and residual == 'student_t' and `effective.fall` == 0.15 "
        "and kind == 'next_patient' and category == 'effective'"
    )
    np.testing.assert_array_equal(rows["value"], alone["probability"])
    np.testing.assert_array_equal(rows["prior"], alone["prior_probability"])


def test_power_scaling_stands_beside_every_refit(found: Multiverse) -> None:
    names = found.power_scaling[["prior_set", "residual"]].drop_duplicates()
    assert len(names) == 4
    assert not found.power_scaling.duplicated(
        ["prior_set", "residual", "kind", "marker", "category"]
    ).any()


def test_a_fit_that_fails_the_gate_is_listed_with_blank_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def impossible(card: Card, *given: object) -> Fit:
        narrow = card.prior["change_mean"][PROTEIN].arguments["sigma"] < 0.5
        if narrow and card.structure.residual == "normal":
            raise InputError([Problem("priors", None, None, "no place to start", "other priors")])
        return failing(card, *given)  # type: ignore[arg-type]

    got = run(monkeypatch, impossible, prior_sets=["weak", "sceptical"], trajectories=["drift"])
    reasons = got.fits.set_index(["prior_set", "residual"])["reason"]
    assert reasons["weak", "normal"] == ""
    assert reasons["sceptical", "normal"] == (
        "cannot be fitted: no place to start; expected other priors"
    )
    assert reasons["weak", "student_t"] == "did not converge: 3 divergent transitions"
    blank = got.table[got.table["reason"] != ""]
    assert blank[list(NUMBERS)].isna().all(axis=None)
    sizes = got.table.groupby(["prior_set", "residual"]).size()
    assert len(set(sizes)) == 1  # every answer is there, without a number
    base = {"model": "proteinuria", "prior_set": "weak", "residual": "normal"}
    base["trajectory"] = "drift"
    assert base_of(got, "proteinuria") == base
    assert len(got.power_scaling["prior_set"].unique()) == 1


def test_when_nothing_can_be_fitted_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    got = run(
        monkeypatch, failing, prior_sets=["weak"], residuals=["student_t"], trajectories=["drift"]
    )
    assert len(got.table) == 1
    assert base_of(got, "proteinuria") is None
    assert flips(got, "proteinuria").empty
    assert specification_curve(got, "proteinuria") is None
    (told,) = command.sections(got)
    assert told.shown == ()
    command.write(got, claim(tmp_path / "out", command.MANIFEST))
    assert not (tmp_path / "out" / "specification_curve.svg").exists()
    assert json.loads((tmp_path / "out" / "sensitivity.json").read_text())["converged"] is False


def test_the_longest_fits_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[str] = []

    def side_by_side(function: object, parts: Sequence[object], news: object) -> list[object]:
        tasks.extend(part.fitting.residual for part in parts)  # type: ignore[attr-defined]
        return [function(part, news) for part in parts]  # type: ignore[operator]

    monkeypatch.setattr(multiverse, "side_by_side", side_by_side)
    run(monkeypatch, prior_sets=["weak", "sceptical"], trajectories=["drift"])
    assert tasks == ["student_t", "student_t", "normal", "normal"]


def test_workers_keep_the_order_and_pass_on_the_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 2)
    news: list[tuple[object, ...]] = []
    assert workers.side_by_side(double, [1, 2, 3], lambda *what: news.append(what)) == [2, 4, 6]
    assert sorted(news) == [("task", "done", task, 0) for task in (1, 2, 3)]


# ------------------------------------------------------------------ what flips


def test_conclusions_and_their_lines() -> None:
    values = (0.8, 0.799, 0.2, 0.199, float("nan"))
    said = [conclusion(value, 0.8) for value in values]
    assert said == ["likely", "uncertain", "uncertain", "unlikely", ""]
    assert conclusion(0.85, 0.9) == "uncertain"
    assert flip((0.9, 0.01), (0.7, 0.01), 0.8) == "yes"
    assert flip((0.9, 0.01), (0.79, 0.01), 0.8) == "close"
    assert flip((0.81, 0.01), (0.1, 0.001), 0.8) == "yes"  # beyond doubt at the other line
    assert flip((0.9, 0.01), (0.85, 0.01), 0.8) == "no"
    assert flip((0.9, 0.01), (float("nan"), float("nan")), 0.8) == "no"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.05), st.floats(0.55, 0.95))
def test_flips_are_symmetric_and_need_two_conclusions(
    a: float, b: float, error: float, line: float
) -> None:
    found = flip((a, error), (b, error), line)
    assert found == flip((b, error), (a, error), line)
    assert (found == "no") == (conclusion(a, line) == conclusion(b, line))


def test_flips_are_judged_at_the_definitions_line_and_beyond_monte_carlo_error() -> None:
    values = {("weak", "normal"): 0.95, ("sceptical", "normal"): 0.60}
    assert flips(example(values), "m")["prior_set"].tolist() == ["sceptical"]
    got = example(values | {("sceptical", "normal"): 0.85})
    assert flips(got, "m").empty
    decision = DEFINITIONS.decision.model_copy(update={"probability": 0.9})
    strict = replace(got, definitions=DEFINITIONS.model_copy(update={"decision": decision}))
    assert flips(strict, "m")["flip"].tolist() == ["yes"]
    near = example({("weak", "normal"): 0.81, ("sceptical", "normal"): 0.79}, error=0.01)
    assert flips(near, "m")["flip"].tolist() == ["close"]
    # A failed specification is compared with nothing.
    failed = example({("weak", "normal"): np.nan, ("sceptical", "normal"): 0.9})
    assert base_of(failed, "m")["prior_set"] == "sceptical"  # type: ignore[index]
    assert flips(failed, "m").empty


def test_only_what_is_reported_counts_as_a_conclusion(found: Multiverse) -> None:
    rows = concluded(found.table, found.definitions, 4.0)
    assert set(rows["kind"]) == {"p_fall", "next_patient", "exceeds", "latent"}
    assert set(rows["category"]) == {"", "effective"}
    assert set(rows["week"]) == {4.0}
    assert list(dict.fromkeys(rows["kind"])) == ["p_fall", "next_patient", "exceeds", "latent"]


def test_the_narrow_priors_flip_what_they_should(found: Multiverse) -> None:
    # By construction the next patient responds under the wide priors and hardly else.
    moved = flips(found, "proteinuria")
    coming = moved[(moved["kind"] == "next_patient") & (moved["effective.fall"] == 0.15)]
    assert set(coming["prior_set"]) == {"sceptical"}
    assert set(coming["residual"]) == {"normal", "student_t"}
    assert (coming["value"] < coming["value_base"]).all()


GRID = pd.DataFrame(
    [(p, r, t) for p in "abc" for r in ("normal", "student_t") for t in (0.1, 0.2)],
    columns=["prior_set", "residual", "t"],
)


@settings(max_examples=25)
@given(st.sets(st.integers(0, 11), min_size=1))
def test_covering_words_name_exactly_the_chosen(places: set[int]) -> None:
    words = {"normal residuals": "normal", "Student-t residuals": "student_t"}
    named: set[int] = set()
    for text in covered(GRID.iloc[sorted(places)], GRID):
        rows = pd.Series(True, index=GRID.index)
        for part in text.split(" & "):
            if part in words:
                rows &= GRID["residual"] == words[part]
            elif part.startswith("prior set "):
                rows &= GRID["prior_set"] == part.removeprefix("prior set ")
            else:
                rows &= GRID["t"] == float(part.removeprefix("t "))
        named |= set(np.flatnonzero(rows))
    assert named == places


# ------------------------------------------------------------------ what is written


def test_specification_curve_shows_every_choice(found: Multiverse) -> None:
    figure = specification_curve(found, "proteinuria")
    assert figure is not None
    assert "Synthetic cohort" in texts(figure)
    above = figure.axes[0]
    (points,) = [
        line for line in above.lines if line.get_marker() == "o" and len(line.get_xdata()) == 8
    ]
    values = np.asarray(points.get_ydata(), dtype=float)
    assert np.all(np.diff(values) >= 0)
    # One dark dot for each specification and axis below.
    below = figure.axes[3]
    dark = sum(
        len(np.asarray(line.get_xdata()))
        for line in below.lines
        if line.get_color() == "#000000" and line.get_marker() == "o"
    )
    assert dark == 8 * 3


def test_one_specification_alone_has_no_curve() -> None:
    assert specification_curve(example({("weak", "normal"): 0.05}), "m") is None


def test_a_model_without_responses_has_a_curve_of_its_changes() -> None:
    got = example({("weak", "normal"): 0.05, ("sceptical", "normal"): 0.4})
    measured = simulate_cohort(markers=("b_cell",))
    got = replace(got, table=got.table.assign(marker="b_cell"), cohort=measured)
    assert specification_curve(got, "m") is not None


def test_files_are_written_whole_and_replace_only_their_kind(
    found: Multiverse, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    command.write(found, claim(folder, command.MANIFEST))
    assert {path.name for path in folder.iterdir()} == {
        "sensitivity.csv",
        "power_scaling.csv",
        "specification_curve.svg",
        "sensitivity.json",
    }
    back = pd.read_csv(folder / "sensitivity.csv")
    assert len(back) == len(found.table)
    np.testing.assert_allclose(back["value"], found.table["value"])
    described = json.loads((folder / "sensitivity.json").read_text(encoding="utf-8"))
    assert described["decision"] == 0.8
    assert described["axes"]["effective.fall"] == [0.15, 0.4]
    assert {fit["card_sha256"] for fit in described["fits"]} == set(found.fits["card_sha256"])
    assert described["synthetic"] is True
    with pytest.raises(InputError, match="--force"):
        claim(folder, command.MANIFEST)
    placed = command.write(found, claim(folder, command.MANIFEST, force=True))
    assert (placed.folder, len(placed.said)) == (folder, 1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"sensitivity\.json"):
        claim(tmp_path / "run", command.MANIFEST, force=True)
    assert (tmp_path / "run" / "run.json").read_text() == "{}"


def cli(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, fit: FakeFit = fake_fit
) -> tuple[int, str]:
    monkeypatch.setattr(multiverse, "fit", fit)
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 1)
    result = CliRunner().invoke(app, ["sensitivity", *arguments])
    return result.exit_code, result.output


def test_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = ("--priors", "weak", "--priors", "sceptical", "--residual", "normal")
    options += ("--trajectory", "step")
    options += ("--threshold", "effective.fall=0.4", "--out", str(tmp_path / "out"))
    code, output = cli(monkeypatch, *options)
    assert code == 0, output
    assert "SYNTHETIC cohort" in output
    table = pd.read_csv(tmp_path / "out" / "sensitivity.csv")
    assert set(table["residual"]) == {"normal"}
    assert set(table["trajectory"]) == {"step"}
    assert set(table["effective.fall"]) == {0.15, 0.4}


def test_command_line_refuses_before_it_fits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = ("--priors", "nonsense", "--threshold", "nothing=1", "--out", str(tmp_path / "out"))
    code, output = cli(monkeypatch, *wrong)
    assert code == 2
    assert "nonsense" in output
    assert "--threshold" in output
    assert "Traceback" not in output
    assert not (tmp_path / "out").exists()


def test_command_line_says_by_its_status_that_a_fit_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    code, output = cli(monkeypatch, "--priors", "weak", "--out", out, fit=failing)
    assert code == 1
    assert "did not converge: 3 divergent transitions" in " ".join(output.split())
