"""What is estimated, the model, and how it was computed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mnbayes.analyses.method import tables
from mnbayes.analyses.method.ranks import ranks
from mnbayes.answers.result import Result
from mnbayes.models.longitudinal import formulas
from mnbayes.report.kit import wording
from mnbayes.report.kit.parameters import scalars
from mnbayes.report.kit.results import joined
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Section, Tidy


def _estimand(run: Run) -> Section:
    return Section(
        name=ESTIMAND.name,
        title=ESTIMAND.title,
        template="method/estimand.html.j2",
        words=_definitions(run),
    )


def _definitions(run: Run) -> dict[str, object]:
    """What each category requires, what the models left out of it, and why each threshold."""
    definitions, known = run.definitions, run.catalogue
    notes = {
        f"{result.name}, {definitions.label(category)}": "; ".join(said)
        for result in run.results
        for category, said in result.notes.items()
    }
    reasons = {
        f"{rule.name}: {wording.criterion(part, known)}": part
        for rule in definitions.category
        for part in rule.parts
        if part.category is None
    }
    sentences = wording.definition_sentences(definitions, known)
    return {"definitions": sentences, "notes": notes, "reasons": reasons}


def _model(run: Run) -> Section:
    return Section(
        name=MODEL.name,
        title=MODEL.title,
        template="method/model.html.j2",
        words={"methods": tables, "formulas": formulas},
    )


def _figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """Rank plots: also of a withheld model, whose reason they help to see."""
    if not scalars(result):
        return ()
    return [
        Drawn(
            "ranks",
            "Ranks of the draws by chain",
            f"Ranks of the draws of {len(scalars(result))} parameters by chain: largest R-hat "
            f"{result.fit.diagnostics.worst_rhat:.3f}, smallest effective sample size "
            f"{result.fit.diagnostics.worst_ess_bulk:.0f}",
            partial(ranks, result, how.synthetic),
        )
    ]


def _computation(run: Run) -> Section:
    convergence = [
        result.fit.parameters.assign(model=result.name)[["model", *result.fit.parameters.columns]]
        for result in run.results
    ]
    return Section(
        name=COMPUTATION.name,
        title=COMPUTATION.title,
        tables={"diagnostics": Tidy(joined(convergence))},
        pictures=run.pictures.get(COMPUTATION.name, {}),
        shown=(tables.computation_table(run),),
        template="method/computation.html.j2",
        words={"methods": tables},
    )


ESTIMAND = Analysis(name="estimand", title="What is estimated", section=_estimand)
MODEL = Analysis(
    name="model",
    title="Model",
    section=_model,
    place="annex",
)
COMPUTATION = Analysis(
    name="computation",
    title="Computation",
    section=_computation,
    figures=_figures,
    draws={
        "ranks": "",
    },
    place="annex",
)
