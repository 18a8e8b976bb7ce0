"""Headers of a clinic's sheet: one row or several, marker × visit × unit, merged cells."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from mnbayes.data.imports.draft import Options
from mnbayes.data.imports.grids import Cell, Grid, as_text, letter, unreadable
from mnbayes.data.imports.mapping import Mapping, key, plain_unit
from mnbayes.data.imports.values import CellError, read_date
from mnbayes.data.imports.visits import Named, find_visit, given_week, without_filler

SEARCHED = 15  # rows in which the header is looked for
_BRACKETS = re.compile(r"[(\[{【]([^()\[\]【】]*(?:\[[^\]]*\])?)[)\]】]")


@dataclass(frozen=True)
class Column:
    """A column of a sheet, as its header says.

    Attributes
    ----------
    index : int
    header : str
        All header cells above it.
    role : str
        What it is about a patient or a row's visit; blank for a marker, or where not known.
    name : str
        What is left of the header without visit and unit.
    markers : tuple of str
        Markers that the name may mean.
    unit : str
    visit : Named or None
    date : date or None
        The visit, where the header is a date.
    """

    index: int
    header: str
    role: str = ""
    name: str = ""
    markers: tuple[str, ...] = ()
    unit: str = ""
    visit: Named | None = None
    date: dt.date | None = None

    @property
    def label(self) -> str:
        """Letter and header, for messages."""
        return f"{letter(self.index)} ({self.header[:50]})"


def _units_apart(text: str, mapping: Mapping) -> tuple[str, str]:
    """A text without its unit, and the unit."""
    unit = ""

    def bracket(match: re.Match[str]) -> str:
        nonlocal unit
        if mapping.is_unit(match[1]):
            unit = plain_unit(match[1])
            return " "
        return f" {match[1]} "

    text = _BRACKETS.sub(bracket, text)
    if unit:
        return text, unit
    for pattern in (
        r"(?:,|;|\bin\b) *([^,;]+)$",
        r"(?:^| )([^ ]*/[^ ]+(?: (?:h|m2))?)(?= |$)",
        r"(%)",
    ):
        for match in re.finditer(pattern, text):
            if mapping.is_unit(match[1]):
                return text[: match.start()] + " " + text[match.end() :], plain_unit(match[1])
    return text, ""


def read_header(index: int, cells: Sequence[Cell], mapping: Mapping, options: Options) -> Column:
    """What the header cells of a column say, the uppermost first."""
    texts: list[str] = []
    unit, date = "", None
    for cell in cells:
        try:
            day = read_date(cell)
        except CellError:
            day = None
        text = unicodedata.normalize("NFKC", as_text(cell)).replace("\n", " ")
        if day is not None:
            date = day
        elif mapping.is_unit(text):
            unit = plain_unit(text)
        elif text and text not in texts:
            texts.append(text)
    header = " ".join([*texts, *([date.isoformat()] if date else [])]) or unit
    plain = _BRACKETS.sub(" ", " ".join(texts))
    for text in (" ".join(texts), plain, *reversed(texts)):
        if role := mapping.columns.get(key(text), ""):
            # "week" over "4" is a visit, not a column of weeks.
            if role in ("week", "day", "month", "visit") and len(texts) > 1:
                continue
            return Column(index, header, role=role)
    rest, own = _units_apart(" ".join(texts), mapping)
    unit = unit or own
    known, _, without = given_week(rest, options.visits)
    visit: Named | None
    if known:
        visit, name = Named("numbered", known), without
    else:
        visit, name = find_visit(rest, mapping)
        if visit is None and date is None and (bare := re.search(r"(?:^| )([0-9]{1,3})$", name)):
            visit, name = Named("numbered", bare[1]), name[: bare.start()]
    other, left = find_visit(name, mapping)
    if visit and other and key(name) not in mapping.names:  # "Visit 3 (week 4)" is one visit
        visit, name = (other if other.kind == "baseline" else visit), left
    if key(name) not in mapping.names:
        name = without_filler(name, mapping)
    markers = mapping.names.get(key(name), ()) or mapping.codes.get(name.strip().upper(), ())
    if not markers and "%" in unit:
        markers = mapping.names.get(key(name + "%"), ())
    return Column(index, header, "", name.strip(), markers, unit, visit, date)


def _is_header(grid: Grid, row: int, patient: int, mapping: Mapping, options: Options) -> bool:
    """Whether all cells of a row beside the patients' column read as markers, visits or units."""
    cells = [(i, c) for i, c in enumerate(grid.rows[row]) if c != "" and i != patient]
    if not cells or grid.cell(row, patient) not in ("",):
        return False
    meant = 0
    for i, cell in cells:
        column = read_header(i, [cell], mapping, options)
        bare = as_text(cell).replace(".", "").isdecimal()  # a value of a patient without a name
        known = column.markers or column.visit or column.unit or column.date or column.role
        meant += bool(known and not bare)
    return 2 * meant > len(cells)


def find_columns(
    grid: Grid, mapping: Mapping, options: Options
) -> tuple[list[Column], int, list[str]]:
    """Columns of a sheet, the first row of patients, and what was decided on the way.

    Raises
    ------
    InputError
        If no row is a header: none of its cells names the patients' column.
    """
    found = (
        (row, index)
        for row in range(min(SEARCHED, len(grid.rows)))
        for index, cell in enumerate(grid.rows[row])
        if isinstance(cell, str) and mapping.columns.get(key(_BRACKETS.sub(" ", cell))) == "patient"
    )
    row, patient = next(found, (-1, -1))
    if row < 0:
        words = ", ".join(mapping.words("columns", "patient")[:6])
        raise unreadable(
            grid.file,
            f"no header with a column of patients in the first {SEARCHED} rows",
            f"one named {words} or the like, or columns.patient in a --mapping file",
        )
    first = row
    while first > 0 and row - first < 2 and _above(grid, first - 1, patient, mapping, options):
        first -= 1
    last = row
    while (
        last + 1 < len(grid.rows)
        and last - row < 2
        and _is_header(grid, last + 1, patient, mapping, options)
    ):
        last += 1
    notes = []
    if first > 0 and any(c != "" for above in grid.rows[:first] for c in above):
        notes.append(f"rows above the header (row {first + 1}) are not read")
    width = max(len(grid.rows[each]) for each in range(first, last + 1))
    heads = [[grid.cell(each, i) for i in range(width)] for each in range(first, last + 1)]
    merged = [m for m in grid.merged if first <= m[0] <= last]
    for top, left, bottom, right in merged:
        for r in range(top, min(bottom, last) + 1):
            for c in range(left, min(right, width - 1) + 1):
                heads[r - first][c] = heads[top - first][left]
    if len(heads) > 1 and not any(right > left for _, left, _, right in merged):
        filled = _filled(heads, mapping, options)
        if filled:
            notes.append("blank header cells take what stands to their left, as merged cells do")
    columns = [
        read_header(i, [head[i] for head in heads], mapping, options)
        for i in range(width)
        if any(head[i] != "" for head in heads)
    ]
    return columns, last + 1, notes


def _above(grid: Grid, row: int, patient: int, mapping: Mapping, options: Options) -> bool:
    """Whether a row above the patients' header is a header too: markers or visits over columns."""
    for i, cell in enumerate(grid.rows[row]):
        if i > patient and cell != "":
            column = read_header(i, [cell], mapping, options)
            if column.markers or column.visit or column.date:
                return True
    return False


def _filled(heads: list[list[Cell]], mapping: Mapping, options: Options) -> bool:
    """Fill blanks of the upper header rows from the left, over columns that have a lower header."""
    done = False
    for level, head in enumerate(heads[:-1]):
        current: Cell = ""
        for i, cell in enumerate(head):
            below = [lower[i] for lower in heads[level + 1 :] if lower[i] != ""]
            if cell != "":
                column = read_header(i, [cell], mapping, options)
                current = cell if column.markers or column.visit or column.date else ""
            elif current != "" and below:
                lower = read_header(i, below, mapping, options)
                if not lower.role and (lower.markers or lower.visit or lower.date or lower.unit):
                    head[i], done = current, True
    return done
