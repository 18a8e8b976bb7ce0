"""What the command line shows: progress, sections, tables and sentences."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from string import ascii_uppercase
from typing import Literal

import rich.table
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from mnbayes.base.text_table import Spanned, Table, plain
from mnbayes.base.untrusted_text import visible
from mnbayes.base.workers import News
from mnbayes.report.kit.results import FOLLOWS, gate_sentences
from mnbayes.report.page import SYNTHETIC_MARK, in_order, marks
from mnbayes.run.analysis import reasons
from mnbayes.run.run import Run
from mnbayes.run.section import Section

SYNTHETIC = "SYNTHETIC cohort: no real patient."
#: Spaces between two columns.
_GAP = 2
#: A column of words is not made narrower than this, unless all of it is shorter; one after the
#: other, where a table is too wide. Its longest word stays whole.
_WORDS = (16, 12, 8)
#: A longer word of a text, such as a DOI, may be broken.
_WORD = 24
#: Of a heading, the longest word that gives way to a letter last.
_HEAD = 8
#: Columns of a line of progress beside bar and stage, and from what width there is a bar.
_BESIDE, _BARRED = 32, 60
_GLUE = "\N{NO-BREAK SPACE}"
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


@contextmanager
def progress_bars() -> Iterator[News]:
    """Show a bar for each model on standard error; yield what to call with news.

    A stage that has no words here is shown as it is called.
    """
    screen = Console(stderr=True)
    # A narrow terminal has no bar, so that names and times stay whole.
    room = screen.width - _BESIDE
    bar = min(room // 3, 40) if screen.width >= _BARRED else 0
    name = Column(no_wrap=True, max_width=max(screen.width // 3, 18))
    stage = Column(no_wrap=True, max_width=max(room - bar, 10))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[model]}", table_column=name, markup=False),
        *([BarColumn(bar)] if bar else []),
        TextColumn("{task.description}", table_column=stage),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen) as bars:
        tasks: dict[str, object] = {}

        def show(model: str, stage: str, done: int, total: int) -> None:
            if model not in tasks:
                tasks[model] = bars.add_task("", model=visible(model), total=None)
            if stage == "done":
                bars.update(tasks[model], description="done", total=1, completed=1)  # type: ignore[arg-type]
                return
            bars.update(
                tasks[model],  # type: ignore[arg-type]
                description=_STAGES.get(stage, stage),
                total=total or None,
                completed=done,
            )

        yield show


def _glued(text: str) -> str:
    # Kept on one line: a number and its percent sign, "4 of 8", and an interval, "0.31 to 0.72".
    # textwrap breaks at plain spaces alone.
    glued = re.sub(r"(?<=\d) (?=%)", _GLUE, text)
    return re.sub(r"(?<=[\d%]) (of|to) (?=[−<>]?\d)", rf"{_GLUE}\1{_GLUE}", glued)


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    lines = textwrap.wrap(
        _glued(visible(text)), max(width, 1), subsequent_indent=indent, break_on_hyphens=False
    )
    return [line.replace(_GLUE, " ") for line in lines] or [""]


def say(text: str, style: str = "", console: Console | None = None, *, error: bool = False) -> None:
    """Print a text.

    Parameters
    ----------
    text : str
        Wrapped at the terminal's width, except a line that begins with a space: that is meant to
        be copied.
    style : str
        As rich has them.
    console : Console, optional
    error : bool
        Whether it goes to standard error, where no console is given.
    """
    screen = console or Console(stderr=error)
    for line in visible(text).split("\n"):
        for part in [line] if line.startswith(" ") else _wrapped(line, screen.width):
            screen.print(part, style=style, markup=False, highlight=False, soft_wrap=True)


def say_warnings(problems: Iterable[object]) -> None:
    """Print warnings, each by itself, on standard error."""
    for problem in problems:
        say(str(problem), error=True)


def _widths(table: Table, head: Sequence[str], room: int, words: int) -> list[int] | None:
    """How wide each column is; None where a number or an interval would have to be cut.

    A column of words may become as narrow as ``words``.
    """
    columns = [[name, *(row[i] for row in table.rows)] for i, name in enumerate(head)]
    whole = [max(map(len, column)) for column in columns]
    spare = room - _GAP * (len(head) - 1)
    if sum(whole) <= spare:
        return whole
    least, cells = [], []
    for i, column in enumerate(columns):
        word = max(len(word) for text in column for word in _glued(text).split(" "))
        if i in table.text:
            word = max(min(word, _WORD), min(whole[i], words))
        least.append(word)
        cells.append(max(word, *map(len, column[1:]), 0))
    spare -= sum(least)
    if spare < 0:
        return None
    # Numbers first, then words, as far as there is room.
    for i in sorted(range(len(head)), key=lambda i: (i in table.text, cells[i] - least[i])):
        given = min(cells[i] - least[i], spare)
        least[i] += given
        spare -= given
    return least


def _fitted(table: Table, room: int) -> tuple[tuple[str, ...], list[int]] | None:
    """Headings and widths with which a table fits; None where there are none.

    Words give way first, then headings.
    """
    heads = [table.head]
    if not table.wide:
        heads += [_lettered(table.head, longest) for longest in (_HEAD, 0)]
    for head, least in product(heads, (_WORD,) if table.wide else _WORDS):
        widths = _widths(table, head, room, least)
        if widths is not None:
            return head, widths
    return None


def _parts(table: Table, room: int) -> list[tuple[Table, tuple[str, ...], list[int]]]:
    """A table, or what it is cut into, with headings and widths; empty where nothing fits.

    Each part begins with the columns of words that name the rows. A table whose rows have the
    same name there is not cut.
    """
    count = len(table.head)
    start = next((i for i in range(count) if i not in table.text), count)
    names = range(start)
    whole = _fitted(table, room)
    if whole is not None:
        return [(table, *whole)]
    parts = []
    if table.wide or len({row[:start] for row in table.rows}) < len(table.rows):
        return []
    while start < count:
        for stop in range(count, start, -1):
            columns = (*names, *range(start, stop))
            part = Table(
                table.caption,
                tuple(table.head[i] for i in columns),
                tuple(tuple(row[i] for i in columns) for row in table.rows),
                frozenset(new for new, i in enumerate(columns) if i in table.text),
            )
            fitted = _fitted(part, room)
            if fitted is not None:
                parts.append((part, *fitted))
                start = stop
                break
        else:
            return []
    return parts


def _stacked(table: Table, console: Console) -> None:
    """A row below the other, each cell on a line of its own."""
    for row in table.rows:
        for line in _wrapped(f"{table.head[0]}: {row[0]}", console.width, "  "):
            say(line, "bold", console)
        for name, cell in zip(table.head[1:], row[1:], strict=True):
            for line in _wrapped(f"  {name}: {cell}", console.width, "    "):
                say(line, console=console)


def _lettered(head: tuple[str, ...], longest: int) -> tuple[str, ...]:
    """Headings, those of numbers with a longer word than that replaced by letters."""
    letters = iter(ascii_uppercase)
    return tuple(
        name if i == 0 or max(map(len, name.split())) <= longest else next(letters, name)
        for i, name in enumerate(head)
    )


def show_table(table: Table, console: Console | None = None) -> None:
    """Print one table of a section.

    No number and no interval is cut. Where the terminal is too narrow for the headings' words,
    columns have letters, named below; where it is too narrow for the numbers, the table is cut
    into parts that stand below each other, or each cell has its own line.
    """
    screen = console or Console()
    say(table.caption, "italic", screen)
    parts = _parts(table, screen.width)
    for position, (part, head, widths) in enumerate(parts):
        if position:
            screen.print()
        _print(part, head, widths, screen)
    if not parts:
        _stacked(table, screen)


def _print(table: Table, head: Sequence[str], widths: Sequence[int], screen: Console) -> None:
    shown = [
        [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for row in table.rows
    ]
    printed = rich.table.Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
        show_lines=any(len(cell) > 1 for row in shown for cell in row),
    )
    for position, (name, width) in enumerate(zip(head, widths, strict=True)):
        justify: Literal["left", "right"] = "left" if position in table.text else "right"
        heading = Text("\n".join(_wrapped(name, width)))
        printed.add_column(heading, justify=justify, width=width, overflow="fold")
    for row in shown:
        printed.add_row(*(Text("\n".join(cell)) for cell in row))
    screen.print(printed)
    for letter, name in zip(head, table.head, strict=True):
        if letter != name:
            say(f"{letter}: {name}", console=screen)


def show_section(
    section: Section,
    console: Console | None = None,
    *,
    synthetic: bool = False,
    last: Sequence[str] = (),
) -> None:
    """Print a section: its sentences and the tables that a reader sees first.

    Parameters
    ----------
    section : Section
    console : Console, optional
    synthetic : bool
        Whether to say first that the cohort is synthetic.
    last : sequence of str
        What a command ends with, such as its verdict.
    """
    screen = console or Console()
    if synthetic:
        say(SYNTHETIC, "bold", screen)
    say(section.title, "bold", screen)
    if section.absent:
        say(f"Not shown: {section.absent}.", console=screen)
    if section.without:
        say(f"Not shown: {reasons(section.without)}.", console=screen)
    for remark in section.remarks:
        say(remark, "bold", screen)
    for sentence in section.sentences:
        say(sentence, console=screen)
    for table in section.shown:
        screen.print()
        show_table(plain(table) if isinstance(table, Spanned) else table, screen)
    if section.shown:
        screen.print()
    for sentence in last:
        say(sentence, "bold", screen)


def show_run(run: Run, *, everything: bool = False) -> None:
    """Print what a run says: what must not be missed, the answer in a sentence, the decision.

    Parameters
    ----------
    run : Run
        With its sections.
    everything : bool
        Whether to print the sentences and tables of every section before.
    """
    screen = Console()
    if run.cohort.synthetic:
        say(SYNTHETIC, "bold", screen)
    for mark in marks(run):
        if mark != SYNTHETIC_MARK:
            say(mark, "bold", screen)
    for result in run.results:
        for text in gate_sentences(result, unconverged_shown=run.unconverged_shown):
            say(text, "bold", screen)
    shown = [section for section in in_order(run.sections) if not section.hidden]
    for section in shown:
        if everything:
            show_section(section, screen)
        elif section.place != "page 1":
            for remark in section.remarks:
                say(remark, console=screen)
    for text in answers(shown):
        say(text, "bold", screen)


def answers(sections: Sequence[Section]) -> tuple[str, ...]:
    """The first sentence of page 1, and the first of what follows from it: go or not."""
    said: list[str] = []
    for section in sections:
        if section.place == "page 1":
            said += [f"Not shown: {section.absent}."] if section.absent else section.sentences[:1]
    for section in sections:
        if section.page_one is not None and section.page_one.under == FOLLOWS:
            said += map(str, section.page_one.sentences[:1])
    return tuple(said)
