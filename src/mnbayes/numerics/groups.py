"""Observations sorted into the groups that :mod:`mnbayes.numerics.marginal` works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Patients with the same observed cells, covariate and times, as sufficient statistics.

    Where a patient's markers are independent given the fixed effects, each marker is a group
    of its own: the matrices stay as small as one marker's visits.

    Attributes
    ----------
    size, covariate : array, shape (group,)
        Number of patients, and the covariate's value.
    start : array of int, shape (group + 1,)
        Where each group's cells begin.
    visit, marker : array of int, shape (cell,)
        Positions on the ``visit`` and ``marker`` axes.
    augmented : array of int, shape (cell,)
        Position among the censored values, or -1 where the value is exact.
    mean : array, shape (cell,)
        Mean log value over the group's patients (0 where censored).
    rank : array of int, shape (group,)
        Columns of each group's scatter root.
    root : array
        The groups' scatter roots ``Z``, shape (cell, rank) each, ``Z Z'`` the scatter matrix;
        flattened row by row, one after another.
    times : array, shape (schedule, visit)
        The different times at which patients come to the visits.
    schedule : array of int, shape (patient,)
        Which of them are each patient's.
    member : array of int
        Patients of each group, one group after another; the kernel does not need them.
    """

    size: Floats
    covariate: Floats
    start: Integers
    visit: Integers
    marker: Integers
    augmented: Integers
    mean: Floats
    rank: Integers
    root: Floats
    times: Floats
    schedule: Integers
    member: Integers


def group_patients(
    log_value: Floats,
    censored: NDArray[np.bool_],
    covariate: Floats,
    times: Floats,
    *,
    one_each: bool,
    by_marker: bool = False,
) -> Groups:
    """Sort patients into groups.

    Parameters
    ----------
    log_value : array, shape (patient, visit, marker)
        Natural logs; nan where missing or censored.
    censored : array of bool, shape (patient, visit, marker)
    covariate : array, shape (patient,)
        Centred; zeros where the model has none.
    times : array, shape (patient, visit)
        Weeks of the visits, increasing.
    one_each : bool
        Whether every patient must be a group of one, as is needed when residual weights
        or censored values make the patients differ.
    by_marker : bool
        Whether to separate a patient's markers, which must then be independent.

    Returns
    -------
    Groups
        Cells in the order of :func:`observed_cells` when ``one_each``.
    """
    observed = np.isfinite(log_value) | censored
    members: dict[tuple[object, ...], list[int]] = {}
    patterns: dict[tuple[object, ...], NDArray[np.bool_]] = {}
    schedules, schedule = np.unique(times, axis=0, return_inverse=True)
    parts = list(np.eye(observed.shape[2], dtype=bool)) if by_marker else [True]
    for patient, everything in enumerate(observed):
        for part in parts:
            pattern = everything & part
            if not pattern.any():
                continue
            alike = (float(covariate[patient]), int(schedule[patient]))
            key = (pattern.tobytes(), *((patient,) if one_each else alike))
            members.setdefault(key, []).append(patient)
            patterns[key] = pattern
    numbering = np.cumsum(censored.ravel()).reshape(censored.shape) - 1
    cells, means, roots, augmented = [], [], [], []
    for key, ids in members.items():
        visit, marker = np.nonzero(patterns[key])
        values = log_value[ids][:, visit, marker]
        hidden = censored[ids[0], visit, marker]
        values = np.where(hidden, 0.0, values)
        mean = values.mean(axis=0)
        deviation = values - mean
        cells.append(np.stack([visit, marker]))
        means.append(mean)
        roots.append(_scatter_root(deviation))
        augmented.append(np.where(hidden, numbering[ids[0], visit, marker], -1))
    visit_marker = np.concatenate(cells, axis=1) if cells else np.zeros((2, 0), dtype=int)
    return Groups(
        size=np.array([len(ids) for ids in members.values()], dtype=float),
        covariate=np.array([covariate[ids[0]] for ids in members.values()], dtype=float),
        start=np.cumsum([0, *(c.shape[1] for c in cells)]).astype(np.int64),
        visit=visit_marker[0].astype(np.int64),
        marker=visit_marker[1].astype(np.int64),
        augmented=_joined(augmented).astype(np.int64),
        mean=_joined(means),
        rank=np.array([root.shape[1] for root in roots], dtype=np.int64),
        root=_joined([root.ravel() for root in roots]),
        times=schedules.astype(float),
        schedule=schedule.astype(np.int64),
        member=np.array([i for ids in members.values() for i in ids], dtype=np.int64),
    )


def _scatter_root(deviation: Floats) -> Floats:
    """Root of the scatter matrix with as few columns as it needs, shape (cell, rank)."""
    n, m = deviation.shape
    if n == 1:
        return np.zeros((m, 0))
    # R of a QR decomposition has R'R = D'D and at most m rows.
    return deviation.T if n <= m else np.linalg.qr(deviation, mode="r").T


def _joined(parts: Sequence[NDArray[Any]]) -> Floats:
    return np.concatenate(parts).astype(float) if parts else np.zeros(0)
