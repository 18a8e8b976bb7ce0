"""Pictures of a plan: the decision rule, assurance, and the rule's operating characteristics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mnbayes.analyses.design.beta_binomial import Beta, chances, cutoffs
from mnbayes.analyses.design.decision import Decision
from mnbayes.analyses.design.next_trial import HANDLING
from mnbayes.analyses.design.plan import Plan
from mnbayes.analyses.design.share_figure import share
from mnbayes.analyses.design.simon import TwoStageDesign
from mnbayes.analyses.design.success import NEW, POOLED
from mnbayes.report.kit import figures, style, wording

_GRID = np.linspace(0, 1, 401)


def design_figures(plan: Plan) -> dict[str, Figure]:
    """Draw what a plan allows.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict
        ``share``, ``assurance`` and ``rule_characteristics``; empty where there is no
        decision on a share.
    """
    decision = plan.planned
    if decision is None or plan.criteria is None or not decision.verdict:
        return {}
    return {
        "share": share(
            plan.shares,
            decision.model,
            decision.doubtful,
            plan.synthetic,
            title=f"Counts, model and benchmark; rule “{decision.rule}”: {decision.verdict}",
        ),
        "assurance": assurance(plan, decision),
        "rule_characteristics": rule_characteristics(plan, decision),
    }


def _caption(where: Figure | Axes, plan: Plan, decision: Decision, *sentences: str) -> None:
    last = "A change under treatment: no control group."
    style.caption(where, decision.model, decision.doubtful, plan.synthetic, *sentences, last)


def _share_axis(ax: Axes, label: str, reference: float, target: float) -> list[style.Handle]:
    """Make the x axis one of shares, with lines at both thresholds; returns their key."""
    style.percent_axis(ax, "x", label)
    ax.axvline(100 * reference, color=style.BLACK, linestyle=":", linewidth=1.4, zorder=5)
    ax.axvline(100 * target, color=style.VERMILLION, linestyle="--", linewidth=1.4, zorder=5)
    return [
        style.line(style.BLACK, ":", f"lower reference {wording.stated(reference)}", 1.4),
        style.line(style.VERMILLION, "--", f"target {wording.stated(target)}", 1.4),
    ]


def _curves(ax: Axes, rows: pd.DataFrame, looks: Mapping[float, style.Look], by: str) -> None:
    """Assurance over the number of patients: a line for each value of a column."""
    for value, (color, dash, marker) in looks.items():
        part = rows[rows[by] == value].sort_values("patients")
        look: dict[str, Any] = {"color": color, "linestyle": dash, "clip_on": False}
        ax.plot(part["patients"], 100 * part["go"], marker=marker, markersize=4.5, zorder=4, **look)
        ax.plot(part["patients"], 100 * part["go_prior"], linewidth=0.8, alpha=0.6, **look)


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
        patients seen so far, where there are any; by the confidence asked for. No look stands
        for a rate and a confidence both. Thin lines are the prior alone.
    """
    trial, seen = plan.card.next_trial, plan.seen
    table = plan.assurance[plan.assurance["handling"] == trial.handling]
    alone = table["analysis"] == NEW
    first, middle = trial.confidence[0], trial.withdrawal[min(1, len(trial.withdrawal) - 1)]
    usual = table["confidence"] == first
    free = cycle(style.LINES)
    rates = dict(zip(trial.withdrawal, free, strict=False))
    levels = dict(zip(trial.confidence, free, strict=False))
    asked = f"{wording.stated(first)} confidence asked"
    panels = [(f"New patients alone\n{asked}", table[alone & usual], rates, "withdrawal")]
    if seen is not None:
        number = seen.enrolled if trial.handling == "composite" else seen.evaluable
        pooled = table[usual & (table["analysis"] == POOLED)]
        panels.append((f"With the {number} seen so far\n{asked}", pooled, rates, "withdrawal"))
    title = f"New patients alone\n{wording.stated(middle)} withdraw"
    by_level = table[alone & (table["withdrawal"] == middle)]
    panels.append((title, by_level, levels, "confidence"))
    figure, axes = figures.panels(len(panels), (1.8, 2.5), 2, least=style.NARROW)
    for ax, (title, rows, looks, by) in zip(axes, panels, strict=True):
        _curves(ax, rows, looks, by)
        ax.set_title(title, fontsize=style.TEXT, loc="left")
        style.percent_axis(ax, "y", "Probability of go, %" if figures.is_left(ax) else "")
        ax.set_xlim(0, 1.05 * max(trial.patients))
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.set_xlabel("New patients enrolled", fontsize=style.TEXT)
    for rate, (color, _, _) in rates.items():
        limit = panels[0][1].loc[panels[0][1]["withdrawal"] == rate, "limit"].iloc[0]
        axes[0].plot(
            1.03,
            100 * limit,
            "<",
            color=color,
            transform=axes[0].get_yaxis_transform(),
            clip_on=False,
        )
    named = [(f"{wording.stated(rate)} withdraw", look) for rate, look in rates.items()]
    named += [(f"{wording.stated(level)} confidence asked", look) for level, look in levels.items()]
    style.heading(
        figure,
        f"How likely a new single-arm trial is to end in go (rule “{decision.rule}”)",
        [
            *(
                style.line(color, dash, label, marker=marker)
                for label, (color, dash, marker) in named
            ),
            style.line(style.GREY, "-", "thin: under the prior alone", 0.8),
            style.dot(style.GREY, "<", "where it tends with ever more patients"),
        ],
    )
    of = "this trial says of the share as measured" if seen else "the counts say of the share"
    sentences = [f"Assurance: averaged over what {of}.", f"A{HANDLING[trial.handling][1:]}."]
    if seen is not None:
        sentences += [
            "With the patients seen so far in the analysis a false go is likelier: it was their "
            "result that asked the question. Where lines of that panel coincide, relevance "
            "asks for more responders than significance."
        ]
    _caption(figure, plan, decision, *sentences)
    return figure


def rule_characteristics(plan: Plan, decision: Decision) -> Figure:
    """Draw what the rule says of a new trial at every true share.

    Parameters
    ----------
    plan : Plan
        With the criteria.
    decision : Decision

    Returns
    -------
    Figure
        Above: probability of go over the true share by number of patients, with Simon's optimal
        two-stage design for scale and both thresholds. Below: go, consider and no-go for the
        number of patients that most often leads to consider. Nobody withdraws.
    """
    if plan.criteria is None:
        raise ValueError("the plan has no criteria on a share")
    trial = plan.card.next_trial
    rule = replace(plan.criteria, confidence=trial.confidence[0])
    own = Beta(trial.analysis_prior.a, trial.analysis_prior.b)
    share = _GRID[::4]
    figure, (left, right) = figures.panels(2, (3.6, 2.6), 1, least=style.NARROW)
    handles: list[style.Handle] = []
    sizes = np.array(sorted(trial.patients))
    # Neither of the colours of the thresholds.
    looks = [look for look in style.LINES if look[0] not in (style.BLACK, style.VERMILLION)]
    for patients, (color, dash, _) in zip(sizes.tolist(), cycle(looks), strict=False):
        go, _ = chances(share, patients, 0.0, "composite", own, rule)
        left.plot(100 * share, 100 * go, color=color, linestyle=dash, zorder=3)
        handles.append(style.line(color, dash, f"{patients} patients"))
    simon = plan.designs[plan.designs["design"].str.startswith("Simon two-stage, optimal")]
    if not simon.empty:
        stop, stage, needed, most = (
            int(simon.iloc[0][name]) for name in ("stop_at", "stage_one", "needed", "patients")
        )
        design = TwoStageDesign(stop, stage, needed - 1, most)
        chance = 100 * design.recommends(share)
        left.plot(100 * share, chance, color=style.PALE, linewidth=3.0, zorder=1)
        handles.append(style.line(style.PALE, "-", f"Simon, {design.n} patients", 3.0))
    # The number of patients at which most counts lead to "consider".
    cut = cutoffs(sizes, own, rule)
    middle = int(sizes[np.argmax((cut.go - cut.consider) / sizes)])
    go, either = (100 * part for part in chances(share, middle, 0.0, "composite", own, rule))
    for low, high, color, hatch, edge, name in (
        (0, go, style.BAND_50, "", "white", "go"),
        (go, either, style.BAND_95, "///", style.BAND_50, "consider"),
        (either, 100, style.RULE, "", style.PALE, "no-go"),
    ):
        right.fill_between(
            100 * share, low, high, facecolor=color, hatch=hatch, edgecolor=edge, linewidth=0
        )
        handles.append(style.area(color, hatch, f"below: {name}", edge))
    for ax, label, title in (
        (left, "Probability of go, %", "Probability of go"),
        (right, "Probability, %", f"With {middle} patients"),
    ):
        thresholds = _share_axis(
            ax, "Share of such patients who respond, as measured, %", rule.reference, rule.target
        )
        style.percent_axis(ax, "y", label)
        ax.set_title(title, fontsize=style.TEXT, loc="left")
    style.heading(
        figure,
        "What the rule would say of a new trial, whatever the truth "
        f"({wording.stated(trial.confidence[0])} confidence asked)",
        [*handles, *thresholds],
        columns=4,
    )
    _caption(
        figure,
        plan,
        decision,
        "New patients by themselves, none withdrawn. At the target itself go is hardly ever much "
        "likelier than not, because relevance asks whether the median reaches it; a test with "
        "high power at the target says go to smaller shares too.",
    )
    return figure
