"""Adverse events and symptoms: who counts, and what so few patients leave open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cohorts import small_cohort_frames
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mnbayes.analyses.safety.counts import (
    ANY,
    COLUMNS,
    adverse_events,
    rate_limits,
    safety_table,
    symptom_courses,
)
from mnbayes.analyses.safety.figure import finding, swimmer
from mnbayes.analyses.safety.section import safety
from mnbayes.data.cohort import Cohort

COUNTS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def events(*rows: tuple[str, float, str, float]) -> pd.DataFrame:
    types = {"patient": "str", "week": "float64", "term": "str", "grade": "float64"}
    return pd.DataFrame(list(rows), columns=list(types)).astype(types)


def cohort(*rows: tuple[str, float, str, float], patients: int = 8) -> Cohort:
    listed, measured = small_cohort_frames(patients)
    return Cohort(listed, measured, "made up", "0" * 64, False, (), events(*rows))


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("n", [1, 2, 8, 100])
def test_none_of_n_in_closed_form(n: int) -> None:
    limits = rate_limits(0, n)
    assert limits.exact == pytest.approx(1 - 0.05 ** (1 / n))
    assert limits.flat_limit == pytest.approx(1 - 0.05 ** (1 / (n + 1)))
    assert limits.flat_median == pytest.approx(1 - 0.5 ** (1 / (n + 1)))
    assert limits.rule_of_three == min(3 / n, 1)


def test_no_patient_leaves_the_prior() -> None:
    upper, lower = rate_limits(0, 0), rate_limits(0, 0, "lower")
    assert (upper.exact, lower.exact) == (1, 0)
    assert upper.flat_limit == pytest.approx(0.95)
    assert lower.flat_limit == pytest.approx(0.05)
    # Beta(1/2, 1/2) is the arcsine law.
    assert upper.jeffreys_limit == pytest.approx(np.sin(np.pi / 2 * 0.95) ** 2)
    assert [upper.flat_median, upper.jeffreys_median] == pytest.approx([0.5, 0.5])
    assert np.isnan(upper.rule_of_three)


@given(COUNTS)
def test_limits_solve_what_defines_them(counted: tuple[int, int]) -> None:
    x, n = counted
    upper, lower = rate_limits(x, n), rate_limits(x, n, "lower")
    if x < n:
        assert stats.binom.cdf(x, n, upper.exact) == pytest.approx(0.05)
    else:
        assert upper.exact == 1
    if x > 0:
        assert stats.binom.sf(x - 1, n, lower.exact) == pytest.approx(0.05)
    else:
        assert lower.exact == 0
    for shape, limits in (
        (1.0, (upper.flat_median, upper.flat_limit, lower.flat_limit)),
        (0.5, (upper.jeffreys_median, upper.jeffreys_limit, lower.jeffreys_limit)),
    ):
        reached = stats.beta(x + shape, n - x + shape).cdf(limits)
        np.testing.assert_allclose(reached, [0.5, 0.95, 0.05], rtol=1e-6)


@pytest.mark.parametrize(("x", "n"), [(-1, 8), (9, 8), (1, 0)])
def test_an_impossible_count_is_refused(x: int, n: int) -> None:
    with pytest.raises(ValueError, match="between 0 and the total"):
        rate_limits(x, n)


# ---------------------------------------------------------------- who counts


@pytest.mark.parametrize(
    ("rows", "grade"),
    [
        ([("P1", 1, "x", 2)], 2),
        ([("P1", 0.1, "x", 1)], 1),  # the day of the first infusion
        ([("P1", 1, "x", 1), ("P1", 2, "x", 3), ("P1", 4, "x", 0)], 3),  # at its worst
        ([("P1", 0, "x", 0), ("P1", 1, "x", 1)], 1),  # asked for before, and absent
        ([("P1", 0, "x", 1), ("P1", 1, "x", 2), ("P1", 4, "x", 0)], 2),  # a symptom got worse
        ([("P1", 0, "x", 2), ("P1", 1, "x", 2)], None),  # a symptom that stayed
        ([("P1", 0, "x", 2)], None),
        ([("P1", 1, "x", 0)], None),  # asked for, and absent
        ([("P2", 0, "x", 3), ("P1", 1, "x", 1)], 1),  # another patient's symptom
        ([("P1", 0, "y", 3), ("P1", 1, "x", 1)], 1),  # another symptom
        ([], None),
    ],
)
def test_an_adverse_event_is_new_or_worse(rows: list, grade: int | None) -> None:
    found = adverse_events(events(*rows))
    assert list(found) == ["patient", "term", "grade"]
    expected = [] if grade is None else [("P1", "x", grade)]
    assert list(found.itertuples(index=False, name=None)) == expected


def test_courses_of_symptoms_run_from_week_0_to_the_last_row() -> None:
    found = symptom_courses(
        events(
            ("P1", 12, "x", 1),
            ("P1", 0, "x", 2),
            ("P1", 4, "x", 0),  # in any order
            ("P2", 0, "x", 1),
            ("P3", 0, "x", 0),
            ("P3", 4, "x", 1),  # not there at baseline
            ("P4", 4, "x", 1),
        )
    )
    assert list(found) == ["patient", "term", "baseline", "last_week", "last"]
    assert found.iloc[0].tolist() == ["P1", "x", 2, 12, 1]
    assert found["patient"].tolist() == ["P1", "P2"]
    assert found.loc[1, ["last_week", "last"]].isna().all()


# ---------------------------------------------------------------- the table


def row(table: pd.DataFrame, kind: str, term: str, outcome: str) -> pd.Series:
    (found,) = [
        r for _, r in table.iterrows() if (r.kind, r.term, r.outcome) == (kind, term, outcome)
    ]
    return found


def test_an_empty_table_of_events_is_none_of_all_patients() -> None:
    table = safety_table(cohort())
    assert tuple(table.columns) == COLUMNS
    assert table["term"].tolist() == [ANY, ANY]
    assert table["outcome"].tolist() == ["grade 1 or higher", "grade 3 or higher"]
    assert (table[["patients", "terms", "highest_grade"]] == 0).all(axis=None)
    assert (table["total"] == 8).all()
    np.testing.assert_allclose(table["exact"], 0.3123, atol=5e-5)
    np.testing.assert_allclose(table["flat_limit_prior"], 0.95)


def test_patients_are_counted_and_not_rows() -> None:
    fever = (("P1", 1, "fever", 1), ("P1", 2, "fever", 3), ("P2", 1, "fever", 1))
    table = safety_table(cohort(*fever, ("P1", 2, "rash", 1)))
    assert (table["kind"] == "adverse").all()
    counts = {
        (r.term, r.outcome[6]): (r.patients, r.terms, r.highest_grade) for r in table.itertuples()
    }
    assert counts == {
        (ANY, "1"): (2, 2, 3),
        (ANY, "3"): (1, 1, 3),
        ("fever", "1"): (2, 1, 3),
        ("fever", "3"): (1, 1, 3),
        ("rash", "1"): (1, 1, 1),
        ("rash", "3"): (0, 0, 1),
    }
    assert row(table, "adverse", "fever", "grade 1 or higher")["share"] == 0.25


def test_symptoms_improve_are_gone_or_cannot_be_judged() -> None:
    table = safety_table(
        cohort(
            ("P1", 0, "fatigue", 2),
            ("P1", 4, "fatigue", 1),  # improved
            ("P2", 0, "fatigue", 1),
            ("P2", 4, "fatigue", 0),  # gone
            ("P3", 0, "fatigue", 1),
            ("P3", 4, "fatigue", 1),  # the same
            ("P4", 0, "fatigue", 3),  # never asked again
        )
    )
    said = table[table["kind"] == "symptom"].set_index("outcome")
    assert list(said.index) == ["improved", "gone", "improved, of all who had it"]
    assert said["patients"].tolist() == [2, 1, 2]
    assert said["total"].tolist() == [3, 3, 4]
    assert (said["side"] == "lower").all()
    # 2 of 3: P(at least 2 | p) = 3 p^2 - 2 p^3 = 0.05
    p = said.loc["improved", "exact"]
    assert 3 * p**2 - 2 * p**3 == pytest.approx(0.05)
    assert row(table, "adverse", ANY, "grade 1 or higher")["patients"] == 0


def test_a_symptom_may_improve_and_be_an_adverse_event() -> None:
    table = safety_table(cohort(("P1", 0, "x", 2), ("P1", 1, "x", 3), ("P1", 2, "x", 1)))
    assert row(table, "symptom", "x", "improved")["patients"] == 1
    assert row(table, "adverse", "x", "grade 3 or higher")["patients"] == 1


def test_no_table_of_events_is_not_no_event() -> None:
    without = replace(cohort(), events=None)
    with pytest.raises(ValueError, match="no table of events"):
        safety_table(without)
    assert not safety(without).recorded


# ---------------------------------------------------------------- in words


def test_courses_and_severe_events_have_lines_of_their_own() -> None:
    fatigue = (("P1", 0, "fatigue", 2), ("P1", 12, "fatigue", 1), ("P2", 0, "fatigue", 1))
    other = (("P1", 1, "fever", 1), ("P2", 1, "fever", 4), ("P2", 2, "rash", 2))
    said = safety(cohort(*fatigue, *other))
    (course,) = said.courses
    assert course.head == ("Patient", "Baseline", "Week 12")
    assert course.rows == (("P1", "2", "1"), ("P2", "1", "–"))
    assert said.listing is not None
    assert len(said.listing.rows) == 6
    # A term that was severe has a line of its own; one that was not has none.
    assert "Fever, grade 3 or higher" in said.adverse_table
    assert "Rash, grade 3 or higher" not in said.adverse_table


def test_terms_of_the_users_file_are_escaped() -> None:
    said = safety(cohort(("P1", 1, "<b>rash</b>", 1), ("P1", 0, "a&b", 1), ("P1", 1, "a&b", 0)))
    assert "<b>" not in str(said.adverse_table).lower()
    assert "a&b" not in str(said.symptom_table).lower()


def test_the_swimmer_plot_holds_what_the_cohort_does() -> None:
    own = cohort(
        ("P1", 0, "fatigue", 2), ("P1", 1, "fatigue", 3), ("P2", 2, "fever", 1), patients=3
    )
    ids = list(own.patient_ids)
    patients = own.patients.assign(
        withdrew_week=[np.nan, 3.0, np.nan], infusions=[3.0, 2.0, np.nan]
    )
    own = replace(own, patients=patients)
    (ax,) = swimmer(own).axes
    last = own.measurements.groupby("patient")["week"].max()
    ends = [bar.get_width() for bar in ax.patches]
    assert ends == [last[ids[0]], 3.0, last[ids[2]]]
    (cross,) = (line for line in ax.lines if line.get_marker() == "X")
    assert (list(cross.get_xdata()), list(cross.get_ydata())) == ([3.0], [1])
    (visits,) = (line for line in ax.lines if line.get_marker() == "|")
    rows = own.measurements[["patient", "week"]].drop_duplicates()
    assert len(visits.get_xdata()) == len(rows)
    written = [text.get_text() for text in ax.texts]
    assert written == ["grade 3", "grade 1", "3 ×", "2 ×", "?", "infusions"]
    assert "2 had an adverse event: fatigue grade 3 in P1, week 1" in finding(own)
    assert "1 withdrawn (P2 in week 3)" in finding(own)
    unknown = replace(own, events=None)
    assert "not known" in finding(unknown)
    assert not [text for text in swimmer(unknown).axes[0].texts if "grade" in text.get_text()]
