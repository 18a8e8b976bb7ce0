"""The CD4/CD8 ratio, derived from a fit of both markers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.answers.change import QUANTILES
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels, typed
from mnbayes.base.montecarlo import mcse
from mnbayes.inference.contract import level, recorded

_RATIO = ("gmr_median", "gmr_lower", "gmr_upper")
_LEVEL = ("ratio_median", "ratio_lower", "ratio_upper")
CD4_CD8_COLUMNS = (
    *("model", "patient", "week", "measured", *_LEVEL, *_RATIO, "p_rise", "p_rise_mcse"),
    *(f"{name}_prior" for name in (*_LEVEL, *_RATIO, "p_rise")),
)
_TEXTS = ("model", "patient")


def _difference(values: xr.DataArray) -> xr.DataArray:
    return values.sel(marker="cd4", drop=True) - values.sel(marker="cd8", drop=True)


def _summaries(log_ratio: Floats, suffix: str = "") -> dict[str, Floats]:
    # log_ratio: (chain, draw, ..., visit), the baseline first; results: (..., visit).
    change = log_ratio[..., 1:] - log_ratio[..., :1]
    level = np.exp(np.quantile(log_ratio, QUANTILES, axis=(0, 1)))
    cells: dict[str, Floats] = dict(
        zip(_RATIO, np.exp(np.quantile(change, QUANTILES, axis=(0, 1))), strict=True)
    )
    cells["p_rise"] = np.mean(change > 0, axis=(0, 1))
    if not suffix:
        cells["p_rise_mcse"] = mcse(change > 0, change)
    # Of the baseline itself there is no change.
    first = [(0, 0)] * (level.ndim - 2) + [(1, 0)]
    cells = {name: np.pad(values, first, constant_values=np.nan) for name, values in cells.items()}
    cells |= dict(zip(_LEVEL, level, strict=True))
    return {f"{name}{suffix}": values for name, values in cells.items()}


def cd4_cd8_table(tree: xr.DataTree, model: str) -> pd.DataFrame:
    """The CD4/CD8 ratio of the population and of each patient, and its change.

    Parameters
    ----------
    tree : DataTree
        A fit.
    model : str

    Returns
    -------
    DataFrame
        Columns :data:`CD4_CD8_COLUMNS`, one row for each visit: of the population first
        (``patient`` blank), then of each patient. ``ratio_*``: median and 95 % equal-tailed
        interval of the ratio, of geometric means or of the patient's true counts; ``gmr_*``
        and ``p_rise``: the same divided by its baseline (blank there); ``measured``: the
        patient's ratio where both counts are exact. Then the same under the prior alone. Empty
        where the model lacks either marker.

    Notes
    -----
    On the log scale the ratio is the difference of the two markers, draw by draw:
    ``baseline_mean[cd4] - baseline_mean[cd8] + visit_change[t, cd4] - visit_change[t, cd8]``.
    """
    if not {"cd4", "cd8"} <= set(labels(tree["posterior"].dataset["marker"])):
        return typed(pd.DataFrame(columns=list(CD4_CD8_COLUMNS)), _TEXTS)
    observed = recorded(tree)
    weeks, patients = array(observed["visit"]), labels(observed["patient"])
    value = array(_difference(observed["log_value"]), "patient", "visit")
    population: dict[str, object] = {"patient": "", "week": weeks, "measured": np.nan}
    own: dict[str, object] = {
        "patient": np.repeat(np.array(patients, dtype=object), weeks.size),
        "week": np.tile(weeks, len(patients)),
        "measured": np.exp(value).ravel(),
    }
    for group, suffix in (("posterior", ""), ("prior", "_prior")):
        data = tree[group].dataset
        start = array(_difference(data["baseline_mean"]))
        change = array(_difference(data["visit_change"]), "later_visit")
        group_ratio = start[..., None] + np.pad(change, [(0, 0), (0, 0), (1, 0)])
        levels = array(_difference(level(tree, group)), "patient", "visit")
        population |= _summaries(group_ratio, suffix)
        own |= {name: cells.ravel() for name, cells in _summaries(levels, suffix).items()}
    tables = [pd.DataFrame(cells)[list(CD4_CD8_COLUMNS[1:])] for cells in (population, own)]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "model", model)
    return typed(table, _TEXTS)
