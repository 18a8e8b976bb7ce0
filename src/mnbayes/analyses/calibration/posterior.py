"""Calibration given the observed cohort: truths from its posterior, new patients from the truths.

Säilynoja et al. (2025), arXiv:2502.03279. Calibration over the prior says that the program is right
on average over all that the prior allows; this says so for data like those at hand.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mnbayes.analyses.calibration.simulate import Draws, Setting, arranged, new_levels, simulated
from mnbayes.base.arrays import Floats
from mnbayes.data.observations import Observations


def posterior_case(setting: Setting, rng: np.random.Generator) -> tuple[Draws, Observations]:
    """A truth from the observed cohort's posterior; that cohort with new patients from the truth.

    The truth holds for the observed patients too: their levels are drawn with the parameters. Each
    truth has a fit of its own, so that no error of one fit is in all of them.

    Raises
    ------
    UntrustedFitError
    """
    card, observed = setting.card, setting.observed
    truth = setting.fit_to(observed, rng, 1).draws
    level = new_levels(arranged(card, truth), observed, rng)
    new = simulated(setting, truth, level, rng)
    everyone = truth | {"level": np.concatenate([truth["level"], level], axis=1)}
    return everyone, more_patients(observed, new)


def more_patients(first: Observations, second: Observations) -> Observations:
    """The patients of both, those of `second` as new ones."""

    def both(name: str) -> Floats:
        return np.concatenate([getattr(first, name), getattr(second, name)])

    return replace(
        first,
        patients=(*first.patients, *(f"{patient}, simulated" for patient in second.patients)),
        log_value=both("log_value"),
        log_lower=both("log_lower"),
        log_upper=both("log_upper"),
        covariate=both("covariate"),
        withdrew_week=both("withdrew_week"),
        own_times=both("times"),
    )
