"""Whole fits for studies: arrays in, arrays out, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnbayes.cards import Card
from mnbayes.collapsed.effects import complete_draws
from mnbayes.collapsed.engine import equal_draws, weighted_draws
from mnbayes.inference.diagnostics import MAX_PARETO_K, MIN_ESS
from mnbayes.models.density import longitudinal_density
from mnbayes.models.observations import Observations
from mnbayes.numerics.groups import Floats

#: Rounds to try in turn until the weights are to be trusted.
ATTEMPTS = ((750,), (750, 1500), (1000, 1000, 2000, 6000))


@dataclass(frozen=True)
class StudyFit:
    """One fit of a study.

    Attributes
    ----------
    draws : dict
        Variables of the ``posterior`` group by name, the draw on the first axis, equally
        weighted; see :func:`mnbayes.collapsed.effects.complete_draws`.
    pareto_k, effective : float
        Of the weights before resampling.
    """

    draws: dict[str, Floats]
    pareto_k: float
    effective: float

    @property
    def trusted(self) -> bool:
        """Whether the weights' Pareto shape and effective number pass."""
        return self.pareto_k <= MAX_PARETO_K and self.effective >= MIN_ESS


def study_fit(
    card: Card,
    observations: Observations,
    rng: np.random.Generator,
    draws: int = 500,
    wanted: float = MIN_ESS,
    attempts: tuple[tuple[int, ...], ...] = ATTEMPTS,
) -> StudyFit:
    """Fit a card to observations with the collapsed engine.

    Parameters
    ----------
    card : Card
        With normal residuals and without serial correlation.
    observations : Observations
        With exact values.
    rng : Generator
    draws : int
        Equally weighted draws to return.
    wanted : float
        Effective draws at which no further attempt is made.
    attempts : tuple of tuple of int
        Rounds to try in turn; the last one's proposals are weighted, the others' shape them.

    Returns
    -------
    StudyFit
        Look at ``trusted``; a study records a fit that is not as failed.
    """
    density = longitudinal_density(card, observations)
    for rounds in attempts:
        weighted = weighted_draws(density, rounds, rng)
        if weighted.trusted and weighted.effective >= wanted:
            break
    points = equal_draws(weighted, 1, draws, rng)
    completed = complete_draws(card, observations, density, points, rng)
    return StudyFit(completed, weighted.pareto_k, weighted.effective)
