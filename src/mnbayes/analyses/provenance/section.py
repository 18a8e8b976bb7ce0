"""Data and provenance: every measurement, hashes, versions; and what limits the answers."""

from __future__ import annotations

from mnbayes.analyses.provenance.tables import (
    measurement_table,
    patients_table,
    provenance_table,
    set_aside_table,
)
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import Section


def _listing(run: Run) -> Section:
    return Section(
        name=LISTING.name,
        title=LISTING.title,
        shown=(provenance_table(run),),
        template="provenance/listing.html.j2",
        words={
            "provenance": provenance_table(run),
            "measurements": measurement_table(run.cohort),
            "patients": patients_table(run.cohort),
            "set_aside": set_aside_table(run.cohort) if len(run.cohort.set_aside) else None,
        },
    )


def _limitations(run: Run) -> Section:
    return Section(
        name=LIMITATIONS.name,
        title=LIMITATIONS.title,
        template="provenance/limitations.html.j2",
    )


LISTING = Analysis(
    name="listing",
    title="Data and provenance",
    section=_listing,
    place="annex",
)
LIMITATIONS = Analysis(
    name="limitations", title="Limitations", section=_limitations, part="limitations"
)
