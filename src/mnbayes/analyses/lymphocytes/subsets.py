"""Lymphocyte subsets: their changes before and after shrinkage, and their ranks.

CD4+ and CD8+ cells are counted within CD3+, so the subsets are neither a composition nor
independent findings. In a model that shrinks the subsets' mean changes to a common mean no
correction for multiple comparisons is needed: shrinkage takes its place (Gelman, Hill and Yajima
2012, doi:10.1080/19345747.2011.618213).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from mnbayes.answers.change import QUANTILES, estimates
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels, typed
from mnbayes.base.montecarlo import mcse

#: The lymphocyte subsets, in the order of the markers.
SUBSETS = ("cd3", "cd4", "cd8", "b_cell", "nk_cell")

_RATIO = ("gmr_median", "gmr_lower", "gmr_upper")
_AFTER = (*_RATIO, "p_rise", "p_rise_mcse")
_PRIOR = tuple(f"{name}_prior" for name in (*_RATIO, "p_rise"))
SUBSET_COLUMNS = (
    *("model", "marker", "week", *_AFTER, *_PRIOR),
    *(f"alone_{name}" for name in (*_AFTER, "p_rise_prior")),
)
RANK_COLUMNS = (
    *("model", "week", "by", "marker", "rank"),
    *("probability", "mcse", "prior_probability"),
)
_RANK_TEXTS = ("model", "by", "marker")


def subset_markers(markers: Iterable[str]) -> tuple[str, ...]:
    """Those of the markers that are lymphocyte subsets, in their given order."""
    return tuple(marker for marker in markers if marker in SUBSETS)


def subset_estimates(tree: xr.DataTree, model: str) -> pd.DataFrame:
    """Rows of :func:`mnbayes.answers.change.estimates` of the subsets, with a Monte Carlo error.

    Parameters
    ----------
    tree : DataTree
        A fit, of all subsets together or of one alone.
    model : str

    Returns
    -------
    DataFrame
        Columns of ``estimates`` and ``p_fall_mcse``; empty where the model has no subset.
    """
    table = estimates(tree, model)
    log_gmr = array(tree["posterior"].dataset["visit_change"], "marker", "later_visit")
    table["p_fall_mcse"] = mcse(log_gmr < 0, log_gmr).ravel()
    return table[table["marker"].isin(SUBSETS)].reset_index(drop=True)


def _rises(table: pd.DataFrame) -> pd.DataFrame:
    # P(rise) = 1 - P(fall): a continuous ratio is never exactly 1.
    out = table.reindex(columns=[c for c in SUBSET_COLUMNS if not c.startswith("alone_")])
    out["p_rise"] = 1 - table["p_fall"]
    if "p_fall_mcse" in table:
        out["p_rise_mcse"] = table["p_fall_mcse"]
    if "p_fall_prior" in table:
        out["p_rise_prior"] = 1 - table["p_fall_prior"]
    return out


def forest_table(estimates: pd.DataFrame, alone: pd.DataFrame | None = None) -> pd.DataFrame:
    """Ratios to baseline by subset and visit, before shrinkage beside after (``subsets.csv``).

    Parameters
    ----------
    estimates : DataFrame
        Of the model of all subsets, from :func:`subset_estimates` or
        :func:`mnbayes.answers.change.estimates`; other markers are left out.
    alone : DataFrame, optional
        The same columns from models of one marker each, their rows one below the other. What
        they lack stays blank, as do the numbers of a fit that was withheld.

    Returns
    -------
    DataFrame
        Columns :data:`SUBSET_COLUMNS`, one row for each subset and later visit: median and 95 %
        equal-tailed interval of the geometric mean ratio, P(ratio > 1) with its Monte Carlo
        standard error (blank where the input has no ``p_fall_mcse``), the same under the prior
        alone; with ``alone_`` before it, the subset fitted by itself.

    Raises
    ------
    ValueError
        If ``alone`` has a subset at a visit twice.
    """
    after = _rises(estimates[estimates["marker"].isin(SUBSETS)])
    keys = ["marker", "week"]
    names = [c.removeprefix("alone_") for c in SUBSET_COLUMNS if c.startswith("alone_")]
    before = pd.DataFrame(columns=[*keys, *names], dtype=float).astype({"marker": "str"})
    if alone is not None and not alone.empty:
        before = _rises(alone)[[*keys, *names]]
    if before.duplicated(keys).any():
        raise ValueError("each subset and visit may be given once in the models of one marker")
    before = before.rename(columns={name: f"alone_{name}" for name in names})
    table = after.merge(before, on=keys, how="left")[list(SUBSET_COLUMNS)]
    return typed(table.reset_index(drop=True), ("model", "marker"))


def common_change(tree: xr.DataTree) -> dict[str, float] | None:
    """Ratio to baseline to which a model shrinks its markers.

    Parameters
    ----------
    tree : DataTree
        A fit.

    Returns
    -------
    dict or None
        ``gmr_median``, ``gmr_lower``, ``gmr_upper``, ``p_rise`` and ``p_rise_mcse``, then the
        first four under the prior alone with ``_prior`` behind; None where the model does not
        shrink.
    """
    if "common_change" not in tree["posterior"].data_vars:
        return None
    cells: dict[str, float] = {}
    for group, suffix in (("posterior", ""), ("prior", "_prior")):
        draws = array(tree[group].dataset["common_change"])
        found = np.exp(np.quantile(draws, QUANTILES))
        cells |= {f"{name}{suffix}": float(found[i]) for i, name in enumerate(_RATIO)}
        cells[f"p_rise{suffix}"] = float(np.mean(draws > 0))
        if not suffix:
            cells["p_rise_mcse"] = float(mcse(draws > 0, draws))
    return cells


def rank_indicators(size: Floats) -> NDArray[np.bool_]:
    """Whether each of several quantities has each rank, draw by draw.

    Parameters
    ----------
    size : array, shape (..., item)

    Returns
    -------
    array of bool, shape (..., item, rank)
        Rank 0 is the largest; of equal items the first comes first, so that each rank is taken
        once.
    """
    order = np.argsort(-size, axis=-1, kind="stable")
    return np.asarray(np.argsort(order, axis=-1)[..., None] == np.arange(size.shape[-1]))


def rank_table(tree: xr.DataTree, model: str) -> pd.DataFrame:
    """Rank of the subsets' changes at the last visit, with its probability.

    Parameters
    ----------
    tree : DataTree
        A fit.
    model : str

    Returns
    -------
    DataFrame
        Columns :data:`RANK_COLUMNS`. ``by`` is ``change`` (size of the log ratio, up or down) or
        ``rise`` (the log ratio itself); rank 1 changed, or rose, the most. The population's
        ratio, at the mean of the covariate where there is one. The prior's probability is about
        1 over the number of subsets. Empty where the model has fewer than two.
    """
    markers = subset_markers(labels(tree["posterior"].dataset["marker"]))
    if len(markers) < 2:
        return typed(pd.DataFrame(columns=list(RANK_COLUMNS)), _RANK_TEXTS, ("rank",))
    week = float(array(tree["posterior"].dataset["later_visit"])[-1])
    now, before = (
        array(
            tree[group].dataset["visit_change"].sel(later_visit=week, marker=list(markers)),
            "marker",
        )
        for group in ("posterior", "prior")
    )
    parts = []
    for by, size, prior in (("change", np.abs(now), np.abs(before)), ("rise", now, before)):
        holds = rank_indicators(size)
        driver = np.broadcast_to(size[..., None], holds.shape)
        cells = {
            "model": model,
            "week": week,
            "by": by,
            "marker": np.repeat(np.array(markers), len(markers)),
            "rank": np.tile(np.arange(1, len(markers) + 1), len(markers)),
            "probability": holds.mean(axis=(0, 1)).ravel(),
            "mcse": mcse(holds, driver).ravel(),
            "prior_probability": rank_indicators(prior).mean(axis=(0, 1)).ravel(),
        }
        parts.append(pd.DataFrame(cells))
    return typed(pd.concat(parts, ignore_index=True), _RANK_TEXTS, ("rank",))
