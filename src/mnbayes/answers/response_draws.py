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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mnbayes.answers.categories import Category, Interval, Judge, classify, classify_course, judge
from mnbayes.answers.population import next_patient, patient_dims, population_share
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels
from mnbayes.base.montecarlo import normal_points
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.contract import (
    PREDICTIONS,
    catalogue,
    drawn,
    has_population,
    hyperparameters_of,
    level,
    predicted,
    recorded,
)

#: Points of the integral over patients, and the seed of their scrambling: one fixed set, so
#: that shares of different draws differ by their parameters alone.
POINTS, POINTS_SEED = 512, 20240301
#: Draws from which on prior and posterior are worked out side by side.
BESIDE = 2000


@dataclass(frozen=True)
class Response:
    """Draws of a response, shape (chain, draw, ...).

    Attributes
    ----------
    log_ratio : array
        To baseline, of the first marker that is asked for.
    categories : mapping
        Category to bool; to 1, 0 and NaN, at the last visit, where it must be confirmed.
    """

    log_ratio: Floats
    categories: Mapping[Category, NDArray[Any]]


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


#: Where there are no draws, or none are asked for.
_NOTHING = GroupDraws(*(Response(np.empty((0, 0)), {}),) * 3, {})


@dataclass(frozen=True)
class ResponseDraws:
    """Everything that the tables of probabilities need, made once.

    Attributes
    ----------
    patients : tuple of str
    weeks : tuple of float
        Later visits.
    judged : Judge
        By which they were judged.
    observed : mapping
        Category to 1, 0 or NaN as measured, shape (patient, later_visit).
    posterior, prior : GroupDraws
    """

    patients: tuple[str, ...]
    weeks: tuple[float, ...]
    judged: Judge
    observed: Mapping[Category, Floats]
    posterior: GroupDraws
    prior: GroupDraws

    @property
    def categories(self) -> tuple[Category, ...]:
        """Every category of the definitions, best first."""
        return self.judged.definitions.categories

    @property
    def benchmarks(self) -> Mapping[Category, float]:
        """Category to benchmark share."""
        return self.judged.definitions.benchmarks


def judge_of(tree: xr.DataTree, definitions: Definitions) -> Judge:
    """What definitions come to for the model of a fit."""
    return judge(definitions, labels(tree["posterior"].dataset["marker"]), catalogue(tree))


def _response(
    judged: Judge, baseline: Mapping[str, Floats], visits: Mapping[str, Floats]
) -> Response:
    main = judged.markers[0]
    ratio = visits[main] - baseline[main][..., None]
    return Response(ratio, classify_course(judged, baseline, visits))


def _group_draws(
    tree: xr.DataTree,
    group: str,
    judged: Judge,
    measured: Mapping[str, Floats],
    rng: np.random.Generator,
) -> GroupDraws:
    def response(draws: xr.DataArray, *dims: str, start: Mapping[str, Floats]) -> Response:
        levels = {name: array(draws.sel(marker=name), *dims, "visit") for name in judged.markers}
        first = {name: level[..., 0] for name, level in levels.items()}
        for name, values in start.items():
            first[name] = np.where(np.isnan(values), first[name], values)
        return _response(judged, first, {name: level[..., 1:] for name, level in levels.items()})

    if not drawn(tree, group, "level"):
        return _NOTHING
    shape = (tree[group].sizes["chain"], tree[group].sizes["draw"])

    def by_chain(values: Floats) -> Floats:
        return values.reshape(*shape, *values.shape[1:])

    shares: Mapping[Category, Floats] = {}
    newcomer = repeat = _NOTHING.repeat
    if drawn(tree, PREDICTIONS[group], "measurement"):
        repeat = response(predicted(tree, group), "patient", start=measured)
    course = bool(judged.confirmed)
    if has_population(tree, group):
        data = tree[group].to_dataset().sel(marker=list(judged.markers))
        population, weeks = hyperparameters_of(data), array(data["later_visit"])
        normals = normal_points(POINTS, patient_dims(population, course=course), POINTS_SEED)
        shares = population_share(population, weeks, judged, normals)
    if drawn(tree, PREDICTIONS[group], "new_measurement"):
        newcomer = response(tree[PREDICTIONS[group]].dataset["new_measurement"], start={})
    elif has_population(tree, group):
        baseline, levels = next_patient(population, weeks, rng, course=course)
        newcomer = _response(
            judged,
            {name: by_chain(baseline[i]) for i, name in enumerate(judged.markers)},
            {name: by_chain(levels[:, i].T) for i, name in enumerate(judged.markers)},
        )
    return GroupDraws(
        latent=response(level(tree, group), "patient", start={}),
        repeat=repeat,
        next_patient=newcomer,
        share={category: by_chain(share) for category, share in shares.items()},
    )


def _observed(table: xr.Dataset, judged: Judge) -> dict[Category, Floats]:
    def intervals(visits: slice) -> dict[str, Interval]:
        found = {}
        for marker in judged.markers:
            data = table.sel(marker=marker).isel(visit=visits)
            columns = [
                array(data[name], "patient", "visit")
                for name in ("log_value", "log_lower", "log_upper")
            ]
            found[marker] = Interval.from_measurements(*columns)
        return found

    first = intervals(slice(0, 1))
    met = classify(judged, first, intervals(slice(1, None)))
    values = {category: statement.value for category, statement in met.items()}
    if judged.confirmed:
        both = classify(judged, first, intervals(slice(1, -1)), intervals(slice(2, None)))
        for category in judged.confirmed:
            open_end = np.full((table.sizes["patient"], 1), np.nan)
            values[category] = np.concatenate([both[category].value, open_end], axis=1)
    return {category: values[category] for category in judged.categories}


def response_draws(
    tree: xr.DataTree, definitions: Definitions, seed: int, *, prior: bool = True
) -> ResponseDraws | None:
    """Make the draws of response that both tables are built from.

    Parameters
    ----------
    tree : DataTree
        A fit, with posterior and prior and their predictive groups.
    definitions : Definitions
    seed : int
        Of the next patient, where the tree has no draws of one; posterior and prior have
        independent streams.
    prior : bool
        Whether the draws of the prior are wanted too; they take as long.

    Returns
    -------
    ResponseDraws or None
        None where no category is evaluable; the judge's reasons say why.
    """
    judged = judge_of(tree, definitions)
    if not judged.categories:
        return None
    table = recorded(tree)
    baselines = table["log_value"].sel(visit=0.0)
    measured = {name: array(baselines.sel(marker=name), "patient") for name in judged.markers}
    of_posterior, of_prior = (
        np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2)
    )
    nothing = {name: np.full_like(values, np.nan) for name, values in measured.items()}

    def prior_draws() -> GroupDraws:
        if not prior:
            return _NOTHING
        return _group_draws(tree, "prior", judged, nothing, of_prior)

    # They share nothing; but of few draws two threads wait for each other more than they work.
    size = tree["posterior"].sizes
    with ThreadPoolExecutor(1) as beside:
        other = beside.submit(prior_draws) if size["chain"] * size["draw"] >= BESIDE else None
        posterior = _group_draws(tree, "posterior", judged, measured, of_posterior)
        before = prior_draws() if other is None else other.result()
    return ResponseDraws(
        patients=tuple(labels(level(tree, "posterior")["patient"])),
        weeks=tuple(array(tree["posterior"].dataset["later_visit"]).tolist()),
        judged=judged,
        observed=_observed(table, judged),
        posterior=posterior,
        prior=before,
    )


def without_repeats(draws: ResponseDraws) -> ResponseDraws:
    """The same without repeat measurements, whose errors take as long as all the others'."""
    repeat = replace(draws.posterior.repeat, categories={})
    return replace(draws, posterior=replace(draws.posterior, repeat=repeat))


def without_patients(draws: ResponseDraws) -> ResponseDraws:
    """The same without what is judged of each patient's true level; errors of the rest are few."""
    latent = replace(draws.posterior.latent, categories={})
    return replace(draws, posterior=replace(draws.posterior, latent=latent))
