"""What a rule is applied to: one model of a run, in memory or read back from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.analyses.design.rules import Rule
from mnbayes.answers.denominators import response_counts
from mnbayes.answers.response_draws import judge_of
from mnbayes.answers.result import Result
from mnbayes.base.labelled import array, labels
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.contract import primary_week
from mnbayes.run.record import models_with, read_manifest, texts_of
from mnbayes.run.stored_run import read_numbers, recorded_definitions
from mnbayes.run.stored_tree import stored_tree


@dataclass(frozen=True)
class Counts:
    """Patients of this trial at a visit: responders as measured, judged, and enrolled."""

    responders: int
    evaluable: int
    enrolled: int


@dataclass(frozen=True, eq=False)
class Evidence:
    """One model's fit, as far as a rule needs it.

    Attributes
    ----------
    model : str
        Its name.
    tree : DataTree or None
        Draws; None where they are withheld or there are none.
    markers : tuple of str
    weeks : tuple of float
        Later visits.
    primary_week : float
        The one of them that the run's headlines are about.
    withheld : tuple of str
        Why its numbers are withheld; empty if they are not.
    doubtful : tuple of str
        Why the fit failed its checks; empty if it did not.
    not_evaluable : dict
        Category to the reason why the model cannot judge it.
    probabilities : DataFrame
        With the ``observed`` rows of ``probabilities.csv``.
    responses : tuple of str
        Categories that count as some response.
    categories : tuple of str
        Every category of the definitions.
    confirmed : tuple of str
        Those that must be confirmed at the next visit: the last one cannot be judged.
    """

    model: str
    tree: xr.DataTree | None
    markers: tuple[str, ...]
    weeks: tuple[float, ...]
    primary_week: float
    withheld: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    not_evaluable: Mapping[str, str] = field(default_factory=dict)
    probabilities: pd.DataFrame = field(default_factory=pd.DataFrame)
    responses: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()

    def week_of(self, rule: Rule) -> float:
        """The visit a rule is about; NaN if the fit has none."""
        weeks = self.weeks[:-1] if rule.category in self.confirmed else self.weeks
        if rule.week == "primary":
            # A response to be confirmed is open at the last visit.
            return min(self.primary_week, *weeks[-1:]) if weeks else float("nan")
        if rule.week == "last":
            return weeks[-1] if weeks else float("nan")
        return float(rule.week) if float(rule.week) in weeks else float("nan")

    def why_not(self, rule: Rule) -> tuple[str, ...]:
        """Why a rule says nothing of this fit; empty if it can be applied."""
        if rule.category is not None and rule.category not in self.categories:
            known = ", ".join(self.categories) or "none"
            return (f"the definitions have no category {rule.category} ({known})",)
        if rule.category is not None and rule.category in self.not_evaluable:
            return (f"{rule.category} {self.not_evaluable[rule.category]}",)
        if rule.quantity == "gmr" and rule.marker not in self.markers:
            return (f"it needs {rule.marker}, which is not in this model",)
        if np.isnan(self.week_of(rule)):
            visits = ", ".join(f"{week:g}" for week in self.weeks)
            asked = "that a next one confirms" if rule.week == "last" else f"at week {rule.week:g}"
            return (f"no visit {asked} (later visits: {visits or 'none'})",)
        if self.withheld:
            return (f"the numbers of {self.model} are withheld ({'; '.join(self.withheld)})",)
        return ()

    def counts(self, category: str, week: float) -> Counts | None:
        """Responders as measured; None where nobody can be judged."""
        if self.probabilities.empty:
            return None
        table = response_counts(self.probabilities, week, self.responses)
        row = table[table["category"] == category]
        if row.empty:
            return None
        numbers = (int(row[name].iloc[0]) for name in ("responders", "evaluable", "enrolled"))
        return Counts(*numbers)


def evidence_of(result: Result) -> Evidence:
    """The evidence of a fit in memory."""
    data = result.fit.observations
    return Evidence(
        model=result.name,
        tree=None if result.withheld else result.fit.tree,
        markers=tuple(data.markers),
        weeks=tuple(float(week) for week in data.weeks[1:]),
        primary_week=result.primary_week,
        withheld=result.withheld,
        doubtful=result.fit.diagnostics.reasons,
        not_evaluable=result.not_evaluable,
        probabilities=result.probabilities,
        responses=result.judged_by.responses,
        categories=result.judged_by.categories,
        confirmed=tuple(filter(result.judged_by.confirmed, result.judged_by.categories)),
    )


@dataclass(frozen=True, eq=False)
class StoredEvidence:
    """What ``mnbayes design`` reads of a finished run.

    Attributes
    ----------
    models : tuple of Evidence
        The model that judges most categories first, of equals the one of fewer markers; so the
        report chooses as well.
    definitions : Definitions
        The run's.
    synthetic : bool
    """

    models: tuple[Evidence, ...]
    definitions: Definitions
    synthetic: bool


def judges_most(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Sort: the model that judges most categories first, of equals the one of fewer markers."""
    return sorted(evidence, key=lambda item: (len(item.not_evaluable), len(item.markers)))


def stored_evidence(folder: Path, models: Sequence[str] = ()) -> StoredEvidence:
    """Read the models of a finished run that have the main marker; no model is fitted.

    Parameters
    ----------
    folder : Path
        As ``mnbayes fit`` wrote it.
    models : sequence of str
        Empty: all of them.

    Raises
    ------
    InputError
        If the folder holds no such run or models.
    """
    manifest = read_manifest(folder)
    definitions = recorded_definitions(manifest)
    probabilities = read_numbers(folder, "probabilities")
    able = models_with(manifest, definitions.markers[0], models)
    found = [
        _read(folder, name, recorded, probabilities, definitions) for name, recorded in able.items()
    ]
    synthetic = bool(manifest.get("synthetic", False))
    return StoredEvidence(tuple(judges_most(found)), definitions, synthetic)


def _read(
    folder: Path,
    model: str,
    recorded: Mapping[str, Any],
    probabilities: pd.DataFrame,
    definitions: Definitions,
) -> Evidence:
    tree = stored_tree(folder, model)
    posterior = tree["posterior"].dataset
    withheld = texts_of(recorded, "withheld")
    return Evidence(
        model=model,
        tree=None if withheld else tree,
        markers=tuple(labels(posterior["marker"])),
        weeks=tuple(array(posterior["later_visit"]).tolist()),
        primary_week=primary_week(tree),
        withheld=withheld,
        doubtful=texts_of(recorded, "diagnostics", "reasons"),
        not_evaluable=dict(judge_of(tree, definitions).reasons),
        probabilities=probabilities[probabilities["model"] == model],
        responses=definitions.responses,
        categories=definitions.categories,
        confirmed=tuple(filter(definitions.confirmed, definitions.categories)),
    )
