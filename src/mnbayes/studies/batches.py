"""What a worker does: a batch of replicates, each from its own random stream."""

from __future__ import annotations

import hashlib
import pickle
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import cloudpickle
import numpy as np

from mnbayes.base.problems import InputError, Problem, few
from mnbayes.studies.records import record
from mnbayes.studies.study import KINDS, Batch, Study, versions

_PACKAGE = Path(__file__).parents[1]
_seen: dict[str, tuple[str, str]] = {}  # modules of mnbayes: path and hash when first seen

_LONGEST = 500  # characters of an error's message that are kept


class Outcome(NamedTuple):
    """What came of a batch.

    Attributes
    ----------
    payload : bytes
        The replicates that were done, as the ledger keeps them.
    done : int
        How many: the first ones of the batch.
    """

    payload: bytes
    done: int


class _Unpacked(NamedTuple):
    versions: Mapping[str, str]
    code: Mapping[str, str]
    study: bytes


def packed(study: Study) -> bytes:
    """A study as bytes that a worker can load, with the versions and the code it is made for."""
    return pickle.dumps(_Unpacked(versions(), _code(), cloudpickle.dumps(study)))


def differences(pack: bytes) -> list[tuple[str, str]]:
    """What keeps this process from a study: what was found, and what was expected instead.

    Versions of packages, and the code of those modules of mnbayes that are loaded here.
    """
    wanted = _unpacked(pack)
    found = [
        (f"{name} {versions().get(name)}", f"{name} {value}")
        for name, value in wanted.versions.items()
        if versions().get(name) != value
    ]
    try:
        _loaded(pack)
    except (ImportError, AttributeError) as error:
        found.append((f"{type(error).__name__}: {error}", "a study that the worker can load"))
    if other := sorted(
        path for path, digest in _loaded_code().items() if wanted.code.get(path) != digest
    ):
        found.append((f"other code in mnbayes: {few(other, 3)}", "the same code"))
    return found


def present() -> None:
    """Nothing: a scheduler that can call this can read what is sent through it."""


@lru_cache(maxsize=4)
def _unpacked(pack: bytes) -> _Unpacked:
    unpacked: _Unpacked = pickle.loads(pack)
    return unpacked


@lru_cache(maxsize=4)
def _loaded(pack: bytes) -> Study:
    loaded: Study = cloudpickle.loads(_unpacked(pack).study)
    return loaded


@cache
def _code() -> Mapping[str, str]:
    """A hash of every module of mnbayes, by its path in the package, as first seen here."""
    return {
        path.relative_to(_PACKAGE).as_posix(): _digest(path)
        for path in sorted(_PACKAGE.rglob("*.py"))
    }


def _loaded_code() -> Mapping[str, str]:
    """As :func:`_code`, of the modules that this process has loaded.

    A module's file is read when it is first seen here: what is loaded does not change with it.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("mnbayes.") and name not in _seen:
            path = Path(str(module.__file__))
            _seen[name] = (path.relative_to(_PACKAGE).as_posix(), _digest(path))
    return dict(_seen.values())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def one(study: Study, cell: int, replicate: int) -> dict[str, Any]:
    """Values of one replicate, by column; for a failed one, its error.

    Raises
    ------
    Exception
        Whatever the replicate function raises.
    TypeError, ValueError
        If its result is not one value of the stated kind for each column.
    """
    stream = study.stream(cell, replicate)
    values = study.replicate(stream, study.cells[cell].parameters)
    if values.keys() != study.columns.keys():
        odd = sorted(values.keys() ^ study.columns.keys())
        raise ValueError(f"the result and the study's columns differ in {', '.join(odd)}")
    return {name: _CHECKED[kind](name, values[name]) for name, kind in study.columns.items()}


def work(pack: bytes, batch: Batch, seconds: float = np.inf) -> Outcome:
    """Do the replicates of a batch in order, at least one, until the time is over.

    Parameters
    ----------
    pack : bytes
        The study, from :func:`packed`.
    batch : tuple of Run
    seconds : float
        No further replicate is begun after these. That keeps batches short whatever a replicate
        takes, and bounds what a killed worker loses.

    Raises
    ------
    InputError
        If this process has other versions or other code than where the study was started.
    """
    _check(pack)
    outcome = _work(_loaded(pack), batch, seconds)
    _check(pack)  # again: a replicate may have loaded more modules
    return outcome


def work_here(study: Study, batch: Batch) -> Outcome:
    """Do the replicates of a batch with what this process has: it is not sent anywhere."""
    return _work(study, batch, np.inf)


def _check(pack: bytes) -> None:
    if found := differences(pack):
        raise InputError(Problem("worker", None, None, *each) for each in found)


def _work(study: Study, batch: Batch, seconds: float) -> Outcome:
    started = perf_counter()
    rows: list[tuple[int, int, dict[str, Any], str | None]] = []
    for run in batch:
        for replicate in range(run.start, run.stop):
            if rows and perf_counter() - started > seconds:
                return Outcome(record(study.columns, rows), len(rows))
            rows.append((run.cell, replicate, *_attempt(study, run.cell, replicate)))
    return Outcome(record(study.columns, rows), len(rows))


def _attempt(study: Study, cell: int, replicate: int) -> tuple[dict[str, Any], str | None]:
    # Whatever goes wrong in a replicate is a result of the study: a method that fails on one
    # cohort in a hundred must not look as though it had seen ninety-nine.
    try:
        return one(study, cell, replicate), None
    except (Exception, SystemExit) as error:
        # An address in memory differs from process to process and says nothing.
        message = re.sub(r"\b0x[0-9a-fA-F]+", "0x…", str(error))[:_LONGEST]
        message = message.encode(errors="replace").decode()  # half a surrogate pair has no bytes
        return {}, f"{type(error).__name__}: {message}"


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic | np.ndarray) else value


def _checked(kind: type, *accepted: type) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        plain = _plain(value)
        if plain is None:
            return None
        if type(plain) is not kind and type(plain) not in accepted:
            raise TypeError(f"{name} is a {type(plain).__name__}, not a {KINDS[kind]}")
        if kind is int and not -(2**63) <= plain < 2**63:
            raise ValueError(f"{name} needs more than 64 bits")
        if kind is str:
            plain.encode()  # what cannot be stored is an error here, not in the ledger
        return kind(plain)

    return check


_CHECKED: dict[type, Callable[[str, Any], Any]] = {
    float: _checked(float, int),
    int: _checked(int),
    bool: _checked(bool),
    str: _checked(str),
}
