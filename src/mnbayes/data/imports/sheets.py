"""A clinic's sheet while it is read: its columns, its cells, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mnbayes.base.problems import few, quoted
from mnbayes.data.imports.draft import Draft, Options, Place
from mnbayes.data.imports.grids import Grid, as_text, letter
from mnbayes.data.imports.headers import Column
from mnbayes.data.imports.mapping import Mapping
from mnbayes.data.imports.values import (
    AmbiguousError,
    CellError,
    Value,
    decimal_sign,
    read_date,
    read_value,
)

#: Columns of numbers about a patient, and columns that say when a row is.
NUMBERS = ("age_years", "bmi", "infusions")
TIMES = ("visit", "week", "month", "day", "date")

#: A laboratory's mark behind a value that is out of its range.
_FLAG = re.compile(r"(?<=[0-9]) ?(?:[↑↓*]+|\(?[HL]\)?)$")
_FLAGS = "marks of a laboratory behind a value (↑ ↓ H L *) are dropped"


@dataclass
class Sheet:
    """A sheet while it is read."""

    grid: Grid
    mapping: Mapping
    options: Options
    draft: Draft
    columns: list[Column]
    start: int
    wrong: dict[tuple[str, str], list[tuple[int, Column, str]]] = field(default_factory=dict)

    def column(self, role: str) -> Column | None:
        """The first column of a role."""
        return next((c for c in self.columns if c.role == role), None)

    def place(self, row: int | None = None, column: Column | None = None) -> Place:
        """Where a cell, a column or the sheet is."""
        return Place(
            self.grid.file, None if row is None else row + 1, column.label if column else None
        )

    def refuse(
        self, row: int, column: Column, found: object, expected: str, kind: str = ""
    ) -> None:
        """Keep a cell that cannot be read; cells of one cause become one message."""
        self.wrong.setdefault((kind, expected), []).append((row, column, as_text(found)))

    @cached_property
    def decimal(self) -> str:
        """The decimal sign of texts; "?" where commas and points both are."""
        if self.options.decimal:
            return self.options.decimal
        used = {c.index for c in self.columns if c.markers}
        texts = [
            cell
            for row in self.grid.rows[self.start :]
            for i, cell in enumerate(row)
            if i in used and isinstance(cell, str)
        ]
        comma = decimal_sign(texts)
        point = decimal_sign([t.replace(",", "x").replace(".", ",") for t in texts])
        if comma:
            self.draft.notes.append("numbers with a decimal comma")
        return "?" if comma and point else comma

    def rows(self) -> Iterator[int]:
        """Rows below the header that hold anything."""
        for row in range(self.start, len(self.grid.rows)):
            if any(cell != "" for cell in self.grid.rows[row]):
                yield row


def values_of(
    sheet: Sheet, column: Column, rows: Sequence[tuple[int, str]], *, quiet: bool = False
) -> Iterator[tuple[int, str, Value]]:
    """Values of a column; cells that cannot be read are kept for later, unless `quiet`."""
    texts = [sheet.grid.cell(row, column.index) for row, _ in rows]
    for (row, patient), cell in zip(rows, texts, strict=True):
        if isinstance(cell, str) and (flagged := _FLAG.search(cell)):
            cell = cell[: flagged.start()]
            if _FLAGS not in sheet.draft.notes:
                sheet.draft.notes.append(_FLAGS)
        try:
            value = read_value(cell, sheet.mapping.missing, sheet.decimal)
        except AmbiguousError as error:
            if not quiet:
                expected = f"a decimal sign that is known: add {error}"
                sheet.refuse(row, column, cell, expected, "ambiguous")
            continue
        except CellError as error:
            if not quiet:
                sheet.refuse(row, column, cell, str(error))
            continue
        if value is not None:
            yield row, patient, value
        elif not quiet and cell != "":
            sheet.draft.left_out[f"{quoted(as_text(cell))}, no value (not measured)"] += 1


def date_of(sheet: Sheet, row: int, column: Column) -> dt.date | None:
    """The date in a cell; None where it is blank, or wrong and kept for later."""
    cell = sheet.grid.cell(row, column.index)
    if as_text(cell).casefold() in sheet.mapping.missing:
        return None
    try:
        found = read_date(cell)
    except CellError as error:
        sheet.refuse(row, column, cell, str(error))
        return None
    if found is None:
        sheet.refuse(row, column, cell, "a date, as 2024-04-03")
    return found


def say_wrong(sheet: Sheet, kind: str, expected: str, cells: list[tuple[int, Column, str]]) -> None:
    """One message of all the cells with one cause."""
    row, column, found = cells[0]
    if len(cells) == 1:
        problem = sheet.place(row, column).problem(quoted(found), expected)
    else:
        named = few([f"{quoted(f)} in {letter(c.index)}{r + 1}" for r, c, f in cells], 8)
        problem = sheet.place().problem(f"{len(cells)} cells: {named}", expected)
    sheet.draft.problems.append(problem)
    if kind == "ambiguous":
        sheet.draft.answers.append('--decimal ","')
