"""Remission counts of earlier studies (``data/historical.csv``), validated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnbayes.base.problems import LISTED, InputError, Problem, did_you_mean, quoted, row_problems
from mnbayes.base.resources import embedded_cohort_folder
from mnbayes.data.read_table import Table, control_codes, read_table

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("study", "arm", "treatment_class", "refractory", "month", "month_is", "n", "remission"),
    *("complete", "read_as", "count_within", "overlap", "reference", "note"),
)
#: Columns that a file may leave out: a blank says nothing special.
OPTIONAL = ("complete", "month_is", "count_within", "overlap", "note")
#: Refractory to earlier treatment, as a share of the arm's patients; ``mixed`` is taken as half.
REFRACTORY = {"yes": 1.0, "mixed": 0.5, "no": 0.0}
#: ``assessed``: everybody was judged at that month. ``average``: the remissions are those of the
#: whole follow-up and the month is an average time.
MONTH_IS = ("assessed", "average")
READ_AS = ("published", "derived")

_WHOLE, _BLANK_WHOLE = r"[0-9]{1,6}", r"(?:[0-9]{1,6})?"
_DECIMAL = r"(?:[0-9]{1,4}(?:\.[0-9]{0,6})?|\.[0-9]{1,6})"


@dataclass(frozen=True, eq=False)
class HistoricalTable:
    """Arms of earlier studies.

    Attributes
    ----------
    rows : DataFrame
        One row for each arm, columns :data:`COLUMNS`: ``month`` in months from the start of
        treatment; ``n``, ``remission``, ``complete`` (-1 where not stated) and ``count_within``
        are counts of patients, texts otherwise. The count of remissions may be off by
        ``count_within`` either way. Rows with the same ``overlap`` may share patients.
    file : str
        Name of the file.
    sha256 : str
        Of the file's bytes.
    """

    rows: pd.DataFrame
    file: str
    sha256: str

    @property
    def studies(self) -> tuple[str, ...]:
        """Names of the studies, in the order of the file."""
        return tuple(dict.fromkeys(self.rows["study"]))

    def with_rows(self, rows: pd.DataFrame) -> HistoricalTable:
        """The same table with other rows."""
        return HistoricalTable(rows.reset_index(drop=True), self.file, self.sha256)


def historical_file() -> Path:
    """The table that mnbayes brings."""
    return embedded_cohort_folder().parent / "historical.csv"


def load_historical(
    path: Path | str | None = None, classes: Sequence[str] | None = None
) -> HistoricalTable:
    """Read a table of remission counts.

    Parameters
    ----------
    path : Path or str, optional
        A CSV file (Parquet and Excel where pandas reads them). Default: the one mnbayes brings.
    classes : sequence of str, optional
        Treatment classes that a row may have. Default: any.

    Raises
    ------
    InputError
        With every problem, each with row, column, what was found and what was expected.
    """
    place = historical_file() if path is None else Path(path)
    if not place.is_file():
        raise InputError([Problem(place.name, None, None, "no such file", "a table of counts")])
    table, problems = read_table(place.parent, place.stem)
    if table is None or problems:
        raise InputError(problems)
    text = table.text.assign(**{name: "" for name in OPTIONAL if name not in table.text})
    table = Table(table.file, table.content, table.header_row, text)
    problems = control_codes(table) + _cell_problems(table, classes)
    if not any(problem.severity == "error" for problem in problems):
        problems += _row_problems(table)
    if any(problem.severity == "error" for problem in problems):
        raise InputError(problems)
    digest = hashlib.sha256(table.content).hexdigest()
    return HistoricalTable(_typed(text).reset_index(drop=True), table.file, digest)


def _schema(classes: Sequence[str] | None) -> Any:
    """Columns that must be there, and the form of each cell's text."""
    import pandera.pandas as pa  # heavy

    def matches(pattern: str, expected: str) -> Any:
        return pa.Column(
            None,
            pa.Check(
                lambda cells: cells.str.fullmatch(pattern), error=expected, n_failure_cases=LISTED
            ),
        )

    def one_of(values: Sequence[str], expected: str = "") -> Any:
        text = expected or f"one of {', '.join(values)}"
        return pa.Column(
            None, pa.Check(lambda cells: cells.isin(values), error=text, n_failure_cases=LISTED)
        )

    count = "a whole number"
    filled = matches(r"(?s).*\S.*", "a text")
    return pa.DataFrameSchema(
        {
            "study": filled,
            "arm": filled,
            "treatment_class": filled if classes is None else one_of(classes),
            "refractory": one_of(tuple(REFRACTORY)),
            "month": matches(_DECIMAL, "a number of months, such as 6 or 14.7"),
            "month_is": one_of(("", *MONTH_IS), f"{' or '.join(MONTH_IS)} (blank: {MONTH_IS[0]})"),
            "n": matches(_WHOLE, f"{count} of patients"),
            "remission": matches(_WHOLE, f"{count} of patients in remission"),
            "complete": matches(_BLANK_WHOLE, f"{count}, or blank where not stated"),
            "read_as": one_of(READ_AS),
            "count_within": matches(_BLANK_WHOLE, f"{count} of patients either way, or blank"),
            "reference": matches(r"(?s).*\S.*", "where the count is published"),
        }
    )


def _cell_problems(table: Table, classes: Sequence[str] | None) -> list[Problem]:
    """Every cell that cannot be read, and columns too few or too many."""
    import pandera.errors

    problems = [
        Problem(
            table.file,
            table.header_row,
            name,
            "a column that is not used",
            f"one of {', '.join(COLUMNS)}{did_you_mean(name, COLUMNS)}",
            "warning",
        )
        for name in table.text.columns
        if name not in COLUMNS
    ]
    try:
        _schema(classes).validate(table.text, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        for error in errors.schema_errors:
            if error.reason_code.name == "COLUMN_NOT_IN_DATAFRAME":
                name = str(error.failure_cases)
                hint = did_you_mean(name, [str(c) for c in table.text.columns])
                problems.append(
                    Problem(table.file, table.header_row, name, "no such column", f"{name}{hint}")
                )
            elif error.reason_code.name == "DATAFRAME_CHECK":
                column = str(error.schema.name)
                problems += _at(table, column, ~error.check_output, str(error.check.error))
            else:  # a fault of this module, not of the data
                raise error from None
    return problems


def _at(table: Table, column: str, wrong: Any, expected: str) -> list[Problem]:
    """One problem for each row where ``wrong`` is true."""
    cells = table.text.loc[np.asarray(wrong, dtype=bool), column]
    found = [quoted(cell) for cell in cells]
    return row_problems(table.file, column, cells.index.tolist(), found, expected)


def _row_problems(table: Table) -> list[Problem]:
    """Cells that contradict each other, and rows that are there twice."""
    text, rows = table.text, _typed(table.text)
    twice = rows.duplicated(["study", "arm"], keep="first")
    derived = (rows["count_within"] > 0) & (rows["read_as"] == "published")
    return [
        *_at(table, "month", rows["month"] <= 0, "a time after the start of treatment"),
        *_at(table, "n", rows["n"] < 1, "at least one patient"),
        *_at(table, "remission", rows["remission"] > rows["n"], "at most the arm's patients (n)"),
        *_at(table, "complete", rows["complete"] > rows["remission"], "at most remission"),
        *_at(table, "count_within", derived, "0 or blank: the count is read as published"),
        *_at(table, "arm", twice, "each arm of a study once"),
        *(
            [Problem(table.file, None, None, "no rows", "at least one arm of a study")]
            if text.empty
            else []
        ),
    ]


def _typed(text: pd.DataFrame) -> pd.DataFrame:
    """Cells as numbers where they are numbers, blanks filled with what they mean."""
    rows = text[list(COLUMNS)].copy()
    rows["month"] = rows["month"].astype(float)
    rows["month_is"] = rows["month_is"].where(rows["month_is"] != "", MONTH_IS[0])
    for name, blank in (("n", "0"), ("remission", "0"), ("complete", "-1"), ("count_within", "0")):
        rows[name] = rows[name].where(rows[name] != "", blank).astype(int)
    return rows
