"""Nutpie's raw trace as arrays; its own labelled conversion takes a fifth of a refit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mnbayes.base.arrays import Floats

#: The sampler's statistics that are kept: those that ArviZ reads, and no debugging ones.
SAMPLE_STATS = (
    *("diverging", "energy", "logp", "depth", "n_steps", "step_size", "mean_tree_accept"),
    "maxdepth_reached",
)


@dataclass(frozen=True)
class Sampled:
    """What the sampler drew.

    Attributes
    ----------
    draws : dict
        Random variable to array, the draw on the first axis, chain after chain.
    stats : Dataset
        Dims ``chain`` and ``draw``.
    """

    draws: dict[str, Floats]
    stats: xr.Dataset


def read_trace(trace: Any, n_draws: int) -> Sampled:
    """Read nutpie's Arrow batches, one of draws and one of statistics for each chain.

    Parameters
    ----------
    trace : object
        Nutpie's, from ``return_raw_trace=True``.
    n_draws : int
        Draws of each chain after tuning, which are the last ones.

    Raises
    ------
    RuntimeError
        If a chain is shorter: it was stopped early.
    """
    draw_batches, stat_batches = trace.get_arrow_trace()
    if any(batch.num_rows < n_draws for batch in draw_batches):
        raise RuntimeError("a chain ended early")
    schema = draw_batches[0].schema
    draws = {}
    for name in draw_batches[0].column_names:
        shape = (schema.field(name).metadata or {}).get(b"shape", b"").decode()
        dims = [int(size) for size in shape.split(",") if size]
        chains = [_values(batch.column(name), n_draws) for batch in draw_batches]
        draws[name] = np.concatenate(chains).reshape(-1, *dims)
    stats = {
        name: (
            ("chain", "draw"),
            np.stack([_values(b.column(name), n_draws) for b in stat_batches]),
        )
        for name in SAMPLE_STATS
    }
    index = {"chain": np.arange(len(draw_batches)), "draw": np.arange(n_draws)}
    return Sampled(draws, xr.Dataset(stats, coords=index))


def _values(column: Any, n_draws: int) -> Any:
    """The last ``n_draws`` rows of a column, its lists flattened."""
    import pyarrow

    last = pyarrow.array(column).slice(len(column) - n_draws)
    return (last.flatten() if hasattr(last, "flatten") else last).to_numpy(zero_copy_only=False)
