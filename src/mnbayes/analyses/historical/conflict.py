"""Do new patients contradict their history? Prior-data conflict of a count and a mixture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.historical.mixture import BetaMixture
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import mcse

CONFLICT_COLUMNS = (
    *("count", "remission", "n", "counted_month", "month", "expected", "lower", "upper"),
    *("p_at_least", "p_at_least_mcse", "p_at_least_prior", "p_as_unlikely"),
    *("vague_weight", "vague_weight_after"),
    *("mean_after", "lower_after", "upper_after", "mean_without_history"),
)


def conflict(mixture: BetaMixture, robust: BetaMixture, remission: int, n: int) -> dict[str, Any]:
    """Hold a count against a mixture that was fitted to history.

    Parameters
    ----------
    mixture : BetaMixture
        Fitted to history alone.
    robust : BetaMixture
        The same with a vague component in the last place.
    remission, n : int

    Returns
    -------
    dict
        ``expected``, ``lower`` and ``upper``: mean and 95 % interval of the count predicted by
        history. ``p_at_least``: predictive probability of so many or more. ``p_as_unlikely``:
        of a count that is no more probable than this one (Box 1980, JRSS A 143:383).
        ``vague_weight`` and ``vague_weight_after``: of the vague component before and after the
        count. ``mean_after`` with 95 % interval: the rate after the count under the robust
        mixture; ``mean_without_history``: under its vague component alone.
    """
    chance = mixture.predictive(n)
    below = np.cumsum(chance)
    after = robust.updated(remission, n)
    # Equal probabilities may differ in the last digit.
    as_unlikely = chance <= chance[remission] * (1 + 1e-9)
    return {
        "expected": float(chance @ np.arange(n + 1)),
        "lower": int(np.searchsorted(below, 0.025)),
        "upper": min(int(np.searchsorted(below, 0.975)), n),
        "p_at_least": float(chance[remission:].sum()),
        "p_as_unlikely": float(min(chance[as_unlikely].sum(), 1.0)),
        "vague_weight": float(robust.weight[-1]),
        "vague_weight_after": float(after.weight[-1]),
        "mean_after": after.mean,
        "lower_after": after.quantile(0.025),
        "upper_after": after.quantile(0.975),
        "mean_without_history": float(after.a[-1] / (after.a[-1] + after.b[-1])),
    }


def at_least(rates: Floats, remission: int, n: int) -> Floats:
    """Probability of so many or more remissions at each draw of a rate, its shape."""
    from scipy.special import betainc

    if remission == 0:
        return np.ones_like(rates)
    return np.asarray(betainc(remission, n - remission + 1, rates))


def conflict_table(
    mixture: BetaMixture,
    robust: BetaMixture,
    counts: Iterable[tuple[str, int, int, float]],
    rates: Floats,
    prior_rates: Floats,
    month: float,
) -> pd.DataFrame:
    """:func:`conflict` of several counts.

    Parameters
    ----------
    counts : iterable of tuple
        Name, remissions, patients, month of assessment.
    rates : array, shape (chain, draw, study)
        Draws behind the mixture, for the Monte Carlo error of ``p_at_least``.
    prior_rates : array
        Draws under the prior alone, for ``p_at_least_prior``.
    month : float
        Of the rates: what a count is held against, whenever it was assessed (``counted_month``).

    Returns
    -------
    DataFrame
        Columns :data:`CONFLICT_COLUMNS`.
    """
    rows = [
        {"count": name, "remission": remission, "n": n, "counted_month": at, "month": month}
        | conflict(mixture, robust, remission, n)
        | {
            "p_at_least_mcse": float(mcse(at_least(rates, remission, n).mean(2)[..., None])[0]),
            "p_at_least_prior": float(at_least(prior_rates, remission, n).mean()),
        }
        for name, remission, n, at in counts
    ]
    return pd.DataFrame(rows, columns=list(CONFLICT_COLUMNS))
