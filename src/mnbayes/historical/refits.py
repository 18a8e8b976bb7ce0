"""The benchmark without each study, and under other readings of the table: exact refits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.historical.card import HistoricalCard
from mnbayes.historical.predictive import new_study_rate, study_effects, summarised
from mnbayes.historical.sampled import Posterior, sample_historical
from mnbayes.historical.table import HistoricalTable
from mnbayes.inference.sampling import Sampling

type Change = Callable[[HistoricalTable, HistoricalCard], tuple[HistoricalTable, HistoricalCard]]

READING_COLUMNS = (
    *("reading", "why", "arms", "mean", "mcse", "median", "lower", "upper"),
    *("between_study_sd", "reason"),
)
LEFT_OUT_COLUMNS = (
    *("study", "arm", "n", "low", "high", "predicted", "predicted_lower", "predicted_upper"),
    *("count_lower", "count_upper", "p_as_few", "p_as_many"),
    *("mean", "mcse", "lower", "upper", "reason"),
)


@dataclass(frozen=True)
class Reading:
    """Another way to read the table or to set a prior.

    Attributes
    ----------
    name : str
    why : str
        What it shows.
    change : callable
        From table and card to theirs.
    """

    name: str
    why: str
    change: Change


def _rows(table: HistoricalTable, keep: pd.Series[bool]) -> HistoricalTable:
    return table.with_rows(table.rows[keep])


def _counts(table: HistoricalTable, **columns: Any) -> HistoricalTable:
    return table.with_rows(table.rows.assign(**columns))


def _with_prior(
    card: HistoricalCard, name: str, distribution: str, **numbers: float
) -> HistoricalCard:
    spec = card.prior[name].model_copy(update={"distribution": distribution, "arguments": numbers})
    return card.model_copy(update={"prior": card.prior | {name: spec}})


def _counts_as_they_stand(card: HistoricalCard) -> HistoricalCard:
    return card.model_copy(
        update={"counts": card.counts.model_copy(update={"average_at_least": 1.0})}
    )


def readings() -> tuple[Reading, ...]:
    """The readings that a run compares with the card's own."""
    return (
        Reading(
            "the benchmark's class alone",
            "nothing is borrowed: spread, time and refractory patients come from their priors",
            lambda t, c: (_rows(t, t.rows["treatment_class"] == c.benchmark.treatment_class), c),
        ),
        Reading(
            "assessed at the benchmark's month only",
            "a stratum instead of a slope: no other time is used",
            lambda t, c: (
                _rows(
                    t,
                    (t.rows["month"] == c.benchmark.month) & (t.rows["month_is"] == "assessed"),
                ),
                c,
            ),
        ),
        Reading(
            "months ignored",
            "what pooling over time would give; shown to be distrusted",
            lambda t, c: (_counts(t, month=c.benchmark.month), c),
        ),
        Reading(
            "average months left out",
            "only rows that were assessed at their month",
            lambda t, c: (_rows(t, t.rows["month_is"] == "assessed"), c),
        ),
        Reading(
            "average months as assessed",
            "all remissions of a follow-up counted at its average month",
            lambda t, c: (t, _counts_as_they_stand(c)),
        ),
        Reading(
            "derived counts off by one",
            "every count worked out from a percentage may be one patient off",
            lambda t, c: (
                _counts(t, count_within=np.where(t.rows["read_as"] == "derived", 1, 0)),
                c,
            ),
        ),
        Reading(
            "derived counts left out",
            "published counts only",
            lambda t, c: (_rows(t, t.rows["read_as"] == "published"), c),
        ),
        Reading(
            "overlapping rows in full",
            "as if no two rows shared a patient",
            lambda t, c: (_counts(t, overlap=""), c),
        ),
        Reading(
            "one of each overlap",
            "the larger of the rows that may share patients, in full; the others left out",
            lambda t, c: (_largest_of_overlaps(t), c),
        ),
        Reading(
            "half the spread between studies",
            "prior of between_study_sd half as wide",
            lambda t, c: (t, _scaled_spread(c, 0.5)),
        ),
        Reading(
            "twice the spread between studies",
            "prior of between_study_sd twice as wide",
            lambda t, c: (t, _scaled_spread(c, 2.0)),
        ),
    )


def _largest_of_overlaps(table: HistoricalTable) -> HistoricalTable:
    rows = table.rows
    group = rows["overlap"].where(rows["overlap"] != "", rows.index.astype(str))
    largest = rows["n"].groupby(group).idxmax()
    kept = rows.loc[sorted(largest)]
    return table.with_rows(kept.assign(overlap=""))


def _scaled_spread(card: HistoricalCard, factor: float) -> HistoricalCard:
    spec = card.prior["between_study_sd"]
    numbers = {
        name: value * factor if name == "sigma" else value / factor if name == "lam" else value
        for name, value in spec.arguments.items()
    }
    return _with_prior(card, "between_study_sd", spec.distribution, **numbers)


def _benchmark(
    fit: Posterior, card: HistoricalCard, rng: np.random.Generator
) -> tuple[float, float, float, float, float]:
    """Mean of the benchmark's rate with its Monte Carlo error, median and 95 % interval."""
    mark = card.benchmark
    effects = study_effects(len(fit.draws["between_study_sd"]), rng)
    point = (mark.treatment_class, mark.refractory, mark.month)
    return summarised(new_study_rate(fit.draws, card, *point, effects), fit.sampling.chains)


def read_otherwise(
    table: HistoricalTable,
    card: HistoricalCard,
    sampling: Sampling,
    streams: Sequence[np.random.SeedSequence],
    news: Callable[[int, int], None],
    chosen: Sequence[Reading],
) -> pd.DataFrame:
    """The benchmark's rate under each reading.

    Parameters
    ----------
    streams : sequence of SeedSequence
        One for each reading.

    Returns
    -------
    DataFrame
        Columns :data:`READING_COLUMNS`; a reading that leaves no row, or whose fit failed the
        gate, has its ``reason`` and no numbers.
    """
    rows = []
    for done, (reading, stream) in enumerate(zip(chosen, streams, strict=True)):
        news(done, len(chosen))
        other, changed = reading.change(table, card)
        head = {"reading": reading.name, "why": reading.why, "arms": len(other.rows)}
        if other.rows.empty:
            rows.append(head | {"reason": "no arm is left"})
            continue
        first, second, own = stream.spawn(3)
        fit = sample_historical(other, changed, sampling, (first, second))
        if not fit.diagnostics.converged:
            rows.append(head | {"reason": "; ".join(fit.diagnostics.reasons)})
            continue
        numbers = _benchmark(fit, changed, np.random.default_rng(own))
        names = ("mean", "mcse", "median", "lower", "upper")
        spread = float(np.median(fit.draws["between_study_sd"]))
        rows.append(
            head
            | dict(zip(names, numbers, strict=True))
            | {"between_study_sd": spread, "reason": ""}
        )
    return pd.DataFrame(rows, columns=list(READING_COLUMNS))


def leave_one_study_out(
    table: HistoricalTable,
    card: HistoricalCard,
    sampling: Sampling,
    streams: Sequence[np.random.SeedSequence],
    news: Callable[[int, int], None],
) -> pd.DataFrame:
    """Refit without each study, predict its arms, and read off the benchmark's rate.

    Parameters
    ----------
    streams : sequence of SeedSequence
        One for each study.

    Returns
    -------
    DataFrame
        Columns :data:`LEFT_OUT_COLUMNS`, one row for each arm: the rate ``predicted`` for it from
        the other studies (median and 95 % interval), the 95 % interval of its count, the
        predictive probabilities of as few (``high`` or fewer) and as many (``low`` or more)
        remissions as it had, and the benchmark's rate without its study.
    """
    from mnbayes.historical.design import design

    data = design(table, card)
    rows = []
    for done, (study, stream) in enumerate(zip(table.studies, streams, strict=True)):
        news(done, len(table.studies))
        gone = table.rows["study"] == study
        first, second, own = stream.spawn(3)
        if gone.all():
            rows += [
                {"study": study, "arm": a, "reason": "no other study"} for a in table.rows["arm"]
            ]
            continue
        fit = sample_historical(_rows(table, ~gone), card, sampling, (first, second))
        rng = np.random.default_rng(own)
        reason = "; ".join(fit.diagnostics.reasons)
        mean, error, _, lower, upper = _benchmark(fit, card, rng)
        without = {"mean": mean, "mcse": error, "lower": lower, "upper": upper}
        for position in np.flatnonzero(gone.to_numpy()):
            row = table.rows.iloc[position]
            n, low, high = (int(x[position]) for x in (data.n, data.low, data.high))
            head = {"study": study, "arm": row["arm"], "n": n, "low": low, "high": high}
            if reason:
                rows.append(head | {"reason": reason})
                continue
            point = (row["treatment_class"], row["refractory"], float(row["month"]))
            effects = study_effects(len(fit.draws["between_study_sd"]), rng)
            rate = new_study_rate(fit.draws, card, *point, effects)
            count = rng.binomial(n, rate)
            median, rate_lower, rate_upper = np.quantile(rate, (0.5, 0.025, 0.975))
            ends = np.quantile(count, (0.025, 0.975), method="inverted_cdf")
            rows.append(
                head
                | {
                    "predicted": median,
                    "predicted_lower": rate_lower,
                    "predicted_upper": rate_upper,
                    "count_lower": ends[0],
                    "count_upper": ends[1],
                    "p_as_few": np.mean(count <= high),
                    "p_as_many": np.mean(count >= low),
                    "reason": "",
                }
                | without
            )
    return pd.DataFrame(rows, columns=list(LEFT_OUT_COLUMNS))
