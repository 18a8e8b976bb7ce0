"""Rules for single cells: columns present, numbers readable, values in range.

The rules are pandera schemas, one over the text as found and one over the numbers read from it.
What fails is told by its cause, however many rows have it, with the remedy where there is one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from mnbayes.base.problems import LISTED, Problem, quoted, row_problems
from mnbayes.data.markers import Catalogue
from mnbayes.data.names import marker_meant
from mnbayes.data.read_table import Table

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}

# At most 30 digits on a side and two in the exponent: no number overflows, here or after a unit
# conversion. Commas, "inf", "NA" and "<5" are not numbers.
NUMBER = r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?"

#: Characters of a patient's or an event's name: what SAS transport files hold.
LONGEST_NAME = 200

_A_NUMBER = "a number such as 3.5, with a decimal point and no unit"
_A_GRADE = "a CTCAE grade: a whole number from 0 (absent) to 5 (death)"
_A_VALUE = (
    "a value above 0; where the laboratory found none, leave value blank and write its limit of "
    "detection in upper"
)
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

REQUIRED: dict[str, tuple[str, ...]] = {
    "patients": ("patient",),
    "measurements": ("patient", "week", "marker", "value", "unit"),
    "events": ("patient", "week", "term", "grade"),
}
"""Columns that must be there. Another that is absent is read as blank."""

_DIGITS = r"[0-9]+(?:[.,][0-9]+)?"
_BELOW = re.compile(rf"(?:<|≤|＜|below|under|unter)\s*=?\s*({_DIGITS})", re.IGNORECASE)
_ABOVE = re.compile(rf"(?:>|≥|＞|above|over|über)\s*=?\s*({_DIGITS})", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+")
_WITH_UNIT = re.compile(rf"({_DIGITS})\s*[A-Za-zµμ%/].*")
_DATE = re.compile(r"[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}(?:[ T].*)?")
_WEEK_WORD = re.compile(r"(?:w|wk|week|woche|周)[ ._-]?([0-9.]+)", re.IGNORECASE)
_DAY_WORD = re.compile(
    r"(?:d|day|tag|m|month|monat)[ ._-]?[0-9.]+|[0-9.]+ ?(?:d|days?|m|months?|tage?|monate?)",
    re.IGNORECASE,
)
_NOT_DONE = {
    *("nd", "n.d.", "n.d", "na", "n/a", "n.a.", "nan", "null", "none", "missing", "not done", "."),
    *("-", "--", "–", "—", "?", "unk", "unknown", "pending", "nicht gemessen", "未测"),
}
_BASELINE = {"baseline", "bl", "base", "v0", "基线"}


def _remedy(cell: str, column: str) -> str:
    """What to do about a text in a number column; blank where its cause is not known."""
    plain = cell.strip()
    if column == "week":
        if plain.casefold() in _BASELINE:
            return "; the baseline is week 0"
        if match := _WEEK_WORD.fullmatch(plain):
            return f"; the number alone, {match[1]} for {quoted(plain)}"
        if _DATE.fullmatch(plain):
            return "; weeks since the start of treatment, not a date (days since then / 7)"
        if _DAY_WORD.fullmatch(plain):
            return "; in weeks (days / 7, months × 4.35)"
    if column == "value":
        for pattern, bound, limit in ((_BELOW, "upper", "below"), (_ABOVE, "lower", "above")):
            if match := pattern.fullmatch(plain):
                number = match[1].replace(",", ".")
                return f"; a value {limit} a limit: leave value blank and write {number} in {bound}"
        if plain.casefold() in _NOT_DONE:
            return (
                "; not measured: delete the row; not detected: leave value blank and write the "
                "limit of detection in upper"
            )
    elif plain.casefold() in _NOT_DONE and column != "grade":
        return "; leave what is not known blank"
    if _THOUSANDS.fullmatch(plain):
        return f"; no comma: {plain.replace(',', '')} or {plain.replace(',', '.', 1)}?"
    if _COMMA.fullmatch(plain):
        return f"; with a point, {plain.replace(',', '.')} for {quoted(plain)}"
    if match := _WITH_UNIT.fullmatch(plain):
        return f"; the number alone, {match[1].replace(',', '.')}, and its unit in column unit"
    return ""


def _text_schema(table: str, catalogue: Catalogue) -> pa.DataFrameSchema:
    """Columns that must be there, and the form of each cell's text."""
    import pandera.pandas as pa

    # n_failure_cases bounds what pandera copies; the full mask stays in `check_output`.
    def check(function: Callable[..., object], expected: str) -> pa.Check:
        return pa.Check(function, error=expected, n_failure_cases=LISTED)

    def number(expected: str, blank: bool) -> pa.Check:
        return check(
            lambda cells: cells.str.fullmatch(NUMBER) | (cells.eq("") if blank else False),
            expected,
        )

    a_name = f"the name of a patient, on one line of at most {LONGEST_NAME} characters"
    one_line = rf"[^\t\r\n]{{1,{LONGEST_NAME}}}"
    rules = {"patient": check(lambda cells: cells.str.fullmatch(one_line), a_name)}
    for column, expected in NUMBERS[table].items():
        rules[column] = number(expected, blank=column not in ("week", "grade"))
    if table == "patients":
        rules["sex"] = check(
            lambda cells: cells.str.lower().isin([*SEXES, ""]), "female, male, F, M or blank"
        )
    elif table == "measurements":
        rules["marker"] = check(lambda cells: cells.isin(list(catalogue)), "the name of a marker")
    else:
        what = f"what happened, such as fever, in at most {LONGEST_NAME} characters"
        rules["term"] = check(lambda cells: cells.str.len().between(1, LONGEST_NAME), what)
    return pa.DataFrameSchema(
        {
            column: pa.Column(None, rules.get(column), required=column in REQUIRED[table])
            for column in COLUMNS[table]
        }
    )


def _number_schema(table: str) -> pa.DataFrameSchema:
    """Ranges of the numbers that could be read; NaN stands for every other cell."""
    import pandera.pandas as pa

    def column(function: Callable[..., object], expected: str) -> pa.Column:
        check = pa.Check(function, error=expected, n_failure_cases=LISTED)
        return pa.Column(float, check, nullable=True, coerce=True, required=False)

    ranges = {
        "patients": {
            "age_years": column(lambda x: (x > 0) & (x <= 120), "years, above 0 and at most 120"),
            "bmi": column(lambda x: (x >= 5) & (x <= 120), "kg/m2, from 5 to 120"),
            "infusions": column(lambda x: (x >= 0) & (x % 1 == 0), "a whole number, 0 or more"),
            "withdrew_week": column(lambda x: x >= 0, "a week, 0 or later"),
        },
        "measurements": {
            "week": column(lambda x: x.abs() <= 5000, "a week, from -5000 (screening) to 5000"),
            "value": column(lambda x: x > 0, _A_VALUE),
            "lower": column(lambda x: x >= 0, "a bound of 0 or more"),
            "upper": column(lambda x: x > 0, "a bound above 0"),
        },
        "events": {
            "week": column(lambda x: x >= 0, "a week, 0 (baseline) or later"),
            "grade": column(lambda x: x.isin(range(6)), _A_GRADE),
        },
    }
    return pa.DataFrameSchema(ranges[table])


def read_numbers(cells: pd.Series[str]) -> pd.Series[float]:
    """Numbers of cells; NaN where one is blank or no number."""
    import pandas as pd

    readable = cells.where(cells.str.fullmatch(NUMBER), "")
    return pd.to_numeric(readable.replace("", None).astype(object)).astype("float64")


def check_cells(
    table: Table, kind: str, catalogue: Catalogue
) -> tuple[pd.DataFrame, list[Problem]]:
    """Check every cell by itself and read the numbers.

    Parameters
    ----------
    table : Table
        A table as text.
    kind : {"patients", "measurements", "events"}
        Which table it is.
    catalogue : mapping
        Markers that it may hold.

    Returns
    -------
    DataFrame
        The number columns that are present, as float; NaN where blank, unreadable or out of
        range. Index as in ``table.text``.
    list of Problem
    """
    import pandas as pd

    text = table.text
    numbers = pd.DataFrame(
        {column: read_numbers(text[column]) for column in NUMBERS[kind] if column in text},
        index=text.index,
        dtype="float64",
    )
    _, problems = _failures(_text_schema(kind, catalogue), text, table, catalogue)
    out_of_range, more = _failures(_number_schema(kind), numbers, table, catalogue)
    for column, mask in out_of_range.items():
        numbers[column] = numbers[column].mask(mask)
    return numbers, problems + more


def _failures(
    schema: pa.DataFrameSchema, frame: pd.DataFrame, table: Table, catalogue: Catalogue
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
    for error in found:
        reason = error.reason_code.name
        if reason == "COLUMN_NOT_IN_DATAFRAME":
            problems.append(_missing_column(str(error.failure_cases), table))
        elif reason == "DATAFRAME_CHECK":
            column = str(error.schema.name)
            # pandera leaves NaN cells out of the output; they have no range to be out of.
            mask = ~error.check_output.reindex(table.text.index, fill_value=True).astype(bool)
            masks[column] = mask
            expected = str(error.check.error)
            if column == "marker":
                problems += _unknown_markers(table, mask, catalogue)
            else:
                problems += _cell_problems(table, column, mask, expected)
        else:  # a schema that fails in another way is a fault of this module, not of the data
            raise error
    return masks, problems


def unused_columns(table: Table, kind: str) -> list[Problem]:
    """Columns beyond the contract's, in one warning."""
    extra = [name for name in table.text.columns if name not in COLUMNS[kind]]
    if not extra:
        return []
    word = "column" if len(extra) == 1 else "columns"
    found = f"the {word} {', '.join(map(quoted, extra[:LISTED]))}"
    expected = f"only {', '.join(COLUMNS[kind])}; the rest is not used"
    return [Problem(table.file, table.header_row, None, found, expected, "warning")]


def _missing_column(column: str, table: Table) -> Problem:
    near = difflib.get_close_matches(column, [name[:60] for name in table.text.columns], 1)
    found = f"no such column (but {quoted(near[0])})" if near else "no such column"
    return Problem(table.file, table.header_row, column, found, f"a column named {column}")


def _cell_problems(
    table: Table, column: str, mask: pd.Series[bool], expected: str
) -> list[Problem]:
    failing = table.text.loc[mask.to_numpy(), column]
    cells = {quoted(cell): cell for cell in failing.unique()}
    told: dict[str, str] = {}
    number = expected in (*NUMBERS["patients"].values(), *NUMBERS["measurements"].values())

    def hint(found: str) -> str:
        # Several texts with one cause have the remedy of the first: "<0.1", "<0.2" and so on.
        remedy = _remedy(cells[found], column) if number else ""
        whole = f"a number{remedy}" if remedy else expected
        return told.setdefault(re.sub(r'"[^"]*"|[0-9.]+', "#", remedy), whole)

    found = failing.map(quoted).tolist()
    return row_problems(
        table.file, column, failing.index.tolist(), found, "", hint=hint, otherwise=expected
    )


def _unknown_markers(table: Table, mask: pd.Series[bool], catalogue: Catalogue) -> list[Problem]:
    rows = table.text.loc[mask.to_numpy()]
    units = rows["unit"] if "unit" in rows else rows["marker"].str.slice(0, 0)
    usual = dict(zip(rows["marker"].map(quoted), units, strict=True))
    names = dict(zip(rows["marker"].map(quoted), rows["marker"], strict=True))

    every = f", one of {', '.join(catalogue)}; a file markers.toml beside the tables adds others"

    def hint(found: str) -> str:
        near = marker_meant(names[found], usual[found], catalogue) if names[found] else ""
        return f"; did you mean {near}?" if near else every

    return row_problems(
        table.file,
        "marker",
        rows.index.tolist(),
        rows["marker"].map(quoted).tolist(),
        "the name of a marker",
        hint=hint,
        otherwise=every,
    )
