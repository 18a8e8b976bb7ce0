"""What draws of the historical model say: rates of a new study by class and time, and of arms."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.design import COVARIATES, Design, covariates
from mnbayes.analyses.historical.table import HistoricalTable
from mnbayes.answers.denominators import exact_interval
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import effective_draws, mcse
from mnbayes.cards import families as priors
from mnbayes.inference.importance_weights import weighted_mean, weighted_quantiles

QUANTILES = (0.5, 0.025, 0.975)
#: New studies simulated for each draw.
PER_DRAW = 16

RATE_COLUMNS = (
    *("treatment_class", "refractory", "month", "arms", "beyond"),
    *("mean", "mcse", "median", "lower", "upper"),
    *("typical_median", "typical_lower", "typical_upper"),
    *("mean_prior", "median_prior", "lower_prior", "upper_prior"),
)
ARM_COLUMNS = (
    *("study", "arm", "treatment_class", "refractory", "month", "month_is", "n", "low", "high"),
    *("weight", "observed_lower", "observed_upper", "median", "lower", "upper"),
    *("reference", "note"),
)


def expit(log_odds: Floats) -> Floats:
    """Rate of log odds, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


def draw_prior(card: HistoricalCard, count: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Draw the parameters of the rate of a new study from their priors.

    Returns
    -------
    dict
        As the posterior's: ``class_log_odds`` (shape draw, class), the others (shape draw).
    """
    spec = card.prior["class_log_odds"]
    shape = (count, len(card.classes))
    out = {"class_log_odds": priors.draw(spec.distribution, spec.arguments, shape, rng)}
    for name in (*COVARIATES, "between_study_sd"):
        spec = card.prior[name]
        out[name] = priors.draw(spec.distribution, spec.arguments, (count,), rng)
    return out


def class_log_odds(
    draws: Mapping[str, Floats],
    card: HistoricalCard,
    treatment_class: str,
    refractory: str,
    month: float,
) -> Floats:
    """Log odds of remission of a class's typical study.

    Parameters
    ----------
    draws : mapping
        The posterior's or the prior's, the draw on the first axis.

    Returns
    -------
    array, shape (draw,)
    """
    known = covariates(card, refractory, month)
    out = draws["class_log_odds"][:, card.classes.index(treatment_class)].copy()
    for name, value in zip(COVARIATES, known, strict=True):
        out += draws[name] * value
    return out


def beyond(
    table: HistoricalTable, treatment_class: str, refractory: str, month: float
) -> tuple[int, str]:
    """How many arms a rate rests on directly, and why it is an extrapolation.

    Returns
    -------
    arms : int
        Arms of the class with such patients.
    why : str
        Empty where the table has such patients, and the month lies between the class's first and
        last.
    """
    rows = table.rows[table.rows["treatment_class"] == treatment_class]
    arms = int((rows["refractory"] == refractory).sum())
    if rows.empty:
        return 0, "no study of this class: the prior"
    reasons = []
    if not arms:
        kind = {"yes": "refractory", "no": "non-refractory", "mixed": "mixed"}[refractory]
        reasons.append(f"no arm of {kind} patients")
    first, last = float(rows["month"].min()), float(rows["month"].max())
    if month < first:
        reasons.append(f"before the earliest study (month {first:g})")
    elif month > last:
        reasons.append(f"after the latest study (month {last:g})")
    return arms, "; ".join(reasons)


def study_effects(count: int, rng: np.random.Generator, per_draw: int = PER_DRAW) -> Floats:
    """Standard normal deviations of new studies, several for each draw.

    Stratified: each row has every quantile once, in random order, so that the mean over a row
    and the ends of an interval are less noisy than with independent draws.

    Returns
    -------
    array, shape (draw, study)
    """
    from scipy.special import ndtri

    strata = (np.arange(per_draw) + rng.random((count, per_draw))) / per_draw
    return np.asarray(ndtri(np.clip(strata, 1e-12, 1 - 1e-12)))


def new_study_rate(
    draws: Mapping[str, Floats],
    card: HistoricalCard,
    treatment_class: str,
    refractory: str,
    month: float,
    effects: Floats,
) -> Floats:
    """Rate of remission of new studies of a class: the MAP predictive.

    Parameters
    ----------
    effects : array, shape (draw, study)
        From :func:`study_effects`.

    Returns
    -------
    array, shape (draw, study)
    """
    typical = class_log_odds(draws, card, treatment_class, refractory, month)
    return expit(typical[:, None] + draws["between_study_sd"][:, None] * effects)


def summarised(rates: Floats, chains: int, weights: Floats | None = None) -> tuple[float, ...]:
    """Mean, its Monte Carlo error, median and 95 % interval of :func:`new_study_rate`.

    Parameters
    ----------
    rates : array, shape (draw, study)
    chains : int
    weights : array, shape (draw,), optional
        Summing to 1.
    """
    return *mean_of(rates, chains, weights), *quantiles(rates, QUANTILES, weights)


def mean_of(values: NDArray[Any], chains: int, weights: Floats | None) -> tuple[float, float]:
    """Mean of values, shape (draw, study), and its Monte Carlo standard error."""
    each = values.mean(axis=1).reshape(chains, -1)
    if weights is None:
        return float(each.mean()), float(mcse(each[..., None])[0])
    effective = float(effective_draws(each[..., None])[0])
    return weighted_mean(each, weights.reshape(chains, -1), effective)


def quantiles(
    values: NDArray[Any],
    probabilities: tuple[float, ...],
    weights: Floats | None,
    *,
    of_counts: bool = False,
) -> list[float]:
    """Quantiles of values, shape (draw, study); ``of_counts`` are counts themselves."""
    if weights is None:
        method: Any = "inverted_cdf" if of_counts else "linear"
        return [float(q) for q in np.quantile(values, probabilities, method=method)]
    spread = np.broadcast_to(weights[:, None], values.shape)
    return [float(q) for q in weighted_quantiles(values, probabilities, spread)]


def rate_table(
    draws: Mapping[str, Floats],
    table: HistoricalTable,
    card: HistoricalCard,
    chains: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rates of a new study by class, kind of patients and month, beside the prior's.

    Parameters
    ----------
    draws : mapping
        Of the posterior, chain after chain.
    table : HistoricalTable
    card : HistoricalCard
    chains : int
    rng : Generator

    Returns
    -------
    DataFrame
        Columns :data:`RATE_COLUMNS`, shares between 0 and 1: of a new study ``mean`` with its
        Monte Carlo error, median and 95 % equal-tailed interval; ``typical_…`` of the class's
        typical study, without the spread between studies; ``…_prior`` under the prior alone.
        ``arms`` is the number of arms of just such patients; ``beyond`` says why a row is an
        extrapolation, empty where it is none. The first row is the benchmark, followed by the
        same at the trial's time.
    """
    count = len(draws["between_study_sd"])
    effects = study_effects(count, rng)
    before = draw_prior(card, 4 * count, rng)
    effects_before = study_effects(4 * count, rng, 4)
    mark = card.benchmark
    own = (mark.treatment_class, mark.refractory)
    points: list[tuple[str, str, float]] = [(*own, mark.month)]
    points += [(*own, month) for month in sorted({trial.month for trial in card.trial})]
    points += [
        (name, refractory, month)
        for name in card.classes
        for refractory in ("yes", "no")
        for month in sorted({*card.months, mark.month})
    ]
    rows = []
    for point in dict.fromkeys(points):
        now = new_study_rate(draws, card, *point, effects)
        typical = expit(class_log_odds(draws, card, *point))
        prior = new_study_rate(before, card, *point, effects_before)
        rows.append(
            (
                *point,
                *beyond(table, *point),
                *summarised(now, chains),
                *np.quantile(typical, (0.5, 0.025, 0.975)),
                prior.mean(),
                *np.quantile(prior, (0.5, 0.025, 0.975)),
            )
        )
    return pd.DataFrame(rows, columns=list(RATE_COLUMNS))


def arm_table(draws: Mapping[str, Floats], table: HistoricalTable, data: Design) -> pd.DataFrame:
    """Each arm as published and as the model sees it.

    Returns
    -------
    DataFrame
        Columns :data:`ARM_COLUMNS`: ``low`` and ``high`` are the ends of what the count may be,
        ``observed_…`` the exact 95 % limits of the lower end's and the upper end's rate, the
        rest the posterior of the arm's rate; source and note as in the table.
    """
    rates = np.quantile(expit(draws["log_odds"]), (0.5, 0.025, 0.975), axis=0)
    columns = ["study", "arm", "treatment_class", "refractory", "month", "month_is"]
    columns += ["reference", "note"]
    exact = cache(exact_interval)
    limits = [
        (exact(int(low), int(n))[0], exact(int(high), int(n))[1])
        for low, high, n in zip(data.low, data.high, data.n, strict=True)
    ]
    return table.rows[columns].assign(
        n=data.n,
        low=data.low,
        high=data.high,
        weight=data.weight,
        observed_lower=[low for low, _ in limits],
        observed_upper=[high for _, high in limits],
        median=rates[0],
        lower=rates[1],
        upper=rates[2],
    )[list(ARM_COLUMNS)]
