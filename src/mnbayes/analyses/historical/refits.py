"""The benchmark without each study, and under other readings of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.predictive import (
    QUANTILES,
    mean_of,
    new_study_rate,
    quantiles,
    study_effects,
    summarised,
)
from mnbayes.analyses.historical.readings import Reading
from mnbayes.analyses.historical.reweighting import Refit, Source, refit

READING_COLUMNS = (
    *("reading", "why", "arms", "mean", "mcse", "median", "lower", "upper"),
    *("between_study_sd", "engine", "pareto_k", "reason"),
)
LEFT_OUT_COLUMNS = (
    *("study", "arm", "n", "low", "high", "predicted", "predicted_lower", "predicted_upper"),
    *("count_lower", "count_upper", "p_as_few", "p_as_few_mcse", "p_as_many", "p_as_many_mcse"),
    *("mean", "mcse", "lower", "upper", "engine", "pareto_k", "reason"),
)


def _benchmark(fit: Refit, card: HistoricalCard, rng: np.random.Generator) -> tuple[float, ...]:
    """Mean of the benchmark's rate with its Monte Carlo error, median and 95 % interval."""
    mark = card.benchmark
    effects = study_effects(len(fit.draws["between_study_sd"]), rng)
    point = (mark.treatment_class, mark.refractory, mark.month)
    rates = new_study_rate(fit.draws, card, *point, effects)
    return summarised(rates, fit.chains, fit.weights)


def read_otherwise(
    source: Source,
    streams: Sequence[np.random.SeedSequence],
    news: Callable[[int, int], None],
    chosen: Sequence[Reading],
) -> pd.DataFrame:
    """The benchmark's rate under each reading.

    Parameters
    ----------
    source : Source
        The fit of the table and the card as they are.
    streams : sequence of SeedSequence
        One for each reading.
    news : callable
    chosen : sequence of Reading

    Returns
    -------
    DataFrame
        Columns :data:`READING_COLUMNS`; a reading that leaves no row, or whose fit failed the
        gate, has its ``reason`` and no numbers. ``engine`` is ``reweighted`` (the draws of the
        whole table weighted, with the weights' ``pareto_k``) or ``refitted``.
    """
    rows = []
    for done, (reading, stream) in enumerate(zip(chosen, streams, strict=True)):
        news(done, len(chosen))
        other, changed = reading.change(source.table, source.card)
        head = {"reading": reading.name, "why": reading.why, "arms": len(other.rows)}
        if other.rows.empty:
            rows.append(head | {"engine": "", "reason": "no arm is left"})
            continue
        first, own = stream.spawn(2)
        fit = refit(source, other, changed, first)
        head |= {"engine": fit.engine, "pareto_k": fit.pareto_k, "reason": "; ".join(fit.reasons)}
        if fit.reasons:
            rows.append(head)
            continue
        numbers = _benchmark(fit, changed, np.random.default_rng(own))
        names = ("mean", "mcse", "median", "lower", "upper")
        spread = quantiles(fit.draws["between_study_sd"][:, None], (0.5,), fit.weights)[0]
        rows.append(head | dict(zip(names, numbers, strict=True)) | {"between_study_sd": spread})
    return pd.DataFrame(rows, columns=list(READING_COLUMNS))


def leave_one_study_out(
    source: Source,
    streams: Sequence[np.random.SeedSequence],
    news: Callable[[int, int], None],
) -> pd.DataFrame:
    """Fit without each study, predict its arms, and read off the benchmark's rate.

    Parameters
    ----------
    source : Source
        The fit of the table and the card as they are.
    streams : sequence of SeedSequence
        One for each study.
    news : callable

    Returns
    -------
    DataFrame
        Columns :data:`LEFT_OUT_COLUMNS`, one row for each arm: the rate ``predicted`` for it from
        the other studies (median and 95 % interval), the 95 % interval of its count, the
        predictive probabilities of as few (``high`` or fewer) and as many (``low`` or more)
        remissions as it had, and the benchmark's rate without its study. ``engine`` and
        ``pareto_k`` are as of :func:`read_otherwise`.
    """
    table, card, data = source.table, source.card, source.fit.design
    rows = []
    for done, (study, stream) in enumerate(zip(table.studies, streams, strict=True)):
        news(done, len(table.studies))
        gone = table.rows["study"] == study
        first, own = stream.spawn(2)
        if gone.all():
            rows += [
                {"study": study, "arm": a, "engine": "", "reason": "no other study"}
                for a in table.rows["arm"]
            ]
            continue
        fit = refit(source, table.with_rows(table.rows[~gone]), card, first)
        rng = np.random.default_rng(own)
        judged = {"engine": fit.engine, "pareto_k": fit.pareto_k, "reason": "; ".join(fit.reasons)}
        mean, error, _, lower, upper = _benchmark(fit, card, rng)
        without = {"mean": mean, "mcse": error, "lower": lower, "upper": upper}
        for position in np.flatnonzero(gone.to_numpy()):
            row = table.rows.iloc[position]
            n, low, high = (int(x[position]) for x in (data.n, data.low, data.high))
            head = {"study": study, "arm": row["arm"], "n": n, "low": low, "high": high} | judged
            if fit.reasons:
                rows.append(head)
                continue
            point = (row["treatment_class"], row["refractory"], float(row["month"]))
            rows.append(head | _predicted(fit, card, point, (n, low, high), rng) | without)
    return pd.DataFrame(rows, columns=list(LEFT_OUT_COLUMNS))


def _predicted(
    fit: Refit,
    card: HistoricalCard,
    point: tuple[str, str, float],
    seen: tuple[int, int, int],
    rng: np.random.Generator,
) -> dict[str, float]:
    """What a fit predicts of an arm that it has not seen, and how far out its count lies."""
    n, low, high = seen
    effects = study_effects(len(fit.draws["between_study_sd"]), rng)
    rate = new_study_rate(fit.draws, card, *point, effects)
    count = rng.binomial(n, rate)
    median, rate_lower, rate_upper = quantiles(rate, QUANTILES, fit.weights)
    ends = quantiles(count, QUANTILES[1:], fit.weights, of_counts=True)
    few, many = (mean_of(there, fit.chains, fit.weights) for there in (count <= high, count >= low))
    return {
        "predicted": median,
        "predicted_lower": rate_lower,
        "predicted_upper": rate_upper,
        "count_lower": ends[0],
        "count_upper": ends[1],
        "p_as_few": few[0],
        "p_as_few_mcse": few[1],
        "p_as_many": many[0],
        "p_as_many_mcse": many[1],
    }
