"""Bring one's own files in: ``mnbayes import`` and ``init``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from mnbayes.base.problems import InputError, Problem, gathered, quoted
from mnbayes.base.untrusted_text import visible
from mnbayes.cli.help import START
from mnbayes.cli.shared import BAD_INPUT, clear_errors, command


def _pair(option: str, text: str) -> tuple[str, str]:
    name, sign, value = text.rpartition("=")
    if not sign or not name.strip():
        example = {"--unit": '--unit "albumin=g/L"', "--visit": '--visit "V3=4"'}[option]
        raise InputError([Problem(option, None, None, quoted(text), f"NAME=VALUE, as {example}")])
    return name.strip(), value.strip()


def _week(option: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not abs(found) <= 5000:
        raise InputError([Problem(option, None, None, quoted(text), "a number of weeks")])
    return found


def _visit(text: str) -> tuple[str, float | None]:
    name, week = _pair("--visit", text)
    return name, _week("--visit", week) if week else None


@command(START, "mnbayes import series.xlsx --out my-trial", name="import")
@clear_errors
def import_(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="One sheet (.xlsx, .xls, .ods, .csv), or data sets of ADaM (ADSL, ADLB) or SDTM "
            "(DM, LB or CP, DS, AE) as .xpt, .csv, Dataset-JSON or .ndjson.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new folder for the cohort.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .toml file that adds names and codes.")
    ] = None,
    markers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A markers.toml of your own, to go with the tables."),
    ] = None,
    arm: Annotated[str, typer.Option(metavar="NAME", help="Keep this arm alone.")] = "",
    sheet: Annotated[str | None, typer.Option(metavar="NAME", help="Sheet of a workbook.")] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=UNIT", help="Unit of a marker, header or code; repeatable."),
    ] = None,
    visit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=WEEK", help="Week of a visit, or NAME= to leave it out; repeatable."
        ),
    ] = None,
    weeks: Annotated[
        str,
        typer.Option(
            metavar="WEEKS", help="Planned weeks where there are only days or dates: 0,4,12."
        ),
    ] = "",
    baseline_date: Annotated[
        str, typer.Option(metavar="COLUMN|first", help="Column with the date of week 0.")
    ] = "",
    decimal: Annotated[str, typer.Option(metavar=".|,", help="Decimal sign of the sheet.")] = "",
    actual_times: Annotated[
        bool, typer.Option("--actual-times", help="Write times as measured, not planned weeks.")
    ] = False,
    accept_implausible: Annotated[
        bool,
        typer.Option("--accept-implausible", help="Write values beyond what is possible."),
    ] = False,
    show_mapping: Annotated[
        bool, typer.Option("--show-mapping", help="Print the names and codes that are known.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Make a cohort's folder from a spreadsheet, or from ADaM or SDTM data sets."""
    from mnbayes.base.resources import import_mapping_file

    if show_mapping:
        typer.echo(import_mapping_file().read_text(encoding="utf-8"))
        if mapping is not None:
            text = mapping.read_text(encoding="utf-8", errors="replace")
            typer.echo(visible(f"# {mapping}\n{text}"))
        return
    if not files or out is None:
        found = "no file" if not files else "no --out FOLDER"
        expected = "mnbayes import FILE ... --out FOLDER"
        raise InputError([Problem("mnbayes import", None, None, found, expected)])
    from mnbayes.data.imports.draft import OpenQuestionsError, Options
    from mnbayes.data.imports.importing import load_names, read_files
    from mnbayes.data.imports.writing import check_empty, write_draft

    with gathered() as attempt:
        attempt(check_empty, out)
        units = [attempt(_pair, "--unit", text) for text in unit or []]
        visits = [attempt(_visit, text) for text in visit or []]
        planned = [attempt(_week, "--weeks", text) for text in weeks.split(",") if text.strip()]
        names = attempt(load_names, mapping, markers)
        if decimal not in ("", ".", ","):
            raise InputError([Problem("--decimal", None, None, quoted(decimal), '"." or ","')])
        options = Options(
            arm=arm,
            sheet=sheet,
            units=dict(units) if all(units) else {},
            visits=dict(visits) if all(visits) else {},
            weeks=tuple(planned),
            baseline_date=baseline_date,
            decimal=decimal,
        )
    words = shlex.join(["mnbayes", *sys.argv[1:]])
    try:
        known, own = names
        draft = read_files(files, options, known)
        draft.markers = own
    except OpenQuestionsError as error:
        typer.echo(str(error), err=True)
        typer.echo("Nothing was written.", err=True)
        raise typer.Exit(BAD_INPUT) from None
    from mnbayes.report.terminal import say, show_table

    for table in draft.tables():
        show_table(table)
    for note in draft.notes:
        say(note)
    for warning in draft.warnings:
        say(f"warning: {warning}", error=True)
    if not yes and not typer.confirm(f"Write {out}?", default=True):
        typer.echo("Nothing was written.", err=True)
        raise typer.Exit
    shown = len(draft.warnings)
    write_draft(
        draft,
        out,
        actual_times=actual_times,
        accept_implausible=accept_implausible,
        command=words,
    )
    for warning in draft.warnings[shown:]:
        say(f"warning: {warning}", error=True)
    say(
        f"{out}: {len(draft.patients)} patients, {len(draft.readings):,} measurements; import.md "
        f"has every decision. Next: mnbayes check {out}"
    )


@command(START, "mnbayes init example")
@clear_errors
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
) -> None:
    """Write an example cohort to change, and a workbook that "mnbayes import" reads."""
    from mnbayes.data.imports.example import write_example
    from mnbayes.report.terminal import say

    write_example(folder)
    say(
        f"{folder}: a made-up cohort (SYNTHETIC), README.md with the contract, and wide.xlsx. "
        f"Next: mnbayes check {folder}, or fill wide.xlsx and mnbayes import it."
    )
