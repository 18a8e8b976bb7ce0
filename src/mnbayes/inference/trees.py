"""Draws as one labelled DataTree: posterior, predictive, prior, densities, data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from mnbayes.cards import Card
from mnbayes.models import effects as fx
from mnbayes.models.likelihood import draw_prior, log_prior, pointwise_loglik
from mnbayes.models.longitudinal import hyperparameters
from mnbayes.models.observations import Observations
from mnbayes.numerics.groups import Floats

#: Dims of each variable after chain and draw.
DIMS: dict[str, tuple[str, ...]] = {
    "baseline_mean": ("marker",),
    "change_mean": ("marker",),
    "common_change": (),
    "change_spread": (),
    "visit_change": ("later_visit", "marker"),
    "covariate_slope": ("marker",),
    "baseline_sd": ("marker",),
    "change_sd": ("marker",),
    "visit_sd": ("marker",),
    "residual_sd": ("marker",),
    "serial_sd": ("marker",),
    "serial_weeks": (),
    "residual_df": (),
    "correlation": ("effect", "effect_other"),
    "patient_baseline": ("patient", "marker"),
    "patient_change": ("patient", "marker"),
    "level": ("patient", "visit", "marker"),
    "measurement": ("patient", "visit", "marker"),
}


def effect_names(markers: tuple[str, ...]) -> list[str]:
    """Names of the patient effects: baselines of every marker, then changes."""
    return [f"{marker} {kind}" for kind in ("baseline", "change") for marker in markers]


def _coords(observations: Observations) -> dict[str, object]:
    names = effect_names(observations.markers)
    return {
        "patient": list(observations.patients),
        "visit": list(observations.weeks),
        "later_visit": list(observations.weeks[1:]),
        "marker": list(observations.markers),
        "effect": names,
        "effect_other": names,
    }


def top_level(draws: Mapping[str, Floats], observations: Observations, chains: int) -> xr.Dataset:
    """Draws of the top-level parameters with their names, for diagnostics.

    Parameters
    ----------
    draws : mapping
        The draw on the first axis, chain after chain.
    """
    dims = DIMS | {
        "visit_offset": ("later_visit", "marker"),
        "correlation_unit": ("partial",),
        "residual_weight": ("cell",),
        "censored_value": ("censored",),
    }
    known = {name: array for name, array in draws.items() if name in dims}
    return _dataset(known, chains, _coords(observations), dims)


def _dataset(
    values: Mapping[str, Floats],
    chains: int,
    coords: Mapping[str, object],
    dims: Mapping[str, tuple[str, ...]],
) -> xr.Dataset:
    variables = {
        name: (("chain", "draw", *dims[name]), array.reshape(chains, -1, *array.shape[1:]))
        for name, array in values.items()
    }
    used = {d for name in values for d in dims[name]}
    draws = next(iter(variables.values()))[1].shape[1]
    index = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return xr.Dataset(variables, coords=index | {k: v for k, v in coords.items() if k in used})


def _named(
    draws: Mapping[str, Floats],
    parameters: fx.Parameters,
    deviations: tuple[Floats, Floats],
    observations: Observations,
) -> dict[str, Floats]:
    """The variables of the ``posterior`` or ``prior`` group, without chains."""
    effects, serial = deviations
    n_marker = len(observations.markers)
    factor = parameters.cholesky
    out = {name: array for name, array in draws.items() if name in DIMS}
    return out | {
        "visit_change": parameters.visit_change,
        "correlation": factor @ factor.transpose(0, 2, 1),
        "patient_baseline": parameters.baseline_mean[:, None] + effects[..., :n_marker],
        "patient_change": effects[..., n_marker:],
        "level": fx.levels(parameters, effects, serial, observations.covariate),
    }


def build_tree(
    card: Card,
    observations: Observations,
    draws: Mapping[str, Floats],
    sample_stats: xr.Dataset,
    rng: np.random.Generator,
    effects: Floats | None = None,
) -> xr.DataTree:
    """Complete draws of the top-level parameters to the DataTree of a fit.

    Parameters
    ----------
    draws : mapping
        From :func:`mnbayes.models.fixed_effects.draw_fixed_effects`, say.
    sample_stats : Dataset
        The sampler's, with dims ``chain`` and ``draw``.
    rng : Generator
    effects : array, shape (draw, patient, effect), optional
        Patient effects given the data, where they were drawn already; without serial correlation.

    Returns
    -------
    DataTree
        Groups ``posterior, posterior_predictive, prior, prior_predictive, log_likelihood,
        log_prior, sample_stats, observed_data, constant_data``; every value of a marker is a
        natural logarithm of its canonical unit.
    """
    chains, n = (
        sample_stats.sizes["chain"],
        sample_stats.sizes["chain"] * sample_stats.sizes["draw"],
    )
    parameters = fx.parameters_from_draws(draws, card.structure.correlation)
    if effects is None:
        deviations = fx.conditional_deviations(
            parameters, observations, rng, draws.get("residual_weight"), draws.get("censored_value")
        )
    else:
        deviations = effects, np.zeros((n, *observations.log_value.shape))
    named = _named(draws, parameters, deviations, observations)

    prior_draws = draw_prior(card, len(observations.weeks) - 1, n, rng)
    prior_parameters = fx.parameters_from_draws(prior_draws, card.structure.correlation)
    weeks = np.array(observations.weeks)
    prior_deviations = fx.prior_deviations(prior_parameters, weeks, len(observations.patients), rng)
    prior_named = _named(prior_draws, prior_parameters, prior_deviations, observations)

    coords = _coords(observations)
    index = [np.array(axis)[i] for axis, i in zip(
        (observations.patients, observations.weeks, observations.markers),
        np.nonzero(observations.observed), strict=True)]  # fmt: skip
    cell = {"observation": np.arange(index[0].size)} | {
        name: ("observation", values)
        for name, values in zip(("patient", "visit", "marker"), index, strict=True)
    }
    densities = log_prior(card, draws)
    density_dims = {k: DIMS[k] if v.ndim > 1 else () for k, v in densities.items()}
    dims3 = ("patient", "visit", "marker")
    label, value = hyperparameters(card)
    tree = {
        "posterior": _dataset(named, chains, coords, DIMS),
        "posterior_predictive": _dataset(
            {"measurement": fx.measurements(named["level"], parameters, rng)}, chains, coords, DIMS
        ),
        "prior": _dataset(prior_named, chains, coords, DIMS),
        "prior_predictive": _dataset(
            {"measurement": fx.measurements(prior_named["level"], prior_parameters, rng)},
            chains, coords, DIMS,
        ),
        "log_likelihood": _dataset(
            {"measurement": pointwise_loglik(named["level"], parameters, observations)},
            chains, cell, {"measurement": ("observation",)},
        ).assign_coords(cell),
        "log_prior": _dataset(densities, chains, coords, density_dims),
        "sample_stats": sample_stats,
        "observed_data": xr.Dataset(
            {
                "log_value": (dims3, observations.log_value),
                "log_lower": (dims3, observations.log_lower),
                "log_upper": (dims3, observations.log_upper),
            },
            coords={k: coords[k] for k in dims3},
        ),
        "constant_data": xr.Dataset(
            {
                "hyperparameters": ("hyperparameter", value),
                "covariate": ("patient", observations.covariate),
                "withdrew_week": ("patient", observations.withdrew_week),
            },
            coords={"hyperparameter": label, "patient": coords["patient"]},
        ),
    }  # fmt: skip
    return xr.DataTree.from_dict(tree)
