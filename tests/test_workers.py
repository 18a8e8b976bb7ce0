"""Tasks side by side: their order, what is told of each, and what a failure ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from multiprocessing import active_children
from pathlib import Path

import pytest
from study_replicates import wait_until

from mnbayes.base import workers
from mnbayes.base.problems import InputError
from mnbayes.base.threads import VARIABLES, one_thread, use_one_thread
from mnbayes.base.workers import News, side_by_side


def patient(task: tuple[int, Path | None], news: News) -> int:
    """Ten times a number, once a file is there; a negative number fails."""
    number, file = task
    if number < 0:
        raise ValueError("no such number")
    if file is not None:
        wait_until(file.exists, "nobody made the file that a task waits for")
    return 10 * number


def silent(*_: object) -> None:
    """No news."""


@pytest.mark.parametrize("cores", [1, 2])
def test_each_task_is_told_when_it_is_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cores: int
) -> None:
    monkeypatch.setattr(workers, "cores", lambda: cores)
    told: list[tuple[int, int]] = []
    others_done = tmp_path / "done"

    def finished(place: int, result: int) -> None:
        told.append((place, result))
        if len(told) == 2:
            others_done.touch()

    # Side by side, the first task is done after the others have been told.
    tasks = [(3, others_done if cores == 2 else None), (1, None), (2, None)]
    assert side_by_side(patient, tasks, silent, finished) == [30, 10, 20]
    assert sorted(told) == [(0, 30), (1, 10), (2, 20)]
    assert told[-1] == ((0, 30) if cores == 2 else (2, 20))


def test_a_failure_ends_what_runs_and_begins_nothing_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 2)
    before = set(active_children())
    told: list[int] = []
    # Were what runs not ended, the other tasks would wait for a file that is never made.
    waiting = [(number, tmp_path / "never") for number in (1, 2, 3)]
    with pytest.raises(ValueError, match="no such number"):
        side_by_side(patient, [(-1, None), *waiting], silent, lambda i, _: told.append(i))
    assert told == []
    wait_until(lambda: set(active_children()) <= before, "workers outlive a failure")


def ended(_: int, news: News) -> None:
    """A task whose process the system ends."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(os.name != "posix", reason="has no such signal")
def test_a_process_that_is_ended_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 2)
    with pytest.raises(InputError, match="memory"):
        side_by_side(ended, [0, 1], silent)


def test_no_more_processes_than_there_is_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: range(6), raising=False)
    most = {None: 6, 10**8: 1, 2**30: 1, 13 * 10**8: 2, 10**10: 6}
    for free, count in most.items():
        monkeypatch.setattr(workers, "free_memory", lambda free=free: free)
        assert workers.cores() == count


def threads(_: int, news: News) -> str | None:
    """What a worker's libraries of algebra were told."""
    return os.environ.get("OPENBLAS_NUM_THREADS")


def test_workers_have_one_thread_for_algebra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 2)
    # Where a fork server runs already, it was started by a worker of another test.
    assert side_by_side(threads, [0, 1], silent) == ["1", "1"]


def test_one_thread_is_for_the_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with one_thread():
        assert {os.environ[name] for name in VARIABLES} == {"1"}
    assert os.environ["MKL_NUM_THREADS"] == "3"
    assert "OMP_NUM_THREADS" not in os.environ
    use_one_thread()
    assert os.environ["MKL_NUM_THREADS"] == "3"  # somebody said so
    assert os.environ["OMP_NUM_THREADS"] == "1"
    monkeypatch.delenv("OMP_NUM_THREADS")


UNGUARDED = """
import multiprocessing
from mnbayes.base import workers
from mnbayes.studies.run import run_study
from mnbayes.studies.study import Cell, Study
from test_workers import patient, silent

workers.cores = lambda: 2
if {method!r} != "default":
    multiprocessing.set_start_method({method!r})
print("once")
print(workers.side_by_side(patient, [(1, None), (2, None), (3, None)], silent))

def tenth(stream, parameters):
    return {{"found": 0.1}}

study = Study("tenths", tenth, {{"found": float}}, (Cell({{}}, 2),), 1)
print(run_study(study, {folder!r}, workers=1)["found"].tolist())
"""


@pytest.mark.parametrize("method", ["default", "spawn", "forkserver"])
def test_a_script_without_a_main_guard_runs_once(method: str, tmp_path: Path) -> None:
    """However processes are started; also a study whose replicates the script itself does."""
    script = tmp_path / "a script, скрипт.py"
    folder = str(tmp_path / "a folder, папка")
    script.write_text(UNGUARDED.format(method=method, folder=folder), encoding="utf-8")
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["once", "[10, 20, 30]", "[0.1, 0.1]"]
    assert not done.stderr
