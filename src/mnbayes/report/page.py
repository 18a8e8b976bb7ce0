"""A run as self-contained HTML pages: the report, and beside it annex, paper and history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup

from mnbayes.base.text_table import Spanned, plain
from mnbayes.cards.card import Card
from mnbayes.report.kit.results import ModelShown, models_shown
from mnbayes.report.kit.templates import environment, style_sheet
from mnbayes.run.analysis import Analysis, reasons
from mnbayes.run.run import Run
from mnbayes.run.section import Section

SYNTHETIC_MARK = "SYNTHETIC COHORT – no real patient"
UNCONVERGED_MARK = "UNCONVERGED FIT SHOWN – do not rely on these numbers"
IMPLAUSIBLE_MARK = "IMPLAUSIBLE VALUES ACCEPTED – most likely in another unit"
WITHHELD_MARK = "NUMBERS WITHHELD – a fit failed its checks"
#: Template of a section without one of its own.
_PLAIN = "section.html.j2"
_ORDER = {"page 1": 0, "main": 1, "annex": 2, "paper": 3, "history": 4}


@dataclass(frozen=True)
class Page:
    """One file of the report: where its sections stand, and what it is called."""

    title: str
    places: tuple[str, ...]
    letter: str = ""


#: Files of the report. The first one is read by itself; the others are for who checks.
PAGES: dict[str, Page] = {
    "report.html": Page("Report", ("page 1", "main")),
    "annex.html": Page("Annex", ("annex",), "A"),
    "paper.html": Page("What the paper's numbers support", ("paper",), "P"),
    "history.html": Page("Earlier studies", ("history",), "H"),
}
_WHOLE = Page("Report", tuple(_ORDER))


def prepare_report(cards: Iterable[Card], analyses: Iterable[Analysis]) -> None:
    """Load, draw and compile what does not wait for a fit, while models are still worked on."""
    import great_tables  # noqa: F401  # heavy

    cards = list(cards)
    for analysis in analyses:
        if analysis.prepare is not None:
            analysis.prepare(cards)
    templates = environment()
    for name in templates.list_templates(extensions=["j2"]):
        templates.get_template(name)


def marks(run: Run) -> tuple[str, ...]:
    """What must not be missed on any page."""
    said = [SYNTHETIC_MARK] if run.cohort.synthetic else []
    if run.cohort.implausible:
        said.append(IMPLAUSIBLE_MARK)
    if any(not r.withheld and not r.fit.diagnostics.converged for r in run.results):
        said.append(UNCONVERGED_MARK)
    if any(result.withheld for result in run.results):
        said.append(WITHHELD_MARK)
    return tuple(said)


def in_order(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Sections as a reader meets them: page 1, main, annex."""
    return tuple(sorted(sections, key=lambda section: _ORDER[section.place]))


def _template(section: Section) -> Template:
    if isinstance(section.template, Path):
        return environment().from_string(section.template.read_text(encoding="utf-8"))
    return environment().get_template(section.template or _PLAIN)


def section_html(section: Section, run: Run, parts: Sequence[ModelShown]) -> Markup:
    """The words, tables and pictures of one section."""
    if section.without:
        # Its words were made of the others.
        parts = [part for part in parts if part.result.name not in section.without]
        run = replace(run, results=tuple(part.result for part in parts))
    withheld = {part.result.name for part in parts if part.result.withheld}
    shown = [plain(table) if isinstance(table, Spanned) else table for table in section.shown]
    text = _template(section).render(
        run=run,
        section=section,
        shown_tables=shown,
        parts=parts,
        drawn=lambda model: () if model in withheld else section.pictures.get(model, ()),
        **section.words,
    )
    said = Markup(text)  # escaped by the template
    if section.without:
        said += Markup("<p>Not shown: {}.</p>\n").format(reasons(section.without))
    return said


def pages_of(run: Run) -> dict[str, Page]:
    """Files of a run's report that have something to say: the first, and those with sections."""
    there = {section.place for section in run.sections if not section.hidden}
    return {
        file: page
        for place, (file, page) in enumerate(PAGES.items())
        if place == 0 or there & set(page.places)
    }


def render_pages(run: Run) -> dict[str, str]:
    """Write the report of a run as its files: page 1 with the main report, and what is beside it.

    Parameters
    ----------
    run : Run
        With its sections.

    Returns
    -------
    dict
        File name to page, as :func:`render_report` gives it.
    """
    pages = pages_of(run)
    return {file: render_report(run, page, pages) for file, page in pages.items()}


def render_report(run: Run, page: Page = _WHOLE, pages: Mapping[str, Page] | None = None) -> str:
    """Write one page of the report of a run.

    Parameters
    ----------
    run : Run
        With its sections.
    page : Page
        Which sections; default: all of them.
    pages : mapping, optional
        Every file of the report, for links between them.

    Returns
    -------
    str
        One HTML page that needs nothing else: style sheet and pictures are inside, there is no
        script. Whatever comes from the user's files is escaped.
    """
    parts = models_shown(run)
    every = [section for section in in_order(run.sections) if not section.hidden]
    shown = [section for section in every if section.place in page.places]
    beside = {
        file: (other, [section for section in every if section.place in other.places])
        for file, other in (pages or {}).items()
        if other != page
    }
    template = environment().get_template("report.html.j2")
    return template.render(
        page=page,
        beside=beside,
        run=run,
        css=style_sheet(),
        marks=marks(run),
        parts=parts,
        sections=[(section, section_html(section, run, parts)) for section in shown],
    )
