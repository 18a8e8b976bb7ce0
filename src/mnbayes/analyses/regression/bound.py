"""Regression to the mean: how much of a fall needs no treatment to explain it.

Patients who are enrolled *because* their level is high fall back towards their population's
mean when measured again. With levels that are bivariate normal on the marker's scale, with the
same mean ``mu`` and variance at both times and correlation (reliability) ``rho``,

    E[y_1 - y_0 | y_0] = -(1 - rho) (y_0 - mu)

(Davis 1976, doi:10.1093/oxfordjournals.aje.a112321), so a group whose mean log baseline is
``m`` is expected to show a geometric mean ratio of ``exp(-(1 - rho)(m - mu))`` with no change at
all.

That is the expectation of patients picked by one measurement. A patient may be screened several
times and let in at the first measurement at or beyond a threshold ``c``: of the values before it
nothing is recorded but that they lay below, and the fall to expect is larger. With up to ``K``
screenings, total variance ``s^2`` of one measurement and a true level ``T``, which given ``y_0``
alone is normal with mean ``mu + rho (y_0 - mu)`` and variance ``rho (1 - rho) s^2``,

    p(T | y_0, let in) is proportional to  p(T | y_0)  sum_{j < K} Phi((c - T) / sigma)^j

with ``sigma^2 = (1 - rho) s^2``, since each earlier measurement lay below with probability
``Phi`` (each of the ``K`` places in the sequence is as likely before it is known). One integral,
by Gauss-Hermite quadrature.

Neither ``rho`` nor ``mu`` can be learned from a single-arm trial, so both are swept, and ``K``
where the trial does not say it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, special

from mnbayes.base.arrays import Floats
from mnbayes.data.markers import Marker

COLUMNS = (
    *("marker", "screenings", "reliability"),
    *("population_geometric_mean", "baseline_geometric_mean"),
    *("gmr_regression", "fall_regression", "gmr_observed", "gmr_beyond"),
)
#: From a measurement that says little of the next one to one that hardly errs.
RELIABILITIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: How often a patient may have been measured before being let in, where the trial does not say.
SCREENINGS = (1, 3, 10)
#: Population means where a marker names none: so many SDs between patients better than the
#: baselines' mean, as far as healthy people may lie, and half of one worse.
_AWAY = (3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0, -0.5)
#: Gauss-Hermite nodes: the weights' sum is smooth, and twice as many change no seventh digit.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(60)


def regression_bound(
    mean_log_baseline: ArrayLike, reliability: ArrayLike, log_population_mean: ArrayLike
) -> Floats:
    """Geometric mean ratio to baseline that regression to the mean alone would show.

    Of patients picked by one measurement.

    Parameters
    ----------
    mean_log_baseline : array_like
        Mean of the baselines of the patients, on the marker's scale.
    reliability : array_like
        Correlation of two measurements of the same patient at different times, 0 to 1.
    log_population_mean : array_like
        Mean level, on that scale, of the population they were selected from; shapes broadcast.

    Returns
    -------
    array
        ``exp(-(1 - rho)(m - mu))``: below 1 where the patients started above the mean.

    Raises
    ------
    ValueError
        If a reliability is outside 0 to 1.
    """
    rho = _checked(reliability)
    distance = np.asarray(mean_log_baseline, dtype=float) - np.asarray(log_population_mean, float)
    return np.asarray(np.exp(-(1 - rho) * distance))


def screened_bound(
    log_baseline: ArrayLike,
    reliability: float,
    log_population_mean: float,
    *,
    spread: float,
    screenings: int,
    threshold: float | None = None,
    high: bool = True,
) -> float:
    """As :func:`regression_bound`, of patients let in at the first of several measurements.

    Parameters
    ----------
    log_baseline : array_like, shape (patient,)
        Baselines on the marker's scale.
    reliability, log_population_mean : float
    spread : float
        SD of one measurement over the population, on that scale.
    screenings : int
        How often a patient was measured at most before being let in; 1 is
        :func:`regression_bound` at the mean baseline.
    threshold : float, optional
        Level, on the marker's scale, from which on a patient is let in; default: the least
        extreme baseline, since nobody with a lesser one was.
    high : bool
        Whether patients were picked for high levels.

    Raises
    ------
    ValueError
        If a reliability is outside 0 to 1, or ``spread`` or ``screenings`` is not positive.
    """
    rho = float(_checked(reliability))
    if not (spread > 0 and screenings >= 1):
        raise ValueError(f"spread and screenings must be positive; found {spread}, {screenings}")
    sign = 1.0 if high else -1.0
    first = sign * np.asarray(log_baseline, dtype=float)
    mu = sign * log_population_mean
    least = float(first.min()) if threshold is None else sign * threshold
    true = (mu + rho * (first - mu))[:, None] + np.sqrt(rho * (1 - rho)) * spread * _NODES
    sigma = np.sqrt(1 - rho) * spread
    below = special.ndtr((least - true) / sigma) if sigma > 0 else np.zeros_like(true)
    weight = _WEIGHTS * np.sum(below[..., None] ** np.arange(screenings), axis=-1)
    expected = (weight * true).sum(axis=1) / weight.sum(axis=1)
    return float(np.exp(sign * np.mean(expected - first)))


def explaining_mean(
    log_baseline: ArrayLike,
    reliability: float,
    gmr: float,
    *,
    spread: float = 1.0,
    screenings: int = 1,
    high: bool = True,
) -> float:
    """Mean of the population at which regression to the mean alone shows a ratio.

    The bound solved for the population; of patients picked by one measurement it is
    ``m + log(gmr) / (1 - rho)``. A fall (a ratio below 1) is wholly explained by this mean and
    by any lower one.

    Parameters
    ----------
    log_baseline : array_like, shape (patient,) or ()
    reliability : float
        0 to below 1.
    gmr : float
        Ratio to baseline, above 0.
    spread, screenings, high
        As in :func:`screened_bound`.

    Returns
    -------
    float
        On the marker's scale.

    Raises
    ------
    ValueError
        If a reliability is not from 0 to below 1: a perfect measurement does not regress.
    """
    if not 0 <= reliability < 1:
        raise ValueError(f"reliability must be from 0 to below 1; found {reliability}")
    baselines = np.atleast_1d(np.asarray(log_baseline, dtype=float))
    once = float(baselines.mean() + np.log(gmr) / (1 - reliability))
    if screenings == 1:
        return once

    def distance(mean: float) -> float:
        bound = screened_bound(
            baselines, reliability, mean, spread=spread, screenings=screenings, high=high
        )
        return float(np.log(bound) - np.log(gmr))

    # More screenings regress further, so the mean lies between the first one and the baselines'
    # own, or beyond them where the ratio is close to 1.
    sign, reach = (1.0 if high else -1.0), 1.0
    while sign * distance(once + sign * reach) < 0 and reach < 64:
        reach *= 2
    return float(optimize.brentq(distance, once - 1e-9 * sign, once + sign * reach))


def population_means(marker: Marker, mean_baseline: float) -> tuple[float, ...]:
    """Means to sweep, in the marker's unit, ascending.

    The marker's own (``populations``), or some around the baselines' mean on its scale, most of
    them better.

    Parameters
    ----------
    marker : Marker
    mean_baseline : float
        On the marker's scale.
    """
    if marker.populations is not None:
        return marker.populations
    better = -1.0 if picked_high(marker) else 1.0
    levels = marker.in_units(mean_baseline + better * np.array(_AWAY) * marker.between_sd)
    return tuple(sorted({float(f"{level:.2g}") for level in levels}))


def picked_high(marker: Marker) -> bool:
    """Whether patients are picked for high levels: not where more is better."""
    return marker.better != "higher"


def spread_of(marker: Marker) -> float:
    """SD of one measurement over patients, on the marker's scale."""
    return float(np.hypot(marker.between_sd, marker.within_sd))


def regression_table(
    log_baseline: ArrayLike,
    marker: Marker,
    observed_gmr: float = float("nan"),
    reliabilities: Sequence[float] = RELIABILITIES,
    means: Sequence[float] | None = None,
    screenings: Sequence[int] = SCREENINGS,
) -> pd.DataFrame:
    """Tabulate the bound for every assumption, beside the observed ratio.

    Parameters
    ----------
    log_baseline : array_like, shape (patient,)
        Baselines on the marker's scale; NaN is left out.
    marker : Marker
    observed_gmr : float
        Ratio to baseline at a visit, such as its posterior median; NaN if there is none.
    reliabilities : sequence of float
    means : sequence of float, optional
        Assumed geometric means of the population, in the marker's unit; default:
        :func:`population_means`.
    screenings : sequence of int
        How often a patient may have been measured before being let in.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`, one row for each combination of assumptions: ``gmr_regression``,
        the same as a fall (``1 - gmr_regression``, negative for a rise), ``gmr_observed``, and
        ``gmr_beyond = gmr_observed / gmr_regression``, what is left to explain.

    Raises
    ------
    ValueError
        If there is no baseline, a mean is not above 0 or a reliability is outside 0 to 1.
    """
    baselines = np.asarray(log_baseline, dtype=float)
    baselines = baselines[~np.isnan(baselines)]
    if baselines.size == 0:
        raise ValueError("no baseline was measured exactly")
    centre = float(baselines.mean())
    swept = np.asarray(population_means(marker, centre) if means is None else means, dtype=float)
    if not np.all(swept > 0):
        raise ValueError(f"population means must be above 0; found {swept.tolist()}")
    grids = np.meshgrid(screenings, reliabilities, swept, indexing="ij")
    times, rho, mean = (grid.ravel() for grid in grids)
    bound = np.array(
        [
            screened_bound(
                baselines,
                float(r),
                float(level),
                spread=spread_of(marker),
                screenings=int(k),
                high=picked_high(marker),
            )
            for k, r, level in zip(times, rho, marker.on_scale(mean), strict=True)
        ]
    )
    return pd.DataFrame(
        {
            "marker": marker.name,
            "screenings": times.astype(int),
            "reliability": rho,
            "population_geometric_mean": mean,
            "baseline_geometric_mean": float(marker.in_units(np.asarray(centre))),
            "gmr_regression": bound,
            "fall_regression": 1 - bound,
            "gmr_observed": observed_gmr,
            "gmr_beyond": observed_gmr / bound,
        }
    )[list(COLUMNS)].astype({"marker": "str"})


def _checked(reliability: ArrayLike) -> Floats:
    rho = np.asarray(reliability, dtype=float)
    if not np.all((rho >= 0) & (rho <= 1)):
        raise ValueError(f"reliability must be between 0 and 1; found {rho}")
    return rho
