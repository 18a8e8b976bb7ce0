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
    from mnbayes.problems import gathered
    from mnbayes.resources import embedded_cohort
    from mnbayes.terminal import progress_bars, say_settings, say_warnings, summary
    from mnbayes.terminal_comparison import say_post_hoc

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
        influence,
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
    from mnbayes.comparison import compare_runs
    from mnbayes.comparison_files import check_names, write_numbers, write_plot
    from mnbayes.terminal_comparison import show

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
    from mnbayes import withdrawal_command as command
    from mnbayes.withdrawal import delta_strategy, find_strategy, withdrawal_strategies

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


def main() -> None:
    """Entry point of the ``mnbayes`` command."""
    app()


def fit_main() -> None:
    """Entry point of ``scripts/fit.py``: the ``fit`` command by itself."""
    typer.run(fit)


if __name__ == "__main__":
    main()
