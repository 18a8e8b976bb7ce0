"""What ``mnbayes published`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from mnbayes.analyses.published.section import PublishedSection
from mnbayes.base.text_table import Table


def _table(table: Table, columns: int) -> RichTable:
    """The first columns of a report's table."""
    made = RichTable(title=escape(table.caption))
    for number, head in enumerate(table.head[:columns]):
        made.add_column(escape(head), justify="left" if number in table.text else "right")
    for row in table.rows:
        made.add_row(*(escape(cell) for cell in row[:columns]))
    return made


def say_published(section: PublishedSection) -> None:
    """Print the main answers, and what would overturn them.

    Parameters
    ----------
    section : PublishedSection
    """
    console = Console(soft_wrap=False)
    kind = "INVENTED PAPER, no real patient: " if section.invented else ""
    console.print(f"[bold]{kind}{escape(section.title)}[/bold]", highlight=False)
    console.print(escape(section.source), highlight=False)
    for reason in section.withheld:
        console.print(f"[bold]Withheld: {escape(reason)}[/bold]", highlight=False)
    console.print(_table(section.answers, 3))
    console.print(_table(section.counted, 3))
    for sentence in section.conclusions:
        console.print(escape(f"- {sentence}"), highlight=False)
    for note in section.notes:
        console.print(escape(note), highlight=False)
    console.print(
        "From the published numbers alone. A change under treatment: there was no control group.",
        highlight=False,
    )
