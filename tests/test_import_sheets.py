"""Clinics' sheets become cohorts: headers, visits, values, and what a reader would alter."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from sheets import brought, naive_sheet, read, workbook

import mnbayes as mn
from mnbayes.data.imports.draft import Options
from mnbayes.data.imports.headers import read_header
from mnbayes.data.imports.importing import load_names, read_files
from mnbayes.data.imports.mapping import is_unit, load_mapping, unit_kind
from mnbayes.data.imports.values import CellError, Value, number, read_date, read_value
from mnbayes.data.imports.visits import find_visit, in_window, suggested_weeks, windows
from mnbayes.data.markers import MARKERS

MAPPING = load_mapping()


def sheet(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "sheet.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (3.5, Value("3.5")),
        (4, Value("4")),
        (0.1 + 0.2, Value("0.3")),
        ("3,5", Value("3.5")),
        ("1.234,5", Value("1234.5")),
        ("1,234.5", Value("1234.5")),
        ("<0.1", Value("", "", "0.1")),
        ("< 0,1", Value("", "", "0.1")),
        ("≤0.1", Value("", "", "0.1")),
        (">20", Value("", "20", "")),
        ("≥ 20", Value("", "20", "")),
        ("300-500", Value("", "300", "500")),
        ("3.5 g/L", Value("3.5", unit="g/L")),
        ("n.d.", None),
        ("NA", None),
        ("-", None),
        ("", None),
        ("k.A.", None),
        (float("nan"), None),
    ],
)
def test_values(cell: object, value: Value | None) -> None:
    assert read_value(cell, MAPPING.missing) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cell", ["abc", "1,234", "3.5.1", "12:30", "=1+1", "3.5 ok", True, dt.date(2024, 5, 3), "1,2,3"]
)
def test_what_is_no_value_is_refused(cell: object) -> None:
    with pytest.raises(CellError):
        read_value(cell, MAPPING.missing)  # type: ignore[arg-type]


def test_decimal_signs_that_are_known() -> None:
    assert number("1,234", ",") == "1.234"
    assert number("1,234", ".") == "1234"
    assert number("1.234", ",") == "1234"
    assert number("0,123") == "0.123"


@pytest.mark.parametrize(
    ("cell", "date"),
    [
        ("2024-03-05", dt.date(2024, 3, 5)),
        ("05.03.2024", dt.date(2024, 3, 5)),
        ("25/03/2024", dt.date(2024, 3, 25)),
        ("2024年3月5日", dt.date(2024, 3, 5)),
        (dt.datetime(2024, 3, 5, 10), dt.date(2024, 3, 5)),
        ("2024-03", None),
        ("soon", None),
    ],
)
def test_dates(cell: object, date: dt.date | None) -> None:
    assert read_date(cell) == date


@pytest.mark.parametrize("cell", ["03/04/2024", "1954-03-05", "2024-02-31", "3.4.24"])
def test_dates_that_are_not_one_day_are_refused(cell: str) -> None:
    with pytest.raises(CellError):
        read_date(cell)


@pytest.mark.parametrize(
    ("header", "kind", "days", "rest"),
    [
        ("Albumin W4", "week", 28, "Albumin"),
        ("24h protein week 12", "week", 84, "24h protein"),
        ("Albumin Woche 4", "week", 28, "Albumin"),
        ("白蛋白 第4周", "week", 28, "白蛋白"),
        ("白蛋白4周", "week", 28, "白蛋白"),
        ("CD3 D14", "day", 14, "CD3"),
        ("C4 M6", "month", 182.625, "C4"),
        ("尿蛋白 3个月", "month", 91.3125, "尿蛋白"),
        ("Alb BL", "baseline", 0, "Alb"),
        ("Eiweiß Ausgangswert", "baseline", 0, "Eiweiß"),
        ("UPCR V3", "numbered", 0, "UPCR"),
        ("Week -2", "week", -14, ""),
        ("Week-2", "week", 14, ""),
        ("Screening", "screening", 0, ""),
        ("End of Treatment", "unscheduled", 0, ""),
    ],
)
def test_visits(header: str, kind: str, days: float, rest: str) -> None:
    visit, name = find_visit(header, MAPPING)
    assert visit is not None
    assert (visit.kind, visit.days, name) == (kind, days, rest)


@pytest.mark.parametrize("header", ["C3", "CD4", "24h protein", "Albumin", "CD4/CD8", "M", "eGFR"])
def test_markers_are_no_visits(header: str) -> None:
    assert find_visit(header, MAPPING) == (None, header)


@pytest.mark.parametrize("unit", ["AU/mL", "points"])
def test_a_unit_that_a_marker_of_ones_own_declares_is_read_in_a_header(unit: str) -> None:
    score = MARKERS["albumin"].model_copy(update={"name": "score", "label": "Score", "unit": unit})
    own = load_mapping(catalogue={**MARKERS, "score": score})
    column = read_header(0, [f"Score ({unit}) week 4"], own, Options())
    assert (column.markers, column.unit) == (("score",), unit)
    assert not MAPPING.is_unit(unit)


def test_units_by_their_look() -> None:
    for unit in (
        "g/24h",
        "mg/24 h",
        "mg/dL",
        "10^9/L",
        "K/uL",
        "%",
        "mL/min/1.73m2",
        "ml/min/1,73m²",
    ):
        assert is_unit(unit), unit
    for text in ("CD4/CD8", "protein/creatinine", "24h", "week 4", "n/a", "albumin"):
        assert not is_unit(text), text
    assert [unit_kind(u) for u in ("mg/d", "mg/dL", "mg/mmol", "%")] == [
        "per day",
        "",
        "ratio",
        "percent",
    ]


def test_windows_divide_half_way() -> None:
    found = windows([0, 1, 2, 4, 12])
    assert [v.week for v in found] == [0, 1, 2, 4, 12]
    assert in_window(3.0, found) == 2
    assert in_window(3.14, found) == 4
    assert in_window(30.0, found) is None
    assert suggested_weeks([0, 3.9, 4.1, 4.3, 11.7, 12.4]) == [0, 4, 12]
    assert windows([1, 2]) == ()


def test_one_header_row(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        "ID,Sex,Age,Albumin BL (g/dL),Albumin W4,24h protein BL (g/24h),24h protein month 3\n"
        "a,F,50,2.8,3.1,5.1,<0.3\nb,M,61,2.1,,4.4,3.9\n",
    )
    found = brought(path)
    assert found.loc[("a", 0, "albumin"), ["value", "unit"]].tolist() == [2.8, "g/dL"]
    assert found.loc[("a", 13.04, "urine_protein_24h"), "upper"] == 0.3
    assert len(found) == 7
    patients = pd.read_csv(tmp_path / "cohort" / "patients.csv")
    assert patients["sex"].tolist() == ["female", "male"]
    trial = (tmp_path / "cohort" / "trial.toml").read_text()
    assert "week = 13.04" in trial


def test_german_sheet(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        "Patientennummer;Geschlecht;Alter;Albumin Ausgangswert (g/L);Albumin Woche 12 (g/L);"
        "Eiweiß im 24h-Urin Ausgangswert (g/24h);Eiweiß im 24h-Urin Woche 12 (g/24h);Abbruch\n"
        "1;weiblich;50;28,5;31,25;5,1;2,8;nein\n2;männlich;61;21;k.A.;4,4;;ja\n",
        "cp1252",
    )
    found = brought(path)
    assert found.loc[("1", 12, "albumin"), "value"] == 31.25
    assert found.loc[("2", 0, "urine_protein_24h"), "value"] == 4.4
    log = (tmp_path / "cohort" / "import.md").read_text(encoding="utf-8")
    assert "Windows-1252" in log
    assert "decimal comma" in log
    assert pd.read_csv(tmp_path / "cohort" / "patients.csv")["withdrew_week"].tolist()[1] == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_chinese_sheet(tmp_path: Path, encoding: str) -> None:
    path = sheet(
        tmp_path,
        "患者编号,性别,年龄,白蛋白（g/L）基线,白蛋白（g/L）第4周,24小时尿蛋白（g/24h）基线,"
        "24小时尿蛋白（g/24h）3个月\n甲,女,50,28,31,5.1,2.2\n乙,男,44,25,27,6.0,3.1\n",
        encoding,
    )
    found = brought(path)
    assert found.loc[("甲", 4, "albumin"), "value"] == 31
    assert found.loc[("乙", 13.04, "urine_protein_24h"), "value"] == 3.1


@pytest.mark.parametrize("merged", [("C1:D1", "E1:F1", "A1:A2", "B1:B2"), ()])
@pytest.mark.parametrize("marker_above", [True, False])
def test_two_header_rows(tmp_path: Path, merged: tuple[str, ...], marker_above: bool) -> None:
    if marker_above:
        top = ["Patient", "Sex", "Albumin (g/L)", None, "Proteinuria (g/24h)", None]
        below = [None, None, "Baseline", "Week 4", "Baseline", "Week 4"]
        row = ["p1", "f", 28, 30, 5.5, 4.5]
    else:
        top = ["Patient", "Sex", "Baseline", None, "Week 4", None]
        below = [None, None, "Albumin (g/L)", "Proteinuria (g/24h)"] * 2
        below = below[:4] + below[6:]
        row = ["p1", "f", 28, 5.5, 30, 4.5]
    path = workbook(tmp_path / "s.xlsx", [top, below, row, ["p2", *row[1:]]], merged)
    found = brought(path)
    assert found["value"].loc["p1"].to_dict() == {
        (0, "albumin"): 28,
        (0, "urine_protein_24h"): 5.5,
        (4, "albumin"): 30,
        (4, "urine_protein_24h"): 4.5,
    }


def test_a_row_of_units_and_weeks_under_a_marker(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "s.xlsx",
        [
            [None, "Albumin", None],
            ["Subject", "W0", "W12"],
            [None, "g/dL", "g/dL"],
            ["x", 2.8, 3.3],
        ],
    )
    assert brought(path)["value"].tolist() == [2.8, 3.3]


def test_a_row_a_visit(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        "patient;visit;albumin (g/L);cd4 (cells/uL)\n1;Baseline;28;500\n;Week 4;30;600\n"
        "2;Baseline;25;400\n2;Unscheduled 1;26;\n2;Month 3;29;450\n",
    )
    found = brought(path)
    assert found.loc[("1", 4, "cd4"), "value"] == 600
    assert found.loc[("2", 13.04, "albumin"), "value"] == 29
    assert len(found) == 8


def test_a_row_a_date(tmp_path: Path) -> None:
    text = (
        "patient,date,albumin (g/L)\n1,2024-01-01,28\n1,2024-01-30,30\n1,2024-03-25,31\n"
        "2,2024-02-01,25\n2,2024-02-28,26\n2,2024-04-26,29\n"
    )
    path = sheet(tmp_path, text)
    with pytest.raises(mn.InputError, match="--baseline-date first"):
        brought(path)
    with pytest.raises(mn.InputError, match="--weeks 0,4,12"):
        brought(path, baseline_date="first")
    found = brought(path, baseline_date="first", weeks=(0, 4, 12))
    assert found["value"].loc["1"].to_dict() == {
        (0, "albumin"): 28,
        (4, "albumin"): 30,
        (12, "albumin"): 31,
    }
    mn.import_cohort(
        path, tmp_path / "b", baseline_date="first", weeks=(0, 4, 12), actual_times=True
    )
    assert read(tmp_path / "b").loc["1"].index.get_level_values("week").tolist() == [0, 4.14, 12]


def test_dates_as_headers(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "s.xlsx",
        [
            ["ID", "First infusion", "Albumin (g/L)", None],
            [None, None, dt.datetime(2024, 1, 1), dt.datetime(2024, 3, 25)],
            ["a", dt.datetime(2024, 1, 1), 28, 31],
            ["b", dt.datetime(2024, 1, 3), 27, 30],
        ],
    )
    found = brought(path, weeks=(0, 12))
    assert found["value"].tolist() == [28, 31, 27, 30]


def test_screening_is_left_out_where_there_is_a_baseline(tmp_path: Path) -> None:
    head = "ID,Albumin Screening (g/L),Albumin Baseline (g/L),Albumin W4 (g/L)\n"
    path = sheet(tmp_path, head + "a,25,28,30\n")
    assert brought(path)["value"].tolist() == [28, 30]
    assert "before baseline" in (tmp_path / "cohort" / "import.md").read_text()


def test_screening_alone_is_the_baseline(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin Screening (g/L),Albumin W4 (g/L)\na,25,30\n")
    assert brought(path).loc[("a", 0, "albumin"), "value"] == 25


def test_days_from_one_or_from_zero(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin Day 1 (g/L),Albumin Day 29\na,25,30\n")
    assert brought(path).index.get_level_values("week").tolist() == [0, 4]
    path = sheet(tmp_path, "ID,Albumin BL (g/L),Albumin D1,Albumin Day 28\na,25,26,30\n")
    mn.import_cohort(path, tmp_path / "b")
    assert read(tmp_path / "b").index.get_level_values("week").tolist() == [0, 0.14, 4]


def test_every_question_at_once(tmp_path: Path) -> None:
    path = naive_sheet(tmp_path / "naive.xlsx")
    with pytest.raises(mn.InputError) as caught:
        brought(path)
    assert len(caught.value.problems) == 4  # a unit, and the weeks of three visits
    assert not (tmp_path / "cohort").exists()
    found = brought(path, units={"24h protein": "g/24h"}, visits={"V1": 2, "V2": 4, "V3": 12})
    assert found.index.get_level_values("patient").nunique() == 9
    assert len(found) == 69
    assert found.loc[("3", 12, "urine_protein_24h"), "upper"] == 0.3
    patients = pd.read_csv(tmp_path / "cohort" / "patients.csv")
    assert patients.loc[5, "withdrew_week"] == 8


def test_the_suggested_unit_fits_the_values(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin BL,UPCR BL,Albumin W4\na,2.8,3100,3\nb,3.1,2500,3.2\n")
    with pytest.raises(mn.InputError) as caught:
        brought(path)
    text = str(caught.value)
    assert '--unit "Albumin=g/dL"' in text
    assert '--unit "UPCR=mg/g"' in text


def test_a_name_of_several_markers_is_decided_by_its_unit(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Proteinuria BL,Proteinuria W4\na,2.8,2\n")
    with pytest.raises(mn.InputError, match=r"g/24h.*g/L.*g/g"):
        brought(path)
    found = brought(path, units={"Proteinuria": "mg/dL"})
    assert set(found.index.get_level_values("marker")) == {"urine_protein_conc"}


def test_an_answer_that_names_nothing_is_told(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin BL (g/L),Albumin V2\na,28,30\n")
    with pytest.raises(mn.InputError, match=r"albumn(.|\n)*V9") as caught:
        brought(path, units={"albumn": "g/L"}, visits={"V2": 4, "V9": 3})
    assert len(caught.value.problems) == 2


def told(path: Path, **answers: object) -> str:
    with pytest.raises(mn.InputError) as caught:
        brought(path, **answers)
    assert not (path.parent / "cohort").exists()
    assert [*path.parent.iterdir()] == [path]
    return str(caught.value)


def test_errors_and_formulas_without_a_value_are_told(tmp_path: Path) -> None:
    path = tmp_path / "s.xlsx"
    workbook(path, [["ID", "Albumin BL (g/L)", "Albumin W4"], ["a", 28, "=B2+1"], ["b", 27, 29]])
    book = openpyxl.load_workbook(path)
    book.active["C3"] = "#REF!"
    book.active["C3"].data_type = "e"
    book.save(path)
    text = told(path)
    assert "a formula without a value in C2" in text
    assert "#REF! in C3" in text


def test_duplicate_headers_are_told(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin BL (g/L),Albumin week 4,Albumin W4\na,28,29,30\n")
    text = told(path)
    assert "D (Albumin W4)" in text
    assert "C (Albumin week 4)" in text


def test_a_patient_in_two_rows_is_told(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin BL (g/L)\na,28\nb,27\na,26\n")
    assert "rows 2 and 4" in told(path)


def test_ids_that_became_dates_are_told(tmp_path: Path) -> None:
    rows = [["ID", "Albumin BL (g/L)"], [dt.datetime(2024, 3, 1), 28], ["b", 27]]
    assert "2024-03-01" in told(workbook(tmp_path / "s.xlsx", rows))


def test_values_that_became_dates_are_told(tmp_path: Path) -> None:
    rows = [["ID", "Albumin BL (g/L)", "Albumin W4"], ["a", 28, dt.datetime(2024, 5, 3)]]
    text = told(workbook(tmp_path / "s.xlsx", rows))
    assert "row 2, column C (Albumin W4)" in text


def test_a_comma_that_may_be_either_is_asked(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID;CD4 BL (cells/uL);CD4 W4\na;1,234;1,100\n")
    assert "--decimal" in told(path)
    assert brought(path, decimal=".")["value"].tolist() == [1234, 1100]


def test_implausible_dates_are_told(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,First infusion,date,Albumin (g/L)\na,1914-01-05,2014-01-05,28\n")
    assert "years off" in told(path, weeks=(0, 4))


def test_a_visit_years_off_is_a_warning(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        "ID,First infusion,date,Albumin (g/L)\n"
        "a,2014-01-05,2014-01-05,28\na,2014-01-05,2004-02-05,29\n",
    )
    brought(path, weeks=(0, 4))
    assert "9.9 years before" in (tmp_path / "cohort" / "import.md").read_text()


def test_a_sheet_of_several_is_asked_for(tmp_path: Path) -> None:
    path = workbook(tmp_path / "s.xlsx", [["ID", "Albumin BL (g/L)"], ["a", 28]])
    book = openpyxl.load_workbook(path)
    book.create_sheet("Old")["A1"] = "x"
    book.save(path)
    assert '--sheet "Old"' in told(path)
    assert len(brought(path, sheet="Sheet")) == 1


def test_a_bad_value_is_traced_to_its_cell(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Age,Albumin BL (g/L),Albumin W4\na,50,28,0\nb,200,27,30\n")
    text = told(path)
    assert "sheet.csv, row 2, column D (Albumin W4)" in text
    assert "sheet.csv, row 3" in text


def test_no_header_no_marker_no_file(tmp_path: Path) -> None:
    assert "no header" in told(sheet(tmp_path, "foo,bar\n1,2\n"))
    assert "no marker" in told(sheet(tmp_path, "ID,bar\n1,2\n"))
    with pytest.raises(mn.InputError, match="no such file"):
        mn.import_cohort(tmp_path / "no.csv", tmp_path / "c")
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(mn.InputError, match="workbook"):
        mn.import_cohort(path, tmp_path / "c")


def test_a_folder_with_files_is_not_written_over(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin BL (g/L)\na,28\n")
    with pytest.raises(mn.InputError, match="a new folder"):
        mn.import_cohort(path, tmp_path)


def test_names_of_ones_own(tmp_path: Path) -> None:
    path = sheet(tmp_path, "Fall,Serumeiweiss klein BL (g/L)\n1,28\n")
    own = tmp_path / "own.toml"
    own.write_text('columns.patient = ["fall"]\nnames.albumin = ["Serumeiweiss klein"]\n')
    assert brought(path, mapping=own).loc[("1", 0, "albumin"), "value"] == 28
    own.write_text('names.albumen = ["x"]\ncolums.patient = ["fall"]\n')
    with pytest.raises(mn.InputError, match=r"colums|albumen"):
        mn.import_cohort(path, tmp_path / "c", mapping=own)


@pytest.mark.parametrize(
    "line", ['names = {"" = ["protein"]}', 'units = {"" = {"g/l" = 2.0}}', 'urine = [""]']
)
def test_a_blank_is_no_marker(line: str, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f'{line}\ncodes = {{"XALB" = ""}}\n')  # of a code it is: left out
    with pytest.raises(mn.InputError) as caught:
        load_mapping(own)
    assert [p.found for p in caught.value.problems] == ['""']


def test_a_workbook_whose_styles_are_damaged_is_read(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin BL (g/L)\n1,28\n")
    whole = tmp_path / "whole.xlsx"
    pd.read_csv(path).to_excel(whole, index=False)
    damaged = tmp_path / "damaged.xlsx"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(damaged, "w") as new:
        for name in old.namelist():
            # A cell in a style that the workbook does not have.
            new.writestr(name, old.read(name).replace(b'<c r="A2"', b'<c r="A2" s="99"'))
    assert brought(damaged).loc[("1", 0, "albumin"), "value"] == 28
    assert "not looked at for errors" in (tmp_path / "cohort" / "import.md").read_text()


def test_a_marker_in_another_unit_kind_is_left_out(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin BL (g/L),IgG BL (%)\na,28,12\n")
    assert len(brought(path)) == 1
    assert "not in %" in (tmp_path / "cohort" / "import.md").read_text()


def test_one_arm_of_a_sheet(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Group,Albumin BL (g/L)\na,Cells,28\nb,Control,27\nc,cells ,26\n")
    assert brought(path, arm="cells").index.get_level_values("patient").tolist() == ["a", "c"]
    with pytest.raises(mn.InputError, match="Cells, Control"):
        mn.import_cohort(path, tmp_path / "d", arm="cell")


def test_a_visit_said_twice_is_one(tmp_path: Path) -> None:
    path = sheet(
        tmp_path, "ID,Visit 1 (baseline) albumin (g/L),Albumin Visit 2 (week 4)\na,28,30\n"
    )
    assert brought(path).index.get_level_values("week").tolist() == [0, 4]


def test_marks_of_a_laboratory_are_dropped_and_said(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin BL (g/L),Albumin W4\na,28↓,36.5\nb,27.5 L,52 (H)\n")
    assert brought(path)["value"].tolist() == [28, 36.5, 27.5, 52]
    assert "↑ ↓" in (tmp_path / "cohort" / "import.md").read_text(encoding="utf-8")


def test_words_between_visit_and_marker(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        "编号,治疗前白蛋白(g/L),治疗后4周白蛋白,白蛋白 治疗后第12周,"
        "Albumin after 24 weeks,Albumin at week 36\n"
        "a,28,30,31,32,33\n",
    )
    assert brought(path).index.get_level_values("week").tolist() == [0, 4, 12, 24, 36]


def test_a_patient_without_baseline_is_left_out_and_named(tmp_path: Path) -> None:
    path = sheet(tmp_path, "ID,Albumin BL (g/L),Albumin W4\na,28,30\nb,,31\n")
    assert len(brought(path)) == 2
    assert "are left out: b" in (tmp_path / "cohort" / "import.md").read_text()
    path = sheet(tmp_path, "ID,Albumin W2 (g/L),Albumin W4\na,28,30\n")
    with pytest.raises(mn.InputError, match="baseline"):
        mn.import_cohort(path, tmp_path / "c")


def test_markers_of_another_disease(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        "Patient;UPCR BL (mg/mmol);UPCR Monat 6;eGFR BL (ml/min/1,73m²);C3 BL (mg/dl);"
        "Kreatinin BL (µmol/l);CD4 BL (%);anti-PLA2R BL (RU/ml)\n1;310;>500;88;60;70;40;120\n",
    )
    draft = read_files([path], Options(), MAPPING)
    found = {(r.marker, r.week): (r.value or r.lower, r.unit) for r in draft.readings}
    assert found == {
        ("upcr", 0): ("310", "mg/mmol"),
        ("upcr", 26.09): ("500", "mg/mmol"),
        ("egfr", 0): ("88", "ml/min/1.73m2"),
        ("c3", 0): ("60", "mg/dl"),
        ("creatinine", 0): ("70", "μmol/l"),
        ("cd4_percent", 0): ("40", "%"),
        ("anti_pla2r", 0): ("120", "RU/ml"),
    }


def test_markers_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[ds_dna]\nlabel = "Anti-dsDNA"\nshort = "dsDNA"\nunit = "g/L"\nplausible = [0.1, 9]\n'
        "possible = [0.01, 90]\ntypical = 1.0\nbetween_sd = 1.0\nwithin_sd = 0.3\n"
    )
    path = sheet(tmp_path, "ID,anti-dsDNA BL (g/L),dsDNA W4 (g/L)\na,3,2\n")
    mapping, content = load_names(None, own)
    draft = read_files([path], Options(), mapping)
    assert [(r.marker, r.week) for r in draft.readings] == [("ds_dna", 0), ("ds_dna", 4)]
    assert content == own.read_bytes()


def test_an_opendocument_sheet(tmp_path: Path) -> None:
    def cell(text: str) -> str:
        kind = 'table:table-cell office:value-type="string"'
        return f"<{kind}><text:p>{text}</text:p></table:table-cell>"

    rows = [["ID", "Albumin BL (g/L)", "Albumin W4"], ["a", "28", "30,5"]]
    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    names = "".join(
        f' xmlns:{x}="urn:oasis:names:tc:opendocument:xmlns:{x}:1.0"'
        for x in ("office", "table", "text")
    )
    path = tmp_path / "s.ods"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        file.writestr("META-INF/manifest.xml", "<manifest/>")
        file.writestr(
            "content.xml",
            f"<office:document-content{names}><office:body><office:spreadsheet>"
            f'<table:table table:name="S">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    assert brought(path)["value"].tolist() == [28, 30.5]
    assert "cannot be told" in (tmp_path / "cohort" / "import.md").read_text()
