"""Limits beyond which no patient is found (``data/physiological_limits.csv``).

They judge priors before any fit and enter no model. They are narrower than the ranges of
:mod:`mnbayes.data.markers`, which are there to catch a wrong unit in a file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.base.resources import physiological_limits_file
from mnbayes.data.markers import MARKERS

COLUMNS = ("marker", "lower", "upper", "unit", "why", "source")


@dataclass(frozen=True)
class Limits:
    """What a marker can be in a patient.

    Attributes
    ----------
    lower, upper : float
        In the marker's canonical unit.
    why, source : str
    """

    lower: float
    upper: float
    why: str
    source: str


def read_limits(path: Path) -> dict[str, Limits]:
    """Read limits from a CSV file.

    Parameters
    ----------
    path : Path
        A table with the columns :data:`COLUMNS`, bounds in the markers' canonical units.

    Returns
    -------
    dict
        Marker to limits.

    Raises
    ------
    InputError
        With every problem: a missing column, an unknown or repeated marker, another unit, bounds
        that are not ``0 < lower < upper``.
    """
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError([Problem(path.name, 1, n, "no such column", n) for n in missing])
    limits: dict[str, Limits] = {}
    problems: list[Problem] = []
    for row in reader:
        cells = {name: (row[name] or "").strip() for name in COLUMNS}
        wrong = _wrong(cells, limits)
        if wrong:
            column, expected = wrong
            found = quoted(cells[column])
            problems.append(Problem(path.name, reader.line_num, column, found, expected))
            continue
        limits[cells["marker"]] = Limits(
            float(cells["lower"]), float(cells["upper"]), cells["why"], cells["source"]
        )
    if problems:
        raise InputError(problems)
    return limits


def _wrong(cells: Mapping[str, str], known: Mapping[str, Limits]) -> tuple[str, str] | None:
    """The first cell of a row that cannot be used, and what was expected there."""
    marker = cells["marker"]
    if marker not in MARKERS:
        return "marker", f"one of {', '.join(MARKERS)}"
    if marker in known:
        return "marker", "each marker once"
    if cells["unit"] != MARKERS[marker].unit:
        return "unit", MARKERS[marker].unit
    bounds = []
    for name in ("lower", "upper"):
        try:
            bounds.append(float(cells[name]))
        except ValueError:
            return name, "a number"
    if not 0 < bounds[0] < bounds[1] < float("inf"):
        return "upper", "0 < lower < upper"
    return None


@cache
def physiological_limits() -> Mapping[str, Limits]:
    """The limits that mnbayes brings, by marker."""
    return read_limits(physiological_limits_file())
