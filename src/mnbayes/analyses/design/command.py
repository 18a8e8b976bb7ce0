"""``mnbayes design``: the rule applied to a finished run or to counts, and the next trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mnbayes.analyses.design.beta_binomial import Beta
from mnbayes.analyses.design.evidence import stored_evidence
from mnbayes.analyses.design.figure import design_figures
from mnbayes.analyses.design.plan import Plan, plan_counts, plan_evidence
from mnbayes.analyses.design.rules import (
    MOST_PATIENTS,
    DecisionCard,
    card_problems,
    criteria_of,
    load_rules,
    rules_for,
)
from mnbayes.base.csv_files import csv_table
from mnbayes.base.labelled import marked
from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.base.versions import versions
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.report.kit.figures import svg_bytes
from mnbayes.run.history import newest_run
from mnbayes.run.keeping import Placed, Target, claim, whole_folder
from mnbayes.run.record import read_manifest
from mnbayes.run.stored_run import recorded_definitions
from mnbayes.run.written_files import write_record

#: By this file a folder that this command wrote is known.
MANIFEST = "design.json"
#: Where a number of the card may come from on the command line.
_OPTIONS = {
    ("next_trial", "patients"): "--n",
    ("next_trial", "withdrawal"): "--withdrawal",
    ("next_trial", "confidence"): "--confidence",
    ("next_trial", "handling"): "--handling",
    ("week",): "--week",
}


def chosen_rules(
    rule: Path | None = None,
    category: str | None = None,
    week: float | None = None,
    patients: Sequence[int] = (),
    withdrawal: Sequence[float] = (),
    confidence: Sequence[float] = (),
    handling: str | None = None,
    own: DecisionCard | None = None,
) -> DecisionCard:
    """A decision card with what the command line changes.

    Parameters
    ----------
    rule : Path, optional
        Card; default: the one that mnbayes brings.
    category : str, optional
        Puts the rule on the share in this category first.
    week : float, optional
        Of every rule.
    patients, withdrawal, confidence : sequence
        Replace the card's lists, unless empty.
    handling : str, optional
    own : DecisionCard, optional
        What a run itself was judged by, where no `rule` is given.

    Raises
    ------
    InputError
        With every problem.
    """
    card = own if rule is None and own is not None else load_rules(rule)
    data: dict[str, Any] = card.model_dump()
    rules = list(data["rule"])
    problems = []
    if category is not None:
        first = [r for r in rules if r["quantity"] == "share" and r["category"] == category]
        rules = [*first, *(r for r in rules if r not in first)]
        if not first:
            known = [r["category"] for r in rules if r["quantity"] == "share"]
            expected = f"a category with a rule in the card ({', '.join(known) or 'none'})"
            problems.append(Problem("--category", None, None, repr(category), expected))
    if week is not None:
        rules = [r | {"week": float(week)} for r in rules]
    data["rule"] = tuple(rules)
    changed: dict[str, Any] = {
        "patients": tuple(patients),
        "withdrawal": tuple(float(value) for value in withdrawal),
        "confidence": tuple(float(value) for value in confidence),
        "handling": handling,
    }
    data["next_trial"] |= {key: value for key, value in changed.items() if value}
    try:
        found = DecisionCard.model_validate(data)
    except ValidationError as error:
        for problem in card_problems(error, "card"):
            parts = tuple(p for p in (problem.column or "").split(".") if not p.isdigit())
            option = _OPTIONS.get(parts[:2]) or _OPTIONS.get(parts[1:2]) or "--rule"
            problems.append(Problem(option, None, None, problem.found, problem.expected))
    if problems:
        raise InputError(dict.fromkeys(problems))
    return found


def run_design(
    run: Path | None = None,
    *,
    model: Sequence[str] = (),
    responders: int | None = None,
    of: int | None = None,
    prior: tuple[float, float] | None = None,
    definitions: Path | str | None = None,
    rule: Path | None = None,
    category: str | None = None,
    week: float | None = None,
    patients: Sequence[int] = (),
    withdrawal: Sequence[float] = (),
    confidence: Sequence[float] = (),
    handling: str | None = None,
    out: Path | None = None,
    force: bool = False,
) -> Plan:
    """Apply a decision card to a finished run or to counts; no model is fitted.

    Parameters
    ----------
    run : Path, optional
        Folder of a finished run; default: the newest under ``results/``.
    model : sequence of str
        Models of the run; empty: every one with the main marker of the definitions.
    responders, of : int, optional
        Counts instead of a run: so many responders of so many patients.
    prior : tuple of float, optional
        Design prior before the counts, a beta's two shapes; default: the card's analysis prior.
    definitions : Path or str, optional
        Of response, for the benchmarks of counts; a run has its own.
    rule, category, week, patients, withdrawal, confidence, handling
        See :func:`chosen_rules`.
    out : Path, optional
        Folder for tables and pictures, written whole or not at all.
    force : bool
        Whether an earlier design in that folder may be moved aside.

    Returns
    -------
    Plan
        Its deciding rule may say nothing (withheld numbers), which is exit status 1.

    Raises
    ------
    InputError
        Nothing is written then.
    """
    target = None if out is None else claim(out, MANIFEST, force=force)
    counted = responders is not None or of is not None
    with gathered() as attempt:
        attempt(_check_counts, run, model, responders, of, prior, definitions)
        if counted:
            judged = attempt(load_definitions, definitions)
        else:
            folder = run if run is not None else attempt(newest_run)
            judged = None if folder is None else attempt(_recorded, folder)
        own_rules = None if judged is None else rules_for(judged)
        changed = (category, week, patients, withdrawal, confidence, handling)
        card = attempt(chosen_rules, rule, *changed, own_rules)
    if counted:
        own = card.next_trial.analysis_prior
        beta = Beta(*(prior if prior is not None else (own.a, own.b)))
        made = plan_counts(int(responders or 0), int(of or 0), beta, judged, card)
        if made is None:
            expected = "a rule on a share: a ratio has no counts"
            raise InputError([Problem("--rule", None, None, "rules on ratios alone", expected)])
        plan = made
    else:
        stored = stored_evidence(folder, model)
        if rule is not None:  # a card of the user's own has to fit the run's definitions
            with gathered() as attempt:
                for own_rule in card.rule:
                    attempt(criteria_of, own_rule, stored.definitions, rule.name)
        plan = plan_evidence(
            stored.models,
            stored.definitions,
            card,
            f"run {folder.resolve().name}",
            stored.synthetic,
        )
    if target is None:
        return plan
    placed = write_design(plan, target)
    return replace(plan, folder=placed.folder, said=placed.said)


def _recorded(folder: Path) -> Definitions:
    return recorded_definitions(read_manifest(folder))


def _check_counts(
    run: Path | None,
    model: Sequence[str],
    responders: int | None,
    of: int | None,
    prior: tuple[float, float] | None,
    definitions: Path | str | None,
) -> None:
    problems = []

    def problem(option: str, found: object, expected: str) -> None:
        problems.append(Problem(option, None, None, str(found), expected))

    if responders is None and of is None:
        if prior is not None:
            problem("--prior", f"{prior[0]:g} {prior[1]:g}", "counts: a run has its own prior")
        if definitions is not None:
            problem("--definitions", definitions, "counts: a run has its own definitions")
    else:
        if run is not None:
            problem("--run", run, "either a run or counts")
        if model:
            problem("--model", ", ".join(model), "no model: counts have none")
        if responders is None or of is None:
            option = "--responders" if responders is None else "--of"
            problem(option, "nothing", "both --responders and --of")
        elif not 1 <= of <= MOST_PATIENTS:
            problem("--of", of, f"a whole number from 1 to {MOST_PATIENTS}")
        elif not 0 <= responders <= of:
            problem("--responders", responders, f"a whole number from 0 to {of}")
        if prior is not None and not all(0 < shape <= MOST_PATIENTS for shape in prior):
            shapes = f"two numbers above 0 and at most {MOST_PATIENTS}"
            problem("--prior", f"{prior[0]:g} {prior[1]:g}", shapes)
    if problems:
        raise InputError(problems)


def write_design(plan: Plan, target: Target) -> Placed:
    """Write a plan's tables and pictures, and ``design.json`` with what they were made of.

    All of them, or none.
    """
    described = {
        "source": plan.source,
        "synthetic": plan.synthetic,
        "verdict": plan.main.verdict,
        "converged": bool(plan.main.verdict),  # else its numbers are withheld
        "decisions": {d.rule: d.verdict or list(d.reasons) for d in plan.decisions},
        "card": plan.card.model_dump(mode="json"),
        "definitions": plan.definitions.recorded(),
        "seen": None if plan.seen is None else asdict(plan.seen),
        "versions": versions(),
    }
    with whole_folder(target, converged=bool(plan.main.verdict)) as made:
        for name, table in plan.tables.items():
            content = csv_table(marked(table, plan.synthetic))
            (made.path / f"{name}.csv").write_bytes(content)
        for name, figure in design_figures(plan).items():
            (made.path / f"{name}.svg").write_bytes(svg_bytes(figure))
        write_record(made.path, MANIFEST, described)
    return made.placed
