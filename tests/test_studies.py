"""Studies end with the same numbers, whoever computes them and whatever is killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import study_replicates as sr
from hypothesis import given, settings
from hypothesis import strategies as st

from mnbayes.base.problems import InputError
from mnbayes.base.workers import silent
from mnbayes.studies import batches, ledger, processes
from mnbayes.studies.batches import one, packed, work
from mnbayes.studies.frames import HEADER_SIZE, framed, whole_frames
from mnbayes.studies.identity import LEDGER
from mnbayes.studies.ledger import open_ledger, read_ledger
from mnbayes.studies.pending import LARGEST, MOST_RUNS, Pending
from mnbayes.studies.places import Returned
from mnbayes.studies.records import record
from mnbayes.studies.rerun import as_lines, first_replicates, moved
from mnbayes.studies.run import StudyStoppedError, drive, run_study
from mnbayes.studies.study import Cell, Run, Study

TESTS = Path(__file__).parent


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes find this folder's modules."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)


def by_hand(study: Study) -> pd.DataFrame:
    """A study's table from a plain loop over spawned streams."""
    rows = []
    cells = np.random.SeedSequence(study.seed).spawn(len(study.cells))
    for number, (cell, sequence) in enumerate(zip(study.cells, cells, strict=True)):
        awake = {**cell.parameters, "seconds": 0.0}
        for replicate, stream in enumerate(sequence.spawn(cell.replicates)):
            row = {"cell": number, **cell.parameters, "replicate": replicate}
            try:
                row |= {"failure": np.nan, **study.replicate(stream, awake)}
            except ArithmeticError as error:
                row["failure"] = f"ArithmeticError: {str(error).split('0x')[0]}0x…>"
            rows.append(row)
    kinds = {"failure": "str", "largest": "Int64", "above": "boolean", "label": "str"}
    return pd.DataFrame(rows).astype(kinds)


def assert_as_by_hand(table: pd.DataFrame, study: Study) -> None:
    pd.testing.assert_frame_equal(table, by_hand(study), check_exact=True)


# The study


def test_identity_is_what_decides_the_numbers() -> None:
    first = sr.study()
    assert first.fingerprint == sr.study(replicates=99).fingerprint
    assert first.fingerprint != sr.study(seed=4).fingerprint
    assert first.fingerprint != sr.study(seconds=0.5).fingerprint
    # The function by its name: the file that it stands in may be renamed.
    assert first.identity["function"] == "means"
    assert sr.study(partial(sr.means)).identity["function"] == "means"
    assert "study_replicates" not in json.dumps(first.identity)
    assert first.total == 120


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {"n": float}}, "named twice: n"),
        ({"columns": {"failure": str}}, "named twice: failure"),
        ({"columns": {"mean": complex}}, "no known kind"),
        ({"cells": (Cell({"n": (1, 2)}, 3),)}, "parameter n of a cell is a tuple"),  # type: ignore[dict-item]
        ({"cells": ()}, "needs cells"),
        ({"seed": -1}, "seed of at least 0"),
    ],
)
def test_a_study_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    whole = {"columns": sr.COLUMNS, "cells": (Cell({"n": 4}, 3),), "seed": 1} | changes
    with pytest.raises(ValueError, match=message):
        Study("s", sr.means, **whole)


# Batches


def _constant(value: Any, stream: Any, parameters: Any) -> dict[str, Any]:
    return {"x": value}


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (float, np.float32(0.5), 0.5),
        (float, 3, 3.0),
        (float, np.array(2.0), 2.0),
        (float, None, None),
        (int, np.int16(7), 7),
        (bool, np.True_, True),
        (str, "é", "é"),
    ],
)
def test_values_are_stored_as_their_kind(kind: type, value: Any, stored: Any) -> None:
    study = Study("s", partial(_constant, value), {"x": kind}, (Cell({}, 1),), 1)
    found = one(study, 0, 0)["x"]
    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(float, "1"), (float, True), (int, 1.0), (int, 2**63), (bool, 1), (str, 1), (str, "\ud800")],
)
def test_values_of_another_kind_are_failures(kind: type, value: Any, tmp_path: Path) -> None:
    study = Study("s", partial(_constant, value), {"x": kind}, (Cell({}, 1),), 1)
    table = run_study(study, tmp_path, workers=0)
    assert table["failure"].str.contains("Error: ").all()
    assert table["x"].isna().all()
    other = Study("s", partial(_constant, 1.0), {"y": float}, (Cell({}, 1),), 1)
    failure = run_study(other, tmp_path / "other", workers=0)["failure"][0]
    assert failure == "ValueError: the result and the study's columns differ in x, y"


def test_a_batch_ends_after_its_time_with_one_replicate_at_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]  # moved by the replicates alone

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(sr, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(batches, "perf_counter", lambda: clock[0])
    pack = packed(sr.study(seconds=0.25))
    assert work(pack, (Run(0, 0, 40),), 0.0).done == 1
    assert work(pack, (Run(0, 0, 40),), 1.0).done == 5
    assert work(packed(sr.study()), (Run(0, 0, 2), Run(1, 5, 9))).done == 6


def test_other_code_or_versions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pack = packed(sr.study())
    assert batches.differences(pack) == []
    with monkeypatch.context() as patched:
        patched.setitem(batches._seen, "mnbayes.data.units", ("units.py", "another"))
        assert batches.differences(pack) == [("other code in mnbayes: units.py", "the same code")]
        with pytest.raises(InputError, match=r"found other code in mnbayes: units\.py"):
            work(pack, (Run(0, 0, 1),))
    monkeypatch.setattr(batches, "versions", lambda: {"numpy": "0.1"})
    other = packed(sr.study(seed=9))
    monkeypatch.undo()
    ((found, expected),) = batches.differences(other)
    assert found == f"numpy {np.__version__}"
    assert expected == "numpy 0.1"


# What is pending


@settings(max_examples=50)
@given(
    sizes=st.lists(st.integers(1, 40) | st.just(5000), min_size=1, max_size=60),
    threads=st.integers(1, 5),
    shares=st.lists(st.floats(0.2, 1), min_size=1, max_size=20),
)
def test_each_replicate_is_handed_out_until_it_is_done(
    sizes: list[int], threads: int, shares: list[float]
) -> None:
    pending = Pending(Run(cell, 0, size) for cell, size in enumerate(sizes))
    done: list[tuple[int, int]] = []
    turn = 0
    while pending:
        batch = pending.take(threads)
        size = sum(run.size for run in batch)
        assert 1 <= size <= LARGEST
        assert len(batch) <= MOST_RUNS
        count = max(1, round(shares[turn % len(shares)] * size))
        flat = [(run.cell, i) for run in batch for i in range(run.start, run.stop)]
        done += flat[:count]
        pending.put_back(batch, count)
        turn += 1
    assert sorted(done) == [(cell, i) for cell, size in enumerate(sizes) for i in range(size)]


def test_a_deadly_batch_is_cut_down_to_the_replicate_alone() -> None:
    pending = Pending([Run(0, 0, 40), Run(1, 0, 3)])
    batch = pending.take(1)
    assert batch == (Run(0, 0, 22),)
    assert pending.suspect(batch)
    assert pending.take(1) == (Run(0, 0, 3),)
    assert pending.suspect((Run(0, 1, 2),))
    while (other := pending.take(1, alone=False)) != ():
        assert Run(0, 1, 2) not in other
    assert pending.take(1, alone=True) == (Run(0, 1, 2),)
    assert not pending.suspect((Run(0, 1, 2),))
    assert not pending


# The ledger


def _filled(study: Study, folder: Path, sizes: tuple[int, ...] = (1, 7, 3, 1, 12)) -> list[int]:
    """A ledger of some replicates of cell 0; the file's size after each record."""
    ends, start = [], 0
    with open_ledger(study, folder) as book:
        ends.append((folder / LEDGER).stat().st_size)
        for size in sizes:
            book.append([work(packed(study), (Run(0, start, start + size),)).payload])
            ends.append((folder / LEDGER).stat().st_size)
            start += size
    return ends


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[int], pd.DataFrame]:
    """The bytes of a ledger, where its records end, and its table."""
    folder = tmp_path_factory.mktemp("whole")
    ends = _filled(sr.study(), folder)
    return (folder / LEDGER).read_bytes(), ends, read_ledger(folder)


@settings(max_examples=60)
@given(data=st.data())
def test_a_ledger_torn_anywhere_keeps_its_whole_records(
    data: st.DataObject,
    whole: tuple[bytes, list[int], pd.DataFrame],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    content, ends, table = whole
    cut = data.draw(st.integers(0, len(content)) | st.sampled_from(ends))
    garbage = data.draw(st.just(b"") | st.binary(max_size=40) | st.just(bytes(4096)))
    folder = tmp_path_factory.mktemp("torn")
    torn = content[:cut] + (garbage if cut >= ends[0] else b"")
    (folder / LEDGER).write_bytes(torn)
    # Garbage may happen to be what was cut off.
    kept = (0, 0, 1, 8, 11, 12, 24)[sum(torn[:end] == content[:end] for end in ends)]
    study = sr.study()
    with open_ledger(study, folder) as book:
        assert book.count == kept
        assert book.missing()[0] == Run(0, kept, 40)
        if kept < 24:
            book.append([work(packed(study), (Run(0, kept, 24),)).payload])
    pd.testing.assert_frame_equal(read_ledger(folder), table, check_exact=True)


@settings(max_examples=60)
@given(data=st.data())
def test_a_changed_byte_never_changes_a_number(
    data: st.DataObject,
    whole: tuple[bytes, list[int], pd.DataFrame],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    content, ends, table = whole
    place = data.draw(st.integers(0, len(content) - 1) | st.integers(ends[-2], ends[-1] - 1))
    flip = data.draw(st.integers(1, 255))
    damaged = bytearray(content)
    damaged[place] ^= flip
    folder = tmp_path_factory.mktemp("damaged")
    (folder / LEDGER).write_bytes(damaged)
    if place < ends[-2]:  # whole records follow: no kill does that
        with pytest.raises(InputError, match="damage at byte"):
            read_ledger(folder)
    else:
        pd.testing.assert_frame_equal(read_ledger(folder), table[:12], check_dtype=False)


def test_frames_know_their_ends() -> None:
    data = framed(b"abc") + framed(b"") + framed(b"xyz")[:-1]
    payloads, end = whole_frames(data)
    assert [bytes(each) for each in payloads] == [b"abc", b""]
    assert end == 2 * HEADER_SIZE + 3


def test_a_ledger_of_another_study_is_refused_in_words(tmp_path: Path) -> None:
    _filled(sr.study(), tmp_path)
    before = (tmp_path / LEDGER).read_bytes()
    cells = (Cell({"n": 5, "seconds": 0.0}, 3), *sr.study().cells[1:])
    other = Study("means", sr.means, sr.COLUMNS, cells, 4, {"card": "abd"})
    with pytest.raises(InputError) as refused:
        run_study(other, tmp_path, workers=0)
    places = {problem.column: problem for problem in refused.value.problems}
    assert places.keys() == {"seed", "cells 0", "depends card"}
    said = 'study.ledger, column seed: found "3"; expected "4"; another folder begins a new study'
    assert str(places["seed"]) == said
    assert (tmp_path / LEDGER).read_bytes() == before


def test_other_versions_are_another_study(tmp_path: Path, monkeypatch: Any) -> None:
    _filled(sr.study(), tmp_path)
    monkeypatch.setattr("mnbayes.studies.study.versions", lambda: {"numpy": "0.1"})
    with pytest.raises(InputError, match='column versions numpy: found "'):
        run_study(sr.study(), tmp_path, workers=0)


def _shifted(shift: float, stream: Any, parameters: Any) -> dict[str, Any]:
    found = sr.means(stream, parameters)
    return found | {"mean": found["mean"] * (1 + shift)}


def test_numbers_that_the_program_no_longer_gives_are_refused(tmp_path: Path) -> None:
    def study(shift: float) -> Study:
        cells = (Cell({"n": 4}, 5),)
        return Study("shifted", partial(_shifted, shift), sr.COLUMNS, cells, 3)

    assert study(0.0).identity == study(1e-4).identity
    table = run_study(study(0.0), tmp_path, workers=0)
    before = (tmp_path / LEDGER).read_bytes()
    with pytest.raises(InputError) as refused:
        run_study(study(1e-4), tmp_path, workers=0)
    (problem,) = refused.value.problems
    assert problem.column == "mean"
    assert "for replicate 0 of cell 0" in problem.found
    assert (tmp_path / LEDGER).read_bytes() == before
    # Another processor rounds otherwise.
    pd.testing.assert_frame_equal(run_study(study(1e-9), tmp_path, workers=0), table)


def test_the_first_replicates_are_those_of_the_whole_study(tmp_path: Path) -> None:
    table = run_study(sr.study(), tmp_path, workers=0)
    first = first_replicates(sr.study(), 20)
    kept = table[table["replicate"] < 20]
    assert moved(as_lines(kept), first) == []
    assert moved(as_lines(kept.iloc[1:]), first) == ["60 rows, not 59"]
    assert moved(as_lines(kept), first.assign(label="other")) == ["label"]
    assert moved(as_lines(kept), first.drop(columns="mean")) == ["mean"]
    assert moved(as_lines(kept), first.assign(mean=first["mean"] * (1 + 1e-5))) == ["mean"]


@pytest.mark.parametrize("content", [b"week,value\n0,1\n", b"m", framed(b'{"format": 2}')])
def test_a_file_that_is_no_ledger_is_not_overwritten(content: bytes, tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(content)
    if content == b"m":  # the beginning of one, torn by a kill
        assert len(run_study(sr.study(), tmp_path, workers=0)) == 120
        return
    with pytest.raises(InputError, match="expected"):
        run_study(sr.study(), tmp_path, workers=0)
    assert (tmp_path / LEDGER).read_bytes() == content


def test_two_drivers_on_one_ledger_are_refused(tmp_path: Path) -> None:
    with open_ledger(sr.study(), tmp_path):
        for attempt in (
            lambda: run_study(sr.study(), tmp_path, workers=0),
            lambda: open_ledger(sr.study(), tmp_path).__enter__(),
        ):
            with pytest.raises(InputError, match=f"process {os.getpid()} on .* is writing"):
                attempt()
    assert len(run_study(sr.study(), tmp_path, workers=0)) == 120


def test_a_replicate_is_never_recorded_twice(tmp_path: Path) -> None:
    payload = work(packed(sr.study()), (Run(0, 3, 5),)).payload
    with open_ledger(sr.study(), tmp_path) as book:
        book.append([payload])
        size = (tmp_path / LEDGER).stat().st_size
        with pytest.raises(RuntimeError, match="recorded twice"):
            book.append([payload])
    assert (tmp_path / LEDGER).stat().st_size == size


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_ledger_as_it_was(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(file: Any, data: bytes) -> None:
        file.write(data[: len(data) // 2])
        raise error

    ends = _filled(sr.study(), tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "_write_all", half)
        with pytest.raises(type(error)):
            run_study(sr.study(), tmp_path, workers=0)
    assert (tmp_path / LEDGER).stat().st_size == ends[-1]
    assert_as_by_hand(run_study(sr.study(), tmp_path, workers=0), sr.study())


def test_a_folder_without_a_ledger_or_that_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no study\.ledger"):
        read_ledger(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="which is a file"):
        run_study(sr.study(), tmp_path / "file", workers=0)


def _calls_to_open(folder: Path, size: int) -> int:
    """Function calls that it takes to open and read a ledger of 50 records of so many rows."""
    columns = {f"q{i}": float for i in range(20)}
    study = Study("large", sr.means, columns, (Cell({"n": 8}, 50 * size),), 1)
    values = [dict.fromkeys(columns, i / 7) for i in range(size)]
    with open_ledger(study, folder) as book:
        rows = [[(0, k * size + i, v, None) for i, v in enumerate(values)] for k in range(50)]
        book.append([record(columns, each) for each in rows])
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with open_ledger(study, folder) as book:
            missing = book.missing()
        table = read_ledger(folder)
    finally:
        sys.setprofile(before)
    assert missing == []
    assert table.shape == (50 * size, 24)
    return calls


def test_a_ledger_is_opened_by_columns_and_not_by_rows(tmp_path: Path) -> None:
    _calls_to_open(tmp_path / "first", 1)  # what is imported at first use is there
    few, many = (_calls_to_open(tmp_path / str(size), size) for size in (10, 500))
    assert abs(many - few) < 5_000  # there are 24,500 rows more


# In this process, and in processes of this machine


def test_in_this_process_a_study_is_a_plain_loop(tmp_path: Path) -> None:
    seen: list[tuple[str, str, int, int]] = []
    table = run_study(sr.study(), tmp_path, workers=0, news=lambda *each: seen.append(each))
    assert_as_by_hand(table, sr.study())
    assert table["failure"].notna().any()
    assert seen[0] == ("means", "starting", 0, 120)
    assert seen[-1] == ("means", "done", 120, 120)


def test_a_longer_study_goes_on_from_a_shorter_one(tmp_path: Path) -> None:
    run_study(sr.study(replicates=10), tmp_path, workers=0)
    size = (tmp_path / LEDGER).stat().st_size
    for replicates in (30, 20):
        study = sr.study(replicates=replicates)
        assert_as_by_hand(run_study(study, tmp_path, workers=0), study)
        assert (tmp_path / LEDGER).stat().st_size > size


def test_processes_give_the_numbers_of_a_loop_though_one_is_killed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    study = sr.study(replicates=150, gate=gate)
    killed: list[int] = []

    def news(name: str, stage: str, done: int, total: int) -> None:
        if not killed and (waiting := sr.waiting_at(gate)):
            killed.append(waiting[0])
            os.kill(killed[0], signal.SIGKILL)
            gate.unlink()

    table = run_study(study, tmp_path, workers=2, news=news)
    assert killed
    assert_as_by_hand(table, study)
    sr.wait_until(lambda: not _children(), "worker processes outlive a study")


def _children() -> list[int]:
    import multiprocessing

    return [child.pid for child in multiprocessing.active_children() if child.pid]


def test_a_replicate_that_kills_its_process_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ALLOWED_DEATHS", 0)
    study = Study("lethal", sr.lethal, sr.COLUMNS, (Cell({"n": 4}, 12),), 3)
    table = run_study(study, tmp_path, workers=2)
    died = table["failure"].str.startswith("WorkerDied") & table["failure"].notna()
    assert table.loc[died, "replicate"].tolist() == [7]
    healthy = Study("lethal", sr.means, sr.COLUMNS, study.cells, 3)
    pd.testing.assert_frame_equal(table[~died], by_hand(healthy)[~died], check_exact=True)


def test_a_study_that_hangs_is_stopped_in_words(tmp_path: Path) -> None:
    with pytest.raises(StudyStoppedError, match=r"no batch came back for 1 s .* 0 of 120") as stop:
        run_study(sr.study(sr.endless), tmp_path, workers=1, patience=1.0)
    assert "the same command goes on from there" in str(stop.value)
    sr.wait_until(lambda: not _children(), "worker processes outlive a study")


class _Deadly:
    """A place where every batch dies."""

    def __init__(self) -> None:
        self.held: list[Any] = []

    def threads(self) -> int:
        return 2

    def submit(self, batch: Any) -> None:
        self.held.append(batch)

    def collect(self, timeout: float) -> list[Returned]:
        return [Returned(self.held.pop(0), died=True)]


def test_a_place_where_everything_dies_is_given_up(tmp_path: Path) -> None:
    study = sr.study(replicates=1000)
    with open_ledger(study, tmp_path) as book, pytest.raises(StudyStoppedError, match="12 batches"):
        drive(study, _Deadly(), book, silent, 60)


class _Fickle(_Deadly):
    """A place that loses batches, does some in part, and returns them in another order."""

    def __init__(self, pack: bytes) -> None:
        super().__init__()
        self.pack, self.rng = pack, np.random.default_rng(1)

    def collect(self, timeout: float) -> list[Returned]:
        batch = self.held.pop(self.rng.integers(len(self.held)))
        if self.rng.random() < 0.3:
            return [Returned(batch, died=bool(self.rng.random() < 0.3))]
        seconds = self.rng.choice([0.0, np.inf])
        return [Returned(batch, work(self.pack, batch, seconds))]


def test_no_order_of_work_changes_the_table(tmp_path: Path) -> None:
    study = sr.study(replicates=60)
    with open_ledger(study, tmp_path) as book:
        drive(study, _Fickle(packed(study)), book, silent, 60)
        table = book.table()
    died = table["failure"].str.startswith("WorkerDied").fillna(False).astype(bool)
    assert died.sum() < 5
    pd.testing.assert_frame_equal(table[~died], by_hand(study)[~died], check_exact=True)


def test_a_worker_number_that_cannot_be(tmp_path: Path) -> None:
    for options in ({"workers": -1}, {"workers": 2, "scheduler": "tcp://127.0.0.1:1"}):
        with pytest.raises(InputError, match="--workers"):
            run_study(sr.study(), tmp_path / "new", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


# A killed driver

DRIVER = textwrap.dedent(
    """
    import json, os, signal, sys
    from multiprocessing import active_children
    from pathlib import Path
    import study_replicates as sr
    from mnbayes.studies import ledger
    from mnbayes.studies.run import run_study

    def main(folder, how):
        gate, whole, writes = Path(folder, "gate"), ledger._write_all, []
        def end(number):
            children = [child.pid for child in active_children()]
            Path(folder, "children.json").write_text(json.dumps(children))
            os.kill(os.getpid(), number)
        def torn(file, data):
            writes.append(len(data))
            if len(writes) == 2:
                whole(file, data[: len(data) // 2])
                os.fsync(file.fileno())
                end(signal.SIGKILL)
            whole(file, data)
        def held(file, data):
            whole(file, data)
            gate.touch()  # from now on replicates wait for the end of this process
        begun = []
        def news(name, stage, done, total):
            begun.append(done)
            if how != "torn" and begun[0] < done:
                end(signal.Signals[how])
        ledger._write_all = torn if how == "torn" else held
        run_study(sr.study(replicates=300, gate=gate), folder, workers=1, news=news)

    if __name__ == "__main__":
        # A shell's background job, and so the tests that run in one, ignores it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main(*sys.argv[1:])
    """
)


def test_a_killed_driver_loses_and_repeats_nothing(tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(DRIVER)
    gate = tmp_path / "gate"
    study = sr.study(replicates=300, gate=gate)
    counts = [0]
    for how in ("SIGKILL", "torn", "SIGINT"):
        gate.unlink(missing_ok=True)
        command = [sys.executable, str(tmp_path / "driver.py"), str(tmp_path), how]
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=sr.GIVEN_UP
        )
        assert ended.returncode == (-signal.SIGINT if how == "SIGINT" else -signal.SIGKILL)
        counts.append(len(read_ledger(tmp_path)))
        assert counts[-2] < counts[-1] < study.total
        _await_end(json.loads((tmp_path / "children.json").read_text()))
    gate.unlink()
    table = run_study(study, tmp_path, workers=0)
    assert_as_by_hand(table, study)
    pd.testing.assert_frame_equal(read_ledger(tmp_path), table)


def _await_end(pids: list[int]) -> None:
    assert pids
    sr.wait_until(
        lambda: not any(Path(f"/proc/{pid}/cmdline").exists() and _alive(pid) for pid in pids),
        "worker processes outlive their driver",
    )


def _alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


# A Dask cluster


class _Dask:
    """A scheduler and workers as processes on loopback."""

    worker_path = TESTS  # where workers find modules, besides installed ones

    def __init__(self, folder: Path, workers: int) -> None:
        self.file = folder / "scheduler.json"
        self.folder = folder
        scheduler = ("--port", "0", "--no-dashboard", "--no-show")
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", *scheduler)
        self.workers = [self.add_worker() for _ in range(workers)]
        sr.wait_until(self._listens, "the scheduler does not say where it is")
        self.address = str(json.loads(self.file.read_text())["address"])

    def _listens(self) -> bool:
        assert self.scheduler.poll() is None, (self.folder / "scheduler.log").read_text()[-2000:]
        return self.file.exists() and self.file.read_text().endswith("}")

    def add_worker(self) -> subprocess.Popen[bytes]:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
        return self._start("worker", "--host", "127.0.0.1", *options)

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}"]
        command += ["--scheduler-file", str(self.file), *options]
        path = self.worker_path if what == "worker" else TESTS
        paths = os.pathsep.join(filter(None, (str(path), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        with (self.folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log
            )

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
        for process in (*self.workers, self.scheduler):
            process.wait(sr.GIVEN_UP)


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Dask]:
    started = _Dask(tmp_path_factory.mktemp("dask"), workers=2)
    yield started
    started.close()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine has time to answer."""
    for name in ("CONNECT", "JOIN", "ANSWER"):
        monkeypatch.setattr(f"mnbayes.studies.cluster.{name}", sr.GIVEN_UP)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.xdist_group("dask")
def test_a_cluster_of_other_versions_is_refused(
    dask: _Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "versions", lambda: {"numpy": "0.1"})
    with pytest.raises(InputError, match=r"found numpy .*; expected numpy 0\.1, as where"):
        run_study(sr.study(), tmp_path / "new", scheduler=dask.address)
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("unhurried")
@pytest.mark.xdist_group("dask")
def test_a_cluster_gives_the_numbers_of_a_loop_though_a_worker_is_killed(
    dask: _Dask, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    study = sr.study(replicates=300, gate=gate)
    killed: list[int | None] = []

    def news(name: str, stage: str, done: int, total: int) -> None:
        waiting = sr.waiting_at(gate)
        for victim in dask.workers:
            if not killed and victim.pid in waiting:
                victim.kill()
                killed.append(victim.wait(sr.GIVEN_UP))
                gate.unlink()

    table = run_study(study, tmp_path, scheduler=dask.address, news=news)
    assert killed == [-signal.SIGKILL]
    assert_as_by_hand(table, study)


@pytest.mark.xdist_group("dask")
def test_a_cluster_that_goes_away_is_said(
    tmp_path: Path, dask: _Dask, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Last of the tests with this cluster: it ends here.
    gate, whole_write = tmp_path / "gate", ledger._write_all
    study = sr.study(replicates=300, gate=gate)

    def held(file: Any, data: bytes) -> None:
        whole_write(file, data)
        gate.touch()  # from now on replicates wait

    def news(name: str, stage: str, done: int, total: int) -> None:
        if done > 0:
            dask.scheduler.kill()

    monkeypatch.setattr(ledger, "_write_all", held)
    with pytest.raises(StudyStoppedError, match=r"went away.*the same command goes on from there"):
        run_study(study, tmp_path, scheduler=dask.address, news=news, patience=sr.GIVEN_UP)
    assert 0 < len(read_ledger(tmp_path)) < study.total


NO_MNBAYES = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mnbayes":
            raise ModuleNotFoundError("No module named 'mnbayes'")

sys.meta_path.insert(0, Nothing())
"""


@pytest.mark.usefixtures("unhurried")
def test_workers_without_mnbayes_are_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_MNBAYES)
    monkeypatch.setattr(_Dask, "worker_path", tmp_path)
    cluster = _Dask(tmp_path, workers=1)
    try:
        with pytest.raises(InputError, match=r"found .*ModuleNotFoundError.*mnbayes.*; expected"):
            run_study(sr.study(), tmp_path / "new", scheduler=cluster.address)
    finally:
        cluster.close()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("address", ["nonsense", "", "tcp://127.0.0.1:1", "http://127.0.0.1:80"])
def test_a_wrong_address_is_said_and_nothing_written(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnbayes.studies.cluster.CONNECT", 0.5)
    with pytest.raises(InputError, match="expected the address of a running Dask scheduler"):
        run_study(sr.study(), tmp_path / "new", scheduler=address)
    assert not (tmp_path / "new").exists()
