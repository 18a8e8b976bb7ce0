"""Other ways to read the table of earlier studies, and to set the prior of their spread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.table import HistoricalTable

type Change = Callable[[HistoricalTable, HistoricalCard], tuple[HistoricalTable, HistoricalCard]]


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
    wider = spec.model_copy(update={"arguments": numbers})
    return card.model_copy(update={"prior": card.prior | {"between_study_sd": wider}})
