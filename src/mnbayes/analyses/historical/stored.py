"""The rate that stored numbers rest on: the benchmark of the definitions, the historical set."""

from __future__ import annotations

from dataclasses import dataclass

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.fit import fit_historical
from mnbayes.analyses.historical.table import HistoricalTable
from mnbayes.base.problems import InputError, Problem
from mnbayes.inference.sampling import Sampling


@dataclass(frozen=True)
class StoredRate:
    """The benchmark's predictive rate from many draws.

    Attributes
    ----------
    mean, error : float
        With its Monte Carlo standard error.
    sd, lower, upper : float
        95 % equal-tailed interval.
    ess : float
        ELIR effective sample size, patients.
    """

    mean: float
    error: float
    sd: float
    lower: float
    upper: float
    ess: float


def stored_rate(
    table: HistoricalTable, card: HistoricalCard, draws: int = 20_000, seed: int = 1
) -> StoredRate:
    """Fit with many draws and read the benchmark's rate.

    Raises
    ------
    InputError
        If the fit fails the gate: nothing should be stored then.
    """
    result = fit_historical(table, card, Sampling(draws=draws, seed=seed), refits=False)
    if result.withheld:
        found = "; ".join(result.withheld)
        raise InputError([Problem(table.file, None, None, found, "a fit that passes its checks")])
    mark = result.benchmark
    assert result.mixture is not None
    names = ("mean", "mcse", "lower", "upper")
    mean, error, lower, upper = (float(str(mark[name])) for name in names)
    return StoredRate(mean, error, result.mixture.sd, lower, upper, result.ess)
