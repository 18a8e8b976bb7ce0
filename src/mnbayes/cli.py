"""The command line: ``mnbayes fit``, ``check`` and ``models``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnbayes.problems import InputError

if TYPE_CHECKING:
    from mnbayes.cards import Card

_Priors = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Prior set by name, or .toml file; repeatable, files win over names (default: weak).",
    ),
]
_Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME.ARG=VALUE",
        help="Set a prior's number, or NAME='P% between A and B on SCALE'; repeatable, strongest.",
    ),
]

BAD_INPUT = 2
NOT_CONVERGED = 1
INTERRUPTED = 130

app = typer.Typer(
    name="mnbayes",
    help="Bayesian models of tiny single-arm trials.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _clear_errors[**P, T](command: Callable[P, T]) -> Callable[P, T]:
    """Turn bad input into its message and exit status 2, and Ctrl-C into 130."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except InputError as error:
            typer.echo(str(error), err=True)
            typer.echo("Nothing was written.", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except OSError as error:
            # A full disk, a folder that may not be written: the system's own words, no traceback.
            typer.echo(f"{error.filename or 'output'}: {error.strerror or error}", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            typer.echo("Interrupted; nothing was written.", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return wrapped


@app.command()
@_clear_errors
def fit(
    data: Annotated[
        Path | None, typer.Option(help="Cohort folder (default: the embedded synthetic cohort).")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Model card, by name or .toml file; repeatable (default: every card whose "
            "markers the cohort has)."
        ),
    ] = None,
    priors: _Priors = None,
    set_: _Set = None,
    definitions: Annotated[
        Path | None,
        typer.Option(help="Definitions of response, a .toml file (default: KDIGO-like)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder (default: a new one under results/).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    chains: Annotated[int, typer.Option(min=2)] = 4,
    draws: Annotated[int, typer.Option(min=10, help="Draws per chain.")] = 1000,
    tune: Annotated[int, typer.Option(min=50, help="Tuning draws per chain.")] = 500,
    influence: Annotated[
        bool,
        typer.Option(
            help="Refit without each patient in turn the models whose card asks for it.",
        ),
    ] = True,
    no_report: Annotated[bool, typer.Option("--no-report", help="Leave report.html out.")] = False,
    allow_unconverged: Annotated[
        bool,
        typer.Option(
            "--allow-unconverged",
            help="Show the numbers of a fit that did not converge, marked as such.",
        ),
    ] = False,
) -> None:
    """Fit models to a cohort and report response probabilities."""
    from mnbayes import overrides
    from mnbayes.cards import available_cards, load_card
    from mnbayes.cohort import load_cohort
    from mnbayes.definitions import load_definitions
    from mnbayes.outputs import check_replaceable, new_folder
    from mnbayes.prior_sets import joined_name
    from mnbayes.problems import gathered
    from mnbayes.resources import embedded_cohort
    from mnbayes.terminal.comparison import say_post_hoc
    from mnbayes.terminal.priors import say_priors
    from mnbayes.terminal.run import fitting_cards, progress_bars, say_warnings, summary

    folder = out if out is not None else new_folder(Path("results"), datetime.now())
    check_replaceable(folder)
    with gathered() as attempt:
        cohort = attempt(load_cohort, data if data is not None else embedded_cohort())
        own = [attempt(load_card, name) for name in model or available_cards()]
        prior_sets = attempt(overrides.load_prior_sets, priors or ["weak"])
        changes = [attempt(overrides.parse_setting, text) for text in set_ or []]
        response = attempt(load_definitions, definitions)
    say_warnings(cohort)
    if not model:
        own = fitting_cards(own, cohort)
    cards = overrides.override(own, prior_sets, changes)
    say_priors(own, cards, prior_sets, changes)

    from mnbayes.fitting import Sampling
    from mnbayes.pipeline import Job, run_job

    job = Job(
        cohort,
        tuple(cards),
        response,
        Sampling(chains=chains, draws=draws, tune=tune, seed=seed),
        joined_name(prior_sets),
        tuple(set_ or []),
        allow_unconverged,
        influence,
        prior_sets,
    )
    with progress_bars() as progress:
        run = run_job(job, folder, progress, with_report=not no_report)
    summary(run)
    say_post_hoc(run.manifest)
    typer.echo(str(folder))
    if not run.converged:
        raise typer.Exit(NOT_CONVERGED)


@app.command()
@_clear_errors
def check(
    folder: Annotated[
        Path, typer.Argument(help="Cohort folder with patients.csv and measurements.csv.")
    ],
) -> None:
    """Validate a cohort: every problem at once, with file, row, column, found and expected."""
    from mnbayes.cohort import load_cohort
    from mnbayes.terminal.run import describe_cohort, say_warnings

    try:
        cohort = load_cohort(folder)
    except InputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_INPUT) from None
    say_warnings(cohort)
    describe_cohort(cohort)


@app.command()
@_clear_errors
def models(
    name: Annotated[
        list[str] | None, typer.Argument(help="Cards to list (default: every card).")
    ] = None,
    priors: _Priors = None,
    set_: _Set = None,
) -> None:
    """List model cards with their priors as they would be used, what each means and why."""
    from mnbayes.terminal.priors import describe_prior_sets
    from mnbayes.terminal.run import describe_card

    for card in _cards_with_priors(name, priors, set_):
        describe_card(card)
    describe_prior_sets()


def _cards_with_priors(
    names: list[str] | None, priors: list[str] | None, settings: list[str] | None
) -> list[Card]:
    """Cards with their priors overridden, what is overridden said on standard error."""
    from mnbayes import overrides
    from mnbayes.cards import available_cards, load_card
    from mnbayes.problems import gathered
    from mnbayes.terminal.priors import say_priors

    with gathered() as attempt:
        own = [attempt(load_card, each) for each in names or available_cards()]
        prior_sets = attempt(overrides.load_prior_sets, priors or ["weak"])
        changes = [attempt(overrides.parse_setting, text) for text in settings or []]
    cards = overrides.override(own, prior_sets, changes)
    if priors or settings:
        say_priors(own, cards, prior_sets, changes)
    return cards


@app.command()
@_clear_errors
def prior(
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model card, by name or .toml file; repeatable (default: every card)."),
    ] = None,
    priors: _Priors = None,
    set_: _Set = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Cohort folder whose visits to use (default: weeks 0, 1, 2, 4, 12)."),
    ] = None,
    definitions: Annotated[
        Path | None,
        typer.Option(help="Definitions of response, a .toml file (default: KDIGO-like)."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the next patient's range into this .png file.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Draw from the priors alone, before any fit: typical and next patients, and what is absurd."""
    from mnbayes.prior_review import commands
    from mnbayes.terminal.priors import show_predictive

    commands.check_plot(plot)
    cards = _cards_with_priors(model, priors, set_)
    found = commands.predict(cards, data, definitions, seed)
    for predictive in found:
        show_predictive(predictive)
    if plot is not None:
        commands.write_predictive(found, plot)


@app.command()
@_clear_errors
def elicit(
    parameter: Annotated[
        str, typer.Argument(help="Prior to state, such as change_mean or change_mean.albumin.")
    ],
    belief: Annotated[
        str, typer.Argument(help="Such as '90% between 0.3 and 1.1 on gmr' or '95% below 0.5'.")
    ],
    model: Annotated[
        str | None,
        typer.Option(help="Model card, by name or .toml file (default: remission if it has it)."),
    ] = None,
    priors: _Priors = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw density and consequences into this .png file.")
    ] = None,
) -> None:
    """Turn a clinical belief into a prior, and show what follows from it before any data."""
    from mnbayes.definitions import load_definitions
    from mnbayes.elicitation.command import elicit_prior
    from mnbayes.prior_review import commands
    from mnbayes.terminal.elicitation import show_elicitation

    commands.check_plot(plot)
    found = elicit_prior(parameter, belief, load_definitions(), model, priors or ["weak"])
    show_elicitation(found)
    if plot is not None:
        commands.write_elicitation(found, plot)


@app.command()
@_clear_errors
def compare(
    run_a: Annotated[Path, typer.Argument(help="Folder of a run, the earlier one as a rule.")],
    run_b: Annotated[Path, typer.Argument(help="Folder of the run to compare with it.")],
    all_: Annotated[bool, typer.Option("--all", help="List every number.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write every number to this .csv file.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the main numbers into this .png file.")
    ] = None,
) -> None:
    """Compare two runs: what was put in, what came out, and what is more than noise."""
    from mnbayes.comparison.files import check_names, write_numbers, write_plot
    from mnbayes.comparison.runs import compare_runs
    from mnbayes.terminal.comparison import show

    check_names(out, plot)
    comparison = compare_runs(run_a, run_b)
    show(comparison, everything=all_)
    if out is not None:
        write_numbers(comparison, out)
    if plot is not None:
        write_plot(comparison, plot)


@app.command()
@_clear_errors
def withdrawal(
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of a finished run (default: the newest under results/)."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model of the run; repeatable (default: every one with 24-h protein)."),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="mar, composite, locf or delta; repeatable (default: every one)."),
    ] = None,
    delta: Annotated[
        float,
        typer.Option(min=0.01, help="Ratio of the strategy delta: times the predicted protein."),
    ] = 2.0,
    delta_max: Annotated[
        float, typer.Option(min=1.01, help="Largest ratio of the tipping-point sweep.")
    ] = 10.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables and pictures (default: none).")
    ] = None,
) -> None:
    """Re-read a run's draws under other assumptions on who withdrew; find the tipping point."""
    from mnbayes.withdrawal import command
    from mnbayes.withdrawal.strategies import (
        delta_strategy,
        find_strategy,
        withdrawal_strategies,
    )

    if out is not None:
        command.check_folder(out)
    names = strategy or [item.name for item in withdrawal_strategies()]
    chosen = [delta_strategy(delta) if n == "delta" else find_strategy(n) for n in names]
    folder = run if run is not None else command.newest_run()
    stored, definitions, synthetic = command.from_run(folder, model or [], chosen, delta_max)
    command.say(stored, synthetic)
    if out is not None:
        command.write(out, command.files(stored, definitions, synthetic))
        typer.echo(str(out))
    if any(item.table.empty for item in stored):
        raise typer.Exit(NOT_CONVERGED)


@app.command()
@_clear_errors
def sensitivity(
    data: Annotated[
        Path | None, typer.Option(help="Cohort folder (default: the embedded synthetic cohort).")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model card, by name or .toml file; repeatable (default: proteinuria)."),
    ] = None,
    priors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Prior set by name, or .toml file; repeatable (default: every set, weak first). "
            "The others are compared with the first.",
        ),
    ] = None,
    residual: Annotated[
        list[str] | None,
        typer.Option(help="normal or student_t; repeatable (default: both)."),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,VALUE",
            help="Values to try beside a threshold of the definitions, such as "
            "effective.fall=0.10,0.25; repeatable.",
        ),
    ] = None,
    definitions: Annotated[
        Path | None,
        typer.Option(help="Definitions of response, a .toml file (default: KDIGO-like)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder (default: a new one, results/sensitivity/).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Refit under every prior set and family of residuals; name each conclusion that flips."""
    from mnbayes.cards import load_card
    from mnbayes.cohort import load_cohort
    from mnbayes.definitions import load_definitions
    from mnbayes.fitting import Sampling
    from mnbayes.outputs import check_replaceable, new_folder
    from mnbayes.problems import gathered
    from mnbayes.resources import embedded_cohort
    from mnbayes.sensitivity import command
    from mnbayes.sensitivity.multiverse import run_multiverse
    from mnbayes.terminal.run import progress_bars, say_warnings

    folder = out if out is not None else new_folder(Path("results/sensitivity"), datetime.now())
    check_replaceable(folder, command.MANIFEST)
    with gathered() as attempt:
        cohort = attempt(load_cohort, data if data is not None else embedded_cohort())
        cards = [attempt(load_card, name) for name in model or ["proteinuria"]]
        response = attempt(load_definitions, definitions)
    say_warnings(cohort)
    with progress_bars() as progress:
        found = run_multiverse(
            cohort,
            cards,
            response,
            prior_sets=priors or [],
            residuals=residual or [],
            thresholds=threshold or [],
            sampling=Sampling(seed=seed),
            progress=progress,
        )
    command.say(found)
    command.write(found, folder)
    typer.echo(str(folder))
    if found.fits["reason"].any():
        raise typer.Exit(NOT_CONVERGED)


def main() -> None:
    """Entry point of the ``mnbayes`` command."""
    app()


def fit_main() -> None:
    """Entry point of ``scripts/fit.py``: the ``fit`` command by itself."""
    typer.run(fit)


if __name__ == "__main__":
    main()
