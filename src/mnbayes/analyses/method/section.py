"""What is estimated, the model, and how it was computed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mnbayes.analyses.method import tables
from mnbayes.analyses.method.ranks import ranks
from mnbayes.answers.result import Result
from mnbayes.inference.diagnostics import MAX_RHAT, MIN_ESS
from mnbayes.models.longitudinal import formulas
from mnbayes.report.kit import wording
from mnbayes.report.kit.parameters import scalars
from mnbayes.report.kit.results import joined, primary_model, shown, stated
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Section, Tidy


def _estimand(run: Run) -> Section:
    asked = _asked(run)
    return Section(
        name=ESTIMAND.name,
        title=ESTIMAND.title,
        template="method/estimand.html.j2",
        annex="method/thresholds.html.j2",
        words=_definitions(run) | {"asked": asked, "formulas": formulas},
        record={"primary_model": asked["model"]} if asked else {},
    )


def _asked(run: Run) -> dict[str, object]:
    """The primary analysis: one week, one marker, one model, one response."""
    result = primary_model(shown(run))
    if result is None:
        return {}
    marker = run.catalogue.get(run.cohort.primary_marker)
    first = stated(result)[:1]
    data, sizes = result.fit.observations, result.fit.tree["posterior"].sizes
    return {
        "week": wording.week_name(result.primary_week),
        "weeks": wording.listed([f"{week:g}" for week in data.weeks[1:]]),
        "marker": "" if marker is None else wording.in_text(marker),
        "response": run.definitions.called(first[0]) if first else "",
        "card": result.fit.card,
        "title": result.fit.title,
        "model": result.name,
        "others": [r.name for r in run.results if r is not result],
        "engine": result.fit.engine,
        "draws": f"{sizes['chain'] * sizes['draw']:,}",
    }


def _definitions(run: Run) -> dict[str, object]:
    """What each category requires, what the models left out of it, and why each threshold."""
    definitions, known = run.definitions, run.catalogue
    notes = {
        f"{result.name}, {definitions.label(category)}": "; ".join(said)
        for result in run.results
        for category, said in result.notes.items()
    }
    reasons = {
        f"{definitions.label(rule.name)}: {wording.criterion(part, known)}": part
        for rule in definitions.category
        for part in rule.parts
        if part.category is None
    }
    sentences = {
        definitions.label(category): sentence
        for category, sentence in wording.definition_sentences(definitions, known).items()
    }
    return {"definitions": sentences, "notes": notes, "reasons": reasons}


def _model(run: Run) -> Section:
    return Section(
        name=MODEL.name,
        title=MODEL.title,
        template="method/model.html.j2",
        words={"formulas": tables.formulas_of(run), "markers": tables.marker_table(run)},
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


def _convergence(run: Run) -> tuple[str, ...]:
    """The worst of every check of the gate over the run's fits, and what failed."""
    checks = [result.fit.diagnostics for result in run.results]
    failed = [r.name for r in run.results if r.fit.diagnostics.reasons]
    if failed:
        return (f"Not converged: {wording.listed(failed)}; the annex has each reason.",)
    rhats = [c.worst_rhat for c in checks if c.worst_rhat == c.worst_rhat]
    ess = min(min(c.worst_ess_bulk, c.worst_ess_tail) for c in checks)
    rhat = f"R-hat at most {max(rhats):.3f} (limit {MAX_RHAT:g}), " if rhats else ""
    return (
        f"All {len(checks)} fits converged: {rhat}effective draws at least {ess:,.0f} (limit "
        f"{MIN_ESS}), {sum(c.divergences for c in checks)} divergences.",
    )


def _computation(run: Run) -> Section:
    convergence = [
        result.fit.parameters.assign(model=result.name)[["model", *result.fit.parameters.columns]]
        for result in run.results
    ]
    table = tables.computation_table(run)
    return Section(
        name=COMPUTATION.name,
        title=COMPUTATION.title,
        tables={"diagnostics": Tidy(joined(convergence))},
        pictures=run.pictures.get(COMPUTATION.name, {}),
        shown=(table,),
        sentences=_convergence(run),
        template="method/convergence.html.j2",
        annex="method/computation.html.j2",
        words={
            "computation": table,
            "settings": tables.settings_sentence(run),
            "software": tables.software_table(run),
        },
    )


ESTIMAND = Analysis(name="estimand", title="What is estimated", section=_estimand, part="method")
MODEL = Analysis(
    name="model",
    title="Model",
    section=_model,
    place="annex",
)
COMPUTATION = Analysis(
    name="computation",
    title="Convergence",
    section=_computation,
    figures=_figures,
    draws={
        "ranks": "",
    },
    part="checks",
)
