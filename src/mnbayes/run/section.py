"""A section: what an analysis gives to the report, the terminal, a run's folder and its record.

Whoever shows a run walks its sections and knows none of them by name.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from mnbayes.base.text_table import Spanned, Table

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

#: Where a section stands in the report.
type Place = Literal["page 1", "main", "annex", "paper", "history"]


@dataclass(frozen=True)
class Drawn:
    """A figure, drawn or still to be drawn.

    Attributes
    ----------
    name : str
        Of its file, after the model's name.
    title : str
    alt : str
        What it shows, for a reader who cannot see it.
    source : Figure or callable
        The figure, or what draws it when :attr:`figure` is asked for.
    of_model : bool
        Whether it shows what a model says: the text then names the model.
    """

    name: str
    title: str
    alt: str
    source: Figure | Callable[[], Figure]
    of_model: bool = True

    @property
    def figure(self) -> Figure:
        """The figure, drawn now where that was left for later."""
        return self.source() if callable(self.source) else self.source


@dataclass(frozen=True)
class Picture:
    """A figure as bytes of SVG, as the report embeds it and the folder ``plots/`` holds it."""

    name: str
    title: str
    alt: str
    content: bytes

    @property
    def narrow(self) -> bool:
        """Whether a phone shows it whole: no wider than 4.1 inches."""
        width = re.search(rb'width="([\d.]+)pt"', self.content[:1000])
        return width is not None and float(width[1]) <= 72 * 4.1

    @property
    def uri(self) -> str:
        """The picture as a source for ``<img>``, where its ids and styles are its own."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.content).decode('ascii')}"


@dataclass(frozen=True)
class PageOne:
    """What a section says on page 1.

    Attributes
    ----------
    under : str
        Heading that sections share, such as "What could overturn it?".
    term : str
        What the sentences are about, in a few words; blank where the heading says it.
    sentences : tuple of str
    """

    under: str
    term: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Tidy:
    """A tidy table as written to CSV.

    Attributes
    ----------
    frame : DataFrame
    keys : tuple of str
        Columns that name a row: two runs are compared row by row where they are given.
    errors : mapping
        Column to the column that holds its Monte Carlo standard error.
    """

    frame: pd.DataFrame
    keys: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """What an analysis says of a run.

    Attributes
    ----------
    name : str
        Anchor in the report, prefix of its files, key in the manifest.
    title : str
    place : {"page 1", "main", "annex", "paper", "history"}
        Page 1 and the main report are one file; the annex, what a paper prints and earlier
        studies have each a file beside it.
    absent : str
        Why there is nothing to show; blank where there is.
    tables : mapping
        File's name without its ending to the table; sections that give to one file write it
        together. Empty tables are not written.
    pictures : mapping
        Model, or what else the file's name begins with, to its pictures.
    page_one : PageOne or None
    sentences : tuple of str
        In plain text, above the tables.
    remarks : tuple of str
        What must not be missed where only a line of the section is shown.
    shown : tuple of Table or Spanned
        The tables that a reader sees first, on the terminal as in the report.
    template : str or Path
        Jinja2 template of the section's words: a name in the catalogue's folders, or a file of
        the user's. Blank: sentences, tables and pictures one after the other.
    words : mapping
        What the template is given beside ``run``, ``section`` and ``parts``.
    trees : mapping
        Model to draws that belong to the run, beside those of the cards.
    record : mapping
        What the manifest says of it.
    converged : bool
        Whether what was fitted for it passed its checks.
    of_cohort : bool
        Whether it is about the cohort's patients, so that it bears the marks of a synthetic one.
    hidden : bool
        Whether an absent section is left out of the report and of the terminal.
    without : mapping
        Model to why the section says nothing of it, where it does of others.
    """

    name: str
    title: str
    place: Place = "main"
    absent: str = ""
    tables: Mapping[str, Tidy] = field(default_factory=dict)
    pictures: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)
    page_one: PageOne | None = None
    sentences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    shown: tuple[Table | Spanned, ...] = ()
    template: str | Path = ""
    words: Mapping[str, Any] = field(default_factory=dict)
    trees: Mapping[str, xr.DataTree] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    converged: bool = True
    of_cohort: bool = True
    hidden: bool = False
    without: Mapping[str, str] = field(default_factory=dict)

    @property
    def described(self) -> dict[str, Any]:
        """What ``run.json`` says of the section."""
        compared = {
            name: {"keys": list(table.keys), "errors": dict(table.errors)}
            for name, table in self.tables.items()
            if table.keys
        }
        said: dict[str, Any] = {"title": self.title, "place": self.place, "absent": self.absent}
        said |= {"without": dict(self.without)} if self.without else {}
        return {**said, "files": sorted(self.tables), "compared": compared, **self.record}
