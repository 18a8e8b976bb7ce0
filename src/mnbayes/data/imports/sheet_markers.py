"""Which columns of a sheet are markers, each with one marker and one unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from mnbayes.base.problems import quoted
from mnbayes.data.imports.draft import Draft
from mnbayes.data.imports.headers import Column
from mnbayes.data.imports.mapping import key
from mnbayes.data.imports.sheets import TIMES, Sheet, values_of


def find_markers(sheet: Sheet, rows: Sequence[tuple[int, str]]) -> list[Column]:
    """Columns of markers, each with one marker and one unit."""
    draft, mapping = sheet.draft, sheet.mapping
    units = {key(name): unit for name, unit in sheet.options.units.items()}
    given = [_with_unit(column, units, draft) for column in sheet.columns if not column.role]
    # A unit that stands in some headers of a name stands for all of them.
    said: dict[str, set[str]] = {}
    for column in given:
        if column.unit:
            for name in _known_as(column):
                said.setdefault(name, set()).add(column.unit)
    filled = {i for row, _ in rows for i, x in enumerate(sheet.grid.rows[row]) if x != ""}
    measured: list[Column] = []
    counts: Counter[tuple[str, str, str]] = Counter()
    asked: dict[str, list[Column]] = {}
    for column in given:
        if column.index not in filled:
            if column.header:
                draft.decide("Columns", column.header, "not used: no values")
            continue
        known = next((said[name] for name in _known_as(column) if name in said), set())
        if not column.unit and len(known) == 1:
            column = replace(column, unit=next(iter(known)))
        fitting = mapping.of_kind(column.markers, column.unit)
        if not column.markers or not fitting:
            why = f"not in {column.unit}" if column.markers else "not a known marker"
            known_as = f'; to use it: names.MARKER = ["{column.name}"] in a --mapping file'
            made = f"not used: {why}{'' if column.markers else known_as}"
            draft.decide("Columns", column.header, made)
            continue
        if _own_units(sheet, column, rows):
            column = replace(column, unit="")
        elif len(fitting) > 1 or not column.unit:
            asked.setdefault(key(column.name), []).append(replace(column, markers=fitting))
        measured.append(replace(column, markers=fitting[:1]))
    for columns in asked.values():
        _ask_unit(sheet, columns, rows)
    seen: dict[tuple[str, object], Column] = {}
    for column in measured:
        counts[column.name, column.markers[0], column.unit] += 1
        identity: tuple[str, object] = (column.markers[0], column.date)
        if column.visit:
            identity = (column.markers[0], column.visit.same)
        if identity[1] is None and any(c.role in TIMES for c in sheet.columns):
            identity = (column.markers[0], "each row's visit")
        if identity in seen:
            draft.problems.append(
                sheet.place(None, column).problem(
                    f"the same marker and visit as column {seen[identity].label}",
                    "one column of each marker and visit: rename or delete one",
                )
            )
        seen[identity] = column
    for (name, marker, unit), number in counts.items():
        draft.decide("Markers", f"{name} [{unit or 'unit in the cells'}]", marker, number)
    return measured


def _known_as(column: Column) -> list[str]:
    """Names under which columns share a unit: the header's, and the marker's where it is one."""
    return [key(column.name), *(column.markers if len(column.markers) == 1 else ())]


def _with_unit(column: Column, units: dict[str, str], draft: Draft) -> Column:
    """A column with the unit that the user gave for its header, its name or its marker."""
    for name in (column.header, column.name, *column.markers):
        if key(name) in units:
            unit = units[key(name)]
            draft.answered.add(key(name))
            if len(column.markers) > 1 and name in column.markers:
                return replace(column, unit=unit, markers=(name,))
            return replace(column, unit=unit)
    return column


def _own_units(sheet: Sheet, column: Column, rows: Sequence[tuple[int, str]]) -> bool:
    """Whether every value of a column brings its unit ("3.5 g/L")."""
    found = [v for _, _, v in values_of(sheet, column, rows, quiet=True)]
    return not column.unit and bool(found) and all(v.unit for v in found)


def _ask_unit(sheet: Sheet, columns: Sequence[Column], rows: Sequence[tuple[int, str]]) -> None:
    """Ask for a unit, with the likely one by the size of the values."""
    numbers = [
        float(value.value)
        for column in columns
        for _, _, value in values_of(sheet, column, rows, quiet=True)
        if value.value
    ]
    name, markers = columns[0].name, columns[0].markers
    middle = median(numbers) if numbers else 0.0
    guesses = {m: sheet.mapping.suggested_unit(m, middle) for m in markers}
    answers = [f'--unit "{name}={unit}"' for unit in guesses.values()]
    heard = f"a median of {middle:.4g}" if numbers else "no number"
    what = " or ".join(f"{answer} ({m})" for answer, m in zip(answers, markers, strict=True))
    sheet.draft.ask(
        sheet.place(None, columns[0]),
        f"no unit of {quoted(name)}, {len(columns)} columns with {heard}",
        f"a unit in the header, or add {what}" + (", as it is" if len(markers) > 1 else ""),
        answers[0],
    )
