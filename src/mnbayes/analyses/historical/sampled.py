"""One fit of the historical model: sampled, judged, and sampled again if it failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.design import Design, design
from mnbayes.analyses.historical.points import historical_density
from mnbayes.analyses.historical.table import HistoricalTable
from mnbayes.base.arrays import Floats
from mnbayes.inference.densities import nutpie_model
from mnbayes.inference.diagnostics import Diagnostics, diagnose, parameter_table
from mnbayes.inference.sampling import Sampling, sample

#: Of the sampled quantities, the dims after chain and draw.
DIMS: dict[str, tuple[str, ...]] = {
    "class_log_odds": ("treatment_class",),
    "refractory": (),
    "doubling_of_time": (),
    "between_study_sd": (),
    "arm_correlation": (),
    "log_odds": ("row",),
}


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of the historical model of one table.

    Attributes
    ----------
    design : Design
    draws : dict
        Names of :data:`DIMS` to arrays, the draw on the first axis, chain after chain.
    stats : Dataset
        The sampler's.
    parameters : DataFrame
        Convergence of every sampled quantity.
    diagnostics : Diagnostics
    sampling : Sampling
        As it was used last.
    retried : bool
        Whether the first attempt failed the gate.
    """

    design: Design
    draws: dict[str, Floats]
    stats: xr.Dataset
    parameters: pd.DataFrame
    diagnostics: Diagnostics
    sampling: Sampling
    retried: bool

    @property
    def dataset(self) -> xr.Dataset:
        """The draws with their names."""
        return labelled(self.draws, self.design, self.sampling.chains)


def labelled(draws: dict[str, Floats], data: Design, chains: int) -> xr.Dataset:
    """Draws as a dataset with dims ``chain``, ``draw`` and those of :data:`DIMS`."""
    variables = {
        name: (("chain", "draw", *DIMS[name]), array.reshape(chains, -1, *array.shape[1:]))
        for name, array in draws.items()
    }
    coords: dict[str, object] = {"treatment_class": list(data.classes)}
    if "log_odds" in draws:
        coords["row"] = list(data.labels)
    count = next(iter(variables.values()))[1].shape[1]
    coords |= {"chain": np.arange(chains), "draw": np.arange(count)}
    return xr.Dataset(variables, coords=coords)


def sample_historical(
    table: HistoricalTable,
    card: HistoricalCard,
    sampling: Sampling,
    streams: tuple[np.random.SeedSequence, np.random.SeedSequence],
    news: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Posterior:
    """Sample the model of a table; once more with smaller steps if the first fit fails.

    Parameters
    ----------
    table : HistoricalTable
    card : HistoricalCard
    sampling : Sampling
        Its seed is not used.
    streams : tuple of SeedSequence
        Of the two attempts.
    news : callable
        Called with a stage, the iterations done and in all.

    Raises
    ------
    InputError
        If the priors make the counts impossible.
    """
    data = design(table, card)
    density = historical_density(data, card)

    def attempt(how: Sampling, stream: np.random.SeedSequence, stage: str) -> Posterior:
        sampled = sample(
            nutpie_model(density), how, stream, lambda done, total: news(stage, done, total)
        )
        draws = density.expand(sampled.draws["unconstrained"])
        parameters = parameter_table(labelled(draws, data, how.chains))
        gate = diagnose(parameters, sampled.stats)
        retried = stage == "retrying"
        return Posterior(data, draws, sampled.stats, parameters, gate, how, retried)

    first = attempt(sampling, streams[0], "sampling")
    if first.diagnostics.converged:
        return first
    stricter = replace(sampling, tune=2 * sampling.tune, target_accept=0.99)
    return attempt(stricter, streams[1], "retrying")
