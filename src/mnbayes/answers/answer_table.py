"""Every model-based answer of a fit as one long table.

What compares fits (influence, power scaling, the multiverse) compares these rows.
"""

from __future__ import annotations

import pandas as pd
import xarray as xr

from mnbayes.answers.change import FALLS, estimates
from mnbayes.answers.probability_tables import population_table, probability_table
from mnbayes.answers.reported import estimate_errors
from mnbayes.answers.response_draws import ResponseDraws, response_draws, without_repeats
from mnbayes.base.labelled import array
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
    judged = probabilities[~probabilities["quantity"].isin(["observed", "repeat"])].rename(
        columns={"quantity": "kind", "probability": "value", "prior_probability": "prior"}
    )
    ends = population.rename(columns={"share_lower": "lower", "share_upper": "upper"})
    ends = ends[["week", "category", "lower", "upper"]].assign(kind="population")
    judged = judged.merge(ends, on=["kind", "week", "category"], how="left")
    table = pd.concat([judged.assign(marker=""), _ratios(gmr, tree)], ignore_index=True)
    texts = ["kind", "patient", "marker", "category"]
    table[texts] = table[texts].fillna("").astype("str")
    return table.loc[table["value"].notna(), [*KEYS, "prior", *NUMBERS]].reset_index(drop=True)


def _ratios(gmr: pd.DataFrame, tree: xr.DataTree) -> pd.DataFrame:
    """Ratios to baseline and probabilities of a fall; rows as in ``estimates.csv``, repeated."""
    errors = estimate_errors(
        array(tree["posterior"].dataset["visit_change"], "marker", "later_visit"),
        ("gmr_median", *FALLS),
    )
    place = gmr[["marker", "week"]]
    ratio = place.assign(
        kind="gmr",
        prior=gmr["gmr_median_prior"],
        value=gmr["gmr_median"],
        lower=gmr["gmr_lower"],
        upper=gmr["gmr_upper"],
        # The error is that of the log ratio.
        mcse=gmr["gmr_median"] * errors["gmr_median"][1].ravel(),
    )
    falls = [
        place.assign(
            kind=kind,
            prior=gmr[f"{kind}_prior"],
            value=gmr[kind],
            mcse=errors[kind][1].ravel(),
        )
        for kind in FALLS
    ]
    return pd.concat([ratio, *falls], ignore_index=True)


def refit_answers(
    tree: xr.DataTree, definitions: Definitions, model: str, seed: int
) -> tuple[pd.DataFrame, ResponseDraws | None]:
    """Answers of a fit that is only compared with another.

    Parameters
    ----------
    tree : DataTree
    definitions : Definitions
    model : str
    seed : int
        Of the draws of new patients.

    Returns
    -------
    DataFrame
        As :func:`answer_table` gives it.
    ResponseDraws or None
        What they were worked out from, without repeat measurements: nobody asks how these
        move, and their Monte Carlo errors take as long as all the others'.
    """
    draws = response_draws(tree, definitions, seed)
    if draws is not None:
        draws = without_repeats(draws)
    tables = probability_table(draws, model), population_table(draws, model), estimates(tree, model)
    return answer_table(*tables, tree), draws
