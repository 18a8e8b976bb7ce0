"""The one neutral table that every writer of an export writes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from mnbayes.base.text_table import Table

_PERCENT = re.compile(r"(?<=\d) %")
#: A table of more columns stands on a page of its own across.
ACROSS = 5
#: A column is as wide as its longest cell, but no wider than so many characters.
_WIDEST = 36
_NARROWEST = 9
#: Room beside a cell's text, in characters.
_ROOM = 2


@dataclass(frozen=True)
class Exhibit:
    """A numbered table with its footnotes.

    Attributes
    ----------
    number : int
        From 1, in the order in which a paper would print them.
    name : str
        One word, the same in every run: of its file, and for ``--table``.
    table : Table
        Caption, head, rows and which columns hold words.
    footnotes : tuple of str
        Sentences below the table.
    """

    number: int
    name: str
    table: Table
    footnotes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How a text refers to it: "Table 3"."""
        return f"Table {self.number}"

    @property
    def caption(self) -> str:
        """Number and title: "Table 3. Response as measured"."""
        return f"{self.label}. {self.table.caption}"

    @property
    def stem(self) -> str:
        """Name of its own file, without ending."""
        return f"table-{self.number}-{self.name}"

    @property
    def across(self) -> bool:
        """Whether it needs a page in landscape."""
        return len(self.table.head) > ACROSS

    @property
    def widths(self) -> tuple[float, ...]:
        """Share of the page's width of each column; they sum to 1."""
        columns = zip(self.table.head, *self.table.rows, strict=True)
        longest = [max(len(text) for text in column) for column in columns]
        shares = [min(max(length + _ROOM, _NARROWEST), _WIDEST) for length in longest]
        return tuple(share / sum(shares) for share in shares)


def printable(text: str) -> str:
    """A text without what no document may hold: control characters and halves of a surrogate.

    Marks that steer the direction of writing, accents and every script stay as they are. A tab
    or a line break becomes a space; each other such character the sign for an unknown one.
    """
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character in "\t\n\r":
        return " "
    # XML has no place for the last two code points of a plane either.
    beyond = unicodedata.category(character) in ("Cc", "Cs") or ord(character) & 0xFFFE == 0xFFFE
    return "\N{REPLACEMENT CHARACTER}" if beyond else character


def unbroken(text: str) -> str:
    """A text for a page, where no line ends between a number and its per cent sign."""
    return _PERCENT.sub("\N{NO-BREAK SPACE}%", text)


def cleaned(table: Table) -> Table:
    """A table with :func:`printable` texts."""
    return replace(
        table,
        caption=printable(table.caption),
        head=tuple(map(printable, table.head)),
        rows=tuple(tuple(map(printable, row)) for row in table.rows),
    )
