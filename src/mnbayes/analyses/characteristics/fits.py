"""What a verdict needs of a fit, and no more: the population, by the collapsed engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.inference.study_fits import StudyFit, study_fit

#: Equally weighted draws of a fit.
DRAWS = 500


def population_fit(
    card: Card, observations: Observations, rng: np.random.Generator, draws: int = DRAWS
) -> StudyFit:
    """Fit a card to observations, keeping the population alone.

    Parameters
    ----------
    card : Card
        With normal residuals, without serial correlation and covariate.
    observations : Observations
        With exact values.
    rng : Generator
    draws : int

    Returns
    -------
    StudyFit
    """
    return study_fit(card, _unnamed(observations), rng, draws)


def _unnamed(observations: Observations) -> Observations:
    """The same observations without patients to draw effects of.

    No verdict needs the patients' own effects, and for 40 patients they take as long to draw as
    all the rest. The likelihood sees the groups alone, which stay; nobody is a member of any.
    """
    nobody = replace(observations, patients=())
    groups = replace(observations.groups, member=np.zeros(0, dtype=np.int64))
    # Where the cached property keeps its value: it must not be worked out from the values again.
    nobody.__dict__["groups"] = groups
    return nobody
