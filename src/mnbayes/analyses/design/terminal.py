"""What ``mnbayes design`` shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mnbayes.analyses.design import words
from mnbayes.analyses.design.decision import Decision
from mnbayes.analyses.design.plan import Plan
from mnbayes.analyses.design.simon import MOST
from mnbayes.analyses.design.success import NEW, POOLED, main_rows
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.text_table import records
from mnbayes.report.kit.console import say

_HANDLING = {
    "composite": "a withdrawal counts as no response",
    "evaluable": "a withdrawn patient leaves the denominator",
}
#: Names of designs without words that a narrow column would cut.
_SHORT = {
    "Simon two-stage, optimal": "Simon, optimal",
    "Simon two-stage, minimax": "Simon, minimax",
    "exact test, one stage": "exact, one stage",
    "dual criterion, as many patients": "dual, as many",
}


def show_design(plan: Plan) -> None:
    """Print what each rule says, designs for scale, and last what a new trial may expect."""
    console = Console(soft_wrap=False)
    if plan.synthetic:
        console.print("[bold]SYNTHETIC cohort: no real patient.[/bold]")
    say(console, f"{plan.card.title} ({plan.source}).")
    for decision in plan.decisions:
        _show_decision(console, decision)
    if plan.criteria is None:
        say(console, "Without a decision on a share there is no next trial to work out.")
        return
    if plan.designs.empty:
        say(
            console, f"No two-stage design of at most {MOST} patients tells these two values apart."
        )
    else:
        console.print(_designs(plan))
    console.print(_trials(plan))
    say(
        console,
        "P(go) is averaged over what is known of the share (assurance); beside it the same under "
        "the prior alone. Together with the patients seen so far: predictive probability of "
        "success. A change under treatment: there was no control group.",
    )


def _show_decision(console: Console, decision: Decision) -> None:
    head = f"Rule {decision.rule} ({decision.model}): {words.verdict(decision)}"
    say(console, head, "bold")
    if not decision.verdict:
        return
    say(
        console,
        f"  {words.quantity(decision)}: median {words.interval(decision, decision.interval)}; "
        f"prior alone {words.interval(decision, decision.prior_interval)}.",
    )
    for judged in decision.judged:
        say(
            console,
            f"  {judged.name}: {words.asked(decision, judged)}; given the data "
            f"{words.chance(judged.probability, judged.error)}, prior alone "
            f"{words.chance(judged.prior, judged.prior_error)}: "
            f"{'holds' if judged.met else 'does not hold'}.",
        )
    for sentence in words.doubts(decision):
        say(console, f"  {sentence}")


def _narrow(title: str) -> Table:
    """A table whose eight columns fit a terminal of 80 characters: no lines, short words."""
    return Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, padding=0)


def _heads(table: Table, widths: Mapping[str, int]) -> None:
    """Columns of numbers: headings wrap at words, cells within their width do not."""
    for head, width in widths.items():
        table.add_column(head, justify="right", width=width, overflow="fold")


def _designs(plan: Plan) -> Table:
    asked, criteria = plan.card.two_stage, plan.criteria
    reference, target = (
        (words.percent(criteria.reference), words.percent(criteria.target))
        if criteria is not None
        else ("", "")
    )
    table = _narrow(
        f"For scale: between {reference} and {target}, at most "
        f"{words.percent(asked.false_go)} false go and {words.percent(asked.false_no_go)} false "
        "no-go"
    )
    table.add_column("design", width=16, overflow="fold")
    # A number and its percent sign stay on one line.
    low, high = (text.replace(" ", "\N{NO-BREAK SPACE}") for text in (reference, target))
    _heads(
        table,
        {
            "stop early with": 10,
            "must respond": 9,
            f"mean size at {low}": 7,
            f"P(go) at {low}": 8,
            f"at {high}": 7,
            "given data": 6,
            "prior alone": 6,
        },
    )
    for row in records(plan.designs):
        stages = not np.isnan(row["stage_one"])
        table.add_row(
            escape(_SHORT.get(row["design"], row["design"])),
            f"≤ {row['stop_at']:.0f} of {row['stage_one']:.0f}" if stages else "–",
            f"{row['needed']} of {row['patients']}",
            f"{row['expected_at_reference']:.1f}",
            f"{100 * row['go_at_reference']:.1f} %",
            f"{100 * row['go_at_target']:.1f} %",
            round_to_mcse(row["go"], row["go_mcse"]),
            round_to_mcse(row["go_prior"], row["go_prior_mcse"]),
        )
    return table


def _trials(plan: Plan) -> Table:
    trial = plan.card.next_trial
    new, pooled = (main_rows(plan.assurance, trial, name) for name in (NEW, POOLED))
    table = _narrow(
        f"A new single-arm trial by rule {plan.rule.name if plan.rule else ''}: "
        f"{words.percent(trial.confidence[0])} confidence asked, {_HANDLING[trial.handling]}"
    )
    heads = {"withdraw": 8, "new patients": 8, "must respond": 7, "P(go)": 6, "prior alone": 6}
    _heads(table, heads | {"P, consider": 8, "P, no-go": 6})
    if not pooled.empty and plan.seen is not None:
        of = plan.seen.enrolled if trial.handling == "composite" else plan.seen.evaluable
        _heads(table, {f"P(go) with the {of} seen so far": 10})
    last = None
    for row, together in zip(records(new), _also(new, pooled), strict=True):
        if last is not None and row["withdrawal"] != last:
            table.add_section()
        last = row["withdrawal"]
        table.add_row(
            words.percent(row["withdrawal"]),
            f"{row['patients']}",
            "–" if np.isnan(row["needed"]) else f"{row['needed']:.0f}",
            round_to_mcse(row["go"], row["go_mcse"]),
            round_to_mcse(row["go_prior"], row["go_prior_mcse"]),
            round_to_mcse(row["consider"], row["consider_mcse"]),
            round_to_mcse(row["no_go"], row["no_go_mcse"]),
            *together,
        )
    return table


def _also(new: pd.DataFrame, pooled: pd.DataFrame) -> list[list[str]]:
    """The cell of the pooled analysis for each row, in the same order; none without it."""
    if pooled.empty:
        return [[] for _ in range(len(new))]
    return [[round_to_mcse(row["go"], row["go_mcse"])] for row in records(pooled)]
