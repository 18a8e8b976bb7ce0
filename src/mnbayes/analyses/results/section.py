"""Change by visit, response of each patient, of the next one and of all such patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from mnbayes.analyses.results.arrows import arrows, finding
from mnbayes.analyses.results.changes_figure import finding as ratio_finding
from mnbayes.analyses.results.changes_figure import gmr_by_visit
from mnbayes.analyses.results.changes_section import best_table, change_table
from mnbayes.analyses.results.parameters import finding as narrowed
from mnbayes.analyses.results.parameters import prior_posterior
from mnbayes.analyses.results.responses_figure import finding as responses
from mnbayes.analyses.results.responses_figure import response_probabilities
from mnbayes.analyses.results.responses_section import course_table, group_table, patient_table
from mnbayes.analyses.results.trajectories import finding as course
from mnbayes.analyses.results.trajectories import trajectories
from mnbayes.answers.reported import ROW_KEYS
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Spanned, Table, plain
from mnbayes.report.kit import wording
from mnbayes.report.kit.parameters import scalars
from mnbayes.report.kit.results import (
    ModelShown,
    models_shown,
    not_measured,
    primary_first,
    response_model,
    shown,
    stated,
)
from mnbayes.report.kit.tables import great
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import a_prior
from mnbayes.run.run import Run, of_models
from mnbayes.run.section import Drawn, Section, Tidy


@dataclass(frozen=True)
class ModelResults:
    """What the report shows of one model's results; empty where it is withheld."""

    changes: tuple[Markup, ...] = ()
    patients: tuple[Markup, ...] = ()
    group: tuple[Markup, ...] = ()
    more_responses: tuple[Table, ...] = ()
    best: Table | None = None
    predicted: tuple[str, ...] = ()


def _patient_tables(result: Result, slug: str) -> tuple[Spanned, ...]:
    """Response of each patient at the primary week, in the categories read first."""
    week = result.primary_week
    first = stated(result)
    return tuple(patient_table(result, category, week, slug) for category in first)


def _of_model(model: ModelShown) -> ModelResults:
    result = model.result
    if result.withheld:
        return ModelResults()
    week, data = result.primary_week, result.fit.observations
    able = result.evaluable
    others = [
        patient_table(result, category, week, model.slug)
        for category in able
        if category not in stated(result)
    ]
    groups = [group_table(result, w, model.slug) for w in primary_first(result)] if able else []
    groups = [table for table in groups if not table.frame.empty]  # nothing of the next patient
    courses = [course_table(result)] if able else []
    return ModelResults(
        changes=tuple(great(change_table(result, m, model.slug)) for m in data.markers),
        patients=tuple(great(table) for table in _patient_tables(result, model.slug)),
        group=tuple(great(table) for table in groups[:1]),
        more_responses=(*map(plain, others), *courses, *map(plain, groups[1:])),
        best=best_table(result),
        predicted=tuple(
            f"{patient} ({why})" for patient, why in not_measured(result, week).items()
        ),
    )


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """Change by visit, the patients' courses and responses, prior against posterior."""
    if result.withheld:
        return ()
    change = Drawn(
        "gmr_by_visit",
        "Ratio to baseline by visit",
        ratio_finding(result),
        partial(gmr_by_visit, result, how.synthetic),
    )
    compared = []
    if scalars(result) and not a_prior(result.fit):
        shown_priors = partial(prior_posterior, result, how.synthetic)
        title = "Prior against posterior"
        compared.append(Drawn("prior_posterior", title, narrowed(result), shown_priors))
    if how.repeated:
        return [change, *compared]
    week = result.primary_week
    courses = [
        Drawn(
            f"trajectories_{marker}",
            f"Course of each patient: {result.catalogue[marker].label}",
            course(result, marker),
            partial(trajectories, result, marker, how.definitions, how.synthetic),
        )
        for marker in result.fit.observations.markers
    ]
    moved = Drawn(
        "arrows",
        f"Each patient from baseline to week {week:g}",
        finding(result, how.definitions, week),
        partial(arrows, result, week, how.definitions, how.synthetic),
    )
    drawn = [change, *courses, moved]
    if not result.probabilities.empty:
        drawn.append(
            Drawn(
                "response_probabilities",
                "Probability of response of each patient",
                responses(result, week),
                partial(response_probabilities, result, week, how.synthetic),
            )
        )
    return [*drawn, *compared]


def section(run: Run) -> Section:
    """The results of a run's models."""
    models = models_shown(run)
    best = response_model(shown(run))
    first = next(iter(shown(run)), None)
    changes = (
        ()
        if first is None
        else tuple(change_table(first, m, "main") for m in first.fit.observations.markers)
    )
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if first else "every model is withheld",
        tables={name: Tidy(of_models(run, name), keys) for name, keys in ROW_KEYS.items()},
        pictures=run.pictures.get(ANALYSIS.name, {}),
        shown=(*changes, *(_patient_tables(best, "main") if best else ())),
        template="results/section.html.j2",
        words={
            "shown": list(zip(models, map(_of_model, models), strict=True)),
            "quantities": wording.QUANTITIES,
        },
    )


ANALYSIS = Analysis(
    name="results",
    title="Results",
    section=section,
    figures=figures,
    draws={
        "gmr_by_visit": "",
        "trajectories": "",
        "arrows": "",
        "response_probabilities": "a category of response that its markers can judge",
        "prior_posterior": "",
    },
)
