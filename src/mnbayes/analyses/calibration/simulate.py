"""Truths drawn from a card's priors or from a posterior, and data drawn from the truths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mnbayes.analyses.calibration.sampler import thorough_fit
from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.data.observations import Observations
from mnbayes.inference.study_fits import StudyFit
from mnbayes.models import effects as fx
from mnbayes.models.hyperparameters import Hyperparameters, hyperparameters_from_draws
from mnbayes.models.likelihood import draw_prior

#: From a card, observations, a generator and a number of draws to a fit.
type Fit = Callable[[Card, Observations, np.random.Generator, int], StudyFit]
#: Draws by name, as :func:`mnbayes.inference.collapsed_effects.complete_draws` returns them.
type Draws = Mapping[str, Floats]


class UntrustedFitError(RuntimeError):
    """A fit whose importance weights are not to be trusted: a failed replicate."""


@dataclass(frozen=True)
class Setting:
    """What is calibrated.

    Attributes
    ----------
    card : Card
        Truths and data are simulated from it.
    observed : Observations
        A simulated data set has its patients, visits and missing values; posterior calibration
        is given its values.
    definitions : Definitions
        Of response.
    posterior : bool
        Whether truths are drawn from the posterior given `observed`.
    fitted : Card, optional
        Card of the fits where it is not `card`: a wrong one, which has to be caught.
    fit : callable
        The sampler.
    draws : int
        L, among which the truth is ranked. 99 of a thousand or more effective draws: resampled
        systematically they repeat hardly a point, as independent draws would not, and the truth
        has 100 possible ranks.
    """

    card: Card
    observed: Observations
    definitions: Definitions
    posterior: bool = False
    fitted: Card | None = None
    fit: Fit = thorough_fit
    draws: int = 99

    def fit_to(self, observations: Observations, rng: np.random.Generator, draws: int) -> StudyFit:
        """Fit with the sampler that is calibrated.

        Raises
        ------
        UntrustedFitError
        """
        found = self.fit(self.fitted or self.card, observations, rng, draws)
        if not found.trusted:
            raise UntrustedFitError(
                f"weights not to be trusted: Pareto k {found.pareto_k:.2f}, "
                f"{found.effective:.0f} effective draws"
            )
        return found


def arranged(card: Card, draws: Draws) -> Hyperparameters:
    """Draws of a fit or of :func:`prior_truth` as parameters."""
    return hyperparameters_from_draws(draws, card.structure.correlation)


def prior_truth(card: Card, observed: Observations, rng: np.random.Generator) -> dict[str, Floats]:
    """One draw from a card's priors, patients included.

    Returns
    -------
    dict
        The first axis has length 1: the card's parameters, ``visit_change``, ``level``.
    """
    draws = draw_prior(card, len(observed.weeks) - 1, 1, rng)
    parameters = hyperparameters_from_draws(draws, card.structure.correlation)
    level = new_levels(parameters, observed, rng)
    return draws | {"visit_change": parameters.visit_change, "level": level}


def simulated(
    card: Card, truth: Draws, level: Floats, observed: Observations, rng: np.random.Generator
) -> Observations:
    """Measurements of true levels where `observed` has a value or an interval; exact values.

    Parameters
    ----------
    level : array, shape (1, patient, visit, marker)
    """
    values = fx.measurements(level, arranged(card, truth), rng)[0]
    nothing = np.full_like(values, np.nan)
    return replace(
        observed,
        log_value=np.where(observed.observed, values, nothing),
        log_lower=nothing,
        log_upper=nothing,
    )


def new_levels(
    parameters: Hyperparameters, observed: Observations, rng: np.random.Generator
) -> Floats:
    """True log levels of patients from the population, as many as were observed.

    Returns
    -------
    array, shape (draw, patient, visit, marker)
    """
    deviations = fx.prior_deviations(
        parameters, np.array(observed.weeks), len(observed.patients), rng
    )
    return fx.levels(parameters, *deviations, observed.covariate)


def prior_case(setting: Setting, rng: np.random.Generator) -> tuple[Draws, Observations]:
    """A truth from the prior and data from it."""
    card, observed = setting.card, setting.observed
    truth = prior_truth(card, observed, rng)
    return truth, simulated(card, truth, truth["level"], observed, rng)
