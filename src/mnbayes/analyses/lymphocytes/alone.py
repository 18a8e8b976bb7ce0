"""Each marker of a card by itself: what shrinkage and company add to it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from mnbayes.analyses.lymphocytes.subsets import subset_estimates
from mnbayes.base.workers import silent
from mnbayes.cards.card import Card, Structure
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Sampling, fit


def one_marker_card(card: Card, marker: str) -> Card:
    """The card's model of one of its markers, with that marker's own priors.

    The mean change has its own weakly informative prior instead of shrinking to a common one.
    """
    prior = {
        name: {key: spec for key, spec in table.items() if key in (marker, "")}
        for name, table in card.prior.items()
    }
    structure = Structure(**card.structure.model_dump() | {"shrink": False, "correlation": "all"})
    update = {"markers": (marker,), "structure": structure, "prior": prior, "influence": False}
    return card.model_copy(update={**update, "name": f"{card.name}_{marker}"})


def alone(
    card: Card,
    cohort: Cohort,
    sampling: Sampling | None = None,
    progress: Callable[[int, int], None] = silent,
) -> pd.DataFrame:
    """Fit each marker of a card by itself.

    The markers share one compilation, also with other cards of one marker in this process.

    Parameters
    ----------
    progress : callable
        Called with the markers done and in all.

    Returns
    -------
    DataFrame
        Rows of :func:`mnbayes.analyses.lymphocytes.subsets.subset_estimates`, ``model`` being
        ``<card>_<marker>``; none of a marker whose fit fails the gate.
    """
    tables = []
    for done, marker in enumerate(card.markers):
        progress(done, len(card.markers))
        single = one_marker_card(card, marker)
        fitted = fit(single, cohort, sampling)
        if fitted.diagnostics.converged:
            tables.append(subset_estimates(fitted.tree, single.name))
    progress(len(card.markers), len(card.markers))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
