"""Rules that need more than one cell: intervals, units, duplicates, baseline, withdrawal, events.

Every function takes whole columns and returns problems, one a cause; none reports a cell again
that `schema.check_cells` has already refused. Frames are indexed by the line in the file.
"""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import pandas as pd

from mnbayes.base.problems import (
    EXAMPLES,
    Problem,
    Severity,
    one_problem,
    quoted,
    row_problems,
)
from mnbayes.data.markers import Catalogue, Marker
from mnbayes.data.names import difference, marker_of_unit, skeleton
from mnbayes.data.units import UnitError, accepted, conversion, plain_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

AMOUNTS = ["value", "lower", "upper"]


def _flag(
    file: str,
    column: str,
    rows: pd.DataFrame,
    say: Callable[[pd.Series], str],
    expected: str,
    *,
    by: Sequence[str],
    severity: Severity = "error",
) -> list[Problem]:
    """One problem of all `rows`; those that differ in `by` say different things."""
    if rows.empty:
        return []
    distinct = rows.drop_duplicates(list(by))
    said = [say(row) for _, row in distinct.head(EXAMPLES).iterrows()]
    return [one_problem(file, column, rows.index.tolist(), said, len(distinct), expected, severity)]


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
    return _flag(
        file,
        column,
        later,
        lambda row: f"{say(row)}, as in row {row['first']}",
        expected,
        by=keys.columns.tolist(),
    )


def check_patients(file: str, patient: pd.Series[str]) -> list[Problem]:
    """Patients listed twice; different names that look alike (a warning)."""
    keys = patient[patient != ""].to_frame()
    problems = repeated(
        file, keys, "patient", lambda row: quoted(row["patient"]), "each patient in one row"
    )
    keys = keys.drop_duplicates()
    alike = keys.assign(skeleton=keys["patient"].map(skeleton))
    alike = alike[alike.duplicated("skeleton", keep=False)]
    for _, group in alike.groupby("skeleton", sort=False):
        names = group["patient"].tolist()
        expected = f"one patient or two? The names differ in {difference(names[0], names[1])}"
        found = [" and ".join(map(quoted, names[:EXAMPLES]))]
        problems.append(
            one_problem(file, "patient", group.index.tolist(), found, 1, expected, "warning")
        )
    return problems


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
            by=AMOUNTS,
        ),
        *_flag(
            file,
            "value",
            text[nothing],
            lambda row: f"value blank and {bounds(row)}",
            "a value, or an interval with lower above 0 or upper given",
            by=AMOUNTS,
        ),
        *_flag(file, "lower", text[crossed], bounds, "lower below upper", by=AMOUNTS),
    ]


class Converted(NamedTuple):
    """Amounts in canonical units.

    Attributes
    ----------
    amounts : DataFrame
        Columns value, lower, upper; NaN where the unit or the marker is not known.
    reported : dict
        The unit most of a marker's rows were reported in, in its usual spelling.
    problems : list of Problem
    """

    amounts: pd.DataFrame
    reported: dict[str, str]
    problems: list[Problem]


def convert(
    file: str, text: pd.DataFrame, numbers: pd.DataFrame, catalogue: Catalogue
) -> Converted:
    """Take value, lower and upper to the canonical units.

    Units that do not convert are errors, several units of one marker a warning.
    """
    known = text["marker"].isin(list(catalogue))
    pairs = text.loc[known, ["marker", "unit"]]
    multiply = np.full(len(text), np.nan)
    divide = np.ones(len(text))
    refused: dict[tuple[str, str], list[NDArray[np.intp]]] = {}
    units: dict[str, dict[str, list[NDArray[np.intp]]]] = {}
    at = np.flatnonzero(known.to_numpy())
    # Each distinct (marker, unit) is looked up once, however many rows use it.
    grouped = pairs.groupby(["marker", "unit"], sort=False).indices
    for pair, members in grouped.items():
        name, unit = cast("tuple[str, str]", pair)
        rows = at[members]
        try:
            multiply[rows], divide[rows] = conversion(unit, catalogue[name])
        except UnitError as error:
            other = marker_of_unit(name, unit, catalogue)
            hint = f"; {unit} is a unit of {other}" if other else ""
            refused.setdefault((name, f"{error}{hint}"), []).append(rows)
        else:
            plain = plain_unit(unit, catalogue[name])
            units.setdefault(name, {}).setdefault(plain, []).append(rows)
    problems: list[Problem] = []
    for (name, message), parts in refused.items():
        problems += _flag(
            file,
            "unit",
            text.iloc[np.sort(np.concatenate(parts))],
            lambda row: quoted(row["unit"]),
            f"for {name} {message}",
            by=["unit"],
        )
    reported = {}
    for name, used in units.items():
        count = {unit: sum(map(len, parts)) for unit, parts in used.items()}
        reported[name] = max(count, key=count.__getitem__)
        if len(used) > 1:
            said = " and ".join(f"{unit} in {n:,} row{'s' * (n > 1)}" for unit, n in count.items())
            rest = [
                part for unit, parts in used.items() if unit != reported[name] for part in parts
            ]
            lines = text.index[np.sort(np.concatenate(rest))]
            expected = f"one unit of {name}; are all of them right? They are converted"
            problems.append(one_problem(file, "unit", lines, [said], 1, expected, "warning"))
    amounts = numbers[AMOUNTS].mul(multiply, axis=0).div(divide, axis=0)
    return Converted(amounts, reported, problems)


def check_repeats(
    file: str, text: pd.DataFrame, week: pd.Series[float], catalogue: Catalogue
) -> list[Problem]:
    """Two rows of one patient, week and marker."""
    keys = text[["patient", "marker"]].assign(week=week)
    known = keys["marker"].isin(list(catalogue))
    keys = keys[(keys["patient"] != "") & known & keys["week"].notna()]
    return repeated(
        file,
        keys,
        "marker",
        lambda row: f"{quoted(row['patient'])}, week {row['week']:g}, {row['marker']}",
        "each patient, week and marker in one row",
    )


def check_listed(file: str, text: pd.DataFrame, patients: pd.Series[str]) -> list[Problem]:
    """Rows of patients that the table of patients does not list."""
    unknown = text.loc[(text["patient"] != "") & ~_among(text["patient"], patients), "patient"]
    if unknown.empty:
        return []
    names = patients.tolist() if len(patients) <= 1000 else []
    alike = {skeleton(name): name for name in patients if name}
    by_found = {quoted(name): name for name in unknown.unique()}

    def hint(found: str) -> str:
        name = by_found[found]
        if (other := alike.get(skeleton(name))) is not None:
            return f"; did you mean {quoted(other)}? It differs in {difference(name, other)}"
        near = difflib.get_close_matches(name[:60], names, 1)
        return f"; did you mean {quoted(near[0])}?" if near else ""

    return row_problems(
        file,
        "patient",
        unknown.index.tolist(),
        unknown.map(quoted).tolist(),
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
        by=["patient"],
        severity="warning",
    )


def check_baseline(
    file: str,
    text: pd.DataFrame,
    week: pd.Series[float],
    planned: pd.Series[float],
    patients: pd.Series[str],
    catalogue: Catalogue,
) -> list[Problem]:
    """Patients without a week-0 row; markers of a patient without one (warnings).

    Parameters
    ----------
    week : Series
        As read.
    planned : Series
        Planned week; NaN where the row is not used.
    """
    rows = text[["patient", "marker"]].assign(week=week, planned=planned, line=text.index)
    rows = rows[_among(rows["patient"], patients) & (rows["patient"] != "")]
    # A week that could not be read may have been the baseline.
    unread = rows.loc[rows["week"].isna(), "patient"]
    rows = rows[~_among(rows["patient"], unread)]
    # Where the only values of before are of a screening, the remedy is to let one of them count.
    span = {"line": ("line", "min"), "week": ("planned", "min"), "first": ("week", "min")}

    def late(keys: list[str]) -> pd.DataFrame:
        named = list(zip(*(rows[key] for key in keys), strict=True))
        begun = {name for name, week in zip(named, rows["planned"], strict=True) if week <= 0}
        lacking = rows[np.array([name not in begun for name in named], dtype=bool)]
        if lacking.empty:  # as it should be; grouping nothing takes as long as grouping much
            return lacking.assign(first=lacking["week"])
        return lacking.groupby(keys, sort=False).agg(**span).reset_index().set_index("line")

    def since(row: pd.Series) -> str:
        if row["first"] < 0:
            return f"from week {row['first']:g}, but not at week 0"
        return f"from week {row['first']:g} only"

    def screened(table: pd.DataFrame) -> str:
        early = table["first"][table["first"] < 0]
        if early.empty:
            return ""
        window = f"{{ week = 0, earliest = {early.min():g}, latest = 0 }}"
        return f"; for an earlier value to be it, give its window in trial.toml: {window}"

    patient = late(["patient"])
    problems = _flag(
        file,
        "week",
        patient,
        lambda row: f"{quoted(row['patient'])} {since(row)}",
        "a week-0 row (the baseline) of each patient" + screened(patient),
        by=["patient"],
    )
    rows = rows[~_among(rows["patient"], patient["patient"]) & rows["marker"].isin(list(catalogue))]
    marker = late(["patient", "marker"])
    if not marker.empty:
        marker["since"] = [since(row) for _, row in marker.iterrows()]
        names = marker.groupby(["patient", "since"])["marker"].transform(", ".join)
        marker = marker.assign(names=names)
    return problems + _flag(
        file,
        "week",
        marker,
        lambda row: f"{row['names']} of {quoted(row['patient'])} {row['since']}",
        "a week-0 value too, without which no change from baseline was observed" + screened(marker),
        by=["patient", "since"],
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
        by=["patient", "week"],
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


def _beyond(
    text: pd.DataFrame, amounts: pd.DataFrame, ranges: Mapping[str, tuple[float, float]]
) -> pd.Series[bool]:
    """Rows with an amount outside of the range of their marker; those of no range are not."""
    low, high = (
        text["marker"].map({name: ends[end] for name, ends in ranges.items()}).astype("float64")
        for end in (0, 1)
    )
    above = amounts.gt(high, axis=0).any(axis=1)
    return above | amounts[["value", "upper"]].lt(low, axis=0).any(axis=1)


def _by_marker(rows: pd.DataFrame, catalogue: Catalogue) -> Iterator[tuple[Marker, pd.DataFrame]]:
    """The rows of each marker that has some, in the catalogue's order."""
    present = set(rows["marker"])
    for name, marker in catalogue.items():
        if name in present:
            yield marker, rows[rows["marker"] == name]


def _as_written(row: pd.Series) -> str:
    given = [(column, row[column]) for column in AMOUNTS if row[column]]
    return ", ".join(
        f"{'' if column == 'value' else column + ' '}{amount[:20]} {row['unit'][:20]}"
        for column, amount in given
    )


def check_plausible(
    file: str, text: pd.DataFrame, canonical: pd.DataFrame, catalogue: Catalogue
) -> list[Problem]:
    """Values no living patient is likely to have (warnings); often a wrong unit."""
    problems: list[Problem] = []
    odd = _beyond(text, canonical, {name: each.plausible for name, each in catalogue.items()})
    odd &= ~_beyond(text, canonical, {name: each.possible for name, each in catalogue.items()})
    for marker, rows in _by_marker(text[odd], catalogue):
        low, high = marker.plausible
        problems += _flag(
            file,
            "value",
            rows,
            _as_written,
            f"{marker.label} from {low:g} to {high:g} {marker.unit}; is the unit right?",
            by=[*AMOUNTS, "unit"],
            severity="warning",
        )
    return problems


def check_percentages(
    file: str, text: pd.DataFrame, canonical: pd.DataFrame, catalogue: Catalogue
) -> tuple[pd.DataFrame, list[Problem]]:
    """Shares of 100 % or more, which have no log odds.

    Returns
    -------
    DataFrame
        The amounts without them.
    list of Problem
    """
    shares = [name for name, marker in catalogue.items() if marker.scale == "logit"]
    rows = text["marker"].isin(shares)
    whole = rows & (canonical[["value", "lower"]] >= 100.0).any(axis=1)
    problems = _flag(
        file,
        "value",
        text[whole],
        _as_written,
        "a percentage below 100, since 100 % has no odds; where no other cell was found, leave "
        "value blank and write the highest share that the laboratory can tell from it in lower",
        by=[*AMOUNTS, "unit"],
    )
    return canonical.mask(whole), problems


def check_possible(
    file: str,
    text: pd.DataFrame,
    canonical: pd.DataFrame,
    catalogue: Catalogue,
    *,
    accept: bool = False,
) -> list[Problem]:
    """Values that no patient can have, with the unit that was probably meant.

    Parameters
    ----------
    accept : bool
        Whether they are read as they stand: warnings instead of errors.
    """
    problems: list[Problem] = []
    beyond = _beyond(text, canonical, {name: each.possible for name, each in catalogue.items()})
    for marker, rows in _by_marker(text[beyond], catalogue):
        low, high = marker.possible
        for unit, part in rows.groupby("unit", sort=False):
            here = canonical.loc[part.index]
            given = here.bfill(axis=1)["value"]
            likely = likely_unit(str(unit), float(given.median()), marker)
            same = conversion(str(unit), marker) == (1.0, 1.0)
            shown = part.assign(canonical=given)

            def say(row: pd.Series, same: bool = same, marker: Marker = marker) -> str:
                written = _as_written(row)
                return written if same else f"{written} is {row['canonical']:.6g} {marker.unit}"

            expected = f"{marker.label} from {low:g} to {high:g} {marker.unit}"
            if likely:
                amount = next(part.iloc[0][column] for column in AMOUNTS if part.iloc[0][column])
                expected += f"; {amount[:20]} {likely} would be usual"
            expected += (
                "; read as it stands (--accept-implausible)"
                if accept
                else "; if it is right all the same: --accept-implausible"
            )
            problems += _flag(
                file,
                "value",
                shown,
                say,
                expected,
                by=AMOUNTS,
                severity="warning" if accept else "error",
            )
    return problems


def likely_unit(unit: str, canonical: float, marker: Marker) -> str:
    """The unit in which a number would be plausible; blank where there is none.

    Parameters
    ----------
    unit : str
        The one that was given; it converts.
    canonical : float
        What the number is, read in that unit, in the marker's own.
    """
    given = conversion(unit, marker)
    low, high = marker.plausible
    found: dict[str, float] = {}
    for other in accepted(marker):
        factor = conversion(other, marker)
        amount = canonical * given.divide / given.multiply * factor.multiply / factor.divide
        if factor != given and low <= amount <= high:
            found[other] = abs(math.log(amount / marker.typical))
    return min(found, key=found.__getitem__) if found else ""
