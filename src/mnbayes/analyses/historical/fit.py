"""Fit the historical model and work out everything that is reported of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.conflict import CONFLICT_COLUMNS, conflict_table
from mnbayes.analyses.historical.design import Design
from mnbayes.analyses.historical.ess import elir
from mnbayes.analyses.historical.mixture import BetaMixture, fit_beta_mixture
from mnbayes.analyses.historical.predictive import (
    ARM_COLUMNS,
    RATE_COLUMNS,
    arm_table,
    draw_prior,
    expit,
    new_study_rate,
    rate_table,
    study_effects,
)
from mnbayes.analyses.historical.readings import Reading, readings
from mnbayes.analyses.historical.refits import (
    LEFT_OUT_COLUMNS,
    READING_COLUMNS,
    leave_one_study_out,
    read_otherwise,
)
from mnbayes.analyses.historical.reweighting import Source
from mnbayes.analyses.historical.sampled import Posterior, labelled, sample_historical
from mnbayes.analyses.historical.table import HistoricalTable
from mnbayes.base.stopwatch import Stopwatch
from mnbayes.base.workers import silent
from mnbayes.inference.diagnostics import Diagnostics
from mnbayes.inference.sampling import Sampling

#: Called with a stage, the steps done and in all.
News = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class HistoricalResult:
    """The historical model of a table, and what it says.

    Attributes
    ----------
    table : HistoricalTable
    card : HistoricalCard
        With the priors as they were used.
    design : Design
    tree : DataTree
        Groups ``posterior``, ``posterior_predictive``, ``prior``, ``sample_stats``,
        ``observed_data`` and ``constant_data``. ``new_study_rate`` has the MAP predictive of each
        class for the benchmark's kind of patients and month; ``log_odds`` the arms'.
    gate : Diagnostics
    diagnostics : DataFrame
        Convergence of every sampled quantity, as in a run's ``diagnostics.csv``.
    withheld : tuple of str
        Why the numbers are withheld; empty if they are not. Where they are, the tables have no
        rows and the rest is None.
    sampling : Sampling
        As it was used last.
    rates : DataFrame
        Rates of a new study by class and time; see
        :func:`mnbayes.analyses.historical.predictive.rate_table`. The first row is the benchmark.
    arms : DataFrame
        Each arm as published and as the model sees it.
    mixture, robust : BetaMixture or None
        Fitted to the benchmark's MAP predictive; the same with a vague component.
    ess, robust_ess : float
        Their ELIR effective sample sizes, patients.
    conflict : DataFrame
        The trial's counts against the mixture.
    left_out, readings : DataFrame
        Weighted draws where the weights can be trusted, refits elsewhere; see
        :mod:`mnbayes.analyses.historical.refits`.
    seconds : dict
        Wall-clock seconds by stage.
    """

    table: HistoricalTable
    card: HistoricalCard
    design: Design
    tree: xr.DataTree
    gate: Diagnostics
    diagnostics: pd.DataFrame
    withheld: tuple[str, ...]
    sampling: Sampling
    rates: pd.DataFrame
    arms: pd.DataFrame
    mixture: BetaMixture | None
    robust: BetaMixture | None
    ess: float
    robust_ess: float
    conflict: pd.DataFrame
    left_out: pd.DataFrame
    readings: pd.DataFrame
    seconds: dict[str, float]

    @property
    def converged(self) -> bool:
        """Whether the fit passed the gate."""
        return self.gate.converged

    @property
    def benchmark(self) -> dict[str, object]:
        """The benchmark's row of ``rates``.

        Raises
        ------
        ValueError
            If the numbers are withheld.
        """
        if self.rates.empty:
            raise ValueError(f"withheld: {'; '.join(self.withheld)}")
        return {str(key): value for key, value in self.rates.iloc[0].items()}


def fit_historical(
    table: HistoricalTable,
    card: HistoricalCard,
    sampling: Sampling | None = None,
    news: News = silent,
    *,
    refits: bool = True,
    chosen: tuple[Reading, ...] | None = None,
    allow_unconverged: bool = False,
) -> HistoricalResult:
    """Fit the historical model of a table of counts.

    Nothing is compiled: effects are summed over, and what is left is sampled by importance
    (:mod:`mnbayes.analyses.historical.sampled`).

    Parameters
    ----------
    table : HistoricalTable
    card : HistoricalCard
    sampling : Sampling, optional
    news : callable, optional
        Called with a stage (``sampling``, ``influence``, ``summarising``), the
        steps done and in all.
    refits : bool
        Whether to leave out each study in turn and to read the table otherwise.
    chosen : tuple of Reading, optional
        Default: :func:`mnbayes.analyses.historical.readings.readings`.
    allow_unconverged : bool
        Whether to give the numbers of a fit that failed the gate.

    Returns
    -------
    HistoricalResult
        Look at ``withheld`` before using its numbers.

    Raises
    ------
    InputError
        If the priors make the counts impossible.
    ValueError
        If the table has a class that the card does not have.
    """
    sampling = sampling or Sampling()
    watch = Stopwatch()
    streams = np.random.SeedSequence(sampling.seed).spawn(4)
    fit = sample_historical(table, card, sampling, streams[0], news)
    watch.lap("sample")
    gate = fit.diagnostics
    withheld = () if gate.converged or allow_unconverged else gate.reasons
    diagnostics = fit.parameters.copy()
    diagnostics.insert(0, "model", card.name)
    rng = np.random.default_rng(streams[1])
    tree = _tree(fit, card, rng)
    rates, arms = pd.DataFrame(columns=list(RATE_COLUMNS)), pd.DataFrame(columns=list(ARM_COLUMNS))
    mixture = robust = None
    ess = robust_ess = float("nan")
    found = pd.DataFrame(columns=list(CONFLICT_COLUMNS))
    left_out = pd.DataFrame(columns=list(LEFT_OUT_COLUMNS))
    otherwise = pd.DataFrame(columns=list(READING_COLUMNS))
    if not withheld:
        news("summarising", 0, 0)
        rates = rate_table(fit.draws, table, card, fit.sampling.chains, rng)
        arms = arm_table(fit.draws, table, fit.design)
        mark = card.benchmark
        effects = study_effects(len(fit.draws["between_study_sd"]), rng)
        point = (mark.treatment_class, mark.refractory, mark.month)
        rate = new_study_rate(fit.draws, card, *point, effects)
        mixture = fit_beta_mixture(rate)
        vague = card.robust
        robust = mixture.robust(vague.weight, vague.a, vague.b)
        ess, robust_ess = elir(mixture), elir(robust)
        counts = [(trial.name, trial.remission, trial.n, trial.month) for trial in card.trial]
        shaped = rate.reshape(fit.sampling.chains, -1, rate.shape[1])
        before = tree["prior"]["new_study_rate"].sel(treatment_class=mark.treatment_class)
        found = conflict_table(mixture, robust, counts, shaped, before.to_numpy(), mark.month)
        watch.lap("summarise")
    if refits and not withheld:
        other = readings() if chosen is None else chosen
        total = len(table.studies) + len(other)
        source = Source.of(table, card, fit, sampling)
        left_out = leave_one_study_out(
            source,
            streams[2].spawn(len(table.studies)),
            lambda done, _: news("influence", done, total),
        )
        otherwise = read_otherwise(
            source,
            streams[3].spawn(len(other)),
            lambda done, _: news("influence", len(table.studies) + done, total),
            other,
        )
        watch.lap("refit")
    return HistoricalResult(
        table,
        card,
        fit.design,
        tree,
        gate,
        diagnostics,
        withheld,
        fit.sampling,
        rates,
        arms,
        mixture,
        robust,
        ess,
        robust_ess,
        found,
        left_out,
        otherwise,
        watch.seconds,
    )


def _tree(fit: Posterior, card: HistoricalCard, rng: np.random.Generator) -> xr.DataTree:
    """Draws, predictive draws, prior, statistics and data under their names."""
    data, chains = fit.design, fit.sampling.chains
    count = len(fit.draws["between_study_sd"])
    posterior, rate = fit.dataset, expit(fit.draws["log_odds"])
    replicated = rng.binomial(data.n, rate).reshape(chains, -1, len(data.n))
    before = draw_prior(card, count, rng)
    index = {"chain": posterior["chain"], "draw": posterior["draw"]}
    groups = {}
    for name, draws, base in (
        ("posterior", fit.draws, posterior),
        ("prior", before, labelled(before, data, chains)),
    ):
        effects = rng.standard_normal((count, 1))
        mark = card.benchmark
        new = np.stack(
            [
                new_study_rate(draws, card, each, mark.refractory, mark.month, effects)[:, 0]
                for each in data.classes
            ],
            axis=-1,
        ).reshape(chains, -1, len(data.classes))
        groups[name] = base.assign(new_study_rate=(("chain", "draw", "treatment_class"), new))
    rows = {"row": list(data.labels)}
    groups["posterior_predictive"] = xr.Dataset(
        {"remission": (("chain", "draw", "row"), replicated)}, coords=index | rows
    )
    groups["sample_stats"] = fit.stats
    groups["observed_data"] = xr.Dataset(
        {"low": ("row", data.low), "high": ("row", data.high)}, coords=rows
    )
    groups["constant_data"] = xr.Dataset(
        {
            "n": ("row", data.n),
            "weight": ("row", data.weight),
            "study": ("row", [data.studies[i] for i in data.study]),
        },
        coords=rows,
    )
    return xr.DataTree.from_dict(groups)
