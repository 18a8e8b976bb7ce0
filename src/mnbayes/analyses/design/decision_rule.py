"""Pictures of a decision rule: what it asks of this trial, and what it would say of a new one."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnbayes.analyses.design import words
from mnbayes.analyses.design.beta_binomial import Beta, chances, cutoffs
from mnbayes.analyses.design.decision import Decision
from mnbayes.analyses.design.plan import Plan
from mnbayes.analyses.design.simon import TwoStageDesign
from mnbayes.report.kit import style

type FloatArray = NDArray[np.float64]

#: Line, marker and colour together, so that none of them alone tells lines apart.
LINES: tuple[tuple[str, style.Dash, str], ...] = (
    (style.BLUE, "-", "o"),
    (style.VERMILLION, "--", "s"),
    (style.GREEN, "-.", "^"),
    (style.PURPLE, ":", "D"),
    (style.BLACK, "-", "v"),
)
_GRID = np.linspace(0, 1, 401)


def foot_of(figure: Figure, plan: Plan, decision: Decision, *sentences: str) -> None:
    """Write the caption of a plan's picture."""
    style.caption(
        figure, decision.model, decision.doubtful, plan.synthetic, *sentences,
        "A change under treatment: no control group.",
    )  # fmt: skip


def chance_axis(ax: Axes, label: bool) -> None:
    """Make the y axis one of probabilities in per cent."""
    ax.set_ylim(0, 100)
    ax.set_yticks(style.linear_ticks(0, 100))
    if label:
        ax.set_ylabel("Probability of go, %", fontsize=style.TEXT)


def _beyond(share: FloatArray, draws: FloatArray | None, beta: Beta | None) -> FloatArray:
    """P(share at least so much), per cent."""
    if beta is not None:
        return 100 * beta.above(share)
    if draws is None:
        return np.full(share.shape, np.nan)
    below = np.searchsorted(np.sort(draws), share, side="left")
    return np.asarray(100 * (1 - below / draws.size))


def _share_axis(ax: Axes, label: str) -> None:
    ax.set_xlim(0, 100)
    ax.set_xticks(style.linear_ticks(0, 100))
    ax.set_xlabel(label, fontsize=style.TEXT)


def _thresholds(ax: Axes, reference: float, target: float) -> list[style.Handle]:
    ax.axvline(100 * reference, color=style.BLACK, linestyle=":", linewidth=1.4, zorder=5)
    ax.axvline(100 * target, color=style.VERMILLION, linestyle=(0, (5, 2)), linewidth=1.4, zorder=5)
    return [
        style.line(style.BLACK, ":", f"lower reference {words.percent(reference)}", 1.4),
        style.line(style.VERMILLION, "--", f"target {words.percent(target)}", 1.4),
    ]


def decision_share(plan: Plan, decision: Decision) -> Figure:
    """Draw how likely the share is to be at least so large, with what the rule asks for.

    Parameters
    ----------
    plan : Plan
    decision : Decision
        On a share, with a verdict.

    Returns
    -------
    Figure
        P(share at least x) over x, given the data and under the prior alone; at both thresholds
        a bar at the probability that is asked for, which the curve has to reach; and each
        criterion in words.
    """
    figure = style.new_figure(style.WIDE, 4.0)
    ax, side = figure.subplots(1, 2, width_ratios=(1.5, 1))
    style.tidy(ax)
    spread, percent = plan.spread, 100 * _GRID
    ax.plot(percent, _beyond(_GRID, spread.draws, spread.beta), color=style.BLUE, linewidth=2.0,
            zorder=4)  # fmt: skip
    ax.plot(percent, _beyond(_GRID, spread.prior_draws, spread.prior_beta), color=style.GREY,
            linewidth=1.3, linestyle="--", zorder=3)  # fmt: skip
    first, second = decision.judged
    handles = _thresholds(ax, first.threshold, second.threshold)
    for judged in decision.judged:
        at, asked = 100 * judged.threshold, 100 * judged.required
        ax.plot([at - 3, at + 3], [asked, asked], color=style.BLACK, linewidth=3.0, zorder=6,
                solid_capstyle="butt")  # fmt: skip
        ax.plot(at, 100 * judged.probability, "o", color=style.BLUE, markersize=6, zorder=7)
    chance_axis(ax, True)
    ax.set_ylabel("P(share at least so large), %", fontsize=style.TEXT)
    _share_axis(ax, f"{words.quantity(decision).capitalize()}, %")
    side.axis("off")
    for place, judged in enumerate(decision.judged):
        sign = "holds" if judged.met else "does not hold"
        lines = [
            f"{judged.name.capitalize()}: {sign}",
            f"P({words.event(decision, judged)})",
            f"asked: at least {words.percent(judged.required)}",
            f"given the data: {words.chance(judged.probability, judged.error)}",
            f"prior alone: {words.chance(judged.prior, judged.prior_error)}",
        ]
        for row, line in enumerate(lines):
            side.text(
                0.0, 0.98 - 0.53 * place - 0.088 * row, line, transform=side.transAxes,
                va="top", fontsize=style.TEXT + (1 if row == 0 else 0),
                weight="bold" if row == 0 else "normal",
            )  # fmt: skip
    style.heading(
        figure, f"Rule “{decision.rule}”: {decision.verdict}",
        [
            style.line(style.BLUE, "-", "given the data", 2.0),
            style.line(style.GREY, "--", "prior alone", 1.3),
            *handles,
            style.line(style.BLACK, "-", "asked for: to be reached by the blue curve", 3.0),
        ],
        3,
    )  # fmt: skip
    foot_of(
        figure, plan, decision,
        f"Go: both criteria; consider: one; no-go: neither. The prior alone says "
        f"{decision.prior_verdict}.",
    )  # fmt: skip
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
        Left: probability of go over the true share by number of patients, with Simon's optimal
        two-stage design for scale and both thresholds. Right: go, consider and no-go for the
        number of patients that most often leads to consider. Nobody withdraws.
    """
    if plan.criteria is None:
        raise ValueError("the plan has no criteria on a share")
    trial = plan.card.next_trial
    rule = replace(plan.criteria, confidence=trial.confidence[0])
    own = Beta(trial.analysis_prior.a, trial.analysis_prior.b)
    share = np.linspace(0, 1, 201)
    figure = style.new_figure(style.WIDE, 4.3)
    left, right = figure.subplots(1, 2)
    handles: list[style.Handle] = []
    for patients, (color, dash, _) in zip(sorted(trial.patients), cycle(LINES), strict=False):
        go, _ = chances(share, patients, 0.0, "composite", own, rule)
        left.plot(100 * share, 100 * go, color=color, linestyle=dash, linewidth=1.5, zorder=3)
        handles.append(style.line(color, dash, f"{patients} patients"))
    simon = plan.designs[plan.designs["design"].str.startswith("Simon two-stage, optimal")]
    if not simon.empty:
        row = simon.iloc[0]
        design = TwoStageDesign(
            int(row["stop_at"]), int(row["stage_one"]), int(row["needed"]) - 1, int(row["patients"])
        )
        left.plot(100 * share, 100 * design.recommends(share), color=style.PALE, linewidth=3.0,
                  zorder=1)  # fmt: skip
        handles.append(style.line(style.PALE, "-", f"Simon, {design.n} patients", 3.0))
    # The number of patients at which most counts lead to "consider".
    sizes = np.array(sorted(trial.patients))
    cut = cutoffs(sizes, own, rule)
    middle = int(sizes[np.argmax((cut.go - cut.consider) / sizes)])
    go, either = (100 * part for part in chances(share, middle, 0.0, "composite", own, rule))
    bands = ((np.zeros_like(go), go, style.BLUE, "", "go"),
             (go, either, style.SKY, "///", "consider"),
             (either, np.full_like(go, 100), style.PALE, "...", "no-go"))  # fmt: skip
    for low, high, color, hatch, name in bands:
        right.fill_between(100 * share, low, high, facecolor=color, hatch=hatch,
                           edgecolor="white", linewidth=0.0, zorder=1)  # fmt: skip
        handles.append(style.area(color, hatch, f"right: {name}"))
    for ax, title in ((left, "Probability of go"), (right, f"With {middle} patients")):
        style.tidy(ax)
        thresholds = _thresholds(ax, rule.reference, rule.target)
        _share_axis(ax, "Share of such patients who respond, as measured, %")
        chance_axis(ax, True)
        ax.set_title(title, fontsize=style.TEXT, loc="left")
    right.set_ylabel("Probability, %", fontsize=style.TEXT)
    style.heading(
        figure, f"What the rule would say of a new trial, whatever the truth "
        f"({words.percent(trial.confidence[0])} confidence asked)",
        [*handles, *thresholds], 4,
    )  # fmt: skip
    foot_of(
        figure, plan, decision,
        "New patients by themselves, none withdrawn. At the target itself go is hardly ever much "
        "likelier than not, because relevance asks whether the median reaches it; a test with "
        "high power at the target says go to smaller shares too.",
    )  # fmt: skip
    return figure
