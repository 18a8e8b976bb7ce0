"""Move a prior, see every answer move: ``mnbayes explore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnbayes.cli.help import PRIORS
from mnbayes.cli.shared import (
    Data,
    Folder,
    Priors,
    Response,
    check_names,
    clear_errors,
    command,
    either,
    fitted,
    written,
)


@command(PRIORS, "mnbayes explore my-trial")
@clear_errors
def explore(
    cohort_folder: Folder = None,
    data: Data = None,
    model: Annotated[
        list[str] | None,
        fitted(
            metavar="NAME|FILE",
            help="Model card; repeatable, the first is shown first (default: what the data allow).",
        ),
    ] = None,
    priors: Priors = None,
    definitions: Response = None,
    out: Annotated[
        Path, written(metavar="FOLDER", help="Folder in which “run this” makes its runs.")
    ] = Path("results"),
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="N", help="Port (default: any that is free)."),
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, open nothing.")
    ] = False,
) -> None:
    """Open a page on this machine: drag a prior, and every answer moves."""
    folder = either(cohort_folder, data)
    check_names(model or (), priors or (), definitions=definitions, data=folder)
    from mnbayes.explorer.start import explored, show
    from mnbayes.report.terminal import SYNTHETIC, say, say_warnings

    case = explored(folder, model or (), priors or (), definitions)
    say_warnings(case.cohort.warnings)
    if case.cohort.synthetic:
        say(SYNTHETIC, "bold")
    say("Stop with Ctrl-C; closing the last page stops it too.")
    show(case, port=port, browser=not no_browser, out=out, ready=typer.echo)
