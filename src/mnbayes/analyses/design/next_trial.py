"""What a new trial may expect by the decision rule, in sentences and tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnbayes.analyses.design.plan import Plan
from mnbayes.analyses.design.simon import MOST
from mnbayes.analyses.design.success import POOLED, main_rows
from mnbayes.base.text_table import Table, records
from mnbayes.report.kit import wording

HANDLING = {
    "composite": "a withdrawal counts as no response",
    "evaluable": "a withdrawn patient leaves the denominator",
}


def typical(plan: Plan) -> dict[str, Any] | None:
    """The row of the assurance table that the sentences are about: the middle of its lists."""
    if plan.assurance.empty:
        return None
    trial = plan.card.next_trial
    rows = main_rows(plan.assurance, trial)
    patients = sorted(trial.patients)[len(trial.patients) // 2]
    withdrawal = sorted(trial.withdrawal)[len(trial.withdrawal) // 2]
    return records(rows[(rows["patients"] == patients) & (rows["withdrawal"] == withdrawal)])[0]


def prospects(plan: Plan) -> tuple[str, ...]:
    """What a new trial may expect, in sentences, or why that cannot be said."""
    row = typical(plan)
    if row is None or plan.planned is None or plan.criteria is None:
        return ("Without a decision on a share there is no next trial to work out.",)
    trial, criteria = plan.card.next_trial, plan.criteria
    asked = wording.stated(trial.confidence[0])
    go = wording.probability(row["go"], row["go_mcse"])
    before = wording.probability(row["go_prior"], row["go_prior_mcse"])
    limit = wording.probability(row["limit"], row["limit_mcse"])
    reference, target = (
        wording.stated(criteria.reference),
        wording.stated(criteria.target),
    )
    left = wording.stated(row["withdrawal"])
    needed = (
        "not even a response of all of them would do"
        if np.isnan(row["needed"])
        else f"{row['needed']:.0f} responders are needed"
    )
    taken_off = ", withdrawals taken off," if trial.handling == "composite" else ""
    found = [
        f"A new single-arm trial of {row['patients']} patients, judged by the same two values with "
        f"{asked} confidence for significance, ends in go with a probability of {go} ({before} "
        f"under the prior alone), if each patient withdraws with probability {left} and "
        f"{HANDLING[trial.handling]}; {needed}.",
        f"If the share among those who stay were exactly the lower reference ({reference}), it "
        f"would end in go with probability {wording.percent(row['go_at_reference'])}; if it were "
        f"the target ({target}), with {wording.percent(row['go_at_target'])}.",
        f"More patients do not make up for what is not known now: with ever more of them the "
        f"probability of go tends to {limit}, that of the share{taken_off} reaching the target.",
        "New patients are taken to be like these, treated and selected alike. Without a control "
        "group a go proves nothing about the treatment: regression to the mean and selection move "
        "a single arm’s share too.",
    ]
    if plan.designs.empty:
        found.append(
            f"No two-stage design of at most {MOST} patients tells these two values apart."
        )
    return tuple(found)


def trials_table(plan: Plan, analysis: str) -> Table | None:
    """Chances of new trials, by one of the two analyses; None where there are none."""
    if plan.assurance.empty or plan.criteria is None:
        return None
    trial, criteria = plan.card.next_trial, plan.criteria
    rows = records(main_rows(plan.assurance, trial, analysis))
    if not rows:
        return None
    body = tuple(
        (
            wording.stated(row["withdrawal"]),
            f"{row['patients']}",
            wording.BLANK if np.isnan(row["needed"]) else f"{row['needed']:.0f}",
            wording.probability(row["go"], row["go_mcse"]),
            wording.points(row["go_mcse"]),
            wording.probability(row["go_prior"], row["go_prior_mcse"]),
            wording.probability(row["consider"], row["consider_mcse"]),
            wording.probability(row["no_go"], row["no_go_mcse"]),
            wording.percent(row["go_at_reference"]),
            wording.percent(row["go_at_target"]),
        )
        for row in rows
    )
    seen = ""
    if analysis == POOLED and plan.seen is not None:
        of = plan.seen.enrolled if trial.handling == "composite" else plan.seen.evaluable
        seen = f", analysed together with this trial's {plan.seen.responders} of {of}"
    caption = (
        f"A new single-arm trial{seen}: {wording.stated(trial.confidence[0])} confidence asked "
        f"for significance; {HANDLING[trial.handling]}"
    )
    head = (
        *("Withdraw", "New patients", "Responders needed", "P(go)", "MCSE, points"),
        *("Prior alone: P(go)", "P(consider)", "P(no-go)"),
        f"P(go) if the share is {wording.stated(criteria.reference)}",
        f"P(go) if the share is {wording.stated(criteria.target)}",
    )
    return Table(caption, head, body)


def designs_table(plan: Plan) -> Table | None:
    """Designs that stand beside the rule for scale; None where there are none."""
    if plan.designs.empty or plan.criteria is None:
        return None
    reference, target = (
        wording.stated(plan.criteria.reference),
        wording.stated(plan.criteria.target),
    )
    rows = []
    for row in records(plan.designs):
        stages = not np.isnan(row["stage_one"])
        stop = f"≤ {row['stop_at']:.0f} of {row['stage_one']:.0f}" if stages else wording.BLANK
        rows.append(
            (
                row["design"],
                stop,
                f"{row['needed']} of {row['patients']}",
                f"{row['expected_at_reference']:.1f}",
                wording.percent(row["go_at_reference"], 1),
                wording.percent(row["go_at_target"], 1),
                wording.probability(row["go"], row["go_mcse"]),
                wording.points(row["go_mcse"]),
                wording.probability(row["go_prior"], row["go_prior_mcse"]),
            )
        )
    head = (
        *("Design", "Stop early with", "Responders needed"),
        f"Patients expected if the share is {reference}",
        f"P(go) if it is {reference}",
        f"P(go) if it is {target}",
        *("Given the data: P(go)", "MCSE, points", "Prior alone: P(go)"),
    )
    asked = plan.card.two_stage
    caption = (
        f"For scale: designs between {reference} and {target} with at most "
        f"{wording.stated(asked.false_go)} false go and {wording.stated(asked.false_no_go)} false "
        "no-go; nobody withdraws"
    )
    return Table(caption, head, tuple(rows))
