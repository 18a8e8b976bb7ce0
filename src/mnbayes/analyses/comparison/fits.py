"""Compare two fits, two results or two runs, in memory or in their folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mnbayes.analyses.comparison.runs import Comparison, compare_stored
from mnbayes.answers.reported import ROW_KEYS
from mnbayes.answers.result import Result, base_result
from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.cards.chosen_definitions import definitions_of
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.fit import Fit
from mnbayes.run.manifest import data_manifest, model_manifest
from mnbayes.run.opened_run import OpenedRun
from mnbayes.run.record import shown_name
from mnbayes.run.run import Run
from mnbayes.run.stored_run import StoredRun, in_memory, load_run, stored

#: What can be compared.
type Comparable = Fit | Result | Run | OpenedRun | str | Path


def compare(
    a: Comparable,
    b: Comparable,
    *,
    definitions: Definitions | None = None,
    names: tuple[str, str] = ("first", "second"),
) -> Comparison:
    """What differs between two fits of one model, two results of it, or two runs.

    Parameters
    ----------
    a, b : Fit, Result, Run, OpenedRun, str or Path
        A path is the folder of a run. Differences are from a to b. Of a fit or a result the
        answers of every patient, of the next one and of the population are compared; of runs
        whatever their sections give as well.
    definitions : Definitions, optional
        By which fits are judged; default: those of the other result, else those that mnbayes
        brings.
    names : tuple of str
        What two fits or results are called; a run is called as its folder.

    Returns
    -------
    Comparison
        Which priors came first is only known of runs, so ``post_hoc`` is empty for fits.

    Raises
    ------
    InputError
        If two fits are of different models, or a folder is not a run's.
    """
    models = [each.name for each in map(_fit, (a, b)) if each is not None]
    if len(set(models)) == 2:
        expected = f"a fit of {models[0]}; other models have other answers"
        raise InputError([Problem("compare", None, None, f"a fit of {models[1]}", expected)])
    judged = [each.definitions for each in (a, b) if isinstance(each, Result)]
    definitions = definitions or next(filter(None, judged), None)
    with gathered() as attempt:
        read = [
            attempt(_stored, each, name, definitions)
            for each, name in zip((a, b), names, strict=True)
        ]
    found = compare_stored(read[0], read[1])
    return replace(found, post_hoc="") if models else found


def _fit(one: Comparable) -> Fit | None:
    if isinstance(one, Result):
        return one.fit
    return one if isinstance(one, Fit) else None


def _stored(one: Comparable, name: str, definitions: Definitions | None) -> StoredRun:
    if isinstance(one, Fit):
        judged = definitions_of(one.cohort, definitions, one.observations.markers)
        return _of_result(base_result(one, judged)[0], name)
    if isinstance(one, Result):
        return _of_result(one, name)
    if isinstance(one, Run):
        return stored(one, name if one.folder is None else shown_name(one.folder))
    return load_run(one.folder if isinstance(one, OpenedRun) else one)


def _of_result(result: Result, name: str) -> StoredRun:
    fitted, definitions = result.fit, result.definitions
    described: dict[str, Any] = {
        "synthetic": fitted.synthetic,
        "seed": fitted.sampling.seed,
        "models": {result.name: model_manifest(result)},
    }
    if definitions is not None:
        described["definitions"] = definitions.recorded()
    if fitted.cohort is not None:
        described["data"] = data_manifest(fitted.cohort)
    return in_memory(
        (result,), {table: getattr(result, table) for table in ROW_KEYS}, described, name
    )
