"""A run as one self-contained HTML page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mnbayes.analyses.calibration.section import calibration_section
from mnbayes.analyses.characteristics.section import characteristics_parts
from mnbayes.analyses.comparison.section import difference
from mnbayes.analyses.correlations.section import together
from mnbayes.analyses.design.section import decision_section
from mnbayes.analyses.influence.section import influences
from mnbayes.analyses.lymphocytes.section import OVERLAP, subsets, what_moved
from mnbayes.analyses.lymphocytes.subset_tables import reference_sources, reference_table
from mnbayes.analyses.priors import section as prior_predictive
from mnbayes.analyses.regression.section import regression
from mnbayes.analyses.results.changes_section import best_table, change_table, last_week
from mnbayes.analyses.results.checks_section import coverage_table
from mnbayes.analyses.results.responses_section import (
    course_table,
    evaluable,
    group_table,
    not_measured,
    patient_table,
)
from mnbayes.analyses.safety.section import safety
from mnbayes.analyses.sensitivity.power_scaling import THRESHOLD
from mnbayes.analyses.sensitivity.section import multiverse_command, power_scalings
from mnbayes.analyses.withdrawal.section import withdrawals
from mnbayes.answers.results import Result
from mnbayes.report import methods
from mnbayes.report.kit import wording
from mnbayes.report.kit.dominance import RULE
from mnbayes.report.kit.pictures import Picture, embed
from mnbayes.report.kit.tables import Table, great, plain
from mnbayes.report.listing import measurement_table, patients_table
from mnbayes.report.overturn import overturns
from mnbayes.report.participants import evaluable_table, flow_sentences, is_embedded, rate_tables
from mnbayes.report.summary import summarise_run
from mnbayes.run.run import Run

_TEMPLATES = Path(__file__).parent / "templates"
SYNTHETIC_MARK = "SYNTHETIC COHORT – no real patient"
UNCONVERGED_MARK = "UNCONVERGED FIT SHOWN – do not rely on these numbers"
WITHHELD_MARK = "NUMBERS WITHHELD – a fit failed its checks"


@dataclass(frozen=True)
class ModelPart:
    """What the report shows of one model; the tables are empty where it is withheld."""

    slug: str
    result: Result
    doubtful: tuple[str, ...]
    changes: tuple[Markup, ...] = ()
    patients: tuple[Markup, ...] = ()
    group: tuple[Markup, ...] = ()
    more_responses: tuple[Table, ...] = ()
    best: Table | None = None
    coverage: Table | None = None
    predicted: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()

    def drawn(self, section: str) -> tuple[Picture, ...]:
        """Pictures of a section."""
        return tuple(picture for picture in self.pictures if picture.section == section)


def _part(result: Result, position: int, pictures: Mapping[str, bytes]) -> ModelPart:
    # The position keeps ids apart where two cards' names differ only in punctuation.
    slug = f"{re.sub(r'[^a-z0-9]+', '-', result.name.lower()).strip('-')}-{position}"
    if result.withheld:
        return ModelPart(slug, result, result.fit.diagnostics.reasons)
    week, data = last_week(result), result.fit.observations
    able = evaluable(result)
    first = [c for c in ("remission", "effective") if c in able]
    others = [patient_table(result, c, week, slug) for c in able if c not in first]
    groups = [group_table(result, w, slug) for w in data.weeks[:0:-1]] if able else []
    courses = [course_table(result)] if able else []
    return ModelPart(
        slug,
        result,
        doubtful=result.fit.diagnostics.reasons,
        changes=tuple(great(change_table(result, marker, slug)) for marker in data.markers),
        patients=tuple(great(patient_table(result, c, week, slug)) for c in first),
        group=tuple(great(table) for table in groups[:1]),
        more_responses=(*map(plain, others), *courses, *map(plain, groups[1:])),
        best=best_table(result),
        coverage=coverage_table(result),
        predicted=tuple(
            f"{patient} ({why})" for patient, why in not_measured(result, week).items()
        ),
        pictures=embed(pictures, result.fit.card.title),
    )


def _marks(run: Run) -> tuple[str, ...]:
    marks = [SYNTHETIC_MARK] if run.cohort.synthetic else []
    if any(not r.withheld and not r.fit.diagnostics.converged for r in run.results):
        marks.append(UNCONVERGED_MARK)
    if any(result.withheld for result in run.results):
        marks.append(WITHHELD_MARK)
    return tuple(marks)


def _unbroken(value: object) -> object:
    # A number and its percent sign stay on one line.
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value


def _published(run: Run, pictures: Mapping[str, Mapping[str, bytes]]) -> object:
    if run.published is None:
        return None
    from mnbayes.analyses.published.section import published_section

    return published_section(run.published, pictures.get(run.published.name, {}))


def _historical(run: Run, pictures: Mapping[str, Mapping[str, bytes]]) -> object:
    if run.historical is None:
        return None
    from mnbayes.analyses.historical.section import historical_section

    return historical_section(run.historical, pictures.get(run.historical.card.name, {}))


@cache
def environment() -> Environment:
    """The report's templates, each compiled once."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )


def render_report(run: Run, pictures: Mapping[str, Mapping[str, bytes]]) -> str:
    """Write the report of a run.

    Parameters
    ----------
    run : Run
    pictures : mapping
        Model name to picture name to SVG bytes. Pictures of a withheld model are left out.

    Returns
    -------
    str
        One HTML page that needs nothing else: style sheet and pictures are inside, there is no
        script. Whatever comes from the user's files is escaped.
    """
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    parts = [
        _part(result, i, pictures.get(result.name, {})) for i, result in enumerate(run.results, 1)
    ]
    template = environment().get_template("report.html.j2")
    page = template.render(
        run=run,
        css=Markup(css),  # our own file, not the user's
        marks=_marks(run),
        parts=parts,
        summary=summarise_run(run),
        moved=what_moved(run),
        overturns=overturns(run),
        rule=RULE,
        quantities=wording.QUANTITIES,
        definitions=wording.definition_sentences(run.definitions),
        category_labels=wording.CATEGORY_LABELS,
        flow=flow_sentences(run.cohort),
        evaluable=evaluable_table(run),
        rates=rate_tables(run),
        embedded=is_embedded(run.cohort),
        subsets=subsets(run),
        overlap=OVERLAP,
        reference=reference_table(run),
        sources=reference_sources(run),
        together=together(run),
        influences=influences(run),
        power_scalings=power_scalings(run),
        multiverse_command=multiverse_command(run),
        sensitivity_threshold=THRESHOLD,
        withdrawals=withdrawals(run),
        regression=regression(run),
        decision=decision_section(run, run.plan, pictures.get("decision", {})),
        characteristics=characteristics_parts(),
        calibration=calibration_section([result.fit.card for result in run.results]),
        published=_published(run, pictures),
        historical=_historical(run, pictures),
        safety=safety(run.cohort),
        previous=difference(run),
        measurements=measurement_table(run.cohort),
        patients=patients_table(run.cohort),
        methods=methods,
        before_data=prior_predictive,
        wording=wording,
        percent=wording.percent,
    )
    return str(page)
