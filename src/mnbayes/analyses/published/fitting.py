"""Sample one part of the published evidence, with the gate that every fit has to pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.base.arrays import Floats
from mnbayes.inference.diagnostics import Diagnostics, diagnose, parameter_table
from mnbayes.inference.sampling import Sampling
from mnbayes.numerics.density import Density


@dataclass(frozen=True)
class Part:
    """Posterior draws of one part of the evidence.

    Attributes
    ----------
    draws : dict
        Parameter to array, shape (chain, draw).
    stats : Dataset
        The sampler's statistics.
    table : DataFrame
        Convergence of every sampled quantity.
    diagnostics : Diagnostics
    retried : bool
        Whether the first attempt failed the gate.
    """

    draws: dict[str, Floats]
    stats: xr.Dataset
    table: pd.DataFrame
    diagnostics: Diagnostics
    retried: bool


def fit_part(
    density: Density,
    sampling: Sampling,
    stream: np.random.SeedSequence,
    otherwise: Callable[[np.random.SeedSequence], Part] | None = None,
) -> Part:
    """Sample a density; once more in a stricter way where that fails.

    Parameters
    ----------
    density : Density
    sampling : Sampling
    stream : SeedSequence
    otherwise : callable, optional
        What to do where the first attempt fails the gate; default: the same with smaller steps
        and longer tuning.

    Raises
    ------
    InputError
        If the priors make the facts impossible.
    """
    from mnbayes.inference.densities import nutpie_model
    from mnbayes.inference.sampling import sample

    def attempt(how: Sampling, own: np.random.SeedSequence, retried: bool) -> Part:
        sampled = sample(nutpie_model(density), how, own)
        named = density.expand(sampled.draws["unconstrained"])
        draws = {name: values.reshape(how.chains, -1) for name, values in named.items()}
        table = parameter_table(
            xr.Dataset({name: (("chain", "draw"), values) for name, values in draws.items()})
        )
        return Part(draws, sampled.stats, table, diagnose(table, sampled.stats), retried)

    first, second = stream.spawn(2)
    tried = attempt(sampling, first, False)
    if tried.diagnostics.converged:
        return tried
    if otherwise is not None:
        return otherwise(second)
    stricter = replace(sampling, tune=2 * sampling.tune, target_accept=0.99)
    return attempt(stricter, second, True)
