"""The main job: cohort folder in, folder of results out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pandas as pd

from mnbayes.analyses.comparison.history import earlier_runs, record
from mnbayes.analyses.influence.refits import influence_table, patients_to_leave_out, refit_without
from mnbayes.analyses.lymphocytes.alone import alone
from mnbayes.answers.results import Result, summarise
from mnbayes.base.workers import News, side_by_side
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.cards.prior_sets import PriorSet
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import observations
from mnbayes.evidence import NAMES, HistoricalJob, PublishedJob
from mnbayes.inference.fit import Sampling, fit
from mnbayes.run.manifest import beside_manifest, manifest
from mnbayes.run.outputs import write_run, write_tree
from mnbayes.run.run import Run

#: Refits without a patient that one task makes: short enough for the cores to end together.
_TOGETHER = 2


@dataclass(frozen=True)
class Job:
    """What to fit and how.

    Attributes
    ----------
    cohort : Cohort
    cards : tuple of Card
        With the priors to use.
    definitions : Definitions
    sampling : Sampling
    prior_set : str
    settings : tuple of str
        The single values that were set, as written.
    allow_unconverged : bool
        Whether to show the numbers of fits that fail the gate.
    influence : bool
        Whether to refit without each patient the cards that ask for it.
    prior_sets : tuple of PriorSet
        For the record: the cards have their priors already.
    published : PublishedJob or None
    historical : HistoricalJob or None
    """

    cohort: Cohort
    cards: tuple[Card, ...]
    definitions: Definitions
    sampling: Sampling = field(default_factory=Sampling)
    prior_set: str = "weak"
    settings: tuple[str, ...] = ()
    allow_unconverged: bool = False
    influence: bool = True
    prior_sets: tuple[PriorSet, ...] = ()
    published: PublishedJob | None = None
    historical: HistoricalJob | None = None


@dataclass(frozen=True)
class Worked:
    """One model's result and its pictures (PNG bytes by name)."""

    result: Result
    pictures: dict[str, bytes]


def work(job: Job, card: Card, progress: News) -> Worked:
    """Fit one card of a job, make its tables and draw its pictures; the influence comes later."""
    from mnbayes.report.gallery import all_figures, png_bytes

    fitted = fit(
        card,
        job.cohort,
        job.sampling,
        lambda stage, done, total: progress(card.name, stage, done, total),
    )
    clock = time.perf_counter()
    by_itself = None
    if card.structure.shrink:
        by_itself = alone(
            card,
            job.cohort,
            job.sampling,
            lambda done, total: progress(card.name, "one by one", done, total),
        )
    started = time.perf_counter()
    progress(card.name, "summarising", 0, 0)
    result = summarise(
        fitted,
        job.definitions,
        job.sampling.seed,
        allow_unconverged=job.allow_unconverged,
        alone=by_itself,
    )
    summarised = time.perf_counter()
    progress(card.name, "drawing", 0, 0)
    figures = all_figures(
        result, job.definitions, job.cohort.synthetic, repeated=is_repeated(card, job.cards)
    )
    pictures = {name: png_bytes(figure) for name, figure in figures.items()}
    seconds = fitted.seconds | {
        "alone": started - clock,
        "summarise": summarised - started,
        "plot": time.perf_counter() - summarised,
    }
    progress(card.name, "done", 0, 0)
    return Worked(replace(result, fit=replace(fitted, seconds=seconds)), pictures)


def is_repeated(card: Card, cards: Sequence[Card]) -> bool:
    """Whether smaller models among ``cards`` have all markers of ``card`` between them."""
    smaller = [other.markers for other in cards if len(other.markers) < len(card.markers)]
    return set(card.markers) <= {marker for markers in smaller for marker in markers}


@dataclass(frozen=True)
class _CardTask:
    job: Job
    card: Card

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
                self.card, self.job.cohort, self.job.definitions, self.job.sampling, patient, seed
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
    from mnbayes.analyses.influence.figure import influence
    from mnbayes.report.gallery import png_bytes

    in_order = {name: refits[name][0] for name in job.cohort.patients["patient"] if name in refits}
    result = worked.result
    result = replace(result, influence=influence_table(result, in_order))
    if result.influence.empty:
        return worked
    taken = {"influence": sum(seconds for _, seconds in refits.values())}
    fitted = replace(result.fit, seconds=result.fit.seconds | taken)
    picture = png_bytes(influence(result, job.definitions, job.cohort.synthetic))
    return Worked(replace(result, fit=fitted), worked.pictures | {"influence": picture})


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
        tree = done.result.fit.tree if isinstance(done, Worked) else done[0].tree
        if isinstance(done, Worked) and isinstance(self.task, _CardTask):
            from mnbayes.report.arviz_pictures import write_arviz_pictures

            tree.attrs["prior_set"] = self.task.job.prior_set
            write_arviz_pictures(tree, self.folder / self.name, withheld=bool(done.result.withheld))
        write_tree(tree, self.folder, self.name)
        return done


def _work(task: _Task, progress: News) -> Any:
    return task.work(progress)


def work_all(
    job: Job,
    progress: News,
    folder: Path | None = None,
    fitted: Callable[[tuple[Result, ...]], None] | None = None,
) -> dict[str, Any]:
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
        By name of the model: :class:`Worked` of each card; result and pictures of the published
        facts and of the earlier studies.
    """
    # Bad input is reported here, before anything heavy starts.
    data = {card.name: observations(card, job.cohort) for card in job.cards}
    longest_first = sorted(job.cards, key=lambda card: len(card.markers), reverse=True)
    tasks: list[_Task] = [_CardTask(job, card) for card in longest_first]
    tasks += [task for task in (job.historical, job.published) if task is not None]
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
    worked: dict[str, Any] = {}
    refits: dict[str, dict[str, tuple[pd.DataFrame | str, float]]] = {name: {} for name in left_out}

    def finished(position: int, done: Any) -> None:
        task = tasks[position]
        if isinstance(task, _RefitTask):
            refits[task.name] |= done
            progress(task.name, "influence", len(refits[task.name]), len(left_out[task.name]))
        else:
            if not worked:
                from mnbayes.report.early import prepare_report

                prepare_report(job.cards)
            worked[task.name] = done
            waiting = any(card.name not in worked for card in job.cards)
            if fitted is not None and position < len(job.cards) and not waiting:
                fitted(tuple(worked[card.name].result for card in job.cards))
        name = task.name
        if name in worked and refits.get(name) and len(refits[name]) == len(left_out[name]):
            worked[name] = _with_influence(job, worked[name], refits[name])
            progress(name, "done", 0, 0)

    side_by_side(_work, tasks, progress, finished)
    return worked


def with_plan(run: Run) -> tuple[Run, dict[str, bytes]]:
    """A run with what the decision rule makes of it, and the pictures of that."""
    from mnbayes.analyses.design.figure import design_figures
    from mnbayes.analyses.design.plan import plan_run
    from mnbayes.report.gallery import png_bytes

    plan = plan_run(run)
    if plan is None:
        return run, {}
    pictures = {name: png_bytes(figure) for name, figure in design_figures(plan).items()}
    return replace(run, plan=plan), pictures


def run_job(job: Job, folder: Path, progress: News, *, with_report: bool = True) -> Run:
    """Do a job and write its outputs.

    Parameters
    ----------
    folder : Path
        Written whole when everything is done; see :func:`mnbayes.run.outputs.write_run`.
    with_report : bool
        Whether to write ``report.html``.

    Returns
    -------
    Run
        ``converged`` says whether every fit passed the gate.

    Raises
    ------
    InputError
        If the cohort lacks what a card needs, or ``folder`` holds something else than a run.
    """
    with TemporaryDirectory(prefix="mnbayes-") as draws:
        return _run_job(job, folder, progress, Path(draws), with_report)


def _run_job(job: Job, folder: Path, progress: News, draws: Path, with_report: bool) -> Run:
    """Do a job, its draws written into a folder of their own as they are made."""
    started, clock = datetime.now(UTC), time.perf_counter()
    history = earlier_runs(folder, job.cohort.sha256)
    planned: list[tuple[Run, dict[str, bytes]]] = []

    def plan(results: tuple[Result, ...]) -> None:
        planned.append(
            with_plan(Run(job.cohort, job.definitions, results, job.prior_set, job.settings, {}))
        )

    worked = work_all(job, progress, draws, plan)
    fitted = time.perf_counter()
    results = tuple(worked[card.name].result for card in job.cards)
    pictures = {card.name: worked[card.name].pictures for card in job.cards}
    beside: dict[str, Any] = dict.fromkeys(NAMES)
    for name, task in (("published", job.published), ("historical", job.historical)):
        if task is not None:
            beside[name], pictures[task.name] = worked[task.name]

    seconds = {"models": fitted - clock}
    described = manifest(
        job.cohort, job.definitions, results, job.prior_set, job.settings, started, seconds,
        unconverged_shown=job.allow_unconverged, prior_sets=job.prior_sets,
    )  # fmt: skip
    described |= record(described, history)
    run = Run(
        job.cohort, job.definitions, results, job.prior_set, job.settings, described,
        job.allow_unconverged, published=beside["published"], historical=beside["historical"],
    )  # fmt: skip
    decided, pictures["decision"] = planned[0] if planned else with_plan(run)
    run = replace(run, plan=decided.plan)
    run = replace(run, manifest=described | {"converged": run.converged} | beside_manifest(run))
    report = None
    if with_report:
        from mnbayes.analyses.comparison.runs import with_previous
        from mnbayes.report import render_report

        progress("report", "writing", 0, 0)
        report = render_report(with_previous(run, folder, history), pictures)
    taken = described["seconds"] | {"report": round(time.perf_counter() - fitted, 2)}
    run = replace(run, manifest=run.manifest | {"seconds": taken})
    write_run(run, folder, pictures, report, draws)
    progress("report", "done", 0, 0)
    return run
