"""What a fit says: its tables, withheld where the fit is not to be trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.answers.answer_table import answer_table
from mnbayes.answers.categories import Judge
from mnbayes.answers.change import best_reduction, estimates, patient_changes
from mnbayes.answers.probability_tables import population_table, probability_table
from mnbayes.answers.reported import ROW_KEYS
from mnbayes.answers.response_draws import (
    ResponseDraws,
    judge_of,
    response_draws,
    without_patients,
    without_repeats,
)
from mnbayes.base.display import Displayed, Screen
from mnbayes.base.labelled import array
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.number_words import gmr_range, percent
from mnbayes.base.text_table import Table, records
from mnbayes.base.workers import silent
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.data.cohort import Cohort, synthetic_words
from mnbayes.data.markers import Catalogue
from mnbayes.inference.contract import PREDICTIONS, at_weeks, drawn
from mnbayes.inference.fit import Fit


@dataclass(frozen=True, repr=False)
class Result(Displayed):
    """Tables of one fitted model.

    Attributes
    ----------
    fit : Fit
    probabilities, population, estimates : DataFrame
        As in the output files; their numbers are blank where withheld.
    patient_changes : DataFrame
        Ratio to baseline of each patient, marker and visit; empty where withheld.
    best : DataFrame
        Best short-term reduction beside its posterior predictive; empty where withheld or
        where the model lacks the first marker of the definitions.
    not_evaluable : dict
        Category to the reason why this model cannot judge it.
    notes : dict
        Category that this model judges to what was left out of it, and when it stays open.
    withheld : tuple of str
        Why the numbers are withheld; empty if they are not.
    answers : DataFrame
        Every model-based answer, one row each; see
        :func:`mnbayes.answers.answer_table`. Empty where withheld.
    parts : mapping
        Analysis to what it found of this model: ``result.parts["withdrawal"].table``.
    definitions : Definitions or None
        By which responses were judged; None: those of the embedded trial.
    plots : callable or None
        Gives the figures of a result, see :attr:`plot`; None where nobody knows any.
    """

    fit: Fit
    probabilities: pd.DataFrame
    population: pd.DataFrame
    estimates: pd.DataFrame
    patient_changes: pd.DataFrame
    best: pd.DataFrame
    not_evaluable: dict[str, str]
    withheld: tuple[str, ...] = ()
    answers: pd.DataFrame = field(default_factory=pd.DataFrame)
    parts: Mapping[str, Any] = field(default_factory=dict)
    definitions: Definitions | None = None
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plots: Callable[[Result], Any] | None = None

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.fit.name

    @property
    def catalogue(self) -> Catalogue:
        """What its markers are."""
        return self.fit.catalogue

    @property
    def judged_by(self) -> Definitions:
        """The definitions by which responses were judged."""
        return load_definitions() if self.definitions is None else self.definitions

    @cached_property
    def judged(self) -> Judge:
        """The definitions as they apply to this model's markers."""
        return judge_of(self.fit.tree, self.judged_by)

    @cached_property
    def rows(self) -> Mapping[tuple[str, float], Sequence[Mapping[str, Any]]]:
        """Rows of the probabilities by quantity and week."""
        found: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
        for row in records(self.probabilities):
            found.setdefault((row["quantity"], row["week"]), []).append(row)
        return found

    @cached_property
    def share_rows(self) -> Mapping[tuple[float, str], Mapping[str, Any]]:
        """Row of the share of such patients by week and category."""
        return {(row["week"], row["category"]): row for row in records(self.population)}

    @property
    def evaluable(self) -> tuple[str, ...]:
        """Categories of response that this model can judge."""
        if self.probabilities.empty:
            return ()
        return tuple(c for c in self.judged_by.categories if c not in self.not_evaluable)

    @cached_property
    def primary_week(self) -> float:
        """Week that headlines are about: see :func:`headline_week`."""
        return headline_week(self.fit, self.judged_by)

    @property
    def plot(self) -> Any:
        """The figures of the analyses, ``result.plot.trajectories()``; ``dir`` lists them."""
        if self.plots is None:
            raise AttributeError("a result has figures if mnbayes.summarise made it")
        return self.plots(self)

    def _screen(self) -> Screen:
        label = self.judged_by.label
        reasons = [f"{label(name)}: {why}" for name, why in self.not_evaluable.items()]
        notes = [f"{label(name)}: {'; '.join(said)}" for name, said in self.notes.items()]
        state = "yes" if self.fit.diagnostics.converged else "NO"
        if not self.fit.diagnostics.converged and not self.withheld:
            state += ", shown all the same"
        week = self.primary_week
        return Screen(
            f"Result of {self.name}{synthetic_words(self.fit.synthetic)}",
            (
                ("converged", state),
                ("withheld", "; ".join(self.withheld)),
                ("not judged", "; ".join(reasons)),
                ("judged, but", "; ".join(notes)),
                ("tables", "estimates, probabilities, population, patient_changes, answers"),
                ("parts", ", ".join(self.parts)),
            ),
            () if self.withheld else (self._changes(week), self._next_patient(week)),
            () if self.plots is None else ("Figures: dir(result.plot).",),
        )

    def _changes(self, week: float) -> Table:
        last = self.estimates[self.estimates["week"] == week]
        rows = (
            (
                self._named(row["marker"]),
                *(gmr_range(row, of) for of in ("", "_prior")),
            )
            for row in records(last)
        )
        head = ("marker", "ratio (95 % interval)", "under the prior alone")
        return Table(f"Geometric mean ratio to baseline, week {week:g}", head, tuple(rows))

    def _named(self, marker: str) -> str:
        about = self.catalogue[marker]
        return f"{about.label} (odds ratio)" if about.scale == "logit" else about.label

    def _next_patient(self, week: float) -> Table:
        table = self.probabilities
        chosen = table[(table["quantity"] == "next_patient") & (table["week"] == week)]
        rows = (
            (
                self.judged_by.label(row["category"]),
                round_to_mcse(row["probability"], row["mcse"]),
                percent(row["prior_probability"]),
            )
            for row in records(chosen[chosen["probability"].notna()])
        )
        head = ("response of the next patient", "probability", "under the prior alone")
        return Table(f"The next patient, week {week:g}, as measured", head, tuple(rows))


@dataclass(frozen=True)
class ModelAsked:
    """What an analysis is given to find its part of a model.

    Attributes
    ----------
    result : Result
        With the base tables.
    definitions : Definitions
    draws : ResponseDraws or None
        What the probabilities were worked out from.
    cohort : Cohort or None
        For refits of parts of the model; None where the caller asks for none.
    refits : bool
        Whether to refit the whole of it, as its card asks.
    progress : callable
        Called with a stage, the steps done and in all.
    """

    result: Result
    definitions: Definitions
    draws: ResponseDraws | None
    cohort: Cohort | None = None
    refits: bool = True
    progress: Callable[[str, int, int], None] = silent


def blanked(table: pd.DataFrame, keep: tuple[str, ...]) -> pd.DataFrame:
    """A copy whose numbers that depend on the posterior are blank: all columns but some."""
    out = table.copy()
    for column in out.columns.difference(list(keep)):
        out[column] = np.nan
    return out


def headline_week(fit: Fit, definitions: Definitions) -> float:
    """Week of the primary analysis.

    That of the fit; but a response to be confirmed at the next visit is open at the last one, so
    where headlines are made of such a response it is the visit before.
    """
    later, week = fit.observations.weeks[1:], fit.primary_week
    waits = any(definitions.confirmed(name) for name in definitions.stated)
    return later[-2] if waits and len(later) > 1 and week == later[-1] else week


def withheld(result: Result) -> Result:
    """A result without the numbers of a model whose fit failed the gate; the measured stay."""
    modelled = result.probabilities["quantity"] != "observed"
    columns = ["probability", "mcse", "prior_probability"]
    probabilities = result.probabilities.copy()
    probabilities.loc[modelled, columns] = np.nan
    return replace(
        result,
        probabilities=probabilities,
        population=blanked(result.population, ROW_KEYS["population"]),
        estimates=blanked(result.estimates, ROW_KEYS["estimates"]),
        patient_changes=result.patient_changes.iloc[:0],
        best=result.best.iloc[:0],
        answers=pd.DataFrame(),
        withheld=result.fit.diagnostics.reasons,
    )


def _headline_weeks(fit: Fit, definitions: Definitions) -> list[float]:
    """The visit of the headlines; all where a response must be confirmed.

    There the visits together are integrated over, so that fewer of them have other points.
    """
    later = list(fit.observations.weeks[1:])
    confirmed = any(definitions.confirmed(name) for name in definitions.categories)
    return later if confirmed else [headline_week(fit, definitions)]


def before_primary(fit: Fit) -> list[float]:
    """The short term: later visits before the primary week, or all of them if there are none.

    The best of several visits is taken over these; the primary week has its own planned answer.
    """
    later = fit.observations.weeks[1:]
    return [week for week in later if week < fit.primary_week] or list(later)


def base_result(
    fit: Fit,
    definitions: Definitions,
    seed: int = 1,
    *,
    allow_unconverged: bool = False,
    headline: bool = False,
    patients: bool = True,
) -> tuple[Result, ResponseDraws | None]:
    """Turn a fit into the tables that every analysis builds on.

    Parameters
    ----------
    fit : Fit
    definitions : Definitions
    seed : int
        Of the draws of new patients.
    allow_unconverged : bool
        Whether to show the numbers of a fit that failed the gate.
    headline : bool
        Whether to tabulate the visit of the headlines alone (all, where a response must be
        confirmed), with the same numbers, in a quarter of the time; patients' changes, the best
        visit and repeat measurements are then left out. Ratios are those of all visits.
    patients : bool
        Whether to judge each patient's true level; blank otherwise.

    Returns
    -------
    Result
        If the fit failed the gate and that is not overridden, every model-based number is
        blank; what was measured stays.
    ResponseDraws or None
        What the probabilities were worked out from.
    """
    name, tree = fit.name, fit.tree
    if headline:
        tree = at_weeks(tree, _headline_weeks(fit, definitions))
    draws = response_draws(tree, definitions, seed)
    if headline and draws is not None:
        draws = without_repeats(draws)
    if not patients and draws is not None:
        draws = without_patients(draws)
    probabilities = probability_table(draws, name)
    population = population_table(draws, name)
    gmr = estimates(fit.tree, name)
    changes = pd.DataFrame() if headline else patient_changes(tree, name)
    best = pd.DataFrame()
    judged = judge_of(tree, definitions)
    if (
        not headline
        and judged.main in fit.observations.markers
        and drawn(tree, PREDICTIONS["posterior"], "measurement")
    ):
        best = best_reduction(tree, judged.main, before_primary(fit))
    result = Result(
        fit=fit,
        probabilities=probabilities,
        population=population,
        estimates=gmr,
        patient_changes=changes,
        best=best,
        not_evaluable=dict(judged.reasons),
        notes=judged.remarks(fit.observations.weeks[-1]),
        definitions=definitions,
    )
    if not allow_unconverged and not fit.diagnostics.converged:
        return withheld(result), draws
    at = array(tree["posterior"].dataset["later_visit"])
    answers = answer_table(probabilities, population, gmr[gmr["week"].isin(at)], tree)
    result = replace(result, answers=answers)
    return result, draws
