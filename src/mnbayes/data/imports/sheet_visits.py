"""Week of each value of a sheet: by its column, by its row's visit, or by dates."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from mnbayes.base.problems import quoted
from mnbayes.data.imports.draft import Reading
from mnbayes.data.imports.grids import as_text
from mnbayes.data.imports.headers import Column
from mnbayes.data.imports.mapping import key, unit_kind
from mnbayes.data.imports.sheets import Sheet, date_of, values_of
from mnbayes.data.imports.values import (
    Value,
)
from mnbayes.data.imports.visits import (
    Named,
    find_visit,
    in_window,
    resolve,
    suggested_weeks,
    visit_of,
    windows,
)
from mnbayes.data.trial import Visit as Window


def baseline_dates(sheet: Sheet, rows: Sequence[tuple[int, str]]) -> dict[str, dt.date]:
    """Date of week 0 by patient, where the sheet has it."""
    asked = sheet.options.baseline_date
    column = sheet.column("baseline_date")
    if asked and asked != "first":
        column = next((c for c in sheet.columns if key(c.header) == key(asked)), None)
        if column is None:
            headers = ", ".join(c.header for c in sheet.columns)[:200]
            sheet.draft.ask(sheet.place(), f"no column {quoted(asked)}", f"one of {headers}")
    date = sheet.column("date")
    if asked == "first":
        column = date
    if column is None:
        return {}
    starts: dict[str, dt.date] = {}
    for row, patient in rows:
        if found := date_of(sheet, row, column):
            before = starts.get(patient, found)
            if asked != "first" and before != found:
                sheet.refuse(row, column, found, "one date of baseline of each patient")
            starts[patient] = min(before, found)
    if starts:
        why = "the first date of each patient" if asked == "first" else "date of week 0"
        sheet.draft.decide("Baseline", column.header, why, len(starts))
    return starts


def _weeks_between(sheet: Sheet, start: dt.date, end: dt.date, row: int, column: Column) -> float:
    """Weeks from baseline; years off are told."""
    weeks = (end - start).days / 7
    if weeks < -52 or weeks > 9.5 * 52.2:
        sheet.draft.warnings.append(
            f"{column.label}, row {row + 1}: {end} lies {abs(weeks) / 52.18:.1f} years "
            f"{'before' if weeks < 0 else 'after'} the baseline of {start}; a date that moved "
            "between programs is 4 or 10 years off"
        )
    return weeks


def _add(
    sheet: Sheet,
    week: float | None,
    actual: float | None,
    cell: tuple[int, str, Value],
    column: Column,
    why: str,
) -> None:
    sheet.draft.read += 1
    row, patient, value = cell
    if week is None:
        sheet.draft.left_out[why] += 1
        return
    marker, unit = column.markers[0], value.unit or column.unit
    if not unit:  # asked for already, unless some other cells of the column bring theirs
        return
    if unit_kind(unit) != unit_kind(sheet.mapping.catalogue[marker].unit):
        sheet.refuse(row, column, f"{value.value} {value.unit}", f"a value with a unit of {marker}")
        return
    place = sheet.place(row, column)
    sheet.draft.readings.append(
        Reading(patient, week, marker, value.value, unit, value.lower, value.upper, place, actual)
    )


def place_by_column(
    sheet: Sheet,
    rows: Sequence[tuple[int, str]],
    columns: Sequence[Column],
    starts: dict[str, dt.date],
) -> None:
    """Values of columns that name their visit."""
    if not columns:
        return
    seen: dict[str, int] = {}
    for row, patient in rows:
        if patient in seen:
            column = next(c for c in sheet.columns if c.role == "patient")
            found = f"{patient} in rows {seen[patient] + 1} and {row + 1}"
            sheet.refuse(
                row, column, found, "each patient in one row, since columns name the visits"
            )
        seen.setdefault(patient, row)
    cells = {column.index: list(values_of(sheet, column, rows)) for column in columns}
    counts: Counter[Named] = Counter()
    for column in columns:
        if column.visit:
            counts[column.visit] += len(cells[column.index])
    weeks = resolve(counts, sheet.draft, sheet.options, sheet.place())
    dated = [c for c in columns if c.date]
    if dated and not starts:
        _ask_baseline(sheet)
    times = [
        _weeks_between(sheet, starts[patient], column.date, row, column)
        for column in dated
        if column.date
        for row, patient, _ in cells[column.index]
        if patient in starts
    ]
    planned = _planned(sheet, times) if times else ()
    for column in columns:
        for cell in cells[column.index]:
            row, patient, _ = cell
            if column.visit:
                week = weeks[column.visit]
                _add(sheet, week, None, cell, column, f"the visit {column.visit.text} has no week")
            elif column.date and patient in starts:
                actual = (column.date - starts[patient]).days / 7
                _add(sheet, in_window(actual, planned), actual, cell, column, _outside(actual))
            else:
                _add(sheet, None, None, cell, column, "no date of baseline")


def _outside(actual: float) -> str:
    return "before baseline" if actual < 0 else "outside the windows of planned visits"


def _ask_baseline(sheet: Sheet) -> None:
    headers = [c.header for c in sheet.columns if "dat" in key(c.header) or "日期" in c.header]
    named = f'--baseline-date "{headers[0]}"' if headers else '--baseline-date "COLUMN"'
    sheet.draft.ask(
        sheet.place(),
        "visits by date, and no column with the date of week 0",
        f"the column of that date: add {named}; or --baseline-date first (each one's first)",
        "--baseline-date first",
    )


def _planned(sheet: Sheet, times: Sequence[float]) -> Sequence[Window]:
    """Windows round the planned weeks that were given; asks for them where they were not."""
    if sheet.options.weeks:
        found = windows(sheet.options.weeks)
        for visit in found:
            sheet.draft.plan(visit.week, f"{visit.earliest:g} to {visit.latest:g} weeks")
        return found
    weeks = ",".join(f"{week:g}" for week in suggested_weeks([0.0, *(t for t in times if t > 0)]))
    sheet.draft.ask(
        sheet.place(),
        "visits by date or day alone",
        f"the planned weeks: add --weeks {weeks} (a guess from the dates)",
        f"--weeks {weeks}",
    )
    return ()


def place_by_row(
    sheet: Sheet,
    rows: Sequence[tuple[int, str]],
    columns: Sequence[Column],
    times: Sequence[Column],
    starts: dict[str, dt.date],
) -> None:
    """Values of rows that name their visit: by its name, else by its date."""
    by = {c.role: c for c in times}
    named: dict[int, Named] = {}
    actual: dict[int, float] = {}
    for row, patient in rows:
        visit = None
        for role in ("visit", "week", "month", "day"):
            if role in by and (text := as_text(sheet.grid.cell(row, by[role].index))):
                visit = _row_visit(sheet, row, by[role], text)
                break
        if visit is not None:
            named[row] = visit
        if "date" in by and (date := date_of(sheet, row, by["date"])) and patient in starts:
            actual[row] = _weeks_between(sheet, starts[patient], date, row, by["date"])
    if not named and "date" in by and not starts:
        _ask_baseline(sheet)
        return
    cells = {column.index: list(values_of(sheet, column, rows)) for column in columns}
    counts: Counter[Named] = Counter()
    for found in cells.values():
        counts.update(named[row] for row, _, _ in found if row in named)
    weeks = resolve(counts, sheet.draft, sheet.options, sheet.place(None, by.get("visit")))
    loose = [time for row, time in actual.items() if row not in named]
    planned = _planned(sheet, loose) if loose else ()
    taken: dict[tuple[str, float, str], tuple[int, float]] = {}
    for column in columns:
        for cell in cells[column.index]:
            row, patient, _ = cell
            time = actual.get(row)
            if row in named:
                week, why = weeks.get(named[row]), f"the visit {named[row].text} has no week"
            elif time is not None:
                week, why = in_window(time, planned), _outside(time)
            else:
                week, why = None, "neither visit nor date"
            if week is not None:
                spot = (patient, week, column.markers[0])
                before = taken.get(spot)
                if before is not None:
                    twice = f"{patient}, week {week:g}, also in row {before[0] + 1}"
                    sheet.refuse(row, column, twice, "one value of each patient, visit and marker")
                    continue
                taken[spot] = (row, time or 0.0)
            _add(sheet, week, time, cell, column, why)


def _row_visit(sheet: Sheet, row: int, column: Column, text: str) -> Named | None:
    if column.role == "visit":
        return visit_of(text, sheet.mapping)
    visit, _ = find_visit(text, sheet.mapping)
    if visit is not None and visit.kind in ("week", "month", "day", "baseline", "screening"):
        return visit
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = float("nan")
    if not abs(number) < 5000:
        sheet.refuse(row, column, text, f"a number of the {column.role}")
        return None
    kind = {"week": "week", "month": "month", "day": "day"}[column.role]
    return Named(kind, f"{column.role} {text}", number)  # type: ignore[arg-type]
