"""CDISC data sets as columns: XPT (versions 5 and 8), CSV, Excel, Dataset-JSON and its NDJSON."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mnbayes.base.problems import few
from mnbayes.data.imports.grids import Grid, as_text, unreadable

#: A data set by columns that no other has, the first that fits.
KINDS = (
    ("ADAE", {"AEDECOD", "TRTEMFL"}),
    ("ADLB", {"PARAMCD", "AVAL"}),
    ("LB", {"LBTESTCD"}),
    ("CP", {"CPTESTCD"}),
    ("DS", {"DSDECOD"}),
    ("AE", {"AEDECOD"}),
    ("DM", {"RFSTDTC"}),
    ("DM", {"ARMCD"}),
    ("ADSL", {"USUBJID", "TRT01P"}),
    ("ADSL", {"USUBJID", "TRT01A"}),
    ("ADSL", {"USUBJID", "TRTSDT"}),
    ("ADSL", {"USUBJID", "AGE"}),
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A CDISC data set.

    Attributes
    ----------
    file : str
    columns : dict
        Cells by column, its name in capitals.
    first : int
        Line or record number of the first row.
    notes : list of str
    """

    file: str
    columns: dict[str, Sequence[object]]
    first: int = 1
    notes: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Which data set it is; blank where it is none that is read."""
        return next((name for name, needs in KINDS if needs <= set(self.columns)), "")

    @property
    def one_row_a_patient(self) -> bool:
        """Whether no patient has two rows."""
        patients = [patient for (patient,) in self.texts("USUBJID")]
        return len(patients) == len(set(patients))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def rows(self, *names: str) -> Iterator[tuple[object, ...]]:
        """Cells of some columns by row; blank where there is no such column."""
        blank = [""] * len(self)
        return zip(*(self.columns.get(name, blank) for name in names), strict=True)

    def texts(self, *names: str) -> Iterator[tuple[str, ...]]:
        """The same as text."""
        blank = [""] * len(self)
        columns = [
            list(map(as_text, self.columns[name])) if name in self.columns else blank
            for name in names
        ]
        return zip(*columns, strict=True)


def _refuse_twice(file: str, names: Sequence[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if twice:
        raise unreadable(file, f"{few(twice, 5)} more than once", "each column once")


def from_grid(grid: Grid) -> Dataset | None:
    """The data set of a sheet or CSV whose first row holds USUBJID; None of any other."""
    header = [as_text(cell).upper() for cell in grid.rows[0]] if grid.rows else []
    if "USUBJID" not in header:
        return None
    _refuse_twice(grid.file, header)
    body = [row for row in grid.rows[1:] if any(cell != "" for cell in row)]
    width = len(header)
    uneven = next((i for i, row in enumerate(grid.rows[1:], 2) if len(row) not in (0, width)), 0)
    if uneven:
        found = f"{len(grid.rows[uneven - 1])} cells in row {uneven}"
        raise unreadable(grid.file, found, f"{width} cells, as in the header")
    columns: dict[str, Sequence[object]] = {
        name: [row[i] for row in body] for i, name in enumerate(header) if name
    }
    return Dataset(grid.file, columns, 2, grid.notes)


def read_xpt(path: Path) -> Dataset:
    """A SAS transport file."""
    import pyreadstat

    notes: list[str] = []
    for encoding in (None, "WINDOWS-1252"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # of a column that comes twice
                columns, _ = pyreadstat.read_xport(path, output_format="dict", encoding=encoding)
        except UnicodeDecodeError:
            notes = ["text read as Windows-1252"]
            continue
        except (pyreadstat.ReadstatError, ValueError, OSError, ArithmeticError, Warning) as error:
            text = str(error)
            if "byte sequence" in text.casefold() and encoding is None:
                notes = ["text read as Windows-1252"]
                continue
            raise unreadable(path.name, text[:80], "a SAS transport file (.xpt)") from None
        names = [str(name).upper() for name in columns]
        _refuse_twice(path.name, names)
        cells = zip(names, map(list, columns.values()), strict=True)
        return Dataset(path.name, dict(cells), 1, notes)
    raise unreadable(path.name, "text in an unknown encoding", "UTF-8 or Windows-1252")


def read_json(path: Path) -> Dataset:
    """A Dataset-JSON 1.1 file, or its form of one JSON text a line (``.ndjson``)."""
    expected = "Dataset-JSON 1.1: columns with names, and rows"
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".ndjson":
            head, *rest = (json.loads(line) for line in text.splitlines() if line.strip())
            rows = rest
        else:
            head = json.loads(text)
            rows = head.get("rows", []) if isinstance(head, dict) else []
    except (ValueError, RecursionError) as error:
        raise unreadable(path.name, f"no JSON ({str(error)[:60]})", expected) from None
    try:
        names = [str(column["name"]).upper() for column in head["columns"]]
    except (TypeError, KeyError):
        raise unreadable(path.name, "no columns", expected) from None
    _refuse_twice(path.name, names)
    if not isinstance(rows, list):
        raise unreadable(path.name, "rows that are no list", expected)
    width = len(names)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != width:
            raise unreadable(path.name, f"record {number} of another length", f"{width} values")
        if any(isinstance(cell, (dict, list)) for cell in row):
            raise unreadable(path.name, f"a list or table in record {number}", "texts and numbers")
    if "records" in head and head["records"] != len(rows):
        found = f"{len(rows):,} rows where the file says {head['records']}"
        raise unreadable(path.name, found, "a whole file")
    columns: dict[str, Sequence[object]] = {
        name: [row[i] if row[i] is not None else "" for row in rows] for i, name in enumerate(names)
    }
    return Dataset(path.name, columns)
