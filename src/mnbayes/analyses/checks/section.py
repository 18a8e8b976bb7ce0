"""Does the model fit the measurements: what was left out, and what patients' courses show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mnbayes.analyses.checks import findings, words
from mnbayes.analyses.checks import part as checks_part
from mnbayes.analyses.checks.figure import left_out, patient_checks, pit
from mnbayes.answers.result import Result
from mnbayes.report.kit.results import OVERTURNS, joined, primary_model, shown
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import repeats
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, PageOne, Section, Tidy


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """Measurements and patients' courses against what the model predicts of them."""
    found = checks_part.of(result)
    if found is None or how.repeated:
        return ()
    drawn = []
    labels = {name: result.catalogue[name].label for name in result.fit.observations.markers}
    if found.left_out is not None:
        drawn += [
            Drawn(
                f"left_out_{marker}",
                f"Each measurement against what the others predict: {label}",
                findings.covered(result, marker),
                partial(left_out, result, marker, how.synthetic),
            )
            for marker, label in labels.items()
        ]
        drawn.append(
            Drawn(
                "pit",
                "Where measurements lie in what the others predict",
                findings.uniform(result),
                partial(pit, result, how.synthetic),
            )
        )
    if not found.courses.empty:
        drawn.append(
            Drawn(
                "patient_checks",
                "Patients' courses against replicated patients",
                findings.courses(result),
                partial(patient_checks, result, how.synthetic),
            )
        )
    return drawn


def _page_one(run: Run) -> PageOne | None:
    able = [result for result in shown(run) if checks_part.of(result) is not None]
    model = primary_model(able)
    if model is None:
        return None
    found = checks_part.of(model)
    said = () if found is None else words.findings(model, found)
    return PageOne(OVERTURNS, "Model checks", said) if said else None


def section(run: Run) -> Section:
    """The checks of a run's models."""
    found = {
        result.name: checks
        for result in shown(run)
        if (checks := checks_part.of(result)) is not None
    }
    able = {result.name: result for result in run.results if result.name in found}
    said = {name: words.sentences(able[name], checks) for name, checks in found.items()}
    model = primary_model([result for result in shown(run) if result.name in found])
    first = said[model.name] if model else ((), ())
    courses = found[model.name].courses if model else None
    table = (
        None
        if model is None or courses is None or courses.empty
        else words.course_table(found[model.name], model.catalogue)
    )
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if found else "every model is withheld",
        tables={
            "left_out": Tidy(
                joined(c.left_out.table for c in found.values() if c.left_out is not None)
            ),
            "predictive_checks": Tidy(joined(checks.courses for checks in found.values())),
        },
        pictures=run.pictures.get(ANALYSIS.name, {}),
        page_one=_page_one(run),
        sentences=(*first[0], *first[1]),
        shown=() if table is None else (table,),
        template="checks/section.html.j2",
        annex="checks/annex.html.j2" if found else "",
        words={
            "name": model.name if model else "",
            "first": first,
            "others": {n: s for n, s in said.items() if model is None or n != model.name},
            "table": table,
        },
    )


ANALYSIS = Analysis(
    name="checks",
    title="Measurements and courses",
    section=section,
    part="checks",
    of_model=checks_part.find,
    figures=figures,
    draws={
        "left_out": "a card",
        "pit": "a card",
        "patient_checks": "",
    },
    needs=repeats,
)
