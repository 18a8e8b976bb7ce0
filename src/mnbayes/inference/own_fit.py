"""Sample a model of one's own through the gate of the cards, or judge draws of somebody else."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.base.stopwatch import Stopwatch
from mnbayes.base.workers import silent
from mnbayes.cards.own_model import Needs, OwnModel, load_own_model, observed_of
from mnbayes.data.cohort import Cohort, as_cohort
from mnbayes.inference.densities import nutpie_statement
from mnbayes.inference.diagnostics import Diagnostics, diagnose, parameter_table
from mnbayes.inference.fit import Fit, Progress
from mnbayes.inference.own_tree import OwnTree, own_tree
from mnbayes.inference.sampling import Sampling, at_most_twice, sample
from mnbayes.inference.traces import Sampled
from mnbayes.inference.trees import attributes

#: Engine of a model that is sampled as it is stated.
ENGINE = "pymc"
#: Groups of a tree that are read.
_GROUPS = (
    *("posterior", "patients", "predictions", "prior", "prior_patients", "prior_predictions"),
    *("sample_stats", "observed_data", "log_likelihood", "log_prior"),
)


def fit_own(
    model: OwnModel | str | Path,
    cohort: Cohort | str | Path,
    sampling: Sampling | None = None,
    progress: Progress = silent,
) -> Fit:
    """Sample a model of one's own with NUTS (nutpie), through the same gate as a card's.

    Parameters
    ----------
    model : OwnModel, str or Path
        A Python file whose ``model(cohort)`` returns a ``pymc.Model`` with a variable or
        deterministic ``level`` (patient, visit, marker): true log levels, named as in the cohort.
    cohort : Cohort, str or Path
    sampling : Sampling, optional
        Its engine is not used.
    progress : callable, optional

    Returns
    -------
    Fit
        Without a card; look at ``diagnostics.converged`` before using its numbers.

    Raises
    ------
    InputError
        If the file fails (with the line), its model is not as it should be, or NUTS cannot draw
        from it.
    """
    with gathered() as read:
        own = model if isinstance(model, OwnModel) else read(load_own_model, model)
        cohort = read(as_cohort, cohort)
    sampling = sampling or Sampling()
    watch = Stopwatch()
    progress("compiling", 0, 0)
    stated = checked_model(own, cohort)
    compiled = _compiled(own, stated)
    watch.lap("compile")
    first, second, completing, prior_seed = np.random.SeedSequence(sampling.seed).spawn(4)
    prior, why_no_prior = prior_draws(stated, sampling, prior_seed)
    watch.lap("predict")

    def attempt(how: Sampling, stream: np.random.SeedSequence, stage: str) -> _Attempt:
        sampled = sample(compiled, how, stream, partial(progress, stage))
        watch.lap("sample")
        progress("predicting", 0, 0)
        groups = {"posterior": _labelled(stated, sampled), "sample_stats": sampled.stats} | prior
        done = _judged(own, groups, cohort, np.random.default_rng(completing))
        watch.lap("predict")
        return done

    tried, sampling, retried = at_most_twice(attempt, sampling, first, second)
    reasons = tried.diagnostics.reasons
    tree = tried.made.tree
    named = Needs(own.name, tried.made.observations.markers)
    tree.attrs = attributes(named, cohort, ENGINE, sampling.seed, reasons)
    tree.attrs |= {"card": "", "model": own.name, "model_sha256": own.sha256}
    if why_no_prior:
        tree.attrs["no_prior_because"] = why_no_prior
    return _fit(own, tried, sampling, cohort, retried=retried, seconds=watch.seconds, engine=ENGINE)


def fit_of_tree(tree: xr.DataTree, cohort: Cohort) -> Fit:
    """Draws of somebody else as a fit, judged by the same gate.

    Parameters
    ----------
    tree : DataTree
        That keeps the contract of ``docs/arviz.md``: at least ``level`` (patient, visit, marker)
        in ``posterior`` or ``patients``, of two chains or more.
    cohort : Cohort
        That was fitted.

    Raises
    ------
    InputError
        Naming what the tree lacks.
    """
    said = tree.attrs
    name = str(said.get("card") or said.get("model") or "own")
    name = name if Path(name).name == name and not name.startswith(".") else "own"
    own = OwnModel(name, f"{name}: draws of a model of one's own")
    groups = {each: tree[each].to_dataset() for each in _GROUPS if each in tree.children}
    seed = int(said.get("seed", 1))
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[2])
    tried = _judged(own, groups, cohort, rng)
    before = str(said.get("not_converged_because") or "did not converge")
    if int(said.get("converged", 1)) == 0 and before not in tried.diagnostics.reasons:
        reasons = (*before.split("; "), *tried.diagnostics.reasons)
        judged = replace(tried.diagnostics, reasons=tuple(dict.fromkeys(reasons)))
        tried = replace(tried, diagnostics=judged)
    engine = str(said.get("engine") or said.get("inference_library") or "not recorded")
    sizes = tried.made.tree["posterior"].sizes
    sampling = Sampling(chains=sizes["chain"], draws=sizes["draw"], seed=seed)
    needs = Needs(name, tried.made.observations.markers)
    ours = attributes(needs, cohort, engine, seed, tried.diagnostics.reasons)
    library = ("inference_library", "inference_library_version")
    kept = {key: value for key, value in ours.items() if key not in library}
    tried.made.tree.attrs = {**said, **kept, "card": "", "model": name}
    return _fit(own, tried, sampling, cohort, retried=False, seconds={}, engine=engine)


@dataclass(frozen=True)
class _Attempt:
    made: OwnTree
    table: pd.DataFrame
    diagnostics: Diagnostics


def _judged(
    own: OwnModel, groups: Mapping[str, xr.Dataset], cohort: Cohort, rng: np.random.Generator
) -> _Attempt:
    made = own_tree(own, groups, cohort, rng)
    with np.errstate(divide="ignore", invalid="ignore"):  # chains that do not move have no R-hat
        table = parameter_table(made.sampled)
    return _Attempt(made, table, diagnose(table, groups.get("sample_stats", xr.Dataset())))


def _fit(
    own: OwnModel,
    tried: _Attempt,
    sampling: Sampling,
    cohort: Cohort,
    *,
    retried: bool,
    seconds: dict[str, float],
    engine: str,
) -> Fit:
    return Fit(
        None,
        tried.made.observations,
        tried.made.tree,
        tried.diagnostics,
        tried.table,
        sampling,
        retried,
        seconds,
        engine,
        cohort=cohort,
        own=own,
    )


def checked_model(own: OwnModel, cohort: Cohort) -> Any:
    """The PyMC model of a cohort, with a ``level`` that is arranged as the cohort.

    Raises
    ------
    InputError
        If the file fails, or ``level`` is missing or not as it should be.
    """
    model = own.build(cohort)
    names = [variable.name for variable in (*model.free_RVs, *model.deterministics)]
    if "level" not in names:
        found = f"a model of {', '.join(names) or 'nothing'}"
        expected = "a variable or pm.Deterministic level (patient, visit, marker)"
        raise InputError([Problem(own.file, None, "level", found, expected)])
    discrete = [variable.name for variable in model.free_RVs if "int" in str(variable.dtype)]
    if discrete:
        expected = "continuous variables: NUTS needs discrete ones summed out (pm.Mixture)"
        raise InputError([Problem(own.file, None, ", ".join(discrete), "discrete", expected)])
    dims = [str(dim) for dim in model.named_vars_to_dims.get("level", ())]
    labels = {dim: along for dim, along in model.coords.items() if along is not None}
    observed_of(own, dims, labels, cohort)
    return model


def _compiled(own: OwnModel, model: Any) -> Any:
    try:
        return nutpie_statement(model)
    except (ValueError, NotImplementedError, TypeError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        expected = "a model that nutpie can sample: continuous, with gradients"
        raise InputError([Problem(own.file, None, None, said[0], expected)]) from error


def _kept(model: Any) -> list[Any]:
    """Variables whose draws are kept."""
    return [*model.free_RVs, *model.deterministics]


def _dims(model: Any, name: str, count: int) -> tuple[str, ...]:
    """Dims of a variable, those without a name called after it."""
    named = [str(dim) for dim in model.named_vars_to_dims.get(name, ()) if dim is not None]
    return tuple(named) if len(named) == count else tuple(f"{name}_{i}" for i in range(count))


def _dataset(model: Any, draws: Mapping[str, Any], chains: int, n_draws: int) -> xr.Dataset:
    """Draws, chain after chain on the first axis, with the names of the model's dims."""
    coords: dict[str, Any] = {"chain": np.arange(chains), "draw": np.arange(n_draws)}
    variables = {}
    for variable in _kept(model):
        values = np.asarray(draws[variable.name])
        values = values.reshape(chains, n_draws, *values.shape[1:])
        dims = _dims(model, variable.name, values.ndim - 2)
        variables[variable.name] = (("chain", "draw", *dims), values)
        along = {dim: model.coords.get(dim) for dim in dims}
        coords |= {dim: list(labels) for dim, labels in along.items() if labels is not None}
    return xr.Dataset(variables, coords)


def _labelled(model: Any, sampled: Sampled) -> xr.Dataset:
    sizes = sampled.stats.sizes
    return _dataset(model, sampled.draws, sizes["chain"], sizes["draw"])


@contextmanager
def _unsaid(library: str) -> Iterator[None]:
    """Keep a library's progress out of the terminal, where bars are drawn."""
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def prior_draws(
    model: Any, sampling: Sampling, stream: np.random.SeedSequence
) -> tuple[dict[str, xr.Dataset], str]:
    """As many draws of the prior as of the posterior, or why there are none.

    Parameters
    ----------
    model : pymc.Model
    sampling : Sampling
    stream : SeedSequence

    Returns
    -------
    groups : dict
        ``prior``, or nothing.
    reason : str
    """
    import pymc as pm

    if model.potentials:
        names = ", ".join(str(each.name) for each in model.potentials)
        return {}, f"pm.Potential ({names}) has no draws"
    kept = [str(variable.name) for variable in _kept(model)]
    count = sampling.chains * sampling.draws
    try:
        with warnings.catch_warnings(), _unsaid("pymc"):
            warnings.simplefilter("ignore")
            drawn: Any = pm.sample_prior_predictive(
                count,
                model=model,
                var_names=kept,
                random_seed=int(stream.generate_state(1)[0]),
                return_inferencedata=False,
                compile_kwargs={"mode": "FAST_COMPILE"},  # compiling takes longer than drawing
            )
    except (NotImplementedError, ValueError, TypeError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        return {}, said[0]
    if not all(np.isfinite(np.asarray(drawn[name])).all() for name in kept):
        return {}, "its priors overflow"
    return {"prior": _dataset(model, drawn, sampling.chains, sampling.draws)}, ""
