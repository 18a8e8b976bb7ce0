"""The flow of patients, and response as counted over both denominators."""

from __future__ import annotations

from collections import Counter

from mnbayes.analyses.participants.tables import (
    counts_by_visit,
    evaluable_table,
    event_sentence,
    flow_sentences,
    measured_table,
    rate_tables,
)
from mnbayes.data.cohort import Cohort
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import Section, Tidy


def section(run: Run) -> Section:
    """The patients of a run."""
    counts = counts_by_visit(run)
    rates, measured = rate_tables(counts, run.definitions), evaluable_table(run)
    flow = flow_sentences(run.cohort)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        tables={"counts": Tidy(counts)},
        sentences=flow,
        shown=(measured, *rates[:1]),
        template="participants/section.html.j2",
        annex="participants/annex.html.j2" if len(rates) > 1 else "",
        words={
            "flow": flow,
            "evaluable": measured,
            "rates": rates,
        },
    )


def of_cohort(cohort: Cohort) -> Section:
    """A valid cohort before any fit: ``mnbayes check``."""
    weeks = ", ".join(f"{week:g}" for week in cohort.weeks)
    reasons = Counter(cohort.set_aside["reason"].tolist())
    said = [f"Measurements not used, {reason}: {n}." for reason, n in reasons.items()]
    return Section(
        name=ANALYSIS.name,
        title=f"{len(cohort.patients)} patients, {len(cohort.measurements)} measurements, weeks "
        f"{weeks}.",
        sentences=(*flow_sentences(cohort), *said, event_sentence(cohort)),
        shown=(measured_table(cohort),),
    )


ANALYSIS = Analysis(
    name="flow", title="Patients and counted response", section=section, part="patients"
)
