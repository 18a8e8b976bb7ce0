"""Kills, full disks and clocks: what is there stays, and nothing of ours is left."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import filelock
import pytest
import typer
from test_keeping import ASIDE, FIRST, ROOT, names, written

from mnbayes.base.ending import EndedError, undisturbed
from mnbayes.base.new_files import alone, temporary_folder
from mnbayes.cli.shared import clear_errors
from mnbayes.run.keeping import claim, whole_folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    written(folder, "first", FIRST)
    return folder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each step has a forked process")
@pytest.mark.parametrize(("what", "statuses"), [("kill", {-9}), ("term", {143}), ("full", {0, 2})])
def test_whatever_happens_at_each_step_on_the_disk(
    what: str, statuses: set[int], tmp_path: Path
) -> None:
    """A kill, TERM, a full disk: both runs are whole or there is but the first; nothing is left."""
    command = [sys.executable, str(ROOT / "tests" / "each_step.py"), str(tmp_path), what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *steps, last = map(json.loads, done.stdout.splitlines())
    assert last[0] == 77
    assert len(steps) > 10
    assert {step[0] for step in steps} <= statuses
    in_place, beside = {"run": "first"}, {"run": "first", "run-20261130-155754": "second"}
    moved = {"run": "second", ASIDE: "first"}
    for status, said, then, after, notes in steps:
        assert after in (in_place, beside, moved)
        assert len(notes) == 1
        if what == "kill":
            assert "first" in then.values()
        else:
            assert then == after
            assert "mnbayes-" not in said
            assert (status == 2) == bool(said)
    assert moved in [step[3] for step in steps]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_write_that_fails_names_the_target_though_the_system_names_nothing(
    number: int, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as error, whole_folder(tmp_path / "x"):
        raise OSError(number, os.strerror(number))  # as of a file that is open already
    assert (error.value.errno, error.value.filename) == (number, str(tmp_path / "x"))
    with pytest.raises(OSError, match=os.strerror(number)) as error, temporary_folder(tmp_path):
        raise OSError(number, os.strerror(number))
    assert error.value.filename == str(tmp_path)
    with pytest.raises(BrokenPipeError) as pipe, whole_folder(tmp_path / "x"):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")  # of the terminal, not of the folder
    assert pipe.value.filename is None
    assert not names(tmp_path)


def test_one_at_a_time_where_no_folder_can_be_locked(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with alone(tmp_path):
        (lock,) = (tmp_path / "temporary").iterdir()
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(lock).acquire(blocking=False)
    written(claim(run, force=True), "second")
    assert (run / "a.csv").read_text() == "second"


def test_a_clock_that_was_set_back_overwrites_nothing(run: Path, tmp_path: Path) -> None:
    for started in ("2020-01-02T03:04:05+00:00", FIRST, FIRST):
        written(claim(run, force=True), started, started)
    beside = {ASIDE, "run-20200102-030405", f"{ASIDE}-2"}
    assert names(tmp_path) == {"run", *beside}
    assert {(tmp_path / name / "a.csv").read_text() for name in beside} == {
        *("first", FIRST, "2020-01-02T03:04:05+00:00")
    }


def test_what_was_written_is_said_though_the_rest_was_interrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @clear_errors
    def command(*, before: bool, error: KeyboardInterrupt) -> None:
        if not before:
            written(tmp_path / "run", "first")
        raise error

    for before, error, status in (
        (True, KeyboardInterrupt(), 130),
        (False, EndedError(signal.SIGTERM), 143),
    ):
        with pytest.raises(typer.Exit) as ended:
            command(before=before, error=error)
        assert ended.value.exit_code == status
        said = capsys.readouterr().err
        assert (str(tmp_path / "run") in said) != before
        assert ("nothing was written" in said) == before


def test_a_short_step_is_not_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(number: int, _: object) -> None:
        raise EndedError(number)

    before = signal.signal(signal.SIGTERM, ended)
    steps: list[None] = []
    try:
        with pytest.raises(EndedError), undisturbed():
            steps.append(signal.raise_signal(signal.SIGTERM))
        assert signal.getsignal(signal.SIGTERM) is ended
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(steps) == 1


def test_the_stored_kills_lost_nothing() -> None:
    stored = json.loads((ROOT / "docs" / "kills.json").read_text(encoding="utf-8"))
    counts = {kind: found["kills"] for kind, found in stored["kinds"].items()}
    assert [counts[kind] for kind in ("TERM", "INT", "KILL", "power")] == [30] * 4
    # Two printed a traceback, which was mended; the kind was killed again then.
    wrong = [(trial["kind"], text) for trial in stored["trials"] for text in trial["wrong"]]
    assert wrong == [("TERM", "a traceback of a worker that was being started")] * 2
    assert counts["TERM again"] > 10


def test_the_stored_faults_were_borne_or_said() -> None:
    stored = json.loads((ROOT / "docs" / "faults.json").read_text(encoding="utf-8"))
    assert not [fault for fault in stored["faults"] if fault["wrong"]]
    assert {fault["same_tables"] for fault in stored["faults"] if "same_tables" in fault} == {True}
