"""Response rates as counted, over both denominators, with exact intervals.

A patient who withdrew has no category at the visit. Leaving that patient out (`evaluable`)
and counting that patient as no response (`enrolled`, the composite strategy of ICH E9(R1))
answer different questions, so both are given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mnbayes.base.text_table import records

COLUMNS = (
    *("category", "responders", "evaluable", "enrolled"),
    *("share_evaluable", "lower_evaluable", "upper_evaluable"),
    *("share_enrolled", "lower_enrolled", "upper_enrolled"),
)


def exact_interval(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact (Clopper–Pearson) two-sided interval of a proportion.

    Parameters
    ----------
    successes, total : int
    confidence : float
        Between 0 and 1.

    Returns
    -------
    lower, upper : float
        Shares, quantiles of beta distributions. Clopper and Pearson 1934,
        doi:10.1093/biomet/26.4.404.

    Raises
    ------
    ValueError
        If the total is below 1 or the successes are not between 0 and the total.

    Examples
    --------
    >>> [round(100 * bound, 1) for bound in exact_interval(5, 7)]
    [29.0, 96.3]
    """
    from scipy.special import betaincinv

    if total < 1 or not 0 <= successes <= total:
        raise ValueError(
            f"successes must be 0 to the total of at least 1; found {successes}/{total}"
        )
    tail, failures = (1.0 - confidence) / 2.0, total - successes
    lower = betaincinv(successes, failures + 1, tail) if successes else 0.0
    upper = betaincinv(successes + 1, failures, 1.0 - tail) if failures else 1.0
    return float(lower), float(upper)


def response_counts(
    probabilities: pd.DataFrame, week: float, responses: Sequence[str]
) -> pd.DataFrame:
    """Count responders at a visit, over the evaluable and over all enrolled patients.

    Parameters
    ----------
    probabilities : DataFrame
        One model's table (:data:`mnbayes.answers.response_draws.PROBABILITY_COLUMNS`); its
        ``observed`` rows name every enrolled patient.
    week : float
    responses : sequence of str
        Categories that count as some response; the one of patients without any would count a
        withdrawal as a success.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`, one row for each response category that somebody could be
        judged on at that visit; shares and exact 95 % intervals are between 0 and 1. A patient
        without a category (withdrawn, missed, or left open by a detection limit) is not
        evaluable, and is no response among the enrolled.
    """
    rows = probabilities.loc[
        (probabilities["quantity"] == "observed") & (probabilities["week"] == week)
    ]
    met: dict[str, list[float]] = {}
    for row in records(rows):
        met.setdefault(row["category"], []).append(row["probability"])
    table = []
    for category in responses:
        judged = [value for value in met.get(category, ()) if not np.isnan(value)]
        evaluable, enrolled = len(judged), len(met.get(category, ()))
        if evaluable == 0:
            continue
        responders = int(sum(judged))
        cells: list[object] = [category, responders, evaluable, enrolled]
        for total in (evaluable, enrolled):
            cells += [responders / total, *exact_interval(responders, total)]
        table.append(cells)
    return pd.DataFrame(table, columns=list(COLUMNS))
