"""Observations sorted into the groups that :mod:`mnbayes.numerics.marginal` works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Patients with the same observed cells and covariate, as sufficient statistics.

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
    scatter : array
        The groups' scatter matrices, flattened row by row, one after another.
    weeks : array, shape (visit,)
    """

    size: Floats
    covariate: Floats
    start: Integers
    visit: Integers
    marker: Integers
    augmented: Integers
    mean: Floats
    scatter: Floats
    weeks: Floats

    def packed(self) -> Floats:
        """Everything the kernel reads as one vector: nine lengths, then the nine arrays.

        One vector because each model-data array costs about a quarter of a second of
        compilation.
        """
        parts = [
            self.size,
            self.covariate,
            self.start,
            self.visit,
            self.marker,
            self.augmented,
            self.mean,
            self.scatter,
            self.weeks,
        ]
        lengths = [np.array([part.size for part in parts])]
        return np.concatenate([part.astype(float) for part in lengths + parts])


def group_patients(
    log_value: Floats,
    censored: NDArray[np.bool_],
    covariate: Floats,
    weeks: Floats,
    *,
    one_each: bool,
) -> Groups:
    """Sort patients into groups.

    Parameters
    ----------
    log_value : array, shape (patient, visit, marker)
        Natural logs; nan where missing or censored.
    censored : array of bool, shape (patient, visit, marker)
    covariate : array, shape (patient,)
        Centred; zeros where the model has none.
    weeks : array, shape (visit,)
    one_each : bool
        Whether every patient must be a group of one, as is needed when residual weights
        or censored values make the patients differ.

    Returns
    -------
    Groups
        Cells in the order of :func:`observed_cells` when ``one_each``.
    """
    observed = np.isfinite(log_value) | censored
    members: dict[tuple[object, ...], list[int]] = {}
    for patient, pattern in enumerate(observed):
        if not pattern.any():
            continue
        key = (patient,) if one_each else (pattern.tobytes(), float(covariate[patient]))
        members.setdefault(key, []).append(patient)
    numbering = np.cumsum(censored.ravel()).reshape(censored.shape) - 1
    cells, means, scatters, augmented = [], [], [], []
    for ids in members.values():
        visit, marker = np.nonzero(observed[ids[0]])
        values = log_value[ids][:, visit, marker]
        hidden = censored[ids[0], visit, marker]
        values = np.where(hidden, 0.0, values)
        mean = values.mean(axis=0)
        deviation = values - mean
        cells.append(np.stack([visit, marker]))
        means.append(mean)
        scatters.append((deviation.T @ deviation).ravel())
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
        scatter=_joined(scatters),
        weeks=np.asarray(weeks, dtype=float),
    )


def _joined(parts: Sequence[NDArray[Any]]) -> Floats:
    return np.concatenate(parts).astype(float) if parts else np.zeros(0)
