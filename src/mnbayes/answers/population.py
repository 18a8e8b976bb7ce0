"""New patients from the population that a fit describes."""

from __future__ import annotations

import numpy as np

from mnbayes.answers.categories import Category, Judge, classify
from mnbayes.base.arrays import Floats
from mnbayes.models.hyperparameters import Hyperparameters

#: Posterior draws whose patients are held in memory at once.
CHUNK = 128


def patient_dims(population: Hyperparameters, *, course: bool = False) -> int:
    """Standard-normal numbers that make a patient's true levels at baseline and a visit.

    With ``course`` at baseline and at all visits together.
    """
    drifts = 0 if not population.serial else 1 + population.visit_change.shape[1] if course else 2
    return population.n_markers * (2 + drifts)


def true_levels(
    population: Hyperparameters, weeks: Floats, normals: Floats, *, course: bool = False
) -> tuple[Floats, Floats]:
    """Make true log levels of new patients whose covariate is at its mean.

    Parameters
    ----------
    population : Hyperparameters
    weeks : array, shape (later_visit,)
    normals : array, shape (draw, patient, dims) or (1, patient, dims)
        Standard-normal numbers, as many as :func:`patient_dims` says.
    course : bool
        Whether later visits together have the model's joint law, which only a category that
        must be confirmed needs. Otherwise each visit with baseline has it, but two later visits
        together do not where there is a drift.

    Returns
    -------
    baseline : array, shape (marker, draw, patient)
    levels : array, shape (later_visit, marker, draw, patient)
    """
    n_marker = population.n_markers
    size = 2 * n_marker
    factor = population.effect_cholesky
    effects = _effects(normals[..., :size], factor)
    baseline = np.ascontiguousarray(population.baseline_mean.T)[:, :, None] + effects[:n_marker]
    shift = np.moveaxis(population.visit_change, 0, -1)[..., None]
    levels = baseline + shift
    levels += effects[n_marker:]
    if population.serial:
        noise = _leading(normals[..., size:])
        first, fresh = noise[:n_marker], noise[n_marker:]
        sd = population.serial_sd.T[:, :, None]
        since = np.diff(weeks, prepend=0.0) if course else weeks
        decay = np.exp(-since / population.serial_weeks[:, None]).T[:, None, :, None]
        if course:
            drift, last = [], first
            for visit, kept in enumerate(decay):
                new = fresh[visit * n_marker : (visit + 1) * n_marker]
                last = kept * last + np.sqrt(1 - kept**2) * new
                drift.append(last)
            levels = levels + sd * np.array(drift)
        else:
            moved = decay * first
            moved += np.sqrt(1 - decay**2) * fresh
            moved *= sd
            levels += moved
        baseline = baseline + sd * first
    return baseline, levels


def _effects(normals: Floats, factor: Floats) -> Floats:
    """Patient effects of standard normals, shape (effect, draw, patient), in order in memory."""
    if len(normals) > 1:
        return _leading(normals @ np.swapaxes(factor, -1, -2))
    # The same patients for every draw: one product instead of one for each draw.
    rows = _leading(np.swapaxes(factor, -1, -2))
    effects: Floats = rows.reshape(-1, rows.shape[-1]) @ normals[0].T
    return effects.reshape(*rows.shape[:2], -1)


def _leading(values: Floats) -> Floats:
    """The last axis first, in order in memory."""
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def population_share(
    population: Hyperparameters, weeks: Floats, judged: Judge, normals: Floats
) -> dict[Category, Floats]:
    """Share of patients whose true level meets each definition, for each draw and visit.

    Parameters
    ----------
    population : Hyperparameters
        Of the judge's markers, in their order.
    weeks : array, shape (later_visit,)
    judged : Judge
    normals : array, shape (patient, dims)
        One set of patients for every draw; see :func:`mnbayes.base.montecarlo.normal_points`
        and :func:`patient_dims`, with ``course`` where a category must be confirmed.

    Returns
    -------
    dict
        Category to array, shape (draw, later_visit); NaN where the category must be confirmed
        and nothing follows.
    """
    n_draw, n_visit, _ = population.visit_change.shape
    course = bool(judged.confirmed)
    shares: dict[Category, Floats] = {}
    for start in range(0, n_draw, CHUNK):
        which = slice(start, start + CHUNK)
        rows = population.rows(which)
        baseline, levels = true_levels(rows, weeks, normals[None], course=course)
        first = dict(zip(judged.markers, baseline, strict=True))
        for visit in range(n_visit):
            now, later = (
                dict(zip(judged.markers, levels[at], strict=True)) if at < n_visit else None
                for at in (visit, visit + 1)
            )
            met = classify(judged, first, now or {}, later)
            for category in judged.categories:
                share = shares.setdefault(category, np.full((n_draw, n_visit), np.nan))
                if category in met:
                    holds = met[category]
                    share[which, visit] = np.count_nonzero(holds, axis=-1) / holds.shape[-1]
    return shares


def next_patient(
    population: Hyperparameters, weeks: Floats, rng: np.random.Generator, *, course: bool = False
) -> tuple[Floats, Floats]:
    """Log measurements of one new patient for each draw, at baseline and at later visits.

    With ``course`` the later visits together have the model's joint law.

    Returns
    -------
    baseline : array, shape (marker, draw)
    levels : array, shape (later_visit, marker, draw)
        True levels plus measurement noise on both.
    """
    size = patient_dims(population, course=course)
    normals = rng.standard_normal((population.n_draws, 1, size))
    truth, truths = true_levels(population, weeks, normals, course=course)

    def noise(shape: tuple[int, ...]) -> Floats:
        if population.student:
            return rng.standard_t(population.residual_df, shape)
        return rng.standard_normal(shape)

    sd, baseline, levels = population.residual_sd.T, truth[..., 0], truths[..., 0]
    return baseline + sd * noise(baseline.shape), levels + sd * noise(levels.shape)
