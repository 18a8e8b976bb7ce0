"""Rules for single cells: columns present, numbers readable, values in range.

The rules are pandera schemas, one over the text as found and one over the numbers read from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING

from mnbayes.base.problems import LISTED, Problem, quoted, row_problems
from mnbayes.data.markers import MARKERS
from mnbayes.data.read_table import Table

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}

# At most 30 digits on a side and two in the exponent: no number overflows, here or after a unit
# conversion. Commas, "inf", "NA" and "<5" are not numbers.
_NUMBER = r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?"

_A_NUMBER = "a number such as 3.5, with a decimal point and no unit"
_A_GRADE = "a CTCAE grade: a whole number from 0 (absent) to 5 (death)"
NUMBERS: dict[str, dict[str, str]] = {
    "patients": {
        "age_years": f"{_A_NUMBER}, or blank",
        "bmi": f"{_A_NUMBER}, or blank",
        "infusions": "a whole number, or blank",
        "withdrew_week": f"{_A_NUMBER}, or blank where not withdrawn",
    },
    "measurements": {
        "week": _A_NUMBER,
        "value": f"{_A_NUMBER} (blank where lower and upper are given)",
        "lower": f"{_A_NUMBER}, or blank where open",
        "upper": f"{_A_NUMBER}, or blank where open",
    },
    "events": {"week": _A_NUMBER, "grade": _A_GRADE},
}
"""Number columns of each table, and what a cell must hold."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "patients": ("patient", "sex", "age_years", "bmi", "infusions", "withdrew_week"),
    "measurements": ("patient", "week", "marker", "value", "unit", "lower", "upper"),
    "events": ("patient", "week", "term", "grade"),
}


def _text_schema(table: str) -> pa.DataFrameSchema:
    """Columns that must be there, and the form of each cell's text."""
    import pandera.pandas as pa

    # n_failure_cases bounds what pandera copies; the full mask stays in `check_output`.
    def check(function: Callable[..., object], expected: str) -> pa.Check:
        return pa.Check(function, error=expected, n_failure_cases=LISTED)

    def number(expected: str, blank: bool) -> pa.Check:
        return check(
            lambda cells: cells.str.fullmatch(_NUMBER) | (cells.eq("") if blank else False),
            expected,
        )

    rules = {"patient": check(lambda cells: cells.ne(""), "the name of a patient")}
    for column, expected in NUMBERS[table].items():
        rules[column] = number(expected, blank=column not in ("week", "grade"))
    if table == "patients":
        rules["sex"] = check(
            lambda cells: cells.str.lower().isin([*SEXES, ""]), "female, male, F, M or blank"
        )
    elif table == "measurements":
        rules["marker"] = check(
            lambda cells: cells.isin(list(MARKERS)), f"one of {', '.join(MARKERS)}"
        )
    else:
        rules["term"] = check(lambda cells: cells.ne(""), "what happened, such as fever")
    return pa.DataFrameSchema(
        {column: pa.Column(None, rules.get(column)) for column in COLUMNS[table]}, strict=True
    )


def _number_schema(table: str) -> pa.DataFrameSchema:
    """Ranges of the numbers that could be read; NaN stands for every other cell."""
    import pandera.pandas as pa

    def column(function: Callable[..., object], expected: str) -> pa.Column:
        check = pa.Check(function, error=expected, n_failure_cases=LISTED)
        return pa.Column(float, check, nullable=True, coerce=True, required=False)

    week = column(lambda x: x >= 0, "a week, 0 (baseline) or later")
    ranges = {
        "patients": {
            "age_years": column(lambda x: (x > 0) & (x <= 120), "years, above 0 and at most 120"),
            "bmi": column(lambda x: (x >= 5) & (x <= 120), "kg/m2, from 5 to 120"),
            "infusions": column(lambda x: (x >= 0) & (x % 1 == 0), "a whole number, 0 or more"),
            "withdrew_week": column(lambda x: x >= 0, "a week, 0 or later"),
        },
        "measurements": {
            "week": week,
            "value": column(lambda x: x > 0, "a value above 0"),
            "lower": column(lambda x: x >= 0, "a bound of 0 or more"),
            "upper": column(lambda x: x > 0, "a bound above 0"),
        },
        "events": {
            "week": week,
            "grade": column(lambda x: x.isin(range(6)), _A_GRADE),
        },
    }
    return pa.DataFrameSchema(ranges[table])


def check_cells(table: Table, kind: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Check every cell by itself and read the numbers.

    Parameters
    ----------
    table : Table
        A table as text.
    kind : {"patients", "measurements", "events"}
        Which table it is.

    Returns
    -------
    DataFrame
        The number columns that are present, as float; NaN where blank, unreadable or out of
        range. Index as in ``table.text``.
    list of Problem
    """
    import pandas as pd

    text = table.text
    readable = {}
    for column in NUMBERS[kind]:
        if column in text:
            cells = text[column].where(text[column].str.fullmatch(_NUMBER), "")
            readable[column] = pd.to_numeric(cells.replace("", None).astype(object))
    numbers = pd.DataFrame(readable, index=text.index, dtype="float64")
    _, problems = _failures(_text_schema(kind), text, table)
    out_of_range, more = _failures(_number_schema(kind), numbers, table)
    for column, mask in out_of_range.items():
        numbers[column] = numbers[column].mask(mask)
    return numbers, problems + more


def _failures(
    schema: pa.DataFrameSchema, frame: pd.DataFrame, table: Table
) -> tuple[dict[str, pd.Series[bool]], list[Problem]]:
    """Validate lazily; return the failing cells by column, and the problems."""
    import pandera.errors

    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        found = errors.schema_errors
    else:
        return {}, []
    masks: dict[str, pd.Series[bool]] = {}
    problems: list[Problem] = []
    extra: list[str] = []
    for error in found:
        reason = error.reason_code.name
        if reason == "COLUMN_NOT_IN_DATAFRAME":
            problems.append(_missing_column(str(error.failure_cases), table))
        elif reason == "COLUMN_NOT_IN_SCHEMA":
            extra.append(str(error.failure_cases))
        elif reason == "DATAFRAME_CHECK":
            column = str(error.schema.name)
            # pandera leaves NaN cells out of the output; they have no range to be out of.
            mask = ~error.check_output.reindex(table.text.index, fill_value=True).astype(bool)
            masks[column] = mask
            problems += _cell_problems(table, column, mask, str(error.check.error))
        else:  # a schema that fails in another way is a fault of this module, not of the data
            raise error
    problems += row_problems(
        table.file,
        None,
        [table.header_row] * len(extra),
        [f"the column {quoted(name)}" for name in extra],
        "only the columns of the data contract; this one is not used",
        severity="warning",
    )
    return masks, problems


def _missing_column(column: str, table: Table) -> Problem:
    near = difflib.get_close_matches(column, [name[:60] for name in table.text.columns], 1)
    found = f"no such column (but {quoted(near[0])})" if near else "no such column"
    return Problem(table.file, table.header_row, column, found, f"a column named {column}")


def _cell_problems(
    table: Table, column: str, mask: pd.Series[bool], expected: str
) -> list[Problem]:
    failing = table.text.loc[mask.to_numpy(), column]
    found = failing.iloc[:LISTED].tolist()

    def hint(i: int) -> str:
        if column != "marker":
            return ""
        near = difflib.get_close_matches(found[i][:60].lower(), list(MARKERS), 1)
        return f"; did you mean {near[0]}?" if near else ""

    return row_problems(
        table.file,
        column,
        failing.index.tolist(),
        [quoted(cell) for cell in found],
        expected,
        hint=hint,
    )
