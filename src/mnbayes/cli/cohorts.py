"""Fit models to a cohort, and validate one: ``mnbayes fit`` and ``check``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from mnbayes.base.problems import InputError, Problem
from mnbayes.cli.shared import (
    BAD_INPUT,
    NOT_CONVERGED,
    START,
    AcceptImplausible,
    Arm,
    Priors,
    Settings,
    app,
    clear_errors,
)

#: Models beside the cohort, by the names by which ``--model`` asks for them.
NAMES = ("published", "historical")


@app.command(rich_help_panel=START, epilog="Example: mnbayes fit my-trial --open")
@clear_errors
def fit(
    cohort_folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help="Cohort folder (default: the embedded synthetic cohort)."
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The same as DIR.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Model card, by name or .toml file, or published or historical; or a .py file "
            "whose model(cohort) returns a PyMC model with level (patient, visit, marker), see "
            "docs/own-models.md; repeatable (default: the models of trial.toml, or what the data "
            "allow, and published and historical beside the embedded cohort, whose trial they are "
            "of)."
        ),
    ] = None,
    marker: Annotated[
        list[str] | None,
        typer.Option(
            help="Marker whose card is made from the markers' file, see docs/markers.md; A+B for "
            "several in one model; repeatable."
        ),
    ] = None,
    arm: Arm = None,
    priors: Priors = None,
    set_: Settings = None,
    definitions: Annotated[
        str | None,
        typer.Option(
            help="Definitions of response, by name or a .toml file "
            "(default: the trial's, else what its markers allow)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder (default: a new one under results/).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    chains: Annotated[int, typer.Option(min=2)] = 4,
    draws: Annotated[int, typer.Option(min=10, help="Draws per chain.")] = 1000,
    tune: Annotated[int, typer.Option(min=50, help="Tuning draws per chain.")] = 500,
    engine: Annotated[
        Literal["nuts", "pymc", "collapsed", "auto"],
        typer.Option(
            help="Of cards: nuts; pymc (NUTS of the model as PyMC states it, which is compiled "
            "each time); collapsed (importance sampling of Gaussian models, milliseconds a fit); "
            "auto (collapsed where it can be trusted, else nuts)."
        ),
    ] = "nuts",
    influence: Annotated[
        bool,
        typer.Option(
            help="Refit the models whose card asks for it without each patient in turn, and "
            "with other structures.",
        ),
    ] = True,
    no_report: Annotated[bool, typer.Option("--no-report", help="Leave report.html out.")] = False,
    tables: Annotated[
        bool,
        typer.Option("--tables", help="Print every section, not page 1 alone."),
    ] = False,
    allow_unconverged: Annotated[
        bool,
        typer.Option(
            "--allow-unconverged",
            help="Show the numbers of a fit that did not converge, marked as such.",
        ),
    ] = False,
    accept_implausible: AcceptImplausible = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the report in the browser at the end.")
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Print report.pdf as well, by a browser that is there.")
    ] = False,
) -> None:
    """Fit models to a cohort and report response probabilities."""
    from mnbayes.base.workers import prepare

    prepare()  # while this process loads its own modules and reads the input
    from mnbayes.analyses.priors.words import prior_sentences
    from mnbayes.base.problems import gathered
    from mnbayes.base.resources import embedded_cohort_folder
    from mnbayes.cards import overrides
    from mnbayes.cards.card import load_card
    from mnbayes.cards.choice import choose_models, made_card
    from mnbayes.cards.chosen_definitions import choose_definitions
    from mnbayes.cards.definitions import load_definitions
    from mnbayes.cards.own_model import ENDING, load_own_model
    from mnbayes.cards.prior_sets import joined_name
    from mnbayes.data.cohort import load_cohort
    from mnbayes.report.pdf import PrintError, find_browser, report_pdf
    from mnbayes.report.terminal import progress_bars, say, say_warnings, show_run
    from mnbayes.run.outputs import check_replaceable, new_folder

    if cohort_folder is not None and data is not None and cohort_folder != data:
        expected = "one cohort folder: DIR, or --data"
        raise InputError([Problem("--data", None, None, f"{cohort_folder} and {data}", expected)])
    data = data if data is not None else cohort_folder
    folder = out if out is not None else new_folder(Path("results"), datetime.now())
    check_replaceable(folder)
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
    with gathered() as attempt:
        cohort = attempt(
            load_cohort,
            data if data is not None else embedded_cohort_folder(),
            arm=arm,
            accept_implausible=accept_implausible,
        )
        stated = [attempt(load_own_model, name) for name in dict.fromkeys(files)]
        known = cohort.catalogue if cohort is not None else None  # None: it has problems
        own = [attempt(load_card, name, NAMES, known) for name in named]
        if cohort is not None:
            own += [attempt(made_card, each.split("+"), known) for each in marker or ()]
        prior_sets = attempt(overrides.load_prior_sets, priors or ["weak"])
        changes = [attempt(overrides.parse_setting, text) for text in set_ or []]
        wanted = attempt(load_definitions, definitions) if definitions is not None else None
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
    say_warnings(cohort.warnings)
    if not asked_for:
        for sentence in choice.reasons:
            say(sentence)
    cards = overrides.override(own, prior_sets, changes)
    first = cards[0].markers if cards else ()
    chosen = choose_definitions(cohort, wanted, first)
    response = chosen.definitions
    say(chosen.why)
    for sentence in prior_sentences(own, cards, prior_sets, changes) if cards else ():
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
        run = run_job(job, folder, progress, with_report=not no_report)
    show_run(run, everything=tables)
    for sentence in post_hoc_sentences(run.manifest):
        say(f"Post hoc prior: {sentence}")
    if not no_report:
        page = folder / "report.html"
        say(f"Read it: open {page}")
        if open_:
            typer.launch(str(page))
    unprinted = False
    if browser is not None:
        try:
            say(f"Printed: {report_pdf(folder, browser=browser)}")
        except PrintError as error:
            say(f"No report.pdf: {error}. All else is there.", error=True)
            unprinted = True
    typer.echo(str(folder))
    if unprinted or not run.converged:
        raise typer.Exit(NOT_CONVERGED if not run.converged else BAD_INPUT)


@app.command(rich_help_panel=START, epilog="Example: mnbayes check my-trial")
@clear_errors
def check(
    folder: Annotated[
        Path, typer.Argument(help="Cohort folder with patients.csv and measurements.csv.")
    ],
    arm: Arm = None,
    accept_implausible: AcceptImplausible = False,
) -> None:
    """Validate a cohort: every problem at once, with file, row, column, found and expected."""
    from mnbayes.analyses.participants.section import of_cohort
    from mnbayes.base.problems import gathered
    from mnbayes.cards.choice import choose_models
    from mnbayes.data.cohort import load_cohort
    from mnbayes.models.well_posed import well_posed
    from mnbayes.report.terminal import say, say_warnings, show_section

    try:
        cohort = load_cohort(folder, arm=arm, accept_implausible=accept_implausible)
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
