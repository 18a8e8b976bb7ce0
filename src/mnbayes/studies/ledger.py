"""The ledger of a study: every replicate and every failure, once, through any kill.

The file ``study.ledger`` in the study's folder only grows. Its first frame says which study it is
of, each later one holds a record of replicates (:mod:`~mnbayes.studies.frames`,
:mod:`~mnbayes.studies.records`). Only the process that drives the study writes it, under a lock,
and what :meth:`Ledger.append` has returned from is on the disk. A frame that a kill has torn is cut
off when the ledger is next opened; its replicates are done again, with the same numbers.
"""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.studies.frames import MARK, frame_follows, framed, whole_frames
from mnbayes.studies.identity import LEDGER, check_same, header, read_header, unusable
from mnbayes.studies.records import as_frame, check_places, joined, places, read_records
from mnbayes.studies.study import Run, Study

LOCK = "study.lock"


class _Stored(NamedTuple):
    identity: dict[str, Any]
    records: Any  # pyarrow.Table
    end: int  # of the whole frames in the file


def read_ledger(folder: Path) -> pd.DataFrame:
    """All replicates that a study's ledger holds, while it runs or afterwards.

    Returns
    -------
    DataFrame
        As :func:`mnbayes.studies.run.run_study` returns it.

    Raises
    ------
    InputError
        If the folder has no ledger, or a damaged one.
    """
    stored = _read(folder)
    if stored is None:
        found = f"no {LEDGER} in {folder}"
        raise InputError([Problem(LEDGER, None, None, found, "the folder of a study")])
    return as_frame(stored.records, stored.identity["cells"])


class Ledger:
    """A study's ledger, open for reading and appending; made by :func:`open_ledger`."""

    def __init__(self, study: Study, file: io.FileIO | None, stored: _Stored) -> None:
        self._study = study
        self._file = file
        self._records = stored.records
        self._new: list[bytes] = []
        self._end = stored.end
        self._done = [np.zeros(cell.replicates, dtype=bool) for cell in study.cells]
        self.failed = 0
        self._note(stored.records)

    @property
    def count(self) -> int:
        """Replicates of the study that are recorded, failures among them."""
        return int(sum(np.count_nonzero(each) for each in self._done))

    def missing(self) -> list[Run]:
        """The replicates of the study that are not recorded yet, in order."""
        runs = []
        for cell, done in enumerate(self._done):
            edges = np.flatnonzero(np.diff(np.concatenate(([True], done, [True]))))
            runs += [Run(cell, int(a), int(b)) for a, b in edges.reshape(-1, 2)]
        return runs

    def append(self, records: Sequence[bytes]) -> None:
        """Record batches of replicates; they are on the disk when this returns.

        Parameters
        ----------
        records : sequence of bytes
            From :func:`mnbayes.studies.records.record`.

        Raises
        ------
        RuntimeError
            If a replicate is recorded already: a defect of the program.
        OSError
            If the disk does not take it. The file is then as it was before.
        """
        if self._file is None:
            raise RuntimeError("this ledger is open for reading only")
        self._note(read_records(_kinds(self._study.identity), records))
        data = b"".join(framed(each) for each in records)
        try:
            _write_all(self._file, data)
            os.fsync(self._file.fileno())
        except BaseException:
            # A full disk, or Ctrl-C in the middle of the write.
            with suppress(OSError):
                self._file.truncate(self._end)
                self._file.seek(self._end)
            raise
        self._end += len(data)
        self._new += records

    def table(self) -> pd.DataFrame:
        """The study's replicates so far, in the order of cells and replicates."""
        identity = self._study.identity
        everything = joined(self._records, read_records(_kinds(identity), self._new))
        counts = [cell.replicates for cell in self._study.cells]
        return as_frame(everything, identity["cells"], counts)

    def _note(self, records: Any) -> None:
        cells, replicates = places(records)
        failed = ~records["failure"].is_null().to_numpy()
        for cell, done in enumerate(self._done):
            # A longer study may have been recorded than is asked for now.
            here = (cells == cell) & (replicates < len(done))
            numbers = replicates[here]
            if done[numbers].any() or len(np.unique(numbers)) < len(numbers):
                raise RuntimeError(f"replicates of cell {cell} recorded twice")
            done[numbers] = True
            self.failed += int(np.count_nonzero(failed[here]))


def peek(study: Study, folder: Path) -> Ledger:
    """What a study's ledger holds; nothing is made or locked.

    Raises
    ------
    InputError
        As :func:`open_ledger`.
    """
    if folder.exists() and not folder.is_dir():
        found = f"{folder}, which is a file"
        raise InputError([Problem("--out", None, None, found, "a folder for the study")])
    stored = _read(folder)
    if stored is None:
        return Ledger(study, None, _empty(study))
    check_same(study, stored.identity)
    return Ledger(study, None, stored)


@contextmanager
def open_ledger(study: Study, folder: Path) -> Iterator[Ledger]:
    """Open a study's ledger for appending, or begin one.

    Parameters
    ----------
    study : Study
    folder : Path
        Made if it is not there.

    Yields
    ------
    Ledger

    Raises
    ------
    InputError
        If another process is writing it, if it is of another study or of other versions of the
        packages (each difference is listed), or if it is damaged before its end.
    OSError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        # The lock is what counts; this only tells a second driver whom it is waiting for.
        with suppress(OSError):
            (folder / LOCK).write_text(f"process {os.getpid()} on {socket.gethostname()}\n")
        stored = _read(folder)
        if stored is None:
            stored = _begin(study, folder)
        check_same(study, stored.identity)
        with (folder / LEDGER).open("r+b", buffering=0) as file:
            assert isinstance(file, io.FileIO)
            file.truncate(stored.end)  # of a record torn by a kill
            file.seek(stored.end)
            yield Ledger(study, file, stored)


def refuse_busy(folder: Path) -> None:
    """Refuse a folder that another process is writing a ledger in; make nothing.

    Raises
    ------
    InputError
    """
    if (folder / LOCK).exists():
        with _locked(folder):
            pass


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError([_busy(folder)]) from None
    # The file stays: where it is removed, two processes may lock two files of one name.
    try:
        yield
    finally:
        lock.release()


def _busy(folder: Path) -> Problem:
    holder = ""
    with suppress(OSError):
        holder = (folder / LOCK).read_text().strip()
    found = f"{folder}, which {holder or 'another process'} is writing"
    return Problem("--out", None, None, found, "a study that no other process is running")


def _begin(study: Study, folder: Path) -> _Stored:
    """Write a ledger without replicates; it is there whole or not at all."""
    data = framed(header(study))
    temporary = folder / f".{LEDGER}.new"
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / LEDGER)
    if os.name == "posix":  # the name of the file must outlive a power cut too
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    return _empty(study)._replace(end=len(data))


def _empty(study: Study) -> _Stored:
    identity = study.identity
    return _Stored(identity, read_records(_kinds(identity), []), 0)


def _read(folder: Path) -> _Stored | None:
    """A ledger's content; None where there is none, or none of whose frames is whole."""
    try:
        data = (folder / LEDGER).read_bytes()
    except FileNotFoundError:
        return None
    payloads, end = whole_frames(data)
    if end < len(data) and frame_follows(data, end):
        found = f"damage at byte {end:,} with whole records behind it"
        raise unusable(found, "a ledger that nothing but a study has written to")
    if not payloads:
        if not data.startswith(MARK[: len(data)]):
            raise unusable("a file of another kind", "the ledger of a study")
        return None
    identity = read_header(bytes(payloads[0]))
    try:
        records = read_records(_kinds(identity), payloads[1:])
        check_places(records, len(identity["cells"]))
    except ValueError as error:
        raise unusable(quoted(error), "records of replicates of the study") from error
    return _Stored(identity, records, end)


def _kinds(identity: Mapping[str, Any]) -> dict[str, str]:
    return dict(identity["columns"])


def _write_all(file: io.FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
