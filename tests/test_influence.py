"""Leaving one patient out: the refits, the differences, and what the report says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import runs
import xarray as xr
from conftest import simulate_cohort
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text
from numba.core.event import install_recorder
from runs import BAD, DEFINITIONS, unsampled
from scipy import stats

from mnbayes import pipeline
from mnbayes.analyses.catalogue import catalogue
from mnbayes.analyses.influence import refits as module
from mnbayes.analyses.influence.figure import finding, moved
from mnbayes.analyses.influence.figure import influence as influence_plot
from mnbayes.analyses.influence.left_out import conclusion, flip, last_visit
from mnbayes.analyses.influence.refits import (
    INFLUENCE_COLUMNS,
    MORE,
    MOST_PATIENTS,
    compare,
    leave_one_out,
    why_none,
    without,
)
from mnbayes.analyses.influence.section import ANALYSIS, influence_of
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.result import Result
from mnbayes.base import workers
from mnbayes.base.problems import InputError, Problem
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import observations
from mnbayes.inference.fit import Fit, Sampling, fit
from mnbayes.pipeline import Job, work_all
from mnbayes.run.analysis import Shown
from mnbayes.run.run import Run

PROTEIN, ALBUMIN = "urine_protein_24h", "albumin"
BENCHMARKS = DEFINITIONS.benchmarks
LINE = DEFINITIONS.decision.probability

FakeFit = Callable[..., Fit]


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeFit], None]:
    """Put another function in the place of the real fit."""

    def use(function: FakeFit) -> None:
        monkeypatch.setattr(module, "fit", function)

    return use


def result_of(name: str, cohort: Cohort) -> Result:
    return summarise(unsampled(load_card(name), cohort), DEFINITIONS)


@pytest.fixture(scope="module")
def small() -> Cohort:
    return simulate_cohort(4, weeks=(0.0, 4.0, 12.0), markers=(PROTEIN, ALBUMIN))


@pytest.fixture(scope="module")
def jointly(small: Cohort) -> Result:
    """Protein and albumin of four patients, each left out once."""
    result = result_of("remission", small)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "fit", unsampled)
        return runs.with_part(result, "influence", leave_one_out(result, small, DEFINITIONS))


def test_who_is_left_out_is_out_of_every_table(small: Cohort) -> None:
    events = pd.DataFrame({"patient": ["S002", "S003"], "week": [1.0, 2.0], "term": ["a", "b"]})
    left = without(replace(small, events=events), "S002")
    assert left.patient_ids == ("S001", "S003", "S004")
    assert set(left.measurements["patient"]) == {"S001", "S003", "S004"}
    assert left.events is not None
    assert left.events["patient"].tolist() == ["S003"]
    assert len(small.patient_ids) == 4
    data = observations(load_card("proteinuria"), left)
    assert data.patients == ("S001", "S003", "S004")


def hand_made(**numbers: list[float]) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "kind": ["latent", "latent", "next_patient", "gmr"],
            "patient": ["A", "B", "", ""],
            "marker": ["", "", "", PROTEIN],
            "week": [4.0, 4.0, 4.0, 12.0],
            "category": ["effective", "effective", "effective", ""],
            "prior": [0.4, 0.4, 0.4, 1.0],
            "value": [0.9, 0.5, 0.6, 0.55],
            "lower": [np.nan, np.nan, np.nan, 0.4],
            "upper": [np.nan, np.nan, np.nan, 0.8],
            "mcse": [0.003, 0.003, 0.003, 0.006],
        }
    )
    return table.assign(**numbers)


def test_difference_and_its_error_by_hand() -> None:
    refit = hand_made(value=[0.0, 0.25, 0.75, 0.65], mcse=[0.0, 0.004, 0.004, 0.008]).iloc[1:]
    table = compare(hand_made(), refit, "m", "A")
    assert list(table.columns) == list(INFLUENCE_COLUMNS)
    assert (table["left_out"] == "A").all()
    # A's own answer is gone; the others keep their places.
    assert table["patient"].tolist() == ["B", "", ""]
    np.testing.assert_allclose(table["difference"], [-0.25, 0.15, 0.1])
    np.testing.assert_allclose(table["mcse_difference"], [0.005, 0.005, 0.01])
    assert (table["reason"] == "").all()


def test_a_visit_of_the_left_out_patient_alone_is_blank_with_its_reason() -> None:
    refit = hand_made().query("week == 4 and patient != 'A'")
    table = compare(hand_made(), refit, "m", "A").set_index("kind")
    assert table.loc["gmr", "reason"] == "nobody else was measured at week 12"
    assert np.isnan(table.loc["gmr", "difference"])
    assert table.loc["next_patient", "difference"] == 0.0
    assert table.loc["next_patient", "reason"] == ""


def test_a_refit_without_numbers_keeps_its_rows() -> None:
    table = compare(hand_made(), "did not converge: why", "m", "A")
    assert len(table) == 3
    assert (table["reason"] == "did not converge: why").all()
    assert table[["value_without", "difference", "mcse_difference"]].isna().all(axis=None)
    assert table["value"].notna().all()


def test_mean_of_normals_moves_as_the_closed_form_says(
    faked: Callable[[FakeFit], None],
) -> None:
    """With a known SD s and prior N(0, 0.7²), the mean of n log ratios has a normal posterior."""
    cohort = simulate_cohort(4, weeks=(0.0, 12.0))
    logs = cohort.measurements.set_index("patient").pipe(
        lambda rows: np.log(rows["value"]) * np.where(rows["week"] == 0, -1, 1)
    )
    log_ratio = logs.groupby("patient").sum()
    s = 0.4

    def posterior(patients: tuple[str, ...]) -> tuple[float, float]:
        precision = len(patients) / s**2 + 1 / 0.7**2
        return float(log_ratio[list(patients)].sum() / s**2 / precision), precision**-0.5

    def conjugate(card: Card, cohort: Cohort, sampling: Sampling, *_: object) -> Fit:
        fitted = unsampled(card, cohort, sampling)
        mean, sd = posterior(fitted.observations.patients)
        draws = np.random.default_rng(sampling.seed).normal(mean, sd, (4, sampling.draws, 1, 1))
        group = fitted.tree["posterior"].to_dataset()
        changed = group.assign(visit_change=(("chain", "draw", "later_visit", "marker"), draws))
        tree = fitted.tree.assign(posterior=xr.DataTree(changed))
        return replace(fitted, tree=tree)

    faked(conjugate)
    card = load_card("proteinuria")
    result = summarise(conjugate(card, cohort, Sampling(draws=400, seed=3)), DEFINITIONS)
    table = leave_one_out(result, cohort, DEFINITIONS)
    full_mean, full_sd = posterior(cohort.patient_ids)
    for patient in cohort.patient_ids:
        own = table[table["left_out"] == patient].set_index("kind")
        mean, sd = posterior(tuple(p for p in cohort.patient_ids if p != patient))
        gmr, p_fall = own.loc["gmr"], own.loc["p_fall"]
        expected = np.exp(mean) - np.exp(full_mean)
        assert gmr["difference"] == pytest.approx(expected, abs=4 * gmr["mcse_difference"])
        # The error of a normal sample's median is 1.2533 times that of its mean.
        error = 1.2533 * np.hypot(np.exp(mean) * sd, np.exp(full_mean) * full_sd) / 1600**0.5
        assert gmr["mcse_difference"] == pytest.approx(error, rel=0.25)
        assert gmr["upper_without"] == pytest.approx(np.exp(mean + 1.96 * sd), rel=0.03)
        fell = stats.norm.cdf(-mean / sd)
        assert p_fall["value_without"] == pytest.approx(fell, abs=4 * p_fall["mcse_without"])


def test_refits_have_draws_of_their_own_and_are_repeatable(
    small: Cohort, faked: Callable[[FakeFit], None]
) -> None:
    seen: list[Sampling] = []

    def watched(card: Card, cohort: Cohort, sampling: Sampling, *_: object) -> Fit:
        seen.append(sampling)
        return unsampled(card, cohort, sampling)

    faked(watched)
    result = result_of("proteinuria", small)
    counts: list[tuple[int, int]] = []
    first = leave_one_out(result, small, DEFINITIONS, lambda *count: counts.append(count))
    assert counts == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    own = result.fit.sampling
    assert len({own.seed, *(how.seed for how in seen)}) == 5
    # A refit on a line between conclusions is made again, with more draws and its own seed.
    assert {replace(how, seed=own.seed) for how in seen} <= {
        own,
        replace(own, draws=MORE * own.draws),
    }
    pd.testing.assert_frame_equal(first, leave_one_out(result, small, DEFINITIONS))


def test_answers_of_all_patients_are_the_reported_ones(jointly: Result) -> None:
    result, table = jointly, jointly.parts["influence"]
    assert set(table["kind"]) == {
        *("latent", "next_patient", "population", "exceeds"),
        *("gmr", "p_fall", "p_fall_30", "p_fall_50"),
    }
    asked = "week == 4 and category == 'remission' and quantity == 'next_patient'"
    reported = result.probabilities.query(asked).iloc[0]
    same = table.query(asked.replace("quantity", "kind"))
    assert (same["value"] == reported["probability"]).all()
    assert (same["prior"] == reported["prior_probability"]).all()
    share = result.population.query("week == 4 and category == 'remission'").iloc[0]
    ends = table.query("week == 4 and category == 'remission' and kind == 'population'")
    assert (ends["lower"] == share["share_lower"]).all()
    assert not (table["patient"] == table["left_out"]).any()


def test_failed_gate_leaves_blanks_with_the_reason(
    small: Cohort, faked: Callable[[FakeFit], None]
) -> None:
    def failing(card: Card, cohort: Cohort, sampling: Sampling, *_: object) -> Fit:
        if "S003" not in cohort.patient_ids:
            return replace(unsampled(card, cohort, sampling), diagnostics=BAD)
        if "S002" not in cohort.patient_ids:
            raise InputError([Problem("priors", None, None, "no place to start", "other priors")])
        return unsampled(card, cohort, sampling)

    faked(failing)
    result = result_of("proteinuria", small)
    result = runs.with_part(result, "influence", leave_one_out(result, small, DEFINITIONS))
    by_patient = result.parts["influence"].groupby("left_out")
    reasons = {patient: set(rows["reason"]) for patient, rows in by_patient}
    assert reasons == {
        "S001": {""},
        "S002": {"cannot be fitted: no place to start; expected other priors"},
        "S003": {"did not converge: 3 divergent transitions"},
        "S004": {""},
    }
    blank = {p: rows["value_without"].isna().all() for p, rows in by_patient}
    assert blank == {"S001": False, "S002": True, "S003": True, "S004": False}
    said = influence_of(result, DEFINITIONS, LINE)
    assert said.table is not None
    rows = {row[0]: set(row[1:]) for row in said.table.rows}
    assert rows["S003"] == {"–"}
    assert "–" not in rows["S004"]
    figure = influence_plot(result, DEFINITIONS, True)
    written = [text.get_text() for text in figure.findobj(Text)]
    assert written.count("no answer") == 2


def test_nobody_is_left_out_of_two_patients(faked: Callable[[FakeFit], None]) -> None:
    def never(*_: object) -> Fit:
        raise AssertionError("refitted")

    faked(never)
    pair = simulate_cohort(2)
    result = result_of("proteinuria", pair)
    assert leave_one_out(result, pair, DEFINITIONS).empty
    assert influence_of(result, DEFINITIONS, LINE).table is None


def test_why_there_is_no_influence() -> None:
    eight = unsampled(load_card("proteinuria"), simulate_cohort(8))
    assert why_none(eight) == ""
    unasked = replace(eight, card=eight.card.model_copy(update={"influence": False}))
    assert "does not ask" in why_none(unasked)
    many = unsampled(load_card("proteinuria"), simulate_cohort(MOST_PATIENTS + 1))
    assert f"{MOST_PATIENTS + 1} patients were measured" in why_none(many)


def test_a_patient_without_measurements_is_not_left_out(
    small: Cohort, faked: Callable[[FakeFit], None]
) -> None:
    faked(unsampled)
    rows = small.measurements
    partly = replace(small, measurements=rows[rows["patient"] != "S004"])
    result = result_of("proteinuria", partly)
    table = leave_one_out(result, partly, DEFINITIONS)
    assert set(table["left_out"]) == {"S001", "S002", "S003"}
    # Predicted all the same, as in every other table.
    assert "S004" in set(table["patient"])


@pytest.mark.xdist_group("proteinuria")
def test_real_refits_compile_nothing_and_equal_a_fit_of_the_others(
    proteinuria: Fit, cohort: Cohort, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = ("MN01", "MN03", "MN06")
    monkeypatch.setattr(module, "_measured", lambda _: some)
    result = summarise(proteinuria, definitions)
    with install_recorder("numba:compile") as compiled:
        table = leave_one_out(result, cohort, definitions)
    assert not compiled.buffer
    assert tuple(table["left_out"].unique()) == some
    assert (table["reason"] == "").all()
    assert table[["value_without", "difference", "mcse_difference"]].notna().all(axis=None)
    others = fit(proteinuria.card, without(cohort, "MN06"), Sampling(seed=5))
    own = table.query("left_out == 'MN06' and week == 12").set_index(["kind", "category"])
    other = summarise(others, definitions)
    row = other.probabilities.query(
        "quantity == 'next_patient' and week == 12 and category == 'effective'"
    ).iloc[0]
    now = own.loc[("next_patient", "effective")]
    error = np.hypot(now["mcse_without"], row["mcse"])
    assert now["value_without"] == pytest.approx(row["probability"], abs=4 * error)
    ratio = own.loc[("gmr", "")]
    median = other.estimates.iloc[-1]["gmr_median"]
    assert ratio["value_without"] == pytest.approx(median, abs=4 * ratio["mcse_difference"])
    # MN06 is the patient who did not respond: without, a response is likelier.
    assert now["difference"] > 3 * now["mcse_difference"]


ENDS = ("lower", "upper", "lower_without", "upper_without")


def row_of(kind: str, value: float, now: float, **changes: object) -> dict[str, object]:
    category = "remission" if kind != "gmr" else ""
    row = {"kind": kind, "category": category, "value": value, "value_without": now}
    row |= {"mcse": 0.005, "mcse_without": 0.005} | dict.fromkeys(ENDS, np.nan)
    return row | changes


def ratio_row(upper: float, without: float) -> dict[str, object]:
    return row_of("gmr", 0.6, 0.7, **dict(zip(ENDS, (0.4, upper, 0.5, without), strict=True)))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (row_of("exceeds", 0.78, 0.86), "yes"),
        (row_of("exceeds", 0.795, 0.86), "close"),
        (row_of("exceeds", 0.5, 0.78), "no"),
        (row_of("latent", 0.95, 0.05), "yes"),
        (row_of("next_patient", 0.192, 0.25), "close"),
        (row_of("next_patient", 0.192, 0.25, mcse=0.003), "yes"),
        (row_of("population", 0.3, 0.2), "yes"),  # the benchmark is 25 %
        (row_of("population", 0.3, 0.27), "no"),
        (row_of("population", 0.3, 0.2, category="partial"), "no"),  # has no benchmark
        (row_of("exceeds", 0.9, np.nan), "no"),
        (ratio_row(0.9, 1.1), "yes"),
        (ratio_row(0.99, 1.1), "close"),
        (ratio_row(0.8, 0.9), "no"),
    ],
)
def test_conclusions_that_flip(row: dict[str, object], expected: str) -> None:
    assert flip(row, BENCHMARKS, LINE) == expected


def test_the_line_is_the_definitions_own() -> None:
    row = row_of("next_patient", 0.85, 0.7, mcse=0.003, mcse_without=0.003)
    assert (flip(row, BENCHMARKS, 0.8), flip(row, BENCHMARKS, 0.9)) == ("yes", "no")
    assert conclusion(row, BENCHMARKS, 0.9) == "uncertain"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.05))
def test_a_flip_is_the_same_both_ways(value: float, now: float, error: float) -> None:
    row = row_of("latent", value, now, mcse=error, mcse_without=error)
    back = row_of("latent", now, value, mcse=error, mcse_without=error)
    assert flip(row, BENCHMARKS, LINE) == flip(back, BENCHMARKS, LINE)
    same = conclusion(row, BENCHMARKS, LINE) == conclusion(row, BENCHMARKS, LINE, "_without")
    assert (flip(row, BENCHMARKS, LINE) == "no") == same


def two_patients_left_out(result: Result, **numbers: float) -> Result:
    """Influence at the last visit that is none, but for the given kinds without S001."""
    week = result.fit.observations.weeks[-1]
    full = result.answers[result.answers["week"] == week]
    parts = []
    for patient in ("S001", "S002"):
        refit = full.copy()
        for kind, value in numbers.items():
            changed = (refit["kind"] == kind) & refit["category"].isin(["", "remission"])
            if patient == "S001":
                refit.loc[changed, "value"] = value
        parts.append(compare(full, refit, "remission", patient))
    return runs.with_part(result, "influence", pd.concat(parts, ignore_index=True))


def test_a_conclusion_that_changes_is_marked_for_that_patient_alone(jointly: Result) -> None:
    assert not influence_of(two_patients_left_out(jointly), DEFINITIONS, LINE).flips
    table = two_patients_left_out(jointly).parts["influence"]
    own = table.query("kind == 'next_patient' and category == 'remission'")["value"].iloc[0]
    assert 0.2 < own < 0.8
    moved = influence_of(two_patients_left_out(jointly, next_patient=0.95), DEFINITIONS, LINE)
    assert len(moved.flips) == 1
    assert moved.table is not None
    at = moved.table.head.index(f"Next patient: {DEFINITIONS.short('remission')}")
    cells = {row[0]: row[at] for row in moved.table.rows}
    assert cells["S001"] == "95 ± 3 % †"
    assert "†" not in cells["S002"]


def test_albumin_is_reported_as_a_rise(jointly: Result) -> None:
    result = two_patients_left_out(jointly, p_fall=0.1)
    table = last_visit(result).query("left_out == 'S001'").set_index(["kind", "marker"])
    assert ("p_fall", ALBUMIN) not in table.index
    raw = (
        result.parts["influence"]
        .query(f"left_out == 'S001' and kind == 'p_fall' and marker == '{ALBUMIN}'")
        .iloc[0]
    )
    rise = table.loc[("p_rise", ALBUMIN)]
    assert rise["value_without"] == pytest.approx(0.9)
    assert rise["value"] == pytest.approx(1 - raw["value"])
    assert rise["difference"] == pytest.approx(-raw["difference"])
    assert table.loc[("p_fall", PROTEIN), "value_without"] == pytest.approx(0.1)


def test_plot_shows_each_refit_beside_all_patients(jointly: Result, small: Cohort) -> None:
    result = jointly
    figure = influence_plot(result, DEFINITIONS, True)
    (ax,) = figure.axes
    table = moved(result)
    asked = result.parts["influence"].query(
        "kind == 'exceeds' and category == 'remission' and week == 12"
    )
    size = (asked["value_without"] - asked["value"]).abs().sort_values(ascending=False)
    np.testing.assert_allclose(table["size"], size)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [f"without {patient}" for patient in table["left_out"]]
    assert sorted(table["left_out"]) == sorted(small.patient_ids)
    bars = [c for c in ax.collections if c.get_linewidth()[0] > 5]
    ends = {round(float(segment[1, 0]), 6) for c in bars for segment in c.get_segments()}
    moves = asked[asked["value_without"] != asked["value"]]
    assert ends >= set((100 * moves["value_without"]).round(6))
    upright = {float(line.get_xdata()[0]) for line in ax.lines}
    whole, prior = 100 * asked["value"].iloc[0], 100 * asked["prior"].iloc[0]
    assert upright == {whole, prior, 100 * DEFINITIONS.decision.probability}
    lowest = asked.loc[asked["value_without"].idxmin(), "left_out"]
    assert f"without {lowest}" in finding(result, DEFINITIONS)
    assert "Synthetic cohort: no real patient." in figure.get_supxlabel()
    how = Shown(DEFINITIONS, synthetic=True)
    assert [drawn.name for drawn in ANALYSIS.figures(result, how)] == ["influence"]
    nothing = runs.with_part(result, "influence", pd.DataFrame())
    assert ANALYSIS.figures(nothing, how) == ()


def test_a_run_refits_where_the_card_asks_and_writes_the_table(
    small: Cohort, faked: Callable[[FakeFit], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    faked(unsampled)
    monkeypatch.setattr(pipeline, "fit", unsampled)
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 1)
    some = tuple(each for each in catalogue() if each.name == "influence")
    card = load_card("proteinuria")
    unasked = card.model_copy(update={"influence": False, "name": "unasked"})
    job = Job(small, (card, unasked), DEFINITIONS, Sampling(draws=50), analyses=some)
    told: list[tuple[str, str, int, int]] = []
    done = work_all(job, lambda *news: told.append(news))
    worked, other = done["proteinuria"], done["unasked"]
    assert [news for news in told if news[1] == "influence"] == [
        ("proteinuria", "influence", i, 4) for i in (2, 4)
    ]
    assert worked.result.fit.seconds["influence"] > 0
    assert "influence" in worked.pictures
    alone = leave_one_out(worked.result, small, DEFINITIONS)
    pd.testing.assert_frame_equal(worked.result.parts["influence"], alone)
    assert "influence" not in other.result.parts
    off = work_all(replace(job, influence=False), lambda *_: None)
    assert "influence" not in off["proteinuria"].result.parts

    run = Run(small, DEFINITIONS, (worked.result, other.result), "weak", (), {})
    runs.write(run, tmp_path / "with")
    written = pd.read_csv(tmp_path / "with" / "influence.csv")
    assert list(written.columns) == [*INFLUENCE_COLUMNS, "synthetic"]
    assert len(written) == len(worked.result.parts["influence"])
    runs.write(replace(run, results=(other.result,)), tmp_path / "without")
    assert not (tmp_path / "without" / "influence.csv").exists()


def test_the_report_shows_nothing_of_a_withheld_model(small: Cohort, jointly: Result) -> None:
    held = replace(jointly, withheld=("3 divergent transitions",))
    held = runs.with_part(held, "influence", pd.DataFrame())
    pages = runs.pages(Run(small, DEFINITIONS, (held,), "weak", (), {}), {})
    section = pages["report.html"].split('<section id="influence">')[1].split("</section>")[0]
    assert "every model is withheld" in section
    assert "<td" not in section
    assert "Withheld: remission" in pages["report.html"]
    assert '<section id="influence">' not in pages["annex.html"]
