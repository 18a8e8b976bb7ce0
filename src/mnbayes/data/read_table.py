"""Read one table of a cohort as text, every cell as it stands in the file.

Nothing is converted here: what is wrong can then be shown as it was found. CSV is the usual
form; Parquet and Excel are read where their engine is installed.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from mnbayes.base.csv_files import undone
from mnbayes.base.problems import Problem, quoted, row_problems
from mnbayes.base.untrusted_text import CONTROL, visible
from mnbayes.data.names import columns_meant

if TYPE_CHECKING:
    import pandas as pd

FORMS = (".csv", ".parquet", ".xlsx")
#: Lines in which a header is looked for below what somebody wrote above it.
_NEAR = 10

_Lines = Iterator[tuple[int, list[str]]]  # line in the file, its cells


@dataclass(frozen=True, eq=False)
class Table:
    """One table as text.

    Attributes
    ----------
    file : str
        Name of the file.
    content : bytes
        The file.
    header_row : int
        Line of the header, 1 unless blank lines come first.
    text : DataFrame
        Cells as text, without surrounding blanks; blank cells are "". The index is the line in
        the file.
    """

    file: str
    content: bytes
    header_row: int
    text: pd.DataFrame


class _UnreadableError(ValueError):
    """A file that is no table: what was found and what was expected."""

    def __init__(self, found: str, expected: str, row: int | None = None) -> None:
        super().__init__(found, expected, row)
        self.found, self.expected, self.row = found, expected, row


def read_table(
    folder: Path,
    name: str,
    *,
    optional: bool = False,
    columns: Sequence[str] = (),
    required: Sequence[str] = (),
) -> tuple[Table | None, list[Problem]]:
    """Read ``<name>.csv`` (or ``.parquet``, ``.xlsx``) of a folder.

    Parameters
    ----------
    folder : Path
        An existing folder.
    name : str
        Name of the table, without ending.
    optional : bool
        Whether the table may be absent, or hold a header and no rows.
    columns, required : sequence of str
        Columns by whose names others in the header are read (``Patient ID`` as ``patient``), and
        those without which a line is no header. Default: names stay as they are.

    Returns
    -------
    Table or None
        None where the file cannot be read as a table, or is absent and may be.
    list of Problem
        All problems met, among them rows with too few or too many cells.
    """
    present = [name + form for form in FORMS if (folder / (name + form)).is_file()]
    if optional and not present:
        return None, []
    if len(present) != 1:
        found = " and ".join(present) if present else "no such file"
        expected = f"one of {', '.join(name + form for form in FORMS)} in the folder"
        return None, [
            Problem(present[0] if present else name + ".csv", None, None, found, expected)
        ]
    file = present[0]
    try:
        content = (folder / file).read_bytes()
        lines = _lines(content, (folder / file).suffix)
        header_row, header, lines = _header(lines, columns, required)
        header, problems = _renamed(file, header_row, header, columns)
        table, more = _table(file, content, header_row, header, lines, needs_rows=not optional)
        return table, problems + more
    except OSError as error:
        return None, [Problem(file, None, None, error.strerror or "an error", "a readable file")]
    except _UnreadableError as error:
        return None, [Problem(file, error.row, None, error.found, error.expected)]


def _lines(content: bytes, form: str) -> _Lines:
    """Lines that hold anything, with their number in the file."""
    if not content.strip():
        raise _UnreadableError("an empty file", "a table with a header line")
    if form == ".csv":
        lines = _csv_lines(_decoded(content))
    elif form == ".parquet":
        lines = _parquet_lines(content)
    else:
        lines = _excel_lines(content)
    # A blank line, or one of commas only as spreadsheets leave them, says nothing.
    return ((number, cells) for number, cells in lines if "".join(cells).strip())


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnreadableError(
            f"bytes that are not UTF-8 text (the first at byte {error.start + 1})",
            'a text file in UTF-8; a spreadsheet calls this "CSV UTF-8"',
        ) from error
    if "\0" in text:
        raise _UnreadableError("zero bytes, as in a binary or UTF-16 file", "a text file in UTF-8")
    return text


def _csv_lines(text: str) -> _Lines:
    lines = [line for line in text[:100_000].splitlines() if line.strip()]
    first = next((line for line in lines if not line.lstrip().startswith("#")), "")
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if sign in first and "," not in first:
            raise _UnreadableError(
                f"columns separated by {name}",
                "columns separated by commas, and a point as the decimal sign",
            )
    quotes = "'" in text  # a million cells without one need not be looked at
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1  # a quoted cell may run over several lines: the record has the number of its first
    try:
        for cells in reader:
            yield start, [undone(cell) for cell in cells] if quotes else cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise _UnreadableError(
            f"text that is not CSV ({error})",
            "cells separated by commas, quotation marks only round a whole cell",
            start,
        ) from error


def _parquet_lines(content: bytes) -> _Lines:
    import pandas as pd

    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except ImportError as error:
        raise _UnreadableError(
            "a Parquet file, and no engine to read it",
            "a CSV file, or the package pyarrow installed",
        ) from error
    except (ValueError, OSError, NotImplementedError, TypeError, KeyError) as error:
        raise _UnreadableError("bytes that are not a Parquet table", "a Parquet file") from error
    header = [str(column) for column in frame.columns]
    rows = zip(*(map(_cell, frame.iloc[:, i].tolist()) for i in range(len(header))), strict=True)
    return enumerate(map(list, chain([header], rows)), start=1)


def _excel_lines(content: bytes) -> _Lines:
    import zipfile
    from xml.etree.ElementTree import ParseError

    import pandas as pd

    try:
        sheets = pd.read_excel(
            io.BytesIO(content), sheet_name=None, header=None, dtype=object, engine="openpyxl"
        )
    except ImportError as error:
        raise _UnreadableError(
            "an Excel file, and no engine to read it",
            "a CSV file, or the package openpyxl installed",
        ) from error
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile, ParseError) as error:
        raise _UnreadableError(
            "bytes that are not an Excel workbook", "an .xlsx workbook"
        ) from error
    if len(sheets) != 1:
        raise _UnreadableError(f"{len(sheets)} sheets", "a workbook of one sheet")
    (frame,) = sheets.values()
    return (
        (number, [_cell(value) for value in row])
        for number, row in enumerate(frame.itertuples(index=False), start=1)
    )


def _cell(value: object) -> str:
    """Text of a typed cell: no value is blank, a whole number carries no point."""
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        if value.is_integer():
            return str(int(value))
    text = str(value)
    return "" if text in ("<NA>", "NaT") else text


def _header(
    lines: _Lines, columns: Sequence[str], required: Sequence[str]
) -> tuple[int, list[str], _Lines]:
    """The header, its line in the file, and the lines below."""
    header_row, header = next(lines, (0, []))
    if not header:
        raise _UnreadableError("no text", "a table with a header line")
    if not required:
        return header_row, header, lines

    def named(cells: Sequence[str]) -> int:
        given = [cell.strip() for cell in cells]
        meant = {*given, *columns_meant(given, columns).values()}
        return sum(name in meant for name in required)

    below = list(islice(lines, _NEAR)) if named(header) < len(required) else []
    better = next((row for row, cells in below if named(cells) == len(required)), None)
    shown = quoted(",".join(header))
    if better is not None:
        raise _UnreadableError(
            shown, f"the header, which stands in row {better}: delete what is above it", header_row
        )
    if not named(header) and len(required) > 1:
        raise _UnreadableError(
            shown, f"a header with the columns {', '.join(required)}", header_row
        )
    return header_row, header, chain(below, lines)


def _renamed(
    file: str, header_row: int, header: Sequence[str], columns: Sequence[str]
) -> tuple[list[str], list[Problem]]:
    """A header with the contract's names where others were meant, which is said."""
    given = [name.strip() for name in header]
    meant = columns_meant(given, [name for name in columns if name not in given])
    by_target: dict[str, list[str]] = {}
    for name, target in meant.items():
        by_target.setdefault(target, []).append(name)
    problems = [
        Problem(
            file,
            header_row,
            target,
            f"{len(names)} columns for it: {', '.join(map(quoted, names))}",
            f"one column named {target}",
        )
        for target, names in by_target.items()
        if len(names) > 1
    ]
    read: Mapping[str, str] = {
        names[0]: target for target, names in by_target.items() if len(names) == 1
    }
    if read:
        found = ", ".join(quoted(name) for name in read)
        expected = f"the columns {', '.join(read.values())}, as which they are read"
        problems.append(Problem(file, header_row, None, found, expected, "warning"))
    return [read.get(name, name) for name in given], problems


def _table(
    file: str,
    content: bytes,
    header_row: int,
    header: Sequence[str],
    lines: _Lines,
    *,
    needs_rows: bool,
) -> tuple[Table | None, list[Problem]]:
    """Lay the rows out as columns."""
    import pandas as pd

    width = len(header)
    names = [name or f"(column {i} has no name)" for i, name in enumerate(header, start=1)]
    problems = [
        Problem(file, header_row, quoted(name), f"the column {count} times", "each column once")
        for name, count in Counter(names).items()
        if count > 1
    ]
    if problems:
        return None, problems

    # One flat list of cells: a million small lists would keep the garbage collector busy.
    numbers: list[int] = []
    flat: list[str] = []
    uneven: list[tuple[int, int]] = []
    for number, cells in lines:
        if len(cells) == width:
            numbers.append(number)
            flat += cells
        else:
            uneven.append((number, len(cells)))
    if needs_rows and not numbers and not uneven:
        raise _UnreadableError("a header and no rows", "at least one row below the header")
    # Cells of a row of another length may have moved, by a decimal comma for one, so the row is
    # reported and not judged further. Even a blank cell too many is not harmless.
    problems = row_problems(
        file,
        None,
        [number for number, _ in uneven],
        [f"{length} cells" for _, length in uneven],
        f"{width} cells, as in the header (a blank cell still needs its comma)",
    )
    index = pd.Index(numbers, dtype="int64")
    text = pd.DataFrame(
        {
            name: pd.Series(flat[i::width], index=index, dtype="str").str.strip()
            for i, name in enumerate(names)
        }
    )
    # Commas at the end of every line, as spreadsheets leave them, make columns of nothing.
    empty = [
        name
        for name, given in zip(names, header, strict=True)
        if not given and (text[name] == "").all()
    ]
    return Table(file, content, header_row, text.drop(columns=empty)), problems


def control_codes(table: Table, settled: Collection[str] = ()) -> list[Problem]:
    """Names of columns and texts with codes that no output can hold, one problem a column.

    Parameters
    ----------
    table : Table
    settled : collection of str
        Columns whose cells are checked to be something else anyway.
    """
    problems = []
    for name, cells in table.text.items():
        column = str(name)
        lines = [(table.header_row, column)] if CONTROL.search(column) else []
        if column not in settled and CONTROL.search("".join(cells)):
            lines += [(int(str(row)), cell) for row, cell in cells.items() if CONTROL.search(cell)]
        problems += row_problems(
            table.file,
            visible(column),
            [row for row, _ in lines],
            [quoted(cell) for _, cell in lines],
            "text without control codes",
        )
    return problems
