"""ADaM and SDTM become cohorts: codes, baselines, visits, limits, who left."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from conftest import script
from sheets import read

import mnbayes as mn
from mnbayes.data.imports.draft import Options
from mnbayes.data.imports.importing import read_files
from mnbayes.data.imports.mapping import load_mapping

type Rows = Sequence[Mapping[str, object]]

ADSL = [
    {
        "USUBJID": "1",
        "AGE": 50,
        "SEX": "F",
        "TRT01A": "Cells",
        "TRTSDT": "2024-01-01",
        "EOSSTT": "DISCONTINUED",
        "EOSDT": "2024-02-05",
        "DCSREAS": "ADVERSE EVENT",
    },
    {
        "USUBJID": "2",
        "AGE": 61,
        "SEX": "M",
        "TRT01A": "Cells",
        "TRTSDT": "2024-01-08",
        "EOSSTT": "COMPLETED",
        "EOSDT": "2024-04-01",
        "DCSREAS": "",
    },
]


def row(patient: str, visit: str, value: object, **more: object) -> dict[str, object]:
    base = {"USUBJID": patient, "PARAMCD": "ALB", "PARAM": "Albumin (g/L)", "AVAL": value}
    return base | {"AVISIT": visit, "ABLFL": "Y" if visit == "Baseline" else ""} | more


ADLB = [
    row("1", "Baseline", 25),
    row("1", "Week 4", 27),
    row("2", "Baseline", 30),
    row("2", "Week 4", 31),
    row("2", "Week 12", 33),
]


def csvs(folder: Path, **sets: Rows) -> list[Path]:
    paths = []
    for name, rows in sets.items():
        path = folder / f"{name}.csv"
        pd.DataFrame(rows).to_csv(path, index=False)
        paths.append(path)
    return paths


def adam(folder: Path, rows: Rows, **answers: object) -> pd.DataFrame:
    paths = csvs(folder, adsl=ADSL, adlb=rows)
    mn.import_cohort(paths, folder / "cohort", **answers)  # type: ignore[arg-type]
    return read(folder / "cohort")


def log(folder: Path) -> str:
    return (folder / "cohort" / "import.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pilot() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    pair: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame] = script("make_adam").make()
    return pair


@pytest.mark.parametrize("form", ["xpt", "json"])
def test_the_pilot_pair_comes_back_as_it_was_made(
    tmp_path: Path, form: str, pilot: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> None:
    adsl, adlb, truth = pilot
    paths = [tmp_path / f"adsl.{form}", tmp_path / f"adlb.{form}"]
    for frame, path in zip((adsl, adlb), paths, strict=True):
        script("make_adam").write(frame, path)
    mn.import_cohort(paths, tmp_path / "cohort")
    found = read(tmp_path / "cohort")
    made = truth.set_index(["patient", "week", "marker"]).sort_index()
    assert found.index.equals(made.index)
    np.testing.assert_allclose(found["value"], made["value"].astype(float), rtol=1e-12)
    np.testing.assert_allclose(found["upper"], made["upper"].astype(float), rtol=1e-12)
    patients = pd.read_csv(tmp_path / "cohort" / "patients.csv")
    assert patients["arm"].value_counts().to_dict() == {
        "Placebo": 86,
        "Low Dose": 84,
        "High Dose": 84,
    }
    left = adsl.loc[adsl["EOSSTT"] == "DISCONTINUED", "USUBJID"]
    assert set(patients.loc[patients["withdrew_week"].notna(), "patient"]) == set(left)


def test_one_arm_in_every_form(
    tmp_path: Path, pilot: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> None:
    adsl, adlb, _ = pilot
    some = adsl["USUBJID"].iloc[[0, 1, 100, 101, 200, 201]]
    measured = adlb[adlb["USUBJID"].isin(some)]
    folders = []
    for form, version in (("xpt", 5), ("xpt", 8), ("csv", 5), ("json", 5), ("ndjson", 5)):
        folder = tmp_path / f"{form}{version}"
        folder.mkdir()
        paths = [folder / f"adsl.{form}", folder / f"adlb.{form}"]
        script("make_adam").write(adsl[adsl["USUBJID"].isin(some)], paths[0], version)
        script("make_adam").write(measured, paths[1], version)
        folders.append(mn.import_cohort(paths, folder / "cohort", arm="high dose"))
    tables = [(f / "measurements.csv").read_bytes() for f in folders]
    assert tables[1:] == tables[:-1]
    assert len(pd.read_csv(folders[0] / "patients.csv")) == 2
    cohort = mn.load_cohort(folders[0])
    assert set(cohort.markers) >= {"urine_protein_24h", "albumin"}


def test_an_arm_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(mn.InputError, match="one of Cells"):
        adam(tmp_path, ADLB, arm="Cell")


def test_baseline_visits_and_leaving(tmp_path: Path) -> None:
    found = adam(tmp_path, ADLB)
    assert found["value"].tolist() == [25, 27, 30, 31, 33]
    patients = pd.read_csv(tmp_path / "cohort" / "patients.csv")
    assert patients["withdrew_week"].fillna(-1).tolist() == [5, -1]
    assert "ADVERSE EVENT" in log(tmp_path)


def test_a_value_after_leaving_moves_the_week(tmp_path: Path) -> None:
    adam(tmp_path, [*ADLB, row("1", "Week 12", 28)])
    assert pd.read_csv(tmp_path / "cohort" / "patients.csv")["withdrew_week"].tolist()[0] == 12


def test_derived_rows_and_rows_not_chosen_are_left_out(tmp_path: Path) -> None:
    rows = [r | {"ANL01FL": "Y", "DTYPE": ""} for r in ADLB]
    rows += [row("1", "Week 12", 27, DTYPE="LOCF", ANL01FL="Y")]
    rows += [row("2", "Week 12", 99, DTYPE="", ANL01FL="")]
    found = adam(tmp_path, rows)
    assert len(found) == 5
    assert found.loc[("2", 12, "albumin"), "value"] == 33
    assert "derived row (DTYPE LOCF) | 1" in log(tmp_path)


def test_a_limit_is_kept_whatever_was_imputed(tmp_path: Path) -> None:
    rows = [*ADLB, row("1", "Week 8", 5, AVALC="<10", DTYPE="HALFLOQ")]
    found = adam(tmp_path, rows)
    assert np.isnan(found.loc[("1", 8, "albumin"), "value"])
    assert found.loc[("1", 8, "albumin"), "upper"] == 10


def test_two_baseline_flags_are_told(tmp_path: Path) -> None:
    rows = [*ADLB, row("1", "Screening", 24, ABLFL="Y", ADY=-7)]
    rows[0] = rows[0] | {"ADY": 1}
    found = adam(tmp_path, rows)
    assert found.loc[("1", 0, "albumin"), "value"] == 25
    assert "two baseline flags" in log(tmp_path)
    assert "rows 2, 7; row 2 is used" in log(tmp_path)


def test_a_baseline_that_is_not_flagged_is_the_last_up_to_day_1(tmp_path: Path) -> None:
    rows = [
        {**row("1", visit, value, ADY=day), "ABLFL": ""}
        for visit, value, day in (("Screening", 20, -14), ("Day 1", 21, 1), ("Week 4", 22, 29))
    ]
    found = adam(tmp_path, rows)
    assert found["value"].to_dict() == {("1", 0, "albumin"): 21, ("1", 4, "albumin"): 22}
    assert "the last value up to the day of the first dose" in log(tmp_path)


def test_study_days_alone_need_planned_weeks(tmp_path: Path) -> None:
    rows = [
        {**row("1", "", value, ADY=day), "ABLFL": ""}
        for value, day in ((20, -14), (21, 1), (22, 29), (24, 31), (23, 86))
    ]
    with pytest.raises(mn.InputError, match="--weeks 0,4,12"):
        adam(tmp_path, rows)
    found = adam(tmp_path, rows, weeks=(0, 4, 12))
    assert found["value"].tolist() == [21, 22, 23]  # day 29 is nearer to week 4 than day 31


def test_dates_stand_in_for_study_days(tmp_path: Path) -> None:
    rows = [
        {**row("1", "", value, ADT=date), "ABLFL": ""}
        for value, date in ((21, "2024-01-01"), (22, "2024-01-29"))
    ]
    found = adam(tmp_path, rows, weeks=(0, 4))
    assert found.index.get_level_values("week").tolist() == [0, 4]


def test_visits_by_number_are_asked_with_their_median_day(tmp_path: Path) -> None:
    rows = [*ADLB, row("2", "Visit 5", 34, ADY=57)]
    with pytest.raises(mn.InputError, match="Visit 5=8"):
        adam(tmp_path, rows)
    assert len(adam(tmp_path, rows, visits={"Visit 5": None})) == 5


def test_unit_of_param_then_avalu_then_asked(tmp_path: Path) -> None:
    rows = [r | {"AVALU": "g/dL"} for r in ADLB]
    assert set(adam(tmp_path, rows)["unit"]) == {"g/L"}
    rows = [r | {"PARAM": "Albumin", "AVALU": "g/L"} for r in ADLB]
    paths = csvs(tmp_path, adsl=ADSL, adlb=rows)
    mn.import_cohort(paths, tmp_path / "b")
    assert set(read(tmp_path / "b")["unit"]) == {"g/L"}
    paths = csvs(tmp_path, adsl=ADSL, adlb=[r | {"PARAM": "Albumin"} for r in ADLB])
    with pytest.raises(mn.InputError, match='--unit "ALB=g/L"'):
        mn.import_cohort(paths, tmp_path / "c")
    mn.import_cohort(paths, tmp_path / "c", units={"ALB": "g/L"})


def test_a_code_that_its_name_contradicts_is_asked(tmp_path: Path) -> None:
    wrong = {"PARAMCD": "LYMPH", "PARAM": "CD4 Lymphocytes (10^9/L)"}
    rows = [*ADLB, *(r | wrong | {"AVAL": 0.5} for r in ADLB)]
    with pytest.raises(mn.InputError, match=r'codes\.LYMPH = "lymphocytes" or "cd4"'):
        adam(tmp_path, rows)
    own = tmp_path / "own.toml"
    own.write_text('codes.LYMPH = "cd4"\n')
    found = adam(tmp_path, rows, mapping=own)
    assert found.loc[("1", 0, "cd4"), "value"] == 0.5


def test_unknown_codes_are_listed_with_the_line_to_add(tmp_path: Path) -> None:
    rows = [*ADLB, *(r | {"PARAMCD": "MYALB", "PARAM": "Own albumin (g/L)"} for r in ADLB)]
    adam(tmp_path, rows)
    assert 'codes.MYALB = "MARKER"' in log(tmp_path)


def test_a_parameter_is_known_by_its_name(tmp_path: Path) -> None:
    rows = [r | {"PARAMCD": "X1", "PARAM": "Immunoglobulin G (g/L)", "AVAL": 7} for r in ADLB]
    found = adam(tmp_path, rows)
    assert set(found.index.get_level_values("marker")) == {"igg"}
    assert "igg, by name" in log(tmp_path)


def test_days_of_another_epoch_are_told(tmp_path: Path) -> None:
    rows = [r | {"ADT": 19723 - 3653 + 7 * i, "TRTSDT": 19723} for i, r in enumerate(ADLB)]
    adam(tmp_path, rows)
    assert "SAS counts days from 1960" in log(tmp_path)


def test_adverse_events(tmp_path: Path) -> None:
    events = [
        {"USUBJID": "1", "AEDECOD": "Fatigue", "TRTEMFL": "Y", "AESEV": "MILD", "ASTDY": 8},
        {"USUBJID": "1", "AEDECOD": "Fatigue", "TRTEMFL": "Y", "AESEV": "SEVERE", "ASTDY": 8},
        {"USUBJID": "2", "AEDECOD": "Rash", "TRTEMFL": "", "AESEV": "MILD", "ASTDY": -3},
    ]
    paths = csvs(tmp_path, adsl=ADSL, adlb=ADLB, adae=events)
    mn.import_cohort(paths, tmp_path / "cohort")
    found = pd.read_csv(tmp_path / "cohort" / "events.csv")
    assert found.to_numpy().tolist() == [[1, 1, "fatigue", 3]]


DM = [
    {
        "USUBJID": "s1",
        "AGE": 50,
        "AGEU": "YEARS",
        "SEX": "F",
        "ARM": "A",
        "ARMCD": "A",
        "RFSTDTC": "2024-01-01",
        "RFXSTDTC": "2024-01-01T09:00",
    },
    {
        "USUBJID": "s2",
        "AGE": 40,
        "AGEU": "YEARS",
        "SEX": "M",
        "ARM": "Screen Failure",
        "ARMCD": "SCRNFAIL",
        "RFSTDTC": "",
        "RFXSTDTC": "",
    },
    {
        "USUBJID": "s3",
        "AGE": 44,
        "AGEU": "YEARS",
        "SEX": "M",
        "ARM": "A",
        "ARMCD": "A",
        "RFSTDTC": "2024-01-01",
        "RFXSTDTC": "2024-01-02",
    },
]


def lab(
    patient: str, code: str, visit: str, result: object, unit: str, **more: object
) -> dict[str, object]:
    number = "" if isinstance(result, str) else result
    base = {"USUBJID": patient, "LBTESTCD": code, "LBTEST": code, "LBORRES": result}
    base |= {"LBSTRESC": result, "LBSTRESN": number, "LBSTRESU": unit, "VISIT": visit}
    return base | {"LBSPEC": "", "LBDTC": "", "LBLOBXFL": ""} | more


LB = [
    lab("s1", "PROT", "SCREENING", 5.0, "g/L", LBSPEC="URINE", LBDTC="2023-12-20"),
    lab("s1", "PROT", "BASELINE", 4.0, "g/L", LBSPEC="URINE", LBDTC="2024-01-01", LBLOBXFL="Y"),
    lab("s1", "PROT", "WEEK 4", "<0.1", "g/L", LBSPEC="URINE", LBDTC="2024-01-29"),
    lab("s1", "PROT", "BASELINE", 60.0, "g/L", LBSPEC="SERUM", LBDTC="2024-01-01", LBLOBXFL="Y"),
    lab("s1", "ALB", "BASELINE", 25.0, "g/L", LBSPEC="SERUM", LBDTC="2024-01-01", LBLOBXFL="Y"),
    lab("s1", "ALB", "WEEK 4", 27.0, "g/L", LBSPEC="SERUM", LBDTC="2024-01"),
    lab("s2", "ALB", "SCREENING", 22.0, "g/L", LBSPEC="SERUM"),
    lab("s3", "ALB", "DAY 1", 26.0, "g/L", LBSPEC="SERUM", LBDTC="2024-01-02"),
    lab("s3", "ALB", "WEEK 4", "", "g/L", LBSPEC="SERUM", LBSTAT="NOT DONE"),
]


def test_sdtm(tmp_path: Path) -> None:
    ds = [
        {
            "USUBJID": "s1",
            "DSDECOD": "INFORMED CONSENT",
            "DSCAT": "PROTOCOL MILESTONE",
            "DSSTDTC": "2023-12-01",
        },
        {
            "USUBJID": "s1",
            "DSDECOD": "LOST TO FOLLOW-UP",
            "DSCAT": "DISPOSITION EVENT",
            "DSSTDTC": "2024-02-12",
        },
        {
            "USUBJID": "s3",
            "DSDECOD": "COMPLETED",
            "DSCAT": "DISPOSITION EVENT",
            "DSSTDTC": "2024-04-01",
        },
    ]
    paths = csvs(tmp_path, dm=DM, lb=LB, ds=ds)
    mn.import_cohort(paths, tmp_path / "cohort")
    found = read(tmp_path / "cohort")
    assert found["value"].dropna().to_dict() == {
        ("s1", 0, "urine_protein_conc"): 4,
        ("s1", 0, "albumin"): 25,
        ("s1", 4, "albumin"): 27,
        ("s3", 0, "albumin"): 26,
    }
    assert found.loc[("s1", 4, "urine_protein_conc"), "upper"] == 0.1
    patients = pd.read_csv(tmp_path / "cohort" / "patients.csv")
    assert patients["patient"].tolist() == ["s1", "s3"]
    assert patients["withdrew_week"].fillna(-1).tolist() == [6, -1]


def test_protein_without_specimen_is_asked(tmp_path: Path) -> None:
    paths = csvs(tmp_path, dm=DM, lb=[r | {"LBSPEC": ""} for r in LB])
    with pytest.raises(mn.InputError, match=r'codes\.PROT = "urine_protein_conc"'):
        mn.import_cohort(paths, tmp_path / "cohort")


def test_cell_phenotypes_are_named_by_their_markers(tmp_path: Path) -> None:
    rows = [
        {
            "USUBJID": "s1",
            "CPTESTCD": "LYMPHSUB",
            "CPSBMRKS": marker,
            "CPSTRESN": value,
            "CPSTRESU": unit,
            "VISIT": visit,
            "CPLOBXFL": "Y" if visit == "BASELINE" else "",
        }
        for marker, unit, value in (("CD3+CD4+", "10^6/L", 500), ("CD19+", "%", 12))
        for visit in ("BASELINE", "WEEK 4")
    ]
    paths = csvs(tmp_path, dm=DM, lb=LB, cp=rows)
    draft = read_files(paths, Options(), load_mapping())
    found = {r.marker: r.value for r in draft.readings if r.patient == "s1" and r.week == 4}
    assert found["cd4"] == "500"
    assert found["b_cell_percent"] == "12"


def test_what_is_missing_of_a_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(mn.InputError, match="ADSL"):
        mn.import_cohort(csvs(tmp_path, adlb=ADLB), tmp_path / "cohort")
    with pytest.raises(mn.InputError, match="ADLB"):
        mn.import_cohort(csvs(tmp_path, adsl=ADSL), tmp_path / "cohort")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[1]",
        "nothing",
        '{"columns": [{"name": "USUBJID"}], "rows": [[1, 2]]}',
        '{"columns": [{"name": "USUBJID"}], "rows": [[{"a": 1}]]}',
        '{"columns": [{"name": "USUBJID"}], "rows": [["1"]], "records": 2}',
        '{"columns": [{"name": "USUBJID"}, {"name": "usubjid"}], "rows": [["1", "2"]]}',
        '{"columns": [{"name": "USUBJID"}], "rows": NaN}',
        '{"columns": [{"name": "USUBJID"}], "rows": null}',
        "[" * 100_000,
    ],
)
def test_a_damaged_dataset_json_is_told(tmp_path: Path, text: str) -> None:
    for name in ("a.json", "a.ndjson"):
        (tmp_path / name).write_text(text)
        with pytest.raises(mn.InputError):
            mn.import_cohort(tmp_path / name, tmp_path / "cohort")


def test_blanks_of_dataset_json_are_missing(tmp_path: Path) -> None:
    frames = {"adsl": pd.DataFrame(ADSL), "adlb": pd.DataFrame([*ADLB, row("1", "Week 8", None)])}
    paths = []
    for name, frame in frames.items():
        head = {"columns": [{"name": c} for c in frame], "name": name}
        rows = json.loads(frame.to_json(orient="values"))
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(head | {"rows": rows}))
        paths.append(path)
    mn.import_cohort(paths, tmp_path / "cohort")
    assert len(read(tmp_path / "cohort")) == 5


def test_a_damaged_xpt_is_told(tmp_path: Path) -> None:
    path = tmp_path / "adsl.xpt"
    for content in (
        b"",
        b"x" * 100,
        b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!" + b"0" * 200,
    ):
        path.write_bytes(content)
        with pytest.raises(mn.InputError):
            mn.import_cohort(path, tmp_path / "cohort")


def test_a_column_of_an_xpt_that_comes_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "adsl.xpt"
    pyreadstat.write_xport(pd.DataFrame({"USUBJID": ["1"], "AGE": [50.0], "AGF": [1.0]}), path)
    path.write_bytes(path.read_bytes().replace(b"AGF", b"AGE"))
    with pytest.raises(mn.InputError, match="'AGE' is duplicated"):
        mn.import_cohort(path, tmp_path / "cohort")


def test_a_visit_that_says_more_than_its_week_is_asked(tmp_path: Path) -> None:
    rows = [*ADLB, row("2", "Week 8 (Day 57)", 34), row("2", "Cycle 2 Day 1", 35)]
    with pytest.raises(mn.InputError, match="Cycle 2 Day 1") as caught:
        adam(tmp_path, rows)
    assert len(caught.value.problems) == 1
    found = adam(tmp_path, rows, visits={"Cycle 2 Day 1": 6})
    assert found.loc["2"].index.get_level_values("week").tolist() == [0, 4, 6, 8, 12]


def test_sets_that_are_of_no_use_are_named(tmp_path: Path) -> None:
    more = [{"USUBJID": "1", "AGE": 50, "TRT01A": "Cells", "CMDECOD": x} for x in ("a", "b")]
    paths = csvs(tmp_path, adsl=ADSL, adlb=ADLB, adcm=more, ex=[{"USUBJID": "1", "EXDOSE": 1}])
    mn.import_cohort(paths, tmp_path / "cohort")
    assert "adcm.csv is not used" in log(tmp_path)
    assert "ex.csv is not used" in log(tmp_path)


def test_text_of_windows_1252_in_an_xpt(tmp_path: Path) -> None:
    adsl, adlb = pd.DataFrame(ADSL), pd.DataFrame(ADLB)
    paths = [tmp_path / "adsl.xpt", tmp_path / "adlb.xpt"]
    for path, frame in zip(paths, (adsl.drop(columns=["TRTSDT", "EOSDT"]), adlb), strict=True):
        script("make_adam").write(frame.replace({"1": "Zoe"}), path)
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"Zoe", b"Zo\xeb"))
    mn.import_cohort(paths, tmp_path / "cohort")
    assert "Zo\xeb" in read(tmp_path / "cohort").index.get_level_values("patient")
    assert "Windows-1252" in log(tmp_path)


def test_a_limit_without_a_number_is_left_out_and_told(tmp_path: Path) -> None:
    found = adam(tmp_path, [*ADLB, row("1", "Week 8", "", AVALC="<LLOQ")])
    assert len(found) == 5
    assert r"limit without a number (\<LLOQ) | 1" in log(tmp_path)


def test_two_codes_of_one_marker_are_asked(tmp_path: Path) -> None:
    rows = [*ADLB, *(r | {"PARAMCD": "ALB2", "PARAM": "Serum albumin (g/dL)"} for r in ADLB)]
    with pytest.raises(mn.InputError, match=r'codes\.ALB2 = ""'):
        adam(tmp_path, rows)
    own = tmp_path / "own.toml"
    own.write_text('codes.ALB2 = ""\n')
    assert len(adam(tmp_path, rows, mapping=own)) == 5


def test_an_answered_unit_fills_blanks_alone(tmp_path: Path) -> None:
    rows = [{**r, "PARAM": "Albumin", "AVALU": "g/dL" if r["USUBJID"] == "1" else ""} for r in ADLB]
    paths = csvs(tmp_path, adsl=ADSL, adlb=rows)
    draft = read_files(paths, Options(units={"ALB": "g/L"}), load_mapping())
    assert {(r.patient, r.unit) for r in draft.readings} == {("1", "g/dL"), ("2", "g/L")}
