"""A table of counts and a card as arrays: what the model is a model of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.table import REFRACTORY, HistoricalTable
from mnbayes.base.arrays import Floats

type Ints = NDArray[np.int64]

#: Coefficients after the classes' log odds.
COVARIATES = ("refractory", "doubling_of_time")


@dataclass(frozen=True, eq=False)
class Design:
    """Arrays of the model, one row for each arm.

    Attributes
    ----------
    classes, studies : tuple of str
    labels : tuple of str
        Study and arm of each row.
    x : array, shape (row, coefficient)
        Indicator of the class, then :func:`covariates`; all covariates are 0 at the benchmark.
    n, low, high : array of int, shape (row,)
        Patients, and the ends of what the count of remissions may be.
    weight : array, shape (row,)
        Power of the row's likelihood: 1, or 1 / k for k rows that may share patients.
    study : array of int, shape (row,)
    arm : array of int, shape (row,)
        Position among the arms that are not alone in their study; -1 for one that is.
    n_arms : int
        Number of those.
    """

    classes: tuple[str, ...]
    studies: tuple[str, ...]
    labels: tuple[str, ...]
    x: Floats
    n: Ints
    low: Ints
    high: Ints
    weight: Floats
    study: Ints
    arm: Ints
    n_arms: int


def covariates(card: HistoricalCard, refractory: str, month: float) -> tuple[float, float]:
    """Covariates of a group of patients, relative to the benchmark's.

    Returns
    -------
    tuple of float
        Share of refractory patients less the benchmark's; doublings of the benchmark's month.
    """
    mark = card.benchmark
    return (
        REFRACTORY[refractory] - REFRACTORY[mark.refractory],
        float(np.log2(month / mark.month)),
    )


def count_interval(rows: pd.DataFrame, average_at_least: float) -> tuple[Ints, Ints]:
    """What the count of remissions at the row's month may be.

    Parameters
    ----------
    rows : DataFrame
        Of a :class:`~mnbayes.analyses.historical.table.HistoricalTable`.
    average_at_least : float
        See :class:`mnbayes.analyses.historical.card.Counts`.

    Returns
    -------
    low, high : array of int, shape (row,)
        Equal where the count is exact.
    """
    count, within = rows["remission"].to_numpy(), rows["count_within"].to_numpy()
    low, high = count - within, count + within
    average = rows["month_is"].to_numpy() == "average"
    low = np.where(average, np.ceil(average_at_least * low), low)
    return (
        np.maximum(low, 0).astype(np.int64),
        np.minimum(high, rows["n"].to_numpy()).astype(np.int64),
    )


def overlap_weight(rows: pd.DataFrame) -> Floats:
    """Power of each row's likelihood: rows that may share patients count once together.

    Of k rows with one ``overlap`` each counts 1 / k, so that no patient counts more than once,
    however many they share.
    """
    labels = rows["overlap"]
    size = labels.map(labels.value_counts()).to_numpy(dtype=float)
    return np.asarray(np.where(labels.to_numpy() == "", 1.0, 1.0 / size))


def design(table: HistoricalTable, card: HistoricalCard) -> Design:
    """Arrays of the model of a table under a card.

    Raises
    ------
    ValueError
        If a row's class is not one of the card's (:func:`load_historical` refuses such a table).
    """
    rows = table.rows
    unknown = sorted(set(rows["treatment_class"]) - set(card.classes))
    if unknown:
        raise ValueError(f"classes that the card does not have: {', '.join(unknown)}")
    indicator = np.array(
        [[float(name == own) for name in card.classes] for own in rows["treatment_class"]]
    )
    known = [
        covariates(card, refractory, float(month))
        for refractory, month in zip(rows["refractory"], rows["month"], strict=True)
    ]
    low, high = count_interval(rows, card.counts.average_at_least)
    studies = table.studies
    study = rows["study"].map({name: i for i, name in enumerate(studies)}).to_numpy()
    together = rows.duplicated("study", keep=False).to_numpy()
    arm = np.where(together, np.cumsum(together) - 1, -1).astype(np.int64)
    return Design(
        card.classes,
        studies,
        tuple(f"{s}: {a}" for s, a in zip(rows["study"], rows["arm"], strict=True)),
        np.hstack([indicator.reshape(len(rows), -1), np.array(known).reshape(len(rows), -1)]),
        rows["n"].to_numpy(dtype=np.int64),
        low,
        high,
        overlap_weight(rows),
        study.astype(np.int64),
        arm,
        int(together.sum()),
    )
