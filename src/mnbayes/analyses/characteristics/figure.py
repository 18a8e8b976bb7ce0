"""Pictures of operating characteristics: how often each judge says go, and what estimates are."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.characteristics.result import Characteristics, Described
from mnbayes.analyses.design.decision_rule import LINES
from mnbayes.report.kit import style

#: Monte Carlo errors to either side of a point that its bar spans: about 95 %.
BAR = 1.96
#: The card's last rules first, so that a rule looks the same in a model that judges more of them.
_RULES: tuple[tuple[str, style.Dash, str], ...] = (
    (style.VERMILLION, "--", "s"),
    (style.BLUE, "-", "o"),
    (style.ORANGE, "-.", "P"),
    (style.SKY, ":", "X"),
)
_OTHERS: tuple[tuple[str, style.Dash, str], ...] = (
    (style.GREEN, "-.", "^"),
    (style.PURPLE, ":", "D"),
    (style.BLACK, "-", "v"),
)
_SIMULATED = "Simulated cohorts: no real patient."


def characteristics_figures(found: Characteristics) -> dict[str, Figure]:
    """Draw the operating characteristics of one model.

    Parameters
    ----------
    found : Characteristics

    Returns
    -------
    dict
        ``false_go`` and ``right_go``, where there are such scenarios, and ``estimates``.
    """
    figures = {}
    if found.false_go:
        figures["false_go"] = go_rates(
            found, found.false_go, "How often each says go although nothing has improved on average"
        )
    if found.other_go:
        figures["right_go"] = go_rates(
            found, found.other_go, "How often each says go where proteinuria has truly fallen"
        )
    return figures | {"estimates": estimate_errors(found)}


def go_rates(found: Characteristics, chosen: Sequence[Described], title: str) -> Figure:
    """Draw the share of trials in which each judge says go, a panel for each scenario."""
    grid = style.Grid(len(chosen), cell=(2.62, 1.75), gap=(0.28, 0.62), columns=3, left=0.6)
    figure, axes = grid.figure()
    positions = np.arange(len(found.patients), dtype=float)
    handles: list[style.Handle] = []
    rules = list(zip(reversed(found.rules), cycle(_RULES), strict=False))[::-1]
    judges = [*rules, *zip(found.others, cycle(_OTHERS), strict=False)]
    spread = 0.14 if len(found.patients) == 1 else 0.0
    for judge, (color, dash, marker) in judges:
        entry = style.line(color, dash, judge.title)
        entry.set_marker(marker)
        entry.set_markersize(4.5)
        handles.append(entry)
    for panel, (ax, scenario) in enumerate(zip(axes, chosen, strict=True)):
        for place, (judge, (color, dash, marker)) in enumerate(judges):
            rows = found.of(judge.name, scenario.name)
            x = positions + spread * (place - (len(judges) - 1) / 2)
            _points(ax, x, 100 * rows["go"], 100 * rows["go_mcse"], color, dash, marker)
        ax.set_title(scenario.title, fontsize=style.TEXT, loc="left")
        ax.set_ylim(0, 100)
        ax.set_yticks(style.linear_ticks(0, 100))
        ax.set_xlim(-0.4, positions[-1] + 0.4)
        ax.set_xticks(positions, [f"{n}" for n in found.patients])
        if grid.is_left(panel):
            ax.set_ylabel("Trials ending in go, %", fontsize=style.TEXT)
        if grid.is_low(panel):
            ax.set_xlabel("Patients enrolled", fontsize=style.TEXT)
    head = style.heading(figure, title, handles, 3)
    foot = style.caption(
        figure, found.model, (), False,
        f"{found.replicates:,} trials for each point; bars: 95 % Monte Carlo intervals where wider "
        "than the point. Every judge sees the same data. No trial has a control group.",
        *(f"{item.title}: {item.says[0].lower()}{item.says[1:]}" for item in chosen),
        _SIMULATED,
    )  # fmt: skip
    grid.place(figure, axes, head, foot)
    return figure


def _points(
    ax: Axes, x: np.ndarray, y: pd.Series, error: pd.Series, color: str, dash: str, marker: str
) -> None:
    ax.vlines(x, np.maximum(y - BAR * error, 0), np.minimum(y + BAR * error, 100), color=color,
              linewidth=0.9, zorder=3)  # fmt: skip
    ax.plot(x, y, color=color, linestyle=dash, marker=marker, markersize=4.0, linewidth=1.3,
            zorder=4, clip_on=False)  # fmt: skip


def estimate_errors(found: Characteristics) -> Figure:
    """Draw bias and coverage of the estimated ratio, a row for each scenario."""
    rows = [*found.false_go, *found.other_go]
    figure = style.new_figure(style.WIDE, 1.5 + 0.36 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True)
    sizes = list(zip(found.patients, cycle(LINES), strict=False))
    handles: list[style.Handle] = []
    step = 0.66 / max(len(sizes), 2)
    for place, (n, (color, _, marker)) in enumerate(sizes):
        handles.append(style.dot(color, marker, f"{n} patients"))
        table = found.estimates[found.estimates["patients"] == n].set_index("scenario")
        part = table.loc[[item.name for item in rows]]
        y = np.arange(len(rows)) + step * (place - (len(sizes) - 1) / 2)
        shift, error = part["bias"].to_numpy(), BAR * part["bias_mcse"].to_numpy()
        _dots(left, np.exp(shift), np.exp(shift - error), np.exp(shift + error), y, color, marker)
        share, error = part["coverage"].to_numpy(), BAR * part["coverage_mcse"].to_numpy()
        low, high = np.maximum(share - error, 0), np.minimum(share + error, 1)
        _dots(right, 100 * share, 100 * low, 100 * high, y, color, marker)
    for ax, line in ((left, 1.0), (right, 95.0)):
        style.tidy(ax)
        ax.axvline(line, color=style.GREY, linewidth=1.0, zorder=1)
        for edge in np.arange(len(rows) - 1) + 0.5:
            ax.axhline(edge, color=style.RULE, linewidth=0.6, zorder=0)
        ax.set_ylim(len(rows) - 0.4, -0.6)
    left.set_yticks(range(len(rows)), [textwrap.fill(item.title, 26) for item in rows])
    bias, half = found.estimates["bias"], BAR * found.estimates["bias_mcse"].fillna(0)
    least = min(float(np.exp((bias - half).min())), 0.95) * 0.98
    most = max(float(np.exp((bias + half).max())), 1.05) * 1.02
    style.log_axis(left, "x", least, most)
    ticks = style.linear_ticks(least, most)
    left.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    left.set_xlabel("Estimated ratio over true ratio\n(below 1: the fall is overstated)",
                    fontsize=style.TEXT)  # fmt: skip
    lowest = float((found.estimates["coverage"] - BAR * found.estimates["coverage_mcse"]).min())
    right.set_xlim(100 * min(max(lowest, 0) - 0.02, 0.84), 100.5)
    right.set_xlabel("95 % intervals that hold\nthe true ratio, %", fontsize=style.TEXT)
    handles.append(style.line(style.GREY, "-", "no bias; 95 %", 1.0))
    style.heading(
        figure, "The estimated ratio to baseline at week 12 against the true one", handles, 6
    )
    style.caption(
        figure, found.model, (), False,
        "The true ratio is the geometric mean of all who were enrolled. Bias: of posterior "
        f"medians, in the geometric mean over {found.replicates:,} simulated trials; bars: 95 % "
        f"Monte Carlo intervals. {_SIMULATED}",
    )  # fmt: skip
    return figure


def _dots(
    ax: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, y: np.ndarray, color: str,
    marker: str,
) -> None:  # fmt: skip
    ax.hlines(y, low, high, color=color, linewidth=0.9, zorder=3)
    ax.plot(x, y, color=color, marker=marker, linestyle="", markersize=3.8, zorder=4)
