"""Which planned visit each measurement belongs to, and which measurements belong to none.

The mean of a model is one of planned visits, so weeks 11.7 and 12.1 have to be known as one. That
is the trial's to say (``trial.toml``); without windows every week is a visit, and where that looks
wrong, windows are suggested.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np

from mnbayes.base.problems import EXAMPLES, Problem, one_problem, quoted
from mnbayes.data.trial import FILE, Trial, Visit

if TYPE_CHECKING:
    import pandas as pd

    from mnbayes.base.arrays import Floats

#: Weeks nearer than an hour are one visit: 11.71 is 11.714286 rounded. Day 1 is week 0.14.
SAME = 0.006
#: A reaction or a sample of the first hours is after baseline, so only rounding is week 0.
_SAME_AS_BASELINE = 1e-6
#: What is accepted beyond the ends of a window, for the rounding of days to weeks.
_SLACK = 1e-6

#: Different weeks for which windows are worked out.
_MOST = 500

SCREENING = "before baseline"
OUTSIDE = "outside every window"
SECOND = "another value of the window is nearer to its week"


@dataclass(frozen=True, eq=False)
class Placed:
    """Where rows of measurements belong.

    Attributes
    ----------
    week : Series
        The planned week of each row; NaN where its own could not be read or it is set aside.
    reason : Series
        Why a row is set aside; blank where it is not.
    problems : list of Problem
        What had to be decided (warnings).
    """

    week: pd.Series[float]
    reason: pd.Series[str]
    problems: list[Problem]


def nearly_equal(weeks: Floats) -> dict[float, float]:
    """Weeks that are another one but for rounding, each with the one that it is.

    Parameters
    ----------
    weeks : array
        As often as they occur, so that the usual one of several is known; no NaN.
    """
    distinct, counts = np.unique(weeks, return_counts=True)
    merged: dict[float, float] = {}
    start = 0
    for stop in range(1, distinct.size + 1):
        nearness = _SAME_AS_BASELINE if 0 in distinct[start:stop] else SAME
        if stop < distinct.size and distinct[stop] - distinct[start] < nearness:
            continue
        group = range(start, stop)
        usual = float(
            distinct[
                min(
                    group,
                    key=lambda i: (distinct[i] != 0, -counts[i], len(repr(float(distinct[i])))),
                )
            ]
        )
        merged |= {float(distinct[i]): usual for i in group if distinct[i] != usual}
        start = stop
    return merged


def place(file: str, text: pd.DataFrame, week: pd.Series[float], trial: Trial) -> Placed:
    """Give each row its planned week.

    Parameters
    ----------
    file : str
    text : DataFrame
        Columns patient and marker; indexed by the line in the file.
    week : Series
        As read; NaN where it could not be.
    trial : Trial
        With or without windows.
    """
    import pandas as pd

    problems = []
    own = week.abs().where(week == 0, week)  # -0 is 0
    merged = nearly_equal(np.array(own.dropna(), dtype=np.float64))
    if merged and not trial.visits:
        rows = own.index[own.isin(list(merged))]
        pairs = [f"week {a!r} beside {b!r}" for a, b in islice(merged.items(), EXAMPLES)]
        expected = "one spelling of a week; it is read as the more usual one"
        problems.append(one_problem(file, "week", rows, pairs, len(merged), expected, "warning"))
    planned = own.map(merged).fillna(own) if merged else own
    reason = pd.Series("", index=week.index, dtype="str")
    if trial.visits:
        planned = _windowed(own, trial.visits)
        reason[planned.isna() & own.notna()] = OUTSIDE
    early = (own < 0) & planned.where(planned >= 0).isna()
    reason[early] = SCREENING
    planned = planned.mask(reason != "")
    if trial.visits:
        reason[_second(text, own, planned)] = SECOND
        planned = planned.mask(reason != "")
    problems += _set_aside_problems(file, text, own, reason, trial)
    if not trial.visits:
        problems += _suggested(file, text, planned)
    return Placed(planned, reason, problems)


def _windowed(week: pd.Series[float], visits: Sequence[Visit]) -> pd.Series[float]:
    planned = week * np.nan
    for visit in visits:
        inside = week.between(visit.earliest - _SLACK, visit.latest + _SLACK)
        planned = planned.mask(inside, visit.week)
    return planned


def _second(
    text: pd.DataFrame, week: pd.Series[float], planned: pd.Series[float]
) -> pd.Series[bool]:
    """Rows of a patient, marker and window of which another is nearer, or as near and later."""
    rows = text[["patient", "marker"]].assign(
        planned=planned, off=(week - planned).abs().round(9), later=-week
    )
    rows = rows[planned.notna()].sort_values(["off", "later"], kind="stable")
    first = rows.drop_duplicates(["patient", "marker", "planned"]).index
    kept = planned.notna() & ~planned.index.isin(first)
    return kept


def _set_aside_problems(
    file: str, text: pd.DataFrame, week: pd.Series[float], reason: pd.Series[str], trial: Trial
) -> list[Problem]:
    kept = "; kept for the listing, not used"
    windows = ", ".join(f"{v.earliest:g} to {v.latest:g}" for v in trial.visits)
    expected = {
        SCREENING: f"week 0 or later: the baseline is the value at week 0{kept} (or give week 0 "
        f"a window in {FILE} that holds the week)",
        OUTSIDE: f"a week in a window of {FILE} ({windows}){kept}",
        SECOND: "one value of a patient's marker in a window; the nearest to its week "
        f"counts{kept}",
    }
    problems = []
    for why, words in expected.items():
        rows = text.assign(week=week)[reason == why]
        if rows.empty:
            continue
        if why == SECOND:
            distinct = rows.drop_duplicates(["patient", "week", "marker"])
            said = [
                f"{row.marker} of {quoted(row.patient)} at week {row.week:g}"
                for row in distinct.head(EXAMPLES).itertuples()
            ]
        else:
            distinct = rows.drop_duplicates("week")
            said = [f"week {each:g}" for each in sorted(distinct["week"])[:EXAMPLES]]
        problems.append(
            one_problem(file, "week", rows.index, said, len(distinct), words, "warning")
        )
    return problems


def _suggested(file: str, text: pd.DataFrame, week: pd.Series[float]) -> list[Problem]:
    """Say that weeks look like the same visits on other days, with windows for them."""
    seen = text[["patient"]].assign(week=week)[week.notna()].drop_duplicates()
    most = int(seen.groupby("patient")["week"].nunique().max()) if len(seen) else 0
    distinct = seen["week"].nunique()
    if not most < distinct <= _MOST:
        return []
    visits = suggested_visits(seen["patient"].tolist(), seen["week"].tolist())
    if len(visits) >= distinct:
        return []
    found = f"{distinct} different weeks, though no patient has more than {most}"
    # A line that begins with a space is printed as it is, to be copied.
    expected = (
        "visits as they were planned: else each week is a visit of its own, with few patients. "
        f"If these windows are right, write into {FILE}:\n{as_toml(visits, ' ')}"
    )
    return [Problem(file, None, "week", found, expected, "warning")]


def as_toml(visits: Sequence[Visit], indent: str = "") -> str:
    """Visits as the lines of a trial's file."""
    lines = (
        f"{indent}  {{ week = {v.week:g}, earliest = {v.earliest:g}, latest = {v.latest:g} }},"
        for v in visits
    )
    return "\n".join([f"{indent}visits = [", *lines, f"{indent}]"])


def suggested_visits(patients: Sequence[str], weeks: Sequence[float]) -> list[Visit]:
    """Windows in which hardly a patient was seen twice, as wide as the visits' spacing allows.

    Parameters
    ----------
    patients : sequence of str
    weeks : sequence of float
        One of each patient's visits each, 0 or later.
    """
    by_week: dict[float, set[str]] = {}
    own: dict[str, list[float]] = {}
    for patient, week in sorted(zip(patients, weeks, strict=True), key=lambda pair: pair[1]):
        by_week.setdefault(week, set()).add(patient)
        own.setdefault(patient, []).append(week)
    gaps = [gap for times in own.values() for gap in np.diff(times)]
    typical = float(np.median(gaps)) if gaps else math.inf
    groups = [[week] for week in by_week if week > 0]
    while (best := _nearest_pair(groups, by_week, typical)) is not None:
        groups[best : best + 2] = [groups[best] + groups[best + 1]]
    visits = [Visit(week=0.0, earliest=0.0, latest=0.0)]
    if not groups:
        return visits
    ends = [_between(a[-1], b[0]) for a, b in zip([[0.0], *groups], groups, strict=False)]
    last = groups[-1][-1] + max(0.5, (groups[-1][-1] - groups[-1][0]) / 2)
    for group, (_, earliest), (latest, _) in zip(
        groups, ends, [*ends[1:], (round(last, 2), math.inf)], strict=True
    ):
        middle = float(np.repeat(group, [len(by_week[week]) for week in group]).mean())
        whole = float(round(middle))
        planned = whole if earliest <= whole <= latest and whole > 0 else round(middle, 2)
        planned = min(max(planned, earliest), latest)
        visits.append(Visit(week=planned, earliest=earliest, latest=latest))
    return visits


def _nearest_pair(
    groups: Sequence[Sequence[float]], by_week: Mapping[float, set[str]], typical: float
) -> int | None:
    """The first of the two nearest neighbours that may be one visit; None where none may."""
    best, nearest = None, math.inf
    for i, (first, second) in enumerate(pairwise(groups)):
        together = [*first, *second]
        visits = sum(len(by_week[week]) for week in together)
        middle = sum(together) / len(together)
        widest = min(max(1.0, 0.4 * middle), max(0.75 * typical, 0.3))
        # A patient may come twice now and then; the visit that is nearer to its week then counts.
        twice = visits - len(set[str]().union(*(by_week[week] for week in together)))
        apart = sum(second) / len(second) - sum(first) / len(first)
        if together[-1] - together[0] <= widest and twice <= 0.1 * visits and apart < nearest:
            best, nearest = i, apart
    return best


def _between(before: float, after: float) -> tuple[float, float]:
    """The end of one window and the start of the next, in hundredths where there is room."""
    end = round((before + after) / 2, 2)
    start = round(end + 0.01, 2)
    return (end, start) if before <= end and start <= after else (before, after)
