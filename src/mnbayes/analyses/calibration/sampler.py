"""The samplers that are calibrated: NUTS as a run uses it, and the collapsed engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import xarray as xr

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.inference.collapsed_effects import complete_draws
from mnbayes.inference.densities import nutpie_model
from mnbayes.inference.diagnostics import MIN_BFMI, MIN_ESS, TAILS, Diagnostics
from mnbayes.inference.sampling import Sampling, at_most_twice, sample
from mnbayes.inference.study_fits import StudyFit, study_fit
from mnbayes.models.density import longitudinal_density

type CalibratedEngine = Literal["nuts", "collapsed"]

#: Draws of each round; the first two are too few to be enough, and shape the third.
ROUNDS = (500, 500, 2500, 6000)
#: Effective draws wanted for each draw among which a truth is ranked, and at least.
SPARE = 10
LEAST = 1000
#: NUTS: one chain with a run's tuning, since replicates run side by side, as long as one of a
#: run's; where that does not pass, as long as all four together.
CHAIN = Sampling(chains=1)
WHOLE = replace(CHAIN, draws=Sampling().chains * CHAIN.draws)
#: Effective draws that the short chain needs for each one that is kept. With 2, neighbours among
#: the kept ones have a correlation of some 0.02 (that of a first-order autoregression); with 1,
#: 0.13.
APART = 2


def thorough_fit(
    card: Card, observations: Observations, rng: np.random.Generator, draws: int
) -> StudyFit:
    """As :func:`mnbayes.inference.study_fits.study_fit`, with some four times the effective draws.

    Ranks see the noise of the weights: where a tail of the posterior has few and heavy draws, as
    that of an SD near 0, too many truths lie below all of L draws if L is not far below the
    effective number. With the 400 to 500 of a study's fit the lowest fiftieth of the ranks of
    ``change_sd`` held a quarter too many of 20,000 truths, which is an error of the Monte Carlo
    kind and would hide smaller ones of the other.
    """
    return study_fit(card, observations, rng, draws, max(LEAST, SPARE * draws), ROUNDS)


@dataclass(frozen=True)
class NutsFit:
    """One fit with NUTS.

    Attributes
    ----------
    draws : dict
        As those of :class:`mnbayes.inference.study_fits.StudyFit`: thinned, nearly independent.
    diagnostics : Diagnostics
        Of the whole chain.
    length : int
        Draws of the chain.
    retried : bool
        Whether it is a run's second attempt.
    """

    draws: dict[str, Floats]
    diagnostics: Diagnostics
    length: int
    retried: bool

    @property
    def effective(self) -> float:
        """The fewest effective draws of the chain, bulk or tail."""
        return min(self.diagnostics.worst_ess_bulk, self.diagnostics.worst_ess_tail)

    @property
    def doubt(self) -> str:
        """Why it is not to be trusted; empty if it may be."""
        return "; ".join(self.diagnostics.reasons)

    @property
    def trusted(self) -> bool:
        """Whether there is no doubt."""
        return self.diagnostics.converged


#: From a card, observations, a generator and a number of draws to a fit.
type Fit = Callable[[Card, Observations, np.random.Generator, int], StudyFit | NutsFit]


def nuts_fit(
    card: Card, observations: Observations, rng: np.random.Generator, draws: int
) -> NutsFit:
    """Fit a card with NUTS as a run does, in one chain, thinned to nearly independent draws.

    The density, tuning, target acceptance, starts, second attempt and exact draws of all that the
    density integrates out are those of :func:`mnbayes.inference.fit.fit`. So is the gate, but for
    R-hat, which needs chains. A short chain is enough if it has enough effective draws for those
    that are kept (:data:`APART`); a long one needs those of a run.
    """
    density = longitudinal_density(card, observations)
    model, own = nutpie_model(density), density.dimension - _cells(observations)
    correlated = bool(observations.censored.any())

    def attempt(how: Sampling, stream: np.random.SeedSequence, stage: str) -> _Chain:
        sampled = sample(model, how, stream, correlated=correlated)
        points = sampled.draws["unconstrained"]
        wanted = APART * draws if how.draws < WHOLE.draws else MIN_ESS
        return _Chain(points, _judged(points[:, :own], sampled.stats, wanted))

    short, first, second = np.random.SeedSequence(int(rng.integers(2**63))).spawn(3)
    chain, retried = attempt(CHAIN, short, "sampling"), False
    if not chain.diagnostics.converged:
        chain, _, retried = at_most_twice(attempt, WHOLE, first, second)
    kept = chain.points[(np.arange(1, draws + 1) * len(chain.points)) // draws - 1]
    completed = complete_draws(card, observations, density, kept, rng)
    return NutsFit(completed, chain.diagnostics, len(chain.points), retried)


@dataclass(frozen=True)
class _Chain:
    points: Floats
    diagnostics: Diagnostics


def _cells(observations: Observations) -> int:
    """Coordinates for weights and censored values, which stand last and no gate judges."""
    weights = int(observations.observed.sum()) if observations.weights else 0
    return weights + int(observations.censored.sum())


def _judged(points: Floats, stats: xr.Dataset, wanted: int) -> Diagnostics:
    """The gate for one chain: parameters on unconstrained space, and the log density."""
    from arviz_stats.base.array import array_stats

    draws = np.concatenate([points, stats["logp"].to_numpy().reshape(-1, 1)], axis=1)[None]
    axes = {"chain_axis": 0, "draw_axis": 1}
    bulk = float(np.min(array_stats.ess(draws, method="bulk", **axes)))
    tail = float(np.min(array_stats.ess(draws, method="tail", prob=TAILS, **axes)))
    energy = float(np.min(array_stats.bfmi(stats["energy"].to_numpy())))
    divergences = int(stats["diverging"].to_numpy().sum())
    checks = {
        f"{divergences} divergences": divergences == 0,
        f"bulk effective sample size {bulk:.0f} is below {wanted}": bulk >= wanted,
        f"tail effective sample size {tail:.0f} is below {wanted}": tail >= wanted,
        f"E-BFMI {energy:.2f} is below {MIN_BFMI}": energy >= MIN_BFMI,
    }
    reasons = tuple(reason for reason, passed in checks.items() if not passed)
    return Diagnostics(divergences, np.nan, bulk, tail, energy, reasons)


#: Each engine's sampler.
SAMPLERS: dict[CalibratedEngine, Fit] = {"nuts": nuts_fit, "collapsed": thorough_fit}
