"""Who was in the trial, who could be judged, and response over both denominators."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.answers.denominators import response_counts
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import primary_first, response_model
from mnbayes.run.run import Run

#: So many who left are named; more are counted.
LISTED = 12


def flow_sentences(cohort: Cohort) -> tuple[str, ...]:
    """Enrolled, treated and withdrawn."""
    patients = cohort.patients
    infusions = Counter(
        "an unknown number of" if np.isnan(count) else f"{count:g}"
        for count in patients["infusions"]
    )
    treated = [f"{number} with {count} infusions" for count, number in sorted(infusions.items())]
    gone = patients[patients["withdrew_week"].notna()]
    left = [
        f"{patient} (week {week:g})"
        for patient, week in zip(gone["patient"], gone["withdrew_week"], strict=True)
    ]
    if len(left) > LISTED:
        weeks = gone["withdrew_week"]
        left = [f"{len(gone)} patients, from week {weeks.min():g} to week {weeks.max():g}"]
    others = [f"{count} patients of {arm or 'no arm'}" for arm, count in cohort.left_out.items()]
    arm = f" of arm {cohort.arm}" if cohort.arm else ""
    return (
        f"Enrolled{arm}: {len(patients)} patients.",
        *([f"Not in this analysis: {wording.listed(others)}."] if others else []),
        *([f"Treated: {wording.listed(treated)}."] if patients["infusions"].notna().any() else []),
        f"Withdrawn: {wording.listed(left)}." if left else "Withdrawn: none.",
    )


def evaluable_table(run: Run) -> Table:
    """Number of patients with a measurement by visit; markers with the same numbers share a row."""
    cohort = run.cohort
    used = {m for result in run.results for m in result.fit.observations.markers}
    markers = [name for name in run.catalogue if name in used]
    counts = cohort.measurements.groupby(["marker", "week"])["patient"].nunique()
    alike: dict[tuple[str, ...], list[str]] = {}
    for marker in markers:
        seen = tuple(str(int(counts.get((marker, week), 0))) for week in cohort.weeks)
        alike.setdefault(seen, []).append(run.catalogue[marker].short)
    rows = tuple(
        (
            f"All {len(names)} markers" if len(names) == len(markers) > 1 else ", ".join(names),
            *seen,
        )
        for seen, names in alike.items()
    )
    head = ("Marker", *(wording.week_name(week).capitalize() for week in cohort.weeks))
    return Table(f"Patients measured, of {len(cohort.patients)} enrolled", head, rows)


def _rates(counts: pd.DataFrame, caption: str, definitions: Definitions) -> Table:
    def cell(row: dict[str, Any], group: str) -> str:
        interval = wording.percent_range(row[f"lower_{group}"], row[f"upper_{group}"])
        share = wording.percent(row[f"share_{group}"])
        return f"{row['responders']}/{row[group]} = {share} ({interval})"

    rows = tuple(
        (
            definitions.label(row["category"]),
            cell(row, "evaluable"),
            cell(row, "enrolled"),
        )
        for row in records(counts)
    )
    head = (
        "Category, as measured",
        "Of those measured",
        "Of all enrolled",
    )
    return Table(caption, head, rows)


def counts_by_visit(run: Run) -> pd.DataFrame:
    """Responders as counted at every visit, over both denominators; that of the primary first.

    Counting needs no model, so a withheld fit does not withhold it.

    Returns
    -------
    DataFrame
        ``week`` and the columns of :func:`mnbayes.answers.denominators.response_counts`.
    """
    model: Result | None = response_model(list(run.results))
    if model is None:
        return pd.DataFrame()
    counts = [
        response_counts(model.probabilities, week, run.definitions.responses).assign(week=week)
        for week in primary_first(model)
    ]
    table = pd.concat(counts, ignore_index=True)
    return table[["week", *(name for name in table if name != "week")]]


def rate_tables(counts: pd.DataFrame, definitions: Definitions) -> tuple[Table, ...]:
    """Response as counted, over both denominators, of :func:`counts_by_visit`."""
    if counts.empty:
        return ()
    return tuple(
        _rates(
            rows,
            f"Response as measured at {wording.week_name(float(rows['week'].iloc[0]))}, with exact "
            "95 % intervals",
            definitions,
        )
        for _, rows in counts.groupby("week", sort=False)
    )


def measured_table(cohort: Cohort) -> Table:
    """Measurements of a cohort, by marker."""
    rows = []
    for marker in cohort.markers:
        part = cohort.measurements[cohort.measurements["marker"] == marker]
        counts = (len(part), int(part["value"].isna().sum()), part["patient"].nunique())
        rows.append((marker, cohort.catalogue[marker].unit, *map(str, counts)))
    head = ("Marker", "Unit", "Measurements", "Censored", "Patients")
    return Table("What was measured", head, tuple(rows), frozenset({0, 1}))


def event_sentence(cohort: Cohort) -> str:
    """How many events were recorded, or that there is no table of them."""
    if cohort.events is None:
        return "No table of events: none recorded is not the same as none happened."
    return (
        f"{len(cohort.events)} rows of events: {cohort.events['term'].nunique()} terms in "
        f"{cohort.events['patient'].nunique()} patients."
    )
