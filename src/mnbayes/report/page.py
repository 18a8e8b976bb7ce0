"""A run as self-contained HTML pages: the report, and beside it annex, paper and history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup

from mnbayes.base.text_table import Spanned, plain
from mnbayes.base.untrusted_text import visible
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.report.kit.headings import below
from mnbayes.report.kit.numbering import numbered
from mnbayes.report.kit.results import ModelShown, models_shown, primary_model
from mnbayes.report.kit.results import shown as shown_results
from mnbayes.report.kit.templates import environment, style_sheet
from mnbayes.run.analysis import Analysis, reasons
from mnbayes.run.run import Run
from mnbayes.run.section import PARTS, Picture, Section

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


@dataclass(frozen=True)
class Written:
    """A section as a page shows it.

    Attributes
    ----------
    anchor, number, title : str
    html : Markup
    section : Section
    """

    anchor: str
    number: str
    title: str
    html: Markup
    section: Section


@dataclass(frozen=True)
class Group:
    """Sections below one heading: a part of the main report, or one section by itself.

    Attributes
    ----------
    anchor, number, title : str
    sections : tuple of Written
    """

    anchor: str
    number: str
    title: str
    sections: tuple[Written, ...]


def prepare_report(
    cards: Iterable[Card], definitions: Definitions, analyses: Iterable[Analysis]
) -> None:
    """Load, draw and compile what does not wait for a fit, while models are still worked on."""
    import great_tables  # noqa: F401  # heavy

    cards = list(cards)
    for analysis in analyses:
        if analysis.prepare is not None:
            analysis.prepare(cards, definitions)
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


def _template(template: str | Path) -> Template:
    if isinstance(template, Path):
        return environment().from_string(template.read_text(encoding="utf-8"))
    return environment().get_template(template or _PLAIN)


def section_html(
    section: Section, run: Run, parts: Sequence[ModelShown], *, annex: bool = False
) -> Markup:
    """The words, tables and pictures of one section, or what the annex adds to it."""
    if section.without:
        # Its words were made of the others.
        parts = [part for part in parts if part.result.name not in section.without]
        run = replace(run, results=tuple(part.result for part in parts))
    withheld = {part.result.name for part in parts if part.result.withheld}
    shown = [plain(table) if isinstance(table, Spanned) else table for table in section.shown]
    best = primary_model(shown_results(run))

    def drawn(model: str, *names: str) -> tuple[Picture, ...]:
        """The pictures of a model, all or those of some names."""
        found = () if model in withheld else section.pictures.get(model, ())
        return tuple(picture for picture in found if not names or picture.name in names)

    text = _template(section.annex if annex else section.template).render(
        run=run,
        section=section,
        shown_tables=shown,
        parts=parts,
        primary=best.name if best else "",
        drawn=drawn,
        **section.words,
    )
    said = Markup(text)  # escaped by the template
    if section.without and not annex:
        said += Markup("<p>Not shown: {}.</p>\n").format(reasons(section.without))
    return said


def pages_of(run: Run) -> dict[str, Page]:
    """Files of a run's report that have something to say: the first, and those with sections."""
    there = {section.place for section in run.sections if not section.hidden}
    there |= {"annex" for section in run.sections if section.annex and not section.hidden}
    return {
        file: page
        for place, (file, page) in enumerate(PAGES.items())
        if place == 0 or there & set(page.places)
    }


def _groups(run: Run, page: Page, parts: Sequence[ModelShown]) -> tuple[Group, ...]:
    """What a page shows after page 1, in a reader's order, numbered."""
    every = [section for section in run.sections if not section.hidden]
    if "main" not in page.places:
        own = [s for s in every if s.place in page.places or (s.annex and "annex" in page.places)]
        groups = []
        for position, section in enumerate(in_order(own), 1):
            number = f"{page.letter}{position}"
            html = section_html(section, run, parts, annex=section.place not in page.places)
            one = Written(section.name, number, section.title, below(html, 2), section)
            groups.append(Group(section.name, number, section.title, (one,)))
        return tuple(groups)
    groups = []
    for part, title in PARTS.items():
        own = [s for s in every if s.place == "main" and (s.part or "results") == part]
        if not own:
            continue
        number = f"{len(groups) + 1}"
        level = 3 if len(own) > 1 else 2  # of the heading above
        written = tuple(
            Written(s.name, f"{number}.{i}", s.title, below(section_html(s, run, parts), level), s)
            for i, s in enumerate(own, 1)
        )
        groups.append(Group(f"part-{part}", number, title, written))
    return tuple(groups)


def render_pages(run: Run) -> dict[str, str]:
    """Write the report of a run as its files: page 1 with the main report, and what is beside it.

    Parameters
    ----------
    run : Run
        With its sections.

    Returns
    -------
    dict
        File name to HTML page. A page needs no network. ``report.html`` needs nothing else
        either: style sheet and pictures are inside; the annex shows the pictures of the run's
        folder. Whatever comes from the user's files is escaped.
    """
    pages = pages_of(run)
    written = {file: visible(_page(run, page, pages)) for file, page in pages.items()}
    return numbered(written, {file: page.letter for file, page in pages.items()})


def _page(run: Run, page: Page, pages: Mapping[str, Page]) -> str:
    parts = models_shown(run)
    first = [s for s in run.sections if s.place == "page 1" and s.place in page.places]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            page=page,
            beside={file: other for file, other in pages.items() if other != page},
            run=run,
            css=style_sheet(),
            marks=marks(run),
            parts=parts,
            page_one=[(section, section_html(section, run, parts)) for section in first],
            groups=_groups(run, page, parts),
        )
    )
