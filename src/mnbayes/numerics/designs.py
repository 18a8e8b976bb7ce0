"""Design of the fixed effects, in the order of every likelihood here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats


def fixed_design(
    visit: NDArray[np.int64],
    marker: NDArray[np.int64],
    covariate: float,
    n_marker: int,
    n_visit: int,
) -> Floats:
    """Which fixed effects a patient's cells hold, with which factor.

    Parameters
    ----------
    visit, marker : array of int, shape (cell,)
    covariate : float
        The patient's.
    n_marker, n_visit : int
        ``n_visit`` after baseline.

    Returns
    -------
    array, shape (cell, fixed)
        Mean baselines, mean changes and slopes by marker, deviations of the visits by visit and
        marker, and the change that all markers share.
    """
    out = np.zeros((visit.size, (3 + n_visit) * n_marker + 1))
    cell, later = np.arange(visit.size), np.flatnonzero(visit > 0)
    out[cell, marker] = 1.0
    out[later, n_marker + marker[later]] = 1.0
    out[later, 2 * n_marker + marker[later]] = covariate
    out[later, (2 + visit[later]) * n_marker + marker[later]] = 1.0
    out[later, -1] = 1.0
    return out
