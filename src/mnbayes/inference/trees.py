"""Draws as one labelled DataTree: posterior, predictive, prior, densities, data.

``docs/arviz.md`` has the groups and their variables, and :mod:`mnbayes.inference.contract` the
functions that read them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from mnbayes.base.arrays import Floats
from mnbayes.base.versions import versions
from mnbayes.cards.card import Card
from mnbayes.data.cohort import Cohort
from mnbayes.data.markers import said_of
from mnbayes.data.observations import ModelNeeds, Observations
from mnbayes.inference.completing import (
    Completed,
    CompletedPosterior,
    complete_posterior,
    complete_prior,
)
from mnbayes.inference.contract import CELLS, MARKERS_SAID, PATIENTS, PREDICTIONS, effect_names
from mnbayes.models.correlation import free_pairs
from mnbayes.models.effects import EffectDraws
from mnbayes.models.roles import prior_arguments

#: Dims of each top-level parameter after chain and draw. The visits' changes come first: ArviZ
#: labels a forest by the dims in this order, and the short labels of visits keep those of
#: variables and markers apart.
TOP_LEVEL: dict[str, tuple[str, ...]] = {
    "visit_change": ("later_visit", "marker"),
    "baseline_mean": ("marker",),
    "change_mean": ("marker",),
    "common_change": (),
    "change_spread": (),
    "covariate_slope": ("marker",),
    "baseline_sd": ("marker",),
    "change_sd": ("marker",),
    "visit_sd": ("marker",),
    "residual_sd": ("marker",),
    "serial_sd": ("marker",),
    "serial_weeks": (),
    "residual_df": (),
    "correlation": ("pair",),
}
#: The same of what belongs to a patient.
OWN: dict[str, tuple[str, ...]] = {
    "level": CELLS,
    "patient_baseline": ("patient", "marker"),
    "patient_change": ("patient", "marker"),
}
#: What a variable is on, where that is not the log scale of its markers' units.
_UNITS = {
    "serial_weeks": ("weeks", "linear"),
    "residual_df": ("1", "linear"),
    "correlation": ("1", "linear"),
}
#: Variables in the log of a marker's unit; the other logs are differences and have none.
_LEVELS = (
    *("baseline_mean", "patient_baseline", "level"),
    *("measurement", "new_level", "new_measurement"),
)


def pair_labels(card: Card) -> list[str]:
    """Names of a card's free correlations; a marker that both effects share stands once."""
    if len(card.markers) == 1:
        return ["baseline ~ change"]
    names = effect_names(card.markers)
    labels = []
    for i, j in free_pairs(card.structure.correlation, len(card.markers)):
        marker = names[j].split()[0]
        labels.append(f"{names[j]} ~ {names[i].removeprefix(f'{marker} ')}")
    return labels


def coordinates(card: Card, observations: Observations, chains: int, draws: int) -> xr.Coordinates:
    """Names along every dim of a tree but ``observation``; ``chains`` of ``draws`` each."""
    labels = {
        "chain": np.arange(chains),
        "draw": np.arange(draws),
        "patient": list(observations.patients),
        "visit": list(observations.weeks),
        "later_visit": list(observations.weeks[1:]),
        "marker": list(observations.markers),
        "pair": pair_labels(card),
        "hyperparameter": prior_arguments(card)[0],
    }
    return xr.Coordinates(labels)


def described(name: str, observations: Observations) -> dict[str, str]:
    """Unit and scale of a variable, as its attributes."""
    units, scale = _UNITS.get(name, ("1", "log"))
    if name in _LEVELS:
        known, markers = observations.catalogue, observations.markers
        of_markers = {name: f"{known[name].scale} {known[name].unit}" for name in markers}
        units = ", ".join(f"{marker}: {unit}" for marker, unit in of_markers.items())
        if len(set(of_markers.values())) == 1:
            units = of_markers[markers[0]]
    return {"units": units, "scale": scale}


def attributes(
    card: ModelNeeds, cohort: Cohort, engine: str, seed: int, reasons: Sequence[str]
) -> dict[str, Any]:
    """What a tree says of itself; only types that netCDF has.

    Parameters
    ----------
    card : Card
        Or what stands for it where a model is one's own.
    engine : {"nuts", "pymc", "collapsed"}
    reasons : sequence of str
        Why the fit did not converge; empty where it did.
    """
    origin = "SYNTHETIC COHORT, no real patient" if cohort.synthetic else "measured cohort"
    numbers = versions()
    library = "mnbayes" if engine == "collapsed" else "nutpie"
    return {
        "title": f"Model {card.name}: {origin}",
        "synthetic": int(cohort.synthetic),
        "cohort_sha256": cohort.sha256,
        "card": card.name,
        "primary_week": cohort.primary_week(card.markers),
        MARKERS_SAID: json.dumps(said_of(cohort.catalogue, card.markers)),
        "seed": seed,
        "engine": engine,
        "converged": int(not reasons),
        "not_converged_because": "; ".join(reasons),
        "creation_library": "mnbayes",
        "creation_library_version": numbers["mnbayes"],
        "inference_library": library,
        "inference_library_version": numbers[library],
        "versions": ", ".join(f"{name} {number}" for name, number in numbers.items()),
    }


def _chains(draws: Floats, names: xr.Coordinates) -> Floats:
    """The first axis, chain after chain, as an axis of chains and one of draws."""
    return draws.reshape(names.sizes["chain"], names.sizes["draw"], *draws.shape[1:])


def _dataset(variables: Mapping[str, Any], coords: xr.Coordinates) -> xr.Dataset:
    """A dataset with those coordinates whose dims it has; making indices anew takes longer."""
    used = {dim for dims, *_ in variables.values() for dim in dims}
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
    dims = TOP_LEVEL | {
        "visit_offset": ("later_visit", "marker"),
        "correlation_unit": ("partial",),
        "residual_weight": ("cell",),
        "censored_value": ("censored",),
        "patient_baseline": ("patient", "marker"),
        "patient_offset": ("patient", "marker"),
        "drift_offset": ("patient", "marker", "visit"),
    }
    variables = {
        name: (("chain", "draw", *dims[name]), _chains(array, names))
        for name, array in draws.items()
        if name in dims
    }
    return _dataset(variables, names)


def measured_cells(
    observations: Observations,
) -> tuple[tuple[Any, ...], dict[str, Any], xr.Dataset]:
    """Measured cells: their places, their coordinates, and what was recorded of them.

    Of a censored value ``measurement`` is the limit, or the middle of its interval (on the log
    scale) where it has two.
    """
    cells = np.nonzero(observations.observed)
    axes = observations.patients, observations.weeks, observations.markers
    coords: dict[str, Any] = {"observation": np.arange(cells[0].size)} | {
        name: ("observation", np.array(axis)[index])
        for name, axis, index in zip(CELLS, axes, cells, strict=True)
    }
    unit = described("measurement", observations)
    # ArviZ's survival curves look here, by the variable's name, whether a value is exact.
    status = {"long_name": "1: exact, 0: censored at its limit"}
    recorded = {
        "measurement": (observations.recorded, unit),
        "log_lower": (observations.log_lower, unit),
        "log_upper": (observations.log_upper, unit),
        "exact": ((~observations.censored).astype(int), status),
    }
    variables = {
        name: ("observation", array[cells], attrs) for name, (array, attrs) in recorded.items()
    }
    return cells, coords, xr.Dataset(variables, coords={"observation": coords["observation"]})


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
        Groups ``posterior, patients, posterior_predictive, predictions``, each with its
        counterpart under the prior (``prior, prior_patients, prior_predictive,
        prior_predictions``), and ``log_likelihood, log_prior, sample_stats, observed_data,
        constant_data``. Every value of a marker is a natural logarithm of its canonical unit.
    """
    cells, of_cells, records = measured_cells(observations)

    def variable(name: str, dims: tuple[str, ...], draws: Floats) -> Any:
        return ("chain", "draw", *dims), _chains(draws, names), described(name, observations)

    def group(draws: Mapping[str, Floats], dims: Mapping[str, tuple[str, ...]]) -> xr.Dataset:
        return _dataset(
            {name: variable(name, dims[name], draws[name]) for name in dims if name in draws},
            names,
        )

    pointwise = ("chain", "draw", "observation"), _chains(posterior.loglik, names)
    loglik = _dataset({"measurement": pointwise}, names).assign_coords(of_cells)

    def at_observations(draws: Floats) -> xr.Dataset:
        found = variable("measurement", ("observation",), draws)
        return xr.Dataset({"measurement": found}, coords=loglik.coords)

    def predictions(drawn: Completed) -> xr.Dataset:
        new = {name: getattr(drawn, name) for name in ("new_level", "new_measurement")}
        dims = {"measurement": CELLS} | dict.fromkeys(new, ("visit", "marker"))
        return group({"measurement": drawn.measurement} | new, dims)

    densities = {
        name: (("chain", "draw", *TOP_LEVEL[name][: array.ndim - 1]), _chains(array, names))
        for name, array in posterior.log_prior.items()
    }
    constant = {
        "hyperparameters": (("hyperparameter",), prior_arguments(card)[1]),
        "covariate": (("patient",), observations.covariate),
        "withdrew_week": (("patient",), observations.withdrew_week, {"units": "weeks"}),
        "week": (("visit",), np.array(observations.weeks), {"units": "weeks"}),
    }
    limits = records[["log_lower", "log_upper"]]
    datasets = {
        "posterior": group(posterior.draws, TOP_LEVEL),
        PATIENTS["posterior"]: group(posterior.draws, OWN),
        "posterior_predictive": at_observations(posterior.measurement[:, *cells]),
        PREDICTIONS["posterior"]: predictions(posterior),
        "prior": group(prior.draws, TOP_LEVEL),
        PATIENTS["prior"]: group(prior.draws, OWN),
        "prior_predictive": at_observations(prior.measurement[:, *cells]),
        PREDICTIONS["prior"]: predictions(prior),
        "log_likelihood": loglik,
        "log_prior": _dataset(densities, names),
        "sample_stats": sample_stats,
        "observed_data": xr.Dataset({"measurement": records["measurement"]}, of_cells),
        "constant_data": _dataset(constant, names).assign(
            {"measurement": records["exact"], **limits}
        ),
    }
    tree = xr.DataTree()
    tree.children = {name: xr.DataTree(dataset) for name, dataset in datasets.items()}
    return tree


def completed_tree(
    card: Card,
    observations: Observations,
    drawn: EffectDraws,
    names: xr.Coordinates,
    sample_stats: xr.Dataset,
    *,
    stream: np.random.SeedSequence,
    seed: int,
) -> xr.DataTree:
    """The tree of a posterior's draws, with as many of the prior.

    Parameters
    ----------
    drawn : EffectDraws
        Given the data.
    names : Coordinates
        From :func:`coordinates`.
    sample_stats : Dataset
    stream : SeedSequence
        Of what follows from the draws.
    seed : int
        Of the next patient.
    """
    rng = np.random.default_rng(stream)
    # The streams of the next patient are those that its tables have always had.
    of_posterior, of_prior = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))
    posterior = complete_posterior(card, observations, drawn, rng, of_posterior)
    prior = complete_prior(card, observations, len(posterior.measurement), rng, of_prior)
    return build_tree(card, observations, names, posterior, prior, sample_stats)
