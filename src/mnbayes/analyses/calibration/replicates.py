"""One replicate of a calibration, and the study of many."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mnbayes.analyses.calibration.posterior import posterior_case
from mnbayes.analyses.calibration.quantities import Group, test_quantities
from mnbayes.analyses.calibration.ranks import ranks
from mnbayes.analyses.calibration.simulate import Setting, prior_case
from mnbayes.data.observations import Observations
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.study import Cell, Study

#: Of a fit, what no quantity needs: the levels hold the patients.
_UNUSED = ("loglik", "patient_baseline", "patient_change")
#: Columns of a study besides the ranks.
OWN = {"pareto_k": float, "effective": float, "distinct": int}


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
        Quantity to rank, and what :data:`OWN` names: Pareto k and effective number of the draws
        before resampling, and how many of the L are different points.

    Raises
    ------
    UntrustedFitError
    """
    simulation, fitting, ranking = (np.random.default_rng(s) for s in stream.spawn(3))
    truth, observations = (posterior_case if setting.posterior else prior_case)(setting, simulation)
    fit = setting.fit_to(observations, fitting, setting.draws)
    both = {
        name: np.concatenate([truth[name], fit.draws[name]])
        for name in truth
        if name in fit.draws and name not in _UNUSED
    }
    found = test_quantities(setting, both, observations, ranking)
    named = {name: values for group in found.values() for name, values in group.items()}
    rank = ranks(np.stack(list(named.values())), ranking)
    own = {
        "pareto_k": fit.pareto_k,
        "effective": fit.effective,
        "distinct": len(np.unique(fit.draws["residual_sd"], axis=0)),
    }
    return own | dict(zip(named, rank.tolist(), strict=True))


def quantities(setting: Setting) -> dict[str, Group]:
    """The quantities of a setting by name, with the group that each belongs to."""
    rng = np.random.default_rng(0)
    plain = replace(setting, posterior=False)
    truth, observations = prior_case(plain, rng)
    found = test_quantities(plain, truth, observations, rng)
    return {name: group for group, named in found.items() for name in named}


def calibration_study(setting: Setting, replicates: int, seed: int) -> Study:
    """The study of a setting.

    Its identity holds hashes of the card, the definitions and the cohort: of the
    cohort's values for calibration given them, otherwise of where it has values.
    """
    kind = "posterior" if setting.posterior else "prior"
    cards = [setting.card, setting.fitted or setting.card]
    return Study(
        f"calibration of {setting.card.name} over its {kind}",
        partial(replicate, setting=setting),
        OWN | dict.fromkeys(quantities(setting), int),
        (Cell({}, replicates),),
        seed,
        {
            "cards": fingerprint(cards),
            "definitions": _digest(setting.definitions.model_dump_json().encode()),
            "cohort": _cohort_digest(setting.observed, setting.posterior),
            "fit": _function(setting.fit).__qualname__,
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
