"""Replicate functions of studies, in a module that worker processes can import.

A test that kills something makes it wait to be killed, at a gate: a file.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mnbayes.studies.study import Cell, Study

#: Seconds after which whoever waits gives up: they only turn a hang into a failure.
GIVEN_UP = 900.0

COLUMNS = {"mean": float, "largest": int, "above": bool, "label": str}


def means(stream: np.random.SeedSequence, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Mean of some normal draws; one replicate in about fifty fails."""
    rng = np.random.default_rng(stream)
    draws = rng.normal(size=parameters["n"])
    if draws[0] > 2:
        raise ArithmeticError(f"first draw {draws[0]:.3f} of {object()}")
    if gate := parameters.get("gate"):
        wait_at(Path(gate))
    if seconds := parameters.get("seconds"):
        time.sleep(float(seconds))
    mean = draws.mean()
    label = "é" if mean > 0 else ""
    return {"mean": mean, "largest": int(draws.argmax()), "above": mean > 0, "label": label}


def wait_at(gate: Path) -> None:
    """Wait for as long as the gate is there; a file beside it says which process waits."""
    if gate.exists():
        gate.with_name(f"{gate.name}.{os.getpid()}").touch()
        wait_until(lambda: not gate.exists(), "the gate was never taken away")


def waiting_at(gate: Path) -> list[int]:
    """Processes that have waited at a gate."""
    return [int(path.suffix[1:]) for path in gate.parent.glob(f"{gate.name}.*")]


def wait_until(there: Callable[[], bool], otherwise: str) -> None:
    """Look until something is so.

    Raises
    ------
    TimeoutError
        After :data:`GIVEN_UP`.
    """
    deadline = time.monotonic() + GIVEN_UP
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.01)


def lethal(stream: np.random.SeedSequence, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """As `means`, but replicate 7 of each cell kills its process."""
    if stream.spawn_key[1] == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return means(stream, parameters)


def endless(stream: np.random.SeedSequence, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Never done."""
    while True:
        time.sleep(0.01)


def study(
    replicate: Any = means,
    replicates: int = 40,
    seconds: float = 0.0,
    seed: int = 3,
    gate: Path | None = None,
) -> Study:
    shared = {"seconds": seconds} | ({} if gate is None else {"gate": str(gate)})
    cells = tuple(Cell({"n": n, **shared}, replicates) for n in (4, 8, 40))
    return Study("means", replicate, COLUMNS, cells, seed, {"card": "abc"})
