"""Pointwise log-likelihood and log prior of draws, in NumPy (needs no compilation)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.cards import families as priors
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.models.hyperparameters import Hyperparameters
from mnbayes.models.roles import SCALAR, correlation_alpha


def pointwise_loglik(
    level: Floats, parameters: Hyperparameters, observations: Observations
) -> Floats:
    """Log-likelihood of each observation given the patient's level.

    A censored value contributes the probability of its interval.

    Parameters
    ----------
    level : array, shape (draw, patient, visit, marker)

    Returns
    -------
    array, shape (draw, observation)
        Observations in patient, visit, marker order.
    """
    patient, visit, marker = np.nonzero(observations.observed)
    mean = level[:, patient, visit, marker]
    sd = parameters.residual_sd[:, marker]
    df = parameters.residual_df[:, None]
    heavy = parameters.student
    from scipy import stats  # half a second that a command's refusals need not wait

    noise = stats.t(df) if heavy else stats.norm  # freezing it would compile code
    distance = observations.log_value[patient, visit, marker] - mean
    if heavy:
        out = np.asarray(noise.logpdf(distance / sd)) - np.log(sd)
    else:
        out = priors.normal_log_density(distance, sd)
    hidden = observations.censored[patient, visit, marker]
    if hidden.any():
        limits = [
            bound[patient, visit, marker][hidden]
            for bound in (observations.log_lower, observations.log_upper)
        ]
        low, high = ((limit - mean[:, hidden]) / sd[:, hidden] for limit in limits)
        # In the upper tail the survival function keeps the digits that the cdf loses.
        upper_tail = low > 0
        probability = np.where(
            upper_tail, noise.sf(low) - noise.sf(high), noise.cdf(high) - noise.cdf(low)
        )
        with np.errstate(divide="ignore"):
            out[:, hidden] = np.log(probability)
    return np.asarray(out)


def log_prior(card: Card, draws: Mapping[str, Floats]) -> dict[str, Floats]:
    """Log prior density of each top-level parameter at each draw.

    Parameters
    ----------
    draws : mapping
        Parameter name to array with the draw first; ``correlation_unit`` for the correlation.

    Returns
    -------
    dict
        Parameter name to array, shape (draw, marker), or (draw,) where shared. The correlation's
        is that of the matrix, ``(eta - 1) log det``, up to its constant: raised to a power, an
        LKJ prior remains an LKJ prior, which the density of its partial correlations would not.
    """
    out = {}
    for name in card.parameters:
        arguments = card.argument_values(name)
        if name == "correlation":
            # The determinant is the product of 1 - r^2 over the partial correlations r.
            squared = (2.0 * draws["correlation_unit"] - 1.0) ** 2
            # Of a prior that all but insists on -1 and 1, r itself rounds to these.
            log_det = np.log1p(-np.minimum(squared, 1.0 - np.finfo(float).epsneg)).sum(axis=1)
            out[name] = (float(arguments["eta"][0]) - 1.0) * log_det
            continue
        out[name] = priors.log_density(card.family(name), arguments, draws[name])
        if draws[name].ndim == 1:
            out[name] = out[name].reshape(draws[name].shape)
    return out


def draw_prior(card: Card, n_visits: int, n: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Simulate the top-level parameters of a card from its priors.

    Parameters
    ----------
    n_visits : int
        Number of visits after baseline.
    n : int
        Number of draws.

    Returns
    -------
    dict
        By the names of the model's random variables; the first axis is the draw.
    """
    out: dict[str, Floats] = {}
    n_marker = len(card.markers)
    for name in card.parameters:
        arguments = card.argument_values(name)
        if name == "correlation":
            alpha = correlation_alpha(card)
            out["correlation_unit"] = rng.beta(alpha, alpha, size=(n, alpha.size))
            continue
        size = next(iter(arguments.values())).size
        values = priors.draw(card.family(name), arguments, (n, size), rng)
        out[name] = values[:, 0] if name in SCALAR else values
    if card.structure.shrink:
        spread = out["change_spread"][:, None] * rng.standard_normal((n, n_marker))
        out["change_mean"] = out["common_change"][:, None] + spread
    out["visit_offset"] = rng.standard_normal((n, n_visits, n_marker))
    return out
