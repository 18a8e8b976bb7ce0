"""Patients of a population: their effects, levels and measurements, in NumPy.

Those of the patients who were measured are drawn by :mod:`mnbayes.numerics.effect_draws`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.models.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class EffectDraws:
    """Draws of the parameters and of the patients' effects.

    Attributes
    ----------
    top_level : mapping
        Variable to array, the draw on the first axis: the parameters, and ``visit_offset``, shape
        (draw, visit - 1, marker), in SDs.
    effects : array, shape (draw, patient, effect)
        Patient effects, log scale: baselines of every marker, then changes.
    drift : array, shape (draw, patient, visit, marker), or None
        None where the model has none.
    """

    top_level: Mapping[str, Floats]
    effects: Floats
    drift: Floats | None


def serial_cholesky(weeks: Floats, correlation_weeks: Floats) -> Floats:
    """Cholesky factor of ``exp(-|w - w'| / correlation_weeks)``, in closed form.

    Row ``t`` follows from the Markov recursion ``s[t] = rho s[t-1] + sqrt(1 - rho^2) z[t]``.

    Parameters
    ----------
    weeks : array, shape (visit,)
    correlation_weeks : array, shape (draw,)

    Returns
    -------
    array, shape (draw, visit, visit)
    """
    n = weeks.size
    rho = np.exp(-np.diff(weeks) / correlation_weeks[:, None])
    factor = np.zeros((correlation_weeks.size, n, n))
    factor[:, 0, 0] = 1.0
    for t in range(1, n):
        factor[:, t, :t] = rho[:, t - 1, None] * factor[:, t - 1, :t]
        factor[:, t, t] = np.sqrt(1.0 - rho[:, t - 1] ** 2)
    return factor


def prior_deviations(
    parameters: Hyperparameters, weeks: Floats, n_patients: int, rng: np.random.Generator
) -> tuple[Floats, Floats | None]:
    """Draw patient effects and drifts from the population.

    Parameters
    ----------
    weeks : array, shape (visit,) or (patient, visit)
        When all or each of the patients come.

    Returns
    -------
    effects : array, shape (draw, patient, effect)
    serial : array, shape (draw, patient, visit, marker), or None
        None where the model has no drift.
    """
    n, effects = parameters.n_draws, parameters.cholesky.shape[1]
    standard = rng.standard_normal((n, n_patients, effects))
    deviation = standard @ parameters.effect_cholesky.transpose(0, 2, 1)
    if not parameters.serial:
        return deviation, None
    noise = rng.standard_normal((n, n_patients, weeks.shape[-1], effects // 2))
    serial = np.empty(noise.shape)
    schedules, schedule = np.unique(np.atleast_2d(weeks), axis=0, return_inverse=True)
    for at, times in enumerate(schedules):
        who = np.broadcast_to(schedule == at, n_patients)
        factor = serial_cholesky(times, parameters.serial_weeks)
        serial[:, who] = np.einsum("nts,npsk->nptk", factor, noise[:, who])
    return deviation, serial * parameters.serial_sd[:, None, None, :]


def levels(
    parameters: Hyperparameters, effects: Floats, serial: Floats | None, covariate: Floats
) -> Floats:
    """Patients' true log levels.

    Parameters
    ----------
    serial : array or None
        None where the model has no drift.

    Returns
    -------
    array, shape (draw, patient, visit, marker)
    """
    n_marker = parameters.n_markers
    baseline = parameters.baseline_mean[:, None] + effects[..., :n_marker]
    change = effects[..., n_marker:] + covariate[:, None] * parameters.slope[:, None]
    return courses(baseline, change, parameters.visit_change, serial)


def courses(baseline: Floats, change: Floats, visit_change: Floats, drift: Floats | None) -> Floats:
    """True log levels of patients whose baselines and changes are known.

    Parameters
    ----------
    baseline, change : array, shape (draw, patient, marker)
        The change from the visits' mean one, the covariate's part included.
    visit_change : array, shape (draw, visit - 1, marker)
    drift : array, shape (draw, patient, visit, marker), or None

    Returns
    -------
    array, shape (draw, patient, visit, marker)
    """
    n_draw, n_patient, n_marker = baseline.shape
    out = np.empty((n_draw, n_patient, 1 + visit_change.shape[1], n_marker))
    out[:, :, 0] = baseline
    np.add((baseline + change)[:, :, None], visit_change[:, None], out=out[:, :, 1:])
    if drift is not None:
        out += drift
    return out


def cell_design(visit: NDArray[np.int64], marker: NDArray[np.int64], n_marker: int) -> Floats:
    """Which patient effects a cell holds, shape (cell, effect)."""
    design = np.zeros((visit.size, 2 * n_marker))
    design[np.arange(visit.size), marker] = 1.0
    design[np.arange(visit.size), n_marker + marker] = visit > 0
    return design


def cell_covariance(
    parameters: Hyperparameters,
    weeks: Floats,
    visit: NDArray[np.int64],
    marker: NDArray[np.int64],
    noise_sd: Floats,
) -> Floats:
    """Covariance of a patient's measurements over patient effects, drift and noise.

    Parameters
    ----------
    weeks : array, shape (visit,)
        When the patient came.
    visit, marker : arrays of int, shape (cell,)
    noise_sd : array, shape (draw, cell)

    Returns
    -------
    array, shape (draw, cell, cell)
    """
    loading = (
        cell_design(visit, marker, parameters.residual_sd.shape[1]) @ parameters.effect_cholesky
    )
    cov = loading @ loading.transpose(0, 2, 1)
    cov[:, np.arange(visit.size), np.arange(visit.size)] += noise_sd**2
    if parameters.serial:
        cov += serial_covariance(parameters, weeks, visit, marker)[:, visit, marker]
    return np.asarray(cov)


def serial_covariance(
    parameters: Hyperparameters, weeks: Floats, visit: NDArray[np.int64], marker: NDArray[np.int64]
) -> Floats:
    """Covariance of the drift at every visit and marker with that of the cells.

    Returns
    -------
    array, shape (draw, visit, marker, cell)
    """
    n_marker = parameters.serial_sd.shape[1]
    decay = np.exp(-np.abs(weeks[:, None] - weeks[visit]) / parameters.serial_weeks[:, None, None])
    same = marker[None, :] == np.arange(n_marker)[:, None]
    variance = parameters.serial_sd[:, marker] ** 2
    return np.asarray(decay[:, :, None] * same * variance[:, None, None])


def measurements(level: Floats, parameters: Hyperparameters, rng: np.random.Generator) -> Floats:
    """Repeat measurements of the levels, residual noise included.

    Returns
    -------
    array, shape of ``level``
    """
    noise = rng.standard_normal(level.shape)
    if parameters.student:
        df = parameters.residual_df[:, None, None, None]
        noise /= np.sqrt(rng.chisquare(np.broadcast_to(df, level.shape)) / df)
    noise *= parameters.residual_sd[:, None, None, :]
    noise += level
    return noise


def next_patient(
    parameters: Hyperparameters,
    weeks: Floats,
    first: Sequence[int],
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Levels and measurements of one more patient for each draw, the covariate at its mean.

    Parameters
    ----------
    weeks : array, shape (visit,)
    first : sequence of int
        Markers that are drawn first: their draws are those of a model that has no other.
    rng : Generator

    Returns
    -------
    level, measurement : array, shape (draw, visit, marker)
    """
    n_draw, n_later, n_marker = parameters.visit_change.shape
    rest = [marker for marker in range(n_marker) if marker not in first]
    at = [*first, *(n_marker + k for k in first), *rest, *(n_marker + k for k in rest)]
    factor = parameters.effect_cholesky[:, at]
    if at != list(range(2 * n_marker)):
        # The rows of a Cholesky factor in another order make the same covariance; an orthogonal
        # turn of its columns makes it a Cholesky factor again.
        factor = np.linalg.qr(factor.transpose(0, 2, 1), mode="r").transpose(0, 2, 1)
        factor = factor * np.sign(np.diagonal(factor, axis1=1, axis2=2))[:, None]
    effects = np.empty((n_draw, 2 * n_marker))
    noise = np.empty((n_draw, 1 + n_later, n_marker))
    serial = np.zeros_like(noise)
    for stream, markers in ((rng, first), (rng.spawn(1)[0], rest)):
        if not markers:
            continue
        standard = stream.standard_normal((n_draw, 2 * len(markers)))
        start = 0 if markers is first else 2 * len(first)
        effects[:, start : start + standard.shape[1]] = standard
        if parameters.serial:
            path = stream.standard_normal((n_draw, 1 + n_later, len(markers)))
            serial[:, :, markers] = serial_cholesky(weeks, parameters.serial_weeks) @ path
        for visits in (slice(0, 1), slice(1, None)):
            shape = (noise[:, visits].shape[1], len(markers), n_draw)
            drawn = (
                stream.standard_t(parameters.residual_df, shape)
                if parameters.student
                else stream.standard_normal(shape)
            )
            noise[:, visits, markers] = drawn.transpose(2, 0, 1)
    effects = np.einsum("nij,nj->ni", factor, effects)[:, np.argsort(at)]
    level = np.empty_like(noise)
    level[:] = (parameters.baseline_mean + effects[:, :n_marker])[:, None]
    level[:, 1:] += parameters.visit_change + effects[:, None, n_marker:]
    level += serial * parameters.serial_sd[:, None]
    return level, level + noise * parameters.residual_sd[:, None]
