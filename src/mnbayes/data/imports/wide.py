"""A sheet as clinics keep it: a row a patient, columns marker × visit; or a row a visit."""

from __future__ import annotations

from mnbayes.data.imports.draft import Draft, Options
from mnbayes.data.imports.grids import Grid
from mnbayes.data.imports.headers import find_columns
from mnbayes.data.imports.mapping import Mapping
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
    draft.stop_where_open()
    return draft
