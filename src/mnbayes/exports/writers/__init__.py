"""The formats of an export: each writes the same neutral tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mnbayes.exports.exhibit import Exhibit
from mnbayes.exports.writers import latex, page, plain, rtf, word

#: Some tables of a run, and its title; gives the files by name.
type Writer = Callable[[Sequence[Exhibit], str], dict[str, bytes]]

#: What ``--to`` takes.
FORMATS: dict[str, Writer] = {
    "docx": lambda tables, title: {f"{stem(tables)}.docx": word.document(tables, title)},
    "latex": lambda tables, title: {f"{stem(tables)}.tex": latex.document(tables, title)},
    "rtf": lambda tables, title: {f"{stem(tables)}.rtf": rtf.document(tables, title)},
    "html": lambda tables, title: {f"{stem(tables)}.html": page.document(tables, title)},
    "csv": lambda tables, title: plain.files(tables),
}


def stem(tables: Sequence[Exhibit]) -> str:
    """Name of a file with some tables: a single one's own."""
    return tables[0].stem if len(tables) == 1 else "tables"
