"""The page of ``mnbayes historical``: one section by itself, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnbayes.analyses.historical.section import HistoricalSection
from mnbayes.report.kit.numbering import numbered
from mnbayes.report.kit.templates import environment, style_sheet


def render_historical(section: HistoricalSection, described: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    section : HistoricalSection
    described : mapping
        What ``historical.json`` holds.

    Returns
    -------
    str
        HTML. Whatever comes from the user's files is escaped.
    """
    page = environment().get_template("historical/page.html.j2")
    written = page.render(historical=section, described=described, css=style_sheet())
    return numbered({"page": written})["page"]
