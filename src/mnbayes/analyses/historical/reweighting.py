"""Posteriors of other tables and priors from the draws of the one that was sampled.

A study that is left out, or read otherwise, changes the posterior of the parameters above the
studies (classes, covariates, spread) by the ratio of the studies' likelihoods alone. With every
study's own effects integrated out that ratio varies little, so that weighted draws mostly do for
a refit: Vehtari, Gelman and Gabry (2017), Stat. Comput. 27:1413; with the tail of the weights
smoothed and judged as in Vehtari et al. (2024), JMLR 25(72):1. Where the weights cannot be trusted
the model is sampled again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.design import Design, design
from mnbayes.analyses.historical.quadrature import study_likelihood, study_numbers
from mnbayes.analyses.historical.sampled import Posterior, sample_historical
from mnbayes.analyses.historical.table import HistoricalTable
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import effective_draws
from mnbayes.cards import families as priors
from mnbayes.inference.importance_weights import trusted_weights
from mnbayes.inference.sampling import Sampling

#: Draws of a chain that a refit needs for the gate.
ENOUGH = 750
#: What a refit's numbers rest on.
WEIGHTED, REFITTED = "reweighted", "refitted"


@dataclass(frozen=True, eq=False)
class Refit:
    """Draws of a posterior other than the reported one.

    Attributes
    ----------
    draws : dict
        Parameters, the draw on the first axis, chain after chain.
    chains : int
    weights : array, shape (draw,), or None
        Summing to 1; None where the draws are the posterior's own.
    pareto_k : float
        Shape of the weights' tail; NaN where there are none.
    reasons : tuple of str
        Why the numbers are not to be trusted; empty if they may be.
    """

    draws: dict[str, Floats]
    chains: int
    weights: Floats | None
    pareto_k: float
    reasons: tuple[str, ...]

    @property
    def engine(self) -> str:
        """:data:`WEIGHTED` or :data:`REFITTED`."""
        return REFITTED if self.weights is None else WEIGHTED


@dataclass(frozen=True, eq=False)
class Source:
    """What refits start from.

    Attributes
    ----------
    table : HistoricalTable
    card : HistoricalCard
    fit : Posterior
        Of both.
    sampling : Sampling
        Of a refit whose draws cannot be weighted; its seed is not used.
    known : dict
        Log likelihoods worked out so far, by the numbers of the study.
    """

    table: HistoricalTable
    card: HistoricalCard
    fit: Posterior
    sampling: Sampling
    known: dict[bytes, Floats]

    @classmethod
    def of(
        cls, table: HistoricalTable, card: HistoricalCard, fit: Posterior, sampling: Sampling
    ) -> Source:
        """Refits of a fit that was asked for with ``sampling``."""
        draws = min(sampling.draws, max(ENOUGH, 3 * sampling.draws // 4))
        return cls(table, card, fit, replace(sampling, draws=draws), {})


def study_likelihoods(source: Source, data: Design) -> list[Floats]:
    """Log likelihood of each study of a design at the source's draws, shape (draw,).

    The study's own effects are integrated out; up to a constant.
    """
    out = []
    for arms in study_numbers(data):
        key = arms.tobytes()
        if key not in source.known:
            source.known[key] = study_likelihood(source.fit.draws, arms)
        out.append(source.known[key])
    return out


def log_ratio(source: Source, table: HistoricalTable, card: HistoricalCard) -> Floats:
    """Log of another posterior's density over the source's at its draws, up to a constant.

    Returns
    -------
    array, shape (draw,)
    """
    draws = source.fit.draws
    total = np.zeros(len(draws["between_study_sd"]))
    for study in study_likelihoods(source, design(table, card)):
        total += study
    for study in study_likelihoods(source, source.fit.design):
        total -= study
    for name, spec in card.prior.items():
        was = source.card.prior[name]
        if (spec.distribution, spec.arguments) == (was.distribution, was.arguments):
            continue
        values = draws[name]
        if name == "arm_correlation":  # its prior is that of its log odds
            values = np.log(values) - np.log1p(-values)
        change = priors.log_density(spec.distribution, spec.arguments, values)
        change = change - priors.log_density(was.distribution, was.arguments, values)
        total += change.reshape(len(total), -1).sum(axis=1)
    return total


def reweighted(source: Source, table: HistoricalTable, card: HistoricalCard) -> Refit | None:
    """The posterior of another table or card by weights; None where they cannot be trusted."""
    fit = source.fit
    if not fit.diagnostics.converged:
        return None
    chains = fit.sampling.chains
    tau = fit.draws["between_study_sd"].reshape(chains, -1, 1)
    ratio = log_ratio(source, table, card).reshape(chains, -1)
    trusted = trusted_weights(ratio, float(effective_draws(tau)[0]))
    if trusted is None:
        return None
    weights, khat = trusted
    return Refit(fit.draws, chains, weights.ravel(), khat, ())


def refit(
    source: Source,
    table: HistoricalTable,
    card: HistoricalCard,
    stream: np.random.SeedSequence,
) -> Refit:
    """The posterior of another table or card: by weights where they do, else sampled again."""
    weighted = reweighted(source, table, card)
    if weighted is not None:
        return weighted
    fit = sample_historical(table, card, source.sampling, stream, effects=False)
    reasons = fit.diagnostics.reasons
    return Refit(fit.draws, fit.sampling.chains, None, float("nan"), reasons)
