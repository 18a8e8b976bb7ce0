"""Every number a run reports as one long table, each with its spread and its Monte Carlo error.

Two runs can then be matched number by number, whatever tables they came from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.answers.change import FALLS, falls
from mnbayes.answers.response_draws import POINTS
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels
from mnbayes.base.montecarlo import mcse

#: What names a row of each table; every other column holds a number.
ROW_KEYS: dict[str, tuple[str, ...]] = {
    "probabilities": ("model", "quantity", "patient", "week", "category"),
    "population": ("model", "week", "category"),
    "estimates": ("model", "marker", "week"),
}
#: What names a reported number: its file, its row there, and its column.
KEYS = ("table", "model", "quantity", "patient", "marker", "week", "category", "column")
COLUMNS = (*KEYS, "value", "sd", "mc_error")

PRIOR = "prior"
#: Width of a normal's 95 % interval in SDs, and half of it.
_WIDTH, _HALF = 3.919928, 1.959964
#: Error of a normal sample's median and of its 2.5 % quantile, in errors of its mean:
#: sqrt(p (1 - p)) / density. Kendall and Stuart, The Advanced Theory of Statistics 1, §10.10.
MEDIAN_ERROR, TAIL_ERROR = 1.253314, 2.671164
#: A share whose 95 % interval is wider than this may lie near 0 or near 1 and seldom between:
#: a uniform one's is 0.95.
_TWO_PEAKS = 0.9
#: A share is a count of integration points; its quantiles jump from one count to the next, and
#: over several where the points lie close.
_GRID = 2 / POINTS


def is_log(column: pd.Series) -> pd.Series:
    """Which columns hold a ratio, compared as its natural log."""
    return column.str.startswith("gmr_")


def of_prior(column: pd.Series) -> pd.Series:
    """Which columns hold a number under the prior alone."""
    return column.str.startswith(PRIOR) | column.str.endswith(f"_{PRIOR}")


def estimate_errors(
    log_gmr: Floats, columns: Collection[str] = ("gmr_median", "gmr_lower", "gmr_upper", *FALLS)
) -> dict[str, tuple[Floats, Floats]]:
    """Spread and Monte Carlo error of each column of ``estimates.csv``.

    Parameters
    ----------
    log_gmr : array, shape (chain, draw, ...)
        Natural log of the geometric mean ratio.
    columns : collection of str
        Those that are wanted; default: all.

    Returns
    -------
    dict
        Column to the SD of the quantity (NaN for a probability) and the Monte Carlo standard
        error of the number, both of shape (...). Ratios are on the log scale, where a quantile's
        error is that of ``arviz_stats`` (the quantile method of Vehtari et al. 2021,
        doi:10.1214/20-BA1221).
    """
    from arviz_stats.base.array import array_stats  # heavy: loads SciPy's statistics

    def quantile_error(probability: float) -> Floats:
        found = array_stats.mcse(
            log_gmr, chain_axis=0, draw_axis=1, method="quantile", prob=probability
        )
        return np.asarray(found, dtype=float)

    sd = np.asarray(log_gmr.std(axis=(0, 1), ddof=1))
    blank = np.full(sd.shape, np.nan)
    quantiles = {"gmr_median": 0.5, "gmr_lower": 0.025, "gmr_upper": 0.975}
    return {name: (sd, quantile_error(p)) for name, p in quantiles.items() if name in columns} | {
        name: (blank, mcse(met, log_gmr)) for name, met in falls(log_gmr).items() if name in columns
    }


def _long(
    table: str,
    frame: pd.DataFrame,
    keys: Sequence[str],
    errors: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """One row for each number of a table; the keys that the table lacks are blank.

    Keys that are not among :data:`KEYS` are written into ``quantity``. ``errors`` says which
    column is the Monte Carlo error of which other one.
    """
    known = {} if errors is None else errors
    texts = {key: frame[key].astype(object).where(frame[key].notna(), "") for key in keys}
    own = [f"{key} " + texts[key].astype("str") for key in keys if key not in KEYS]
    place = pd.DataFrame(index=frame.index)
    for key in KEYS:
        if key == "week":
            place[key] = frame[key].astype(float) if key in keys else np.nan
        else:
            place[key] = texts[key].astype("str") if key in keys else ""
    if own:
        place["quantity"] = [", ".join(row) for row in zip(*own, strict=True)]
    parts = [
        place.assign(
            table=table,
            column=column,
            value=frame[column].astype(float),
            sd=np.nan,
            mc_error=frame[known[column]].astype(float) if column in known else np.nan,
        )
        for column in frame.select_dtypes("number").columns
        if column not in keys and column not in known.values()
    ]
    empty = place.iloc[:0].reindex(columns=list(COLUMNS))
    return pd.concat(parts or [empty], ignore_index=True).astype(
        {"value": float, "sd": float, "mc_error": float}
    )


def _independent_error(p: pd.Series, model: pd.Series, draws: Mapping[str, float]) -> Floats:
    # The floor is montecarlo.mcse's, where all draws agree.
    share, count = p.to_numpy(float), model.map(draws).to_numpy(float)
    error = np.maximum(np.sqrt(share * (1 - share) / count), 1 / (count + 1))
    return np.asarray(error)


def _probabilities(frame: pd.DataFrame, draws: Mapping[str, float]) -> pd.DataFrame:
    errors = {"probability": "mcse"} if "mcse" in frame else None
    long = _long("probabilities", frame, ROW_KEYS["probabilities"], errors)
    prior = long["column"] == "prior_probability"
    independent = _independent_error(long["value"], long["model"], draws)
    long["mc_error"] = long["mc_error"].where(~prior, independent)
    return long


def _share_errors(frame: pd.DataFrame, suffix: str, error: Floats) -> dict[str, Floats]:
    """Errors of a share's summaries from that of its mean, as though draws were normal.

    On the share's own scale or on its log-odds, whichever says more, since shares are skewed
    near 0 and 1; each half of the interval has its own spread. The grid of the integration
    points comes on top. Not known where the share may have two peaks.
    """
    median, lower, upper = (
        np.asarray(frame[f"share_{name}{suffix}"], dtype=float)
        for name in ("median", "lower", "upper")
    )
    error_of_sd = np.where(upper - lower > _TWO_PEAKS, np.nan, error * _WIDTH / (upper - lower))

    def tail(end: Floats, half: Floats, half_odds: Floats) -> Floats:
        spread = np.fmax(half, end * (1 - end) * half_odds) / _HALF
        return np.hypot(TAIL_ERROR * spread * error_of_sd, _GRID)

    low, middle, high = (np.log(x) - np.log1p(-x) for x in (lower, median, upper))
    return {
        "mean": error,
        "median": np.where(np.isnan(error_of_sd), np.nan, np.hypot(MEDIAN_ERROR * error, _GRID)),
        "lower": tail(lower, median - lower, middle - low),
        "upper": tail(upper, upper - median, high - middle),
    }


def _population(
    frame: pd.DataFrame, probabilities: pd.DataFrame, draws: Mapping[str, float]
) -> pd.DataFrame:
    long = _long("population", frame, ROW_KEYS["population"]).assign(quantity="population")
    keys = list(ROW_KEYS["population"])
    means = frame[keys]
    if {"mcse", *ROW_KEYS["probabilities"]} <= set(probabilities):
        shares = probabilities.loc[probabilities["quantity"] == "population", [*keys, "mcse"]]
        means = means.merge(shares, on=keys, how="left", validate="one_to_one")
    for suffix in ("", f"_{PRIOR}"):
        names = [f"share_{name}{suffix}" for name in ("mean", "median", "lower", "upper")]
        if not set(names) <= set(frame):
            continue
        sd = (frame[names[3]] - frame[names[2]]).to_numpy(float) / _WIDTH
        if suffix:
            # The largest that the error of a mean share can be: its draws are only 0 or 1.
            error = _independent_error(frame[names[0]], frame["model"], draws)
        elif "mcse" in means:
            error = means["mcse"].to_numpy(float)
        else:
            error = np.full(len(frame), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = _share_errors(frame, suffix, error)
        for name, errors in zip(names, found.values(), strict=True):
            at = long["column"] == name
            long.loc[at, "sd"], long.loc[at, "mc_error"] = sd, errors
    return long


def _estimates(
    frame: pd.DataFrame, log_gmr: Mapping[str, Mapping[str, xr.DataArray]]
) -> pd.DataFrame:
    long = _long("estimates", frame, ROW_KEYS["estimates"]).assign(quantity="change")
    for suffix in ("", f"_{PRIOR}"):
        ends = [f"gmr_{end}{suffix}" for end in ("lower", "upper")]
        if set(ends) <= set(frame):
            low, high = (np.asarray(frame[end], dtype=float) for end in ends)
            with np.errstate(divide="ignore", invalid="ignore"):
                sd = (np.log(high) - np.log(low)) / _WIDTH
            for name in {f"gmr_median{suffix}", *ends} & set(frame):
                long.loc[long["column"] == name, "sd"] = sd
    found = [
        part
        for model, groups in log_gmr.items()
        for group, draws in groups.items()
        for part in _drawn(model, f"_{PRIOR}" if group == PRIOR else "", draws)
    ]
    if not found:
        return long
    drawn = pd.concat(found, ignore_index=True)
    keys = [*ROW_KEYS["estimates"], "column"]
    known = long[keys].merge(drawn, on=keys, how="left", validate="one_to_one")
    for name in ("sd", "mc_error"):
        long[name] = known[name].where(known[name].notna(), long[name].to_numpy()).to_numpy()
    # Withheld numbers stay without an error too.
    long.loc[long["value"].isna(), ["sd", "mc_error"]] = np.nan
    return long


def _drawn(model: str, suffix: str, draws: xr.DataArray) -> list[pd.DataFrame]:
    markers, weeks = labels(draws["marker"]), array(draws["later_visit"])
    errors = estimate_errors(array(draws, "marker", "later_visit"))
    return [
        pd.DataFrame(
            {
                "model": model,
                "marker": np.repeat(markers, weeks.size),
                "week": np.tile(weeks, len(markers)),
                "column": f"{column}{suffix}",
                "sd": sd.ravel(),
                "mc_error": error.ravel(),
            }
        )
        for column, (sd, error) in errors.items()
    ]


def reported_numbers(
    tables: Mapping[str, pd.DataFrame],
    prior_draws: Mapping[str, float],
    log_gmr: Mapping[str, Mapping[str, xr.DataArray]],
    more: Mapping[str, Keyed] | None = None,
) -> pd.DataFrame:
    """Every reported number of a run.

    Parameters
    ----------
    tables : mapping
        ``probabilities``, ``population`` and ``estimates`` as in the output files. Columns
        beyond the known ones are taken as numbers of unknown error.
    prior_draws : mapping
        Model to its number of independent draws of the prior; a model that is not in it has
        no Monte Carlo error under the prior.
    log_gmr : mapping
        Model to group (``posterior``, ``prior``) to the draws of ``visit_change``, dims chain,
        draw, marker and later_visit; a model that is not in it has no Monte Carlo error in
        ``estimates``.
    more : mapping, optional
        Other tables by file, each with what names its rows and which column is whose error.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`. ``sd`` is the SD of the quantity behind the number, NaN where
        that has no meaning (a probability); ``mc_error`` is the Monte Carlo standard error of
        the number, NaN where it is not known. Both are on the log scale for ratios
        (:func:`is_log`). The errors of a share's median and interval are approximate: worked
        out from the error of its mean.
    """
    probabilities = tables["probabilities"]
    parts = [
        _probabilities(probabilities, prior_draws),
        _population(tables["population"], probabilities, prior_draws),
        _estimates(tables["estimates"], log_gmr),
    ]
    parts += [
        _long(name, table.frame, table.keys, table.errors) for name, table in (more or {}).items()
    ]
    return pd.concat(parts, ignore_index=True)


class Keyed(Protocol):
    """A tidy table that says what names its rows: see :class:`mnbayes.run.section.Tidy`."""

    @property
    def frame(self) -> pd.DataFrame:
        """The table."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that name a row."""

    @property
    def errors(self) -> Mapping[str, str]:
        """Column to the column that holds its Monte Carlo standard error."""
