"""What a verdict needs of a fit, and no more: the population, by the collapsed engine."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mnbayes.answers.population import Population
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.inference.diagnostics import MAX_PARETO_K, MIN_ESS
from mnbayes.inference.study_fits import study_fit
from mnbayes.models.correlation import all_partials
from mnbayes.models.effects import cholesky_from_unit

#: Equally weighted draws of a fit.
DRAWS = 500


@dataclass(frozen=True)
class PopulationFit:
    """The population that a cohort's fit describes.

    Attributes
    ----------
    population : Population
        Draws of its parameters; equally weighted.
    pareto_k, effective : float
        Of the weights before resampling.
    doubt : str
        Why its numbers are withheld; empty if they are not.
    """

    population: Population
    pareto_k: float
    effective: float
    doubt: str


def population_fit(
    card: Card, observations: Observations, rng: np.random.Generator, draws: int = DRAWS
) -> PopulationFit:
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
    PopulationFit
    """
    fitted = study_fit(card, _unnamed(observations), rng, draws)
    named, k = fitted.draws, len(observations.markers)
    n_visit = len(observations.weeks) - 1
    unit = all_partials(named["correlation_unit"], card.structure.correlation, k)
    sd = np.concatenate([named["baseline_sd"], named["change_sd"]], axis=1)
    population = Population(
        baseline_mean=named["baseline_mean"],
        visit_change=named["visit_change"],
        factor=sd[..., None] * cholesky_from_unit(unit, 2 * k),
        residual_sd=named["residual_sd"],
        residual_df=None,
        serial_sd=np.zeros((draws, k)),
        serial_decay=np.zeros((draws, n_visit)),
        serial=False,
    )
    doubt = ""
    if not fitted.trusted:
        heavy = not fitted.pareto_k <= MAX_PARETO_K
        doubt = f"Pareto k above {MAX_PARETO_K:g}" if heavy else f"effective draws below {MIN_ESS}"
    return PopulationFit(population, fitted.pareto_k, fitted.effective, doubt)


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
