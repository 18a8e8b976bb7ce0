"""Posterior predictive checks: whether the model would have produced what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mnbayes.analyses.results.checks_figure import predictive_check
from mnbayes.answers.result import Result
from mnbayes.base.labelled import array
from mnbayes.base.text_table import Table
from mnbayes.data.markers import MARKERS
from mnbayes.inference.contract import predicted
from mnbayes.report.kit.results import shown
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import repeats
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Section


def coverage_table(result: Result) -> Table:
    """Measurements inside their 95 % posterior predictive interval, by patient and marker.

    A censored value counts as inside if its interval meets the predictive one.
    """
    tree, data = result.fit.tree, result.fit.observations
    draws = array(predicted(tree, "posterior"), "patient", "visit", "marker")
    lower, upper = np.quantile(draws, (0.025, 0.975), axis=(0, 1))
    low = np.where(data.censored, data.log_lower, data.log_value)
    high = np.where(data.censored, data.log_upper, data.log_value)
    with np.errstate(invalid="ignore"):
        inside = (high >= lower) & (low <= upper) & data.observed
    rows = [
        (
            patient,
            *(
                f"{int(inside[i, :, k].sum())} of {int(data.observed[i, :, k].sum())}"
                for k in range(len(data.markers))
            ),
        )
        for i, patient in enumerate(data.patients)
    ]
    totals = []
    for k in range(len(data.markers)):
        covered, seen = int(inside[:, :, k].sum()), int(data.observed[:, :, k].sum())
        share = f" ({100 * covered / seen:.0f} %)" if seen else ""
        totals.append(f"{covered} of {seen}{share}")
    rows.append(("All patients", *totals))
    return Table(
        "Measurements inside their 95 % predictive interval",
        ("Patient", *(MARKERS[marker].label for marker in data.markers)),
        tuple(rows),
    )


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """Measured values over the 95 % posterior predictive interval."""
    if how.repeated or result.withheld:
        return ()
    return [
        Drawn(
            f"predictive_check_{marker}",
            f"Measurements against replicated measurements: {MARKERS[marker].label}",
            "Measured values of each patient over the 95 % predictive interval; the counts are "
            f"in the table above. Marker: {MARKERS[marker].label}",
            partial(predictive_check, result, marker, how.synthetic),
        )
        for marker in result.fit.observations.markers
    ]


def section(run: Run) -> Section:
    """Posterior predictive checks of a run's models."""
    able = shown(run)
    coverage = {result.name: coverage_table(result) for result in able}
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if able else "every model is withheld",
        pictures=run.pictures.get(ANALYSIS.name, {}),
        shown=tuple(coverage.values())[:1],
        template="results/checks.html.j2",
        words={"coverage": coverage},
    )


ANALYSIS = Analysis(
    name="checks",
    title="Does the model fit the measurements?",
    section=section,
    figures=figures,
    draws={
        "predictive_check": "",
    },
    needs=repeats,
)
