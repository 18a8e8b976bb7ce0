"""Posterior predictive checks: whether the model would have produced what was measured."""

from __future__ import annotations

import numpy as np

from mnbayes.base.labelled import array
from mnbayes.data.markers import MARKERS
from mnbayes.inference.contract import predicted
from mnbayes.report.kit.tables import Table
from mnbayes.answers.results import Result


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
