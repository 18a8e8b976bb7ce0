"""Fit a card's model to a cohort."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.cards import Card
from mnbayes.cohort import Cohort
from mnbayes.inference.diagnostics import Diagnostics, diagnose, parameter_table
from mnbayes.inference.traces import Sampled, read_trace
from mnbayes.models.observations import Observations, observations
from mnbayes.numerics.groups import Floats
from mnbayes.problems import InputError, Problem

#: Called with a stage (``compiling``, ``sampling``, ``retrying``, ``predicting``), the
#: iterations done and the iterations in all (0 where a stage has no count).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes
    ----------
    chains, draws, tune : int
        Draws and tuning draws are per chain.
    target_accept : float
        Of the first attempt; a retry uses 0.99 and twice the tuning.
    seed : int
    """

    chains: int = 4
    draws: int = 1000
    tune: int = 500
    target_accept: float = 0.9
    seed: int = 1


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes
    ----------
    card : Card
        With the priors as they were used.
    observations : Observations
    tree : DataTree
        See :func:`mnbayes.inference.trees.build_tree`.
    diagnostics : Diagnostics
    parameters : DataFrame
        Convergence of every sampled quantity.
    sampling : Sampling
        As it was used last.
    retried : bool
        Whether the first attempt failed the gate.
    seconds : dict
        Wall-clock seconds by stage.
    """

    card: Card
    observations: Observations
    tree: xr.DataTree
    diagnostics: Diagnostics
    parameters: pd.DataFrame
    sampling: Sampling
    retried: bool
    seconds: dict[str, float]


def _silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""


def fit(
    card: Card, cohort: Cohort, sampling: Sampling | None = None, progress: Progress = _silent
) -> Fit:
    """Fit a card's model to a cohort with NUTS.

    The first fit of a structure compiles (some tens of seconds on a machine that never did);
    later ones in the same process do not, whatever the priors' numbers and the values.
    If the fit fails the gate of :mod:`mnbayes.inference.diagnostics`, it is repeated once
    with smaller steps and longer tuning.

    Parameters
    ----------
    card : Card
    cohort : Cohort
    sampling : Sampling, optional
    progress : callable, optional

    Returns
    -------
    Fit
        Look at ``diagnostics.converged`` before using its numbers.

    Raises
    ------
    InputError
        If the cohort lacks what the card needs, or the priors make the data impossible.
    """
    from mnbayes.inference.compiling import compiled_model
    from mnbayes.inference.trees import build_tree

    sampling = sampling or Sampling()
    data = observations(card, cohort)
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[stage] = seconds.get(stage, 0.0) + now - clock
        clock = now

    progress("compiling", 0, 0)
    model = compiled_model(card, data)
    lap("compile")
    streams = np.random.SeedSequence(sampling.seed).spawn(3)

    def attempt(how: Sampling, stream: np.random.SeedSequence, stage: str) -> _Attempt:
        sampled = _sample(model, how, stream, stage, progress)
        return _complete(card, data, sampled, how, stream)

    tried = attempt(sampling, streams[0], "sampling")
    retried = not tried.diagnostics.converged
    if retried:
        sampling = replace(sampling, tune=2 * sampling.tune, target_accept=0.99)
        tried = attempt(sampling, streams[1], "retrying")
    lap("sample")
    progress("predicting", 0, 0)
    rng = np.random.default_rng(streams[2])
    tree = build_tree(card, data, tried.draws, tried.sample_stats, rng)
    lap("predict")
    return Fit(card, data, tree, tried.diagnostics, tried.table, sampling, retried, seconds)


@dataclass(frozen=True)
class _Attempt:
    draws: dict[str, Floats]
    sample_stats: xr.Dataset
    table: pd.DataFrame
    diagnostics: Diagnostics


def _complete(
    card: Card,
    data: Observations,
    sampled: Sampled,
    sampling: Sampling,
    stream: np.random.SeedSequence,
) -> _Attempt:
    """Draw what the sampler integrated out, and judge the whole."""
    from mnbayes.inference.trees import top_level
    from mnbayes.models.fixed_effects import draw_fixed_effects

    rng = np.random.default_rng(stream.spawn(1)[0])
    draws = draw_fixed_effects(card, data, sampled.draws, rng)
    stats = sampled.stats
    table = parameter_table(top_level(draws, data, sampling.chains))
    return _Attempt(draws, stats, table, diagnose(table, stats))


def _sample(
    model: Any, sampling: Sampling, stream: np.random.SeedSequence, stage: str, progress: Progress
) -> Sampled:
    import nutpie

    total = sampling.chains * (sampling.draws + sampling.tune)
    progress(stage, 0, total)
    sampler = nutpie.sample(
        model,
        draws=sampling.draws,
        tune=sampling.tune,
        chains=sampling.chains,
        seed=int(stream.generate_state(1)[0]),
        target_accept=sampling.target_accept,
        save_warmup=False,
        return_raw_trace=True,
        progress_bar=False,
        progress_callback=lambda chains: progress(
            stage, sum(chain.finished_draws for chain in chains), total
        ),
        blocking=False,
    )
    try:
        return read_trace(sampler.wait(), sampling.draws)
    except RuntimeError as error:
        # The density is zero or overflows wherever the chains try to start.
        expected = "priors under which the measurements are possible"
        raise InputError(
            [Problem("priors", None, None, f"no place to start ({error})", expected)]
        ) from error
    except BaseException:
        # nutpie's blocking call would hand back a truncated posterior on Ctrl-C.
        sampler.cancel()
        raise
