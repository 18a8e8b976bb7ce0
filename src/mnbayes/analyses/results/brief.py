"""Results of the primary model as the main report shows them: short tables, one sentence each."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from mnbayes.analyses.results.responses_section import measured_categories
from mnbayes.answers.denominators import response_counts
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import (
    by_patient,
    fall_errors,
    not_measured,
    prior_text,
    rows_of,
    share_ends,
    stated,
)
from mnbayes.report.kit.wording import percent, percent_with_range, probability

#: Patients of a table of the main report; of a larger trial the file has them all.
LISTED = 24


def changes_by_visit(result: Result, weeks: Sequence[float] = ()) -> Table:
    """Ratio to baseline of every marker at every visit, with the probability that it got better.

    Parameters
    ----------
    result : Result
    weeks : sequence of float
        Default: every visit after baseline.
    """
    rows = []
    for marker in result.fit.observations.markers:
        about, errors = result.catalogue[marker], fall_errors(result, marker)
        table = result.estimates[result.estimates["marker"] == marker]
        for row in records(table):
            if weeks and row["week"] not in weeks:
                continue
            chance, error = row["p_fall"], errors[row["week"]]["p_fall"]
            rises = about.better == "higher"
            rows.append(
                (
                    about.short,
                    f"{row['week']:g}",
                    wording.gmr_range(row),
                    probability(1 - chance if rises else chance, error),
                    "rise" if rises else "fall",
                    wording.gmr_range(row, "_prior"),
                )
            )
    head = ("Marker", "Week", "Ratio (95 % interval)", "P", "of a", "Prior alone")
    caption = f"Geometric mean ratio to baseline, model {result.name}"
    return Table(caption, head, tuple(rows), frozenset({0, 4}))


def patients_brief(result: Result) -> Table:
    """Each patient at the primary week: as measured, and the true level's probabilities."""
    week, categories = result.primary_week, stated(result)
    measured, missing = measured_categories(result, week), not_measured(result, week)
    latent = {category: by_patient(result, "latent", week, category) for category in categories}
    patients = result.fit.observations.patients
    rows = []
    for patient in patients[:LISTED]:
        chances = (latent[c][patient] for c in categories)
        seen = measured[patient]
        if patient in missing:
            seen = f"{missing[patient]}: predicted"
        elif seen in result.judged_by.categories:
            seen = result.judged_by.short(seen)
        rows.append((patient, seen, *(probability(r["probability"], r["mcse"]) for r in chances)))
    first = [next(iter(latent[c].values()))["prior_probability"] for c in categories]
    if len(patients) > LISTED:
        rows.append(
            (f"{len(patients) - LISTED} more", "in probabilities.csv", *("" for _ in first))
        )
    rows.append(("Prior alone", "", *(prior_text(result, value) for value in first)))
    names = (result.judged_by.label(c) for c in categories)
    head = ("Patient", "As measured", *(f"P({name})" for name in names))
    caption = (
        f"Each patient at {wording.week_name(week)}: category as measured, and the probability "
        "that the true level meets it"
    )
    return Table(caption, head, tuple(rows), frozenset({0, 1}))


def beyond(result: Result) -> Table:
    """The next patient, the share of such patients and its benchmark, data beside prior."""
    week, definitions = result.primary_week, result.judged_by
    found = {
        quantity: {row["category"]: row for row in rows_of(result, quantity, week)}
        for quantity in ("next_patient", "population", "exceeds")
    }
    rows = []
    for category in result.evaluable:
        following, exceeds = found["next_patient"].get(category), found["exceeds"].get(category)
        if following is None or np.isnan(following["probability"]):
            continue
        bar = definitions.benchmarks.get(category)
        ends = share_ends(result, week, category)
        mean = found["population"][category]
        for data in (True, False):
            of, pair = (
                "probability" if data else "prior_probability",
                ends[:2] if data else ends[2:],
            )

            def chance(row: dict[str, float], data: bool = data, of: str = of) -> str:
                value = row[of]
                return probability(value, row["mcse"]) if data else prior_text(result, value)

            rows.append(
                (
                    definitions.label(category) if data else "– prior alone",
                    chance(following),
                    percent_with_range(mean[of], *pair),
                    f"{chance(exceeds)} (above {percent(bar)})" if exceeds and bar else "",
                )
            )
    head = ("Category", "Next patient", "Share (95 % interval)", "Share above benchmark")
    caption = (
        f"Beyond these patients, at {wording.week_name(week)}: the next one as measured, and the "
        "share of such patients whose true level meets the category"
    )
    return Table(caption, head, tuple(rows))


def beyond_the_model(result: Result) -> tuple[str, ...]:
    """Categories of which more were counted than the model's interval of the share allows."""
    week = result.primary_week
    counts = response_counts(result.probabilities, week, result.judged_by.responses)
    said = []
    for row in records(counts):
        category = row["category"]
        if category not in result.evaluable:
            continue
        lower, upper, *_ = share_ends(result, week, category)
        counted = row["share_evaluable"]
        if np.isnan(upper) or counted <= upper:
            continue
        mean = next(
            r["probability"]
            for r in rows_of(result, "population", week)
            if r["category"] == category
        )
        said.append(
            f"{wording.capital(result.judged_by.label(category))} is beyond the model: it expects "
            f"{percent_with_range(mean, lower, upper)} of such patients, "
            f"{row['responders']} of {row['evaluable']} were counted."
        )
    return tuple(said)


def secondary_markers(
    results: Sequence[Result], primary: Result, apart: Collection[str]
) -> Table | None:
    """Every other marker at its model's primary week, from the first model that has it.

    Parameters
    ----------
    results : sequence of Result
        Not withheld, the simplest first.
    primary : Result
        Whose markers have a table of their own.
    apart : collection of str
        Markers that another section shows.
    """
    known = {*primary.fit.observations.markers, *apart}
    rows: list[tuple[str, ...]] = []
    for result in results:
        chosen = [m for m in result.fit.observations.markers if m not in known]
        if not chosen:
            continue
        table = changes_by_visit(result, (result.primary_week,))
        short = {result.catalogue[m].short for m in chosen}
        rows += [(*row, result.name) for row in table.rows if row[0] in short]
        known |= set(chosen)
    if not rows:
        return None
    head = ("Marker", "Week", "Ratio (95 % interval)", "P", "of a", "Prior alone", "Model")
    return Table(
        "Secondary markers: geometric mean ratio to baseline",
        head,
        tuple(rows),
        frozenset({0, 4, 6}),
    )
