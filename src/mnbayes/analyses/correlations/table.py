"""Do the changes go together? Correlations between markers of the patients' own changes.

A correlation of -0.5 between the changes of protein and of B cells means: patients whose B cells
rise more than the mean tend to have protein that falls more than the mean. It is a relation
between patients of this kind, of true changes, free of measurement noise; it says nothing on
cause, and with a handful of patients its prior speaks louder than the data.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.answers.change import QUANTILES
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels, typed
from mnbayes.base.montecarlo import mcse
from mnbayes.cards.definitions import PROTEIN
from mnbayes.inference.contract import correlated_pairs

_INTERVAL = ("correlation_median", "correlation_lower", "correlation_upper")
CORRELATION_COLUMNS = (
    *("model", "marker", "other", *_INTERVAL, "correlation_mcse"),
    *("p_positive", "p_positive_mcse"),
    *(f"{name}_prior" for name in (*_INTERVAL, "p_positive")),
)


def pairs(markers: tuple[str, ...]) -> list[tuple[str, str]]:
    """Every pair of markers once; those with 24-h protein first, and it comes first in them."""
    ordered = sorted(markers, key=lambda marker: marker != PROTEIN)  # stable
    return list(combinations(ordered, 2))


def pair_draws(tree: xr.DataTree, group: str, chosen: list[tuple[str, str]]) -> Floats:
    """Draws of the correlation between the patients' changes of pairs of markers.

    Parameters
    ----------
    tree : DataTree
        A fit.
    group : {"posterior", "prior"}
    chosen : list of tuple of str

    Returns
    -------
    array, shape (chain, draw, pair)
    """
    data = tree[group].dataset
    place = {frozenset(pair): at for at, pair in enumerate(correlated_pairs(data))}
    at = [place[_changes(pair)] for pair in chosen]
    return array(data["correlation"].isel(pair=at), "pair")


def _changes(pair: tuple[str, str]) -> frozenset[str]:
    """The patient effects that are the changes of two markers."""
    return frozenset(f"{marker} change" for marker in pair)


def free_pairs(tree: xr.DataTree) -> list[tuple[str, str]]:
    """Pairs of markers whose changes a fit's card lets correlate.

    A card may hold correlations at 0 (``[structure] correlation``); such a pair has no answer.
    """
    chosen = pairs(tuple(labels(tree["posterior"].dataset["marker"])))
    free = {frozenset(pair) for pair in correlated_pairs(tree["posterior"].dataset)}
    return [pair for pair in chosen if _changes(pair) in free]


def correlation_table(tree: xr.DataTree, model: str) -> pd.DataFrame:
    """Correlations between the patients' changes of every pair of markers (``correlations.csv``).

    Parameters
    ----------
    tree : DataTree
        A fit.
    model : str

    Returns
    -------
    DataFrame
        Columns :data:`CORRELATION_COLUMNS`, one row for each pair, those with 24-h protein
        first: median and 95 % equal-tailed interval with the Monte Carlo standard error of the
        mean, P(correlation > 0) with its error, and the same under the prior alone. Empty where
        the model has one marker, or lets no two markers' changes correlate.

    Notes
    -----
    Under an LKJ(eta) prior on d patient effects, (r + 1) / 2 of any two is Beta(a, a) with
    a = eta - 1 + d / 2 (Lewandowski, Kurowicka and Joe 2009, doi:10.1016/j.jmva.2009.04.008): the
    more markers, the nearer to 0 the prior holds each correlation.
    """
    chosen = free_pairs(tree)
    cells: dict[str, object] = {
        "model": model,
        "marker": [first for first, _ in chosen],
        "other": [second for _, second in chosen],
    }
    if chosen:
        now = pair_draws(tree, "posterior", chosen)
        cells |= {"correlation_mcse": mcse(now), "p_positive_mcse": mcse(now > 0, now)}
        for draws, suffix in ((now, ""), (pair_draws(tree, "prior", chosen), "_prior")):
            found = np.quantile(draws, QUANTILES, axis=(0, 1))
            cells |= {f"{name}{suffix}": found[i] for i, name in enumerate(_INTERVAL)}
            cells[f"p_positive{suffix}"] = np.mean(draws > 0, axis=(0, 1))
    table = pd.DataFrame(cells, columns=list(CORRELATION_COLUMNS))
    return typed(table, ("model", "marker", "other"))
