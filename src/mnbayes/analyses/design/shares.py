"""Draws of what a rule is about: the share of responders, true or as measured, or a ratio."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mnbayes.answers.categories import Category, classify
from mnbayes.answers.population import CHUNK, patient_dims, population_share, true_levels
from mnbayes.answers.response_draws import ALBUMIN, POINTS, POINTS_SEED, PROTEIN
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels
from mnbayes.base.montecarlo import normal_points
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.contract import hyperparameters_of
from mnbayes.models.hyperparameters import Hyperparameters

#: Points of the integral over patients and their measurement noise, which has more dimensions.
MEASURED_POINTS = 1024


def _at_week(tree: xr.DataTree, group: str, week: float) -> tuple[Hyperparameters, tuple[int, int]]:
    """Hyperparameters at one visit, draws stacked, and their chains and draws."""
    data = tree[group].to_dataset()
    known = labels(data["marker"])
    markers = [name for name in (PROTEIN, ALBUMIN) if name in known]
    one = hyperparameters_of(data.sel(marker=markers, later_visit=[week]))
    return one, (tree[group].sizes["chain"], tree[group].sizes["draw"])


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
    population, shape = _at_week(tree, group, week)
    normals = normal_points(POINTS, patient_dims(population), POINTS_SEED)
    shares = population_share(population, np.array([week]), definitions, normals)
    return shares[category].reshape(shape)


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
    population, shape = _at_week(tree, group, week)
    n_marker, size = population.n_markers, patient_dims(population)
    points = normal_points(MEASURED_POINTS, size + n_marker + 1, POINTS_SEED)
    effects, noise = points[:, :size], points[:, size:]
    share = np.empty(population.n_draws)
    for start in range(0, len(share), CHUNK):
        rows = population.rows(slice(start, start + CHUNK))
        baseline, levels = true_levels(rows, np.array([week]), effects[None])
        errors = _noise(rows, noise)
        measured = levels[0] + errors[:n_marker]
        # Only the protein's baseline enters a definition.
        first = baseline[0] + errors[n_marker]
        albumin = measured[1] if n_marker > 1 else None
        met = classify(first, measured[0], albumin, definitions)[category]
        share[start : start + CHUNK] = met.mean(axis=-1)
    return share.reshape(shape)


def _noise(population: Hyperparameters, normals: Floats) -> Floats:
    """Measurement errors: each marker's at the visit, then the protein's at baseline.

    Shape (marker + 1, draw, patient), from points of shape (patient, marker + 1).
    """
    scale = population.residual_sd[:, [*range(population.n_markers), 0]]
    standard = normals[None]
    if population.student:
        from scipy.special import ndtr, stdtrit

        standard = stdtrit(population.residual_df[:, None, None], ndtr(normals)[None])
    return np.moveaxis(scale[:, None, :] * standard, -1, 0)


def ratio(tree: xr.DataTree, group: str, marker: str, week: float) -> Floats:
    """Geometric mean ratio of a marker to baseline, for each draw, shape (chain, draw)."""
    change = tree[group].to_dataset()["visit_change"].sel(marker=marker, later_visit=week)
    return np.exp(array(change))
