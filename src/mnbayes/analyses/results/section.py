"""Change by visit, response of each patient, of the next one and of all such patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mnbayes.analyses.results import brief
from mnbayes.analyses.results.arrows import arrows, finding
from mnbayes.analyses.results.changes_figure import finding as ratio_finding
from mnbayes.analyses.results.changes_figure import gmr_by_visit
from mnbayes.analyses.results.changes_section import best_table
from mnbayes.analyses.results.page_one import page_one
from mnbayes.analyses.results.parameters import finding as narrowed
from mnbayes.analyses.results.parameters import prior_posterior
from mnbayes.analyses.results.responses_figure import finding as responses
from mnbayes.analyses.results.responses_figure import response_probabilities
from mnbayes.analyses.results.responses_section import course_table
from mnbayes.analyses.results.trajectories import finding as course
from mnbayes.analyses.results.trajectories import trajectories
from mnbayes.answers.reported import ROW_KEYS
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table
from mnbayes.report.kit import wording
from mnbayes.report.kit.parameters import scalars
from mnbayes.report.kit.results import not_measured, primary_model, shown
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import a_prior
from mnbayes.run.run import Run, of_models
from mnbayes.run.section import Drawn, Section, Tidy

#: Picture of the primary model on page 1.
PAGE_ONE = "arrows"


@dataclass(frozen=True)
class PrimaryResults:
    """What the main report and the annex show of the primary model.

    Attributes
    ----------
    name : str
    changes, patients, group : Table
        ``patients`` and ``group`` are None where no category can be judged.
    secondary, best, courses : Table or None
    sentences : tuple of str
    pictures : tuple of str
        Names of those in the main report.
    """

    name: str
    changes: Table
    patients: Table | None
    group: Table | None
    secondary: Table | None
    best: Table | None
    courses: Table | None
    sentences: tuple[str, ...]
    pictures: tuple[str, ...]


def primary_results(run: Run) -> PrimaryResults | None:
    """What is shown of the primary model; None where every model is withheld."""
    results = shown(run)
    result = primary_model(results)
    if result is None:
        return None
    judged = bool(result.evaluable)
    data = result.fit.observations
    subsets = [found.subsets for r in results if (found := r.parts.get("subsets")) is not None]
    apart = {m for table in subsets if not table.empty for m in table["marker"]}
    main = result.judged.main if judged else data.markers[0]
    predicted = not_measured(result, result.primary_week)
    unseen = [f"{patient} ({why})" for patient, why in predicted.items()]
    return PrimaryResults(
        name=result.name,
        changes=brief.changes_by_visit(result),
        patients=brief.patients_brief(result) if judged else None,
        group=brief.beyond(result) if judged else None,
        secondary=brief.secondary_markers(results, result, apart),
        best=best_table(result),
        courses=course_table(result) if judged else None,
        sentences=(
            *(brief.beyond_the_model(result) if judged else ()),
            *([f"Predicted, since not measured: {wording.listed(unseen)}."] if unseen else []),
        ),
        pictures=("gmr_by_visit", f"trajectories_{main}"),
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
    found = primary_results(run)
    others = [
        brief.changes_by_visit(result, (result.primary_week,))
        for result in shown(run)
        if found is None or result.name != found.name
    ]
    model = primary_model(shown(run))
    drawn = run.pictures.get(ANALYSIS.name, {}).get(model.name if model else "", ())
    first = [picture for picture in drawn if picture.name == PAGE_ONE]
    tables = () if found is None else (found.changes, found.patients, found.group, found.secondary)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if found else "every model is withheld",
        tables={name: Tidy(of_models(run, name), keys) for name, keys in ROW_KEYS.items()},
        pictures=run.pictures.get(ANALYSIS.name, {}),
        page_one=page_one(model, first) if model else None,
        sentences=tuple(filter(None, found.sentences)) if found else (),
        shown=tuple(table for table in tables if table is not None),
        template="results/section.html.j2",
        annex="results/annex.html.j2" if found else "",
        words={"found": found, "others": others, "page_one": PAGE_ONE},
    )


ANALYSIS = Analysis(
    name="results",
    title="Change and response",
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
