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
#: Which part of the main report a section belongs to.
type Part = Literal[
    "patients", "method", "results", "overturns", "decision", "checks", "limitations"
]
#: The parts of the main report, as a reader meets them.
PARTS: dict[Part, str] = {
    "patients": "Patients and safety",
    "method": "Question and method",
    "results": "Results",
    "overturns": "What could overturn it",
    "decision": "Decision and next trial",
    "checks": "Is the model right?",
    "limitations": "Limitations and provenance",
}


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

    def path(self, model: str) -> str:
        """Where the picture of a model, or of what else it is of, stands in a run's folder."""
        return f"plots/{model}_{self.name}.svg"

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
class Asked:
    """A number of page 1, and what a reader who asks for it is told.

    Attributes
    ----------
    shown : str
        As it is printed.
    meaning : str
        What the number is.
    file : str
        Table of the run's folder, without its ending.
    row : mapping
        Column to value: which row of it.
    column : str
        Which column of that row holds the number, or a formula of columns.
    prior : str
        The same number under the prior alone, as printed; blank where it has none.
    mcse : str
        Its Monte Carlo standard error, as printed; blank where it has none.
    """

    shown: str
    meaning: str
    file: str
    row: Mapping[str, str | float]
    column: str
    prior: str = ""
    mcse: str = ""

    def __str__(self) -> str:
        return self.shown

    @property
    def python(self) -> str:
        """The line that gives the number, in the folder that holds the run's files."""
        row = " and ".join(f"{name} == {value!r}" for name, value in self.row.items())
        found = f'pd.read_csv("{self.file}.csv").query({row!r})'
        if self.column.isidentifier():
            return f'{found}["{self.column}"].item()'
        return f"{found}.eval({self.column!r}).item()"


@dataclass(frozen=True)
class Sentence:
    """A sentence of page 1 whose numbers can be asked for.

    Attributes
    ----------
    pieces : tuple of str or Asked
        As they follow each other.
    """

    pieces: tuple[str | Asked, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.pieces))


@dataclass(frozen=True)
class PageOne:
    """What a section says on page 1.

    Attributes
    ----------
    under : str
        Heading that sections share, such as "What would overturn it?".
    term : str
        What the sentences are about, in a few words; blank where the heading says it.
    sentences : tuple of str or Sentence
    pictures : tuple of Picture
        Shown below the heading.
    """

    under: str
    term: str
    sentences: tuple[str | Sentence, ...]
    pictures: tuple[Picture, ...] = ()


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
    part : str
        Of the main report, see :data:`PARTS`; blank: where its analysis says.
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
    annex : str or Path
        Template of what the annex adds to a section of the main report; blank: nothing.
    words : mapping
        What both templates are given beside ``run``, ``section`` and ``parts``.
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
    part: Part | Literal[""] = ""
    absent: str = ""
    tables: Mapping[str, Tidy] = field(default_factory=dict)
    pictures: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)
    page_one: PageOne | None = None
    sentences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    shown: tuple[Table | Spanned, ...] = ()
    template: str | Path = ""
    annex: str | Path = ""
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
