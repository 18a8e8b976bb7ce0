"""Complete draws of the top-level parameters: patients' levels, measurements and densities.

Pure arrays, the draw on the first axis; :mod:`mnbayes.inference.trees` labels them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.markers import RESPONSE
from mnbayes.data.observations import Observations
from mnbayes.models import effects as fx
from mnbayes.models.correlation import free_pairs
from mnbayes.models.hyperparameters import Hyperparameters, hyperparameters_from_draws
from mnbayes.models.likelihood import draw_prior, log_prior, pointwise_loglik


@dataclass(frozen=True)
class Completed:
    """Draws of a model, from its prior or its posterior.

    Attributes
    ----------
    draws : dict
        Top-level parameters by name, and ``visit_change``, ``correlation`` (the free ones, in
        the order of :func:`mnbayes.models.correlation.free_pairs`), ``patient_baseline``,
        ``patient_change`` and ``level``.
    measurement : array, shape (draw, patient, visit, marker)
        Repeat measurements, log scale.
    new_level, new_measurement : array, shape (draw, visit, marker)
        Of the next patient, log scale.
    """

    draws: dict[str, Floats]
    measurement: Floats
    new_level: Floats
    new_measurement: Floats


@dataclass(frozen=True)
class CompletedPosterior(Completed):
    """Draws of a posterior, and their densities.

    Attributes
    ----------
    loglik : array, shape (draw, observation)
        In patient, visit, marker order.
    log_prior : dict
        Top-level parameter to array, shape (draw, ...).
    """

    loglik: Floats
    log_prior: dict[str, Floats]


def complete_prior(
    card: Card,
    observations: Observations,
    n: int,
    rng: np.random.Generator,
    next_rng: np.random.Generator,
) -> Completed:
    """Draw everything from a card's priors, for patients and visits as in the data.

    Parameters
    ----------
    n : int
        Number of draws.
    rng : Generator
    next_rng : Generator
        Of the next patient.
    """
    draws = draw_prior(card, len(observations.weeks) - 1, n, rng)
    parameters = hyperparameters_from_draws(draws, card.structure.correlation)
    times = observations.times
    deviations = fx.prior_deviations(parameters, times, len(observations.patients), rng)
    named = _named(fx.EffectDraws(draws, *deviations), parameters, observations, card)
    return Completed(
        named,
        fx.measurements(named["level"], parameters, rng),
        *_next_patient(parameters, observations, next_rng),
    )


def complete_posterior(
    card: Card,
    observations: Observations,
    drawn: fx.EffectDraws,
    rng: np.random.Generator,
    next_rng: np.random.Generator,
) -> CompletedPosterior:
    """Draw what depends on the top-level parameters, and find the densities.

    Parameters
    ----------
    drawn : EffectDraws
        Given the data.
    rng : Generator
    next_rng : Generator
        Of the next patient.
    """
    parameters = hyperparameters_from_draws(drawn.top_level, card.structure.correlation)
    named = _named(drawn, parameters, observations, card)
    return CompletedPosterior(
        named,
        fx.measurements(named["level"], parameters, rng),
        *_next_patient(parameters, observations, next_rng),
        pointwise_loglik(named["level"], parameters, observations),
        log_prior(card, drawn.top_level),
    )


def _next_patient(
    parameters: Hyperparameters, observations: Observations, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The next patient; the markers that a response is judged by come first, as in small models."""
    markers = observations.markers
    first = [markers.index(name) for name in RESPONSE if name in markers]
    return fx.next_patient(
        parameters, np.array(observations.weeks), first or list(range(len(markers))), rng
    )


def _named(
    drawn: fx.EffectDraws, parameters: Hyperparameters, observations: Observations, card: Card
) -> dict[str, Floats]:
    n_marker = len(observations.markers)
    factor = parameters.cholesky
    pairs = np.array(free_pairs(card.structure.correlation, n_marker))
    return dict(drawn.top_level) | {
        "visit_change": parameters.visit_change,
        "correlation": (factor @ factor.transpose(0, 2, 1))[:, pairs[:, 0], pairs[:, 1]],
        "patient_baseline": parameters.baseline_mean[:, None] + drawn.effects[..., :n_marker],
        "patient_change": drawn.effects[..., n_marker:],
        "level": fx.levels(parameters, drawn.effects, drawn.drift, observations.covariate),
    }
