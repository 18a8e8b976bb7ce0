"""A study: what is repeated, in which cells, how often, from which seed."""

from __future__ import annotations

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np

type Scalar = float | int | bool | str | None
type Parameters = Mapping[str, Scalar]

#: From a replicate's random stream and its cell's parameters to one value for each column.
type Replicate = Callable[[np.random.SeedSequence, Parameters], Mapping[str, Any]]

#: What a column may hold; None (and NaN in a float) stands for no value.
KINDS: dict[type, str] = {float: "float", int: "int", bool: "bool", str: "str"}
#: Columns that a study's table has besides those of its cells and results.
OWN_COLUMNS = ("cell", "replicate", "failure")
#: Packages whose version may move a number.
_PACKAGES = ("mnbayes", "numpy", "scipy", "numba", "nutpie")


@dataclass(frozen=True)
class Cell:
    """One setting of a study.

    Attributes
    ----------
    parameters : mapping of str to float, int, bool, str or None
        What the replicate function is told; columns of the study's table.
    replicates : int
        How often it is repeated.
    """

    parameters: Parameters
    replicates: int


@dataclass(frozen=True)
class Study:
    """A function repeated many times in each of several cells.

    Replicate r of cell c draws from ``SeedSequence(seed).spawn(...)[c].spawn(...)[r]``, whoever
    computes it and when: the numbers depend neither on the workers nor on interruptions.

    Attributes
    ----------
    name : str
    replicate : callable
        ``replicate(stream, parameters)`` with a :class:`numpy.random.SeedSequence` and the cell's
        parameters; returns a mapping with exactly the names of `columns`. It must be one that
        other processes can load (a module's function, or a ``functools.partial`` of one), and
        must draw from `stream` alone. What it raises is recorded as a failed replicate.
    columns : mapping of str to type
        Results by name: ``float``, ``int``, ``bool`` or ``str``.
    cells : tuple of Cell
        At least one. More replicates may be asked for later; they are added to the ledger.
    seed : int
        Non-negative.
    depends : mapping of str to str, float or int
        Everything else that the numbers depend on: hashes of cards
        (:func:`mnbayes.studies.fingerprint.fingerprint`) and data, settings bound to
        `replicate`.

    Raises
    ------
    ValueError
        If a name is used twice, a kind of column is unknown, or a number is out of range.
    """

    name: str
    replicate: Replicate
    columns: Mapping[str, type]
    cells: tuple[Cell, ...]
    seed: int
    depends: Mapping[str, str | float | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parameters = {name for cell in self.cells for name in cell.parameters}
        used = Counter([*OWN_COLUMNS, *parameters, *self.columns])
        if repeated := sorted(name for name, count in used.items() if count > 1):
            raise ValueError(f"columns of a study named twice: {', '.join(repeated)}")
        if unknown := [name for name, kind in self.columns.items() if kind not in KINDS]:
            raise ValueError(f"columns of no known kind (float, int, bool, str): {unknown}")
        for cell in self.cells:
            for name, value in cell.parameters.items():
                if value is not None and type(value) not in KINDS:
                    raise ValueError(f"parameter {name} of a cell is a {type(value).__name__}")
        if not self.cells or self.seed < 0 or any(cell.replicates < 0 for cell in self.cells):
            raise ValueError("a study needs cells, a seed of at least 0 and counts of at least 0")

    @property
    def total(self) -> int:
        """Replicates of all cells."""
        return sum(cell.replicates for cell in self.cells)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides a replicate's numbers, as plain values.

        How many replicates are asked for is no part of it: the first thousand of ten thousand are
        the same as the thousand of a shorter study. Nor is the program's text, or where it stands:
        whether it still gives the recorded numbers is seen by repeating one
        (:func:`mnbayes.studies.rerun.check_numbers`).
        """
        function = getattr(self.replicate, "func", self.replicate)  # of a functools.partial
        return {
            "name": self.name,
            "function": function.__qualname__,
            "seed": self.seed,
            "columns": [[name, KINDS[kind]] for name, kind in self.columns.items()],
            "cells": [dict(cell.parameters) for cell in self.cells],
            "depends": dict(self.depends),
            "versions": dict(versions()),
        }

    @property
    def fingerprint(self) -> str:
        """SHA-256 of :attr:`identity`."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()

    def stream(self, cell: int, replicate: int) -> np.random.SeedSequence:
        """The random stream of one replicate."""
        return np.random.SeedSequence(self.seed, spawn_key=(cell, replicate))


class Run(NamedTuple):
    """Consecutive replicates of one cell: ``start`` to ``stop - 1``."""

    cell: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many replicates."""
        return self.stop - self.start


#: What is handed to a worker at once.
type Batch = tuple[Run, ...]


@cache
def versions() -> Mapping[str, str]:
    """Versions of Python and of the packages that may move a number, of this process."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found
