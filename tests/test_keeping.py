"""What becomes of a run that is there already: nothing of it, and nothing beside it, is lost."""

import errno
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import mnbayes as mn
from mnbayes.analyses.calibration import command as calibration
from mnbayes.analyses.characteristics import command as characteristics
from mnbayes.base.new_files import (
    check_writable,
    clear_left,
    temporary_beside,
    temporary_prefix,
)
from mnbayes.base.problems import InputError, TakenError
from mnbayes.cli import app
from mnbayes.run.keeping import Placed, Target, check_room, claim, whole_folder
from mnbayes.run.listing import COLUMNS, list_runs
from mnbayes.run.record import MANIFEST
from mnbayes.run.written_files import write_record
from mnbayes.studies.identity import LEDGER
from mnbayes.studies.run import StudyStoppedError

ROOT = Path(__file__).parents[1]
FIRST, SECOND = "2026-11-29T15:57:54+00:00", "2026-11-29T18:00:00+00:00"
ASIDE = "run-20261129-155754"


def written(
    target: Path | Target, text: str, started: str = SECOND, *, converged: bool = True
) -> Placed:
    """A run of one table and one picture, through the same function as a real one."""
    with whole_folder(target, converged=converged) as made:
        (made.path / "a.csv").write_text(text)
        (made.path / "plots").mkdir()
        (made.path / "plots" / "a.svg").write_text(text)
        write_record(made.path, MANIFEST, {"started": started, "converged": converged})
    return made.placed


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    written(folder, "first", FIRST)
    return folder


def test_a_run_is_refused_with_its_date_and_the_remedy(run: Path) -> None:
    with pytest.raises(InputError) as error:
        claim(run)
    (problem,) = error.value.problems
    assert "2026-11-29 15:57 UTC" in problem.found
    assert "--force" in problem.expected
    assert ASIDE in problem.expected


@pytest.mark.parametrize(
    ("command", "manifest"),
    [
        ("fit", "run.json"),
        ("sensitivity", "sensitivity.json"),
        ("published", "published.json"),
        ("historical", "historical.json"),
        ("design --responders 4 --of 8", "design.json"),
    ],
)
def test_every_command_refuses_its_own_folder(command: str, manifest: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / manifest).write_text("{}")
    done = CliRunner().invoke(app, [*command.split(), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2, done.output
    assert done.stderr.count("expected") == 1
    assert "--force" in done.stderr
    assert "Nothing was written." in done.stderr
    assert names(tmp_path) == {"out"}


def test_force_moves_the_run_aside_whole(run: Path, tmp_path: Path) -> None:
    placed = written(claim(run, force=True), "second")
    assert placed.folder == run
    assert ASIDE in placed.said[0]
    assert names(tmp_path) == {"run", ASIDE}
    assert (run / "a.csv").read_text() == "second"
    old = tmp_path / ASIDE
    assert [(old / name).read_text() for name in ("a.csv", "plots/a.svg")] == ["first"] * 2
    assert json.loads((old / MANIFEST).read_text())["written"] == ["a.csv", "plots/a.svg"]
    # Its name is taken now: the same again finds another.
    for record in (run / MANIFEST, old / MANIFEST):
        record.write_text(json.dumps({"started": FIRST}))
    written(claim(run, force=True), "third")
    assert names(tmp_path) == {"run", ASIDE, f"{ASIDE}-2"}


def test_a_run_without_a_date_is_called_by_its_file_s(run: Path, tmp_path: Path) -> None:
    (run / MANIFEST).write_text("{")
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    os.utime(run / MANIFEST, (moment, moment))
    written(claim(run, force=True), "second")
    assert names(tmp_path) == {"run", "run-20260102-030405"}


@pytest.mark.parametrize("listed", [True, False])
def test_files_of_one_s_own_stay(run: Path, tmp_path: Path, *, listed: bool) -> None:
    """Also where the record is of a version that did not list what it wrote."""
    if not listed:
        sections = {"results": {"files": ["a"]}}
        (run / MANIFEST).write_text(json.dumps({"started": FIRST, "sections": sections}))
    (run / "notes.txt").write_text("mine")
    (run / "mine.csv").write_text("mine")
    (run / "report.pdf").write_text("the program's")
    (run / "talk" / "deep").mkdir(parents=True)
    (run / "talk" / "deep" / "slides.odp").write_text("mine")
    target = claim(run, force=True)
    with whole_folder(target) as made:
        (made.path / "mine.csv").write_text("new")  # the new run has a table of this name
        write_record(made.path, MANIFEST, {"started": SECOND})
    assert names(run) == {MANIFEST, "mine.csv", "notes.txt", "talk"}
    assert (run / "talk" / "deep" / "slides.odp").read_text() == "mine"
    assert (run / "mine.csv").read_text() == "new"
    assert names(tmp_path / ASIDE) == {MANIFEST, "a.csv", "plots", "report.pdf", "mine.csv"}
    _, stayed, left = made.placed.said
    assert "notes.txt, talk" in stayed
    assert "mine.csv" in left


def test_a_file_among_the_program_s_stays_there(run: Path, tmp_path: Path) -> None:
    (run / "plots" / "mine.png").write_text("mine")
    written(claim(run, force=True), "second")
    assert names(run / "plots") == {"a.svg", "mine.png"}
    assert names(tmp_path / ASIDE / "plots") == {"a.svg"}


def test_what_did_not_converge_never_takes_the_place_of_what_did(run: Path, tmp_path: Path) -> None:
    placed = written(claim(run, force=True), "second", converged=False)
    assert placed.folder.name == "run-unconverged-20261129-180000"
    assert str(placed.folder) in placed.said[0]
    assert (run / "a.csv").read_text() == "first"
    assert (placed.folder / "a.csv").read_text() == "second"
    assert names(tmp_path) == {"run", placed.folder.name}
    # One that did not converge may be moved aside by another.
    placed = written(claim(placed.folder, force=True), "third", converged=False)
    assert (placed.folder / "a.csv").read_text() == "third"


def test_a_place_taken_meanwhile_is_the_other_s(tmp_path: Path) -> None:
    """Both with and without a run that was there when they began."""
    for force in (False, True):
        one, other = (claim(tmp_path / "run", force=force) for _ in range(2))
        written(one, "one")
        with pytest.raises(TakenError, match="run-20261129-19") as error:
            written(other, "other", "2026-11-29T19:00:00+00:00")
        kept = re.search(r"run-20261129-19\d+(-\d)?", str(error.value))
        assert kept is not None
        assert (tmp_path / kept[0] / "a.csv").read_text() == "other"
        assert (tmp_path / "run" / "a.csv").read_text() == "one"
    assert len(names(tmp_path)) == 4  # run, the one moved aside, two that were kept


def test_a_name_that_nobody_asked_for_gives_way(tmp_path: Path) -> None:
    """Two commands that were started in the same second, each without ``--out``."""
    one, other = (claim(tmp_path / "20261129-180000", any_name=True) for _ in range(2))
    placed = [written(one, "one"), written(other, "other")]
    assert [each.folder.name for each in placed] == ["20261129-180000", "20261129-180000-2"]
    assert [(each.folder / "a.csv").read_text() for each in placed] == ["one", "other"]


def test_what_cannot_be_moved_aside_costs_nobody_his_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Target) -> Path:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(run))

    monkeypatch.setattr("mnbayes.run.keeping.set_aside", refused)
    with pytest.raises(TakenError, match="run-20261129-180000"):
        written(claim(run, force=True), "second")
    assert (run / "a.csv").read_text() == "first"
    assert (tmp_path / "run-20261129-180000" / "a.csv").read_text() == "second"


def test_the_working_folder_itself(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run)
    placed = written(claim(Path(), force=True), "second")
    assert placed.folder == run
    assert (run / "a.csv").read_text() == "second"


def test_two_processes_at_one_moment() -> None:
    spec = importlib.util.spec_from_file_location("pairs", ROOT / "scripts/concurrent_writers.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.race(10) == []
    stored = json.loads(script.RESULT.read_text(encoding="utf-8"))
    assert (stored["pairs"], stored["whole"]) == (script.PAIRS, script.PAIRS)


def test_a_link_to_a_folder_stays_a_link(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run)
    written(claim(tmp_path / "link", force=True), "second")
    assert (tmp_path / "link").is_symlink()
    assert (run / "a.csv").read_text() == "second"


def test_a_calibration_begins_anew_only_where_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    files = {LEDGER: "ledger", "calibration.json": "{}", "notes.txt": "mine"}
    for name, text in files.items():
        (folder / name).write_text(text)

    def fails(error: Exception) -> None:
        def study(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(calibration, "run_study", study)
        with pytest.raises(type(error)):
            calibration.run_calibrate(replicates=20, out=folder, force=True)

    fails(InputError([mn.Problem("--workers", None, None, "-1", "0 or more")]))
    assert {path.name: path.read_text() for path in folder.iterdir()} == files
    assert names(tmp_path) == {"c"}
    fails(StudyStoppedError("the cluster went away"))  # what was done is kept, in the new one
    (aside,) = tmp_path.glob("c-*")
    assert names(aside) == {LEDGER, "calibration.json"}
    assert names(folder) == {"notes.txt"}


def test_characteristics_begin_anew_only_where_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    for name in (LEDGER, *characteristics.WRITTEN, "notes.txt"):
        (folder / name).touch()
    told: list[str] = []

    def stopped(*_: object, **__: object) -> None:
        raise StudyStoppedError("the cluster went away")

    monkeypatch.setattr(characteristics, "run_study", stopped)
    for force in (False, True):
        with pytest.raises(StudyStoppedError):
            characteristics.run_characteristics(out=folder, force=force, tell=told.append)
        assert len(names(tmp_path)) == 1 + force
    assert names(folder) == {"notes.txt"}
    assert len(told) == 2
    (aside,) = tmp_path.glob("c-*")
    assert names(aside) == {LEDGER, *characteristics.WRITTEN}


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "deep" / "run"

    def refused(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refused)
        with pytest.raises(InputError, match=f"{re.escape(str(out))}: Permission denied"):
            claim(out)
    with pytest.raises(InputError, match="name too long"):
        claim(tmp_path / ("x" * 250))
    assert not names(tmp_path)


def test_room_is_asked_for_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    target = claim(tmp_path / "run")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, 150_000_000))
    claim(tmp_path / "run")
    check_room(target, draws=4000, patients=8, markers=[3])
    with pytest.raises(InputError, match=r"run, where 150 MB are free; .* some 215 MB"):
        check_room(target, draws=4000, patients=8, markers=[1, 1, 2, 5, 7])  # the embedded cohort's
    with pytest.raises(InputError, match="150 MB"):
        check_writable(tmp_path / "run", 10**9)
    assert not names(tmp_path)


def test_an_error_names_the_target(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match="No such file") as error,
        whole_folder(tmp_path / "x") as made,
    ):
        (made.path / "none" / "a.csv").write_text("")
    assert error.value.filename == str(tmp_path / "x" / "none" / "a.csv")
    assert not names(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="nothing says who lives")
def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    code = "import sys; from mnbayes.base.new_files import temporary_prefix as t; print(t())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    dead, elsewhere = done.stdout.strip(), re.sub(r"-.*\.", "-elsewhere.1.", done.stdout.strip())
    left = [tmp_path / f".run.{dead}abcd", tmp_path / f"{dead}abcd"]
    kept = [
        *(tmp_path / f".run.{temporary_prefix()}abcd", tmp_path / f"{elsewhere}abcd"),
        *(tmp_path / "mnbayes-notes", tmp_path / ".run.abcd"),
    ]
    for folder in (*left, *kept):
        folder.mkdir()
        (folder / "file").touch()
    (tmp_path / f"{dead}link").symlink_to(kept[2])
    with temporary_beside(tmp_path / "other"):
        assert set(clear_left(tmp_path)) == set(left)
    assert names(tmp_path) == {*(folder.name for folder in kept), f"{dead}link"}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run as an older version recorded it, a new one, a damaged one, and other folders."""
    folder = tmp_path / "results"
    record = {
        "started": FIRST,
        "converged": False,
        "synthetic": True,
        "prior_set": "weak",
        "settings": ["change_mean.sigma=0.3"],
        "data": {"sha256": "1" * 64, "patients": 8, "trial": {"title": "A trial"}},
        "models": {"proteinuria": {}, "remission": {}},
        "post_hoc": [{"model": "proteinuria"}],
        "sections": {"decision": {"verdict": "no-go"}},
    }
    old = {"started": "2026-01-02T03:04:05"}
    for name, content in (("new", json.dumps(record)), ("old", json.dumps(old)), ("bad", "{")):
        (folder / name).mkdir(parents=True)
        (folder / name / MANIFEST).write_text(content)
    (folder / "sensitivity").mkdir()
    (folder / ".run.mnbayes-x.1.abcd").mkdir()
    return folder


def test_runs_are_listed_newest_first(results: Path) -> None:
    table = mn.runs(results)
    assert tuple(table.columns) == COLUMNS
    assert [Path(folder).name for folder in table["folder"]] == ["new", "old"]
    assert table["date"].tolist() == [
        pd.Timestamp(FIRST),
        pd.Timestamp("2026-01-02T03:04:05", tz="UTC"),
    ]
    new = table.iloc[0]
    assert new["cohort"] == "A trial, 8 patients, SYNTHETIC"
    assert new["cards"] == "proteinuria, remission"
    assert new["priors"] == "weak, change_mean.sigma=0.3, post hoc"
    assert new["converged"] is False
    assert new["decision"] == "no-go"
    assert table["converged"][1] is None
    _, remarks = list_runs(results)
    assert len(remarks) == 2
    assert mn.runs(results / "old")["folder"].tolist() == [str(results / "old")]


def test_the_command_lists_runs_with_nothing_heavy(results: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["runs", str(results)])
    assert done.exit_code == 0, done.output
    head, first, second = done.stdout.splitlines()
    assert head.split() == list(COLUMNS)
    assert "no-go" in first
    assert second.startswith("2026-01-02 03:04")
    damaged, others = done.stderr.splitlines()
    assert damaged.startswith("bad/run.json")
    assert "sensitivity" in others
    none = CliRunner().invoke(app, ["runs", str(tmp_path / "none")])
    assert none.exit_code == 2
    assert "no such folder" in none.stderr
    code = (
        "import sys; from pathlib import Path; from mnbayes.run.listing import list_runs;"
        f"list_runs(Path({str(results)!r}));"
        "print([m for m in ('pandas', 'xarray', 'scipy', 'pymc', 'rich') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
