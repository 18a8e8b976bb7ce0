"""Truths drawn from a card's priors or from a posterior, and data drawn from the truths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mnbayes.analyses.calibration.sampler import SAMPLERS, CalibratedEngine, Fit, NutsFit
from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.data.observations import Observations
from mnbayes.inference.study_fits import StudyFit
from mnbayes.models import effects as fx
from mnbayes.models.hyperparameters import Hyperparameters, hyperparameters_from_draws
from mnbayes.models.likelihood import draw_prior

#: Draws by name, as :func:`mnbayes.inference.collapsed_effects.complete_draws` returns them.
type Draws = Mapping[str, Floats]


class UntrustedFitError(RuntimeError):
    """A fit that does not pass its own gate: a failed replicate."""


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
    engine : {"nuts", "collapsed"}
    fit : callable, optional
        A sampler in the place of the engine's.
    detection_limits : mapping
        Marker to the limit, in its unit: simulated values below it are known to be below it.
    draws : int
        L, among which the truth is ranked. 99 of a thousand or more effective draws: resampled
        systematically they repeat hardly a point, as independent draws would not, and the truth
        has 100 possible ranks. Of NUTS's chain, every tenth.
    """

    card: Card
    observed: Observations
    definitions: Definitions
    posterior: bool = False
    fitted: Card | None = None
    engine: CalibratedEngine = "collapsed"
    fit: Fit | None = None
    detection_limits: Mapping[str, float] = field(default_factory=dict)
    draws: int = 99

    @property
    def sampler(self) -> Fit:
        """The sampler that is calibrated."""
        return self.fit or SAMPLERS[self.engine]

    @property
    def structure(self) -> str:
        """Course, residuals and detection limits, in words."""
        words: list[str] = [self.card.structure.trajectory]
        if self.card.structure.residual != "normal":
            words.append("Student-t residuals")
        words += [
            f"values below {limit:g} {self.card.catalogue[marker].unit} censored"
            for marker, limit in self.detection_limits.items()
        ]
        return ", ".join(words)

    @property
    def gaussian(self) -> bool:
        """Whether the data are exact values with normal residuals."""
        given = self.posterior and bool(self.observed.censored.any())
        return self.card.structure.residual == "normal" and not (self.detection_limits or given)

    def fit_to(
        self, observations: Observations, rng: np.random.Generator, draws: int
    ) -> StudyFit | NutsFit:
        """Fit with the sampler that is calibrated.

        Raises
        ------
        UntrustedFitError
        """
        found = self.sampler(self.fitted or self.card, observations, rng, draws)
        if isinstance(found, NutsFit):
            if not found.trusted:
                raise UntrustedFitError(f"draws not to be trusted: {found.doubt}")
        elif not found.trusted:
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
    setting: Setting, truth: Draws, level: Floats, rng: np.random.Generator
) -> Observations:
    """Measurements of true levels where the cohort has a value or an interval.

    Exact values, but for those below a detection limit.

    Parameters
    ----------
    level : array, shape (1, patient, visit, marker)
    """
    observed = setting.observed
    values = fx.measurements(level, arranged(setting.card, truth), rng)[0]
    values = np.where(observed.observed, values, np.nan)
    # No limit: -inf on the scale, which nothing is below.
    limit = np.array(
        [
            observed.catalogue[marker].on_scale(np.array(setting.detection_limits.get(marker, 0.0)))
            for marker in observed.markers
        ]
    )
    below = values < limit
    return replace(
        observed,
        log_value=np.where(below, np.nan, values),
        log_lower=np.where(below, -np.inf, np.nan),
        log_upper=np.where(below, limit, np.nan),
    )


def new_levels(
    parameters: Hyperparameters, observed: Observations, rng: np.random.Generator
) -> Floats:
    """True log levels of patients from the population, as many as were observed.

    Returns
    -------
    array, shape (draw, patient, visit, marker)
    """
    deviations = fx.prior_deviations(parameters, observed.times, len(observed.patients), rng)
    return fx.levels(parameters, *deviations, observed.covariate)


def prior_case(setting: Setting, rng: np.random.Generator) -> tuple[Draws, Observations]:
    """A truth from the prior and data from it."""
    card, observed = setting.card, setting.observed
    truth = prior_truth(card, observed, rng)
    return truth, simulated(setting, truth, truth["level"], rng)
