"""An analysis as an object: how its section is made of a run.

An analysis is one folder and one line in the catalogue (:mod:`mnbayes.analyses.catalogue`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mnbayes.answers.result import ModelAsked, Result
from mnbayes.base.workers import News
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.fit import Fit
from mnbayes.run.needs import nothing
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Part, Place, Section


@dataclass(frozen=True)
class Shown:
    """How the figures of one model are drawn.

    Attributes
    ----------
    definitions : Definitions
    synthetic : bool
        Whether every figure says that the cohort is synthetic.
    repeated : bool
        Whether smaller models of the same run have all of this one's markers: their figures show
        patients and responses, this one's show what it adds.
    """

    definitions: Definitions
    synthetic: bool
    repeated: bool = False


class Beside(Protocol):
    """A model that stands beside the cohort, worked on beside the cards in another process."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def analysis(self) -> str:
        """Name of the analysis whose section shows it."""

    def work(self, progress: News) -> tuple[Any, Sequence[Drawn]]:
        """What was found (with its draws as ``tree``), and the figures."""


@dataclass(frozen=True)
class Analysis:
    """How a section is made.

    Attributes
    ----------
    name, title : str
        Of the section.
    section : callable
        Makes it of a run that holds the sections made before.
    of_model : callable, optional
        What the analysis finds of one model (:attr:`Result.parts` under its name), where the
        model was fitted.
    figures : callable, optional
        Figures of one model, drawn where it was fitted.
    draws : mapping
        Names of these figures (without the marker's where there is one for each) to what a model
        must have for them; blank where every model has it.
    after_fits : callable, optional
        What it finds of the run as soon as the cards are fitted (:attr:`Run.found` under its
        name), and the figures of that.
    prepare : callable, optional
        Called with the cards and the definitions while models are still worked on: what does not
        wait for a fit.
    place : str
        Where its section stands, unless the section says so itself.
    part : str
        Which part of the main report it belongs to, unless the section says so itself.
    needs : callable
        Says why a fit lacks what the analysis needs, blank where it does not; a model of one's
        own has no card, and may say nothing of a population (:mod:`mnbayes.run.needs`). Such a
        model is not worked on, and the section is made of the others.
    """

    name: str
    title: str
    section: Callable[[Run], Section]
    of_model: Callable[[ModelAsked], Any] | None = None
    figures: Callable[[Result, Shown], Sequence[Drawn]] | None = None
    draws: Mapping[str, str] = field(default_factory=dict)
    after_fits: Callable[[Run], tuple[Any, Sequence[Drawn]]] | None = None
    prepare: Callable[[Iterable[Card], Definitions], None] | None = None
    place: Place = "main"
    part: Part = "results"
    needs: Callable[[Fit], str] = nothing


def able(run: Run, analysis: Analysis) -> tuple[Run, dict[str, str]]:
    """A run with those of its models that have what an analysis needs, and why the others lack it.

    Returns
    -------
    run : Run
    without : dict
        Model to the reason.
    """
    without = {r.name: why for r in run.results if (why := analysis.needs(r.fit))}
    if not without:
        return run, {}
    kept = tuple(result for result in run.results if result.name not in without)
    return replace(run, results=kept), without


def sections_of(run: Run, catalogue: Iterable[Analysis]) -> Run:
    """A run with its sections, made in the catalogue's order."""
    for analysis in catalogue:
        of, without = able(run, analysis)
        if without and not of.results:
            made = Section(analysis.name, analysis.title, absent=reasons(without))
        else:
            made = replace(analysis.section(of), without=without)
        if made.place == "main":
            made = replace(made, place=analysis.place)
        made = replace(made, part=made.part or analysis.part)
        run = replace(run, sections=(*run.sections, made))
    return run


def reasons(without: Mapping[str, str]) -> str:
    """Why models lack what a section needs, those of one reason together."""
    models: dict[str, list[str]] = {}
    for name, why in without.items():
        models.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in models.items())
