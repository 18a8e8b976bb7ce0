"""Draw from a collapsed density by importance sampling, and say whether to trust it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnbayes.inference.densities import Density
from mnbayes.numerics import importance
from mnbayes.numerics.groups import Floats

#: Vehtari et al. (2024), JMLR 25(72):1: above it the weights' error is not under control.
MAX_PARETO_K = 0.7


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


def weighted_draws(density: Density, rounds: tuple[int, ...], rng: np.random.Generator) -> Weighted:
    """Weighted draws of a density; the last round's after the others have shaped the proposal.

    Parameters
    ----------
    density : Density
        Of the Gaussian longitudinal model.
    rounds : tuple of int
        Draws of each round.
    rng : Generator
    """
    total = sum(rounds)
    points, weight, k = importance.importance_draws(
        density.data,
        rng.standard_normal((total, density.dimension)),
        rng.chisquare(importance.PROPOSAL_DF, total),
        rounds,
    )
    return Weighted(points, weight, k)


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
