"""From a fit to a result: the base tables, and what every analysis finds of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from mnbayes.analyses.catalogue import catalogue
from mnbayes.analyses.plots import Plotter
from mnbayes.answers.result import ModelAsked, Result, base_result
from mnbayes.base.problems import InputError, Problem
from mnbayes.base.workers import silent
from mnbayes.cards.chosen_definitions import definitions_of
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Fit
from mnbayes.inference.own_fit import fit_of_tree
from mnbayes.run.analysis import Analysis

if TYPE_CHECKING:
    import xarray as xr


@overload
def summarise(
    fit: Fit,
    definitions: Definitions | None = None,
    seed: int = 1,
    *,
    allow_unconverged: bool = False,
    cohort: Cohort | None = None,
    analyses: Iterable[Analysis] | None = None,
    progress: Callable[[str, int, int], None] = silent,
) -> Result: ...


@overload
def summarise(
    fit: xr.DataTree,
    cohort: Cohort,
    definitions: Definitions | None = None,
    seed: int = 1,
    *,
    allow_unconverged: bool = False,
    analyses: Iterable[Analysis] | None = None,
    progress: Callable[[str, int, int], None] = silent,
) -> Result: ...


def summarise(
    fit: Fit | xr.DataTree,
    *given: Cohort | Definitions | int | None,
    cohort: Cohort | None = None,
    definitions: Definitions | None = None,
    seed: int = 1,
    allow_unconverged: bool = False,
    analyses: Iterable[Analysis] | None = None,
    progress: Callable[[str, int, int], None] = silent,
) -> Result:
    """Turn a fit, or draws of somebody else, into tables: ``summarise(fit, definitions, seed)``.

    ``summarise(tree, cohort, definitions, seed)`` takes draws that PyMC, Stan or another program
    made, in a tree that keeps the contract of ``docs/arviz.md``.

    Parameters
    ----------
    fit : Fit or DataTree
    definitions : Definitions, optional
        Default: see :func:`mnbayes.cards.chosen_definitions.choose_definitions`.
    seed : int
        Of the draws of new patients.
    allow_unconverged : bool
        Whether to show the numbers of a fit that failed the gate.
    cohort : Cohort, optional
        The one that was fitted; a tree needs it. Of a fit it serves what an analysis fits
        besides, each lymphocyte subset by itself, which is left out where there is none.
    analyses : iterable of Analysis, optional
        Default: all of the catalogue.
    progress : callable, optional
        Called with a stage, the steps done and in all.

    Returns
    -------
    Result
        If the fit failed the gate and that is not overridden, every model-based number is
        blank; what was measured stays.

    Raises
    ------
    InputError
        Naming what a tree lacks.
    """
    for value in given:  # by kind, so that both orders are understood
        if isinstance(value, Cohort):
            cohort = value
        elif isinstance(value, Definitions):
            definitions = value
        elif value is not None:
            seed = value
    if not isinstance(fit, Fit):
        if cohort is None:
            expected = "summarise(tree, cohort): the cohort that was fitted"
            raise InputError([Problem("summarise", None, "cohort", "none", expected)])
        fit = fit_of_tree(fit, cohort)
    whose = fit.cohort if fit.cohort is not None else cohort
    definitions = definitions_of(whose, definitions, fit.observations.markers)
    result, draws = base_result(fit, definitions, seed, allow_unconverged=allow_unconverged)
    chosen = None if analyses is None else tuple(analyses)
    asked = ModelAsked(result, definitions, draws, cohort, progress)
    parts: dict[str, Any] = {
        analysis.name: analysis.of_model(asked)
        for analysis in (catalogue() if chosen is None else chosen)
        if analysis.of_model is not None and not analysis.needs(fit)
    }
    return replace(result, parts=parts, plots=Plotter(chosen))
