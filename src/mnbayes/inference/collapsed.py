"""Draw from a collapsed density by importance sampling, and say whether to trust it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mnbayes.base.arrays import Floats
from mnbayes.base.workers import silent
from mnbayes.inference.diagnostics import MAX_PARETO_K, MIN_ESS
from mnbayes.inference.sampling import Sampling
from mnbayes.inference.traces import Sampled
from mnbayes.numerics import importance
from mnbayes.numerics.density import Density

#: Proposals of the rounds that shape the last one's, for each unknown, and at least.
SHAPING = 100
LEAST_SHAPING = 1000
#: Proposals of the last round for each draw asked for; as many again where they are too few.
PROPOSALS = 3
MOST_PROPOSALS = 48
#: Proposals from which on two threads share them: each is weighted by itself, so no number changes.
BESIDE = 1000
#: Effective draws wanted, as a share of the draws asked for: about what NUTS gives.
WANTED = 0.5


@dataclass(frozen=True)
class Weighted:
    """Weighted draws.

    Attributes
    ----------
    points : array, shape (draw, coordinate)
    weight : array, shape (draw,)
        Pareto-smoothed, normalised to sum 1.
    pareto_k : float
    """

    points: Floats
    weight: Floats
    pareto_k: float

    @property
    def effective(self) -> float:
        """Effective number of draws, ``1 / sum(weight^2)`` (Kong 1992)."""
        return float(1.0 / np.sum(self.weight**2))

    @property
    def trusted(self) -> bool:
        """Whether the Pareto shape is low enough."""
        return self.pareto_k <= MAX_PARETO_K

    @property
    def doubt(self) -> str:
        """Which of the Pareto shape and the effective number does not pass; empty if none."""
        return weights_doubt(self.pareto_k, self.effective)


def weights_doubt(pareto_k: float, effective: float) -> str:
    """Why weights are not to be trusted: their Pareto shape, their effective number; or nothing."""
    if not pareto_k <= MAX_PARETO_K:
        return f"Pareto k above {MAX_PARETO_K:g}"
    return "" if effective >= MIN_ESS else f"effective draws below {MIN_ESS}"


def weighted_rounds(
    density: Density, rounds: Sequence[int], rng: np.random.Generator
) -> Iterator[Weighted]:
    """Weighted draws of a density, round by round, each shaping the proposal of the next.

    Parameters
    ----------
    density : Density
        Of the Gaussian longitudinal model.
    rounds : sequence of int
        Draws of each round.
    rng : Generator

    Yields
    ------
    Weighted
        Of each round; where the density has no mode one point only, not to be trusted.
    """
    data, n = density.data, density.dimension
    value = density.value_address()
    proposal = importance.first_proposal(density.address, data, n)
    if proposal is None:
        yield Weighted(np.zeros((1, n)), np.ones(1), np.inf)
        return
    weighted = None
    for count in rounds:
        if weighted is not None:
            proposal = importance.adapted(proposal, weighted.points, weighted.weight)
        normal = rng.standard_normal((count, n))
        chi_square = rng.chisquare(importance.PROPOSAL_DF, count)
        points, log_weight = _proposed(value, data, proposal, normal, chi_square)
        weighted = Weighted(points, *importance.smooth(log_weight))
        yield weighted


def _proposed(
    value: int, data: Any, proposal: importance.Proposal, normal: Floats, chi_square: Floats
) -> tuple[Floats, Floats]:
    """Draws of a proposal and their log weights; of many the second half beside the first."""

    def some(rows: slice) -> tuple[Floats, Floats]:
        found: tuple[Floats, Floats] = importance.propose(
            value, data, proposal.centre, proposal.root, normal[rows], chi_square[rows]
        )
        return found

    if len(normal) < BESIDE:
        return some(slice(None))
    half = len(normal) // 2
    with ThreadPoolExecutor(1) as beside:
        second = beside.submit(some, slice(half, None))
        first = some(slice(half))
    points, log_weight = (np.concatenate(pair) for pair in zip(first, second.result(), strict=True))
    return points, log_weight


def weighted_draws(density: Density, rounds: Sequence[int], rng: np.random.Generator) -> Weighted:
    """The last round of :func:`weighted_rounds`."""
    *_, last = weighted_rounds(density, rounds, rng)
    return last


def enough_rounds(
    density: Density, rounds: Sequence[int], rng: np.random.Generator, wanted: float = MIN_ESS
) -> Weighted:
    """The first round of :func:`weighted_rounds` to be trusted, with the draws that are wanted.

    Parameters
    ----------
    density : Density
    rounds : sequence of int
        Draws of each round; those before the last one made only shape it.
    rng : Generator
    wanted : float
        Effective draws.

    Returns
    -------
    Weighted
        The last round where none is good enough.
    """
    for weighted in weighted_rounds(density, rounds, rng):
        if weighted.trusted and weighted.effective >= wanted:
            break
    return weighted


def equal_draws(weighted: Weighted, chains: int, draws: int, rng: np.random.Generator) -> Floats:
    """Equally weighted draws, shape (chains * draws, coordinate).

    The weighted draws are cut into as many blocks as there are chains, and each block is resampled
    systematically by itself and in its order: draws of one point stand side by side, so that
    autocorrelation-based effective sample sizes count them once, and R-hat compares independent
    blocks.
    """
    blocks = np.array_split(np.arange(len(weighted.weight)), chains)
    out = []
    for block in blocks:
        weight = weighted.weight[block] / weighted.weight[block].sum()
        out.append(weighted.points[block][importance.resample(weight, rng.uniform(), draws)])
    return np.concatenate(out)


def collapsed_sample(
    density: Density,
    sampling: Sampling,
    stream: np.random.SeedSequence,
    news: Callable[[int, int], None] = silent,
) -> Sampled:
    """Draw from a density with the collapsed engine, in the form that NUTS hands its draws over.

    The last round grows until its effective number of draws is half of those asked for, or until
    it is clear that it will not be.

    Returns
    -------
    Sampled
        One variable, ``unconstrained``. Its statistics say which draws repeat the one before, and
        have the attributes ``pareto_k`` and ``effective``.
    """

    def draw(rounds: Sequence[int], rng: np.random.Generator) -> Weighted:
        return weighted_draws(density, rounds, rng)

    return importance_sample(draw, density.dimension, sampling, stream, news)


def importance_sample(
    draw: Callable[[Sequence[int], np.random.Generator], Weighted],
    dimension: int,
    sampling: Sampling,
    stream: np.random.SeedSequence,
    news: Callable[[int, int], None] = silent,
    proposals: int = PROPOSALS,
) -> Sampled:
    """Equally weighted draws in chains, as of :func:`collapsed_sample`, of any density.

    Parameters
    ----------
    draw : callable
        Weighted draws of the last of some rounds, whose numbers of proposals it is given.
    dimension : int
        Number of unconstrained coordinates.
    sampling : Sampling
        Chains and draws.
    stream : SeedSequence
    news : callable
    proposals : int
        Of the last round for each draw, at first.
    """
    rng = np.random.default_rng(stream)
    count = sampling.chains * sampling.draws
    shaping = max(LEAST_SHAPING, SHAPING * dimension)
    factor = proposals
    while True:
        news(0, count)
        weighted = draw((shaping, shaping, factor * count), rng)
        enough = weighted.effective >= WANTED * count
        hopeless = weighted.effective * MOST_PROPOSALS < 0.25 * count * factor
        if enough or hopeless or 2 * factor > MOST_PROPOSALS:
            break
        factor *= 2
    drawn = in_chains(weighted, sampling.chains, sampling.draws, rng)
    news(count, count)
    return drawn


def in_chains(weighted: Weighted, chains: int, draws: int, rng: np.random.Generator) -> Sampled:
    """Equally weighted draws in the form that NUTS hands its draws over.

    Returns
    -------
    Sampled
        As of :func:`collapsed_sample`.
    """
    points = equal_draws(weighted, chains, draws, rng)
    repeated = np.zeros((chains, draws), dtype=bool)
    repeated[:, 1:] = (np.diff(points.reshape(chains, draws, -1), axis=1) == 0.0).all(axis=2)
    stats = xr.Dataset(
        {"repeated": (("chain", "draw"), repeated)},
        coords={"chain": np.arange(chains), "draw": np.arange(draws)},
        attrs={"pareto_k": weighted.pareto_k, "effective": weighted.effective},
    )
    return Sampled({"unconstrained": points}, stats)
