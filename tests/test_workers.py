"""Tasks side by side: their order, what is told of each, and what a failure ends."""

from __future__ import annotations

import os
import time
from multiprocessing import active_children

import pytest

from mnbayes.base import workers
from mnbayes.base.threads import VARIABLES, one_thread, use_one_thread
from mnbayes.base.workers import News, side_by_side


def nap(seconds: float, news: News) -> float:
    """Sleep; a negative task fails."""
    if seconds < 0:
        raise ValueError("no such nap")
    time.sleep(seconds)
    return 10 * seconds


def silent(*_: object) -> None:
    """No news."""


@pytest.mark.parametrize("cores", [1, 2])
def test_each_task_is_told_when_it_is_done(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(workers.os, "cpu_count", lambda: cores)
    told: list[tuple[int, float]] = []
    done = side_by_side(nap, [1.0, 0.1, 0.2], silent, lambda *each: told.append(each))
    assert done == [10.0, 1.0, 2.0]
    assert sorted(told) == [(0, 10.0), (1, 1.0), (2, 2.0)]
    if cores == 2:
        assert told[-1] == (0, 10.0)  # the longest is the last, not the first in the list


def test_a_failure_ends_what_runs_and_begins_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 2)
    side_by_side(nap, [0.0, 0.0], silent)  # what workers need is loaded
    before = set(active_children())
    clock = time.perf_counter()
    with pytest.raises(ValueError, match="no such nap"):
        side_by_side(nap, [-1.0, 60.0, 60.0, 60.0], silent)
    assert time.perf_counter() - clock < 30
    assert set(active_children()) <= before


def threads(_: int, news: News) -> str | None:
    """What a worker's libraries of algebra were told."""
    return os.environ.get("OPENBLAS_NUM_THREADS")


def test_workers_have_one_thread_for_algebra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 2)
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
