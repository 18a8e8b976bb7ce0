"""Page 1: what the sections say in a few words, in the order in which a clinician asks."""

from __future__ import annotations

from mnbayes.report.kit.results import ANSWER, FOLLOWS, OVERTURNS, SAFETY
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import PageOne, Section

#: Headings in a reader's order; others follow.
_ORDER = (ANSWER, SAFETY, FOLLOWS, OVERTURNS)


def by_heading(run: Run) -> dict[str, tuple[PageOne, ...]]:
    """What the sections say on page 1, by the heading that they share."""
    found: dict[str, list[PageOne]] = {heading: [] for heading in _ORDER}
    for each in run.sections:
        if each.page_one is not None and each.page_one.sentences:
            found.setdefault(each.page_one.under, []).append(each.page_one)
    return {heading: tuple(said) for heading, said in found.items() if said}


def section(run: Run) -> Section:
    """Page 1 of a run; the sections made before give their sentences and pictures to it."""
    said = by_heading(run)
    sentences = [
        f"{each.term}: {text}" if each.term and not position else str(text)
        for own in said.values()
        for each in own
        for position, text in enumerate(each.sentences)
    ]
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        place="page 1",
        absent="" if ANSWER in said else "no model-based answer can be shown",
        sentences=tuple(sentences),
        template="summary/section.html.j2",
        words={"said": said, "lead": ANSWER},
    )


ANALYSIS = Analysis(name="summary", title="Summary", section=section)
