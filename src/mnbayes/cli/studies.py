"""Studies of thousands of simulated cohorts: ``mnbayes calibrate`` and ``characteristics``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Literal

import typer

from mnbayes.cli.help import VALIDATION
from mnbayes.cli.shared import (
    Data,
    Force,
    Priors,
    Response,
    Seed,
    Settings,
    check_names,
    clear_errors,
    command,
    either,
    fitted,
    interrupted,
    sampled,
    written,
)

STOPPED = 1

_Scheduler = Annotated[
    str | None,
    sampled(metavar="ADDRESS", help="A running Dask scheduler, such as tcp://10.0.0.1:8786."),
]
_Workers = Annotated[
    int | None,
    sampled(
        min=0, metavar="N", help="Local processes (default: one for each core; 0: none but this)."
    ),
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
        except KeyboardInterrupt as error:
            typer.echo(f"Interrupted. {kept}", err=True)
            raise typer.Exit(interrupted(error)) from None

    return wrapped


@command(VALIDATION, "mnbayes calibrate --replicates 200")
@_study_errors
def calibrate(
    cohort_folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Cohort folder whose patients and visits to use (default: the embedded one).",
        ),
    ] = None,
    data: Data = None,
    model: Annotated[str, fitted(metavar="NAME|FILE", help="Model card.")] = "proteinuria",
    replicates: Annotated[int, sampled(min=20, metavar="N", help="Simulated data sets.")] = 10_000,
    engine: Annotated[
        Literal["nuts", "collapsed"] | None,
        sampled(
            metavar="NAME",
            help="nuts or collapsed (default: collapsed, nuts where that cannot fit).",
        ),
    ] = None,
    posterior: Annotated[
        bool,
        sampled(
            "--posterior",
            help="Draw the truths from the posterior given the cohort, not the prior.",
        ),
    ] = False,
    priors: Priors = None,
    set_: Settings = None,
    definitions: Response = None,
    scheduler: _Scheduler = None,
    workers: _Workers = None,
    out: Annotated[
        Path | None,
        written(
            metavar="DIR",
            help="Folder; one of the same study is gone on with (default: a new one).",
        ),
    ] = None,
    force: Force = False,
    seed: Seed = 1,
) -> None:
    """Simulate data sets from known truths, fit each, and test whether the ranks are uniform."""
    data = either(cohort_folder, data)
    check_names([model], priors or (), set_ or (), definitions, data)
    from mnbayes.analyses.calibration.command import run_calibrate
    from mnbayes.analyses.calibration.section import of_outcome, verdict
    from mnbayes.report.terminal import progress_bars, say, show_section

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
            force=force,
            seed=seed,
            news=news,
        )
    said = verdict(outcome.calibration)
    show_section(of_outcome(outcome), synthetic=outcome.synthetic, last=(said,))
    for sentence in outcome.said:
        say(sentence, error=True)
    typer.echo(str(outcome.folder))
    if not outcome.calibration.passed:
        raise typer.Exit(1)


@command(VALIDATION, "mnbayes characteristics --scenario change --n 8")
@_study_errors
def characteristics(
    model: Annotated[
        str, fitted(metavar="NAME|FILE", help="Model card of 24-h protein.")
    ] = "proteinuria",
    scenario: Annotated[
        list[str] | None, sampled(metavar="NAME", help="Scenario; repeatable (default: every one).")
    ] = None,
    n: Annotated[
        list[int] | None,
        sampled(min=3, max=200, metavar="N", help="Patients; repeatable (default: 4 to 40)."),
    ] = None,
    replicates: Annotated[
        int, sampled(min=2, metavar="N", help="Cohorts for each scenario and number of patients.")
    ] = 2000,
    priors: Priors = None,
    rule: Annotated[
        Path | None,
        fitted(metavar="FILE", help="Decision rules, a .toml file (default: mnbayes's own)."),
    ] = None,
    definitions: Response = None,
    scheduler: _Scheduler = None,
    workers: _Workers = None,
    out: Annotated[
        Path | None,
        written(
            metavar="DIR", help="Folder; one of the same study is gone on with (default: its own)."
        ),
    ] = None,
    force: Force = False,
    seed: Seed = 1,
) -> None:
    """How often rule, Wilcoxon test and "5 of 7" are wrong where the truth is known."""
    from mnbayes.analyses.characteristics.scenarios import find_scenario
    from mnbayes.base.problems import gathered

    with gathered() as attempt:
        attempt(check_names, [model], priors or (), definitions=definitions)
        for name in scenario or ():
            attempt(find_scenario, name)
    from mnbayes.analyses.characteristics.command import run_characteristics
    from mnbayes.analyses.characteristics.section import of_study
    from mnbayes.report.terminal import progress_bars, say, show_section

    moved: list[str] = []
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
            force=force,
            seed=seed,
            news=news,
            tell=moved.append,
        )
    show_section(of_study(found))
    for sentence in moved:
        say(sentence, error=True)
    typer.echo(str(folder))
