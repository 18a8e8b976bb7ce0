"""The observations of the longitudinal model as one array of numbers that its likelihood reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.designs import fixed_design
from mnbayes.numerics.groups import Groups
from mnbayes.numerics.inputs import fixed_sd_places

#: Of the packed array: groups, visits, fixed effects, cells of all groups, of the largest, and
#: schedules: the different times at which patients come to the visits.
HEADER = 6
#: Numbers that a group begins with: patients, covariate, cells, columns of the scatter root, and
#: which schedule is its patients'.
GROUP = 5
#: A cell holds at most this many fixed effects: baseline, change, slope, visit, common change.
SLOTS = 5
#: Numbers of a cell: its level (baselines by marker, then levels after them), visit, position
#: among the censored values (-1: exact), mean value, place of the SD of a visit's deviation that
#: this cell alone tells of (-1: none), how many fixed effects it holds, and which with what factor.
CELL = 6 + 2 * SLOTS


def packed_cells(groups: Groups, n_marker: int, here: NDArray[np.bool_]) -> Floats:
    """One array of what the likelihood reads of the observations.

    Parameters
    ----------
    groups : Groups
    n_marker : int
    here : array of bool, shape (input,)
        Which inputs of the likelihood are in the model; see
        :func:`mnbayes.numerics.coordinates.sampled_inputs`.

    Returns
    -------
    array
        Header (:data:`HEADER`); weeks of the visits by schedule; where each group begins; of each
        fixed effect the place of its SD among the inputs, and its position among all; groups:
        what :data:`GROUP` and :data:`CELL` say, then the columns of the scatter root.

    Notes
    -----
    A visit's deviation of which one cell of one patient tells is part of that cell's own variance,
    one that no cell tells of is not part of the likelihood: with visits at each patient's own time
    few fixed effects are left.
    """
    n_schedule, n_visit = groups.times.shape[0], groups.times.shape[1] - 1
    place = fixed_sd_places(n_marker, n_visit)
    designs = [
        fixed_design(
            groups.visit[cells], groups.marker[cells], groups.covariate[g], n_marker, n_visit
        )
        for g, cells in enumerate(_cells(groups))
    ]
    visits = slice(3 * n_marker, place.size - 1)
    told = sum(
        (n * (design != 0).sum(axis=0) for n, design in zip(groups.size, designs, strict=True)),
        np.zeros(place.size),
    )
    shared = here[place].copy()
    shared[visits] &= told[visits] > 1
    effects = np.flatnonzero(shared)
    alone = here[place] & ~shared
    column = np.cumsum(shared) - 1
    parts: list[Floats] = []
    root_start = member_start = 0
    for g, (cells, design) in enumerate(zip(_cells(groups), designs, strict=True)):
        visit, marker = groups.visit[cells], groups.marker[cells]
        size, rank = visit.size, int(groups.rank[g])
        numbers = np.zeros((size, CELL))
        numbers[:, 0] = np.where(visit > 0, n_marker, 0) + marker
        numbers[:, 1] = visit
        numbers[:, 2] = groups.augmented[cells]
        numbers[:, 3] = groups.mean[cells]
        numbers[:, 4] = -1
        for cell, row in enumerate(design):
            own = np.flatnonzero((row != 0) & alone)
            if own.size:
                numbers[cell, 4] = place[own[0]]
            held = np.flatnonzero((row != 0) & shared)
            numbers[cell, 5] = held.size
            numbers[cell, 6 : 6 + held.size] = column[held]
            numbers[cell, 6 + SLOTS : 6 + SLOTS + held.size] = row[held]
        root = groups.root[root_start : root_start + size * rank].reshape(size, rank)
        root_start += size * rank
        schedule = groups.schedule[groups.member[member_start]]
        member_start += int(groups.size[g])
        start = [groups.size[g], groups.covariate[g], size, rank, schedule]
        parts.append(np.concatenate([start, numbers.ravel(), root.T.ravel()]))
    sizes = [part[2] for part in parts]
    largest = max(sizes, default=0)
    header = [len(parts), n_visit + 1, effects.size, sum(sizes), largest, n_schedule]
    before = HEADER + groups.times.size + len(parts) + 2 * effects.size
    begins = before + np.cumsum([0, *(part.size for part in parts)])[:-1]
    head = [np.array(header), groups.times.ravel(), begins, place[effects], effects]
    return np.concatenate([*head, *parts]).astype(float)


def _cells(groups: Groups) -> list[slice]:
    """Where the cells of each group are."""
    return [slice(groups.start[g], groups.start[g + 1]) for g in range(groups.size.size)]


@compiled
def unpacked_cells(cells):
    """Weeks by schedule and visit, where groups begin, places and positions of fixed effects."""
    n_group, n_visit, n_fixed = int(cells[0]), int(cells[1]), int(cells[2])
    n_schedule = int(cells[5])
    a = HEADER + n_schedule * n_visit
    b = a + n_group
    return (
        cells[HEADER:a].reshape((n_schedule, n_visit)),
        cells[a:b],
        cells[b : b + n_fixed],
        cells[b + n_fixed : b + 2 * n_fixed],
    )
