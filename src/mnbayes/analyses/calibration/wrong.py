"""Samplers that are wrong on purpose: a check that catches none of them shows nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from mnbayes.analyses.calibration.sampler import Fit, NutsFit
from mnbayes.analyses.calibration.simulate import Setting
from mnbayes.cards.card import Card
from mnbayes.cards.overrides import apply_changes
from mnbayes.cards.prior_sets import parse_setting
from mnbayes.data.observations import Observations
from mnbayes.inference.study_fits import StudyFit

#: Arguments of the priors that are the scale, or its inverse.
_SCALES = {"sigma": 1, "lam": -1, "beta": -1}


def with_scaled_prior(setting: Setting, name: str, factor: float = 1.5) -> Setting:
    """Fit with one prior's scale multiplied, for every marker; truths come from the right one.

    Parameters
    ----------
    name : str
        Of a parameter whose prior has a scale; the correlation's has none.

    Raises
    ------
    ValueError
        If there is no such scale.
    """
    return replace(setting, fitted=scaled_prior(setting.card, name, factor))


def scaled_prior(card: Card, name: str, factor: float) -> Card:
    """A card with the scale of one prior multiplied."""
    changes = []
    for marker, spec in card.prior[name].items():
        for argument, power in _SCALES.items():
            if argument in spec.arguments:
                value = float(spec.arguments[argument]) * factor**power
                place = f"{name}.{marker}" if marker else name
                changes.append(parse_setting(f"{place}.{argument}={value!r}"))
    if not changes:
        raise ValueError(f"the prior {name} of {card.name} has no scale")
    return apply_changes([card], changes, strict=True)[0]


def with_shared_effects(setting: Setting) -> Setting:
    """A sampler that gives all patients one change of their own: the mean over patients."""
    return replace(setting, fit=partial(shared_effects, right=setting.sampler))


def shared_effects(
    card: Card,
    observations: Observations,
    rng: np.random.Generator,
    draws: int,
    *,
    right: Fit,
) -> StudyFit | NutsFit:
    """As the right sampler, then every patient's change averaged.

    The card's parameters are drawn rightly: only what concerns patients is wrong.
    """
    fit = right(card, observations, rng, draws)
    own = fit.draws["patient_change"]
    shift = own.mean(axis=1, keepdims=True) - own
    level = fit.draws["level"].copy()
    level[:, :, 1:] += shift[:, :, None]
    return replace(fit, draws={**fit.draws, "level": level, "patient_change": own + shift})
