"""Studies of thousands of simulated cohorts: ``mnbayes calibrate`` and ``characteristics``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Literal

import typer

from mnbayes.cli.shared import (
    INTERRUPTED,
    VALIDATION,
    Priors,
    Response,
    Settings,
    app,
    clear_errors,
)

STOPPED = 1

_Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="A running Dask scheduler, such as tcp://10.0.0.1:8786."),
]
_Workers = Annotated[
    int | None,
    typer.Option(min=0, help="Local processes (default: one for each core; 0: none but this)."),
]


def _study_errors[**P, T](command: Callable[P, T]) -> Callable[P, T]:
    """Errors in words; what the ledger holds is kept, and the same command goes on with it."""

    @clear_errors
    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        from mnbayes.studies.run import StudyStoppedError

        kept = "What is done is kept: the same command with the same --out goes on."
        try:
            return command(*args, **kwargs)
        except StudyStoppedError as error:
            typer.echo(f"{error}\n{kept}", err=True)
            raise typer.Exit(STOPPED) from None
        except KeyboardInterrupt:
            typer.echo(f"Interrupted. {kept}", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return wrapped


@app.command(rich_help_panel=VALIDATION, epilog="Example: mnbayes calibrate --replicates 200")
@_study_errors
def calibrate(
    model: Annotated[str, typer.Option(help="Model card, by name or .toml file.")] = "proteinuria",
    replicates: Annotated[int, typer.Option(min=20, help="Simulated data sets.")] = 10_000,
    engine: Annotated[
        Literal["nuts", "collapsed"] | None,
        typer.Option(help="What is calibrated (default: collapsed, nuts where that cannot fit)."),
    ] = None,
    posterior: Annotated[
        bool,
        typer.Option(
            "--posterior",
            help="Draw the truths from the posterior given the cohort, not the prior.",
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Cohort folder whose patients and visits to use (default: embedded)."),
    ] = None,
    priors: Priors = None,
    set_: Settings = None,
    definitions: Response = None,
    scheduler: _Scheduler = None,
    workers: _Workers = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder; one of the same study is gone on with (default: a new one)."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Simulate data sets from known truths, fit each, and test whether the ranks are uniform."""
    from mnbayes.analyses.calibration.command import run_calibrate
    from mnbayes.analyses.calibration.section import of_outcome, verdict
    from mnbayes.report.terminal import progress_bars, show_section

    with progress_bars() as news:
        outcome = run_calibrate(
            model,
            replicates=replicates,
            engine=engine,
            posterior=posterior,
            data=data,
            priors=priors or [],
            settings=set_ or [],
            definitions=definitions,
            scheduler=scheduler,
            workers=workers,
            out=out,
            seed=seed,
            news=news,
        )
    said = verdict(outcome.calibration)
    show_section(of_outcome(outcome), synthetic=outcome.synthetic, last=(said,))
    typer.echo(str(outcome.folder))
    if not outcome.calibration.passed:
        raise typer.Exit(1)


@app.command(
    rich_help_panel=VALIDATION, epilog="Example: mnbayes characteristics --scenario change --n 8"
)
@_study_errors
def characteristics(
    model: Annotated[
        str, typer.Option(help="Model card of 24-h protein, by name or .toml file.")
    ] = "proteinuria",
    scenario: Annotated[
        list[str] | None, typer.Option(help="Scenario; repeatable (default: every one).")
    ] = None,
    n: Annotated[
        list[int] | None,
        typer.Option(min=3, max=200, help="Patients; repeatable (default: 4 to 40)."),
    ] = None,
    replicates: Annotated[
        int, typer.Option(min=2, help="Cohorts for each scenario and number of patients.")
    ] = 2000,
    priors: Priors = None,
    rule: Annotated[
        Path | None, typer.Option(help="Decision rules, a .toml file (default: mnbayes's own).")
    ] = None,
    definitions: Response = None,
    scheduler: _Scheduler = None,
    workers: _Workers = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder; one of the same study is gone on with (default: its own)."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """How often rule, Wilcoxon test and "5 of 7" are wrong where the truth is known."""
    from mnbayes.analyses.characteristics.command import run_characteristics
    from mnbayes.analyses.characteristics.section import of_study
    from mnbayes.report.terminal import progress_bars, show_section

    with progress_bars() as news:
        found, folder = run_characteristics(
            model,
            scenario=scenario or [],
            patients=n or [],
            replicates=replicates,
            priors=priors or ["weak"],
            rule=rule,
            definitions=definitions,
            scheduler=scheduler,
            workers=workers,
            out=out,
            seed=seed,
            news=news,
        )
    show_section(of_study(found))
    typer.echo(str(folder))
