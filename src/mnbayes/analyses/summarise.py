"""From a fit to a result: the base tables, and what every analysis finds of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from mnbayes.analyses.catalogue import catalogue
from mnbayes.analyses.plots import Plotter
from mnbayes.answers.result import ModelAsked, Result, base_result
from mnbayes.base.workers import silent
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Fit
from mnbayes.run.analysis import Analysis


def summarise(
    fit: Fit,
    definitions: Definitions | None = None,
    seed: int = 1,
    *,
    allow_unconverged: bool = False,
    cohort: Cohort | None = None,
    analyses: Iterable[Analysis] | None = None,
    progress: Callable[[str, int, int], None] = silent,
) -> Result:
    """Turn a fit into tables.

    Parameters
    ----------
    fit : Fit
    definitions : Definitions, optional
        Default: those that mnbayes brings.
    seed : int
        Of the draws of new patients.
    allow_unconverged : bool
        Whether to show the numbers of a fit that failed the gate.
    cohort : Cohort, optional
        The one that was fitted, for what an analysis fits besides: each lymphocyte subset by
        itself. Left out where there is none.
    analyses : iterable of Analysis, optional
        Default: all of the catalogue.
    progress : callable, optional
        Called with a stage, the steps done and in all.

    Returns
    -------
    Result
        If the fit failed the gate and that is not overridden, every model-based number is
        blank; what was measured stays.
    """
    definitions = load_definitions() if definitions is None else definitions
    result, draws = base_result(fit, definitions, seed, allow_unconverged=allow_unconverged)
    chosen = None if analyses is None else tuple(analyses)
    asked = ModelAsked(result, definitions, draws, cohort, progress)
    parts: dict[str, Any] = {
        analysis.name: analysis.of_model(asked)
        for analysis in (catalogue() if chosen is None else chosen)
        if analysis.of_model is not None
    }
    return replace(result, parts=parts, plots=Plotter(chosen))
