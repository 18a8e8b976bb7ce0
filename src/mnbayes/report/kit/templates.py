"""The report's templates: those of the page, and each section's in its analysis's folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mnbayes.report.kit import wording
from mnbayes.report.kit.headings import below

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = (_PACKAGE / "report" / "templates", _PACKAGE / "analyses")


def _unbroken(value: object) -> object:
    # A number and its percent sign stay on one line.
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value


@cache
def environment() -> Environment:
    """The templates, each compiled once."""
    made = Environment(
        loader=FileSystemLoader(_FOLDERS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )
    made.globals.update(wording=wording, percent=wording.percent)
    made.filters["below"] = below
    return made


def style_sheet() -> Markup:
    """The style sheet: our own file, not the user's."""
    return Markup((_FOLDERS[0] / "report.css").read_text(encoding="utf-8"))
