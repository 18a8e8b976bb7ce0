"""Change under treatment: ratios to baseline by visit, by patient, and the best of several visits.

There is no control group, so nothing here is an effect of treatment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels, stacked, typed
from mnbayes.inference.contract import drawn, level, predicted, recorded

#: Of a ratio below 1, and of one that is at most 0.7 and at most 0.5.
FALLS = ("p_fall", "p_fall_30", "p_fall_50")
SUMMARIES = ("gmr_median", "gmr_lower", "gmr_upper", *FALLS)
ESTIMATE_COLUMNS = ("model", "marker", "week", *SUMMARIES, *(f"{s}_prior" for s in SUMMARIES))
PATIENT_COLUMNS = (
    *("model", "patient", "marker", "week"),
    *("ratio_median", "ratio_lower", "ratio_upper", "measured", "prediction"),
)
BEST_COLUMNS = (
    *("patient", "marker", "visits", "best_week", "observed_best"),
    *("replicated_median", "replicated_lower", "replicated_upper", "p_replicated_at_least"),
    *("latent_median", "latent_lower", "latent_upper"),
    *("latent_best_median", "latent_best_lower", "latent_best_upper", "bias"),
)

#: Median and the ends of the 95 % equal-tailed interval.
QUANTILES = (0.5, 0.025, 0.975)


def falls(log_gmr: Floats) -> dict[str, NDArray[np.bool_]]:
    """Whether each draw of the log of a ratio is a fall, by :data:`FALLS`."""
    met = (log_gmr < 0, log_gmr <= np.log(0.7), log_gmr <= np.log(0.5))
    return dict(zip(FALLS, met, strict=True))


def gmr_summaries(log_gmr: Floats) -> dict[str, Floats]:
    """Summaries of the geometric mean ratio to baseline.

    Parameters
    ----------
    log_gmr : array, shape (chain, draw, ...)
        Natural log of the ratio.

    Returns
    -------
    dict
        Each of shape (...): median and 95 % equal-tailed interval of the ratio, and the
        probabilities that it is below 1, at most 0.7 and at most 0.5.
    """
    median, lower, upper = np.exp(np.quantile(log_gmr, QUANTILES, axis=(0, 1)))
    return {
        "gmr_median": median,
        "gmr_lower": lower,
        "gmr_upper": upper,
    } | {name: met.mean(axis=(0, 1)) for name, met in falls(log_gmr).items()}


def estimates(tree: xr.DataTree, model: str) -> pd.DataFrame:
    """Geometric mean ratio to baseline of each marker at each later visit (``estimates.csv``).

    Parameters
    ----------
    tree : DataTree
        A fit.
    model : str
        Name of the model, written on every row.

    Returns
    -------
    DataFrame
        Columns :data:`ESTIMATE_COLUMNS`: the ratio's median and 95 % equal-tailed interval,
        P(ratio < 1), P(fall of at least 30 %) and of at least 50 %; then the same under the
        prior, blank where the tree has none. The population's ratio, at the mean of the
        covariate where there is one.
    """
    markers = labels(tree["posterior"].dataset["marker"])
    weeks = array(tree["posterior"].dataset["later_visit"])
    columns: dict[str, object] = {
        "model": model,
        "marker": np.repeat(np.array(markers), weeks.size),
        "week": np.tile(weeks, len(markers)),
    }
    for group, suffix in (("posterior", ""), ("prior", "_prior")):
        if not drawn(tree, group, "visit_change"):
            columns |= {f"{name}{suffix}": np.nan for name in SUMMARIES}
            continue
        log_gmr = array(tree[group].dataset["visit_change"], "marker", "later_visit")
        columns |= {f"{k}{suffix}": v.ravel() for k, v in gmr_summaries(log_gmr).items()}
    return typed(pd.DataFrame(columns)[list(ESTIMATE_COLUMNS)], ("model", "marker"))


def patient_changes(tree: xr.DataTree, model: str) -> pd.DataFrame:
    """Ratio of each patient's true level to the true baseline, at each later visit.

    Parameters
    ----------
    tree : DataTree
        A fit.
    model : str

    Returns
    -------
    DataFrame
        Columns :data:`PATIENT_COLUMNS`: median and 95 % equal-tailed interval of the ratio;
        ``measured``: the marker was measured at the visit, exactly or censored;
        ``prediction``: it was not (withdrawn or missed), and the ratio is what the model
        expects if the visit is missing at random.
    """
    levels, observed = level(tree, "posterior"), recorded(tree)
    patients, markers = labels(levels["patient"]), labels(levels["marker"])
    values = array(levels, "patient", "marker", "visit")
    ratio = np.exp(np.quantile(values[..., 1:] - values[..., :1], QUANTILES, axis=(0, 1)))
    seen = [
        ~np.isnan(array(observed[name], "patient", "marker", "visit")[..., 1:])
        for name in ("log_value", "log_lower", "log_upper")
    ]
    measured = np.any(seen, axis=0)
    weeks = array(levels["visit"])[1:]
    rows = pd.MultiIndex.from_product([patients, markers, weeks])
    table = pd.DataFrame(
        {
            "model": model,
            "patient": rows.get_level_values(0),
            "marker": rows.get_level_values(1),
            "week": rows.get_level_values(2),
            "ratio_median": ratio[0].ravel(),
            "ratio_lower": ratio[1].ravel(),
            "ratio_upper": ratio[2].ravel(),
            "measured": measured.ravel(),
            "prediction": ~measured.ravel(),
        }
    )
    return table[list(PATIENT_COLUMNS)].astype(dict.fromkeys(("model", "patient", "marker"), "str"))


def _best(log_ratio: Floats) -> Floats:
    # The best reduction over the last axis, as a share of baseline.
    return np.asarray(-np.expm1(log_ratio.min(axis=-1)))


def _best_of_patient(
    value: Floats,
    lower: Floats,
    weeks: Floats,
    replicate: Floats,
    level: Floats,
) -> dict[str, object]:
    # One patient; the first visit is the baseline. value, lower: (visit,); draws: (draw, visit).
    exact = ~np.isnan(value[1:])
    used = np.flatnonzero(exact | ~np.isnan(lower[1:])) + 1
    cells: dict[str, object] = {"visits": used.size}
    if used.size == 0:
        return cells
    latent_best = _best(level[:, used] - level[:, :1])
    replicated = _best(replicate[:, used] - replicate[:, :1])
    names = ("median", "lower", "upper")
    for name, draws in (("replicated", replicated), ("latent_best", latent_best)):
        quantiles = np.quantile(draws, QUANTILES)
        cells |= {f"{name}_{k}": q for k, q in zip(names, quantiles, strict=True)}
    cells["bias"] = np.median(replicated) - np.median(latent_best)
    # A censored visit that could be lower than every exact one leaves the best visit open.
    floor = np.min(np.where(exact, np.inf, np.where(np.isnan(lower[1:]), np.inf, lower[1:])))
    if np.isnan(value[0]) or not exact.any() or floor < np.nanmin(value[1:]):
        return cells
    at = int(np.nanargmin(value[1:])) + 1
    observed = float(-np.expm1(value[at] - value[0]))
    quantiles = np.quantile(-np.expm1(level[:, at] - level[:, 0]), QUANTILES)
    cells |= {f"latent_{k}": q for k, q in zip(names, quantiles, strict=True)}
    return cells | {
        "best_week": weeks[at],
        "observed_best": observed,
        "p_replicated_at_least": np.mean(replicated >= observed),
    }


def best_reduction(tree: xr.DataTree, marker: str, weeks: Sequence[float]) -> pd.DataFrame:
    """Best reduction of a marker over several visits, beside what noise alone makes of it.

    The best of several noisy visits is biased upwards: it picks the luckiest error. So the
    same extreme is computed from replicated measurements of the same patient at the same
    visits, and from the patient's true levels.

    Parameters
    ----------
    tree : DataTree
        A fit.
    marker : str
    weeks : sequence of float
        Later visits to take the best of; for each patient those that were measured count.

    Returns
    -------
    DataFrame
        Columns :data:`BEST_COLUMNS`, one row for each patient; reductions are shares of
        baseline (0.6: to 40 % of it).

        - ``observed_best`` at ``best_week``, of ``visits`` measured visits: as measured; blank
          where the baseline is not exact, or a censored visit may be the best;
        - ``replicated_*``: the best reduction of replicated measurements, baseline included,
          with ``p_replicated_at_least`` = P(it is at least the observed one);
        - ``latent_*``: the true reduction at ``best_week``;
        - ``latent_best_*``: the best true reduction over the same visits;
        - ``bias``: median replicated less median true best reduction, what measurement error
          adds to an extreme.

    Raises
    ------
    ValueError
        If the marker is not in the model or a week is not one of its later visits.
    """
    known = labels(tree["posterior"].dataset["marker"])
    if marker not in known:
        raise ValueError(f"marker {marker!r} is not in this model; there are {', '.join(known)}")
    later = array(tree["posterior"].dataset["later_visit"]).tolist()
    unknown = [week for week in weeks if float(week) not in later]
    if unknown or not weeks:
        raise ValueError(f"weeks must be some of the later visits {later}; found {list(weeks)}")
    chosen = [0.0, *sorted(float(week) for week in weeks)]

    observed = recorded(tree).sel(marker=marker, visit=chosen)
    value, lower, upper = (
        array(observed[name], "patient", "visit")
        for name in ("log_value", "log_lower", "log_upper")
    )
    # A published range may state an upper bound alone: its lower bound is open.
    lower = np.where(np.isnan(lower) & ~np.isnan(upper), -np.inf, lower)
    replicate, own = (
        stacked(draws.sel(marker=marker, visit=chosen), "patient", "visit")
        for draws in (predicted(tree, "posterior"), level(tree, "posterior"))
    )
    rows = [
        {"patient": patient, "marker": marker}
        | _best_of_patient(value[i], lower[i], np.array(chosen), replicate[:, i], own[:, i])
        for i, patient in enumerate(labels(observed["patient"]))
    ]
    table = pd.DataFrame(rows, columns=list(BEST_COLUMNS))
    return typed(table, ("patient", "marker"), ("visits",))
