"""Ranges of healthy people, each with its source (``data/reference_ranges.csv``).

They orient a reader and enter no model: being inside or outside one is no response.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.base.resources import reference_ranges_file
from mnbayes.data.markers import MARKERS
from mnbayes.data.units import UnitError, conversion

COLUMNS = ("marker", "lower", "upper", "unit", "coverage", "population", "source")
PLACE_COLUMNS = ("marker", "week", "measured", "inside", "below", "above", "undecided")


@dataclass(frozen=True)
class ReferenceRange:
    """The central range of a marker in healthy people.

    Attributes
    ----------
    marker : str
    lower, upper : float
        In the marker's canonical unit.
    coverage : float
        Share of that population inside, 0.95 for the usual range.
    population, source : str
        Who was measured, and where that is written.
    """

    marker: str
    lower: float
    upper: float
    coverage: float
    population: str
    source: str

    @property
    def text(self) -> str:
        """The range as a sentence, with population and source."""
        unit = MARKERS[self.marker].unit
        return (
            f"{self.lower:g} to {self.upper:g} {unit}, {100 * self.coverage:g} % range of "
            f"{self.population} ({self.source})"
        )


def read_reference_ranges(path: Path) -> dict[str, ReferenceRange]:
    """Read reference ranges from a CSV file.

    Parameters
    ----------
    path : Path
        A table with the columns :data:`COLUMNS`. A row without a source is passed over: a range
        that nobody vouches for is not drawn.

    Returns
    -------
    dict
        Marker to range, in canonical units.

    Raises
    ------
    InputError
        With every problem: an unknown or repeated marker, a bound or coverage that is not a
        number in range, crossed bounds, a unit that does not convert.
    """
    text = path.read_text(encoding="utf-8-sig")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError([Problem(path.name, 1, n, "no such column", f"{n}") for n in missing])
    ranges: dict[str, ReferenceRange] = {}
    problems: list[Problem] = []
    for row in reader:
        cells = {name: (row[name] or "").strip() for name in COLUMNS}
        if not cells["source"]:
            continue
        try:
            ranges |= {cells["marker"]: _range(cells, ranges)}
        except _CellError as error:
            column, expected = error.args
            found = quoted(cells[column])
            problems.append(Problem(path.name, reader.line_num, column, found, expected))
    if problems:
        raise InputError(problems)
    return ranges


class _CellError(ValueError):
    """A cell that cannot be used: its column and what was expected."""


def _range(cells: Mapping[str, str], known: Mapping[str, object]) -> ReferenceRange:
    marker = cells["marker"]
    if marker not in MARKERS:
        raise _CellError("marker", f"one of {', '.join(MARKERS)}")
    if marker in known:
        raise _CellError("marker", "each marker once")
    numbers = {}
    for name in ("lower", "upper", "coverage"):
        try:
            numbers[name] = float(cells[name])
        except ValueError:
            raise _CellError(name, "a number") from None
    if not 0 < numbers["lower"] < np.inf:
        raise _CellError("lower", "a bound above 0")
    if not numbers["lower"] < numbers["upper"] < np.inf:
        raise _CellError("upper", "a bound above lower")
    if not 0 < numbers["coverage"] < 1:
        raise _CellError("coverage", "a share between 0 and 1")
    try:
        factor = conversion(cells["unit"], MARKERS[marker])
    except UnitError as error:
        raise _CellError("unit", str(error)) from error
    lower, upper = (numbers[name] * factor.multiply / factor.divide for name in ("lower", "upper"))
    return ReferenceRange(
        marker, lower, upper, numbers["coverage"], cells["population"], cells["source"]
    )


@cache
def reference_ranges() -> Mapping[str, ReferenceRange]:
    """The ranges that mnbayes brings, by marker."""
    return read_reference_ranges(reference_ranges_file())


def placed(
    measurements: pd.DataFrame, ranges: Mapping[str, ReferenceRange], weeks: tuple[float, ...]
) -> pd.DataFrame:
    """Count patients inside, below and above the ranges, as measured.

    Parameters
    ----------
    measurements : DataFrame
        Of a :class:`~mnbayes.data.cohort.Cohort`; one row for each patient, week and marker.
    ranges : mapping
        Marker to range; the bounds belong to it.
    weeks : tuple of float

    Returns
    -------
    DataFrame
        Columns :data:`PLACE_COLUMNS`, one row for each marker and week, markers in the order of
        ``ranges``. ``measured`` is the sum of the other four; ``undecided`` counts censored
        values whose interval reaches over a bound.
    """
    rows = []
    for marker, given in ranges.items():
        for week in weeks:
            at = (measurements["marker"] == marker) & (measurements["week"] == week)
            part = measurements.loc[at]
            low = part["value"].fillna(part["lower"])
            high = part["value"].fillna(part["upper"])
            # A censored value lies strictly between its bounds, an exact one on both.
            exact = part["value"].notna()
            below = (high < given.lower) | (~exact & (high == given.lower))
            above = (low > given.upper) | (~exact & (low == given.upper))
            inside = (low >= given.lower) & (high <= given.upper)
            counts = [int(which.sum()) for which in (inside, below, above)]
            rows.append((marker, week, len(part), *counts, len(part) - sum(counts)))
    return pd.DataFrame(rows, columns=list(PLACE_COLUMNS)).astype({"marker": "str"})
