"""Whole fits for studies: arrays in, arrays out, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.inference.collapsed import enough_rounds, equal_draws, weights_doubt
from mnbayes.inference.collapsed_effects import complete_draws
from mnbayes.inference.diagnostics import MIN_ESS
from mnbayes.models.density import longitudinal_density

#: Draws of each round, until a round's weights are to be trusted.
ROUNDS = (750, 800, 2000, 6000)


@dataclass(frozen=True)
class StudyFit:
    """One fit of a study.

    Attributes
    ----------
    draws : dict
        Variables of the ``posterior`` group by name, the draw on the first axis, equally
        weighted; see :func:`mnbayes.inference.collapsed_effects.complete_draws`.
    pareto_k, effective : float
        Of the weights before resampling.
    """

    draws: dict[str, Floats]
    pareto_k: float
    effective: float

    @property
    def doubt(self) -> str:
        """Which of the weights' Pareto shape and effective number does not pass; empty if none."""
        return weights_doubt(self.pareto_k, self.effective)

    @property
    def trusted(self) -> bool:
        """Whether there is no doubt."""
        return not self.doubt


def study_fit(
    card: Card,
    observations: Observations,
    rng: np.random.Generator,
    draws: int = 500,
    wanted: float = MIN_ESS,
    rounds: tuple[int, ...] = ROUNDS,
) -> StudyFit:
    """Fit a card to observations with the collapsed engine.

    Parameters
    ----------
    card : Card
        With normal residuals.
    observations : Observations
        With exact values.
    rng : Generator
    draws : int
        Equally weighted draws to return.
    wanted : float
        Effective draws of a round at which no further one is made.
    rounds : tuple of int
        Draws of each round; those of the last one made are weighted, the others shape it.

    Returns
    -------
    StudyFit
        Look at ``trusted``; a study records a fit that is not as failed.
    """
    density = longitudinal_density(card, observations)
    weighted = enough_rounds(density, rounds, rng, wanted)
    points = equal_draws(weighted, 1, draws, rng)
    completed = complete_draws(card, observations, density, points, rng)
    return StudyFit(completed, weighted.pareto_k, weighted.effective)
