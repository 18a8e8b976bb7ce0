"""The likelihood's inputs as one array: their order, and their parts by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnbayes.numerics.compiling import compiled


def input_sizes(n_marker: int) -> dict[str, int]:
    """Lengths of the likelihood's inputs by name, in their order in the array."""
    one_each = ("baseline_mean", "change_mean", "covariate_slope", "visit_sd")
    sizes = dict.fromkeys((*one_each, "baseline_sd", "change_sd"), n_marker)
    sizes["correlation"] = n_marker * (2 * n_marker - 1)
    sizes |= {"residual_sd": n_marker, "serial_sd": n_marker, "serial_weeks": 1}
    return sizes | {"fixed_sd": 3 * n_marker + 1}


#: Positions in :func:`begins`.
CORRELATION, RESIDUAL_SD, SERIAL_SD, SERIAL_WEEKS = 6, 7, 8, 9


@compiled
def begins(k):
    """Where each of the likelihood's inputs begins, and where they end; ``k`` markers."""
    after = 6 * k + k * (2 * k - 1)
    return (
        0,
        k,
        2 * k,
        3 * k,
        4 * k,
        5 * k,
        6 * k,
        after,
        after + k,
        after + 2 * k,
        after + 2 * k + 1,
        after + 5 * k + 2,
    )


def fixed_sd_places(n_marker: int, n_visit: int) -> NDArray[np.int64]:
    """Place among the inputs of the SD of each fixed effect, shape (fixed,).

    Fixed effects are the mean baselines, mean changes and slopes by marker, the deviations of the
    visits by visit and marker, and the change that all markers share.
    """
    sizes = input_sizes(n_marker)
    first = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    own = first["fixed_sd"] + np.arange(3 * n_marker)
    visits = np.tile(first["visit_sd"] + np.arange(n_marker), n_visit)
    return np.concatenate([own, visits, [first["fixed_sd"] + 3 * n_marker]])
