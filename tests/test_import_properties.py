"""Whatever a file says, an import ends in a message or a cohort; nothing in it is ever run."""

from __future__ import annotations

import contextlib
import csv
import tempfile
from pathlib import Path

import openpyxl
import pandas as pd
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_import_cdisc import ADLB, ADSL

import mnbayes as mn
from mnbayes.data.imports.mapping import load_mapping
from mnbayes.data.imports.values import CellError, read_date, read_value
from mnbayes.data.imports.visits import find_visit

MAPPING = load_mapping()
SHEET = [
    ["ID", "Sex", "Age", "Albumin BL (g/L)", "Albumin W4", "24h protein BL (g/24h)", "Withdrawn"],
    ["a", "f", "50", "28", "30", "5.1", ""],
    ["b", "m", "61", "27", "", "4.2", "week 3"],
]
ODD = st.sampled_from(
    [
        *("=1+1", "=cmd|' /C calc'!A0", "__import__('os')", "1e999", "-5", "nan", "inf", "0"),
        *("<", "<<1", "1,234", "1.2.3", "2024-13-45", "03/04/2024", "W4", "V3", "Week 99999"),
        *("#REF!", "g/L", "%", "Albumin W4 (g/L)", "Baseline", "Day 0", "Month 3", "Week ²"),
        *("١٢", "½", "²", "\ufeff", "[", "(((", "Week -2", "Screening", "End of Treatment"),
    ]
)
TEXT = st.one_of(ODD, st.text(max_size=30))


def ends_well(*paths: Path, **answers: object) -> None:
    """Import; what is written loads, and what is not written leaves nothing behind."""
    folder = paths[0].parent / "cohort"
    before = {path.name for path in paths[0].parent.iterdir()}
    with contextlib.suppress(mn.InputError):
        mn.import_cohort(paths, folder, **answers)  # type: ignore[arg-type]
    if folder.exists():
        patients = pd.read_csv(folder / "patients.csv", dtype=str, keep_default_na=False)
        if "arm" not in patients or len(set(patients["arm"])) == 1:  # of several one must be chosen
            assert mn.load_cohort(folder).patient_ids
    else:
        assert {path.name for path in folder.parent.iterdir()} == before


def put(rows: list[list[str]], path: Path) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        csv.writer(file).writerows(rows)


@settings(max_examples=30)
@given(st.integers(0, 2), st.integers(0, 6), TEXT)
def test_any_text_in_a_cell_of_a_csv(row: int, column: int, text: str) -> None:
    rows = [list(each) for each in SHEET]
    rows[row][column] = text
    with tempfile.TemporaryDirectory() as temporary:
        put(rows, Path(temporary) / "s.csv")
        ends_well(Path(temporary) / "s.csv")


@settings(max_examples=20)
@given(
    st.integers(0, 2),
    st.integers(0, 6),
    st.one_of(TEXT, st.floats(), st.datetimes(), st.booleans()),
)
def test_any_cell_of_a_workbook(row: int, column: int, cell: object) -> None:
    book = openpyxl.Workbook()
    for each in SHEET:
        book.active.append(each)
    with contextlib.suppress(openpyxl.utils.exceptions.IllegalCharacterError, ValueError):
        book.active.cell(row + 1, column + 1).value = cell
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "s.xlsx"
        try:
            book.save(path)
        except (ValueError, UnicodeEncodeError):  # openpyxl cannot write it: nobody has the file
            return
        ends_well(path)


@settings(max_examples=30)
@given(st.lists(st.lists(TEXT, max_size=6), max_size=5))
def test_any_small_table(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        put([["ID", *(rows[0] if rows else [])], *rows[1:]], Path(temporary) / "s.csv")
        ends_well(Path(temporary) / "s.csv", weeks=(0, 4), baseline_date="first")


@settings(max_examples=30)
@given(
    st.binary(max_size=300), st.sampled_from(["csv", "xlsx", "xls", "ods", "json", "ndjson", "xpt"])
)
@example(b"USUBJID\n\n", "csv")
@example(b"sep=;\nID;Albumin BL (g/L)\na;28\n", "csv")
@example(b"\xff\xfe\x00", "csv")
@example(b"PK\x05\x06" + b"\0" * 18, "xlsx")
def test_any_bytes(content: bytes, form: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / f"s.{form}"
        path.write_bytes(content)
        ends_well(path)


@settings(max_examples=40)
@given(st.booleans(), st.integers(0, 1), st.integers(0, 6), TEXT)
def test_any_text_in_a_cell_of_adam(people: bool, row: int, column: int, text: str) -> None:
    sets = {"adsl": [dict(each) for each in ADSL], "adlb": [dict(each) for each in ADLB]}
    chosen = sets["adsl" if people else "adlb"][row]
    name = list(chosen)[column % len(chosen)]
    chosen[name] = text
    with tempfile.TemporaryDirectory() as temporary:
        paths = []
        for each, rows in sets.items():
            paths.append(Path(temporary) / f"{each}.csv")
            put([[*rows[0]], *([str(x) for x in r.values()] for r in rows)], paths[-1])
        ends_well(*paths)


@settings(max_examples=30)
@given(st.one_of(st.text(max_size=60), st.builds("codes.{} = {}".format, TEXT, TEXT)))
def test_any_mapping_file(text: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "own.toml"
        path.write_text(text, encoding="utf-8", errors="replace")
        with contextlib.suppress(mn.InputError):
            assert load_mapping(path).codes


@given(
    st.one_of(TEXT, st.floats(), st.datetimes(), st.times(), st.booleans()),
    st.sampled_from(["", ".", ",", "?"]),
)
def test_any_cell_is_a_value_or_refused(cell: object, decimal: str) -> None:
    with contextlib.suppress(CellError):
        found = read_value(cell, MAPPING.missing, decimal)  # type: ignore[arg-type]
        if found is not None:
            assert any(found[:3])
            assert all(float(each) >= 0 for each in found[:3] if each) or isinstance(cell, float)
    with contextlib.suppress(CellError):
        read_date(cell)


@given(st.text(max_size=60))
def test_any_text_names_a_visit_or_none(text: str) -> None:
    visit, rest = find_visit(text, MAPPING)
    assert visit is None or len(rest) <= len(text) * 20


@settings(max_examples=20)
@given(TEXT, TEXT, st.floats(-10, 100), st.lists(st.floats(0, 60), max_size=3))
def test_any_answer(unit: str, visit: str, week: float, weeks: list[float]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "s.csv"
        put([["ID", "Albumin BL", "Albumin V2"], ["a", "28", "30"]], path)
        ends_well(path, units={"Albumin": unit}, visits={"V2": week, visit: 3.0}, weeks=weeks)
