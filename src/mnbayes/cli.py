"""The command line: ``mnbayes fit``, ``check`` and ``models``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from mnbayes.problems import InputError

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
        typer.Option(help="Model card, by name or .toml file; repeatable (default: every card)."),
    ] = None,
    priors: Annotated[str, typer.Option(help="Prior set, by name or .toml file.")] = "weak",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME.ARG=VALUE", help="Set one prior's number; repeatable."),
    ] = None,
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
    tune: Annotated[int, typer.Option(min=50, help="Tuning draws per chain.")] = 1000,
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
    from mnbayes.problems import gathered
    from mnbayes.resources import embedded_cohort
    from mnbayes.terminal import progress_bars, say_settings, say_warnings, summary

    folder = out if out is not None else new_folder(Path("results"), datetime.now())
    check_replaceable(folder)
    with gathered() as attempt:
        cohort = attempt(load_cohort, data if data is not None else embedded_cohort())
        cards = [attempt(load_card, name) for name in model or available_cards()]
        prior_set = attempt(overrides.load_prior_set, priors)
        changes = [attempt(overrides.parse_setting, text) for text in set_ or []]
        response = attempt(load_definitions, definitions)
    cards = overrides.apply_changes(cards, prior_set.changes, strict=False)
    cards = overrides.apply_changes(cards, changes, strict=True)
    say_warnings(cohort)
    say_settings(cards, changes)

    from mnbayes.fitting import Sampling
    from mnbayes.pipeline import Job, run_job

    job = Job(
        cohort,
        tuple(cards),
        response,
        Sampling(chains=chains, draws=draws, tune=tune, seed=seed),
        prior_set.name,
        tuple(set_ or []),
        allow_unconverged,
    )
    with progress_bars() as progress:
        run = run_job(job, folder, progress, with_report=not no_report)
    summary(run)
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
    from mnbayes.terminal import describe_cohort, say_warnings

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
) -> None:
    """List model cards with their priors, what each means and why."""
    from mnbayes.cards import available_cards, load_card
    from mnbayes.overrides import available_prior_sets
    from mnbayes.terminal import describe_card

    for card in [load_card(each) for each in name or available_cards()]:
        describe_card(card)
    typer.echo(f"Prior sets: {', '.join(available_prior_sets())}")


def main() -> None:
    """Entry point of the ``mnbayes`` command."""
    app()


def fit_main() -> None:
    """Entry point of ``scripts/fit.py``: the ``fit`` command by itself."""
    typer.run(fit)


if __name__ == "__main__":
    main()
