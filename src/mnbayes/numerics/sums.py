"""The observations of the longitudinal model as sums that its likelihood reads.

For normal residuals, exact values and no serial correlation; see
:mod:`mnbayes.numerics.woodbury`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.groups import Floats, Groups

#: Of the packed array: groups, visits after baseline, markers of a group, fixed effects, numbers
#: of a group, pairs of fixed effects, entries.
HEADER = 7
#: Numbers that a group begins with: patients, covariate, first marker, its first entry and the one
#: after its last.
GROUP = 5


def packed_sums(groups: Groups, n_marker: int, sd_place: NDArray[np.int64]) -> Floats:
    """One array of what the likelihood reads of the observations.

    Parameters
    ----------
    groups : Groups
        Of exact values without weights.
    n_marker : int
    sd_place : array of int, shape (fixed,)
        Of :func:`mnbayes.numerics.inputs.fixed_sd_places`; -1 where the model has no such effect.

    Returns
    -------
    array
        Header (:data:`HEADER`). Of each fixed effect the place of its SD among the inputs, and its
        position among all. Number of cells and sum of squares around the group means by marker.
        Pairs of fixed effects: both, a marker, and the sum over patients of the products of their
        design columns over the marker's cells. Entries of ``Z' X`` of the groups: row, fixed
        effect, value. Groups: what :data:`GROUP` says, the numbers of cells at baseline and later
        by marker, 1 where a cell is observed and its mean value, both by visit and marker, and
        ``Z' W Z`` of the scatter ``W``.
    """
    n_visit = groups.weeks.size - 1
    own = 1 if groups.by_marker else n_marker
    effects = np.flatnonzero(sd_place >= 0)
    n_cell, squares = np.zeros(n_marker), np.zeros(n_marker)
    products = np.zeros((n_marker, effects.size, effects.size))
    parts: list[Floats] = []
    entries: list[Floats] = []
    offset = n_entry = 0
    for g, size in enumerate(groups.size):
        cells = slice(groups.start[g], groups.start[g + 1])
        visit, k = groups.visit[cells], groups.marker[cells]
        first = int(k[0]) if groups.by_marker else 0
        mine = slice(first, first + own)
        design = _design(visit, k, groups.covariate[g], n_marker, n_visit)[:, effects]
        root = groups.root[offset : offset + k.size * groups.rank[g]]
        offset += root.size
        root = root.reshape(k.size, groups.rank[g])
        of_marker = (k[:, None] == np.arange(n_marker)).astype(float)
        of_patient = np.hstack([of_marker[:, mine], of_marker[:, mine] * (visit > 0)[:, None]])
        counts = of_patient.sum(axis=0)
        n_cell += size * of_marker.sum(axis=0)
        squares += (root**2).sum(axis=1) @ of_marker
        products += size * np.einsum("cj,ca,cb->jab", of_marker, design, design)
        table = np.zeros((2, n_visit + 1, n_marker))
        table[0, visit, k] = 1.0
        table[1, visit, k] = groups.mean[cells]
        sums = of_patient.T @ design
        at = np.argwhere(sums)
        entries.append(np.column_stack([at, sums[tuple(at.T)]]))
        scatter_root = of_patient.T @ root
        start = [size, groups.covariate[g], first, n_entry, n_entry + len(at)]
        counts[:own] -= counts[own:]
        scatter = scatter_root @ scatter_root.T
        parts.append(np.concatenate([start, counts, table[:, :, mine].ravel(), scatter.ravel()]))
        n_entry += len(at)
    pairs = np.argwhere(products)
    pairs = pairs[pairs[:, 1] >= pairs[:, 2]]
    pair_parts = [pairs[:, 1], pairs[:, 2], pairs[:, 0], products[tuple(pairs.T)]]
    length = GROUP + 2 * own + 2 * (n_visit + 1) * own + 4 * own**2
    header = [len(parts), n_visit, own, effects.size, length, len(pairs), n_entry]
    entry_parts = np.concatenate(entries).T.ravel() if entries else np.zeros(0)
    head = [np.array(header), sd_place[effects], effects, n_cell, squares, *pair_parts]
    return np.concatenate([*head, entry_parts, *parts]).astype(float)


def _design(
    visit: NDArray[np.int64],
    marker: NDArray[np.int64],
    covariate: float,
    n_marker: int,
    n_visit: int,
) -> Floats:
    """Design of all fixed effects, shape (cell, fixed)."""
    out = np.zeros((visit.size, (3 + n_visit) * n_marker + 1))
    cell = np.arange(visit.size)
    later = np.flatnonzero(visit > 0)
    out[cell, marker] = 1.0
    out[later, n_marker + marker[later]] = 1.0
    out[later, 2 * n_marker + marker[later]] = covariate
    out[later, (2 + visit[later]) * n_marker + marker[later]] = 1.0
    out[later, -1] = 1.0
    return out


@compiled
def unpacked_sums(sums, k):
    """The parts of :func:`packed_sums` without its header, each flat; ``k`` markers."""
    n_fixed, n_pair, n_entry = int(sums[3]), int(sums[5]), int(sums[6])
    a = HEADER + 2 * n_fixed
    b = a + 2 * k
    c = b + 4 * n_pair
    return (
        sums[HEADER : HEADER + n_fixed], sums[HEADER + n_fixed : a],
        sums[a : a + k], sums[a + k : b],
        sums[b : b + n_pair], sums[b + n_pair : b + 2 * n_pair],
        sums[b + 2 * n_pair : b + 3 * n_pair], sums[b + 3 * n_pair : c],
        sums[c : c + n_entry], sums[c + n_entry : c + 2 * n_entry],
        sums[c + 2 * n_entry : c + 3 * n_entry], sums[c + 3 * n_entry :],
    )  # fmt: skip
