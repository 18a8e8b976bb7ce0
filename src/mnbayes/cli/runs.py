"""What a run's answers rest on: ``mnbayes compare``, ``withdrawal`` and ``sensitivity``."""

from __future__ import annotations

import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from mnbayes.base.untrusted_text import visible
from mnbayes.cli.help import AGAIN
from mnbayes.cli.shared import (
    NOT_CONVERGED,
    Data,
    Folder,
    Force,
    PseudonymKey,
    Pseudonyms,
    Response,
    Run,
    RunFolder,
    Seed,
    check_names,
    clear_errors,
    command,
    either,
    fitted,
    read_cohort,
    written,
)


@command(AGAIN, "mnbayes runs")
@clear_errors
def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder with runs, or one run.")
    ] = Path("results"),
) -> None:
    """List the runs of a folder, the newest first: cohort, cards, priors, decision."""
    from mnbayes.run.listing import COLUMNS, list_runs

    listed, remarks = list_runs(folder)
    rows = [COLUMNS, *(tuple(map(visible, run.cells)) for run in listed)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sys.stdout.isatty() and sum(widths) + 2 * len(widths) > shutil.get_terminal_size().columns:
        # Each run a block: a wrapped table cannot be read, nor its folders copied.
        width = max(map(len, COLUMNS))
        for cells in rows[1:]:
            lines = (f"{n:{width}}  {cell}" for n, cell in zip(COLUMNS, cells, strict=True))
            typer.echo("\n".join((*lines, "")))
    else:
        for cells in rows:
            padded = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
            typer.echo("  ".join(padded).rstrip())
    for remark in remarks:
        typer.echo(visible(remark), err=True)


@command(AGAIN, "mnbayes compare results/first results/second")
@clear_errors
def compare(
    run_a: Annotated[
        Path, typer.Argument(metavar="RUN_A", help="Folder of a run, as a rule the earlier one.")
    ],
    run_b: Annotated[
        Path, typer.Argument(metavar="RUN_B", help="Folder of the run to compare with it.")
    ],
    all_: Annotated[bool, typer.Option("--all", help="List every number.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every number to this .csv file.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the main numbers into this .svg, .png or .pdf file."
        ),
    ] = None,
) -> None:
    """Compare two runs: what was put in, what came out, and what is more than noise."""
    from mnbayes.analyses.comparison.files import check_names, write_numbers, write_plot
    from mnbayes.analyses.comparison.runs import compare_runs
    from mnbayes.analyses.comparison.section import of_comparison
    from mnbayes.report.terminal import show_section

    check_names(out, plot)
    comparison = compare_runs(run_a, run_b)
    show_section(of_comparison(comparison, everything=all_), synthetic=comparison.synthetic)
    if out is not None:
        write_numbers(comparison, out)
    if plot is not None:
        write_plot(comparison, plot)


@command(AGAIN, "mnbayes withdrawal results/first --full")
@clear_errors
def withdrawal(
    run_folder: RunFolder = None,
    run: Run = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Model of the run; repeatable (default: every one that can judge the responses).",
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="mar, composite, locf or delta; repeatable (default: every one)."
        ),
    ] = None,
    delta: Annotated[
        float,
        typer.Option(
            min=0.01,
            metavar="RATIO",
            help="Of the strategy delta: times worse than predicted.",
        ),
    ] = 2.0,
    delta_max: Annotated[
        float,
        typer.Option(min=1.01, metavar="RATIO", help="Largest one of the tipping-point sweep."),
    ] = 10.0,
    full: Annotated[bool, typer.Option("--full", help="Print the tables of every model.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for tables and pictures (default: none)."),
    ] = None,
) -> None:
    """Re-read a run's draws under other assumptions on who withdrew; find the tipping point."""
    from mnbayes.analyses.withdrawal.strategies import (
        delta_strategy,
        find_strategy,
        withdrawal_strategies,
    )
    from mnbayes.base.problems import gathered

    names = strategy or [item.name for item in withdrawal_strategies()]
    with gathered() as attempt:
        chosen = [
            delta_strategy(delta) if n == "delta" else attempt(find_strategy, n) for n in names
        ]
    from mnbayes.analyses.withdrawal import command as stored_run
    from mnbayes.report.kit.wording import NO_CONTROL
    from mnbayes.report.terminal import SYNTHETIC, say, show_section
    from mnbayes.run.history import newest_run

    if out is not None:
        stored_run.check_folder(out)
    asked = either(run_folder, run, ("RUN", "--run"))
    folder = asked if asked is not None else newest_run()
    stored, definitions, synthetic = stored_run.from_run(folder, model or [], chosen, delta_max)
    if synthetic:
        say(SYNTHETIC, "bold")
    sections, rest = stored_run.printed(stored, definitions, full=full)
    for section in sections:
        show_section(section)
    for sentence in (NO_CONTROL, *rest):
        say(sentence)
    if out is not None:
        stored_run.write(out, stored_run.files(stored, definitions, synthetic))
        typer.echo(str(out))
    if any(item.table.empty for item in stored):
        raise typer.Exit(NOT_CONVERGED)


@command(AGAIN, "mnbayes sensitivity my-trial")
@clear_errors
def sensitivity(
    cohort_folder: Folder = None,
    data: Data = None,
    model: Annotated[
        list[str] | None,
        fitted(
            metavar="NAME|FILE",
            help="Model card; repeatable (default: proteinuria, else the first that applies).",
        ),
    ] = None,
    priors: Annotated[
        list[str] | None,
        fitted(
            metavar="NAME|FILE",
            help="Prior set; repeatable (default: every set, weak first). The others are compared "
            "with the first.",
        ),
    ] = None,
    residual: Annotated[
        list[str] | None,
        fitted(metavar="NAME", help="normal or student_t; repeatable (default: both)."),
    ] = None,
    trajectory: Annotated[
        list[str] | None, fitted(metavar="NAME", help="step or drift; repeatable (default: both).")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        fitted(
            metavar="NAME=VALUES",
            help="Values to try beside a threshold of the definitions, such as "
            "effective.fall=0.10,0.25; repeatable.",
        ),
    ] = None,
    definitions: Response = None,
    out: Annotated[
        Path | None,
        written(
            metavar="DIR", help="Output folder (default: a new one under results/sensitivity/)."
        ),
    ] = None,
    force: Force = False,
    seed: Seed = 1,
    pseudonyms: Pseudonyms = False,
    pseudonym_key: PseudonymKey = None,
) -> None:
    """Refit under every prior set and structure; name each conclusion that flips."""
    data = either(cohort_folder, data)
    from mnbayes.analyses.sensitivity.specifications import parse_thresholds
    from mnbayes.base.problems import gathered
    from mnbayes.cards.definitions import load_definitions

    with gathered() as attempt:
        attempt(check_names, model or (), priors or (), definitions=definitions, data=data)
        if threshold and data is None and definitions is None:
            attempt(parse_thresholds, threshold, load_definitions())
    from mnbayes.analyses.sensitivity import command as written
    from mnbayes.analyses.sensitivity.multiverse import run_multiverse
    from mnbayes.base.resources import embedded_cohort_folder
    from mnbayes.cards.card import load_card
    from mnbayes.cards.choice import choose_models
    from mnbayes.inference.fit import Sampling
    from mnbayes.report.kit.wording import NO_CONTROL
    from mnbayes.report.terminal import SYNTHETIC, progress_bars, say, say_warnings, show_section
    from mnbayes.run.keeping import claim, new_folder

    folder = out if out is not None else new_folder(Path("results/sensitivity"), datetime.now())
    target = claim(folder, written.MANIFEST, force=force, any_name=out is None)
    with gathered() as attempt:
        cohort = attempt(
            read_cohort,
            data if data is not None else embedded_cohort_folder(),
            pseudonyms=pseudonyms,
            key=pseudonym_key,
            run=target.folder,
        )
        known = cohort.catalogue if cohort is not None else None  # None: it has problems
        cards = [attempt(load_card, name, known=known) for name in model or ()]
        asked = attempt(load_definitions, definitions) if definitions is not None else None
    if not cards:
        able = choose_models(cohort, ("published", "historical"), asked).cards
        cards = [next((card for card in able if card.name == "proteinuria"), able[0])]
    say_warnings(cohort.warnings)
    with progress_bars() as progress:
        found = run_multiverse(
            cohort,
            cards,
            asked,
            prior_sets=priors or [],
            residuals=residual or [],
            trajectories=trajectory or [],
            thresholds=threshold or [],
            sampling=Sampling(seed=seed),
            progress=progress,
        )
    if cohort.synthetic:
        say(SYNTHETIC, "bold")
    for section in written.sections(found):
        show_section(section)
    say(NO_CONTROL)
    placed = written.write(found, target)
    for sentence in placed.said:
        say(sentence, error=True)
    typer.echo(str(placed.folder))
    if found.fits["reason"].any():
        raise typer.Exit(NOT_CONVERGED)
