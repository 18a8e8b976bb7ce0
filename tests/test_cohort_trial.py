"""What stands beside the tables: markers, planned visits, arms, further columns, look-alikes."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cohorts import small_cohort_frames, write_cohort
from typer.testing import CliRunner

from mnbayes.analyses.provenance.tables import patients_table, set_aside_table
from mnbayes.base.problems import InputError, Problem
from mnbayes.cards.card import load_card
from mnbayes.cli import app
from mnbayes.data.cohort import Cohort, load_cohort
from mnbayes.data.names import skeleton
from mnbayes.data.observations import observations
from mnbayes.data.trial import load_trial
from mnbayes.data.visits import OUTSIDE, SCREENING, SECOND, as_toml, nearly_equal, suggested_visits

HEADER = "patient,week,marker,value,unit\n"
SCORE = """
[score]
label = "Fatigue score"
short = "score"
unit = "points"
better = "lower"
plausible = [1.0, 50.0]
possible = [0.5, 100.0]
typical = 20.0
between_sd = 0.5
within_sd = 0.2
"""
WINDOWS = """
visits = [
  { week = 0, earliest = 0, latest = 0 },
  { week = 4, earliest = 3, latest = 5 },
  { week = 12, earliest = 11, latest = 13 },
]
"""
BASELINE = WINDOWS.replace("earliest = 0, latest = 0", "earliest = -1, latest = 0")
#: Patients and weeks of another marker.
MORE = (("A", 0), ("A", 5), ("B", 0), ("B", 4.003))


def folder(
    tmp_path: Path, rows: list[str], patients: str = "patient\nA\nB\n", **files: str
) -> Path:
    """A cohort of albumin: ``patient,week,value`` a row; other files by name, "_" for "."."""
    lines = []
    for row in rows:
        patient, week, value = row.split(",")[:3]
        lines.append(f"{patient},{week},albumin,{value},g/L")
    (tmp_path / "patients.csv").write_text(patients)
    (tmp_path / "measurements.csv").write_text(HEADER + "\n".join(lines) + "\n")
    for name, text in files.items():
        (tmp_path / name.replace("_", ".")).write_text(text)
    return tmp_path


def refused(path: Path, **options: object) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        load_cohort(path, **options)  # type: ignore[arg-type]
    return [p for p in caught.value.problems if p.severity == "error"]


def reasons(cohort: Cohort) -> list[tuple[str, float, str]]:
    table = cohort.set_aside
    return list(zip(table["patient"], table["week"], table["reason"], strict=True))


# markers.toml


def test_a_folder_adds_markers_and_changes_some(tmp_path: Path) -> None:
    path = folder(tmp_path, ["A,0,25", "B,0,30"], markers_toml=SCORE)
    with (path / "measurements.csv").open("a") as file:
        file.write("A,0,score,30,points\n")
    cohort = load_cohort(path)
    assert cohort.markers == ("albumin", "score")
    assert cohort.catalogue["score"].label == "Fatigue score"
    assert cohort.measurements["unit"].tolist() == ["g/L", "points", "g/L"]
    (path / "markers.toml").write_text(
        "[albumin]\npossible = [2.0, 28.0]\nplausible = [3.0, 28.0]\n"
    )
    places = {(p.row, p.column) for p in refused(path)}
    assert places == {(3, "value"), (4, "marker")}


def test_the_hash_covers_what_a_folder_says_of_itself(tmp_path: Path) -> None:
    path = folder(tmp_path, ["A,0,25", "B,0,30"])
    tables = b"".join((path / f"{t}.csv").read_bytes() for t in ("patients", "measurements"))
    assert load_cohort(path).sha256 == hashlib.sha256(tables).hexdigest()
    (path / "markers.toml").write_text(SCORE)
    (path / "trial.toml").write_text('title = "A trial"\n')
    # What is planned is no datum: two analyses that plan otherwise are of the same data.
    both = tables + SCORE.encode()
    cohort = load_cohort(path)
    assert cohort.sha256 == hashlib.sha256(both).hexdigest()
    assert cohort.trial.title == "A trial"


def test_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    files = {"markers_toml": "[score]\nlabel = 3\n", "trial_toml": "primary_week = -1\nodd = 1\n"}
    problems = refused(folder(tmp_path, ["A,0,25", "B,0,x"], **files))
    assert {p.file for p in problems} == {"markers.toml", "trial.toml", "measurements.csv"}
    assert {p.column for p in problems} >= {"score.label", "primary_week", "odd", "value"}


def test_the_primary_analysis_is_of_something_measured(tmp_path: Path) -> None:
    trial = 'primary_week = 8\nprimary_marker = "albumine"\n'
    found = {p.column: p for p in refused(folder(tmp_path, ["A,0,25", "B,0,26"], trial_toml=trial))}
    assert set(found) == {"primary_week", "primary_marker"}
    assert "did you mean albumin?" in found["primary_marker"].expected
    trial = 'primary_week = 4\nprimary_marker = "albumin"\n'
    cohort = load_cohort(folder(tmp_path, ["A,0,25", "B,0,26", "B,4,26"], trial_toml=trial))
    assert cohort.trial.primary_week == 4


# Visits


def test_windows_give_each_row_its_planned_week(tmp_path: Path) -> None:
    rows = ["A,0,25", "A,3.86,26", "A,11.71,28", "B,0,30", "B,4.14,31", "B,12.14,33"]
    cohort = load_cohort(folder(tmp_path, rows, trial_toml=WINDOWS))
    assert cohort.warnings == ()
    assert cohort.weeks == (0.0, 4.0, 12.0)
    assert cohort.measurements["actual_week"].tolist() == [0, 3.86, 11.71, 0, 4.14, 12.14]
    assert cohort.set_aside.empty


def test_a_model_s_correlation_is_in_actual_time(tmp_path: Path) -> None:
    rows = ["A,0,25", "A,3.86,26", "A,11.71,28", "B,0,30", "B,12.14,33", "C,0,30", "C,4,29"]
    cohort = load_cohort(folder(tmp_path, rows, "patient\nA\nB\nC\n", trial_toml=WINDOWS))
    card = load_card("albumin", cohort.catalogue)
    data = observations(card, cohort)
    assert data.weeks == (0.0, 4.0, 12.0)
    np.testing.assert_array_equal(data.times, [[0, 3.86, 11.71], [0, 4, 12.14], [0, 4, 12]])
    assert data.groups.size.tolist() == [1.0, 1.0, 1.0]
    step = card.structure.model_copy(update={"trajectory": "step"})
    still = observations(card.model_copy(update={"structure": step}), cohort)
    assert still.own_times is None  # nothing fades


def test_a_visit_s_time_is_the_mean_over_its_markers(tmp_path: Path) -> None:
    path = folder(tmp_path, ["A,-1,25", "A,4,26", "B,0,30", "B,4.003,31"], trial_toml=BASELINE)
    with (path / "measurements.csv").open("a") as file:
        file.write("".join(f"{p},{w},urine_protein_24h,3,g/24h\n" for p, w in MORE))
    cohort = load_cohort(path)
    data = observations(load_card("remission"), cohort)
    # Within an hour of the planned week is the planned week.
    np.testing.assert_array_equal(data.times, [[-0.5, 4.5], [0, 4]])


def test_rows_that_no_model_uses_are_kept_and_said(tmp_path: Path) -> None:
    rows = [
        "A,-2,24",
        "A,0,25",
        "A,3.5,26",
        "A,4.2,27",
        "A,8,28",
        "B,0,30",
        "B,11.5,32",
        "B,12.5,33",
    ]
    cohort = load_cohort(folder(tmp_path, rows, trial_toml=WINDOWS))
    assert reasons(cohort) == [
        ("A", -2.0, SCREENING),
        ("A", 3.5, SECOND),
        ("A", 8.0, OUTSIDE),
        ("B", 11.5, SECOND),  # as near as the other, and earlier
    ]
    assert cohort.measurements["value"].tolist() == [25, 27, 30, 33]
    assert [(w.row, w.rows) for w in cohort.warnings] == [(2, ()), (6, ()), (4, (4, 8))]


def test_a_window_may_make_a_screening_the_baseline(tmp_path: Path) -> None:
    rows = ["A,-1,24", "A,4,26", "B,0,30", "B,4,31"]
    (problem,) = refused(folder(tmp_path, rows))
    assert (problem.row, problem.column) == (2, "week")
    assert "{ week = 0, earliest = -1, latest = 0 }" in problem.expected
    windows = WINDOWS.replace("earliest = 0, latest = 0", "earliest = -1, latest = 0")
    cohort = load_cohort(folder(tmp_path, rows, trial_toml=windows))
    assert cohort.measurements["week"].tolist() == [0, 4, 0, 4]
    assert cohort.measurements["actual_week"].tolist() == [-1, 4, 0, 4]


def test_without_windows_a_screening_is_listed_and_the_baseline_stays(tmp_path: Path) -> None:
    cohort = load_cohort(folder(tmp_path, ["A,-4,20", "A,0,25", "B,-3,28", "B,0,30"]))
    assert cohort.weeks == (0.0,)
    assert reasons(cohort) == [("A", -4.0, SCREENING), ("B", -3.0, SCREENING)]
    (warning,) = cohort.warnings
    assert warning.rows == (2, 4)
    assert "the baseline is the value at week 0" in warning.expected


def test_weeks_nearly_equal_are_one_visit(tmp_path: Path) -> None:
    rows = ["A,0,25", "A,12,26", "B,0,30", "B,12.0000001,31"]
    cohort = load_cohort(folder(tmp_path, rows))
    assert cohort.weeks == (0.0, 12.0)
    assert cohort.measurements["actual_week"].tolist() == [0, 12, 0, 12.0000001]
    assert [w.row for w in cohort.warnings] == [5]


@pytest.mark.parametrize(
    ("weeks", "merged"),
    [
        ([0, 0.01, 1, 2], {}),  # an hour after baseline is after it
        ([0, 1e-9, 1], {1e-9: 0}),
        ([11.71, 11.714286, 11.714286, 12], {11.71: 11.714286}),
        ([11.857142857, 12, 12.142857143], {}),  # days
    ],
)
def test_only_rounding_makes_weeks_equal(weeks: list[float], merged: dict[float, float]) -> None:
    assert nearly_equal(np.array(weeks, dtype=float)) == merged


def test_scattered_weeks_are_told_with_windows_that_work(tmp_path: Path) -> None:
    days = {"A": (0, 27, 82), "B": (0, 28), "C": (0, 29, 85), "D": (0, 30, 84)}
    patients = "patient\n" + "\n".join(days) + "\n"
    rows = [f"{p},{day / 7},{25 + day / 20}" for p, each in days.items() for day in each]
    path = folder(tmp_path, rows, patients)
    (warning,) = load_cohort(path).warnings
    assert warning.found.startswith("8 different weeks")
    _, _, line = warning.expected.partition("trial.toml:")
    (path / "trial.toml").write_text(line)
    cohort = load_cohort(path)
    assert cohort.warnings == ()
    assert cohort.weeks == (0.0, 4.0, 12.0)


def test_suggested_windows_hold_every_visit_and_do_not_overlap(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    plan = np.array([0, 1, 2, 4, 12, 26, 52, 104])
    patients = [f"P{i}" for i in range(15) for _ in plan]
    late = np.where(plan > 0, rng.normal(0, 0.04, (15, 8)) * plan, 0.0)
    weeks = np.abs(plan + late).round(2).ravel().tolist()
    visits = suggested_visits(patients, weeks)
    assert len(visits) < 13
    (tmp_path / "trial.toml").write_text(as_toml(visits))
    assert load_trial(tmp_path).visits == tuple(visits)
    assert all(any(v.earliest <= week <= v.latest for v in visits) for week in weeks)


def test_planned_weeks_of_a_schedule_are_no_reason_for_windows(tmp_path: Path) -> None:
    patients, measurements = small_cohort_frames()
    left = measurements[(measurements["patient"] != "P2") | (measurements["week"] < 4)]
    assert load_cohort(write_cohort(tmp_path, patients, left)).warnings == ()


def test_the_listing_has_what_no_model_uses_and_every_column(tmp_path: Path) -> None:
    patients = "patient,centre,height_cm\nA,north,170\nB,south,\n"
    cohort = load_cohort(folder(tmp_path, ["A,-4,20", "A,0,25", "B,0,30"], patients))
    table = set_aside_table(cohort)
    assert table.rows == (("A", "-4", "Serum albumin", "20", "g/L", SCREENING),)
    assert [row[-2:] for row in patients_table(cohort).rows] == [("north", "170"), ("south", "–")]


# Arms

ARMS = "patient,arm\nA,active\nB,control\nC,active\n"
THREE = ["A,0,25", "A,4,26", "B,0,30", "B,4,31", "C,0,20", "C,4,22"]


def test_several_arms_are_refused_until_one_is_named(tmp_path: Path) -> None:
    (problem,) = refused(folder(tmp_path, THREE, ARMS))
    assert problem.column == "arm"
    assert problem.found == '"active" (2 patients), "control" (1 patient)'
    assert "--arm active" in problem.expected
    (problem,) = refused(tmp_path, arm="activ")
    assert "did you mean active?" in problem.expected


@pytest.mark.parametrize("asked", [None, "active"])
def test_one_arm_s_patients_rows_and_events_are_kept(tmp_path: Path, asked: str | None) -> None:
    events = "patient,week,term,grade\nB,1,fever,1\nC,1,fever,2\n"
    trial = 'arm = "active"' if asked is None else 'arm = "control"'
    path = folder(tmp_path, THREE, ARMS, events_csv=events, trial_toml=trial)
    cohort = load_cohort(path, arm=asked)
    assert cohort.patient_ids == ("A", "C")
    assert set(cohort.measurements["patient"]) == {"A", "C"}
    assert cohort.events is not None
    assert cohort.events["patient"].tolist() == ["C"]
    assert (cohort.arm, dict(cohort.left_out)) == ("active", {"control": 1})
    assert cohort.warnings == ()


def test_an_arm_needs_a_column(tmp_path: Path) -> None:
    (problem,) = refused(folder(tmp_path, ["A,0,25", "B,0,26"]), arm="active")
    assert (problem.file, problem.column) == ("patients.csv", "arm")
    cohort = load_cohort(folder(tmp_path, ["A,0,25", "B,0,26"], "patient,arm\nA,x\nB,x\n"))
    assert cohort.arm == "x"


# Values that cannot be


@pytest.mark.parametrize(
    ("marker", "value", "unit", "likely"),
    [
        ("albumin", "27", "g/dL", "27 g/L would be usual"),
        ("albumin", "2700", "g/L", "2700 mg/dL would be usual"),
        ("urine_protein_24h", "3500", "g/24h", "3500 mg/24h would be usual"),
        ("creatinine", "1.1", "umol/L", "1.1 mg/dL would be usual"),
        ("cholesterol", "250", "mmol/L", "250 mg/dL would be usual"),
        ("haemoglobin", "12.1", "g/L", "12.1 g/dL would be usual"),
        ("upcr", "450", "g/g", "450 mg/mmol would be usual"),
    ],
)
def test_what_cannot_be_is_refused_with_the_likely_unit(
    tmp_path: Path, marker: str, value: str, unit: str, likely: str
) -> None:
    (tmp_path / "patients.csv").write_text("patient\nA\n")
    (tmp_path / "measurements.csv").write_text(f"{HEADER}A,0,{marker},{value},{unit}\n")
    (problem,) = refused(tmp_path)
    assert (problem.row, problem.column) == (2, "value")
    assert problem.found.startswith(f"{value} {unit}")
    assert likely in problem.expected
    cohort = load_cohort(tmp_path, accept_implausible=True)
    (warning,) = cohort.implausible
    assert cohort.warnings == (warning,)
    assert warning.severity == "warning"


def test_no_unit_is_named_where_none_would_do(tmp_path: Path) -> None:
    (problem,) = refused(folder(tmp_path, ["A,0,0.0001", "B,0,30"]))
    assert "would be usual" not in problem.expected


def test_several_units_of_a_marker_are_told(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("patient\nA\n")
    rows = ["A,0,upcr,350,mg/mmol", "A,2,upcr,300,mg/mmol creatinine", "A,4,upcr,2.5,g/g"]
    (tmp_path / "measurements.csv").write_text(HEADER + "\n".join(rows) + "\n")
    cohort = load_cohort(tmp_path)
    (warning,) = cohort.warnings
    assert (warning.row, warning.found) == (4, "mg/mmol in 2 rows and g/g in 1 row")
    assert cohort.reported_units == {"upcr": "mg/mmol"}
    np.testing.assert_allclose(cohort.measurements["value"], [350 / 113.12, 300 / 113.12, 2.5])


# Further columns


def test_further_columns_are_kept_and_may_be_covariates(tmp_path: Path) -> None:
    patients = "patient,height_cm,centre,arm,ecog\nA,170,north,x,\nB,181.5,south,x,1\n"
    cohort = load_cohort(folder(tmp_path, ["A,0,25", "A,4,26", "B,0,30", "B,4,32"], patients))
    assert cohort.warnings == ()
    table = cohort.patients
    assert table["height_cm"].tolist() == [170.0, 181.5]
    assert table["centre"].tolist() == ["north", "south"]
    card = load_card("proteinuria")

    def with_covariate(name: str) -> object:
        structure = card.structure.model_copy(update={"covariate": name})
        return card.model_copy(update={"structure": structure, "markers": ("albumin",)})

    data = observations(with_covariate("height_cm"), cohort)  # type: ignore[arg-type]
    np.testing.assert_allclose(data.covariate, [-5.75, 5.75])
    with pytest.raises(InputError, match="holds numbers: height_cm, ecog"):
        observations(with_covariate("centre"), cohort)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="blank for A"):
        observations(with_covariate("ecog"), cohort)  # type: ignore[arg-type]


def test_a_column_near_one_of_the_contract_is_asked_about(tmp_path: Path) -> None:
    cohort = load_cohort(folder(tmp_path, ["A,0,25"], "patient,infusion\nA,3\n"))
    (warning,) = cohort.warnings
    assert "did you mean infusions?" in warning.found
    assert cohort.patients["infusion"].tolist() == [3.0]


# Names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("P01", "P1"),
        ("P 1", "P1"),
        ("p1", "P1"),
        ("Zoe\u0301", "Zo\u00e9"),
        ("\u04101", "A1"),  # Cyrillic
        ("01-002", "1-2"),
        ("Ｐ１", "P1"),
    ],
)
def test_names_that_look_alike_are_told(tmp_path: Path, one: str, other: str) -> None:
    path = folder(tmp_path, [f"{one},0,25", f"{other},0,26"], f"patient\n{one}\n{other}\n")
    (warning,) = load_cohort(path).warnings
    assert warning.rows == (2, 3)
    assert len(load_cohort(path).patient_ids) == 2
    path = folder(tmp_path, [f"{one},0,25", "B,0,30"], f"patient\n{other}\nB\n")
    if one.startswith("Zoe"):  # the same text to every standard
        assert load_cohort(path).warnings == ()
        return
    (problem,) = refused(path)
    assert (problem.row, problem.column) == (2, "patient")
    assert f'did you mean "{other}"?' in problem.expected


@pytest.mark.parametrize("pair", [("1-12", "11-2"), ("P1", "P10"), ("A1", "B1"), ("1.5", "15")])
def test_other_names_do_not_look_alike(pair: tuple[str, str]) -> None:
    assert skeleton(pair[0]) != skeleton(pair[1])


# Commands


def test_check_ends_with_a_count_and_says_what_fit_would_refuse(tmp_path: Path) -> None:
    patients, measurements = small_cohort_frames(markers=("urine_protein_24h",))
    path = write_cohort(tmp_path, patients, measurements)
    done = CliRunner().invoke(app, ["check", str(path)])
    assert done.exit_code == 0, done.output
    assert done.stdout.rstrip().endswith("20 measurements, no errors, no warnings.")
    write_cohort(tmp_path, patients, measurements.assign(value=3.0))
    done = CliRunner().invoke(app, ["check", str(path)])
    assert done.exit_code == 2
    assert "the same at every visit" in done.stderr
    assert done.stdout.rstrip().endswith("20 measurements, 1 error, no warnings.")


def test_commands_take_an_arm_and_implausible_values(tmp_path: Path) -> None:
    rows = [row.replace("25", "250") for row in THREE]
    path = str(folder(tmp_path, rows, ARMS))
    for command in (["check", path], ["fit", "--data", path]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 2
        assert "--arm active" in done.stderr
        done = CliRunner().invoke(app, [*command, "--arm", "active"])
        assert done.exit_code == 2
        assert "--accept-implausible" in done.stderr
    done = CliRunner().invoke(app, ["check", path, "--arm", "active", "--accept-implausible"])
    assert "4 measurements" in done.stdout
    assert "1 warning." in done.stdout


def test_a_terminal_without_the_letters_ends_nothing(tmp_path: Path) -> None:
    patients, measurements = small_cohort_frames(2, markers=("urine_protein_24h",))
    patients["patient"] = measurements["patient"].unique()
    for frame in (patients, measurements):
        frame["patient"] = frame["patient"].replace({"P1": "患者1", "P2": "№4"})
    patients.loc[0, "withdrew_week"] = 12
    done = subprocess.run(
        [sys.executable, "-c", "from mnbayes.cli import main; main()", "check", "."],
        cwd=write_cohort(tmp_path, patients, measurements),
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Withdrawn: ??1" in done.stdout.decode("latin-1")


def test_the_trial_of_the_data_contract_can_be_read(tmp_path: Path) -> None:
    page = Path(__file__).parents[1] / "docs" / "data-contract.md"
    (text,) = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    (tmp_path / "trial.toml").write_text(text, encoding="utf-8")
    assert [visit.week for visit in load_trial(tmp_path).visits] == [0.0, 4.0, 12.0]
