"""The observations of the longitudinal model as the means that its likelihood reads.

For normal residuals, exact values and no serial correlation; see
:mod:`mnbayes.numerics.patient_means`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.numerics.compiling import compiled
from mnbayes.numerics.designs import fixed_design
from mnbayes.numerics.groups import Groups

#: Of the packed array: groups, visits after baseline, rows a group may have, fixed effects,
#: numbers of a group, pairs of fixed effects, entries, constant of the log-likelihood.
HEADER = 8
#: Numbers that a group begins with: patients, covariate, rows, its first entry and the one after
#: its last.
GROUP = 5
LOG_2PI = float(np.log(2.0 * np.pi))


def packed_means(groups: Groups, n_marker: int, sd_place: NDArray[np.int64]) -> Floats:
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
        Header (:data:`HEADER`). Of each fixed effect the place of its SD among the inputs, its
        position among all, and the sum of products of its design column with the values, both
        within patients. Degrees of freedom and sum of squares within patients by marker. Pairs of
        fixed effects: both, a marker, and the sum of products of their design columns within
        patients. Entries of the groups' designs of means: row, fixed effect, value. Groups: what
        :data:`GROUP` says, then by row which level it is a mean of (baselines by marker, then
        levels after them), of how many cells, its value, and the scatter of the rows.
    """
    n_visit = groups.weeks.size - 1
    most = 2 if groups.by_marker else 2 * n_marker
    effects = np.flatnonzero(sd_place >= 0)
    freedom, squares = np.zeros(n_marker), np.zeros(n_marker)
    scores = np.zeros(effects.size)
    products = np.zeros((n_marker, effects.size, effects.size))
    parts: list[Floats] = []
    entries: list[Floats] = []
    constant, offset, n_entry = 0.0, 0, 0
    for g, size in enumerate(groups.size):
        cells = slice(groups.start[g], groups.start[g + 1])
        visit, marker, value = groups.visit[cells], groups.marker[cells], groups.mean[cells]
        design = fixed_design(visit, marker, groups.covariate[g], n_marker, n_visit)[:, effects]
        root = groups.root[offset : offset + visit.size * groups.rank[g]]
        offset += root.size
        root = root.reshape(visit.size, groups.rank[g])
        levels, row = np.unique(np.where(visit > 0, n_marker, 0) + marker, return_inverse=True)
        of_row = (row[:, None] == np.arange(levels.size)).astype(float)
        count = of_row.sum(axis=0)
        averaging = of_row / count
        means = [averaging.T @ array for array in (value[:, None], root, design)]
        # What is left around a patient's means: only visits after baseline have any.
        value_in, root_in, design_in = (
            array - of_row @ mean
            for array, mean in zip((value[:, None], root, design), means, strict=True)
        )
        of_marker = (marker[:, None] == np.arange(n_marker)).astype(float)
        freedom += size * ((count - 1.0) @ (levels[:, None] % n_marker == np.arange(n_marker)))
        squares += (size * value_in[:, 0] ** 2 + (root_in**2).sum(axis=1)) @ of_marker
        scores += size * value_in[:, 0] @ design_in
        products += size * np.einsum("cj,ca,cb->jab", of_marker, design_in, design_in)
        constant -= 0.5 * size * (visit.size * LOG_2PI + np.log(count).sum())
        at = np.argwhere(means[2])
        entries.append(np.column_stack([at, means[2][tuple(at.T)]]))
        by_row = np.zeros((3, most))
        by_row[:, : levels.size] = levels, count, means[0][:, 0]
        scatter = np.zeros((most, most))
        scatter[: levels.size, : levels.size] = means[1] @ means[1].T
        start = [size, groups.covariate[g], levels.size, n_entry, n_entry + len(at)]
        parts.append(np.concatenate([start, by_row.ravel(), scatter.ravel()]))
        n_entry += len(at)
    # Rounding leaves some 1e-17 where the exact product is 0.
    pairs = np.argwhere(np.tril(np.abs(products) > 1e-12))
    pair_parts = [pairs[:, 1], pairs[:, 2], pairs[:, 0], products[tuple(pairs.T)]]
    length = GROUP + 3 * most + most**2
    header = [len(parts), n_visit, most, effects.size, length, len(pairs), n_entry, constant]
    entry_parts = np.concatenate(entries).T.ravel() if entries else np.zeros(0)
    head = [np.array(header), sd_place[effects], effects, scores, freedom, squares, *pair_parts]
    return np.concatenate([*head, entry_parts, *parts]).astype(float)


@compiled
def unpacked_means(means, k):
    """The parts of :func:`packed_means` without its header, each flat; ``k`` markers."""
    n, n_pair, n_entry = int(means[3]), int(means[5]), int(means[6])
    a = HEADER + 3 * n
    b = a + 2 * k
    c = b + 4 * n_pair
    return (
        means[HEADER : HEADER + n],
        means[HEADER + n : HEADER + 2 * n],
        means[HEADER + 2 * n : a],
        means[a : a + k],
        means[a + k : b],
        means[b : b + n_pair],
        means[b + n_pair : b + 2 * n_pair],
        means[b + 2 * n_pair : b + 3 * n_pair],
        means[b + 3 * n_pair : c],
        means[c : c + n_entry],
        means[c + n_entry : c + 2 * n_entry],
        means[c + 2 * n_entry : c + 3 * n_entry],
        means[c + 3 * n_entry :],
    )
