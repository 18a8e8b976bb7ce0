"""Draws of what a rule is about: the share of responders, true or as measured, or a ratio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from mnbayes.answers.categories import Category, Judge, classify
from mnbayes.answers.population import CHUNK, patient_dims, population_share, true_levels
from mnbayes.answers.response_draws import POINTS, POINTS_SEED, judge_of
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array
from mnbayes.base.montecarlo import normal_points
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.contract import hyperparameters_of
from mnbayes.models.hyperparameters import Hyperparameters

#: Points of the integral over patients and their measurement noise, which has more dimensions.
MEASURED_POINTS = 1024


def _hyperparameters(
    tree: xr.DataTree, group: str, judged: Judge, weeks: Floats
) -> tuple[Hyperparameters, tuple[int, int]]:
    """Those of some later visits, draws stacked; their chains and draws."""
    data = tree[group].to_dataset().sel(marker=list(judged.markers), later_visit=weeks)
    return hyperparameters_of(data), (tree[group].sizes["chain"], tree[group].sizes["draw"])


def true_share(
    tree: xr.DataTree, group: str, category: Category, week: float, definitions: Definitions
) -> Floats:
    """Share of such patients whose true level meets the definition, for each draw.

    The same integration points as the reported ``population`` and ``exceeds``, so that a rule
    and the tables say the same.

    Parameters
    ----------
    tree : DataTree
        A fit that can judge the category.
    group : {"posterior", "prior"}
    category : str
    week : float
        One of the fit's later visits.
    definitions : Definitions

    Returns
    -------
    array, shape (chain, draw)
    """
    judged = judge_of(tree, definitions)
    # A response that must be confirmed is judged on whole courses, as in the tables.
    visits = array(tree[group].dataset["later_visit"])
    weeks = visits if judged.confirmed else visits[visits == week]
    population, shape = _hyperparameters(tree, group, judged, weeks)
    size = patient_dims(population, course=bool(judged.confirmed))
    normals = normal_points(POINTS, size, POINTS_SEED)
    shares = population_share(population, weeks, judged, normals)
    return shares[category][:, int(np.flatnonzero(weeks == week)[0])].reshape(shape)


def measured_share(
    tree: xr.DataTree, group: str, category: Category, week: float, definitions: Definitions
) -> Floats:
    """Share of such patients who would meet the definition as measured, for each draw.

    A trial counts measurements, not true levels: one noisy collection at baseline and one at
    the visit. Its mean over the draws is the reported ``next_patient``.

    Parameters
    ----------
    tree, group, category, week, definitions
        As of :func:`true_share`.

    Returns
    -------
    array, shape (chain, draw)
        Of patients who stay: nobody withdraws. Averaged over the same
        :data:`MEASURED_POINTS` patients for every draw; with Student-t noise the points of the
        normal are turned into quantiles of each draw's t.
    """
    judged = judge_of(tree, definitions)
    visits = array(tree[group].dataset["later_visit"])
    at = int(np.flatnonzero(visits == week)[0])
    weeks = visits[at : at + 1 + (category in judged.confirmed)]  # and the one that confirms
    population, shape = _hyperparameters(tree, group, judged, weeks)
    course = bool(judged.confirmed)
    size, n_marker = patient_dims(population, course=course), population.n_markers
    # At each visit every marker is measured, at baseline those whose change is asked for.
    changed = [
        place
        for place, name in enumerate(judged.markers)
        if any(atom.relative and atom.part.marker == name for atom in judged.atoms)
    ]
    order = [*(list(range(n_marker)) * len(weeks)), *changed]
    points = normal_points(MEASURED_POINTS, size + len(order), POINTS_SEED)
    effects, noise = points[:, :size], points[:, size:]
    share = np.empty(population.n_draws)
    for start in range(0, len(share), CHUNK):
        rows = population.rows(slice(start, start + CHUNK))
        baseline, levels = true_levels(rows, weeks, effects[None], course=course)
        errors = _noise(rows, noise, order)
        measured = [
            dict(zip(judged.markers, level + errors[v * n_marker :][:n_marker], strict=True))
            for v, level in enumerate(levels)
        ]
        before = errors[len(weeks) * n_marker :]
        first = {judged.markers[k]: baseline[k] + before[i] for i, k in enumerate(changed)}
        met = classify(judged, first, *measured)[category]
        share[start : start + CHUNK] = met.mean(axis=-1)
    return share.reshape(shape)


def _noise(population: Hyperparameters, normals: Floats, markers: Sequence[int]) -> Floats:
    """Measurement errors of some markers, named by their places.

    Shape (error, draw, patient), from points of shape (patient, error).
    """
    scale = population.residual_sd[:, list(markers)]
    standard = normals[None]
    if population.student:
        from scipy.special import ndtr, stdtrit

        standard = stdtrit(population.residual_df[:, None, None], ndtr(normals)[None])
    return np.moveaxis(scale[:, None, :] * standard, -1, 0)


def ratio(tree: xr.DataTree, group: str, marker: str, week: float) -> Floats:
    """Geometric mean ratio of a marker to baseline, for each draw, shape (chain, draw)."""
    change = tree[group].to_dataset()["visit_change"].sel(marker=marker, later_visit=week)
    return np.exp(array(change))
