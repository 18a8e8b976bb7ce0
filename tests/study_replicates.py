"""Replicate functions of studies, in a module that worker processes can import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from mnbayes.studies.study import Cell, Study

COLUMNS = {"mean": float, "largest": int, "above": bool, "label": str}


def means(stream: np.random.SeedSequence, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Mean of some normal draws; one replicate in about fifty fails."""
    rng = np.random.default_rng(stream)
    draws = rng.normal(size=parameters["n"])
    if draws[0] > 2:
        raise ArithmeticError(f"first draw {draws[0]:.3f} of {object()}")
    if seconds := parameters.get("seconds"):
        time.sleep(float(seconds))
    mean = draws.mean()
    label = "é" if mean > 0 else ""
    return {"mean": mean, "largest": int(draws.argmax()), "above": mean > 0, "label": label}


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
    replicate: Any = means, replicates: int = 40, seconds: float = 0.0, seed: int = 3
) -> Study:
    cells = tuple(Cell({"n": n, "seconds": seconds}, replicates) for n in (4, 8, 40))
    return Study("means", replicate, COLUMNS, cells, seed, {"card": "abc"})
