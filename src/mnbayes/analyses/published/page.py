"""The page of ``mnbayes published``: one section by itself, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnbayes.analyses.published.section import INVENTED, PublishedSection
from mnbayes.report.kit.numbering import numbered
from mnbayes.report.kit.templates import environment, style_sheet
from mnbayes.report.kit.wording import NO_CONTROL


def render_page(section: PublishedSection, described: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    section : PublishedSection
    described : mapping
        What ``published.json`` holds.

    Returns
    -------
    str
        HTML. Whatever comes from the user's files is escaped.
    """
    page = environment().get_template("published/page.html.j2")
    written = page.render(
        published=section,
        described=described,
        css=style_sheet(),
        invented=INVENTED,
        no_control=NO_CONTROL,
    )
    return numbered({"page": written})["page"]
