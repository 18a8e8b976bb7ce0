"""What the command line shows: progress, tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import rich.table
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mnbayes.base.text_table import Spanned, Table, plain
from mnbayes.base.workers import News
from mnbayes.cards.card import Card, prior_name
from mnbayes.data.cohort import Cohort
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit.results import gate_sentences
from mnbayes.report.page import in_order, marks
from mnbayes.run.run import Run
from mnbayes.run.section import Section

_STAGES = {
    "compiling": "compiling (tens of seconds the first time, then cached)",
    "sampling": "sampling",
    "retrying": "sampling again with smaller steps",
    "predicting": "drawing patients' levels, checking convergence",
    "summarising": "working out probabilities",
    "one by one": "fitting each marker by itself",
    "influence": "refitting without each patient",
    "drawing": "drawing plots",
    "writing": "writing the report",
    "starting": "starting workers",
    "waiting": "waiting for workers",
    "running": "replicates",
    "done": "done",
}
#: Stages that mean something else in a model without patients.
_OWN_STAGES = {
    ("published", "sampling"): "fitting every prior set and reading",
    ("historical", "influence"): "leaving out each study",
}


def _out() -> Console:
    return Console(soft_wrap=False)


@contextmanager
def progress_bars() -> Iterator[News]:
    """Show a bar for each model on standard error; yield what to call with news."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[model]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, object] = {}

        def show(model: str, stage: str, done: int, total: int) -> None:
            if model not in tasks:
                tasks[model] = bars.add_task("", model=model, total=None)
            if stage == "done":
                bars.update(tasks[model], description="done", total=1, completed=1)  # type: ignore[arg-type]
                return
            bars.update(
                tasks[model],  # type: ignore[arg-type]
                description=_OWN_STAGES.get((model, stage)) or _STAGES.get(stage, stage),
                total=total or None,
                completed=done,
            )

        yield show


def say_warnings(cohort: Cohort) -> None:
    """Print a cohort's warnings."""
    console = Console(stderr=True)
    for problem in cohort.warnings:
        console.print(escape(str(problem)), highlight=False)


def describe_cohort(cohort: Cohort) -> None:
    """Print what a valid cohort holds."""
    console = _out()
    rows = cohort.measurements
    if cohort.synthetic:
        console.print("SYNTHETIC cohort: no real patient.")
    withdrawn = int(cohort.patients["withdrew_week"].notna().sum())
    console.print(
        f"{len(cohort.patients)} patients ({withdrawn} withdrawn), {len(rows)} measurements, "
        f"weeks {', '.join(f'{week:g}' for week in cohort.weeks)}: no errors.",
        highlight=False,
    )
    table = rich.table.Table("marker", "unit", "measurements", "censored", "patients")
    for marker in cohort.markers:
        part = rows[rows["marker"] == marker]
        table.add_row(
            marker,
            MARKERS[marker].unit,
            str(len(part)),
            str(int(part["value"].isna().sum())),
            str(part["patient"].nunique()),
        )
    console.print(table)
    if cohort.events is None:
        console.print("No table of events: none recorded is not the same as none happened.")
    else:
        console.print(
            f"{len(cohort.events)} rows of events: {cohort.events['term'].nunique()} terms in "
            f"{cohort.events['patient'].nunique()} patients.",
            highlight=False,
        )


def describe_card(card: Card) -> None:
    """Print a card's priors as a table."""
    table = rich.table.Table("prior", "distribution", "meaning, reason and source", show_lines=True)
    table.title = f"{card.name}: {escape(card.title)}"
    for name, priors in card.prior.items():
        for marker, spec in priors.items():
            label = prior_name(name, marker, card.markers)
            if name not in card.parameters:
                label += " (switched off)"
            reasons = f"{spec.explained}\nWhy: {spec.why}\nSource: {spec.source}"
            cells = (label, spec.formula, reasons)
            table.add_row(*(escape(cell) for cell in cells))
    _out().print(table)


def fitting_cards(cards: Sequence[Card], cohort: Cohort) -> list[Card]:
    """The cards whose markers a cohort has, fewest markers first; say which are left out.

    All of them where it has the markers of none: the fit then says what is missing.
    """
    present = set(cohort.measurements["marker"])
    lacking = {card.name: [m for m in card.markers if m not in present] for card in cards}
    able = [card for card in cards if not lacking[card.name]]
    for name, missing in lacking.items():
        if missing and able:
            text = f"Model {name} is left out: the cohort has no {', '.join(missing)}."
            _out().print(escape(text), highlight=False)
    return sorted(able or cards, key=lambda card: (len(card.markers), card.name))


def show_table(console: Console, table: Table) -> None:
    """Print one table of a section."""
    printed = rich.table.Table(title=escape(table.caption), title_justify="left")
    for position, head in enumerate(table.head):
        justify: Literal["left", "right"] = "left" if position in table.text else "right"
        printed.add_column(escape(head), justify=justify)
    for row in table.rows:
        printed.add_row(*map(escape, row))
    console.print(printed)


def show_section(console: Console, section: Section) -> None:
    """Print a section: its sentences and the tables that a reader sees first."""
    console.print(escape(section.title), style="bold", highlight=False)
    if section.absent:
        console.print(escape(f"Not shown: {section.absent}."), highlight=False)
    for sentence in (*section.remarks, *section.sentences):
        console.print(escape(sentence), highlight=False)
    for table in section.shown:
        show_table(console, plain(table) if isinstance(table, Spanned) else table)


def show_run(run: Run, *, everything: bool = False) -> None:
    """Print a run: page 1, and a line of every other section.

    Parameters
    ----------
    run : Run
        With its sections.
    everything : bool
        Whether to print the sentences and tables of every section.
    """
    console = _out()
    for mark in marks(run):
        console.print(escape(mark), style="bold", highlight=False)
    for result in run.results:
        for text in gate_sentences(result, unconverged_shown=run.unconverged_shown):
            console.print(escape(text), style="bold", highlight=False)
    shown = [section for section in in_order(run.sections) if not section.hidden]
    for section in shown:
        if everything or section.place == "page 1":
            show_section(console, section)
        else:
            for remark in section.remarks:
                console.print(escape(remark), highlight=False)
    if not everything:
        others = [section for section in shown if section.place != "page 1"]
        names = ", ".join(
            f"{each.title} ({each.absent})" if each.absent else each.title for each in others
        )
        console.print(escape(f"More in report.html: {names}."), highlight=False)
