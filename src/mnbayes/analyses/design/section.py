"""The decision rule of a run and the prospects of the next trial, in words and tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnbayes.analyses.design import words
from mnbayes.analyses.design.decision import Decision
from mnbayes.analyses.design.figure import design_figures
from mnbayes.analyses.design.next_trial import HANDLING, designs_table, prospects, trials_table
from mnbayes.analyses.design.plan import Plan, plan_run
from mnbayes.analyses.design.rules import Bound
from mnbayes.analyses.design.share import finding
from mnbayes.analyses.design.success import NEW, POOLED
from mnbayes.base.text_table import Table, records
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import FOLLOWS
from mnbayes.run.analysis import Analysis
from mnbayes.run.needs import a_population
from mnbayes.run.run import Run
from mnbayes.run.section import Asked, Drawn, PageOne, Picture, Section, Sentence, Tidy

_TEMPLATE = "design/section.html.j2"
_TITLES = {
    "share": "Counts, model and benchmark",
    "assurance": "How likely a new trial is to end in go",
    "rule_characteristics": "What the rule would say of a new trial, whatever the truth",
}


@dataclass(frozen=True)
class DecisionSection:
    """What the report says of the decision.

    Attributes
    ----------
    title : str
        The card's.
    model : str
        Name of the model that the deciding rule is applied to.
    about : str
        What the deciding rule is about.
    verdict : str
        "go", "consider", "no-go"; empty where there is no decision.
    sentence : str
        The verdict and what it rests on, or why there is none.
    remarks : tuple of str
        What to keep in mind of it.
    criteria : Table or None
        Both criteria of the deciding rule; None where there is no decision.
    rules : Table or None
        All rules of the card that say something.
    notes : tuple of str
        What each rule is about, or why it says nothing.
    reasons : tuple of (str, str, str)
        What the deciding rule asks for, why, and the source.
    prospects : tuple of str
        The next trial in sentences, or why it cannot be judged.
    trials, pooled, designs : Table or None
        Assurance of new trials, the same together with the patients seen so far, and designs
        for scale.
    handling : str
        What a withdrawal counts as in the tables.
    prior : tuple of (str, str, str)
        The analysis prior, why, and the source.
    pictures : tuple of Picture
    """

    title: str
    model: str
    about: str
    verdict: str
    sentence: str
    remarks: tuple[str, ...]
    criteria: Table | None
    rules: Table | None
    notes: tuple[str, ...]
    reasons: tuple[tuple[str, str, str], ...]
    prospects: tuple[str, ...]
    trials: Table | None
    pooled: Table | None
    designs: Table | None
    handling: str
    prior: tuple[str, str, str]
    pictures: tuple[Picture, ...]


def decision_section(plan: Plan, pictures: Sequence[Picture] = ()) -> DecisionSection:
    """What the report shows of the decision rule.

    Parameters
    ----------
    plan : Plan
    pictures : sequence of Picture
        Of :func:`mnbayes.analyses.design.figure.design_figures`.

    Returns
    -------
    DecisionSection
        A rule on withheld numbers has no verdict and no table.
    """
    main, card, trial = plan.main, plan.card, plan.card.next_trial
    rule = card.rule[0]
    beta = trial.analysis_prior
    return DecisionSection(
        title=card.title,
        model=main.model,
        about=words.quantity(main),
        verdict=main.verdict,
        sentence=words.verdict(main),
        remarks=words.doubts(main),
        criteria=_criteria(main) if main.verdict else None,
        rules=_rules(plan),
        notes=tuple(_note(decision) for decision in plan.decisions),
        reasons=tuple(
            (f"{name} ({_bound(bound)})", bound.why, bound.source)
            for name, bound in (
                ("Lower reference", rule.lower_reference),
                ("Target", rule.target),
            )
        ),
        prospects=prospects(plan),
        trials=trials_table(plan, NEW),
        pooled=trials_table(plan, POOLED),
        designs=designs_table(plan),
        handling=HANDLING[trial.handling],
        prior=(f"Beta({beta.a:g}, {beta.b:g})", beta.why, beta.source),
        pictures=tuple(pictures),
    )


def _bound(bound: Bound) -> str:
    stated = bound.value if isinstance(bound.value, str) else f"{bound.value:g}"
    level = bound.confidence if isinstance(bound.confidence, str) else f"{bound.confidence:g}"
    return f"value = {stated}, confidence = {level}"


def _criteria(decision: Decision) -> Table:
    rows = tuple(
        (
            judged.name.capitalize(),
            words.asked(decision, judged),
            wording.probability(judged.probability, judged.error),
            wording.points(judged.error),
            wording.probability(judged.prior, judged.prior_error),
            "yes" if judged.met else "no",
        )
        for judged in decision.judged
    )
    head = ("Criterion", "Asked for", "Given the data", "MCSE, points", "Prior alone", "Holds?")
    caption = f"The two criteria: {words.quantity(decision)} (model {decision.model})"
    return Table(caption, head, rows, frozenset({0, 1, 5}))


def _rules(plan: Plan) -> Table | None:
    rows = []
    for decision in plan.decisions:
        if not decision.verdict:
            continue
        found = [
            f"{words.event(decision, judged)}: "
            f"{wording.probability(judged.probability, judged.error)} "
            f"(asked {wording.stated(judged.required)}; prior alone "
            f"{wording.probability(judged.prior, judged.prior_error)})"
            for judged in decision.judged
        ]
        rows.append((decision.rule, decision.verdict, *found, decision.prior_verdict))
    head = ("Rule", "Says", "Significance", "Relevance", "Prior alone says")
    if not rows:
        return None
    caption = "Every rule of the card; the first decides"
    return Table(caption, head, tuple(rows), frozenset(range(5)), wide=True)


def _note(decision: Decision) -> str:
    if not decision.verdict:
        said = words.verdict(decision)
        return f"{decision.rule}: {wording.small(said)}"
    return (
        f"{decision.rule}: {words.quantity(decision)} (model {decision.model}), 95 % interval "
        f"{words.interval(decision, decision.interval)}."
    )


def _findings(plan: Plan) -> dict[str, str]:
    """What the pictures of the next trial show, in words."""
    if plan.assurance.empty:
        return {}
    table, trial = plan.assurance, plan.card.next_trial
    new = table[(table["analysis"] == NEW) & (table["handling"] == trial.handling)]
    new = new[(new["withdrawal"] == new["withdrawal"].min())]
    new = new[new["confidence"] == trial.confidence[0]].sort_values("patients")
    few, many = records(new)[0], records(new)[-1]
    percent = wording.percent
    asked = f"{wording.stated(few['withdrawal'])} withdraw, {wording.stated(few['confidence'])} "
    asked += "confidence asked"
    return {
        "assurance": (
            f"A new trial ends in go with probability {percent(few['go'])} with {few['patients']} "
            f"patients and {percent(many['go'])} with {many['patients']} ({asked}), under the "
            f"prior alone {percent(few['go_prior'])} and {percent(many['go_prior'])}"
        ),
        "rule_characteristics": (
            f"A new trial of {many['patients']} patients says go with probability "
            f"{percent(many['go_at_reference'])} where the true share is the lower reference and "
            f"{percent(many['go_at_target'])} where it is the target; with {few['patients']} "
            f"patients {percent(few['go_at_reference'])} and {percent(few['go_at_target'])}"
        ),
    }


def find(run: Run) -> tuple[Plan | None, Sequence[Drawn]]:
    """What the decision rule makes of a run, and the figures of that."""
    plan = plan_run(run)
    if plan is None:
        return None, ()
    of = plan.planned.model if plan.planned else ""
    said = {"share": finding(plan.shares), **_findings(plan)}
    drawn = [
        Drawn(name, _TITLES[name], f"{said[name]}. Model: {of}", figure, of_model=False)
        for name, figure in design_figures(plan).items()
    ]
    return plan, drawn


def section(run: Run) -> Section:
    """What the decision rule says of a run, and of the next trial."""
    plan: Plan | None = run.found.get(ANALYSIS.name) or plan_run(run)
    if plan is None:
        return Section(
            name=ANALYSIS.name,
            title=ANALYSIS.title,
            absent="the run has no model",
            template=_TEMPLATE,
            words={"decision": None},
        )
    return section_of(plan, run.pictures.get(ANALYSIS.name, {}))


def section_of(plan: Plan, pictures: Mapping[str, tuple[Picture, ...]] | None = None) -> Section:
    """What the decision rule says of a run or of counts, and of the next trial.

    Parameters
    ----------
    plan : Plan
    pictures : mapping, optional
        As those of a section.
    """
    drawn = pictures or {}
    said = decision_section(plan, drawn.get(ANALYSIS.name, ()))
    shown = (said.rules, said.trials, said.designs)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        record={"verdict": plan.main.verdict},
        tables={name: Tidy(table) for name, table in plan.tables.items()},
        pictures=drawn,
        sentences=(
            f"{said.title} ({plan.source}).",
            said.sentence,
            *said.remarks,
            *said.notes,
            *said.prospects,
        ),
        shown=tuple(table for table in shown if table is not None),
        page_one=PageOne(FOLLOWS, "", _page_one(plan), said.pictures[:1]),
        template=_TEMPLATE,
        annex="design/annex.html.j2",
        words={"decision": said},
    )


def _page_one(plan: Plan) -> tuple[str | Sentence, ...]:
    """The verdict of the first rule, what it rests on, and what the others say."""
    main, rule = plan.main, plan.card.rule[0]
    if not main.verdict:
        return (words.verdict(main),)
    first = main.judged[0]
    chance = Asked(
        wording.probability(first.probability, first.error),
        f"is the probability of {words.event(main, first)}, of the {words.quantity(main)}, given "
        "the data.",
        "decision",
        {"rule": main.rule, "criterion": first.name},
        "probability",
        wording.probability(first.prior, first.prior_error),
        f"{wording.points(first.error)} points",
    )
    name = wording.capital(rule.name)
    about = words.quantity(main).partition(" at week")[0]
    beyond = "exceeds" if main.above else "is below"
    said: list[str | Asked] = [chance]
    row = {"rule": main.rule, "criterion": first.name}
    line, least = (
        Asked(text, meaning, "decision", row, column)
        for text, meaning, column in (
            (words.value(main, first.threshold), "is the rule's lower reference.", "threshold"),
            (wording.stated(first.required), "is the probability that the rule asks.", "required"),
        )
    )
    said += [f" sure that the {about} {beyond} ", line, ", ", least, " asked; the prior alone "]
    said.append(f"would have said {main.prior_verdict}.")
    others = [d for d in plan.decisions[1:] if d.verdict]
    alike: dict[str, list[str]] = {}
    for decision in others:
        alike.setdefault(decision.verdict, []).append(decision.rule)
    if others:
        parts = [f"on {wording.listed(names)}: {verdict}" for verdict, names in alike.items()]
        said.append(f" Secondary rules {'; '.join(parts)}.")
    bar = next((b for b in plan.definitions.benchmark if b.category == main.category), None)
    rests = (f"The {wording.stated(first.threshold)}: {_first(bar.why)}.",) if bar else ()
    return (f"{name}: {main.verdict}.", Sentence(tuple(said)), *rests)


def _first(text: str) -> str:
    """The first clause of a reason, in lower case: what a line rests on, in a few words."""
    clause = re.split(r"[,;:]|\. ", " ".join(text.split()), maxsplit=1)[0].rstrip(".")
    return wording.small(clause)


ANALYSIS = Analysis(
    name="decision",
    title="The rule and the next trial",
    section=section,
    part="decision",
    after_fits=find,
    needs=a_population,
)
