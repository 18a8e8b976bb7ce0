"""Loading the table of events: what is refused, what is a warning, and what comes back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest
from cohorts import small_cohort_frames, write_cohort

from mnbayes.base.problems import InputError, Problem
from mnbayes.data.cohort import Cohort, load_cohort

HEADER = "patient,week,term,grade\n"


def load(folder: Path, text: str, withdrew: float | None = None) -> Cohort:
    """Four patients P1 to P4, P4 perhaps withdrawn, with this text as events.csv."""
    patients, measurements = small_cohort_frames()
    if withdrew is not None:
        patients.loc[3, "withdrew_week"] = withdrew
        late = (measurements["patient"] == "P4") & (measurements["week"] > withdrew)
        measurements = measurements[~late]
    write_cohort(folder, patients, measurements)
    (folder / "events.csv").write_text(text, encoding="utf-8")
    return load_cohort(folder)


def problems_of(folder: Path, text: str) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        load(folder, text)
    return list(caught.value.problems)


def test_events_come_back_sorted_and_typed(tmp_path: Path) -> None:
    cohort = load(tmp_path, HEADER + "P2,1,rash,1\nP1,4,fever,0\nP1,0.1,fever,2\nP1,4,chills,1.0\n")
    expected = pd.DataFrame(
        {
            "patient": ["P1", "P1", "P1", "P2"],
            "week": [0.1, 4.0, 4.0, 1.0],
            "term": ["fever", "chills", "fever", "rash"],
            "grade": [2.0, 1.0, 0.0, 1.0],
        }
    )
    pd.testing.assert_frame_equal(cohort.events, expected, check_dtype=False)
    assert cohort.warnings == ()


def test_without_the_table_nothing_is_known(tmp_path: Path) -> None:
    cohort = load_cohort(write_cohort(tmp_path))
    assert cohort.events is None
    assert cohort.warnings == ()


@pytest.mark.parametrize("text", [HEADER, HEADER.strip(), HEADER + "\n,,,\n"])
def test_a_header_alone_says_that_nothing_happened(tmp_path: Path, text: str) -> None:
    cohort = load(tmp_path, text)
    assert cohort.events is not None
    assert list(cohort.events) == ["patient", "week", "term", "grade"]
    assert len(cohort.events) == 0
    assert cohort.warnings == ()


def test_events_are_part_of_the_hash(tmp_path: Path) -> None:
    cohort = load(tmp_path, HEADER)
    names = ("patients.csv", "measurements.csv", "events.csv")
    content = b"".join((tmp_path / name).read_bytes() for name in names)
    assert cohort.sha256 == hashlib.sha256(content).hexdigest()
    assert cohort.sha256 != load(tmp_path, HEADER + "P1,1,fever,1\n").sha256


@pytest.mark.parametrize(
    ("row", "column", "found", "expected"),
    [
        ("P9,1,fever,1", "patient", '"P9"', "a patient listed in the table of patients"),
        (",1,fever,1", "patient", "blank", "the name of a patient"),
        ("P1,-1,fever,1", "week", '"-1"', "a week, 0 (baseline) or later"),
        ("P1,,fever,1", "week", "blank", "a number such as 3.5"),
        ("P1,1, ,1", "term", "blank", "what happened"),
        ("P1,1,fever,", "grade", "blank", "a CTCAE grade: a whole number from 0"),
        ("P1,1,fever,2.5", "grade", '"2.5"', "a CTCAE grade: a whole number from 0"),
        ("P1,1,fever,6", "grade", '"6"', "a CTCAE grade: a whole number from 0"),
        ("P1,1,fever,-1", "grade", '"-1"', "a CTCAE grade: a whole number from 0"),
        ("P1,1,fever,mild", "grade", '"mild"', "a CTCAE grade: a whole number from 0"),
        ("P1,2,fever,1", "term", '"P1", week 2, "Fever", as in row 2', "each patient, week and"),
        ("P1,2,FEVER ,2", "term", '"P1", week 2, "Fever", as in row 2', "each patient, week and"),
        ("P1,1,fever", None, "3 cells", "4 cells, as in the header"),
    ],
)
def test_a_bad_row_is_refused_with_its_place(
    tmp_path: Path, row: str, column: str | None, found: str, expected: str
) -> None:
    (problem,) = problems_of(tmp_path, f"{HEADER}P1,2,Fever,1\n{row}\n")
    assert (problem.file, problem.row, problem.column) == ("events.csv", 3, column)
    assert problem.found == found
    assert problem.expected.startswith(expected)
    assert problem.severity == "error"


def test_problems_of_all_tables_come_at_once(tmp_path: Path) -> None:
    patients, measurements = small_cohort_frames()
    patients.loc[0, "sex"] = "?"
    measurements.loc[0, "unit"] = "g"
    write_cohort(tmp_path, patients, measurements)
    (tmp_path / "events.csv").write_text(HEADER + "P9,1,,7\n")
    with pytest.raises(InputError) as caught:
        load_cohort(tmp_path)
    places = {(p.file, p.column) for p in caught.value.problems}
    events = {("events.csv", name) for name in ("patient", "term", "grade")}
    assert places == {("patients.csv", "sex"), ("measurements.csv", "unit")} | events


@pytest.mark.parametrize("text", ["", "patient,week,grade\nP1,1,1\n", "patient;week;term;grade\n"])
def test_what_is_no_table_of_events_is_refused(tmp_path: Path, text: str) -> None:
    (problem,) = problems_of(tmp_path, text)
    assert problem.file == "events.csv"


def test_two_forms_of_the_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "events.parquet").write_bytes(b"x")
    (problem,) = problems_of(tmp_path, HEADER)
    assert problem.found == "events.csv and events.parquet"


def test_an_event_after_the_withdrawal_is_kept_with_a_warning(tmp_path: Path) -> None:
    cohort = load(tmp_path, HEADER + "P4,3,fever,1\nP4,5,fever,1\nP3,5,fever,1\n", withdrew=3.0)
    assert cohort.events is not None
    assert len(cohort.events) == 3
    (warning,) = cohort.warnings
    assert (warning.row, warning.column, warning.severity) == (3, "week", "warning")
    assert "withdrawn in week 3" in warning.found


def test_one_term_in_several_spellings_is_one_term(tmp_path: Path) -> None:
    cohort = load(tmp_path, HEADER + "P2,1,Chest  pain,1\nP1,1,chest pain,1\nP1,2,CHEST PAIN,1\n")
    assert cohort.events is not None
    assert set(cohort.events["term"]) == {"Chest pain"}  # as in the first row


@pytest.mark.parametrize("name", ["Events.csv", "adverse_events.csv", "event.xlsx"])
def test_a_misnamed_table_is_pointed_at(tmp_path: Path, name: str) -> None:
    write_cohort(tmp_path)
    (tmp_path / name).write_text(HEADER)
    (tmp_path / "prevention.md").write_text("not a table")
    cohort = load_cohort(tmp_path)
    assert cohort.events is None
    (warning,) = cohort.warnings
    assert (warning.file, warning.severity) == (name, "warning")


def test_a_typed_table_is_read_too(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write_cohort(tmp_path)
    frame = pd.DataFrame({"patient": ["P1"], "week": [1], "term": ["fever"], "grade": [2]})
    frame.iloc[:0].to_parquet(tmp_path / "events.parquet")
    empty = load_cohort(tmp_path).events
    assert empty is not None
    assert len(empty) == 0
    frame.to_parquet(tmp_path / "events.parquet")
    found = load_cohort(tmp_path).events
    assert found is not None
    assert found.iloc[0].tolist() == ["P1", 1, "fever", 2]
