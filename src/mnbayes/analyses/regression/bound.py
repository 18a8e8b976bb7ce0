"""Regression to the mean: how much of a fall needs no treatment to explain it.

Patients who are enrolled *because* their level is high fall back towards their population's
mean when measured again. With log levels that are bivariate normal, with the same mean ``mu``
and variance at both times and correlation (reliability) ``rho``,

    E[log y_1 - log y_0 | log y_0] = -(1 - rho) (log y_0 - mu)

(Davis 1976, doi:10.1093/oxfordjournals.aje.a112321), so a group whose mean log baseline is
``m`` is expected to show a geometric mean ratio of ``exp(-(1 - rho)(m - mu))`` with no change at
all. Neither ``rho`` nor ``mu`` can be learned from a single-arm trial, so both are swept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mnbayes.base.arrays import Floats

COLUMNS = (
    *("reliability", "population_geometric_mean", "baseline_geometric_mean"),
    *("gmr_regression", "fall_regression", "gmr_observed", "gmr_beyond"),
)
#: From a measurement that says little of the next one to one that hardly errs.
RELIABILITIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: Geometric means of the population that patients may have been selected from, g/24h: from
#: membranous nephropathy of any severity, much of it in remission, to nephrotic patients alone.
#: Evenly spaced on the log scale, as the bound is a function of the log mean.
POPULATION_MEANS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6)


def regression_bound(
    mean_log_baseline: ArrayLike, reliability: ArrayLike, log_population_mean: ArrayLike
) -> Floats:
    """Geometric mean ratio to baseline that regression to the mean alone would show.

    Parameters
    ----------
    mean_log_baseline : array_like
        Mean of the natural log baselines of the patients.
    reliability : array_like
        Correlation of two measurements of the same patient at different times, 0 to 1.
    log_population_mean : array_like
        Mean natural log level of the population they were selected from; shapes broadcast.

    Returns
    -------
    array
        ``exp(-(1 - rho)(m - mu))``: below 1 where the patients started above the mean.

    Raises
    ------
    ValueError
        If a reliability is outside 0 to 1.
    """
    rho = np.asarray(reliability, dtype=float)
    if not np.all((rho >= 0) & (rho <= 1)):
        raise ValueError(f"reliability must be between 0 and 1; found {rho}")
    distance = np.asarray(mean_log_baseline, dtype=float) - np.asarray(log_population_mean, float)
    return np.asarray(np.exp(-(1 - rho) * distance))


def explaining_mean(mean_log_baseline: ArrayLike, reliability: ArrayLike, gmr: ArrayLike) -> Floats:
    """Geometric mean of the population at which regression to the mean alone shows a ratio.

    The bound solved for the population: ``exp(m + log(gmr) / (1 - rho))``. A fall (a ratio below
    1) is wholly explained by this mean and by any lower one.

    Parameters
    ----------
    mean_log_baseline : array_like
        As in :func:`regression_bound`.
    reliability : array_like
        0 to below 1.
    gmr : array_like
        Geometric mean ratio to baseline, above 0; shapes broadcast.

    Returns
    -------
    array
        In the unit of the baselines.

    Raises
    ------
    ValueError
        If a reliability is not from 0 to below 1: a perfect measurement does not regress.
    """
    rho = np.asarray(reliability, dtype=float)
    if not np.all((rho >= 0) & (rho < 1)):
        raise ValueError(f"reliability must be from 0 to below 1; found {rho}")
    log_ratio = np.log(np.asarray(gmr, dtype=float))
    return np.asarray(np.exp(np.asarray(mean_log_baseline, dtype=float) + log_ratio / (1 - rho)))


def regression_table(
    log_baseline: ArrayLike,
    observed_gmr: float = float("nan"),
    reliabilities: Sequence[float] = RELIABILITIES,
    population_means: Sequence[float] = POPULATION_MEANS,
) -> pd.DataFrame:
    """Tabulate the bound for every assumed reliability and mean, beside the observed ratio.

    Parameters
    ----------
    log_baseline : array_like, shape (patient,)
        Natural log baselines (g/24h where the defaults are used); NaN is left out.
    observed_gmr : float
        Geometric mean ratio to baseline at a visit, such as its posterior median; NaN if there
        is none.
    reliabilities : sequence of float
    population_means : sequence of float
        Assumed geometric means of the population, in the marker's unit.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`, one row for each pair of assumptions: ``gmr_regression``, the
        same as a fall (``1 - gmr_regression``, negative for a rise), ``gmr_observed``, and
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
    means = np.asarray(population_means, dtype=float)
    if not np.all(means > 0):
        raise ValueError(f"population means must be above 0; found {list(population_means)}")
    rho, mean = (grid.ravel() for grid in np.meshgrid(reliabilities, means, indexing="ij"))
    centre = float(baselines.mean())
    bound = regression_bound(centre, rho, np.log(mean))
    return pd.DataFrame(
        {
            "reliability": rho,
            "population_geometric_mean": mean,
            "baseline_geometric_mean": np.exp(centre),
            "gmr_regression": bound,
            "fall_regression": 1 - bound,
            "gmr_observed": observed_gmr,
            "gmr_beyond": observed_gmr / bound,
        }
    )[list(COLUMNS)]
