"""Fit models to a cohort, and validate one: ``mnbayes fit`` and ``check``."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from mnbayes.base.problems import InputError, Problem
from mnbayes.cli.help import START
from mnbayes.cli.shared import (
    BAD_INPUT,
    NOT_CONVERGED,
    AcceptImplausible,
    AllowUnconverged,
    Arm,
    Data,
    Folder,
    Force,
    Priors,
    PseudonymKey,
    Pseudonyms,
    Response,
    Seed,
    Settings,
    clear_errors,
    command,
    either,
    fitted,
    read_cohort,
    sampled,
    written,
)

#: Models beside the cohort, by the names by which ``--model`` asks for them.
NAMES = ("published", "historical")


@command(START, "mnbayes fit my-trial --open")
@clear_errors
def fit(
    cohort_folder: Folder = None,
    data: Data = None,
    model: Annotated[
        list[str] | None,
        fitted(
            metavar="NAME|FILE",
            help="A card; A+B for several markers in one model; published; historical; or a .py "
            "file whose model(cohort) returns a PyMC model (docs/own-models.md). Repeatable "
            "(default: those of trial.toml, or what the data allow).",
        ),
    ] = None,
    marker: Annotated[
        list[str] | None,
        fitted(
            metavar="NAME",
            help="Marker whose card is made from the markers' file (docs/markers.md), or A+B; "
            "repeatable.",
        ),
    ] = None,
    arm: Arm = None,
    priors: Priors = None,
    set_: Settings = None,
    definitions: Response = None,
    accept_implausible: AcceptImplausible = False,
    engine: Annotated[
        Literal["nuts", "pymc", "collapsed", "auto"],
        sampled(
            metavar="NAME",
            help="nuts; collapsed (importance sampling of Gaussian models, milliseconds a fit); "
            "auto (collapsed where it can be trusted, else nuts); pymc (the model as PyMC states "
            "it, compiled each time).",
        ),
    ] = "nuts",
    chains: Annotated[int, sampled(min=2, metavar="N", help="Chains.")] = 4,
    draws: Annotated[int, sampled(min=10, metavar="N", help="Draws per chain.")] = 1000,
    tune: Annotated[int, sampled(min=50, metavar="N", help="Tuning draws per chain.")] = 500,
    seed: Seed = 1,
    influence: Annotated[
        bool,
        sampled(
            help="Refit without each patient in turn, and with other structures, where the card "
            "asks for it."
        ),
    ] = True,
    out: Annotated[
        Path | None,
        written(metavar="RUN", help="Output folder (default: a new one under results/)."),
    ] = None,
    force: Force = False,
    open_: Annotated[
        bool, written("--open", help="Open the report in the browser at the end.")
    ] = False,
    tables: Annotated[
        bool, written("--tables", help="Print every section with its tables as well.")
    ] = False,
    pdf: Annotated[
        bool, written("--pdf", help="Print report.pdf as well, by a browser that is there.")
    ] = False,
    no_report: Annotated[bool, written("--no-report", help="Leave the report out.")] = False,
    allow_unconverged: AllowUnconverged = False,
    pseudonyms: Pseudonyms = False,
    pseudonym_key: PseudonymKey = None,
) -> None:
    """Fit models to a cohort and report response probabilities."""
    # Names are checked before anything that is slow to load: no PyMC, no SciPy, no plots.
    from mnbayes.base.problems import gathered
    from mnbayes.base.resources import embedded_cohort_folder
    from mnbayes.base.workers import prepare
    from mnbayes.cards import overrides
    from mnbayes.cards.card import load_card, made_card
    from mnbayes.cards.choice import choose_models
    from mnbayes.cards.chosen_definitions import choose_definitions
    from mnbayes.cards.definitions import load_definitions
    from mnbayes.cards.own_model import ENDING, load_own_model
    from mnbayes.cards.prior_sets import joined_name
    from mnbayes.data.cohort import catalogue_of_folder
    from mnbayes.report.pdf import PrintError, find_browser, report_pdf
    from mnbayes.run.keeping import claim, new_folder

    data = either(cohort_folder, data)
    folder = out if out is not None else new_folder(Path("results"), datetime.now())
    target = claim(folder, force=force, any_name=out is None)
    if pdf and no_report:
        raise InputError([Problem("--pdf", None, None, "--no-report", "one of the two")])
    browser = find_browser() if pdf else None  # its lack is said before anything is fitted
    files = [name for name in model or [] if Path(name).suffix == ENDING]
    named = [name for name in model or [] if name not in (*NAMES, *files)]
    if model and not named and not files and not marker:
        expected = "a card of the cohort besides, or `mnbayes published` or `mnbayes historical`"
        raise InputError([Problem("--model", None, None, ", ".join(model), expected)])
    asked_for = bool(model or marker)
    beside = model or () if asked_for else NAMES if data is None else ()
    source = data if data is not None else embedded_cohort_folder()
    with gathered() as attempt:
        stated = [attempt(load_own_model, name) for name in dict.fromkeys(files)]
        known = attempt(catalogue_of_folder, source)  # None: it has problems
        own = [attempt(load_card, name, NAMES, known) for name in named]
        if known is not None:
            own += [attempt(made_card, each.split("+"), known) for each in marker or ()]
        prior_sets = attempt(overrides.load_prior_sets, priors or ["weak"])
        changes = [attempt(overrides.parse_setting, text) for text in set_ or []]
        wanted = attempt(load_definitions, definitions) if definitions is not None else None
        cohort = attempt(
            read_cohort,
            source,
            pseudonyms=pseudonyms,
            key=pseudonym_key,
            run=target.folder,
            arm=arm,
            accept_implausible=accept_implausible,
        )
    prepare()  # while this process loads its own modules
    if not asked_for:
        choice = choose_models(cohort, NAMES, wanted)
        own = list(choice.cards)
        beside = [*beside, *(name for name in cohort.trial.models if name in NAMES)]
    names = [*NAMES, *(each.name for each in own), *(each.name for each in stated)]
    if len(set(names)) < len(names):
        expected = "models of different names; the name of a file is without its ending"
        found = ", ".join(name for name in dict.fromkeys(names) if names.count(name) > 1)
        raise InputError([Problem("--model", None, None, found, expected)])
    if not own and (priors or set_):
        expected = "a card besides: the file of a model of one's own states its priors itself"
        raise InputError([Problem("--priors, --set", None, None, "no card", expected)])
    cards = overrides.override(own, prior_sets, changes)
    first = cards[0].markers if cards else ()
    chosen = choose_definitions(cohort, wanted, first)
    response = chosen.definitions

    from mnbayes.analyses.priors.words import prior_sentences
    from mnbayes.report.terminal import progress_bars, say, say_warnings, show_run

    say_warnings(cohort.warnings)
    say(f"Models: {', '.join((*(card.name for card in cards), *(s.name for s in stated)))}.")
    if not asked_for and not cohort.trial.models:
        for sentence in choice.telling:
            say(sentence)
    say(chosen.why)
    if cards and (priors or set_):
        for sentence in prior_sentences(own, cards, prior_sets, changes):
            say(sentence, error=True)

    from mnbayes.analyses.historical.section import historical_job
    from mnbayes.analyses.published.section import published_job
    from mnbayes.inference.fit import Sampling
    from mnbayes.pipeline import Job, run_job
    from mnbayes.run.analysis import Beside
    from mnbayes.run.history import post_hoc_sentences

    sampling = Sampling(chains=chains, draws=draws, tune=tune, seed=seed, engine=engine)
    if not cards:
        prior_sets = ()
    name = joined_name(prior_sets) if cards else "none"
    asked: list[Beside] = []
    if "historical" in beside:
        asked.append(historical_job(sampling, allow_unconverged=allow_unconverged))
    if "published" in beside:
        asked.append(
            published_job(response, sampling, prior_sets, name, allow_unconverged=allow_unconverged)
        )
    job = Job(
        cohort=cohort,
        cards=tuple(cards),
        definitions=response,
        sampling=sampling,
        prior_set=name,
        settings=tuple(set_ or []),
        allow_unconverged=allow_unconverged,
        influence=influence,
        prior_sets=prior_sets,
        beside=tuple(asked),
        own=tuple(stated),
    )
    with progress_bars() as progress:
        run = run_job(job, target, progress, with_report=not no_report)
    show_run(run, everything=tables)
    folder = run.folder or folder
    for sentence in run.said:
        say(sentence, error=True)
    for sentence in post_hoc_sentences(run.manifest):
        say(f"Post hoc prior: {sentence}")
    if not no_report:
        page = str(folder / "report.html")
        typer.echo(f"open {shlex.quote(page)}")
        if open_:
            typer.launch(page)
    unprinted = False
    if browser is not None:
        try:
            say(f"Printed: {report_pdf(folder, browser=browser)}")
        except PrintError as error:
            say(f"No report.pdf: {error}. All else is there.", error=True)
            unprinted = True
    if no_report or not sys.stdout.isatty():  # for scripts; a person has just read it
        typer.echo(str(folder))
    if unprinted or not run.converged:
        raise typer.Exit(BAD_INPUT if run.converged else NOT_CONVERGED)


@command(START, "mnbayes check my-trial")
@clear_errors
def check(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Cohort folder with patients.csv and measurements.csv."),
    ],
    arm: Arm = None,
    accept_implausible: AcceptImplausible = False,
    pseudonyms: Pseudonyms = False,
    pseudonym_key: PseudonymKey = None,
) -> None:
    """Validate a cohort: every problem at once, with file, row, column, found and expected."""
    from mnbayes.analyses.participants.section import of_cohort
    from mnbayes.base.problems import gathered
    from mnbayes.cards.choice import choose_models
    from mnbayes.models.well_posed import well_posed
    from mnbayes.report.terminal import say, say_warnings, show_section

    try:
        cohort = read_cohort(
            folder,
            pseudonyms=pseudonyms,
            key=pseudonym_key,
            run=None,
            arm=arm,
            accept_implausible=accept_implausible,
        )
        choice = choose_models(cohort, NAMES)
    except InputError as error:
        typer.echo(str(error), err=True)
        typer.echo(_counts(error.problems), err=True)
        raise typer.Exit(BAD_INPUT) from None
    say_warnings(cohort.warnings)
    refused: list[Problem] = []
    try:
        with gathered() as attempt:  # whatever fit would refuse
            for card in choice.cards:
                attempt(well_posed, card, cohort)
    except InputError as error:
        refused += error.problems
        typer.echo(str(error), err=True)
    show_section(of_cohort(cohort), synthetic=cohort.synthetic)
    for sentence in choice.reasons:
        say(sentence)
    if not refused:
        say(f"Models that apply (mnbayes fit): {', '.join(card.name for card in choice.cards)}.")
    rows = len(cohort.measurements) + len(cohort.set_aside)
    say(f"{rows:,} measurements, {_counts((*refused, *cohort.warnings))}")
    if refused:
        raise typer.Exit(BAD_INPUT)


def _counts(problems: Sequence[Problem]) -> str:
    """Errors and warnings, counted."""
    kinds = Counter(problem.severity for problem in problems)
    errors, warnings = kinds["error"], kinds["warning"]
    said = f"{errors or 'no'} error{'s' * (errors != 1)}"
    return f"{said}, {warnings or 'no'} warning{'s' * (warnings != 1)}."
