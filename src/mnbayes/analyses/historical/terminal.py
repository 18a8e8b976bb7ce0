"""What ``mnbayes historical`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from mnbayes.analyses.historical.section import HistoricalSection
from mnbayes.base.text_table import Table


def _table(table: Table, columns: tuple[int, ...]) -> RichTable:
    """Chosen columns of a report's table."""
    made = RichTable(title=escape(table.caption))
    for number in columns:
        justify = "left" if number in table.text else "right"
        made.add_column(escape(table.head[number]), justify=justify)  # type: ignore[arg-type]
    for row in table.rows:
        made.add_row(*(escape(row[number]) for number in columns))
    return made


def say_historical(section: HistoricalSection) -> None:
    """Print the benchmark, what it rests on, and the trial's counts against it.

    Parameters
    ----------
    section : HistoricalSection
    """
    console = Console(soft_wrap=False)
    console.print(f"[bold]{escape(section.title)}[/bold]", highlight=False)
    if section.withheld:
        reasons = "; ".join(section.withheld)
        console.print(f"[bold]Withheld: {escape(reasons)}[/bold]", highlight=False)
        return
    if section.reasons:
        reasons = "; ".join(section.reasons)
        console.print(f"[bold]NOT CONVERGED: {escape(reasons)}[/bold]", highlight=False)
    if section.classes is not None:
        console.print(_table(section.classes, (0, 1, 2, 4, 6)))
    if section.conflicts is not None:
        console.print(_table(section.conflicts, (0, 1, 2, 3, 4, 6)))
    sentences = (
        *section.benchmark, *section.extrapolation, *section.conflict, *section.robustness
    )  # fmt: skip
    for sentence in sentences:
        console.print(escape(f"- {sentence}"), highlight=False)
