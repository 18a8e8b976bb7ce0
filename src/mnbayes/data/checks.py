"""Rules that need more than one cell: intervals, units, duplicates, baseline, withdrawal, events.

Every function takes whole columns and returns problems; none stops at the first, and none
reports a cell again that `schema.check_cells` has already refused. Frames are indexed by the
line in the file.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from mnbayes.base.problems import LISTED, Problem, Severity, quoted, row_problems
from mnbayes.data.markers import MARKERS
from mnbayes.data.units import UnitError, conversion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

AMOUNTS = ["value", "lower", "upper"]


def _flag(
    file: str,
    column: str,
    rows: pd.DataFrame,
    say: Callable[[pd.Series], str],
    expected: str,
    *,
    severity: Severity = "error",
    hint: Callable[[int], str] | None = None,
) -> list[Problem]:
    """One problem for each of `rows`, whose text is made for the listed ones only."""
    if rows.empty:
        return []
    found = [say(row) for _, row in rows.head(LISTED).iterrows()]
    return row_problems(
        file, column, rows.index.tolist(), found, expected, severity=severity, hint=hint
    )


def _among(names: pd.Series[str], known: Iterable[str]) -> NDArray[np.bool_]:
    """``names.isin(known)``, quick also where there are many names on both sides."""
    codes, distinct = pd.factorize(names)
    allowed = set(known)
    return np.array([name in allowed for name in distinct], dtype=bool)[codes]


def repeated(
    file: str,
    keys: pd.DataFrame,
    column: str,
    say: Callable[[pd.Series], str],
    expected: str,
) -> list[Problem]:
    """Rows whose keys stood in an earlier row, naming both."""
    twice = keys[keys.duplicated(keep=False)]
    if twice.empty:
        return []
    first = twice.assign(first=twice.index).groupby(keys.columns.tolist())["first"].transform("min")
    twice = twice.assign(first=first)
    later = twice[twice["first"] != twice.index]
    return _flag(file, column, later, lambda row: f"{say(row)}, as in row {row['first']}", expected)


def check_patients(file: str, patient: pd.Series[str]) -> list[Problem]:
    """Patients listed twice."""
    keys = patient[patient != ""].to_frame()
    return repeated(
        file, keys, "patient", lambda row: quoted(row["patient"]), "each patient in one row"
    )


def check_intervals(file: str, text: pd.DataFrame, numbers: pd.DataFrame) -> list[Problem]:
    """Each row holds a value or an interval: not both, not neither, and not a crossed one."""
    given = text[AMOUNTS] != ""
    interval = given["lower"] | given["upper"]
    both = given["value"] & interval
    # (0, infinity) is what every positive number satisfies: it says nothing either.
    nothing = ~given["value"] & ~given["upper"] & (~given["lower"] | (numbers["lower"] == 0))
    crossed = numbers["lower"] >= numbers["upper"]

    def bounds(row: pd.Series) -> str:
        return f"lower {quoted(row['lower'])}, upper {quoted(row['upper'])}"

    return [
        *_flag(
            file,
            "value",
            text[both],
            lambda row: f"value {quoted(row['value'])} and {bounds(row)}",
            "either a value or an interval, not both",
        ),
        *_flag(
            file,
            "value",
            text[nothing],
            lambda row: f"value blank and {bounds(row)}",
            "a value, or an interval with lower above 0 or upper given",
        ),
        *_flag(file, "lower", text[crossed], bounds, "lower below upper"),
    ]


def convert(
    file: str, text: pd.DataFrame, numbers: pd.DataFrame
) -> tuple[pd.DataFrame, list[Problem]]:
    """Take value, lower and upper to the canonical units.

    Returns
    -------
    DataFrame
        Columns value, lower, upper; NaN where the unit or the marker is not known.
    list of Problem
        Units that do not convert.
    """
    known = text["marker"].isin(list(MARKERS))
    pairs = text.loc[known, ["marker", "unit"]]
    multiply = np.full(len(text), np.nan)
    divide = np.ones(len(text))
    refused: dict[tuple[str, str], list[NDArray[np.intp]]] = {}
    at = np.flatnonzero(known.to_numpy())
    # Each distinct (marker, unit) is looked up once, however many rows use it.
    grouped = pairs.groupby(["marker", "unit"], sort=False).indices
    for pair, members in grouped.items():
        marker, unit = cast("tuple[str, str]", pair)
        rows = at[members]
        try:
            multiply[rows], divide[rows] = conversion(unit, marker)
        except UnitError as error:
            refused.setdefault((marker, str(error)), []).append(rows)
    canonical = numbers[AMOUNTS].mul(multiply, axis=0).div(divide, axis=0)
    problems: list[Problem] = []
    for (marker, message), parts in refused.items():
        rows = np.sort(np.concatenate(parts))
        problems += _flag(
            file,
            "unit",
            text.iloc[rows],
            lambda row: quoted(row["unit"]),
            f"for {marker} {message}",
        )
    return canonical, problems


def check_repeats(file: str, text: pd.DataFrame, numbers: pd.DataFrame) -> list[Problem]:
    """Two rows of one patient, week and marker."""
    keys = text[["patient", "marker"]].assign(week=numbers["week"])
    keys = keys[(keys["patient"] != "") & keys["marker"].isin(list(MARKERS)) & keys["week"].notna()]
    return repeated(
        file,
        keys,
        "marker",
        lambda row: f"{quoted(row['patient'])}, week {row['week']:g}, {row['marker']}",
        "each patient, week and marker in one row",
    )


def check_listed(file: str, text: pd.DataFrame, patients: pd.Series[str]) -> list[Problem]:
    """Rows of patients that the table of patients does not list."""
    unknown = text[(text["patient"] != "") & ~_among(text["patient"], patients)]
    names = patients.tolist() if len(patients) <= 1000 else []

    def hint(i: int) -> str:
        near = difflib.get_close_matches(unknown["patient"].iloc[i][:60], names, 1)
        return f"; did you mean {quoted(near[0])}?" if near else ""

    return _flag(
        file,
        "patient",
        unknown,
        lambda row: quoted(row["patient"]),
        "a patient listed in the table of patients",
        hint=hint,
    )


def check_measured(file: str, patient: pd.Series[str], measured: pd.Series[str]) -> list[Problem]:
    """Patients without any measurement (a warning)."""
    without = patient[(patient != "") & ~_among(patient, measured)].to_frame()
    return _flag(
        file,
        "patient",
        without,
        lambda row: f"{quoted(row['patient'])} without measurements",
        "at least one measurement of each patient",
        severity="warning",
    )


def check_baseline(
    file: str, text: pd.DataFrame, week: pd.Series[float], patients: pd.Series[str]
) -> list[Problem]:
    """Patients without a week-0 row; markers of a patient without one (a warning)."""
    rows = text[["patient", "marker"]].assign(week=week, line=text.index)
    rows = rows[_among(rows["patient"], patients) & (rows["patient"] != "")]
    # A week that could not be read may have been the baseline.
    unread = rows.loc[rows["week"].isna(), "patient"]
    rows = rows[~_among(rows["patient"], unread)]
    by_patient = rows.groupby("patient", sort=False).agg(week=("week", "min"), line=("line", "min"))
    late = by_patient[by_patient["week"] > 0].reset_index().set_index("line")
    problems = _flag(
        file,
        "week",
        late,
        lambda row: f"{quoted(row['patient'])} from week {row['week']:g} only",
        "a week-0 row (the baseline) of each patient",
    )
    rows = rows[~_among(rows["patient"], late["patient"]) & rows["marker"].isin(list(MARKERS))]
    by_marker = rows.groupby(["patient", "marker"], sort=False).agg(
        week=("week", "min"), line=("line", "min")
    )
    late = by_marker[by_marker["week"] > 0].reset_index().set_index("line")
    return problems + _flag(
        file,
        "week",
        late,
        lambda row: f"{row['marker']} of {quoted(row['patient'])} from week {row['week']:g} only",
        "a week-0 value too, without which no change from baseline was observed",
        severity="warning",
    )


def check_withdrawal(
    file: str,
    text: pd.DataFrame,
    week: pd.Series[float],
    withdrew: pd.Series[float],
    expected: str = "no measurement after the week of withdrawal",
    severity: Severity = "error",
) -> list[Problem]:
    """Rows after the week of withdrawal; `withdrew` is indexed by patient."""
    left = text["patient"].map(withdrew[~withdrew.index.duplicated()])
    rows = text[["patient"]].assign(week=week, left=left.astype("float64"))
    return _flag(
        file,
        "week",
        rows[rows["week"] > rows["left"]],
        lambda row: (
            f"week {row['week']:g} of {quoted(row['patient'])}, withdrawn in week {row['left']:g}"
        ),
        expected,
        severity=severity,
    )


def check_event_repeats(
    file: str, text: pd.DataFrame, numbers: pd.DataFrame, term: pd.Series[str]
) -> list[Problem]:
    """Two rows of one patient, week and term, whose spellings are made one in `term`."""
    keys = text[["patient"]].assign(week=numbers["week"], term=term)
    keys = keys[(keys["patient"] != "") & (keys["term"] != "") & keys["week"].notna()]
    return repeated(
        file,
        keys,
        "term",
        lambda row: f"{quoted(row['patient'])}, week {row['week']:g}, {quoted(row['term'])}",
        "each patient, week and term in one row, with the highest grade",
    )


def check_plausible(file: str, text: pd.DataFrame, canonical: pd.DataFrame) -> list[Problem]:
    """Values no living patient is likely to have (warnings); often a wrong unit."""
    problems: list[Problem] = []
    present = set(text["marker"].unique())
    for name in [name for name in MARKERS if name in present]:
        marker = MARKERS[name]
        amount = canonical[text["marker"] == name]
        low, high = marker.plausible
        above = (amount > high).any(axis=1)
        below = (amount[["value", "upper"]] < low).any(axis=1)
        problems += _flag(
            file,
            "value",
            text.loc[amount.index[above | below]],
            lambda row: ", ".join(
                f"{column} {quoted(row[column])} {row['unit']}" for column in AMOUNTS if row[column]
            ),
            f"{marker.label} from {low:g} to {high:g} {marker.unit}; is the unit right?",
            severity="warning",
        )
    return problems
