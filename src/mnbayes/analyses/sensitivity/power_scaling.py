"""Power scaling of every reported answer: whether the priors or the data decide it.

Only the priors of top-level parameters are scaled. The distribution of patients around the
population is part of the model: with it, every hierarchical model would be called sensitive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.sensitivity.marginal_likelihood import marginal_loglik
from mnbayes.answers.response_draws import ResponseDraws
from mnbayes.answers.result import headline_week
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels, typed
from mnbayes.base.montecarlo import effective_draws
from mnbayes.inference.fit import Fit
from mnbayes.inference.importance_weights import (
    highest_khat,
    near_weights,
    scaled_weights,
    sensitivity,
    weighted_mean,
    weighted_median,
)

type Weights = tuple[Floats, Floats]

#: From here on an answer counts as sensitive: ArviZ's and priorsense's convention.
THRESHOLD = 0.05
CONFLICT, STRONG_PRIOR, NONE = "prior-data conflict", "strong prior, weak data", "none"
#: Kinds of answers, in the order of the table.
KINDS = ("gmr", "p_fall", "next_patient", "population", "exceeds")
#: The powers at which answers are worked out, by the ending of their columns.
POWERS: Mapping[str, float] = {"half": 0.5, "double": 2.0}
#: Visits by markers of a patient from which on the likelihood is worked out for half the draws.
MANY_CELLS = 20
#: Spawn key of the draws of weights and censored values; a fit spawns 0 to 2 from its seed.
_STREAM = 4

POWER_COLUMNS = (
    *("model", "kind", "marker", "week", "category", "prior", "value", "mcse"),
    *("prior_sensitivity", "prior_sensitivity_mcse"),
    *("likelihood_sensitivity", "likelihood_sensitivity_mcse"),
    *("diagnosis", "strongest_prior"),
    *(f"{name}_{ending}" for ending in POWERS for name in ("value", "mcse", "khat")),
)


def diagnose(prior: float, likelihood: float) -> str:
    """Name what two sensitivities say of an answer.

    Returns
    -------
    str
        :data:`NONE` if the priors hardly move it; :data:`CONFLICT` if the priors and the data
        both do; :data:`STRONG_PRIOR` if the priors do and the data hardly; blank where a
        sensitivity is NaN.
    """
    if np.isnan(prior) or np.isnan(likelihood):
        return ""
    if prior < THRESHOLD:
        return NONE
    return CONFLICT if likelihood >= THRESHOLD else STRONG_PRIOR


def log_priors(fit: Fit) -> dict[str, Floats]:
    """Log prior density of each top-level parameter at the posterior draws.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    dict
        Parameter to array, shape (chain, draw); markers summed up.
    """
    group = fit.tree["log_prior"].dataset
    found = {}
    for name in fit.required_card.parameters:
        rest = [dim for dim in group[name].dims if dim not in ("chain", "draw")]
        found[name] = array(group[name].sum(rest))
    return found


def _behind(fit: Fit, draws: ResponseDraws | None, week: float) -> dict[tuple[str, str], Floats]:
    """Draws of the quantities behind the answers at a visit, shape (chain, draw) each.

    Returns
    -------
    dict
        By marker and category, one of them blank: a log ratio, or the share of a category.
    """
    log_gmr = fit.tree["posterior"].dataset["visit_change"].sel(later_visit=week)
    found = {
        (marker, ""): array(log_gmr.sel(marker=marker)) for marker in labels(log_gmr["marker"])
    }
    if draws is not None:
        at = draws.weeks.index(week)
        found |= {("", c): share[..., at] for c, share in draws.posterior.share.items()}
    return found


def _averaged(row: Mapping[str, Any], behind: Floats, draws: ResponseDraws | None) -> Floats | None:
    """Draws whose mean is the answer, shape (chain, draw); None of a ratio, which is a median."""
    kind, category = row["kind"], row["category"]
    if kind == "p_fall":
        return (behind < 0).astype(float)
    if draws is not None and kind == "exceeds":
        return (behind > draws.benchmarks[category]).astype(float)
    if draws is not None and kind == "next_patient":
        met = draws.posterior.next_patient.categories[category]
        return met[..., draws.weeks.index(row["week"])].astype(float)
    return behind if kind == "population" else None


def power_scaling(fit: Fit, draws: ResponseDraws | None, answers: pd.DataFrame) -> pd.DataFrame:
    """Power scaling of the answers at the primary week (``power_scaling.csv``).

    Parameters
    ----------
    fit : Fit
    draws : ResponseDraws or None
        The ones that the answers were worked out from.
    answers : DataFrame
        From :func:`mnbayes.answers.answer_table`.

    Returns
    -------
    DataFrame
        Columns :data:`POWER_COLUMNS`, a row for each ratio, probability of a fall and, for each
        category of response, ``next_patient``, ``population`` and ``exceeds``.

        - ``prior, value, mcse``: under the prior alone, given the data, and its error;
        - ``prior_sensitivity, likelihood_sensitivity``: see
          :func:`mnbayes.inference.importance_weights.sensitivity`, of the quantity behind the
          answer
          (the log ratio, or the share of patients), for all top-level priors together and for the
          likelihood of
          :func:`mnbayes.analyses.sensitivity.marginal_likelihood.marginal_loglik`;
        - ``diagnosis``: see :func:`diagnose`;
        - ``strongest_prior``: the parameter whose prior, scaled by itself, moves the answer
          most; blank where the priors hardly move it;
        - ``value_half, value_double``: the answer if the priors counted half or twice, with
          Monte Carlo error (blank for ratios) and the weights' Pareto shape; blank where that
          is too high (:func:`mnbayes.inference.importance_weights.highest_khat`).
    """
    responses = ["", *(draws.judged.definitions.responses if draws is not None else ())]
    shown = answers["kind"].isin(KINDS) & answers["category"].isin(responses)
    week = fit.primary_week if draws is None else headline_week(fit, draws.judged.definitions)
    table = answers[shown & (answers["week"] == week)]
    markers = list(fit.observations.markers)
    rank = table["marker"].map({name: i for i, name in enumerate(markers)}).fillna(len(markers))
    order = table["kind"].map({kind: i for i, kind in enumerate(KINDS)})
    # Ratio and fall marker by marker, then the responses.
    table = table.assign(rank=rank, order=order).sort_values(["rank", "order"], kind="stable")
    by_prior = log_priors(fit)
    priors = np.sum(list(by_prior.values()), axis=0)
    seed = np.random.SeedSequence(fit.sampling.seed, spawn_key=(_STREAM,))
    # Large covariance matrices take a second; half of the draws say as much of the likelihood.
    every = 2 if fit.observations.observed[0].size > MANY_CELLS else 1
    likelihood = marginal_loglik(fit, np.random.default_rng(seed), every)
    scaled = {ending: scaled_weights(priors, power) for ending, power in POWERS.items()}
    near = {name: near_weights(each) for name, each in by_prior.items()}
    of_priors, of_data = near_weights(priors), near_weights(likelihood)

    quantities = _behind(fit, draws, week)
    rows = [{str(key): cell for key, cell in row.items()} for row in table.to_dict("records")]
    moved = {
        what: _sensitivities(quantities[what], of_priors, of_data, near, every)
        for what in dict.fromkeys((row["marker"], row["category"]) for row in rows)
    }
    cells = []
    for row in rows:
        what = (row["marker"], row["category"])
        averaged = _averaged(row, quantities[what], draws)
        cells.append(moved[what] | _rescaled(quantities[what], averaged, scaled))
    found = pd.concat([table.reset_index(drop=True), pd.DataFrame(cells)], axis=1).assign(
        model=fit.name
    )
    texts = ("model", "kind", "marker", "category", "diagnosis", "strongest_prior")
    return typed(found.reindex(columns=list(POWER_COLUMNS)), texts)


def _sensitivities(
    behind: Floats,
    of_priors: Weights | None,
    of_data: Weights | None,
    near: Mapping[str, Weights | None],
    every: int,
) -> dict[str, float | str]:
    prior = sensitivity(behind, of_priors)
    data = sensitivity(behind[:, ::every], of_data)
    diagnosis = diagnose(prior[0], data[0])
    strongest = ""
    if diagnosis in (CONFLICT, STRONG_PRIOR):
        alone = {name: sensitivity(behind, weights)[0] for name, weights in near.items()}
        strongest = max(alone, key=lambda name: alone[name])
    return {
        "prior_sensitivity": prior[0],
        "prior_sensitivity_mcse": prior[1],
        "likelihood_sensitivity": data[0],
        "likelihood_sensitivity_mcse": data[1],
        "diagnosis": diagnosis,
        "strongest_prior": strongest,
    }


def _rescaled(
    behind: Floats,
    averaged: Floats | None,
    scaled: Mapping[str, tuple[Floats, float]],
) -> dict[str, float | str]:
    """The answer with the priors counting half and double; blank where it cannot be relied on."""
    found: dict[str, float | str] = {}
    effective = float(effective_draws(behind)) if np.ptp(behind) > 0 else float(behind.size)
    for ending, (weights, khat) in scaled.items():
        if averaged is None:
            value, error = float(np.exp(weighted_median(behind, weights))), float("nan")
        else:
            value, error = weighted_mean(averaged, weights, effective)
        if not khat <= highest_khat(behind.size):
            value = error = float("nan")
        found |= {f"value_{ending}": value, f"mcse_{ending}": error, f"khat_{ending}": khat}
    return found
