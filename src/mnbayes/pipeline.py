"""The main job: cohort folder in, folder of results out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import batched
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from mnbayes.analyses.catalogue import catalogue
from mnbayes.analyses.influence import part as influence_part
from mnbayes.analyses.influence.refits import patients_to_leave_out, refit_without
from mnbayes.analyses.influence.section import ANALYSIS as INFLUENCE
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.result import Result
from mnbayes.base.new_files import temporary_folder
from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.base.workers import News, side_by_side
from mnbayes.cards.card import Card
from mnbayes.cards.chosen_definitions import definitions_of
from mnbayes.cards.definitions import Definitions
from mnbayes.cards.own_model import OwnModel
from mnbayes.cards.prior_sets import PriorSet
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Sampling, fit
from mnbayes.inference.own_fit import checked_model, fit_own
from mnbayes.models.well_posed import well_posed
from mnbayes.report.arviz_pictures import write_arviz_pictures
from mnbayes.report.kit.drawing import pictures_of
from mnbayes.report.kit.figures import without_collection
from mnbayes.report.page import prepare_report, render_pages
from mnbayes.run.analysis import Analysis, Beside, Shown, able, sections_of
from mnbayes.run.history import History, earlier_runs, record
from mnbayes.run.keeping import Target, check_room, claim
from mnbayes.run.manifest import manifest, sections_manifest
from mnbayes.run.outputs import write_run, write_tree
from mnbayes.run.run import Run
from mnbayes.run.section import Picture

#: Refits without a patient that one task makes: short enough for the cores to end together.
_TOGETHER = 2

#: Analysis to the pictures of one model.
type Pictures = dict[str, tuple[Picture, ...]]


@dataclass(frozen=True)
class Job:
    """What to fit and how.

    Attributes
    ----------
    cohort : Cohort
    cards : tuple of Card
        With the priors to use.
    definitions : Definitions, optional
        Default: see :func:`mnbayes.cards.chosen_definitions.choose_definitions`.
    sampling : Sampling
    prior_set : str
    settings : tuple of str
        The single values that were set, as written.
    allow_unconverged : bool
        Whether to show the numbers of fits that fail the gate.
    influence : bool
        Whether to refit without each patient, and with other structures, the cards that ask for it.
    prior_sets : tuple of PriorSet
        For the record: the cards have their priors already.
    beside : tuple of Beside
        Models that stand beside the cohort: a paper's published numbers, earlier studies.
    analyses : tuple of Analysis
    own : tuple of OwnModel
        Models of one's own, fitted to the cohort as the cards are.
    """

    cohort: Cohort
    cards: tuple[Card, ...]
    definitions: Definitions | None = None
    sampling: Sampling = field(default_factory=Sampling)
    prior_set: str = "weak"
    settings: tuple[str, ...] = ()
    allow_unconverged: bool = False
    influence: bool = True
    prior_sets: tuple[PriorSet, ...] = ()
    beside: tuple[Beside, ...] = ()
    analyses: tuple[Analysis, ...] = field(default_factory=catalogue)
    own: tuple[OwnModel, ...] = ()

    @cached_property
    def judged_by(self) -> Definitions:
        """The definitions of response, as they apply to the cohort."""
        first = self.cards[0].markers if self.cards else ()
        return definitions_of(self.cohort, self.definitions, first)

    @property
    def stated(self) -> tuple[Card | OwnModel, ...]:
        """Every model of the cohort, in the order in which they are shown."""
        return (*self.cards, *self.own)


@dataclass(frozen=True)
class Worked:
    """What one model came to.

    Attributes
    ----------
    result : Result, or what a model beside the cohort found
    pictures : dict
        Analysis to its pictures.
    """

    result: Any
    pictures: Pictures


@without_collection()
def draw(
    result: Result, how: Shown, analyses: Sequence[Analysis], only: Sequence[str] = ()
) -> Pictures:
    """Every figure of a model, by analysis; of some analyses only where they are named."""
    title = result.fit.title
    return {
        analysis.name: pictures_of(analysis.figures(result, how), title)
        for analysis in analyses
        if analysis.figures is not None
        and not analysis.needs(result.fit)
        and (not only or analysis.name in only)
    }


def work(job: Job, card: Card | OwnModel, progress: News) -> Worked:
    """Fit one model of a job, make its tables and draw its pictures; the influence comes later."""

    def told(stage: str, done: int, total: int) -> None:
        progress(card.name, stage, done, total)

    if isinstance(card, Card):
        fitted, repeated = fit(card, job.cohort, job.sampling, told), is_repeated(card, job.cards)
    else:
        fitted, repeated = fit_own(card, job.cohort, job.sampling, told), False
    clock = time.perf_counter()
    told("summarising", 0, 0)
    result = summarise(
        fitted,
        job.judged_by,
        job.sampling.seed,
        allow_unconverged=job.allow_unconverged,
        cohort=job.cohort,
        refits=job.influence,
        analyses=job.analyses,
        progress=told,
    )
    summarised = time.perf_counter()
    told("drawing", 0, 0)
    how = Shown(job.judged_by, job.cohort.synthetic, repeated)
    pictures = draw(result, how, job.analyses)
    seconds = fitted.seconds | {
        "summarise": summarised - clock,
        "plot": time.perf_counter() - summarised,
    }
    told("done", 0, 0)
    return Worked(replace(result, fit=replace(fitted, seconds=seconds)), pictures)


def is_repeated(card: Card, cards: Sequence[Card]) -> bool:
    """Whether smaller models among ``cards`` have all markers of ``card`` between them."""
    smaller = [other.markers for other in cards if len(other.markers) < len(card.markers)]
    return set(card.markers) <= {marker for markers in smaller for marker in markers}


@dataclass(frozen=True)
class _CardTask:
    job: Job
    card: Card | OwnModel

    @property
    def name(self) -> str:
        return self.card.name

    def work(self, progress: News) -> Worked:
        return work(self.job, self.card, progress)


class _Task(Protocol):
    @property
    def name(self) -> str: ...
    def work(self, progress: News) -> Any: ...


@dataclass(frozen=True)
class _RefitTask:
    """Refits of a card without each of some patients: they need not wait for the full fit."""

    job: Job
    card: Card
    seeds: dict[str, int]

    @property
    def name(self) -> str:
        return self.card.name

    def work(self, progress: News) -> dict[str, tuple[pd.DataFrame | str, float]]:
        """Answers without each patient, and the seconds they took."""
        done = {}
        for patient, seed in self.seeds.items():
            clock = time.perf_counter()
            answers = refit_without(
                self.card, self.job.cohort, self.job.judged_by, self.job.sampling, patient, seed
            )
            done[patient] = answers, time.perf_counter() - clock
        return done


def _refit_tasks(job: Job, card: Card, seeds: dict[str, int]) -> list[_RefitTask]:
    """The refits of a card, :data:`_TOGETHER` in each task."""
    return [_RefitTask(job, card, dict(some)) for some in batched(seeds.items(), _TOGETHER)]


def _with_influence(
    job: Job, worked: Worked, refits: dict[str, tuple[pd.DataFrame | str, float]]
) -> Worked:
    """A model's result with the refits' answers beside its own, and the picture of that."""
    in_order = {name: refits[name][0] for name in job.cohort.patients["patient"] if name in refits}
    result = influence_part.with_refits(worked.result, in_order)
    if influence_part.of(result).empty:
        return worked
    taken = {"influence": sum(seconds for _, seconds in refits.values())}
    fitted = replace(result.fit, seconds=result.fit.seconds | taken)
    how = Shown(job.judged_by, job.cohort.synthetic)
    drawn = draw(result, how, job.analyses, only=(INFLUENCE.name,))
    return Worked(replace(result, fit=fitted), worked.pictures | drawn)


@dataclass(frozen=True)
class _BesideTask:
    """A model beside the cohort, its figures drawn where it was worked on."""

    beside: Beside

    @property
    def name(self) -> str:
        return self.beside.name

    def work(self, progress: News) -> Worked:
        found, drawn = self.beside.work(progress)
        pictures = {self.beside.analysis: pictures_of(drawn, self.name)}
        progress(self.name, "done", 0, 0)
        return Worked(found, pictures)


@dataclass(frozen=True)
class _StoredTask:
    """A task whose draws are written to a file where they were made."""

    task: _Task
    folder: Path

    @property
    def name(self) -> str:
        return self.task.name

    def work(self, progress: News) -> Any:
        done = self.task.work(progress)
        found = done.result
        tree = found.fit.tree if isinstance(found, Result) else found.tree
        if isinstance(found, Result) and isinstance(self.task, _CardTask):
            tree.attrs["prior_set"] = self.task.job.prior_set
            write_arviz_pictures(tree, self.folder / self.name, withheld=bool(found.withheld))
        write_tree(tree, self.folder, self.name)
        return done


def _work(task: _Task, progress: News) -> Any:
    return task.work(progress)


def work_all(
    job: Job,
    progress: News,
    folder: Path | None = None,
    fitted: Callable[[tuple[Result, ...]], None] | None = None,
) -> dict[str, Worked]:
    """Work on everything of a job, side by side where there are cores for it.

    The models with most markers come first, since they take longest.

    Parameters
    ----------
    job : Job
    progress : callable
    folder : Path, optional
        Where each task writes its draws (:func:`mnbayes.run.outputs.write_tree`).
    fitted : callable, optional
        Called in this process with the cards' results once all are there; what stands beside
        the cohort may still be worked on.

    Returns
    -------
    dict
        By name of the model: what each card and each model beside them came to.
    """
    # Bad input is reported here, before anything heavy starts.
    with gathered() as attempt:
        data = {card.name: attempt(well_posed, card, job.cohort) for card in job.cards}
    longest_first = sorted(job.cards, key=lambda card: len(card.markers), reverse=True)
    for own in job.own:
        checked_model(own, job.cohort)
    tasks: list[_Task] = [_CardTask(job, card) for card in longest_first]
    tasks += [_CardTask(job, own) for own in job.own]
    tasks += [_BesideTask(each) for each in job.beside]
    if folder is not None:
        tasks = [_StoredTask(task, folder) for task in tasks]
    # The short ones come last: whichever core is free takes the next.
    left_out = {
        card.name: patients_to_leave_out(card, data[card.name], job.sampling.seed)
        for card in longest_first
        if job.influence
    }
    for card in longest_first:
        tasks += _refit_tasks(job, card, left_out.get(card.name, {}))
    worked: dict[str, Worked] = {}
    refits: dict[str, dict[str, tuple[pd.DataFrame | str, float]]] = {name: {} for name in left_out}

    def finished(position: int, done: Any) -> None:
        task = tasks[position]
        if isinstance(task, _RefitTask):
            refits[task.name] |= done
            progress(task.name, "influence", len(refits[task.name]), len(left_out[task.name]))
        else:
            if not worked:
                prepare_report(job.cards, job.judged_by, job.analyses)
            worked[task.name] = done
            waiting = any(each.name not in worked for each in job.stated)
            if fitted is not None and position < len(job.stated) and not waiting:
                fitted(tuple(worked[each.name].result for each in job.stated))
        name = task.name
        if name in worked and refits.get(name) and len(refits[name]) == len(left_out[name]):
            worked[name] = _with_influence(job, worked[name], refits[name])
            progress(name, "done", 0, 0)

    side_by_side(_work, tasks, progress, finished)
    return worked


def after_fits(run: Run, analyses: Sequence[Analysis]) -> Run:
    """A run with what analyses find of it as a whole once the cards are fitted."""
    found, pictures = dict(run.found), dict(run.pictures)
    for analysis in analyses:
        of, without = able(run, analysis)
        if analysis.after_fits is not None and (of.results or not without):
            found[analysis.name], drawn = analysis.after_fits(of)
            pictures[analysis.name] = {analysis.name: pictures_of(drawn, run.results[0].name)}
    return replace(run, found=found, pictures=pictures)


def by_analysis(worked: Mapping[str, Worked]) -> dict[str, dict[str, tuple[Picture, ...]]]:
    """Pictures of all models: analysis to model to pictures, models in order."""
    found: dict[str, dict[str, tuple[Picture, ...]]] = {}
    for name, own in worked.items():
        for analysis, pictures in own.pictures.items():
            if pictures:
                found.setdefault(analysis, {})[name] = pictures
    return found


def run_job(
    job: Job,
    folder: Path | Target,
    progress: News,
    *,
    with_report: bool = True,
    force: bool = False,
) -> Run:
    """Do a job and write its outputs.

    Parameters
    ----------
    folder : Path or Target
        New or empty; written whole when everything is done.
    with_report : bool
        Whether to write ``report.html``.
    force : bool
        Whether a run that is in the folder may be moved aside; one that converged stays where
        this one does not.

    Returns
    -------
    Run
        ``converged`` says whether every fit passed the gate, ``folder`` where it is.

    Raises
    ------
    InputError
        If the cohort lacks what a card needs, the file of a model of one's own fails,
        ``folder`` holds something, cannot be written, or has no room.
    TakenError
        If another run took the folder meanwhile; this one is kept beside it.
    """
    target = claim(folder, force=force)
    draws = job.sampling.chains * job.sampling.draws
    markers = [*(len(card.markers) for card in job.cards), *(1 for _ in job.own)]
    check_room(target, draws, len(job.cohort.patients), markers)
    with temporary_folder() as written:
        return _run_job(job, target, progress, written, with_report)


def _run_job(job: Job, target: Target, progress: News, draws: Path, with_report: bool) -> Run:
    """Do a job, its draws written into a folder of their own as they are made."""
    started, clock = datetime.now(UTC), time.perf_counter()
    folder = target.folder
    history = earlier_runs(folder, job.cohort.sha256)
    early: list[Run] = []

    def run_of(results: tuple[Result, ...]) -> Run:
        return Run(
            cohort=job.cohort,
            definitions=job.judged_by,
            results=results,
            prior_set=job.prior_set,
            settings=job.settings,
            unconverged_shown=job.allow_unconverged,
            folder=folder,
        )

    def plan(results: tuple[Result, ...]) -> None:
        early.append(after_fits(run_of(results), job.analyses))

    worked = work_all(job, progress, draws, plan)
    fitted = time.perf_counter()
    results = tuple(worked[each.name].result for each in job.stated)
    decided = early[0] if early else after_fits(run_of(results), job.analyses)
    beside = {each.analysis: worked[each.name].result for each in job.beside}
    names = [each.name for each in (*job.stated, *job.beside)]
    pictures = by_analysis({name: worked[name] for name in names})
    run = replace(
        run_of(results),
        found={**decided.found, **beside},
        pictures={**pictures, **decided.pictures},
    )
    progress("report", "writing", 0, 0)
    run = _written(
        run,
        job.analyses,
        target,
        draws,
        history,
        started,
        {"models": fitted - clock},
        prior_sets=job.prior_sets,
        with_report=with_report,
    )
    progress("report", "done", 0, 0)
    return run


def _written(
    run: Run,
    analyses: Sequence[Analysis],
    target: Target,
    draws: Path,
    history: History,
    started: datetime,
    seconds: Mapping[str, float],
    *,
    prior_sets: Sequence[PriorSet] = (),
    with_report: bool = True,
) -> Run:
    """A run with its record and its sections, written into its folder."""
    clock = time.perf_counter()
    described = manifest(
        run.cohort,
        run.definitions,
        run.results,
        run.prior_set,
        run.settings,
        started,
        seconds,
        unconverged_shown=run.unconverged_shown,
        prior_sets=prior_sets,
    )
    described |= record(described, history)
    run = sections_of(replace(run, manifest=described), analyses)
    described |= {"converged": run.converged} | sections_manifest(run)
    run = replace(run, manifest=described)
    report = render_pages(run) if with_report else {}
    taken = described["seconds"] | {"report": round(time.perf_counter() - clock, 2)}
    run = replace(run, manifest=described | {"seconds": taken})
    placed = write_run(run, target, report, draws)
    return replace(run, folder=placed.folder, said=placed.said)


def write_report(
    results: Result | Sequence[Result],
    folder: str | Path,
    *,
    analyses: Sequence[Analysis] | None = None,
    with_report: bool = True,
    force: bool = False,
) -> Run:
    """Write results that are there already into a folder, as a run: report, tables, draws.

    Parameters
    ----------
    results : Result or sequence of Result
        Of one cohort, from :func:`mnbayes.summarise`: of cards, or of draws of somebody else.
    folder : str or Path
        New or empty; written whole.
    analyses : sequence of Analysis, optional
        Default: all of the catalogue. What asks for refits says that there are none.
    with_report : bool
        Whether to write ``report.html``.
    force : bool
        Whether a run that is in the folder may be moved aside; one that converged stays where
        this one does not.

    Returns
    -------
    Run
        ``folder`` says where it is, ``said`` what was moved.

    Raises
    ------
    InputError
        If the results are not of one cohort, two have one name, or ``folder`` holds something.
    """
    given = (results,) if isinstance(results, Result) else tuple(results)
    place = Path(folder)
    target = claim(place, force=force)
    cohort, definitions = _shared(given)
    chosen = catalogue() if analyses is None else tuple(analyses)
    how = Shown(definitions, cohort.synthetic)
    worked = {result.name: Worked(result, draw(result, how, chosen)) for result in given}
    sets = {str(result.fit.tree.attrs.get("prior_set") or "not recorded") for result in given}
    run = Run(
        cohort=cohort,
        definitions=definitions,
        results=given,
        prior_set=", ".join(sorted(sets)),
        unconverged_shown=any(
            not result.withheld and not result.fit.diagnostics.converged for result in given
        ),
        folder=place,
    )
    run = after_fits(run, chosen)
    run = replace(run, pictures={**by_analysis(worked), **run.pictures})
    with temporary_folder() as draws:
        for result in given:
            pictures = draws / result.name
            write_arviz_pictures(result.fit.tree, pictures, withheld=bool(result.withheld))
        return _written(
            run,
            chosen,
            target,
            draws,
            earlier_runs(place, cohort.sha256),
            datetime.now(UTC),
            {},
            with_report=with_report,
        )


def _shared(results: Sequence[Result]) -> tuple[Cohort, Definitions]:
    """The cohort and the definitions that all results are of."""
    cohorts = [result.fit.cohort for result in results if result.fit.cohort is not None]
    names = [result.name for result in results]
    problems = []
    if not cohorts or len(cohorts) < len(results) or len({c.sha256 for c in cohorts}) > 1:
        found = f"{len({cohort.sha256 for cohort in cohorts})} cohorts of {len(results)} results"
        problems.append(Problem("write_report", None, "results", found, "results of one cohort"))
    if len(set(names)) < len(names):
        found = ", ".join(names)
        problems.append(
            Problem("write_report", None, "results", found, "models of different names")
        )
    if problems:
        raise InputError(problems)
    return cohorts[0], results[0].judged_by
