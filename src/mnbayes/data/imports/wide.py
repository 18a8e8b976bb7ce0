"""A sheet as clinics keep it: a row a patient, columns marker × visit; or a row a visit."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from mnbayes.base.problems import quoted
from mnbayes.data.imports.draft import Draft, Options, Place, Reading
from mnbayes.data.imports.grids import Cell, Grid, as_text, letter
from mnbayes.data.imports.headers import Column, find_columns
from mnbayes.data.imports.mapping import Mapping, key, unit_kind
from mnbayes.data.imports.values import (
    AmbiguousError,
    CellError,
    Value,
    decimal_sign,
    read_date,
    read_value,
)
from mnbayes.data.imports.visits import (
    Named,
    find_visit,
    given_week,
    in_window,
    resolve,
    suggested_weeks,
    windows,
)

_NUMBERS = ("age_years", "bmi", "infusions")
_TIMES = ("visit", "week", "month", "day", "date")


@dataclass
class _Sheet:
    """A sheet while it is read."""

    grid: Grid
    mapping: Mapping
    options: Options
    draft: Draft
    columns: list[Column]
    start: int
    wrong: dict[tuple[str, str], list[tuple[int, Column, str]]] = field(default_factory=dict)

    def column(self, role: str) -> Column | None:
        return next((c for c in self.columns if c.role == role), None)

    def place(self, row: int | None = None, column: Column | None = None) -> Place:
        return Place(self.grid.file, None if row is None else row + 1, column and column.label)

    def refuse(
        self, row: int, column: Column, found: object, expected: str, kind: str = ""
    ) -> None:
        """Keep a cell that cannot be read; cells of one cause become one message."""
        self.wrong.setdefault((kind, expected), []).append((row, column, as_text(found)))

    def rows(self) -> Iterator[int]:
        for row in range(self.start, len(self.grid.rows)):
            if any(cell != "" for cell in self.grid.rows[row]):
                yield row


def read_sheet(grid: Grid, mapping: Mapping, options: Options) -> Draft:
    """A clinic's sheet as a draft of a cohort.

    Raises
    ------
    InputError
        If it has no header that can be read.
    OpenQuestionsError
        With everything that is wrong and everything that must be asked.
    """
    columns, start, notes = find_columns(grid, mapping, options)
    draft = Draft("Cells with a value of a marker", notes=[*grid.notes, *notes])
    draft.problems.extend(grid.problems)
    sheet = _Sheet(grid, mapping, options, draft, columns, start)
    rows = _patients(sheet)
    measured = _markers(sheet, rows)
    if not measured:
        draft.stop_where_open()
        names = ", ".join(c.header for c in columns if not c.role)[:200]
        expected = (
            'a column of a marker, as "Albumin week 4 (g/L)"; a name of your own: names.MARKER'
        )
        draft.ask(sheet.place(), f"no marker among the columns {names}", expected)
        draft.stop_where_open()
    starts = _baseline_dates(sheet, rows)
    long = [c for c in measured if not c.visit and not c.date]
    times = [c for c in sheet.columns if c.role in _TIMES]
    if long and not times:
        for column in long:
            answer = f'--visit "{column.header}=0"'
            draft.ask(
                sheet.place(None, column),
                "a marker without a visit",
                f"its week in the header; or add {answer} (the baseline)",
                answer,
            )
    elif long:
        _by_row(sheet, rows, long, times, starts)
    _by_column(sheet, rows, [c for c in measured if c.visit or c.date], starts)
    _withdrawals(sheet, rows, starts)
    for (kind, expected), cells in sheet.wrong.items():
        _say_wrong(sheet, kind, expected, cells)
    draft.stop_where_open()
    return draft


def _say_wrong(
    sheet: _Sheet, kind: str, expected: str, cells: list[tuple[int, Column, str]]
) -> None:
    row, column, found = cells[0]
    if len(cells) == 1:
        problem = sheet.place(row, column).problem(quoted(found), expected)
    else:
        named = ", ".join(f"{quoted(f)} in {letter(c.index)}{r + 1}" for r, c, f in cells[:8])
        more = f" and {len(cells) - 8} more" if len(cells) > 8 else ""
        problem = sheet.place().problem(f"{len(cells)} cells: {named}{more}", expected)
    sheet.draft.problems.append(problem)
    if kind == "ambiguous":
        sheet.draft.answers.append('--decimal ","')


def _patients(sheet: _Sheet) -> list[tuple[int, str]]:
    """Rows with their patient; what each row says of its patient goes into the draft."""
    draft, mapping = sheet.draft, sheet.mapping
    ids = [c for c in sheet.columns if c.role == "patient"]
    column = ids[0]
    for other in ids[1:]:
        draft.decide("Columns", other.header, f"not used: patients are named in {column.label}")
    summary = {key(word) for word in mapping.words("summary")}
    below = {
        (row, left): top
        for top, left, bottom, _ in sheet.grid.merged
        for row in range(top, bottom + 1)
    }
    about = [c for c in sheet.columns if c.role in (*_NUMBERS, "sex", "arm")]
    long = any(c.role in _TIMES for c in sheet.columns)
    rows: list[tuple[int, str]] = []
    last = ""
    for row in sheet.rows():
        cell = sheet.grid.cell(below.get((row, column.index), row), column.index)
        if isinstance(cell, (dt.date, bool)):
            sheet.refuse(
                row, column, cell, "an identifier; a spreadsheet makes dates of some (MAR1)"
            )
            continue
        name = as_text(cell)
        if not name and long and last:
            name = last
            draft.left_out.setdefault("", 0)
        if not name or key(name) in summary:
            draft.left_out["row without a patient, or a summary of others"] += 1
            draft.warnings.append(f"row {row + 1} is not read: {quoted(name)} is no patient")
            continue
        last = name
        rows.append((row, name))
        own = draft.patients.setdefault(name, {"patient": name})
        draft.places.setdefault(name, sheet.place(row, column))
        for each in about:
            if text := _about(sheet, row, each):
                before = own.setdefault(each.role, text)
                if before != text:
                    sheet.refuse(row, each, text, f"one {each.role} of each patient")
    if draft.left_out.pop("", None) is not None:
        draft.notes.append("rows without a patient belong to the patient above them")
    for role in dict.fromkeys(c.role for c in about):
        draft.decide("Columns", _named(sheet, role), f"{role} of patients.csv")
    return rows


def _named(sheet: _Sheet, role: str) -> str:
    return " and ".join(c.header for c in sheet.columns if c.role == role)


def _about(sheet: _Sheet, row: int, column: Column) -> str:
    """What a row says of its patient, as ``patients.csv`` has it."""
    cell = sheet.grid.cell(row, column.index)
    text = as_text(cell)
    if text.casefold() in sheet.mapping.missing:
        return ""
    if column.role == "sex":
        sex = sheet.mapping.sexes.get(key(text), "")
        if not sex:
            expected = "female or male, f or m; a word of your own: sex.female in a --mapping file"
            sheet.refuse(row, column, cell, expected)
        return sex
    if column.role in _NUMBERS:
        try:
            found = read_value(cell, sheet.mapping.missing, sheet.options.decimal)
        except CellError as error:
            sheet.refuse(row, column, cell, str(error))
            return ""
        return found.value if found else ""
    return text


def _markers(sheet: _Sheet, rows: Sequence[tuple[int, str]]) -> list[Column]:
    """Columns of markers, each with one marker and one unit."""
    draft, mapping = sheet.draft, sheet.mapping
    units = {key(name): unit for name, unit in sheet.options.units.items()}
    given = [_with_unit(column, units) for column in sheet.columns if not column.role]
    # A unit that stands in some headers of a name stands for all of them.
    said: dict[str, set[str]] = {}
    for column in given:
        if column.unit:
            said.setdefault(key(column.name), set()).add(column.unit)
    measured: list[Column] = []
    counts: Counter[tuple[str, str, str, str]] = Counter()
    asked: dict[str, list[Column]] = {}
    for column in given:
        if column.index not in {
            i for row, _ in rows for i, x in enumerate(sheet.grid.rows[row]) if x != ""
        }:
            if column.header:
                draft.decide("Columns", column.header, "not used: no values")
            continue
        known = said.get(key(column.name), set())
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
        counts[column.name, column.markers[0], column.unit, ""] += 1
        identity = (column.markers[0], column.date or column.visit)
        if identity[1] is None and any(c.role in _TIMES for c in sheet.columns):
            identity = (column.markers[0], "each row's visit")
        if identity in seen:
            draft.problems.append(
                sheet.place(None, column).problem(
                    f"the same marker and visit as column {seen[identity].label}",
                    "one column of each marker and visit: rename or delete one",
                )
            )
        seen[identity] = column
    for (name, marker, unit, _), number in counts.items():
        draft.decide("Markers", f"{name} [{unit or 'unit in the cells'}]", marker, number)
    return measured


def _with_unit(column: Column, units: dict[str, str]) -> Column:
    """A column with the unit that the user gave for its header, its name or its marker."""
    for name in (column.header, column.name, *column.markers):
        if key(name) in units:
            unit = units[key(name)]
            if len(column.markers) > 1 and name in column.markers:
                return replace(column, unit=unit, markers=(name,))
            return replace(column, unit=unit)
    return column


def _own_units(sheet: _Sheet, column: Column, rows: Sequence[tuple[int, str]]) -> bool:
    """Whether every value of a column brings its unit ("3.5 g/L")."""
    found = [v for _, _, v in _values(sheet, column, rows, quiet=True)]
    return not column.unit and bool(found) and all(v.unit for v in found)


def _ask_unit(sheet: _Sheet, columns: Sequence[Column], rows: Sequence[tuple[int, str]]) -> None:
    """Ask for a unit, with the likely one by the size of the values."""
    numbers = [
        float(value.value)
        for column in columns
        for _, _, value in _values(sheet, column, rows, quiet=True)
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


def _values(
    sheet: _Sheet, column: Column, rows: Sequence[tuple[int, str]], *, quiet: bool = False
) -> Iterator[tuple[int, str, Value]]:
    """Values of a column; cells that cannot be read are kept for later, unless `quiet`."""
    texts = [sheet.grid.cell(row, column.index) for row, _ in rows]
    decimal = sheet.options.decimal or _decimal(sheet)
    for (row, patient), cell in zip(rows, texts, strict=True):
        try:
            value = read_value(cell, sheet.mapping.missing, decimal)
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


def _decimal(sheet: _Sheet) -> str:
    """The decimal sign of a sheet's texts; "?" where commas and points are both decimal signs."""
    used = {c.index for c in sheet.columns if c.markers}
    texts = [
        cell
        for row in sheet.grid.rows[sheet.start :]
        for i, cell in enumerate(row)
        if i in used and isinstance(cell, str)
    ]
    comma = decimal_sign(texts)
    point = decimal_sign([t.replace(",", "x").replace(".", ",") for t in texts])
    if comma and not any("decimal comma" in note for note in sheet.draft.notes):
        sheet.draft.notes.append("numbers with a decimal comma")
    return "?" if comma and point else comma


def _date(sheet: _Sheet, row: int, column: Column) -> dt.date | None:
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


def _baseline_dates(sheet: _Sheet, rows: Sequence[tuple[int, str]]) -> dict[str, dt.date]:
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
        if found := _date(sheet, row, column):
            before = starts.get(patient, found)
            if asked != "first" and before != found:
                sheet.refuse(row, column, found, "one date of baseline of each patient")
            starts[patient] = min(before, found)
    if starts:
        why = "the first date of each patient" if asked == "first" else "date of week 0"
        sheet.draft.decide("Baseline", column.header, why, len(starts))
    return starts


def _weeks_between(sheet: _Sheet, start: dt.date, end: dt.date, row: int, column: Column) -> float:
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
    sheet: _Sheet,
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
    if not unit or unit_kind(unit) != unit_kind(sheet.mapping.catalogue[marker].unit):
        sheet.refuse(row, column, f"{value.value} {value.unit}", f"a value with a unit of {marker}")
        return
    place = sheet.place(row, column)
    sheet.draft.readings.append(
        Reading(patient, week, marker, value.value, unit, value.lower, value.upper, place, actual)
    )


def _by_column(
    sheet: _Sheet,
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
    cells = {column.index: list(_values(sheet, column, rows)) for column in columns}
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


def _ask_baseline(sheet: _Sheet) -> None:
    headers = [c.header for c in sheet.columns if "dat" in key(c.header) or "日期" in c.header]
    named = f'--baseline-date "{headers[0]}"' if headers else '--baseline-date "COLUMN"'
    sheet.draft.ask(
        sheet.place(),
        "visits by date, and no column with the date of week 0",
        f"the column of that date: add {named}; or --baseline-date first (the first of each patient)",
        "--baseline-date first",
    )


def _planned(sheet: _Sheet, times: Sequence[float]) -> Sequence:
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


def _by_row(
    sheet: _Sheet,
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
        if "date" in by and (date := _date(sheet, row, by["date"])) and patient in starts:
            actual[row] = _weeks_between(sheet, starts[patient], date, row, by["date"])
    if not named and "date" in by and not starts:
        _ask_baseline(sheet)
        return
    cells = {column.index: list(_values(sheet, column, rows)) for column in columns}
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
                    found = f"{patient}, week {week:g}, also in row {before[0] + 1}"
                    sheet.refuse(row, column, found, "one value of each patient, visit and marker")
                    continue
                taken[spot] = (row, time or 0.0)
            _add(sheet, week, time, cell, column, why)


def _row_visit(sheet: _Sheet, row: int, column: Column, text: str) -> Named | None:
    if column.role == "visit":
        visit, _ = find_visit(text, sheet.mapping)
        known, _, rest = given_week(text, sheet.options.visits)
        return visit if visit and not (known and not rest) else Named("numbered", text[:60])
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


def _withdrawals(
    sheet: _Sheet, rows: Sequence[tuple[int, str]], starts: dict[str, dt.date]
) -> None:
    """Week of withdrawal: a number, a visit, a date; of a plain yes the last week measured."""
    column = sheet.column("withdrew")
    if column is None:
        return
    last: dict[str, float] = {}
    for reading in sheet.draft.readings:
        last[reading.patient] = max(reading.week, last.get(reading.patient, 0.0))
    expected = "the week, a visit, a date, yes or no, or blank where not withdrawn"
    said: Counter[str] = Counter()
    for row, patient in rows:
        cell: Cell = sheet.grid.cell(row, column.index)
        text = as_text(cell)
        whether = sheet.mapping.answer(text)
        if "week" in key(column.header) or "woche" in key(column.header) or "周" in column.header:
            whether = None  # "1" and "0" are weeks there
        visit, rest = find_visit(text, sheet.mapping)
        try:
            date = read_date(cell)
            number = (
                read_value(cell, sheet.mapping.missing, sheet.options.decimal) if not date else None
            )
        except CellError:
            date, number = None, None
        week: float | None
        if text.casefold() in sheet.mapping.missing or whether is False:
            continue
        if whether is True:
            week, how = last.get(patient, 0.0), "yes: the last week with a value"
        elif date and patient in starts:
            week, how = round((date - starts[patient]).days / 7, 2), "a date"
        elif number and number.value:
            week, how = float(number.value), "a week"
        elif visit and visit.kind in ("week", "month", "day") and not rest:
            week, how = round(visit.days / 7, 2), "a visit"
        else:
            sheet.refuse(row, column, cell, expected)
            continue
        if week < last.get(patient, 0.0) and how == "a date":
            week, how = last[patient], "a date before the last value: that value's week"
        sheet.draft.patients[patient]["withdrew_week"] = f"{week:g}"
        said[how] += 1
    for how, count in said.items():
        sheet.draft.decide("Withdrawal", column.header, f"withdrew_week from {how}", count)
