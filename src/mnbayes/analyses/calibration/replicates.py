"""One replicate of a calibration, and the study of many."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.calibration.posterior import posterior_case
from mnbayes.analyses.calibration.quantities import Group, test_quantities
from mnbayes.analyses.calibration.ranks import ranks
from mnbayes.analyses.calibration.sampler import CalibratedEngine, NutsFit
from mnbayes.analyses.calibration.simulate import Draws, Setting, prior_case
from mnbayes.data.observations import Observations
from mnbayes.inference.collapsed_effects import complete_draws
from mnbayes.inference.study_fits import StudyFit
from mnbayes.models.density import longitudinal_density
from mnbayes.numerics.posterior import evaluate, gradient_function
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.study import Cell, Study

#: Of a fit, what no quantity needs: the levels hold the patients.
_UNUSED = (
    *("loglik", "patient_baseline", "patient_change"),
    *("residual_weight", "censored_value"),
)
#: Columns of a study besides the ranks, by engine.
OWN: dict[CalibratedEngine, dict[str, type]] = {
    "nuts": {"length": int, "retried": bool, "effective": float, "distinct": int},
    "collapsed": {"pareto_k": float, "effective": float, "distinct": int},
}


def replicate(
    stream: np.random.SeedSequence, parameters: Mapping[str, Any], *, setting: Setting
) -> dict[str, Any]:
    """Draw a truth and data, fit, and rank the truth.

    Parameters
    ----------
    stream : SeedSequence
    parameters : mapping
        Not used: a calibration has one cell.
    setting : Setting

    Returns
    -------
    dict
        Quantity to rank, and what :data:`OWN` names: Pareto k of the weights, or the length of
        NUTS's chain and whether it is a second attempt; effective number of the draws before
        resampling or thinning; how many of the L are different points.

    Raises
    ------
    UntrustedFitError
    """
    simulation, fitting, ranking = (np.random.default_rng(s) for s in stream.spawn(3))
    truth, observations = case(setting, simulation)
    fit = setting.fit_to(observations, fitting, setting.draws)
    both = {
        name: np.concatenate([truth[name], fit.draws[name]])
        for name in truth
        if name in fit.draws and name not in _UNUSED
    }
    found = test_quantities(setting, both, observations, ranking)
    named = {name: values for group in found.values() for name, values in group.items()}
    rank = ranks(np.stack(list(named.values())), ranking)
    own: dict[str, Any] = {"pareto_k": fit.pareto_k} if isinstance(fit, StudyFit) else {}
    if isinstance(fit, NutsFit):
        own = {"length": fit.length, "retried": fit.retried}
    own |= {
        "effective": fit.effective,
        "distinct": len(np.unique(fit.draws["residual_sd"], axis=0)),
    }
    return own | dict(zip(named, rank.tolist(), strict=True))


def case(setting: Setting, rng: np.random.Generator) -> tuple[Draws, Observations]:
    """A truth and data from it."""
    return (posterior_case if setting.posterior else prior_case)(setting, rng)


def first_cases(setting: Setting, count: int, seed: int) -> pd.DataFrame:
    """Data of a study's first replicates, and what NUTS is given of them: numbers that repeat.

    A chain's own draws follow roundings, which differ between processors. What decides their
    distribution does not: the simulated data, the density with its gradient, and the exact draws
    given a point. These hold the study that samples to the program as it is.
    """
    streams = (np.random.SeedSequence(seed, spawn_key=(0, place)) for place in range(count))
    return pd.DataFrame([_first_case(setting, stream) for stream in streams])


def _first_case(setting: Setting, stream: np.random.SeedSequence) -> dict[str, float]:
    rng = np.random.default_rng(stream.spawn(3)[0])
    truth, observations = case(setting, rng)
    card = setting.fitted or setting.card
    density = longitudinal_density(card, observations)
    points = np.linspace(-0.5, 0.5, 2)[:, None] * np.ones((1, density.dimension))
    found = [evaluate(point, density.data, gradient_function()) for point in points]
    drawn = complete_draws(card, observations, density, points, rng)
    return {
        "true_levels": float(truth["level"].sum()),
        "recorded": float(observations.recorded[observations.observed].sum()),
        "censored": float(observations.censored.sum()),
        "log_density": sum(value for value, _ in found),
        "gradient": sum(float(gradient.sum()) for _, gradient in found),
        "levels": float(drawn["level"].sum()),
    }


def quantities(setting: Setting) -> dict[str, Group]:
    """The quantities of a setting by name, with the group that each belongs to."""
    rng = np.random.default_rng(0)
    truth, observations = prior_case(setting, rng)
    found = test_quantities(setting, truth, observations, rng)
    return {name: group for group, named in found.items() for name in named}


def calibration_study(setting: Setting, replicates: int, seed: int) -> Study:
    """The study of a setting.

    Its identity holds hashes of the card, the definitions and the cohort: of the
    cohort's values for calibration given them, otherwise of where it has values.
    """
    kind = "posterior" if setting.posterior else "prior"
    cards = [setting.card, setting.fitted or setting.card]
    return Study(
        f"calibration of {setting.card.name} over its {kind}, engine {setting.engine}",
        partial(replicate, setting=setting),
        OWN[setting.engine] | dict.fromkeys(quantities(setting), int),
        (Cell({}, replicates),),
        seed,
        {
            "cards": fingerprint(cards),
            "definitions": _digest(setting.definitions.model_dump_json().encode()),
            "cohort": _cohort_digest(setting.observed, setting.posterior),
            "engine": setting.engine,
            "structure": setting.structure,
            "fit": _function(setting.sampler).__qualname__,
            "draws": setting.draws,
        },
    )


def _function(fit: Any) -> Any:
    return getattr(fit, "func", fit)  # of a functools.partial


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _cohort_digest(observed: Observations, values: bool) -> str:
    where = observed.log_value if values else observed.observed.astype(float)
    names = [observed.patients, observed.weeks, observed.markers]
    parts = [np.nan_to_num(where), observed.covariate]
    # Rounded as in text: the same on every platform.
    numbers = [[f"{value:.9g}" for value in part.ravel()] for part in parts]
    return _digest(json.dumps([names, numbers]).encode())
