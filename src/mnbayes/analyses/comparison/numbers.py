"""The reported numbers of two runs side by side, and whether a difference is more than noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from mnbayes.answers.reported import KEYS, is_log

#: A difference beyond this many Monte Carlo errors is not noise. For normal errors one number in
#: 16,000 exceeds it by chance, and a run reports thousands.
BEYOND = 4.0

NUMBER_COLUMNS = (
    *KEYS,
    *("a", "b", "scale", "difference", "sd", "mc_error_a", "mc_error_b", "mc_error"),
    *("in_sd", "in_errors", "verdict"),
)
ONLY_COLUMNS = (*KEYS, "run", "value", "reason")


def compare_numbers(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Match the reported numbers of two runs.

    Parameters
    ----------
    a, b : DataFrame
        See :func:`mnbayes.answers.reported.reported_numbers`.

    Returns
    -------
    numbers, only : DataFrame
        As in :class:`Comparison`. Numbers that are blank in both are in neither.
    """
    both = (
        a.assign(place=range(len(a)))
        .merge(
            b.assign(place=range(len(b))),
            on=list(KEYS),
            how="outer",
            suffixes=("_a", "_b"),
            indicator=True,
            validate="one_to_one",
        )
        .sort_values(["place_a", "place_b"])
    )
    blank_a, blank_b = both["value_a"].isna(), both["value_b"].isna()
    return _differences(both[~blank_a & ~blank_b]), _unmatched(both[blank_a != blank_b])


def _differences(both: pd.DataFrame) -> pd.DataFrame:
    a, b = both["value_a"].to_numpy(float), both["value_b"].to_numpy(float)
    log = is_log(both["column"]).to_numpy() & (a > 0) & (b > 0)
    difference = b - a
    difference[log] = np.log(b[log]) - np.log(a[log])
    error_a, error_b = (both[f"mc_error_{run}"].to_numpy(float) for run in "ab")
    error = np.hypot(error_a, error_b)
    spreads = np.stack([both[f"sd_{run}"].to_numpy(float) for run in "ab"])
    sd = np.sqrt(np.mean(spreads**2, axis=0))
    same = a == b
    with np.errstate(divide="ignore", invalid="ignore"):
        in_sd = np.where(same & ~np.isnan(sd), 0.0, difference / sd)
        in_errors = np.where(same, 0.0, difference / error)
    verdict = np.select(
        [same, np.isnan(in_errors), np.abs(in_errors) > BEYOND],
        ["same", "unknown", "changed"],
        "noise",
    )
    table = both[list(KEYS)].assign(
        a=a,
        b=b,
        scale=np.where(log, "log", "plain"),
        difference=difference,
        sd=sd,
        mc_error_a=error_a,
        mc_error_b=error_b,
        mc_error=error,
        in_sd=in_sd,
        in_errors=in_errors,
        verdict=verdict,
    )
    return table[list(NUMBER_COLUMNS)].reset_index(drop=True)


def _unmatched(both: pd.DataFrame) -> pd.DataFrame:
    in_a = both["value_a"].notna()
    table = both[list(KEYS)].assign(
        run=np.where(in_a, "a", "b"),
        value=both["value_a"].where(in_a, both["value_b"]),
        reason=np.where(both["_merge"] == "both", "blank", "no such row"),
    )
    return table[list(ONLY_COLUMNS)].reset_index(drop=True)


def largest(numbers: pd.DataFrame, *, in_sd: bool = False) -> pd.DataFrame:
    """Numbers by the size of their difference in Monte Carlo errors or SDs, the largest first."""
    size = numbers["in_sd" if in_sd else "in_errors"].abs().fillna(-1.0).to_numpy()
    order = np.argsort(-size, kind="stable")
    return numbers.iloc[order]


def main_numbers(
    numbers: pd.DataFrame, stated: Iterable[str], weeks: Mapping[str, float]
) -> pd.DataFrame:
    """The numbers a reader looks at first, at the primary week of each model.

    Median ratios to baseline, and the probabilities of the stated categories of response: of each
    patient's true level, of the next patient, of the population and its benchmark.

    Parameters
    ----------
    numbers : DataFrame
        Of a comparison.
    stated : iterable of str
        Categories of which headlines are made.
    weeks : mapping
        Model to its primary week; the last one of a model that is not in it.
    """
    last = numbers.groupby("model")["week"].transform("max")
    week = numbers["model"].map(dict(weeks)).fillna(last)
    # The mean share is in both tables; population.csv knows its spread as well.
    columns = {
        "change": "gmr_median",
        "population": "share_mean",
        **dict.fromkeys(["latent", "next_patient", "exceeds"], "probability"),
    }
    chosen = (
        (numbers["week"] == week)
        & (numbers["column"] == numbers["quantity"].map(columns))
        & numbers["category"].isin(["", *stated])
    )
    return numbers[chosen]
