"""Draws as one labelled DataTree: posterior, predictive, prior, densities, data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.inference.completing import Completed, CompletedPosterior
from mnbayes.models.longitudinal import hyperparameters

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


def coordinates(card: Card, observations: Observations, chains: int, draws: int) -> xr.Coordinates:
    """Names along every dim of a tree but ``observation``; ``chains`` of ``draws`` each."""
    names = effect_names(observations.markers)
    labels = {
        "chain": np.arange(chains),
        "draw": np.arange(draws),
        "patient": list(observations.patients),
        "visit": list(observations.weeks),
        "later_visit": list(observations.weeks[1:]),
        "marker": list(observations.markers),
        "effect": names,
        "effect_other": names,
        "hyperparameter": hyperparameters(card)[0],
    }
    return xr.Coordinates(labels)


def _chains(draws: Floats, names: xr.Coordinates) -> Floats:
    """The first axis, chain after chain, as an axis of chains and one of draws."""
    return draws.reshape(names.sizes["chain"], names.sizes["draw"], *draws.shape[1:])


def _dataset(
    variables: Mapping[str, tuple[tuple[str, ...], Floats]], coords: xr.Coordinates
) -> xr.Dataset:
    """A dataset with those coordinates whose dims it has; making indices anew takes longer."""
    used = {dim for dims, _ in variables.values() for dim in dims}
    kept = {name: array for name, array in coords.variables.items() if used.issuperset(array.dims)}
    indices = {name: index for name, index in coords.xindexes.items() if name in kept}
    return xr.Dataset(variables, coords=xr.Coordinates(kept, indices))


def top_level(draws: Mapping[str, Floats], names: xr.Coordinates) -> xr.Dataset:
    """Draws of the top-level parameters with their names, for diagnostics.

    Parameters
    ----------
    draws : mapping
        The draw on the first axis, chain after chain.
    names : Coordinates
        From :func:`coordinates`.
    """
    dims = DIMS | {
        "visit_offset": ("later_visit", "marker"),
        "correlation_unit": ("partial",),
        "residual_weight": ("cell",),
        "censored_value": ("censored",),
    }
    variables = {
        name: (("chain", "draw", *dims[name]), _chains(array, names))
        for name, array in draws.items()
        if name in dims
    }
    return _dataset(variables, names)


def build_tree(
    card: Card,
    observations: Observations,
    names: xr.Coordinates,
    posterior: CompletedPosterior,
    prior: Completed,
    sample_stats: xr.Dataset,
) -> xr.DataTree:
    """Draws of a fit as its DataTree.

    Parameters
    ----------
    names : Coordinates
        From :func:`coordinates`.
    posterior, prior : CompletedPosterior, Completed
        Of as many draws each.
    sample_stats : Dataset
        The sampler's, with dims ``chain`` and ``draw``.

    Returns
    -------
    DataTree
        Groups ``posterior, posterior_predictive, prior, prior_predictive, log_likelihood,
        log_prior, sample_stats, observed_data, constant_data``; every value of a marker is a
        natural logarithm of its canonical unit.
    """
    cells = np.nonzero(observations.observed)
    axes = observations.patients, observations.weeks, observations.markers
    # A patient's dimension and an observation's patient have the same name in different groups.
    of_cells = {"observation": np.arange(cells[0].size)} | {
        name: ("observation", np.array(axis)[index])
        for name, axis, index in zip(("patient", "visit", "marker"), axes, cells, strict=True)
    }

    def group(values: Mapping[str, Floats]) -> xr.Dataset:
        return _dataset(
            {
                name: (("chain", "draw", *DIMS[name]), _chains(array, names))
                for name, array in values.items()
                if name in DIMS
            },
            names,
        )

    densities = {
        name: (("chain", "draw", *DIMS[name][: array.ndim - 1]), _chains(array, names))
        for name, array in posterior.log_prior.items()
    }
    loglik = {"measurement": (("chain", "draw", "observation"), _chains(posterior.loglik, names))}
    dims3 = ("patient", "visit", "marker")
    observed = {
        "log_value": (dims3, observations.log_value),
        "log_lower": (dims3, observations.log_lower),
        "log_upper": (dims3, observations.log_upper),
    }
    constant = {
        "hyperparameters": (("hyperparameter",), hyperparameters(card)[1]),
        "covariate": (("patient",), observations.covariate),
        "withdrew_week": (("patient",), observations.withdrew_week),
    }
    tree = xr.DataTree()
    tree.children = {
        name: xr.DataTree(dataset)
        for name, dataset in {
            "posterior": group(posterior.draws),
            "posterior_predictive": group({"measurement": posterior.measurement}),
            "prior": group(prior.draws),
            "prior_predictive": group({"measurement": prior.measurement}),
            "log_likelihood": _dataset(loglik, names).assign_coords(of_cells),
            "log_prior": _dataset(densities, names),
            "sample_stats": sample_stats,
            "observed_data": _dataset(observed, names),
            "constant_data": _dataset(constant, names),
        }.items()
    }
    return tree
