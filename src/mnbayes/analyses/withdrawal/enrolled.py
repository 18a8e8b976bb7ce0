"""What became of the enrolled patients themselves, under each withdrawal strategy.

These numbers are about the n patients of the trial at its last visit, and about nobody else:

``share``
    Number of the n whose true level meets a definition, divided by n. Known up to what the
    measurements leave open, so it has a posterior; its values are 0/n, 1/n, …, n/n.
``gmr``
    Geometric mean over the n of each patient's own ratio of true level to true baseline.

``population`` and ``exceeds`` (:mod:`mnbayes.answers.response_draws`) ask the same of the endless
population
that the n were drawn from. Their intervals are wider, because n patients say little about it,
and a withdrawal strategy can only reach them by a refit. Here the question is narrower: had
everybody been seen, what would this trial have shown?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnbayes.analyses.withdrawal.strategies import Strategy, handle, withdrawal_strategies
from mnbayes.analyses.withdrawal.unseen import Outcome, WithdrawalDraws
from mnbayes.answers.categories import Category, classify, judge
from mnbayes.answers.change import QUANTILES
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import typed
from mnbayes.base.montecarlo import mcse
from mnbayes.cards.definitions import Definitions

type BoolArray = NDArray[np.bool_]

NUMBERS = ("probability", "probability_mcse", "mean", "mcse", "median", "lower", "upper")
COLUMNS = (
    *("model", "strategy", "assumption", "delta", "week", "enrolled", "withdrawn"),
    *("quantity", "category", "threshold"),
    *NUMBERS,
    *(f"{name}_prior" for name in NUMBERS),
)
TEXTS = ("model", "strategy", "assumption", "quantity", "category")
#: Columns that no draw enters; the others are blank where a fit is withheld.
LABELS = COLUMNS[: COLUMNS.index("threshold") + 1]


@dataclass(frozen=True)
class Enrolled:
    """Draws of the enrolled patients at a visit.

    Attributes
    ----------
    share : mapping
        Category to array, shape (...): share of the patients in it.
    log_gmr : array, shape (...)
        Natural log of the geometric mean ratio; NaN where a patient has no level.
    """

    share: Mapping[Category, Floats]
    log_gmr: Floats


def enrolled(
    outcome: Outcome,
    draws: WithdrawalDraws,
    week: float,
    definitions: Definitions,
    categories: Sequence[Category] | None = None,
) -> Enrolled:
    """Evaluate the enrolled patients at a visit.

    Parameters
    ----------
    outcome : Outcome
        Of a strategy.
    draws : WithdrawalDraws
        What the strategy was given.
    week : float
        A later visit.
    definitions : Definitions
    categories : sequence of str, optional
        Those to judge, where the model has the markers. Default: all that count as some response.

    Returns
    -------
    Enrolled
        Arrays of the draws' shape (...). A category that must be confirmed is judged where
        there is a next visit.
    """
    at = draws.weeks.index(week)
    judged = judge(definitions, draws.markers, draws.catalogue)

    def levels(visit: int) -> dict[str, Floats]:
        return {name: outcome.level[..., visit, k] for k, name in enumerate(draws.markers)}

    following = levels(at + 1) if at + 1 < len(draws.weeks) and judged.confirmed else None
    met = classify(judged, levels(0), levels(at), following)
    log_ratio = outcome.level[..., at, 0] - outcome.level[..., 0, 0]
    asked = definitions.responses if categories is None else categories
    if outcome.no_response is not None:
        shape = (*log_ratio.shape, len(draws.weeks))
        failed = np.broadcast_to(outcome.no_response, shape)[..., at]
        met = {category: holds & ~failed for category, holds in met.items()}
        log_ratio = np.where(failed, np.nan, log_ratio)
    count = len(draws.patients)
    share = {c: np.count_nonzero(met[c], axis=-1) / count for c in asked if c in met}
    return Enrolled(share, np.asarray(log_ratio.mean(axis=-1)))


def _error(draws: NDArray[Any], blank: BoolArray, driver: Floats | None = None) -> Floats:
    # Monte Carlo standard error of the mean, (chain, draw, n) to (n,).
    error = np.full(blank.shape, np.nan)
    driver = None if driver is None else np.repeat(driver[..., None], (~blank).sum(), axis=-1)
    error[~blank] = mcse(draws[:, :, ~blank], driver)
    return error


def _numbers(
    draws: Floats, threshold: float | None, driver: Floats, *, logs: bool, falls: bool
) -> dict[str, Floats]:
    # NUMBERS of draws (chain, draw, n), each (n,); blank where a draw is. The threshold of logs
    # is a ratio of 1, to be below where less is better; that of shares is to be exceeded.
    blank = np.isnan(draws).any(axis=(0, 1))
    median, lower, upper = np.quantile(draws, QUANTILES, axis=(0, 1))
    found = {"mean": draws.mean(axis=(0, 1)), "median": median, "lower": lower, "upper": upper}
    found = {name: np.exp(value) if logs else value for name, value in found.items()}
    found["mcse"] = _error(draws, blank)
    found["probability"] = found["probability_mcse"] = np.full(blank.shape, np.nan)
    if threshold is not None:
        holds = draws > threshold if not logs else draws < 0 if falls else draws > 0
        found["probability"] = np.where(blank, np.nan, holds.mean(axis=(0, 1)))
        found["probability_mcse"] = _error(holds, blank, driver)
    return found


def tabulate(
    model: str,
    labels: Sequence[tuple[str, str, float]],
    posterior: Sequence[Enrolled],
    prior: Sequence[Enrolled],
    definitions: Definitions,
    draws: WithdrawalDraws,
    week: float,
) -> pd.DataFrame:
    """Tabulate what became of the enrolled patients under several assumptions.

    Parameters
    ----------
    model : str
    labels : sequence of tuple
        Strategy, what it assumes in words, and delta (NaN if it has none).
    posterior, prior : sequence of Enrolled
        One for each label; draws of shape (chain, draw).
    definitions : Definitions
        With the benchmarks.
    draws : WithdrawalDraws
        Of the posterior.
    week : float

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`. For each label a row of quantity ``share`` for each category
        and one of ``gmr``: mean (of a ratio: geometric) with its Monte Carlo standard error
        ``mcse`` (of a ratio: of its log, so a share of it), median and 95 % equal-tailed
        interval; ``probability`` that the share exceeds the benchmark, or that the ratio is
        below 1, above it where more is better (``threshold``), with its error
        ``probability_mcse``; then the same under the prior alone. The ratio of a strategy under
        which a patient has no level is blank.
    """
    at = draws.weeks.index(week)
    driver = (draws.level[..., at, 0] - draws.level[..., 0, 0]).mean(axis=-1)
    names, assumptions, ratios = zip(*labels, strict=True)

    def frame(
        category: str, threshold: float | None, pick: Callable[[Enrolled], Floats]
    ) -> pd.DataFrame:
        cells: dict[str, Floats] = {}
        for suffix, group in (("", posterior), ("_prior", prior)):
            stacked = np.stack([pick(item) for item in group], axis=-1)
            numbers = _numbers(
                stacked, threshold, driver, logs=not category, falls=draws.main.falls
            )
            cells |= {f"{name}{suffix}": number for name, number in numbers.items()}
        return pd.DataFrame(cells).assign(
            strategy=names,
            assumption=assumptions,
            delta=ratios,
            quantity="share" if category else "gmr",
            category=category,
            threshold=threshold,
        )

    def share_of(category: Category) -> Callable[[Enrolled], Floats]:
        return lambda item: item.share[category]

    frames = [
        frame(category, definitions.benchmarks.get(category), share_of(category))
        for category in posterior[0].share
    ]
    frames.append(frame("", 1.0, lambda item: item.log_gmr))
    table = pd.concat([typed(frame, TEXTS) for frame in frames], ignore_index=True)
    return table.assign(
        model=model,
        week=week,
        enrolled=len(draws.patients),
        withdrawn=int(draws.after[:, at].sum()),
    )[list(COLUMNS)].astype({"model": "str"})


def withdrawal_table(
    posterior: WithdrawalDraws,
    prior: WithdrawalDraws,
    definitions: Definitions,
    model: str,
    strategies: Sequence[Strategy] | None = None,
    week: float | None = None,
) -> pd.DataFrame:
    """What became of the enrolled patients under each strategy (``withdrawal.csv``).

    Parameters
    ----------
    posterior, prior : WithdrawalDraws
        From :func:`mnbayes.analyses.withdrawal.unseen.withdrawal_draws`; each strategy is applied
        to both.
    definitions : Definitions
    model : str
    strategies : sequence of Strategy, optional
        Default: every registered one.
    week : float, optional
        A later visit; default: that of the primary analysis.

    Returns
    -------
    DataFrame
        As :func:`tabulate` gives it. If nobody withdrew by that visit all strategies are the
        same, and only ``mar`` is there.

    Raises
    ------
    ValueError
        If a strategy alters what was seen.
    """
    week = posterior.primary_week if week is None else week
    chosen = withdrawal_strategies() if strategies is None else tuple(strategies)
    if not posterior.after[:, posterior.weeks.index(week)].any():
        chosen = tuple(item for item in withdrawal_strategies() if item.name == "mar")
    now, before = (
        [enrolled(handle(item, draws), draws, week, definitions) for item in chosen]
        for draws in (posterior, prior)
    )
    labels = [(item.name, item.label, item.delta) for item in chosen]
    return tabulate(model, labels, now, before, definitions, posterior, week)
