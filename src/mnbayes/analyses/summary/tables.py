"""The two tables of page 1: every marker at its last visit, and every patient's response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mnbayes.answers.result import Result
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.text_table import Table, records
from mnbayes.data.markers import Marker
from mnbayes.report.kit import wording

#: Patients of page 1's table; of a larger trial the file has them all.
LISTED = 24


def last_changes(results: Sequence[Result]) -> Table:
    """Ratio to baseline at the primary week: every marker once, from the first model that has it.

    Parameters
    ----------
    results : sequence of Result
        Not withheld, the simplest first.
    """
    rows: dict[str, tuple[str, ...]] = {}
    primary = next((r.fit.cohort.primary_marker for r in results if r.fit.cohort), "")
    for result in results:
        last = result.estimates[result.estimates["week"] == result.primary_week]
        for row in records(last):
            marker = result.catalogue[row["marker"]]
            now, before = (change_text(marker, row, suffix) for suffix in ("", "_prior"))
            rows.setdefault(
                row["marker"],
                (
                    marker.label,
                    f"{row['week']:g}",
                    result.name,
                    now,
                    before,
                ),
            )
    return Table(
        "Change under treatment at the primary visit (no control group): geometric mean as a share "
        "of baseline, with its 95 % interval",
        ("marker", "week", "model", "of baseline", "under the prior alone"),
        # The marker of the primary analysis first; otherwise as the models come.
        tuple(rows[name] for name in sorted(rows, key=lambda name: name != primary)),
        frozenset({0, 2}),
    )


def change_text(marker: Marker, row: Mapping[str, Any], suffix: str = "") -> str:
    """A ratio to baseline as a share of it, an odds ratio as such; the prior's interval alone."""
    median, low, high = (row[f"gmr_{part}{suffix}"] for part in ("median", "lower", "upper"))
    if marker.scale == "logit":
        ends = f"{wording.ratio(low)} to {wording.ratio(high)}"
        return ends if suffix else f"odds ratio {wording.ratio(median)} ({ends})"
    ends = wording.percent_range(low, high)
    return ends if suffix else f"{wording.percent(median)} ({ends})"


def patient_responses(result: Result) -> Table:
    """Probabilities of response at the primary week: every patient, then the next one."""
    week = result.primary_week
    definitions = result.judged_by
    able = [c for c in definitions.responses if c not in result.not_evaluable]
    shown = {category: definitions.short(category) for category in able}
    main = result.judged.main
    rows = result.probabilities[result.probabilities["week"] == week]
    changes = result.patient_changes
    at_week = changes[(changes["week"] == week) & (changes["marker"] == main)]
    predicted = set(at_week.loc[at_week["prediction"], "patient"])
    latent = rows[rows["quantity"] == "latent"]
    texts: list[tuple[str, ...]] = []
    patients = result.fit.observations.patients
    for patient in patients[:LISTED]:
        label = f"{patient} (predicted: not measured)" if patient in predicted else patient
        texts.append((label, *_cells(latent[latent["patient"] == patient], tuple(shown))))
    if len(patients) > LISTED:
        more = f"… {len(patients) - LISTED} more in probabilities.csv"
        texts.append((more, *("" for _ in shown)))
    following = rows[rows["quantity"] == "next_patient"]
    texts.append(("next patient", *_cells(following, tuple(shown))))
    texts.append(("  under the prior alone", *_cells(following, tuple(shown), prior=True)))
    return Table(
        f"Probability of response at week {week:g} ({result.name})",
        ("patient", *shown.values()),
        tuple(texts),
    )


def _cells(rows: pd.DataFrame, categories: tuple[str, ...], *, prior: bool = False) -> list[str]:
    column = "prior_probability" if prior else "probability"
    shown = rows.set_index("category")[[column, "mcse"]].astype(float)
    values = {str(c): (float(p), float(e)) for c, p, e in shown.itertuples()}
    return [round_to_mcse(*values[category]) for category in categories]


def tables_of(results: Sequence[Result]) -> tuple[Table, ...]:
    """Both tables, where results can be shown.

    Parameters
    ----------
    results : sequence of Result
        Not withheld, the simplest first. Where several judge the patients, the one that can
        judge most categories answers.
    """
    if not results:
        return ()
    judged = [result for result in results if not result.probabilities.empty]
    if not judged:
        return (last_changes(results),)
    best = min(judged, key=lambda result: len(result.not_evaluable))
    return (last_changes(results), patient_responses(best))
