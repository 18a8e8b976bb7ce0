"""Tables of who was in the trial, what was measured, who responded, and what befell them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from mnbayes.answers.denominators import response_counts
from mnbayes.base.number_words import between
from mnbayes.base.text_table import Table, records
from mnbayes.data.markers import Marker
from mnbayes.exports.source import Source
from mnbayes.report.kit import wording

#: Term under which ``safety.csv`` counts any adverse event.
_ANY = "(any)"


@dataclass(frozen=True)
class Made:
    """A table before it has a number."""

    table: Table
    footnotes: tuple[str, ...] = ()


def unit(marker: Marker) -> str:
    """A marker's unit as journals print it: a micro is a sign of its own."""
    return marker.unit.replace("uL", "µL")


def median_range(values: np.ndarray, decimals: int) -> str:
    """Median and range of numbers: "4.5 (1.2 to 9.8)"; a dash where there is none."""
    seen = values[~np.isnan(values)]
    if not len(seen):
        return wording.BLANK
    low, middle, high = (f"{v:.{decimals}f}" for v in np.quantile(seen, [0, 0.5, 1]))
    return middle if low == high else f"{middle} ({low} to {high})"


def patients(source: Source) -> Made | str:
    """Patients at baseline."""
    measured = source.measured
    if not measured:
        return "the run's folder has no draws of this version, which hold the measurements"
    first = next(iter(measured.values()))
    rows = [("Patients", str(len(first.patients)))]
    notes = ["Numbers are counts, or median (range)."]
    if source.cohort is not None:
        rows += _described(source)
    else:
        notes.append(
            "A run's folder holds no patient's age, sex or treatment; with --data they are added."
        )
    left = source.withdrew
    if left:
        weeks = sorted(left.values())
        span = between(f"{weeks[0]:g}", f"{weeks[-1]:g}")
        rows.append((f"Withdrew (week {span})", str(len(left))))
    else:
        rows.append(("Withdrew", "0"))
    for name, each in measured.items():
        marker = source.known[name]
        cells = each.value[:, 0]
        seen = int(np.sum(~np.isnan(cells)))
        text = median_range(cells, marker.decimals)
        missing = "" if seen == len(cells) else f", n = {seen}"
        rows.append((f"{marker.label} at baseline, {unit(marker)}", f"{text}{missing}"))
        if each.censored[:, 0].any():
            notes.append(_censored(marker.label, int(each.censored[:, 0].sum())))
    return Made(
        Table("Patients at baseline", ("Characteristic", "All patients"), tuple(rows)),
        tuple(notes),
    )


def _censored(label: str, count: int) -> str:
    return (
        f"{label}: {count} known to lie within an interval or beyond a detection limit; not among "
        "the median and range, but in the model."
    )


def _described(source: Source) -> list[tuple[str, str]]:
    """Rows of what only the cohort's own table of patients holds."""
    assert source.cohort is not None
    table = source.cohort.patients
    rows = []
    if table["sex"].notna().any():
        counts = Counter(str(sex) for sex in table["sex"].dropna())
        rows.append((f"Sex: {' / '.join(counts)}", " / ".join(map(str, counts.values()))))
    for column, label, decimals in (
        ("age_years", "Age, years", 0),
        ("bmi", "Body mass index, kg/m²", 1),
        ("infusions", "Infusions", 0),
    ):
        values = table[column].to_numpy(float)
        if not np.isnan(values).all():
            rows.append((label, median_range(values, decimals)))
    return rows


def visits(source: Source) -> Made | str:
    """Measurements of every marker at every visit."""
    measured = source.measured
    if not measured:
        return "the run's folder has no draws of this version, which hold the measurements"
    rows, censored = [], []
    for name, each in measured.items():
        marker = source.known[name]
        for place, week in enumerate(each.weeks):
            cells, limits = each.value[:, place], each.censored[:, place]
            count = int(np.sum(~np.isnan(cells) | limits))
            rows.append(
                (
                    f"{marker.label}, {unit(marker)}",
                    wording.week_name(week).capitalize(),
                    f"{count} of {len(each.patients)}",
                    median_range(cells, marker.decimals),
                )
            )
        if each.censored.any():
            censored.append(_censored(marker.label, int(each.censored.sum())))
    head = ("Marker", "Visit", "Patients measured", "Median (range)")
    table = Table("Measurements by visit", head, tuple(rows), frozenset({0, 1}))
    return Made(table, ("As measured; no model.", *censored))


def counts(source: Source) -> Made | str:
    """Response as measured, over the evaluable and over the enrolled."""
    if not source.judged:
        return "no model of the run judges a response"
    observed = source.table("probabilities", source.primary)
    weeks = sorted(set(observed.loc[observed["quantity"] == "observed", "week"]))
    rows = []
    for week in weeks:
        for row in records(response_counts(observed, week, source.definitions.responses)):
            rows.append(
                (
                    wording.week_name(week).capitalize(),
                    wording.capital(source.definitions.label(row["category"])),
                    *(
                        f"{row['responders']}/{row[of]} = {wording.percent(row[f'share_{of}'])} "
                        f"({wording.percent_range(row[f'lower_{of}'], row[f'upper_{of}'])})"
                        for of in ("evaluable", "enrolled")
                    ),
                )
            )
    if not rows:
        return "no patient could be judged as measured"
    sentences = wording.definition_sentences(source.definitions, source.known)
    notes = [
        f"{wording.capital(source.definitions.label(name))}: {sentences[name]}"
        for name in source.definitions.responses
    ]
    head = (
        "Visit",
        "Response",
        "Of the evaluable (95 % interval)",
        "Of the enrolled (95 % interval)",
    )
    return Made(
        Table("Response as measured, over both denominators", head, tuple(rows), frozenset({0, 1})),
        (
            "Exact (Clopper–Pearson) intervals; no model. Of the enrolled: a patient without a "
            "measurement counts as no response (composite strategy).",
            f"The primary analysis is that of {wording.week_name(source.week)}.",
            *notes,
        ),
    )


def safety(source: Source) -> Made | str:
    """Adverse events and symptoms, with exact limits."""
    if not source.has("safety"):
        return "the data have no table of events"
    rows = []
    for row in records(source.table("safety")):
        term = "Any adverse event" if row["term"] == _ANY else wording.capital(row["term"])
        side = "at most" if row["side"] == "upper" else "at least"
        rows.append(
            (
                "Adverse event" if row["kind"] == "adverse" else "Symptom",
                term,
                row["outcome"],
                f"{row['patients']}/{row['total']} = {wording.percent(row['share'])}",
                f"{side} {wording.percent(row['exact'])}",
                f"{side} {wording.percent(row['jeffreys_limit'])}",
            )
        )
    head = (
        *("Kind", "Term", "Outcome", "Patients"),
        *("Exact 95 % limit", "Posterior 95 % limit (Jeffreys)"),
    )
    return Made(
        Table("Adverse events and symptoms", head, tuple(rows), frozenset({0, 1, 2})),
        (
            "Limits are one-sided: the true share that is still compatible with the count. Exact: "
            "Clopper–Pearson. Posterior: under the prior Beta(½, ½).",
            "An event that nobody had is not shown to be absent.",
        ),
    )
