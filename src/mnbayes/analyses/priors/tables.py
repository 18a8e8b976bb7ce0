"""Every prior of a model, and what it says of each reported probability before any data."""

from __future__ import annotations

import numpy as np

from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table
from mnbayes.cards.definitions import CATEGORIES
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import prior_text
from mnbayes.report.kit.wording import CATEGORY_LABELS, PARAMETER_LABELS


def prior_table(result: Result) -> Table:
    """Every prior of a model: formula, meaning on the natural scale, reason and source."""
    card = result.fit.card
    rows = []
    for parameter in card.parameters:
        symbol, what = PARAMETER_LABELS[parameter]
        for marker, spec in card.prior[parameter].items():
            rows.append(
                (
                    f"{parameter} ({symbol}: {what})",
                    marker or "all",
                    spec.formula,
                    spec.explained,
                    spec.why,
                    spec.source,
                )
            )
    head = ("Parameter", "Marker", "Prior", "Meaning", "Why", "Source")
    return Table("Priors as they were used", head, tuple(rows), frozenset(range(6)), wide=True)


def prior_predictive_tables(result: Result) -> tuple[Table, ...]:
    """Every reported probability before any data, one table a visit, the last visit first.

    The mean over patients where a quantity has one value each: under the prior all patients
    are alike, unless the model has a covariate.
    """
    table = result.probabilities
    if table.empty or result.withheld:
        return ()
    categories = [c for c in CATEGORIES if c not in result.not_evaluable]
    means = table.groupby(["quantity", "week", "category"])["prior_probability"].mean()
    head = ("Quantity", *(CATEGORY_LABELS[c].capitalize() for c in categories))
    tables = []
    for week in result.fit.observations.weeks[:0:-1]:
        rows = tuple(
            (
                quantity,
                *(
                    prior_text(result, float(means.get((quantity, week, c), np.nan)))
                    for c in categories
                ),
            )
            for quantity in wording.QUANTITIES
            if quantity != "observed"
        )
        caption = f"Probabilities under the prior alone, {wording.week_name(week)}"
        tables.append(Table(caption, head, rows))
    return tuple(tables)
