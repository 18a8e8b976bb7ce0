"""Pictures of a plan: the decision rule, and how likely a new trial is to end in go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mnbayes.analyses.design import words
from mnbayes.analyses.design.decision import Decision
from mnbayes.analyses.design.decision_rule import (
    LINES,
    chance_axis,
    decision_share,
    foot_of,
    rule_characteristics,
)
from mnbayes.analyses.design.plan import Plan
from mnbayes.analyses.design.success import NEW, POOLED
from mnbayes.report.kit import style

_HANDLING = {
    "composite": "A withdrawal counts as no response.",
    "evaluable": "A withdrawn patient leaves the denominator.",
}


def design_figures(plan: Plan) -> dict[str, Figure]:
    """Draw what a plan allows.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict
        ``decision_share``, ``assurance`` and ``rule_characteristics``; empty where there is no
        decision on a share.
    """
    decision = plan.planned
    if decision is None or plan.criteria is None or not decision.verdict:
        return {}
    return {
        "decision_share": decision_share(plan, decision),
        "assurance": assurance(plan, decision),
        "rule_characteristics": rule_characteristics(plan, decision),
    }


def _curves(ax: Axes, rows: pd.DataFrame, by: str, values: Sequence[float], limits: bool) -> None:
    for value, (color, dash, marker) in zip(values, cycle(LINES), strict=False):
        part = rows[rows[by] == value].sort_values("patients")
        ax.plot(part["patients"], 100 * part["go"], color=color, linestyle=dash, marker=marker,
                markersize=4.5, linewidth=1.6, zorder=4, clip_on=False)  # fmt: skip
        ax.plot(part["patients"], 100 * part["go_prior"], color=color, linestyle=dash,
                linewidth=0.8, alpha=0.6, zorder=3)  # fmt: skip
        if limits:
            ax.plot(1.03, 100 * part["limit"].iloc[0], "<", color=color, markersize=6, zorder=5,
                    transform=ax.get_yaxis_transform(), clip_on=False)  # fmt: skip


def assurance(plan: Plan, decision: Decision) -> Figure:
    """Draw the probability that a new trial ends in go, against its number of patients.

    Parameters
    ----------
    plan : Plan
        With a table of assurance.
    decision : Decision

    Returns
    -------
    Figure
        Panels: by withdrawal rate, the new patients by themselves; the same together with the
        patients seen so far, where there are any; by the confidence asked for. Thin lines are
        the prior alone.
    """
    trial, table = plan.card.next_trial, plan.assurance[
        plan.assurance["handling"] == plan.card.next_trial.handling
    ]  # fmt: skip
    main = table[table["confidence"] == trial.confidence[0]]
    pooled = plan.seen is not None
    figure = style.new_figure(style.WIDE, 4.4)
    axes = figure.subplots(1, 3 if pooled else 2, squeeze=False)[0]
    middle = trial.withdrawal[min(1, len(trial.withdrawal) - 1)]
    panels = [(f"New patients alone\n{words.percent(trial.confidence[0])} confidence asked",
               main[main["analysis"] == NEW], "withdrawal", trial.withdrawal, True)]  # fmt: skip
    if plan.seen is not None:
        seen = plan.seen.enrolled if trial.handling == "composite" else plan.seen.evaluable
        panels.append((f"With the {seen} seen so far\n{words.percent(trial.confidence[0])} "
                       "confidence asked", main[main["analysis"] == POOLED], "withdrawal",
                       trial.withdrawal, False))  # fmt: skip
    chosen = table[(table["analysis"] == NEW) & (table["withdrawal"] == middle)]
    panels.append((f"New patients alone\n{words.percent(middle)} withdraw", chosen, "confidence",
                   trial.confidence, False))  # fmt: skip
    for place, (ax, (title, rows, by, values, limits)) in enumerate(zip(axes, panels, strict=True)):
        style.tidy(ax)
        _curves(ax, rows, by, values, limits)
        ax.set_title(title, fontsize=style.TEXT, loc="left")
        chance_axis(ax, place == 0)
        ax.set_xlim(0, 1.05 * max(trial.patients))
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.set_xlabel("New patients enrolled", fontsize=style.TEXT)
    handles: list[style.Handle] = []
    names = [f"{words.percent(rate)} withdraw" for rate in trial.withdrawal]
    asked = [f"right: {words.percent(level)} asked" for level in trial.confidence]
    for labels in (names, asked):
        for label, (color, dash, marker) in zip(labels, cycle(LINES), strict=False):
            entry = style.line(color, dash, label)
            entry.set_marker(marker)
            entry.set_markersize(4.5)
            handles.append(entry)
    handles += [
        style.line(style.GREY, "-", "thin: under the prior alone", 0.8),
        style.dot(style.GREY, "<", "where it tends with ever more patients"),
    ]
    style.heading(
        figure, f"How likely a new single-arm trial is to end in go (rule “{decision.rule}”)",
        handles, 3,
    )  # fmt: skip
    foot_of(
        figure, plan, decision,
        "Assurance: averaged over what this trial says of the share as measured. "
        f"{_HANDLING[trial.handling]} With the patients seen so far in the analysis a false go is "
        "likelier: it was their result that asked the question. Where lines of the right panel "
        "coincide, relevance asks for more responders than significance."
        if pooled
        else "Assurance: averaged over what the counts say of the share. "
        f"{_HANDLING[trial.handling]}",
    )  # fmt: skip
    return figure
