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
from mnbayes.inference.densities import Density, nutpie_model
from mnbayes.inference.diagnostics import Diagnostics, diagnose, parameter_table
from mnbayes.inference.sampling import Sampling as Sampling
from mnbayes.inference.sampling import sample
from mnbayes.inference.traces import Sampled
from mnbayes.models.density import has_density, longitudinal_density
from mnbayes.models.observations import Observations, observations
from mnbayes.numerics.groups import Floats
from mnbayes.problems import InputError, Problem

Draws = dict[str, Floats]

#: Called with a stage (``compiling``, ``sampling``, ``retrying``, ``predicting``), the
#: iterations done and the iterations in all (0 where a stage has no count).
Progress = Callable[[str, int, int], None]


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
    engine : {"nuts", "collapsed"}
        What drew in the end.
    handed_over : str
        Why NUTS took over from the collapsed engine; empty where it did not.
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
    engine: str = "nuts"
    handed_over: str = ""


def _silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""


def fit(
    card: Card, cohort: Cohort, sampling: Sampling | None = None, progress: Progress = _silent
) -> Fit:
    """Fit a card's model to a cohort, with NUTS unless ``sampling`` names another engine.

    With normal residuals and exact values nothing is compiled after the first fit on a machine.
    Another model is compiled once in a process (some tens of seconds on a machine that never
    did), whatever the priors' numbers and the values afterwards. If the fit fails the gate of
    :mod:`mnbayes.inference.diagnostics`, it is repeated once with smaller steps and longer
    tuning.

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

    streams = np.random.SeedSequence(sampling.seed).spawn(4)
    engine, handed_over = _engine(sampling, card, data)
    tried = None
    if engine == "collapsed":
        tried = _collapsed_attempt(card, data, sampling, streams[3], progress)
        if sampling.engine == "auto" and not tried.diagnostics.converged:
            engine, handed_over = "nuts", "; ".join(tried.diagnostics.reasons)
            tried = None
        lap("sample")
    retried = False
    if tried is None:
        progress("compiling", 0, 0)
        density, model = _sampled_model(card, data)
        lap("compile")

        def attempt(how: Sampling, stream: np.random.SeedSequence, stage: str) -> _Attempt:
            sampled = sample(model, how, stream, lambda done, total: progress(stage, done, total))
            return _complete(card, data, density, sampled, how, stream)

        tried = attempt(sampling, streams[0], "sampling")
        retried = not tried.diagnostics.converged
        if retried:
            sampling = replace(sampling, tune=2 * sampling.tune, target_accept=0.99)
            tried = attempt(sampling, streams[1], "retrying")
        lap("sample")
    progress("predicting", 0, 0)
    rng = np.random.default_rng(streams[2])
    tree = build_tree(card, data, tried.draws, tried.sample_stats, rng, tried.effects)
    lap("predict")
    return Fit(
        card, data, tree, tried.diagnostics, tried.table, sampling, retried, seconds,
        engine, handed_over,
    )  # fmt: skip


def _engine(sampling: Sampling, card: Card, data: Observations) -> tuple[str, str]:
    """The engine to begin with, and why it is not the one that was asked for.

    Raises
    ------
    InputError
        If the collapsed engine alone was asked for and cannot draw from the model.
    """
    if sampling.engine == "nuts":
        return "nuts", ""
    if has_density(card, data):
        return "collapsed", ""
    heavy = card.structure.residual != "normal"
    reason = "residuals are not normal" if heavy else "values are censored"
    if sampling.engine == "collapsed":
        raise InputError(
            [Problem("--engine", None, None, f"collapsed, but the model {card.name}: {reason}",
                     "nuts, or auto, which hands over to NUTS there")]
        )  # fmt: skip
    return "nuts", reason


def _collapsed_attempt(
    card: Card,
    data: Observations,
    sampling: Sampling,
    stream: np.random.SeedSequence,
    progress: Progress,
) -> _Attempt:
    from mnbayes.collapsed.engine import collapsed_sample

    density = longitudinal_density(card, data)
    sampled = collapsed_sample(
        density, sampling, stream, lambda done, total: progress("sampling", done, total)
    )
    return _complete(card, data, density, sampled, sampling, stream)


def _sampled_model(card: Card, data: Observations) -> tuple[Density | None, Any]:
    """A Gaussian model's density, and what nutpie samples.

    A Gaussian model is a density that numba compiled once for this machine; one with Student-t
    residuals or censored values samples a weight or a value for each cell besides and goes
    through PyMC.
    """
    if has_density(card, data):
        density = longitudinal_density(card, data)
        return density, nutpie_model(density)
    from mnbayes.inference.compiling import compiled_model

    return None, compiled_model(card, data)


@dataclass(frozen=True)
class _Attempt:
    draws: Draws
    effects: Floats | None
    sample_stats: xr.Dataset
    table: pd.DataFrame
    diagnostics: Diagnostics


def _complete(
    card: Card,
    data: Observations,
    density: Density | None,
    sampled: Sampled,
    sampling: Sampling,
    stream: np.random.SeedSequence,
) -> _Attempt:
    """Draw what the sampler integrated out, and judge the whole."""
    from mnbayes.inference.trees import top_level
    from mnbayes.models.fixed_effects import draw_fixed_effects
    from mnbayes.models.gaussian_effects import draw_gaussian_effects

    rng = np.random.default_rng(stream.spawn(1)[0])
    draws, effects = sampled.draws, None
    if density is not None and not card.structure.serial:
        drawn = draw_gaussian_effects(card, data, density, draws["unconstrained"], rng)
        draws, effects = drawn.top_level, drawn.effects
    else:
        known = draws if density is None else density.expand(draws["unconstrained"])
        draws = draw_fixed_effects(card, data, known, rng)
    table = parameter_table(top_level(draws, data, sampling.chains))
    return _Attempt(draws, effects, sampled.stats, table, diagnose(table, sampled.stats))
