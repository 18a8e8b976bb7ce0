"""The published model's rows in a run's tables: estimates, probabilities, population."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.published.card import PublishedCard
from mnbayes.analyses.published.categories import LABELS, shares
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.facts import Facts
from mnbayes.answers.change import ESTIMATE_COLUMNS, FALLS
from mnbayes.answers.probability_tables import POPULATION_COLUMNS, PROBABILITY_COLUMNS
from mnbayes.base.labelled import typed
from mnbayes.cards.definitions import Definitions


def estimates(
    facts: Facts, card: PublishedCard, reported: Iterable[Mapping[str, Any]]
) -> pd.DataFrame:
    """The ratio to baseline at the visit as one row of ``estimates.csv``.

    Parameters
    ----------
    facts : Facts
    card : PublishedCard
    reported : iterable of mapping
        Answers of the reported specification, as in
        :data:`mnbayes.analyses.published.result.ANSWER_COLUMNS`.

    Returns
    -------
    DataFrame
        Columns :data:`mnbayes.answers.change.ESTIMATE_COLUMNS`.
    """
    of_sizes = {row["quantity"]: row for row in reported if row["part"] == "outcome"}
    cells: dict[str, Any] = {
        "model": card.name,
        "marker": facts.marker,
        "week": facts.outcome.week,
    }
    gmr = of_sizes["gmr"]
    cells |= {f"gmr_{end}": gmr[end] for end in ("lower", "upper")} | {"gmr_median": gmr["value"]}
    cells |= {f"gmr_{end}_prior": gmr[f"prior_{end}"] for end in ("lower", "upper")}
    cells["gmr_median_prior"] = gmr["prior"]
    for name in FALLS:
        cells |= {name: of_sizes[name]["value"], f"{name}_prior": of_sizes[name]["prior"]}
    return typed(pd.DataFrame([cells])[list(ESTIMATE_COLUMNS)], ("model", "marker"))


def probabilities(facts: Facts, card: PublishedCard, definitions: Definitions) -> pd.DataFrame:
    """Rows of ``probabilities.csv``, from the counts: exact, so without Monte Carlo error.

    Patients have no names in an abstract, so there is no ``observed``, ``latent`` or ``repeat``.
    A count is of patients as measured, so ``next_patient`` equals ``population``. A category
    that the facts do not count is blank.

    Returns
    -------
    DataFrame
        Columns :data:`mnbayes.answers.probability_tables.PROBABILITY_COLUMNS`.
    """
    counts = outcome_counts(facts)
    now = shares(counts, card.shares, card.readings.withdrawn)
    before = shares(counts, card.shares, None)
    place: dict[str, Any] = {"model": card.name, "patient": None, "week": facts.outcome.week}
    rows = []
    for quantity in ("next_patient", "population"):
        for category in LABELS:
            known = category in now
            rows.append(
                place
                | {
                    "quantity": quantity,
                    "category": category,
                    "probability": now[category].mean if known else np.nan,
                    "mcse": 0.0 if known else np.nan,
                    "prior_probability": before[category].mean if known else np.nan,
                }
            )
    for category, bar in definitions.benchmarks.items():
        known = category in now
        rows.append(
            place
            | {
                "quantity": "exceeds",
                "category": category,
                "probability": now[category].above(bar) if known else np.nan,
                "mcse": 0.0 if known else np.nan,
                "prior_probability": before[category].above(bar) if known else np.nan,
            }
        )
    table = pd.DataFrame(rows)[list(PROBABILITY_COLUMNS)]
    return typed(table, ("model", "quantity", "patient", "category"))


def population(facts: Facts, card: PublishedCard) -> pd.DataFrame:
    """Rows of ``population.csv``: shares of patients in the categories, from the counts.

    Returns
    -------
    DataFrame
        Columns :data:`mnbayes.answers.probability_tables.POPULATION_COLUMNS`.
    """
    counts = outcome_counts(facts)
    groups = {
        "": shares(counts, card.shares, card.readings.withdrawn),
        "_prior": shares(counts, card.shares, None),
    }
    rows = []
    for category in LABELS:
        cells: dict[str, Any] = {
            "model": card.name,
            "week": facts.outcome.week,
            "category": category,
        }
        for suffix, found in groups.items():
            if category in found:
                share = found[category]
                cells[f"share_mean{suffix}"] = share.mean
                for name, probability in (("median", 0.5), ("lower", 0.025), ("upper", 0.975)):
                    cells[f"share_{name}{suffix}"] = share.quantile(probability)
        rows.append(cells)
    table = pd.DataFrame(rows, columns=list(POPULATION_COLUMNS))
    return typed(table, ("model", "category"))
