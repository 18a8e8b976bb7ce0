"""Tables of texts, as a page or a terminal shows them: one caption, one head, rows of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """A small table of texts.

    Attributes
    ----------
    caption : str
    head : tuple of str
    rows : tuple of tuple of str
        Each as long as the head.
    text : frozenset of int
        Columns that hold words; the others hold numbers and are aligned to the right.
    wide : bool
        Whether cells hold sentences, which wrap.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: frozenset[int] = frozenset({0})
    wide: bool = False


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as dictionaries."""
    # As `to_dict` gives them, in a third of its time: a report asks for some hundred tables.
    names = [str(name) for name in frame.columns]
    columns = [column.tolist() for _, column in frame.items()]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Spanned:
    """A result table with headings over several columns.

    Attributes
    ----------
    frame : DataFrame
        Texts; the first column heads the rows. A column ``remark`` without a remark is not shown.
    name : str
        Prefix of the ids in the markup, so that two tables on a page do not collide.
    caption : str
    labels : mapping
        Column to its heading.
    spanners : mapping
        Heading over several columns to these columns.
    text : tuple of str
        Columns that hold words, aligned to the left.
    """

    frame: pd.DataFrame
    name: str
    caption: str
    labels: Mapping[str, str]
    spanners: Mapping[str, Sequence[str]]
    text: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Columns that are shown."""
        empty = "remark" in self.frame and not self.frame["remark"].any()
        return [str(c) for c in self.frame.columns if not (empty and c == "remark")]


def plain(table: Spanned) -> Table:
    """The same as a small table, every heading spelt out."""
    over = {column: heading for heading, columns in table.spanners.items() for column in columns}
    columns = table.columns
    head = tuple(f"{over[c]}: {table.labels[c]}" if c in over else table.labels[c] for c in columns)
    rows = tuple(tuple(str(row[c]) for c in columns) for row in records(table.frame))
    words = frozenset(i for i, c in enumerate(columns) if i == 0 or c in table.text)
    return Table(table.caption, head, rows, words)
