"""The page of ``mnbayes published``: one section by itself, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mnbayes.analyses.published.section import PublishedSection


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
    environment = Environment(
        loader=PackageLoader("mnbayes.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # A number and its percent sign stay on one line.
        finalize=lambda v: v.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(v, str) else v,
    )
    loader = environment.loader
    assert loader is not None
    css, _, _ = loader.get_source(environment, "report.css")
    page = environment.get_template("published.html.j2")
    # The style sheet is our own file, not the user's.
    return page.render(published=section, described=described, css=Markup(css))
