"""The longitudinal model of log marker levels as a PyMC model.

    log y[i,t,k] ~ Normal or StudentT(level[i,t,k], residual_sd[k])
    level[i,t,k] = baseline[i,k] + 1(t > 0) (visit_change[t,k] + change[i,k] + x[i] slope[k])
                   + optionally a part whose correlation falls exponentially in time
    visit_change[t,k] = change_mean[k] + visit_sd[k] visit_offset[t,k]
    optionally change_mean[k] ~ Normal(common_change, change_spread)
    (baseline - baseline_mean, change) ~ MvNormal(0, diag(sd) C diag(sd)),  C ~ LKJ

The patient effects, and the means and visit deviations that have normal priors, are
integrated out (:mod:`mnbayes.numerics.marginal`) and drawn exactly afterwards
(:mod:`mnbayes.models.fixed_effects`, :mod:`mnbayes.models.effects`). With eight patients that
removes the funnels between effects and their SDs, which is where explicit parametrisations
diverge; what is left to the sampler are the SDs and correlations.

Prior arguments, observations and censoring limits are model data: with new numbers the
compiled model is reused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.models.correlation import free_partials, partial_alpha
from mnbayes.models.marginal_op import MarginalLogLik

#: Parameters that are linear in the mean: one value for each marker, in the kernel's order.
FIXED = ("baseline_mean", "change_mean", "covariate_slope")
#: Parameters with one value for the model; the others have one for each marker.
SCALAR = ("common_change", "change_spread", "serial_weeks", "residual_df")


def integrated(card: Card, parameter: str) -> bool:
    """Whether a parameter is integrated out: it is linear and its prior is normal."""
    linear = (*FIXED, "common_change")
    return parameter in linear and card.family(parameter) == "Normal"


def hyperparameters(card: Card) -> tuple[list[str], Floats]:
    """Prior arguments as one labelled vector, in the order the model reads them.

    One vector, since each model-data array lengthens compilation. The LKJ parameter enters
    as the beta parameters of the partial correlations.

    Returns
    -------
    labels : list of str
    values : array, shape (hyperparameter,)
    """
    labels: list[str] = []
    values: list[Floats] = []
    for parameter in card.parameters:
        if parameter == "correlation":
            eta = float(card.argument_values(parameter)["eta"][0])
            alpha = partial_alpha(card.structure.correlation, len(card.markers), eta)
            labels += [f"correlation.alpha[{i}]" for i in range(alpha.size)]
            values.append(alpha)
            continue
        for argument, array in card.argument_values(parameter).items():
            keys = card.markers if array.size == len(card.markers) else ("model",)
            labels += [f"{parameter}.{argument}[{key}]" for key in keys]
            values.append(array)
    return labels, np.concatenate(values)


def censoring_limits(observations: Observations) -> dict[str, Floats]:
    """Finite limits of the censored values by kind, in the order of the cells.

    Returns
    -------
    dict
        ``between``: shape (n, 2); ``below``, ``above``: shape (n, 1).
    """
    hidden = observations.censored
    limits = np.stack([observations.log_lower[hidden], observations.log_upper[hidden]], axis=1)
    kind = _kinds(limits)
    return {
        "between": limits[kind == 0],
        "below": limits[kind == 1, 1:],
        "above": limits[kind == 2, :1],
    }


def _kinds(limits: Floats) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.where(np.isfinite(limits).all(axis=1), 0, np.where(np.isfinite(limits[:, 1]), 1, 2))


def censored_order(observations: Observations) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where each censored cell stands among the values sorted by kind."""
    hidden = observations.censored
    limits = np.stack([observations.log_lower[hidden], observations.log_upper[hidden]], axis=1)
    return np.argsort(np.argsort(_kinds(limits), kind="stable"), kind="stable")


def model_data(card: Card, observations: Observations) -> dict[str, Floats]:
    """Everything that may change without compiling, by the name of its model data.

    Raises
    ------
    ValueError
        If a number is not finite; the compiled model would not notice.
    """
    data = {"hyperparameters": hyperparameters(card)[1], "cells": observations.groups.packed()}
    data |= {f"limits_{k}": v for k, v in censoring_limits(observations).items() if v.size}
    for name, array in data.items():
        if not np.isfinite(array).all():
            raise ValueError(f"model data {name} holds a number that is not finite")
    return data


def structure_key(card: Card, observations: Observations) -> tuple[Any, ...]:
    """What decides the compiled code; fits with equal keys share one compilation.

    Patients and visits are not in it: they enter as data of the kernel.
    """
    return (
        len(observations.markers),
        card.structure.residual,
        card.structure.serial,
        bool(card.structure.covariate),
        card.structure.shrink,
        card.structure.correlation,
        tuple(card.family(parameter) for parameter in card.parameters),
        observations.groups.visit.size if observations.weights else 0,
        tuple(censored_order(observations)),
        tuple(len(v) for v in censoring_limits(observations).values()),
    )


def build_model(card: Card, observations: Observations) -> Any:
    """Build the PyMC model of a card on a cohort's observations.

    Parameters
    ----------
    card : Card
    observations : Observations

    Returns
    -------
    pymc.Model
        Dim ``marker``; model data ``hyperparameters`` and ``cells``; the log-likelihood is the
        potential ``marginal_loglik``.
    """
    import pymc as pm
    import pytensor.tensor as pt

    n_marker = len(observations.markers)
    free = free_partials(card.structure.correlation, n_marker)
    labels, _ = hyperparameters(card)
    data = model_data(card, observations)
    coords: dict[str, list[Any]] = {
        "marker": list(observations.markers),
        "hyperparameter": labels,
        "partial": free.tolist(),
    }
    with pm.Model(coords=coords) as model:
        vector = pm.Data("hyperparameters", data["hyperparameters"], dims="hyperparameter")
        position = 0

        def take(count: int) -> Any:
            nonlocal position
            position += count
            return vector[position - count : position]

        parameter: dict[str, Any] = {}
        fixed_sd: dict[str, Any] = {}
        for name in card.parameters:
            if name == "correlation":
                alpha = take(len(coords["partial"]))
                parameter[name] = pm.Beta("correlation_unit", alpha, alpha, dims="partial")
                uncorrelated = np.full(n_marker * (2 * n_marker - 1), 0.5)
                if free.size < uncorrelated.size:
                    among_all = pt.constant(uncorrelated)[free]
                    parameter[name] = pt.set_subtensor(among_all, parameter[name])
                continue
            family = card.family(name)
            shared = card.argument_values(name)
            size = len(next(iter(shared.values())))
            arguments = {argument: take(size) for argument in shared}
            if name in SCALAR:
                arguments = {argument: value[0] for argument, value in arguments.items()}
            if integrated(card, name):
                parameter[name], fixed_sd[name] = arguments["mu"], arguments["sigma"]
            elif family == "HalfNormal":
                dims = None if name in SCALAR else "marker"
                parameter[name] = _half_normal(pm, pt, name, arguments["sigma"], dims)
            elif name in SCALAR:
                parameter[name] = getattr(pm, family)(name, **arguments)
            else:
                parameter[name] = getattr(pm, family)(name, **arguments, dims="marker")
        zeros = np.zeros(n_marker)
        if card.structure.shrink:
            parameter["change_mean"] = parameter["common_change"] * np.ones(n_marker)
            fixed_sd["change_mean"] = parameter["change_spread"] * np.ones(n_marker)
        common_sd = pt.atleast_1d(fixed_sd.get("common_change", 0.0))
        weight: Any = np.zeros(0)
        if observations.weights:
            weight = _weights(pm, pt, parameter["residual_df"], observations.groups.visit.size)
        loglik = MarginalLogLik()(
            parameter["baseline_mean"],
            parameter["change_mean"],
            parameter.get("covariate_slope", zeros),
            parameter["visit_sd"],
            parameter["baseline_sd"],
            parameter["change_sd"],
            parameter["correlation"],
            parameter["residual_sd"],
            parameter.get("serial_sd", zeros),
            parameter.get("serial_weeks", np.array(1.0)),
            weight,
            _censored_values(pm, pt, observations, data),
            pt.concatenate([*(fixed_sd.get(name, zeros) for name in FIXED), common_sd]),
            pm.Data("cells", data["cells"]),
        )[0]
        pm.Potential("marginal_loglik", loglik)
    return model


def _half_normal(pm: Any, pt: Any, name: str, sigma: Any, dims: str | None) -> Any:
    """A half-normal parameter as its quantile at the probability of a standard normal score.

    The sampler then sees the prior as a standard normal. On the log scale, PyMC's choice, an SD
    that the data do not keep away from 0 has a long tail there, which costs small steps.
    """
    score = pm.Normal(f"{name}_score", 0.0, 1.0, dims=dims)
    upper_tail = 0.5 * pt.erfc(score / np.sqrt(2.0))
    return pm.Deterministic(name, sigma * np.sqrt(2.0) * pt.erfcinv(upper_tail), dims=dims)


def _weights(pm: Any, pt: Any, df: Any, cells: int) -> Any:
    """Precision multipliers ``w ~ Gamma(df / 2, df / 2)`` of Student-t residuals.

    Sampled as ``log w / sqrt(2 / df)``, whose spread hardly depends on ``df``: sampled as
    they are, the weights and ``df`` form a funnel (E-BFMI below 0.2 in trials).
    """
    half = df / 2.0
    scale = pt.sqrt(1.0 / half)
    offset = pm.Flat("weight_offset", shape=cells)
    log_weight = scale * offset
    weight = pm.Deterministic("residual_weight", pt.exp(log_weight))
    density = half * (pt.log(half) + log_weight - weight) - pt.gammaln(half) + pt.log(scale)
    pm.Potential("weight_density", density.sum())
    return weight


def _censored_values(pm: Any, pt: Any, observations: Observations, data: dict[str, Floats]) -> Any:
    """Unknown values, flat inside their intervals.

    Integrating them out gives the interval likelihood.
    """
    parts = []
    if "limits_between" in data:
        limits = pm.Data("limits_between", data["limits_between"])
        parts.append(pm.Uniform("censored_between", limits[:, 0], limits[:, 1]))
    for kind, sign in (("below", -1.0), ("above", 1.0)):
        if f"limits_{kind}" in data:
            limits = pm.Data(f"limits_{kind}", data[f"limits_{kind}"])
            distance = pm.HalfFlat(f"censored_{kind}", shape=len(data[f"limits_{kind}"]))
            parts.append(limits[:, 0] + sign * distance)
    if not parts:
        return np.zeros(0)
    return pm.Deterministic("censored_value", pt.concatenate(parts)[censored_order(observations)])
