"""Draws of a fit to probabilities of response: six quantities, six names.

``observed``
    The category as measured: 0 or 1, blank where a censored or missing value leaves it open.
``latent``
    P(the patient's true level meets the definition | data), against the true baseline.
``repeat``
    P(a repeat measurement of this patient at this visit would), against the baseline as
    recorded (a replicate of it where that was censored). Under the prior there is no record,
    so both are replicates.
``next_patient``
    P(a new patient from the same population would, as measured).
``population``
    Posterior mean of the share of such patients whose true level meets the definition.
``exceeds``
    P(that share > the definitions' benchmark).

The expensive draws are made once (:func:`response_draws`) and serve both tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mnbayes.answers.categories import CATEGORIES, Category, Interval, classify
from mnbayes.answers.population import next_patient, patient_dims, population_share
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels
from mnbayes.base.montecarlo import normal_points
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import RESPONSE
from mnbayes.inference.contract import (
    PREDICTIONS,
    drawn,
    has_population,
    hyperparameters_of,
    level,
    predicted,
    recorded,
)

type BoolArray = NDArray[np.bool_]

PROTEIN, ALBUMIN = RESPONSE
#: Points of the integral over patients, and the seed of their scrambling: one fixed set, so
#: that shares of different draws differ by their parameters alone.
POINTS, POINTS_SEED = 512, 20240301


@dataclass(frozen=True)
class Response:
    """Draws of a response: ``log_ratio`` and categories, shape (chain, draw, ...)."""

    log_ratio: Floats
    categories: Mapping[Category, BoolArray]


@dataclass(frozen=True)
class GroupDraws:
    """Responses under one group of draws, the posterior or the prior.

    Without categories where the tree has nothing that they could be worked out from: no prior, no
    repeat measurements, nothing of the next patient.

    Attributes
    ----------
    latent, repeat : Response
        Shape (chain, draw, patient, later_visit).
    next_patient : Response
        Shape (chain, draw, later_visit).
    share : mapping
        Category to array, shape (chain, draw, later_visit).
    """

    latent: Response
    repeat: Response
    next_patient: Response
    share: Mapping[Category, Floats]


@dataclass(frozen=True)
class ResponseDraws:
    """Everything that the tables of probabilities need, made once.

    Attributes
    ----------
    patients : tuple of str
    weeks : tuple of float
        Later visits.
    benchmarks : mapping
        Category to benchmark share.
    observed : mapping
        Category to 1, 0 or NaN as measured, shape (patient, later_visit).
    posterior, prior : GroupDraws
    """

    patients: tuple[str, ...]
    weeks: tuple[float, ...]
    benchmarks: Mapping[Category, float]
    observed: Mapping[Category, Floats]
    posterior: GroupDraws
    prior: GroupDraws


def not_evaluable(tree: xr.DataTree) -> dict[Category, str]:
    """Categories that this fit's model cannot evaluate, each with the reason.

    Without ``urine_protein_24h`` that is all of them (and every table here is empty); without
    albumin it is complete remission and what is built on it.
    """
    markers = labels(tree["posterior"].dataset["marker"])
    if PROTEIN not in markers:
        return dict.fromkeys(CATEGORIES, f"needs {PROTEIN}, which is not in this model")
    if ALBUMIN not in markers:
        reason = f"needs {ALBUMIN}, which is not in this model"
        return {c: reason for c in CATEGORIES if c not in ("effective", "none")}
    return {}


def _response(
    baseline: Floats, levels: Floats, albumin: Floats | None, definitions: Definitions
) -> Response:
    return Response(levels - baseline, classify(baseline, levels, albumin, definitions))


def _group_draws(
    tree: xr.DataTree,
    group: str,
    markers: list[str],
    measured: Floats,
    definitions: Definitions,
    rng: np.random.Generator,
) -> GroupDraws:
    def response(draws: xr.DataArray, *dims: str, start: Floats | None = None) -> Response:
        protein = array(draws.sel(marker=PROTEIN), *dims, "visit")
        first = protein[..., 0] if start is None else start
        first = np.where(np.isnan(first), protein[..., 0], first)[..., None]
        albumin = None
        if len(markers) > 1:
            albumin = array(draws.sel(marker=ALBUMIN), *dims, "visit")[..., 1:]
        return _response(first, protein[..., 1:], albumin, definitions)

    nothing = Response(np.empty((0, 0)), {})
    if not drawn(tree, group, "level"):
        return GroupDraws(nothing, nothing, nothing, {})
    shape = (tree[group].sizes["chain"], tree[group].sizes["draw"])

    def by_chain(values: Floats) -> Floats:
        return values.reshape(*shape, *values.shape[1:])

    shares: Mapping[Category, Floats] = {}
    newcomer = repeat = nothing
    if drawn(tree, PREDICTIONS[group], "measurement"):
        repeat = response(predicted(tree, group), "patient", start=measured)
    if has_population(tree, group):
        data = tree[group].to_dataset().sel(marker=markers)
        population, weeks = hyperparameters_of(data), array(data["later_visit"])
        normals = normal_points(POINTS, patient_dims(population), POINTS_SEED)
        shares = population_share(population, weeks, definitions, normals)
    if drawn(tree, PREDICTIONS[group], "new_measurement"):
        newcomer = response(tree[PREDICTIONS[group]].dataset["new_measurement"])
    elif has_population(tree, group):
        baseline, levels = next_patient(population, weeks, rng)
        albumin = by_chain(levels[:, 1].T) if len(markers) > 1 else None
        newcomer = _response(
            by_chain(baseline[0])[..., None], by_chain(levels[:, 0].T), albumin, definitions
        )
    return GroupDraws(
        latent=response(level(tree, group), "patient"),
        repeat=repeat,
        next_patient=newcomer,
        share={category: by_chain(share) for category, share in shares.items()},
    )


def _observed(
    tree: xr.DataTree, markers: list[str], definitions: Definitions
) -> dict[Category, Floats]:
    table = recorded(tree)

    def interval(marker: str, visits: slice) -> Interval:
        data = table.sel(marker=marker).isel(visit=visits)
        columns = [
            array(data[name], "patient", "visit")
            for name in ("log_value", "log_lower", "log_upper")
        ]
        return Interval.from_measurements(*columns)

    albumin = interval(ALBUMIN, slice(1, None)) if len(markers) > 1 else None
    protein = interval(PROTEIN, slice(1, None))
    met = classify(interval(PROTEIN, slice(0, 1)), protein, albumin, definitions)
    return {category: statement.value for category, statement in met.items()}


def response_draws(tree: xr.DataTree, definitions: Definitions, seed: int) -> ResponseDraws | None:
    """Make the draws of response that both tables are built from.

    Parameters
    ----------
    tree : DataTree
        A fit, with posterior and prior and their predictive groups.
    definitions : Definitions
    seed : int
        Of the next patient, where the tree has no draws of one; posterior and prior have
        independent streams.

    Returns
    -------
    ResponseDraws or None
        None where no category is evaluable; :func:`not_evaluable` says why.
    """
    if len(not_evaluable(tree)) == len(CATEGORIES):
        return None
    posterior = tree["posterior"].dataset
    known = labels(posterior["marker"])
    markers = [marker for marker in (PROTEIN, ALBUMIN) if marker in known]
    measured = array(recorded(tree)["log_value"].sel(marker=PROTEIN, visit=0.0))
    of_posterior, of_prior = (
        np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2)
    )
    nothing = np.full_like(measured, np.nan)
    return ResponseDraws(
        patients=tuple(labels(level(tree, "posterior")["patient"])),
        weeks=tuple(array(posterior["later_visit"]).tolist()),
        benchmarks=definitions.benchmarks,
        observed=_observed(tree, markers, definitions),
        posterior=_group_draws(tree, "posterior", markers, measured, definitions, of_posterior),
        prior=_group_draws(tree, "prior", markers, nothing, definitions, of_prior),
    )
