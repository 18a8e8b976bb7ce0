"""Tables of the probabilities of response (``probabilities.csv`` and ``population.csv``)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnbayes.answers.categories import Category
from mnbayes.answers.response_draws import Response, ResponseDraws
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import typed
from mnbayes.base.montecarlo import mcse

PROBABILITY_COLUMNS = (
    *("model", "quantity", "patient", "week", "category"),
    *("probability", "mcse", "prior_probability"),
)
SHARE_COLUMNS = tuple(
    f"share_{summary}{suffix}"
    for suffix in ("", "_prior")
    for summary in ("mean", "median", "lower", "upper")
)
POPULATION_COLUMNS = ("model", "week", "category", *SHARE_COLUMNS)
_TEXTS = ("model", "quantity", "patient", "category")


def _frame(
    columns: tuple[str, ...], cells: dict[str, object], shape: tuple[int, ...]
) -> pd.DataFrame:
    # Cells broadcast to one row for each element of the shape, the last axis running fastest.
    data = {column: np.broadcast_to(np.asarray(cells[column]), shape).ravel() for column in columns}
    return pd.DataFrame(data)


def _summarise(
    quantity: str,
    draws: Mapping[Category, NDArray[np.generic]],
    prior: Mapping[Category, NDArray[np.generic]],
    driver: Floats | None,
    shape: tuple[int, ...],
    categories: tuple[Category, ...],
) -> dict[str, object]:
    # Posterior mean, its error and the prior mean, one category after another on the last axis.
    blank = np.full(shape, np.nan)
    there = [c in draws for c in categories]
    error = np.full((*shape, len(categories)), np.nan)
    if any(there):
        error[..., there] = mcse(np.stack([draws[c] for c in categories if c in draws], -1), driver)
    return {
        "quantity": quantity,
        "probability": np.stack(
            [draws[c].mean(axis=(0, 1)) if c in draws else blank for c in categories], axis=-1
        ),
        "mcse": error,
        "prior_probability": np.stack(
            [prior[c].mean(axis=(0, 1)) if c in prior else blank for c in categories], axis=-1
        ),
    }


def exceeds_bar(share: Floats, bar: float) -> Floats:
    """1 where a share is above its benchmark, 0 where not, NaN where there is no share."""
    return np.where(np.isnan(share), np.nan, share > bar)


def probability_table(draws: ResponseDraws | None, model: str) -> pd.DataFrame:
    """Tabulate the six probabilities of response, one row each (``probabilities.csv``).

    Parameters
    ----------
    draws : ResponseDraws or None
        None gives the empty table.
    model : str
        Name of the model, written on every row.

    Returns
    -------
    DataFrame
        Columns :data:`PROBABILITY_COLUMNS`. ``patient`` is blank for ``next_patient``,
        ``population`` and ``exceeds``; ``probability`` is blank where the category cannot be
        evaluated, so that the reader sees that it was not forgotten; ``mcse`` is 0 and
        ``prior_probability`` blank for ``observed``. The error of ``population`` is that of
        the draws; the fixed integration points add about 0.005, the same for every draw.
    """
    if draws is None:
        return typed(pd.DataFrame(columns=list(PROBABILITY_COLUMNS)), _TEXTS)
    patients, weeks = np.array(draws.patients, dtype=object), np.array(draws.weeks)
    by_patient, by_week = (len(patients), len(weeks)), (len(weeks),)
    posterior, prior, known = draws.posterior, draws.prior, draws.categories
    nan = np.full(by_patient, np.nan)
    observed = np.stack([draws.observed.get(c, nan) for c in known], axis=-1)

    parts: list[tuple[dict[str, object], tuple[Category, ...], bool]] = [
        (
            {
                "quantity": "observed",
                "probability": observed,
                "mcse": np.where(np.isnan(observed), np.nan, 0.0),
                "prior_probability": np.nan,
            },
            known,
            True,
        )
    ]
    for name in ("latent", "repeat", "next_patient"):
        now: Response = getattr(posterior, name)
        before: Response = getattr(prior, name)
        shape = by_week if name == "next_patient" else by_patient
        cells = _summarise(name, now.categories, before.categories, now.log_ratio, shape, known)
        parts.append((cells, known, name != "next_patient"))
    cells = _summarise("population", posterior.share, prior.share, None, by_week, known)
    parts.append((cells, known, False))
    barred = tuple(c for c in known if c in draws.benchmarks)
    exceeds, exceeds_prior = (
        {c: exceeds_bar(share[c], draws.benchmarks[c]) for c in barred if c in share}
        for share in (posterior.share, prior.share)
    )
    if barred:
        cells = _summarise("exceeds", exceeds, exceeds_prior, None, by_week, barred)
        parts.append((cells, barred, False))

    frames = []
    for cells, categories, of_patients in parts:
        shape = (*(by_patient if of_patients else by_week), len(categories))
        place: dict[str, object] = {
            "model": model,
            "patient": patients[:, None, None] if of_patients else np.array(None, dtype=object),
            "week": weeks[:, None],
            "category": np.array(categories),
        }
        frames.append(_frame(PROBABILITY_COLUMNS, cells | place, shape))
    return typed(pd.concat(frames, ignore_index=True), _TEXTS)


def population_table(draws: ResponseDraws | None, model: str) -> pd.DataFrame:
    """Share of patients whose true level meets each definition (``population.csv``).

    Parameters
    ----------
    draws : ResponseDraws or None
        None gives the empty table.
    model : str

    Returns
    -------
    DataFrame
        Columns :data:`POPULATION_COLUMNS`: mean, median and 95 % equal-tailed interval of the
        share, under the posterior and under the prior; blank where not evaluable.
    """
    if draws is None:
        return typed(pd.DataFrame(columns=list(POPULATION_COLUMNS)), _TEXTS)
    weeks, known = np.array(draws.weeks), draws.categories
    cells: dict[str, object] = {
        "model": model,
        "week": weeks[:, None],
        "category": np.array(known),
    }
    for suffix, shares in (("", draws.posterior.share), ("_prior", draws.prior.share)):
        summaries = np.full((4, len(weeks), len(known)), np.nan)
        for column, category in enumerate(known):
            if category in shares:
                share = shares[category]
                summaries[0, :, column] = share.mean(axis=(0, 1))
                quantiles = np.quantile(share, [0.5, 0.025, 0.975], axis=(0, 1))
                summaries[1:, :, column] = quantiles
        names = ("mean", "median", "lower", "upper")
        cells |= {f"share_{name}{suffix}": summaries[i] for i, name in enumerate(names)}
    return typed(_frame(POPULATION_COLUMNS, cells, (len(weeks), len(known))), _TEXTS)
