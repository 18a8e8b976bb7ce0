"""What a sheet says of its patients: who they are, and who left when."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from mnbayes.base.problems import quoted
from mnbayes.data.imports.grids import Cell, as_text
from mnbayes.data.imports.headers import Column
from mnbayes.data.imports.mapping import key
from mnbayes.data.imports.sheets import NUMBERS, TIMES, Sheet
from mnbayes.data.imports.values import (
    CellError,
    read_date,
    read_value,
)
from mnbayes.data.imports.visits import (
    find_visit,
)


def read_patients(sheet: Sheet) -> list[tuple[int, str]]:
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
    about = [c for c in sheet.columns if c.role in (*NUMBERS, "sex", "arm")]
    long = any(c.role in TIMES for c in sheet.columns)
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


def _named(sheet: Sheet, role: str) -> str:
    return " and ".join(c.header for c in sheet.columns if c.role == role)


def _about(sheet: Sheet, row: int, column: Column) -> str:
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
    if column.role in NUMBERS:
        try:
            found = read_value(cell, sheet.mapping.missing, sheet.decimal)
        except CellError as error:
            sheet.refuse(row, column, cell, str(error))
            return ""
        return found.value if found else ""
    return text


def read_withdrawals(
    sheet: Sheet, rows: Sequence[tuple[int, str]], starts: dict[str, dt.date]
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
            number = read_value(cell, sheet.mapping.missing, sheet.decimal) if not date else None
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
