"""Fit a card's model to a cohort."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.base.arrays import Floats
from mnbayes.base.display import Displayed, Screen
from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.base.stopwatch import Stopwatch
from mnbayes.base.text_table import Table, records
from mnbayes.base.workers import silent
from mnbayes.cards.card import Card, as_card
from mnbayes.cards.own_model import OwnModel
from mnbayes.data.cohort import Cohort, as_cohort, synthetic_words
from mnbayes.data.markers import Catalogue
from mnbayes.data.observations import Observations
from mnbayes.inference.collapsed import collapsed_sample
from mnbayes.inference.contract import catalogue, primary_week, recorded
from mnbayes.inference.densities import nutpie_model, nutpie_statement
from mnbayes.inference.diagnostics import Diagnostics, diagnose, parameter_table
from mnbayes.inference.sampling import Sampling as Sampling
from mnbayes.inference.sampling import at_most_twice, sample
from mnbayes.inference.traces import Sampled
from mnbayes.inference.trees import attributes, completed_tree, coordinates, top_level
from mnbayes.models.density import gaussian, longitudinal_density
from mnbayes.models.effects import EffectDraws
from mnbayes.models.gaussian_effects import draw_gaussian_effects
from mnbayes.models.longitudinal import statement
from mnbayes.models.well_posed import well_posed
from mnbayes.numerics.density import Density

#: Called with a stage (``compiling``, ``sampling``, ``retrying``, ``predicting``), the
#: iterations done and the iterations in all (0 where a stage has no count).
Progress = Callable[[str, int, int], None]


#: Of the statement's variables those that others determine.
_FOLLOWING = ("visit_change", "patient_change", "drift", "level")


@dataclass(frozen=True, repr=False)
class Fit(Displayed):
    """A fitted model.

    Attributes
    ----------
    card : Card or None
        With the priors as they were used; None of a model of one's own.
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
    engine : {"nuts", "pymc", "collapsed"}
        What drew in the end.
    handed_over : str
        Why NUTS took over from the collapsed engine; empty where it did not.
    seconds : dict
        Wall-clock seconds by stage.
    cohort : Cohort or None
        What was fitted; None where somebody else sampled.
    own : OwnModel or None
        What takes the card's place, where there is none.
    """

    card: Card | None
    observations: Observations
    tree: xr.DataTree
    diagnostics: Diagnostics
    parameters: pd.DataFrame
    sampling: Sampling
    retried: bool
    seconds: dict[str, float]
    engine: str = "nuts"
    handed_over: str = ""
    cohort: Cohort | None = None
    own: OwnModel | None = None

    @property
    def stated(self) -> Card | OwnModel:
        """Where the model is stated: a card, or somebody's own file or draws."""
        found = self.card if self.card is not None else self.own
        if found is None:
            raise ValueError("a fit is of a card or of a model of one's own")
        return found

    @property
    def required_card(self) -> Card:
        """The card.

        Raises
        ------
        InputError
            If the model is one's own.
        """
        if self.card is None:
            found = "a model of one's own, which has no card"
            raise InputError([Problem(self.name, None, None, found, "a fit of a card")])
        return self.card

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.stated.name

    @property
    def title(self) -> str:
        """Title of the model."""
        return self.stated.title

    @cached_property
    def primary_week(self) -> float:
        """Week of the primary analysis: see :func:`mnbayes.data.trial.primary_week`."""
        return primary_week(self.tree)

    @property
    def catalogue(self) -> Catalogue:
        """What its markers are, as the draws say."""
        return catalogue(self.tree)

    @cached_property
    def recorded(self) -> xr.Dataset:
        """What was measured: see :func:`mnbayes.inference.contract.recorded`."""
        return recorded(self.tree)

    @property
    def synthetic(self) -> bool:
        """Whether its cohort is declared to be synthetic."""
        return self.cohort is not None and self.cohort.synthetic

    def _screen(self) -> Screen:
        check, how = self.diagnostics, self.sampling
        ess = f"{check.worst_ess_bulk:,.0f} (bulk), {check.worst_ess_tail:,.0f} (tail)"
        doubts = [f"{check.divergences} divergences"]
        doubts += [] if check.worst_bfmi is None else [f"worst E-BFMI {check.worst_bfmi:.2f}"]
        doubts += [] if check.pareto_k is None else [f"Pareto k {check.pareto_k:.2f}"]
        doubts += ["second attempt"] if self.retried else []
        worst: tuple[tuple[str, ...], ...] = ()
        if not self.parameters.empty:
            least = self.parameters.sort_values("rhat", ascending=False, na_position="first")
            worst = tuple(
                (
                    str(row["parameter"]),
                    f"{row['rhat']:.3f}",
                    f"{row['ess_bulk']:,.0f}",
                    f"{row['ess_tail']:,.0f}",
                )
                for row in records(least.head(3))
            )
        seconds = ", ".join(f"{stage} {taken:.1f}" for stage, taken in self.seconds.items())
        patients = len(self.observations.patients)
        engine = f"{self.engine} ({self.handed_over})" if self.handed_over else self.engine
        return Screen(
            f"Fit of {self.name} to {patients} patients{synthetic_words(self.synthetic)}",
            (
                ("markers", ", ".join(self.observations.markers)),
                ("engine", engine),
                ("draws", f"{how.chains} chains × {how.draws:,}, seed {how.seed}"),
                ("converged", "yes" if check.converged else f"NO: {'; '.join(check.reasons)}"),
                ("worst R-hat", f"{check.worst_rhat:.3f}"),
                ("worst ESS", ess),
                ("sampler", ", ".join(doubts)),
                ("seconds", seconds),
                ("tree", ", ".join(self.tree.children)),
            ),
            (
                Table(
                    "Chains agree least on", ("parameter", "R-hat", "ESS bulk", "ESS tail"), worst
                ),
            ),
            ("Tables: mn.summarise(fit). Draws for ArviZ: fit.tree.",),
        )


def fit(
    card: Card | str | Path,
    cohort: Cohort | str | Path,
    sampling: Sampling | None = None,
    progress: Progress = silent,
) -> Fit:
    """Fit a card's model to a cohort, with NUTS unless ``sampling`` names another engine.

    Nothing is compiled after the first fit of a kind on a machine, whatever card, priors and data
    (but by the engine ``pymc``, which compiles the model each time). If the fit fails the gate
    of :mod:`mnbayes.inference.diagnostics`, it is repeated once with smaller steps and longer
    tuning.

    Parameters
    ----------
    card : Card, str or Path
        A name or path as :func:`mnbayes.load_card` takes it.
    cohort : Cohort, str or Path
        A folder as :func:`mnbayes.load_cohort` takes it.
    sampling : Sampling, optional
    progress : callable, optional
        What it raises ends the fit, and is raised.

    Returns
    -------
    Fit
        Look at ``diagnostics.converged`` before using its numbers.

    Raises
    ------
    InputError
        If the cohort lacks what the card needs, the fit would be ill-posed
        (:func:`mnbayes.models.well_posed.well_posed`), or the priors make the data impossible;
        where names or paths are given, every problem of both.
    """
    with gathered() as read:
        cohort = read(as_cohort, cohort)
        known = cohort.catalogue if isinstance(cohort, Cohort) else None
        card = read(as_card, card, known)
    sampling = sampling or Sampling()
    data = well_posed(card, cohort)
    card = card.among(cohort.catalogue).scheduled(data.weeks[-1])
    density = None if sampling.engine == "pymc" else longitudinal_density(card, data)
    watch = Stopwatch()
    seed = sampling.seed
    first, second, completing, collapsed = np.random.SeedSequence(seed).spawn(4)

    def judged(sampled: Sampled, stream: np.random.SeedSequence) -> _Attempt:
        watch.lap("sample")
        progress("predicting", 0, 0)
        done = _complete(card, data, density, sampled, stream, completing, seed)
        watch.lap("predict")
        return done

    engine, handed_over = _engine(sampling, card, data)
    tried, retried = None, False
    if engine == "collapsed" and density is not None:  # the engine needs one
        told = partial(progress, "sampling")
        tried = judged(collapsed_sample(density, sampling, collapsed, told), collapsed)
        if sampling.engine == "auto" and not tried.diagnostics.converged:
            engine, handed_over = "nuts", "; ".join(tried.diagnostics.reasons)
            tried = None
    if tried is None:
        progress("compiling", 0, 0)
        model = _sampled_model(card, data, density)
        watch.lap("compile")

        def attempt(how: Sampling, stream: np.random.SeedSequence, stage: str) -> _Attempt:
            told = partial(progress, stage)
            correlated = density is not None and bool(data.censored.any())
            return judged(sample(model, how, stream, told, correlated=correlated), stream)

        tried, sampling, retried = at_most_twice(attempt, sampling, first, second)
    tried.tree.attrs = attributes(card, cohort, engine, seed, tried.diagnostics.reasons)
    return Fit(
        card,
        data,
        tried.tree,
        tried.diagnostics,
        tried.table,
        sampling,
        retried,
        watch.seconds,
        engine,
        handed_over,
        cohort,
    )


def _engine(sampling: Sampling, card: Card, data: Observations) -> tuple[str, str]:
    """The engine to begin with, and why it is not the one that was asked for.

    Raises
    ------
    InputError
        If the collapsed engine alone was asked for and cannot draw from the model.
    """
    if sampling.engine in ("nuts", "pymc"):
        return sampling.engine, ""
    if gaussian(card, data):
        return "collapsed", ""
    heavy = card.structure.residual != "normal"
    reason = "residuals are not normal" if heavy else "values are censored"
    if sampling.engine == "collapsed":
        raise InputError(
            [
                Problem(
                    "--engine",
                    None,
                    None,
                    f"collapsed, but the model {card.name}: {reason}",
                    "nuts, or auto, which hands over to NUTS there",
                )
            ]
        )
    return "nuts", reason


def _sampled_model(card: Card, data: Observations, density: Density | None) -> Any:
    """What nutpie samples: a density that numba compiled once on this machine, or the statement."""
    if density is not None:
        return nutpie_model(density)
    return nutpie_statement(statement(card, data))


@dataclass(frozen=True)
class _Attempt:
    tree: xr.DataTree
    table: pd.DataFrame
    diagnostics: Diagnostics


def _complete(
    card: Card,
    data: Observations,
    density: Density | None,
    sampled: Sampled,
    stream: np.random.SeedSequence,
    completing: np.random.SeedSequence,
    seed: int,
) -> _Attempt:
    """Draw what the sampler integrated out and what follows from it, and judge the whole."""
    rng = np.random.default_rng(stream.spawn(1)[0])
    sizes = sampled.stats.sizes

    def expanded() -> dict[str, Floats]:
        if density is None:  # what follows from others is not judged, as elsewhere
            return {n: a for n, a in sampled.draws.items() if n not in _FOLLOWING}
        return density.expand(sampled.draws["unconstrained"])

    def check(draws: Mapping[str, Floats]) -> pd.DataFrame:
        return parameter_table(top_level(draws, names.result()))

    # ArviZ's checks and our draws take about as long and need little of each other. ArviZ mutes
    # warnings for a moment, and threads share what is muted: put it back when both are done.
    with warnings.catch_warnings(), ThreadPoolExecutor(1) as beside:
        names = beside.submit(coordinates, card, data, sizes["chain"], sizes["draw"])
        known = beside.submit(expanded)
        checks = [beside.submit(lambda: check(known.result()))]
        drawn: EffectDraws
        if density is None:
            draws = known.result()
            own = sampled.draws["patient_baseline"] - draws["baseline_mean"][:, None]
            effects = np.concatenate([own, sampled.draws["patient_change"]], axis=-1)
            drawn = EffectDraws(draws, effects, sampled.draws.get("drift"))
        else:
            points = sampled.draws["unconstrained"]
            drawn = draw_gaussian_effects(card, data, density, points, rng)
        new = {n: array for n, array in drawn.top_level.items() if n not in known.result()}
        if new:
            checks.append(beside.submit(check, new))
        tree = completed_tree(
            card, data, drawn, names.result(), sampled.stats, stream=completing, seed=seed
        )
        table = pd.concat([checked.result() for checked in checks], ignore_index=True)
    return _Attempt(tree, table, diagnose(table, sampled.stats))
