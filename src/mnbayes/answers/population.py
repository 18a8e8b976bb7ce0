"""New patients from the population that a fit describes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from mnbayes.answers.categories import Category, classify
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, stacked
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.contract import correlation_matrix, effect_names

#: Posterior draws whose patients are held in memory at once.
CHUNK = 128


@dataclass(frozen=True)
class Population:
    """Hyperparameters of a group of draws, for the markers of the response.

    Attributes
    ----------
    baseline_mean, residual_sd, serial_sd : array, shape (draw, marker)
        Log scale; the first marker is the urine protein, the second, if any, albumin.
    visit_change : array, shape (draw, later_visit, marker)
    factor : array, shape (draw, effect, effect)
        Lower-triangular factor of the covariance of the patient effects: the markers'
        baselines, then their changes.
    residual_df : array, shape (draw,), or None
        Degrees of freedom of Student-t measurement noise; None if it is normal.
    serial_decay : array, shape (draw, later_visit)
        Serial correlation of a visit with baseline.
    serial : bool
        Whether the model has serial correlation.
    """

    baseline_mean: Floats
    visit_change: Floats
    factor: Floats
    residual_sd: Floats
    residual_df: Floats | None
    serial_sd: Floats
    serial_decay: Floats
    serial: bool

    @property
    def dims(self) -> int:
        """Standard-normal numbers that make a patient's true levels at baseline and a visit."""
        return int(self.factor.shape[-1]) * (2 if self.serial else 1)

    def rows(self, which: slice) -> Population:
        """Select some of the draws."""
        df = None if self.residual_df is None else self.residual_df[which]
        return Population(
            self.baseline_mean[which],
            self.visit_change[which],
            self.factor[which],
            self.residual_sd[which],
            df,
            self.serial_sd[which],
            self.serial_decay[which],
            self.serial,
        )


def true_levels(population: Population, normals: Floats) -> tuple[Floats, Floats]:
    """Make true log levels of new patients whose covariate is at its mean.

    Parameters
    ----------
    population : Population
    normals : array, shape (draw, patient, dims) or (1, patient, dims)
        Standard-normal numbers, ``dims`` of them (:attr:`Population.dims`).

    Returns
    -------
    baseline : array, shape (marker, draw, patient)
    levels : array, shape (later_visit, marker, draw, patient)
        Each visit with baseline has the model's joint law; two later visits together do not
        where there is serial correlation, and no category needs them to.
    """
    size = population.factor.shape[-1]
    n_marker = size // 2
    effects = np.moveaxis(normals[..., :size] @ np.swapaxes(population.factor, -1, -2), -1, 0)
    baseline = population.baseline_mean.T[:, :, None] + effects[:n_marker]
    shift = np.moveaxis(population.visit_change, 0, -1)[..., None]
    levels = baseline + shift + effects[n_marker:]
    if population.serial:
        noise = np.moveaxis(normals[..., size:], -1, 0)
        first, fresh = noise[:n_marker], noise[n_marker:]
        sd = population.serial_sd.T[:, :, None]
        decay = population.serial_decay.T[:, None, :, None]
        levels = levels + sd * (decay * first + np.sqrt(1 - decay**2) * fresh)
        baseline = baseline + sd * first
    return baseline, levels


def population_share(
    population: Population, definitions: Definitions, normals: Floats
) -> dict[Category, Floats]:
    """Share of patients whose true level meets each definition, for each draw and visit.

    Parameters
    ----------
    population : Population
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
        baseline, levels = true_levels(population.rows(which), normals[None])
        for visit in range(n_visit):
            albumin = levels[visit, 1] if n_marker > 1 else None
            met = classify(baseline[0], levels[visit, 0], albumin, definitions)
            for category, holds in met.items():
                share = shares.setdefault(category, np.empty((n_draw, n_visit)))
                share[which, visit] = np.count_nonzero(holds, axis=-1) / holds.shape[-1]
    return shares


def next_patient(population: Population, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Log measurements of one new patient for each draw, at baseline and at later visits.

    Returns
    -------
    baseline : array, shape (marker, draw)
    levels : array, shape (later_visit, marker, draw)
        True levels plus measurement noise on both.
    """
    n_draw = len(population.baseline_mean)
    truth, truths = true_levels(population, rng.standard_normal((n_draw, 1, population.dims)))

    def noise(shape: tuple[int, ...]) -> Floats:
        if population.residual_df is None:
            return rng.standard_normal(shape)
        return rng.standard_t(population.residual_df, shape)

    sd, baseline, levels = population.residual_sd.T, truth[..., 0], truths[..., 0]
    return baseline + sd * noise(baseline.shape), levels + sd * noise(levels.shape)


def population_of(tree: xr.DataTree, group: str, markers: list[str]) -> Population:
    """Hyperparameters of a fit's ``posterior`` or ``prior`` group, for some of its markers."""
    data = tree[group].to_dataset().sel(marker=markers)
    correlation = correlation_matrix(data, effect_names(markers))

    def flat(name: str, *dims: str) -> Floats:
        return stacked(data[name], *dims)

    sd = np.concatenate([flat("baseline_sd", "marker"), flat("change_sd", "marker")], axis=-1)
    factor = sd[..., None] * np.linalg.cholesky(correlation.reshape(-1, *correlation.shape[2:]))
    weeks = array(data["later_visit"])
    baseline_mean = flat("baseline_mean", "marker")
    serial = "serial_sd" in data
    return Population(
        baseline_mean=baseline_mean,
        visit_change=flat("visit_change", "later_visit", "marker"),
        factor=factor,
        residual_sd=flat("residual_sd", "marker"),
        residual_df=flat("residual_df") if "residual_df" in data else None,
        serial_sd=flat("serial_sd", "marker") if serial else np.zeros_like(baseline_mean),
        serial_decay=np.exp(-weeks / flat("serial_weeks")[:, None])
        if serial
        else np.zeros((len(baseline_mean), weeks.size)),
        serial=serial,
    )
