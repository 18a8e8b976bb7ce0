"""Loading a cohort: each kind of bad input by hand, with its exact place, and good ones."""

from __future__ import annotations

import hashlib
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohorts import small_cohort_frames, write_cohort

from mnbayes.base.problems import InputError, Problem, ranges
from mnbayes.data.cohort import load_cohort
from mnbayes.data.markers import MARKERS

PATIENTS = "patient,sex,age_years,bmi,infusions,withdrew_week\n"
MEASUREMENTS = "patient,week,marker,value,unit,lower,upper\n"
A_PATIENT = PATIENTS + "1,F,50,24.5,3,\n"
BASELINE = "1,0,albumin,25,g/L,,\n"
A_MEASUREMENT = MEASUREMENTS + BASELINE
MEASURED = "measurements.csv"
SCREENED = (MEASURED, 3, "week", "week -1")
CD4_LATE = BASELINE + "1,2,cd4,500,/uL,,\n1,1,cd4,500,/uL,,\n"


def folder(
    tmp_path: Path,
    patients: str | bytes = A_PATIENT,
    measurements: str | bytes = A_MEASUREMENT,
) -> Path:
    for name, text in (("patients.csv", patients), ("measurements.csv", measurements)):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        load_cohort(path)
    return list(caught.value.problems)


def measured(tmp_path: Path, *rows: str, patients: str = A_PATIENT) -> list[Problem]:
    """Problems of these measurement rows, put below a valid baseline in row 2."""
    return problems_of(folder(tmp_path, patients, A_MEASUREMENT + "\n".join(rows) + "\n"))


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def place(problem: Problem) -> tuple[str, int | None, str | None]:
    return problem.file, problem.row, problem.column


# ---------------------------------------------------------------- good input


def test_a_written_cohort_comes_back(tmp_path: Path) -> None:
    patients, measurements = small_cohort_frames()
    cohort = load_cohort(write_cohort(tmp_path / "c", patients, measurements))
    pd.testing.assert_frame_equal(cohort.patients, patients, check_dtype=False)
    expected = measurements.assign(actual_week=measurements["week"])
    pd.testing.assert_frame_equal(cohort.measurements, expected, check_dtype=False)
    assert cohort.warnings == ()
    assert cohort.reported_units == {"urine_protein_24h": "g/24h", "albumin": "g/L"}
    assert cohort.patient_ids == ("P1", "P2", "P3", "P4")
    assert cohort.markers == ("urine_protein_24h", "albumin")
    assert cohort.weeks == (0.0, 1.0, 2.0, 4.0, 12.0)


def test_columns_and_types(tmp_path: Path) -> None:
    cohort = load_cohort(str(folder(tmp_path)))
    with pytest.raises(AttributeError):
        cohort.source = "elsewhere"  # type: ignore[misc]
    assert ",".join(cohort.patients) + "\n" == PATIENTS
    assert ",".join(cohort.measurements) + "\n" == MEASUREMENTS.replace(
        "upper", "upper,actual_week"
    )
    for column in ("age_years", "bmi", "infusions", "withdrew_week"):
        assert cohort.patients[column].dtype == np.float64
    for column in ("week", "value", "lower", "upper"):
        assert cohort.measurements[column].dtype == np.float64
    assert cohort.patients["patient"].tolist() == ["1"]  # a name, not a number
    assert cohort.measurements["patient"].tolist() == ["1"]
    assert cohort.source == str(tmp_path)


def test_values_are_converted_and_sorted(tmp_path: Path) -> None:
    rows = (
        "a,4,albumin,3.1,g/dL,,\n"
        "b,0,cd4,0.5,10^9/L,,\n"
        "a,4,urine_protein_24h,3300,mg/24h,,\n"
        "a,0,albumin,25,g/L,,\n"
        "a,0,urine_protein_24h,5,g/day,,\n"
    )
    cohort = load_cohort(folder(tmp_path, PATIENTS + "b,,,,,\na,,,,,\n", MEASUREMENTS + rows))
    table = cohort.measurements
    # Patients as listed, then week, then marker in the order of MARKERS.
    assert list(zip(table.patient, table.week, table.marker, table.value, strict=True)) == [
        ("b", 0.0, "cd4", 500.0),
        ("a", 0.0, "urine_protein_24h", 5.0),
        ("a", 0.0, "albumin", 25.0),
        ("a", 4.0, "urine_protein_24h", 3.3),
        ("a", 4.0, "albumin", 31.0),
    ]
    assert table.unit.tolist() == ["cells/uL", "g/24h", "g/L", "g/24h", "g/L"]
    assert table.index.tolist() == [0, 1, 2, 3, 4]
    assert cohort.markers == ("urine_protein_24h", "albumin", "cd4")


def test_intervals_are_converted_and_open_bounds_filled(tmp_path: Path) -> None:
    rows = (
        "1,1,urine_protein_24h,,mg/24h,,150\n"
        "1,2,urine_protein_24h,,g/24h,10,\n"
        "1,4,urine_protein_24h,,mg/24h,300,600\n"
        "1,0,urine_protein_24h,5,g/24h,,\n"
    )
    cohort = load_cohort(folder(tmp_path, A_PATIENT, MEASUREMENTS + rows))
    table = cohort.measurements
    np.testing.assert_array_equal(table.value, [5.0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(table.lower, [np.nan, 0.0, 10.0, 0.3])
    np.testing.assert_array_equal(table.upper, [np.nan, 0.15, np.inf, 0.6])


def test_optional_cells_may_be_blank(tmp_path: Path) -> None:
    cohort = load_cohort(folder(tmp_path, PATIENTS + "1,,,,,\n"))
    assert cohort.patients.drop(columns="patient").isna().all(axis=None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("F", "female"), ("m", "male"), ("Female", "female"), ("MALE", "male")],
)
def test_sex_labels(tmp_path: Path, given: str, expected: str) -> None:
    cohort = load_cohort(folder(tmp_path, PATIENTS + f"1,{given},,,,\n"))
    assert cohort.patients["sex"].tolist() == [expected]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n", b"\r\n"),
        (b"\n", b"\r"),
        (b"\n", b"\n\n"),  # blank lines
        (b"\n", b",,\n"),  # commas a spreadsheet leaves at the end
        (b",", b" , "),
        (b"patient", b"\xef\xbb\xbfpatient"),  # byte-order mark
        (b"patient,", b'"patient",'),
        (b"1,", b'"1",'),
    ],
)
def test_harmless_spellings_of_csv(tmp_path: Path, old: bytes, new: bytes) -> None:
    plain = load_cohort(folder(tmp_path))
    spelt = (text.encode().replace(old, new) for text in (A_PATIENT, A_MEASUREMENT))
    other = load_cohort(folder(tmp_path, *spelt))
    pd.testing.assert_frame_equal(other.patients, plain.patients)
    pd.testing.assert_frame_equal(other.measurements, plain.measurements)
    assert other.warnings == ()


def test_hash_is_of_the_two_files(tmp_path: Path) -> None:
    cohort = load_cohort(folder(tmp_path))
    both = (A_PATIENT + A_MEASUREMENT).encode()
    assert cohort.sha256 == hashlib.sha256(both).hexdigest()


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_is_told_by_a_file(tmp_path: Path, synthetic: bool) -> None:
    assert load_cohort(write_cohort(tmp_path, synthetic=synthetic)).synthetic is synthetic


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    patients, measurements = small_cohort_frames()
    patients["patient"] = [1, 2, 3, 4]  # numbers in a typed table are names all the same
    measurements["patient"] = measurements["patient"].str.removeprefix("P").astype(int)
    (tmp_path / "c").mkdir()
    patients.to_parquet(tmp_path / "c" / "patients.parquet")
    measurements.to_parquet(tmp_path / "c" / "measurements.parquet")
    cohort = load_cohort(tmp_path / "c")
    assert cohort.patient_ids == ("1", "2", "3", "4")
    np.testing.assert_array_equal(cohort.measurements["value"], measurements["value"])


def test_parquet_cells_of_other_types_are_text_like_any_other(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    patients, _ = small_cohort_frames(1)
    odd = {"age_years": [[1, 2]], "bmi": [np.inf], "infusions": [True], "sex": [None]}
    patients = patients.assign(**odd)
    write_cohort(tmp_path).joinpath("patients.csv").unlink()
    patients.to_parquet(tmp_path / "patients.parquet")
    problems = [p for p in problems_of(tmp_path) if p.file == "patients.parquet"]
    found = {p.column: p.found for p in problems}
    assert found == {"age_years": '"[1 2]"', "bmi": '"inf"', "infusions": '"True"'}


# ---------------------------------------------------------------- warnings


def warnings_of(path: Path) -> list[Problem]:
    return list(load_cohort(path).warnings)


def test_plausibility_is_judged_in_canonical_units(tmp_path: Path) -> None:
    rows = "1,0,urine_protein_24h,3500,mg/24h,,\n1,0,albumin,2.5,g/dL,,\n1,4,albumin,,g/dL,,3\n"
    assert warnings_of(folder(tmp_path, A_PATIENT, MEASUREMENTS + rows)) == []


@pytest.mark.parametrize(
    ("patients", "rows", "expected"),
    [
        # a great deal, and a detection limit of 150 g
        (A_PATIENT, "1,0,urine_protein_24h,75,g/24h,,\n", (MEASURED, 2, "value", ".*75.*")),
        (A_PATIENT, "1,0,urine_protein_24h,,g/24h,,150\n", (MEASURED, 2, "value", ".*150.*")),
        (A_PATIENT, BASELINE.replace("\n", "\n1,-1,albumin,26,g/L,,\n"), SCREENED),
        (A_PATIENT + "2,,,,,\n", BASELINE, ("patients.csv", 3, "patient", ".*")),
        (A_PATIENT, CD4_LATE, (MEASURED, 3, "week", 'cd4 of "1" from week 1 only')),
    ],
)
def test_what_is_odd_is_a_warning(
    tmp_path: Path, patients: str, rows: str, expected: tuple[str, int, str | None, str]
) -> None:
    cohort = load_cohort(folder(tmp_path, patients, MEASUREMENTS + rows))
    warning = only(list(cohort.warnings))
    assert warning.severity == "warning"
    assert place(warning) == expected[:3]
    assert re.fullmatch(expected[3], warning.found)
    assert warning.column != "value" or "0.01 to 40 g/24h" in warning.expected
    assert len(cohort.patient_ids) == len(patients.splitlines()) - 1


# ---------------------------------------------------------------- errors of the files


def test_no_folder_and_no_row(tmp_path: Path) -> None:
    assert only(problems_of(tmp_path / "nowhere")).found == "no such folder"
    folder(tmp_path, measurements=MEASUREMENTS)
    assert only(problems_of(tmp_path / "patients.csv")).found == "a file"
    assert only(problems_of(tmp_path)).found == "a header and no rows"


def test_both_files_missing(tmp_path: Path) -> None:
    places = [(name, None, None) for name in ("patients.csv", MEASURED)]
    assert [place(p) for p in problems_of(tmp_path)] == places


def test_two_forms_of_one_table(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "patients.xlsx").write_bytes(b"")
    assert only(problems_of(tmp_path)).found == "patients.csv and patients.xlsx"


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf", b",,\n"])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    assert place(only(problems_of(folder(tmp_path, content)))) == ("patients.csv", None, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (A_PATIENT.replace(",", ";").encode(), "semicolons"),
        (A_PATIENT.replace(",", "\t").encode(), "tabs"),
        (A_PATIENT.replace("1,", "Jos\u00e9,").encode("latin-1"), "not UTF-8"),
        (A_PATIENT.encode("utf-16"), "not UTF-8"),
        (A_PATIENT.encode("utf-16-le"), "zero bytes"),
        (b'patient,sex\n"1,F\n', "not CSV"),
        (b'patient,sex\n"1"x,F\n', "not CSV"),
    ],
)
def test_unreadable_text_gets_one_message(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in only(problems_of(folder(tmp_path, content))).found


@pytest.mark.parametrize("form", ["parquet", "xlsx"])
def test_text_under_another_ending(tmp_path: Path, form: str) -> None:
    (folder(tmp_path) / "patients.csv").rename(tmp_path / f"patients.{form}")
    assert place(only(problems_of(tmp_path))) == (f"patients.{form}", None, None)


@pytest.mark.parametrize(("form", "package"), [("parquet", "pyarrow"), ("xlsx", "openpyxl")])
def test_missing_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, package: str
) -> None:
    def absent(*_args: object, **_options: object) -> None:
        raise ImportError(package)

    monkeypatch.setattr(pd, "read_parquet", absent)
    monkeypatch.setattr(pd, "read_excel", absent)
    (folder(tmp_path) / "patients.csv").rename(tmp_path / f"patients.{form}")
    problem = only(problems_of(tmp_path))
    assert "no engine" in problem.found
    assert package in problem.expected


def test_rows_of_the_wrong_length(tmp_path: Path) -> None:
    problems = measured(tmp_path, "1,1,albumin,25,g/L", "1,2,albumin,25,g/L,,,,x")
    problem = only(problems)
    assert (*place(problem), problem.found) == (MEASURED, 3, None, "5 cells; 9 cells")
    assert problem.rows == (3, 4)


def test_unnamed_column_is_ignored_only_where_empty(tmp_path: Path) -> None:
    header, row = MEASUREMENTS.strip(), BASELINE.strip()
    assert warnings_of(folder(tmp_path, measurements=f"{header},,\n{row},,\n")) == []
    warning = only(warnings_of(folder(tmp_path, measurements=f"{header},,\n{row},,3\n")))
    assert warning.found == 'the column "(column 9 has no name)"'


def test_every_missing_or_doubled_column_is_named(tmp_path: Path) -> None:
    problems = problems_of(folder(tmp_path, "sex\nF\n", "patient,week,values_\n1,0,25\n"))
    assert [place(p) for p in problems if "no such column" in p.found] == [
        ("patients.csv", 1, "patient"),
        *((MEASURED, 1, column) for column in ("marker", "unit")),
    ]
    problem = only(problems_of(folder(tmp_path, A_PATIENT.replace("bmi", "sex"))))
    assert (problem.row, problem.column, problem.found) == (1, '"sex"', "the column 2 times")


def test_optional_columns_may_be_absent(tmp_path: Path) -> None:
    rows = "patient,week,marker,value,unit\n1,0,albumin,25,g/L\n1,4,albumin,26,g/L\n"
    cohort = load_cohort(folder(tmp_path, "patient\n1\n", rows))
    assert cohort.warnings == ()
    assert ",".join(cohort.patients) + "\n" == PATIENTS
    assert cohort.patients["withdrew_week"].dtype == np.float64
    assert cohort.measurements["value"].tolist() == [25.0, 26.0]
    assert cohort.measurements[["lower", "upper"]].isna().all(axis=None)


def test_headers_in_other_words_are_read_and_said(tmp_path: Path) -> None:
    patients = "Patient ID,Gender,Age\n1,F,50\n"
    rows = "Subject,Week,Parameter,Value ,Units\n1,0,albumin,25,g/L\n"
    cohort = load_cohort(folder(tmp_path, patients, rows))
    assert cohort.patients.iloc[0].tolist()[:3] == ["1", "female", 50.0]
    warnings = list(cohort.warnings)
    assert [(*place(w), w.severity) for w in warnings] == [
        ("patients.csv", 1, None, "warning"),
        (MEASURED, 1, None, "warning"),
    ]
    assert '"Patient ID", "Gender", "Age"' in warnings[0].found
    assert "patient, sex, age_years" in warnings[0].expected
    problems = problems_of(folder(tmp_path, "id,Subject\n1,1\n", rows))
    assert (problems[0].column, problems[0].row) == ("patient", 1)


@pytest.mark.parametrize(
    ("above", "row"), [("# exported by lab\n", 1), ("Laboratory X,,,,,,\n\n2026,,,,,,\n", 1)]
)
def test_lines_above_the_header_are_one_problem(tmp_path: Path, above: str, row: int) -> None:
    problem = only(problems_of(folder(tmp_path, measurements=above + A_MEASUREMENT)))
    assert place(problem) == (MEASURED, row, None)
    header = above.count("\n") + 1
    assert f"row {header}" in problem.expected


def test_rows_without_a_header_are_one_problem(tmp_path: Path) -> None:
    problem = only(problems_of(folder(tmp_path, measurements=BASELINE * 3)))
    assert place(problem) == (MEASURED, 1, None)
    assert "patient, week, marker, value, unit" in problem.expected


def test_row_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    text = '\npatient,sex,bmi,note\n\n0,F,,"1\nb"\n1,,x,\n'
    assert place(problems_of(folder(tmp_path, text))[0]) == ("patients.csv", 6, "bmi")


# ---------------------------------------------------------------- errors of cells


@pytest.mark.parametrize(
    ("row", "column", "found", "expected"),
    [
        *(
            (f'1,1,albumin,"{text}",g/L,,', "value", f'"{text}"', "a number")
            for text in ("abc", "nan", "NaN", "inf", "-inf", "NA", "<0.1", "3,5", "1e999")
        ),
        *((f"1,1,albumin,{x},g/L,,", "value", "", "a value above 0") for x in ("0", "-1", "-0.0")),
        *((f"1,{week},albumin,25,g/L,,", "week", "", "") for week in ("9999", "", "baseline")),
        ("1,1,albumin,<0.1,g/L,,", "value", "", "write 0.1 in upper"),
        ("1,1,albumin,>20,g/L,,", "value", "", "write 20 in lower"),
        ('1,1,albumin,"3,5",g/L,,', "value", "", "3.5"),
        ("1,1,albumin,n.d.,g/L,,", "value", "", "limit of detection in upper"),
        ("1,1,albumin,35 g/L,g/L,,", "value", "", "the number alone, 35"),
        ("1,1,albumin,0,g/L,,", "value", "", "limit of detection in upper"),
        ("1,W4,albumin,25,g/L,,", "week", "", "4 for"),
        ("1,baseline,albumin,25,g/L,,", "week", "", "week 0"),
        ("1,day 14,albumin,25,g/L,,", "week", "", "days / 7"),
        ("1,2024-05-01,albumin,25,g/L,,", "week", "", "not a date"),
        ("1,1,Albumine,25,g/L,,", "marker", '"Albumine"', "did you mean albumin?"),
        *(("1,1,Xyz,25,g/L,,", "marker", '"Xyz"', name) for name in MARKERS),
        ("1,1,proteinuria,5,g/24h,,", "marker", "", "did you mean urine_protein_24h?"),
        ("1,1,proteinuria,5,mg/mmol,,", "marker", "", "did you mean upcr?"),
        ("1,1,24h protein,5,g/24h,,", "marker", "", "did you mean urine_protein_24h?"),
        ("1,1,uPCR ratio,5,g/g,,", "marker", "", "did you mean upcr?"),
        *(
            (f"1,1,{given},5,,,", "marker", "", f"did you mean {name}?")
            for given, name in {
                "alb": "albumin",
                "GFR": "egfr",
                "hb": "haemoglobin",
                "crea": "creatinine",
                "CD19+": "b_cell",
                "Total cholesterol": "cholesterol",
            }.items()
        ),
        ("1,1,cd4_percent,100,%,,", "value", "100 %", "in lower"),
        ("1,1,cd4_percent,,%,100,", "value", "lower 100 %", "in lower"),
        ("1,1,cd4_percent,0,%,,", "value", '"0"', "limit of detection in upper"),
        ("1,0,cd4,25,%,,", "unit", '"%"', "cells/uL"),
        ("1,0,urine_protein_24h,25,mg/mmol,,", "unit", '"mg/mmol"', "g/24h"),
        ("1,1,albumin,25,,,", "unit", "blank", "g/L"),
        ("1,1,albumin,25,g/L,20,", "value", 'value "25" and lower "20", upper blank', ""),
        ("1,1,albumin,,g/L,,", "value", "", ""),
        ("1,1,albumin,,g/L,0,", "value", "", ""),
        ("1,1,albumin,,g/L,30,20", "lower", "", "lower below upper"),
        ("1,1,albumin,,g/L,30,30", "lower", "", "lower below upper"),
        ("P-01,0,albumin,25,g/L,,", "patient", '"P-01"', ""),
        ("1,0.0,albumin,24,g/L,,", "marker", '"1", week 0, albumin, as in row 2', ""),
        # decimal commas move what follows, and are never read as two cells
        ("1,1,albumin,3,5,g/dL,,", None, "8 cells", ""),
        ("1,1,albumin,,g/L,3,5,", None, "8 cells", ""),
    ],
)
def test_cells_of_measurements(
    tmp_path: Path, row: str, column: str | None, found: str, expected: str
) -> None:
    problem = only([p for p in measured(tmp_path, row) if "week-0 value" not in p.expected])
    assert place(problem) == (MEASURED, 3, column)
    assert found in ("", problem.found)
    assert expected in problem.expected


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("patient", ",F,50,24,3,"),
        ("sex", "2,woman,50,24,3,"),
        ("age_years", "2,F,-50,24,3,"),
        ("age_years", "2,F,500,24,3,"),
        ("bmi", "2,F,50,fat,3,"),
        ("bmi", "2,F,50,0,3,"),
        ("infusions", "2,F,50,24,2.5,"),
        ("infusions", "2,F,50,24,-1,"),
        ("withdrew_week", "2,F,50,24,3,-4"),
        ("withdrew_week", "2,F,50,24,3,yes"),
    ],
)
def test_cells_of_patients(tmp_path: Path, column: str, cells: str) -> None:
    rows = A_MEASUREMENT + "2,0,albumin,25,g/L,,\n" if column != "patient" else A_MEASUREMENT
    problem = only(problems_of(folder(tmp_path, A_PATIENT + cells + "\n", rows)))
    assert place(problem) == ("patients.csv", 3, column)


# ---------------------------------------------------------------- errors across rows


@pytest.mark.parametrize(
    ("patients", "rows", "row", "found"),
    [
        # one problem a patient
        (
            A_PATIENT + "2,,,,,\n",
            ("2,2,albumin,25,g/L,,", "2,1,albumin,25,g/L,,", "2,1,cd4,500,/uL,,"),
            3,
            '"2" from week 1 only',
        ),
        # the week of the withdrawal itself is allowed
        (
            PATIENTS + "1,,,,,4\n",
            ("1,4,albumin,25,g/L,,", "1,12,albumin,25,g/L,,"),
            4,
            'week 12 of "1", withdrawn in week 4',
        ),
    ],
)
def test_weeks_across_rows(
    tmp_path: Path, patients: str, rows: tuple[str, ...], row: int, found: str
) -> None:
    problem = only(measured(tmp_path, *rows, patients=patients))
    assert (*place(problem), problem.found) == (MEASURED, row, "week", found)


def test_patients_by_another_name_or_twice(tmp_path: Path) -> None:
    other = A_MEASUREMENT.replace("1,0", "P-01,0")
    problems = problems_of(folder(tmp_path, PATIENTS + "P01,,,,,\n", other))
    assert 'did you mean "P01"?' in problems[0].expected
    problem = only(problems_of(folder(tmp_path, A_PATIENT + " 1 ,,,,,\n")))
    assert place(problem) == ("patients.csv", 3, "patient")
    assert "row 2" in problem.found


# ---------------------------------------------------------------- all at once


def test_all_problems_of_both_tables_at_once(tmp_path: Path) -> None:
    patients = PATIENTS + "1,F,old,24,3,\n2,x,50,24,3,4\n2,,,,,\n"
    measurements = (
        MEASUREMENTS
        + "1,0,albumin,25,g/L,,\n"  # 2, sound
        + "1,0,albumin,26,g/L,,\n"  # 3, as row 2
        + "1,1,albumen,26,g/L,,\n"  # 4, marker
        + "1,2,albumin,-3,g/L,,\n"  # 5, sign
        + "2,0,cd4,50,%,,\n"  # 6, unit
        + "2,12,cd4,500,/uL,,\n"  # 7, withdrawn
        + "3,0,cd4,,/uL,500,400\n"  # 8, unknown patient and crossed
        + "1,4,urine_protein_24h,90,g/24h,,\n"  # 9, implausible and no baseline: warnings
    )
    problems = problems_of(folder(tmp_path, patients, measurements))
    assert {(*place(p), p.severity) for p in problems} == {
        ("patients.csv", 2, "age_years", "error"),
        ("patients.csv", 3, "sex", "error"),
        ("patients.csv", 4, "patient", "error"),
        ("measurements.csv", 3, "marker", "error"),
        ("measurements.csv", 4, "marker", "error"),
        ("measurements.csv", 5, "value", "error"),
        ("measurements.csv", 6, "unit", "error"),
        ("measurements.csv", 7, "week", "error"),
        ("measurements.csv", 8, "patient", "error"),
        ("measurements.csv", 8, "lower", "error"),
        ("measurements.csv", 9, "value", "warning"),
        ("measurements.csv", 9, "week", "warning"),
    }
    assert len(problems) == 12
    assert [p.severity for p in problems] == ["error"] * 10 + ["warning"] * 2


def test_one_bad_file_does_not_hide_the_other(tmp_path: Path) -> None:
    problems = problems_of(folder(tmp_path, b"\xff\xfe", A_MEASUREMENT.replace("25", "x")))
    assert [place(p)[0] for p in problems] == ["patients.csv", "measurements.csv"]


def test_message_lists_problems_one_a_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_cohort(folder(tmp_path, measurements=A_MEASUREMENT.replace("25", "x,y")))
    assert str(caught.value).splitlines() == [
        "measurements.csv, row 2: found 8 cells; "
        "expected 7 cells, as in the header (a blank cell still needs its comma)",
        # The row of moved cells is not judged further, and the patient has no other.
        'warning: patients.csv, row 2, column patient: found "1" without measurements; '
        "expected at least one measurement of each patient",
    ]


def test_a_cause_is_told_once(tmp_path: Path) -> None:
    rows = [
        *(f"1,{week},proteinuria,5,g/24h,," for week in range(1, 37)),
        *(f'1,{week},albumin,"3,{week}",g/dL,,' for week in range(1, 6)),
        *(f"1,{week},albumin,<{week},g/L,," for week in range(6, 9)),
        "1,9,albumin,x,g/L,,",
        "1,10,albumin,y,g/L,,",
        "1,11,albumin,1,%,,",
    ]
    problems = measured(tmp_path, *rows)
    errors = sorted((p for p in problems if p.severity == "error"), key=lambda p: p.row)
    assert [(p.column, p.row, len(p.rows)) for p in errors] == [
        ("marker", 3, 36),
        ("value", 39, 5),
        ("value", 44, 3),
        ("value", 47, 2),
        ("unit", 49, 0),
    ]
    marker, comma, below, text, _ = errors
    assert comma.found == '"3,1"; "3,2"; "3,3"; and 2 more'
    assert "write 6 in upper" in below.expected
    assert text.found == '"x"; "y"'
    assert "36 rows (3–38)" in str(marker)
    assert marker.expected.endswith("did you mean urine_protein_24h?")


def test_rows_are_shown_as_ranges() -> None:
    assert ranges([2]) == "2"
    assert ranges([*range(2, 38), 40]) == "2–37, 40"
    assert ranges(range(0, 40, 2)) == "0, 2, 4, 6, 8, 10, … to 38"


def test_a_message_lists_every_kind_before_many_of_one() -> None:
    problems = [Problem("a.csv", row, "value", f"{row}", "a number") for row in range(2, 102)]
    lines = str(InputError([*problems, Problem("a.csv", 3, "unit", "%", "g/L")])).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 81 more"
    assert any("column unit" in line for line in lines)


def test_error_survives_pickling(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_cohort(tmp_path)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.problems == caught.value.problems
    assert str(copy) == str(caught.value)


@pytest.mark.parametrize("text", ["\x1b[31mred", "two\nlines", "x" * 500])
def test_found_text_stays_on_one_short_line(tmp_path: Path, text: str) -> None:
    problem = only(measured(tmp_path, f'1,1,albumin,"{text}",g/L,,'))
    assert problem.found.isprintable()
    assert len(problem.found) <= 62


@pytest.mark.parametrize("kind", ["other columns", "right columns"])
def test_a_large_table_of_another_study_is_refused_by_columns_and_not_by_cells(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 50_000
    made = []
    make = Problem.__init__

    def counted(problem: Problem, *arguments: Any, **named: Any) -> None:
        made.append(problem)
        make(problem, *arguments, **named)

    monkeypatch.setattr(Problem, "__init__", counted)
    header = "id,a,b,c,d,e,f\n" if kind == "other columns" else MEASUREMENTS
    rows = "".join(f"s{i},x,hb{i},-1,u{i},q,5\n" for i in range(n))
    problems = problems_of(folder(tmp_path, A_PATIENT, header + rows))
    assert len(problems) <= len(made) < 200
    if kind == "right columns":
        assert len(problems) < 20
        for column in ("marker", "patient"):
            assert sum(len(p.rows or (p.row,)) for p in problems if p.column == column) >= n


def test_importing_the_module_loads_no_heavy_library() -> None:
    code = (
        "import sys, mnbayes.data.cohort; "
        "sys.exit(' '.join({'pandera', 'pint', 'pymc'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_worked_example_of_the_data_contract(tmp_path: Path) -> None:
    page = Path(__file__).parents[1] / "docs" / "data-contract.md"
    tables = re.findall(r"```csv\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    patients, measurements, events = tables
    (tmp_path / "events.csv").write_text(events)
    cohort = load_cohort(folder(tmp_path, patients, measurements))
    assert cohort.warnings == ()
    assert cohort.measurements["value"].tolist()[:2] == [5.2, 24.0]
    assert cohort.measurements["upper"].tolist()[2] == 0.15
    assert cohort.events["grade"].tolist() == [2, 1, 1]
