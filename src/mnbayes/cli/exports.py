"""A finished run as journals want it: ``mnbayes export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnbayes.base.untrusted_text import visible
from mnbayes.cli.help import AGAIN
from mnbayes.cli.shared import NOT_CONVERGED, clear_errors, command


@command(AGAIN, "mnbayes export first --to docx --figures pdf")
@clear_errors
def export(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]", help="Folder of a finished run (default: the newest under results/)."
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMAT", help="docx, latex, rtf, html or csv; repeatable (default: docx)."
        ),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(metavar="N|NAME", help="Table to export; repeatable (default: every one)."),
    ] = None,
    figures: Annotated[
        list[str] | None,
        typer.Option(metavar="FORMAT", help="svg, pdf or png; repeatable (default: none)."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A new folder (default: <name of the run>-export)."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Cohort folder of the run, for age, sex and treatment in table 1."
        ),
    ] = None,
    sensitivity: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of mnbayes sensitivity, for the table of the prior sets."
        ),
    ] = None,
    pseudonyms: Annotated[
        bool,
        typer.Option("--pseudonyms", help="Refuse a run that was not made with --pseudonyms."),
    ] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="List the tables that the run can give; write nothing.")
    ] = False,
) -> None:
    """Tables, figures, and a methods and a results text of a run, as journals want them."""
    from mnbayes.exports.catalogue import exhibits
    from mnbayes.exports.exporting import check_pseudonyms, exported, source_of
    from mnbayes.run.history import newest_run

    folder = run if run is not None else newest_run()
    if pseudonyms:
        check_pseudonyms(folder)
    if list_:
        found = exhibits(source_of(folder, data, sensitivity))
        for each in found.tables:
            typer.echo(visible(f"{each.number:>2} {each.name}: {each.table.caption}"))
        for name, why in found.absent.items():
            typer.echo(visible(f" – {name}: {why}"))
        return
    made = exported(
        folder,
        to or ["docx"],
        out,
        table=table or [],
        figures=figures or [],
        data=data,
        sensitivity=sensitivity,
    )
    for name, why in made.tables.absent.items():
        typer.echo(visible(f"No table {name}: {why}."), err=True)
    typer.echo(str(made.folder))
    if not made.converged:
        raise typer.Exit(NOT_CONVERGED)
