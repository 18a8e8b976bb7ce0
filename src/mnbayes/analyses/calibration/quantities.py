"""Test quantities: what is ranked, the same functions of the truth and of each draw.

Parameters alone would not see a sampler that ignores part of the data, nor one that spoils what is
derived from the parameters. The log-likelihood does (Modrák et al. 2023, doi:10.1214/23-BA1404),
and levels and categories of single patients do.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from mnbayes.analyses.calibration.simulate import Draws, Setting, arranged
from mnbayes.answers.categories import Judge, classify, judge
from mnbayes.answers.population import next_patient, patient_dims, population_share
from mnbayes.answers.response_draws import POINTS_SEED
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import normal_points
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import ALBUMIN, PROTEIN
from mnbayes.data.observations import Observations
from mnbayes.models import effects as fx
from mnbayes.models.given_levels import alike
from mnbayes.models.hyperparameters import Hyperparameters
from mnbayes.models.likelihood import pointwise_loglik

type Group = Literal["parameter", "derived", "data"]
type Quantities = dict[Group, dict[str, Floats]]

#: Single partial correlations are ranked up to this many; beyond, what they have in common.
MOST_CORRELATIONS = 6
#: Points of the integral over patients that makes a share; any number makes a valid quantity.
POINTS = 256
#: The categories whose probability a patient is told.
CATEGORIES = ("complete", "remission", "effective")


def test_quantities(
    setting: Setting, draws: Draws, observations: Observations, rng: np.random.Generator
) -> Quantities:
    """Everything that is ranked.

    Parameters
    ----------
    setting : Setting
    draws : mapping
        The truth and the draws, the draw on the first axis; see
        :func:`mnbayes.inference.collapsed_effects.complete_draws`.
    observations : Observations
        That the draws are given.
    rng : Generator
        Of the next patients.

    Returns
    -------
    dict
        Group to name to array, shape (draw,). ``parameter``: the card's. ``derived``: geometric
        mean ratios, levels and categories of a patient who was measured at the last visit and of
        one who was not, the next patient, shares of patients. ``data``: the log-likelihood given
        the patients' levels, and, of exact values with normal residuals, with the patients
        integrated out.
    """
    parameters = arranged(setting.card, draws)
    return {
        "parameter": _of_parameters(setting.card, draws),
        "derived": _derived(setting, draws, parameters, rng),
        "data": _of_data(setting, draws, parameters, observations),
    }


def _each(name: str, values: Floats, labels: tuple[str, ...]) -> dict[str, Floats]:
    """One quantity for each column, named where there are several."""
    if values.ndim == 1:
        return {name: values}
    single = values.shape[1] == 1
    return {
        name if single else f"{name}, {label}": column
        for label, column in zip(labels, values.T, strict=True)
    }


def _of_parameters(card: Card, draws: Draws) -> dict[str, Floats]:
    out: dict[str, Floats] = {}
    names = [name for name in card.parameters if name != "correlation"]
    if card.structure.shrink:
        names.append("change_mean")
    for name in dict.fromkeys(names):
        out |= _each(name, draws[name], card.markers)
    partial = 2.0 * draws["correlation_unit"] - 1.0
    count = partial.shape[1]
    if count <= MOST_CORRELATIONS:
        labels = tuple(f"partial {i + 1}" for i in range(count))
        return out | _each("correlation", partial, labels)
    log_determinant = np.log1p(-(partial**2)).sum(axis=1)
    return out | {"log determinant of the correlations": log_determinant}


def _derived(
    setting: Setting, draws: Draws, parameters: Hyperparameters, rng: np.random.Generator
) -> dict[str, Floats]:
    card, observed = setting.card, setting.observed
    last = f"week {observed.weeks[-1]:g}"
    out = _each(f"GMR at {last}", np.exp(parameters.visit_change[:, -1]), card.markers)
    chosen = [marker for marker in (PROTEIN, ALBUMIN) if marker in card.markers]
    responses = PROTEIN in chosen
    columns = [card.markers.index(marker) for marker in (chosen if responses else card.markers)]
    labels = tuple(card.markers[column] for column in columns)
    judged = judge(setting.definitions, labels, card.catalogue)
    for patient, said in _patients(observed).items():
        name = f"{observed.patients[patient]} ({said}) at {last}"
        level = draws["level"][:, patient][..., columns]
        out |= _each(f"level of {name}", level[:, -1], labels)
        if responses:
            out |= _categories(level[:, 0], level[:, -1], labels, judged, name)
    population, week = parameters.at_visit(-1).of_markers(columns), np.array(observed.weeks[-1:])
    baseline, later = next_patient(population, week, rng)
    ratio = (later[0] - baseline).T
    out |= _each(f"ratio of the next patient at {last}", np.exp(ratio), labels)
    if responses:
        coming = f"the next patient at {last}"
        out |= _categories(baseline.T, later[0].T, labels, judged, coming)
        points = _points(patient_dims(population))
        shares = population_share(population, week, judged, points)
        out |= {
            f"share {name} at {last}": share[:, 0]
            for name, share in shares.items()
            if name in CATEGORIES
        }
    return out


def _patients(observed: Observations) -> dict[int, str]:
    """The first patient whose last visit was measured, and the first whose was not."""
    measured = observed.observed[:, -1].all(axis=1)
    found = {"measured": np.flatnonzero(measured), "not measured": np.flatnonzero(~measured)}
    return {int(each[0]): said for said, each in found.items() if each.size}


def _categories(
    baseline: Floats, level: Floats, markers: tuple[str, ...], judged: Judge, name: str
) -> dict[str, Floats]:
    """Whether each category is met: 1 or 0, from log levels, shape (draw, marker)."""
    first, last = (dict(zip(markers, x.T, strict=True)) for x in (baseline, level))
    met = classify(judged, first, last)
    return {
        f"{category}: {name}": holds.astype(float)
        for category, holds in met.items()
        if category in CATEGORIES
    }


def _of_data(
    setting: Setting, draws: Draws, parameters: Hyperparameters, observations: Observations
) -> dict[str, Floats]:
    given_levels = pointwise_loglik(draws["level"], parameters, observations).sum(axis=1)
    out = {"log-likelihood given the patients": given_levels}
    if setting.gaussian:  # otherwise it has no closed form
        out["log-likelihood of the parameters"] = loglik(parameters, observations)
    return out


def loglik(parameters: Hyperparameters, observations: Observations) -> Floats:
    """Log density of all exact data given the parameters, patients integrated out; shape (draw,).

    In NumPy, without the compiled kernel that the sampler uses.
    """
    count, n_marker = len(observations.patients), parameters.n_markers
    nobody = np.zeros((parameters.n_draws, count, 2 * n_marker))
    mean = fx.levels(parameters, nobody, None, observations.covariate)
    out = np.zeros(parameters.n_draws)
    for patients in alike(observations):
        visit, marker = np.nonzero(observations.observed[patients[0]])
        noise = parameters.residual_sd[:, marker]
        times = observations.times[patients[0]]
        factor = np.linalg.cholesky(fx.cell_covariance(parameters, times, visit, marker, noise))
        missed = (observations.log_value - mean)[:, patients][:, :, visit, marker]
        scaled = np.einsum("dij,dpj->dpi", np.linalg.inv(factor), missed)
        log_root = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        constant = log_root + 0.5 * visit.size * np.log(2.0 * np.pi)
        out -= len(patients) * constant + 0.5 * np.sum(scaled**2, axis=(1, 2))
    return out


@lru_cache(maxsize=4)
def _points(dims: int) -> Floats:
    return normal_points(POINTS, dims, POINTS_SEED)
