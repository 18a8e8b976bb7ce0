"""A sheet as clinics keep it: a row a patient, columns marker × visit; or a row a visit."""

from __future__ import annotations

from mnbayes.base.problems import quoted
from mnbayes.data.imports.draft import Draft, Options, Place
from mnbayes.data.imports.grids import Grid
from mnbayes.data.imports.headers import find_columns
from mnbayes.data.imports.mapping import Mapping, key
from mnbayes.data.imports.sheet_markers import find_markers
from mnbayes.data.imports.sheet_patients import read_patients, read_withdrawals
from mnbayes.data.imports.sheet_visits import baseline_dates, place_by_column, place_by_row
from mnbayes.data.imports.sheets import TIMES, Sheet, say_wrong


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
    sheet = Sheet(grid, mapping, options, draft, columns, start)
    rows = read_patients(sheet)
    measured = find_markers(sheet, rows)
    if not measured:
        draft.stop_where_open()
        names = ", ".join(c.header for c in columns if not c.role)[:200]
        expected = (
            'a column of a marker, as "Albumin week 4 (g/L)"; a name of your own: names.MARKER'
        )
        draft.ask(sheet.place(), f"no marker among the columns {names}", expected)
        draft.stop_where_open()
    starts = baseline_dates(sheet, rows)
    long = [c for c in measured if not c.visit and not c.date]
    times = [c for c in sheet.columns if c.role in TIMES]
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
        place_by_row(sheet, rows, long, times, starts)
    place_by_column(sheet, rows, [c for c in measured if c.visit or c.date], starts)
    read_withdrawals(sheet, rows, starts)
    for (kind, expected), wrong in sheet.wrong.items():
        say_wrong(sheet, kind, expected, wrong)
    draft.check_answers(options)
    if options.arm:
        keep_arm(draft, options.arm)
    draft.stop_where_open()
    return draft


def keep_arm(draft: Draft, arm: str) -> None:
    """Leave out whoever is not of an arm, and count them."""
    arms = {name: row.get("arm", "") for name, row in draft.patients.items()}
    if key(arm) not in map(key, arms.values()):
        known = ", ".join(dict.fromkeys(filter(None, arms.values()))) or "no column of arms"
        draft.ask(Place("--arm"), quoted(arm), f"an arm of the file: {known}")
    others = {name for name, own in arms.items() if key(own) != key(arm)}
    for name in others:
        draft.left_out[f"patient of another arm ({arms[name] or 'blank'})"] += 1
        del draft.patients[name]
    draft.readings = [reading for reading in draft.readings if reading.patient not in others]
