"""Every model-based answer of a fit as one long table.

What compares fits (influence, power scaling, the multiverse) compares these rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.answers.change import FALLS, estimates
from mnbayes.answers.probability_tables import population_table, probability_table
from mnbayes.answers.reported import estimate_errors
from mnbayes.answers.response_draws import ResponseDraws, response_draws, without_repeats
from mnbayes.base.labelled import array, typed
from mnbayes.base.text_table import records
from mnbayes.cards.definitions import Definitions

#: What names an answer.
#: What a run itself fitted, in a table of its refits.
FITTED = "as fitted"
KEYS = ("kind", "patient", "marker", "week", "category")
#: What is known of it given the data.
NUMBERS = ("value", "lower", "upper", "mcse")


def answer_table(
    probabilities: pd.DataFrame, population: pd.DataFrame, gmr: pd.DataFrame, tree: xr.DataTree
) -> pd.DataFrame:
    """Every model-based answer of a fit as one long table.

    Parameters
    ----------
    probabilities, population, gmr : DataFrame
        As in ``probabilities.csv``, ``population.csv`` and ``estimates.csv``.
    tree : DataTree
        The fit, for the Monte Carlo errors of the ratios.

    Returns
    -------
    DataFrame
        Columns :data:`KEYS` (texts blank where they do not apply), ``prior`` and
        :data:`NUMBERS`. ``kind`` is ``latent``, ``next_patient``, ``population``, ``exceeds``,
        ``gmr`` (posterior median), ``p_fall``, ``p_fall_30`` or ``p_fall_50``; 95 % equal-tailed
        intervals where it is ``gmr`` or ``population``. Answers that cannot be evaluated are not
        there.
    """
    ends = {
        (row["week"], row["category"]): (row["share_lower"], row["share_upper"])
        for row in records(population)
    }
    none = (np.nan, np.nan)
    rows: list[tuple[object, ...]] = [
        (
            row["quantity"],
            row["patient"] if isinstance(row["patient"], str) else "",
            "",
            row["week"],
            row["category"],
            row["prior_probability"],
            row["probability"],
            *(ends[row["week"], row["category"]] if row["quantity"] == "population" else none),
            row["mcse"],
        )
        for row in records(probabilities)
        if row["quantity"] not in ("observed", "repeat")
    ]
    rows += _ratios(gmr, tree)
    # Rows of plain values: to join and to fill tables of so few takes ten times as long.
    table = pd.DataFrame(rows, columns=[*KEYS, "prior", *NUMBERS])
    table = typed(table[table["value"].notna()], ("kind", "patient", "marker", "category"))
    return table.reset_index(drop=True)


def _ratios(gmr: pd.DataFrame, tree: xr.DataTree) -> list[tuple[object, ...]]:
    """Ratios to baseline and probabilities of a fall; rows as in ``estimates.csv``, repeated."""
    errors = estimate_errors(
        array(tree["posterior"].dataset["visit_change"], "marker", "later_visit"),
        ("gmr_median", *FALLS),
    )
    rows = records(gmr)

    def of(kind: str, name: str, *ends: str) -> list[tuple[object, ...]]:
        return [
            (
                kind,
                "",
                row["marker"],
                row["week"],
                "",
                row[f"{name}_prior"],
                row[name],
                *([row[end] for end in ends] or (np.nan, np.nan)),
                # The error of a ratio is that of its logarithm.
                error * row[name] if name == "gmr_median" else error,
            )
            for row, error in zip(rows, errors[name][1].ravel().tolist(), strict=True)
        ]

    ratios = of("gmr", "gmr_median", "gmr_lower", "gmr_upper")
    return [*ratios, *(row for kind in FALLS for row in of(kind, kind))]


def refit_answers(
    tree: xr.DataTree, definitions: Definitions, model: str, seed: int, *, prior: bool = True
) -> tuple[pd.DataFrame, ResponseDraws | None]:
    """Answers of a fit that is only compared with another.

    Parameters
    ----------
    tree : DataTree
    definitions : Definitions
    model : str
    seed : int
        Of the draws of new patients.
    prior : bool
        Whether probabilities of response under the prior are wanted; blank otherwise.

    Returns
    -------
    DataFrame
        As :func:`answer_table` gives it.
    ResponseDraws or None
        What they were worked out from, without repeat measurements: nobody asks how these
        move, and their Monte Carlo errors take as long as all the others'.
    """
    draws = response_draws(tree, definitions, seed, prior=prior)
    if draws is not None:
        draws = without_repeats(draws)
    tables = probability_table(draws, model), population_table(draws, model), estimates(tree, model)
    return answer_table(*tables, tree), draws
