"""New patients from the population that a fit describes."""

from __future__ import annotations

import numpy as np

from mnbayes.answers.categories import Category, classify
from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import Definitions
from mnbayes.models.hyperparameters import Hyperparameters

#: Posterior draws whose patients are held in memory at once.
CHUNK = 128


def patient_dims(population: Hyperparameters) -> int:
    """Standard-normal numbers that make a patient's true levels at baseline and a visit."""
    return 2 * population.n_markers * (2 if population.serial else 1)


def true_levels(
    population: Hyperparameters, weeks: Floats, normals: Floats
) -> tuple[Floats, Floats]:
    """Make true log levels of new patients whose covariate is at its mean.

    Parameters
    ----------
    population : Hyperparameters
    weeks : array, shape (later_visit,)
    normals : array, shape (draw, patient, dims) or (1, patient, dims)
        Standard-normal numbers, as many as :func:`patient_dims` says.

    Returns
    -------
    baseline : array, shape (marker, draw, patient)
    levels : array, shape (later_visit, marker, draw, patient)
        Each visit with baseline has the model's joint law; two later visits together do not
        where there is a drift, and no category needs them to.
    """
    n_marker = population.n_markers
    size = 2 * n_marker
    factor = population.effect_cholesky
    effects = np.moveaxis(normals[..., :size] @ np.swapaxes(factor, -1, -2), -1, 0)
    baseline = population.baseline_mean.T[:, :, None] + effects[:n_marker]
    shift = np.moveaxis(population.visit_change, 0, -1)[..., None]
    levels = baseline + shift + effects[n_marker:]
    if population.serial:
        noise = np.moveaxis(normals[..., size:], -1, 0)
        first, fresh = noise[:n_marker], noise[n_marker:]
        sd = population.serial_sd.T[:, :, None]
        decay = np.exp(-weeks / population.serial_weeks[:, None]).T[:, None, :, None]
        levels = levels + sd * (decay * first + np.sqrt(1 - decay**2) * fresh)
        baseline = baseline + sd * first
    return baseline, levels


def population_share(
    population: Hyperparameters, weeks: Floats, definitions: Definitions, normals: Floats
) -> dict[Category, Floats]:
    """Share of patients whose true level meets each definition, for each draw and visit.

    Parameters
    ----------
    population : Hyperparameters
    weeks : array, shape (later_visit,)
    definitions : Definitions
    normals : array, shape (patient, dims)
        One set of patients for every draw; see :func:`mnbayes.base.montecarlo.normal_points`.

    Returns
    -------
    dict
        Category to array, shape (draw, later_visit).
    """
    n_draw, n_visit, n_marker = population.visit_change.shape
    shares: dict[Category, Floats] = {}
    for start in range(0, n_draw, CHUNK):
        which = slice(start, start + CHUNK)
        baseline, levels = true_levels(population.rows(which), weeks, normals[None])
        for visit in range(n_visit):
            albumin = levels[visit, 1] if n_marker > 1 else None
            met = classify(baseline[0], levels[visit, 0], albumin, definitions)
            for category, holds in met.items():
                share = shares.setdefault(category, np.empty((n_draw, n_visit)))
                share[which, visit] = np.count_nonzero(holds, axis=-1) / holds.shape[-1]
    return shares


def next_patient(
    population: Hyperparameters, weeks: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Log measurements of one new patient for each draw, at baseline and at later visits.

    Returns
    -------
    baseline : array, shape (marker, draw)
    levels : array, shape (later_visit, marker, draw)
        True levels plus measurement noise on both.
    """
    normals = rng.standard_normal((population.n_draws, 1, patient_dims(population)))
    truth, truths = true_levels(population, weeks, normals)

    def noise(shape: tuple[int, ...]) -> Floats:
        if population.student:
            return rng.standard_t(population.residual_df, shape)
        return rng.standard_normal(shape)

    sd, baseline, levels = population.residual_sd.T, truth[..., 0], truths[..., 0]
    return baseline + sd * noise(baseline.shape), levels + sd * noise(levels.shape)
