"""A file's cells as they stand, with what a reader of spreadsheets would empty in silence."""

from __future__ import annotations

import csv
import datetime as dt
import io
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mnbayes.base.problems import InputError, Problem, did_you_mean, few, quoted

EXCEL = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
TEXT = (".csv", ".txt", ".tsv")
#: Cells of a sheet beyond which no clinic keeps its patients.
LARGEST = 20_000_000

type Cell = str | float | bool | dt.date | dt.time | dt.timedelta


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells of one sheet.

    Attributes
    ----------
    file : str
        Name of the file, and of its sheet where there are several.
    rows : list of list
        Cells by row, from the first of the sheet; "" is blank.
    merged : sequence of tuple
        First row and column, last row and column of merged cells, counted from 0.
    notes : list of str
        What was decided in reading.
    problems : list of Problem
        Cells that hold an error, or a formula without a value.
    """

    file: str
    rows: list[list[Cell]]
    merged: Sequence[tuple[int, int, int, int]] = ()
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def cell(self, row: int, column: int) -> Cell:
        """A cell, blank beyond the end of its row."""
        cells = self.rows[row]
        return cells[column] if column < len(cells) else ""


def letter(column: int) -> str:
    """Name of a column as spreadsheets have it: 0 is A."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def as_text(cell: object) -> str:
    """Text of a cell; a whole number carries no point, and no number noise of its 16th digit."""
    if isinstance(cell, str):
        return cell.strip()
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, (int, float)):
        if cell != cell:  # NaN is missing
            return ""
        return str(int(cell)) if float(cell).is_integer() and abs(cell) < 1e15 else f"{cell:.15g}"
    if isinstance(cell, dt.datetime):
        return (cell.date() if cell.time() == dt.time() else cell).isoformat()
    return cell.isoformat() if isinstance(cell, (dt.date, dt.time)) else str(cell)


def unreadable(file: str, found: str, expected: str) -> InputError:
    """The error of a file that cannot be read at all."""
    return InputError([Problem(file, None, None, found, expected)])


def read_text(path: Path, known: Iterable[str] = ()) -> Grid:
    """Cells of a text file, whatever its separator and encoding.

    Parameters
    ----------
    path : Path
    known : iterable of str
        Words that a header may have: of several encodings that fit, the one with most of them.
    """
    text, encoding = _decoded(path.name, path.read_bytes(), known)
    notes = [] if encoding == "UTF-8" else [f"read as {encoding}"]
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if not first:
        raise unreadable(path.name, "an empty file", "a table with a header line")
    separator = ","
    if lines[0].lower().startswith("sep=") and len(lines[0]) == 5:  # Excel's own line
        separator, text = lines[0][4], text.split("\n", 1)[-1]
    else:
        counted = {s: sum(line.count(s) for line in lines[:20]) for s in (";", "\t", ",")}
        # Decimal commas outnumber semicolons: a header's own separator counts.
        head = {s: max(line.count(s) for line in lines[:5]) for s in counted}
        separator = max(counted, key=lambda s: (min(head[s], 1), s != ",", counted[s]))
    if separator != ",":
        names = {";": "semicolons", "\t": "tabs"}
        notes.append(f"columns separated by {names.get(separator, separator)}")
    try:
        rows: list[list[Cell]] = [
            [cell.strip() for cell in line]
            for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        ]
    except csv.Error as error:
        raise unreadable(path.name, f"text that is not CSV ({error})", "cells in columns") from None
    return Grid(path.name, rows, notes=notes)


def _decoded(file: str, content: bytes, known: Iterable[str]) -> tuple[str, str]:
    for mark, codec, name in (
        (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
        (b"\xff\xfe", "utf-16", "UTF-16"),
        (b"\xfe\xff", "utf-16", "UTF-16"),
    ):
        if content.startswith(mark):
            try:
                return content.decode(codec), name
            except UnicodeDecodeError:
                raise unreadable(file, f"bytes that are not {name}", "a text file") from None
    fits = {}
    for codec, name in (("utf-8", "UTF-8"), ("cp1252", "Windows-1252"), ("gb18030", "GB 18030")):
        try:
            fits[name] = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if name == "UTF-8":
            break
    if not fits or any("\0" in text for text in fits.values()):
        raise unreadable(file, "bytes that are no text", "a CSV file, a workbook or an XPT file")
    words = [word for word in known if not word.isascii()]

    def hits(name: str) -> int:
        head = fits[name][:5000].casefold()
        return sum(word in head for word in words)

    best = max(fits, key=hits)
    return fits[best], best


def read_workbook(path: Path, sheet: str | None = None) -> Grid:
    """Cells of one sheet of a workbook (``.xlsx``, ``.xls``, ``.xlsb``, ``.ods``).

    Parameters
    ----------
    path : Path
    sheet : str, optional
        Name of the sheet; needed where several hold cells. One called "Instructions" is not read.
    """
    import python_calamine as calamine

    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            names = [n for n in book.sheet_names if n.casefold() != "instructions"]
            if sheet is not None and sheet not in book.sheet_names:
                near = did_you_mean(sheet, names)
                raise unreadable(path.name, f"no sheet {quoted(sheet)}", ", ".join(names) + near)
            found = {n: book.get_sheet_by_name(n) for n in ([sheet] if sheet else names)}
            filled = [name for name, each in found.items() if each.end is not None]
            if len(filled) != 1:
                listed = ", ".join(f'--sheet "{name}"' for name in filled)
                expected = f"the sheet to read: add {listed}" if filled else "a sheet with cells"
                raise unreadable(path.name, f"{len(filled)} sheets with cells", expected)
            (name,) = filled
            chosen = found[name]
            height, width = (number + 1 for number in chosen.end or (0, 0))
            if height * width > LARGEST:
                raise unreadable(path.name, f"{height:,} × {width:,} cells", "a smaller sheet")
            rows: list[list[Cell]] = [
                [cell.strip() if isinstance(cell, str) else cell for cell in row]
                for row in chosen.to_python(skip_empty_area=False)
            ]
            merged = [(*a, *b) for a, b in chosen.merged_cell_ranges or ()]
    except (calamine.CalamineError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise unreadable(path.name, quoted(error), "a workbook that opens") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of calamine's Rust, on a damaged file
            raise
        raise unreadable(path.name, "a damaged workbook", "a workbook that opens") from None
    grid = Grid(path.name if len(names) == 1 else f"{path.name} [{name}]", rows, merged)
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        grid.problems.extend(_silent_cells(path, name, grid))
    else:
        grid.notes.append(
            f"{path.suffix}: an error (#REF!) or a formula without a value cannot be told from a "
            "blank cell; saved as .xlsx they can"
        )
    return grid


def _silent_cells(path: Path, sheet: str, grid: Grid) -> list[Problem]:
    """Errors and formulas without a stored value, which a reader gives back as blank."""
    import openpyxl  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = path.read_bytes()
            cells = openpyxl.load_workbook(io.BytesIO(content))[sheet]
            values = openpyxl.load_workbook(io.BytesIO(content), data_only=True)[sheet]
    # Anything: openpyxl has no error of its own for a damaged part that calamine could read around.
    except Exception as error:
        grid.notes.append(f"not looked at for errors and formulas without a value ({error})")
        return []
    found: dict[str, list[tuple[int, str]]] = {}
    for row in cells.iter_rows():
        for cell in row:
            # A cell of type "e" holds an error; one of type "f" a formula, and its value is stored
            # beside it, unless the program that wrote the file never worked it out.
            if cell.data_type not in ("e", "f"):
                continue
            value = values.cell(cell.row, cell.column)
            if value.data_type == "e" or value.value is None:
                kind = f"the error {value.value}" if value.value else "a formula without a value"
                place = f"{letter(cell.column - 1)}{cell.row}"
                found.setdefault(kind, []).append((cell.row, place))
    return [
        Problem(
            grid.file,
            places[0][0] if len(places) == 1 else None,
            None,
            f"{kind} in {few([place for _, place in places], 12)}",
            "the value, or a blank cell"
            if kind.startswith("the error")
            else "values: open and save the file in a spreadsheet, or paste the values",
        )
        for kind, places in found.items()
    ]
