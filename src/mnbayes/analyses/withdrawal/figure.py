"""How much the answers depend on what is assumed of the patients who left."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.withdrawal.enrolled import RESPONSES
from mnbayes.analyses.withdrawal.tipping import Tipping
from mnbayes.analyses.withdrawal.words import times
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.cards.definitions import Definitions
from mnbayes.report.kit import style

#: Category to colour and line style.
LOOKS: dict[str, tuple[str, style.Dash]] = {
    "effective": (style.BLUE, "-"),
    "remission": (style.GREEN, "--"),
    "complete": (style.PURPLE, "-."),
    "partial": (style.ORANGE, ":"),
}
NO_LEVEL = "no ratio: a failure has no level"


def _verdict(row: pd.Series) -> str:
    if row["verdict"] == "flips":
        error = 0.5 * (float(row["delta_upper"]) - float(row["delta_lower"]))
        return f"flips at {times(float(row['delta']), error)}"
    return {
        "never": "no delta flips it",
        "beyond": f"flips beyond {row['delta_max']:g}",
        "not_held": "does not hold at 1",
    }[str(row["verdict"])]


def _mark(ax: Axes, row: pd.Series, color: str, y: float) -> None:
    # A vertical line where the conclusion flips, with the delta in words beside it.
    delta = float(row["delta"])
    if np.isnan(delta):
        return
    ax.axvline(delta, color=color, linewidth=1.0, linestyle=(0, (1, 1.5)), zorder=2)
    right = delta < np.sqrt(float(row["delta_max"]))
    ax.annotate(
        _verdict(row), (delta, y), xycoords=("data", "axes fraction"),
        xytext=(4 if right else -4, 0), textcoords="offset points",
        ha="left" if right else "right", va="center", fontsize=style.SMALL,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}, zorder=6,
    )  # fmt: skip


def _probabilities(ax: Axes, tipping: Tipping, definitions: Definitions) -> list[style.Handle]:
    handles: list[style.Handle] = []
    points = tipping.points[tipping.points["conclusion"] == "share_exceeds"]
    for place, (_, row) in enumerate(points.iterrows()):
        category = str(row["category"])
        color, dash = LOOKS[category]
        part = tipping.curve[tipping.curve["category"] == category]
        ax.plot(part["delta"], 100 * part["probability"], color=color, linestyle=dash,
                linewidth=1.8, zorder=4)  # fmt: skip
        ax.plot(part["delta"], 100 * part["probability_prior"], color=color, linestyle=dash,
                linewidth=0.9, alpha=0.55, zorder=3)  # fmt: skip
        ax.plot(1.02, 100 * float(row["as_failure"]), "<", color=color, markersize=6, zorder=5,
                transform=ax.get_yaxis_transform(), clip_on=False)  # fmt: skip
        _mark(ax, row, color, 0.06 + 0.08 * place)
        bar = definitions.benchmarks[category]  # type: ignore[index]
        label = f"{category}: share > {100 * bar:g} % ({_verdict(row)})"
        handles.append(style.line(color, dash, label, 1.8))
    required = 100 * definitions.decision.probability
    ax.axhline(required, color=style.VERMILLION, linestyle=(0, (5, 2)), linewidth=1.1, zorder=2)
    ax.annotate(
        f"{required:g} % required", (0, required), xycoords=("axes fraction", "data"),
        xytext=(3, -2), textcoords="offset points", va="top", fontsize=style.SMALL,
        color=style.VERMILLION,
    )  # fmt: skip
    ax.set_ylim(-2, 102)
    ax.set_yticks(style.linear_ticks(0, 100))
    ax.set_ylabel("P(share of the enrolled > benchmark), %", fontsize=style.TEXT)
    handles.append(style.line(style.GREY, "-", "thin: under the prior alone", 0.9))
    handles.append(style.dot(style.GREY, "<", "withdrawal counted as no response"))
    return handles


def _ratios(ax: Axes, tipping: Tipping) -> list[style.Handle]:
    part = tipping.curve[tipping.curve["quantity"] == "gmr"]
    ends = (part["lower"], part["upper"])
    ax.fill_between(part["delta"], *ends, facecolor=style.BAND_95, linewidth=0, zorder=1)
    ax.plot(part["delta"], part["median"], color=style.BLUE, linewidth=1.8, zorder=4)
    ax.axhline(1.0, color=style.GREY, linewidth=1.0, zorder=2)
    style.log_axis(ax, "y", *style.log_limits(*ends, [1.0]))
    ax.set_ylabel("Ratio to baseline, GMR of the enrolled", fontsize=style.TEXT)
    points = tipping.points
    interval, chance = (
        points[points["conclusion"] == name].iloc[0] for name in ("gmr_interval", "gmr_probability")
    )
    _mark(ax, interval, style.BLACK, 0.94)
    _mark(ax, chance, style.PURPLE, 0.86)
    return [
        style.line(style.BLUE, "-", "GMR, median", 1.8),
        style.area(style.BAND_95, label=f"its 95 % interval below 1 ({_verdict(interval)})"),
        style.line(
            style.PURPLE, ":", f"P(GMR < 1) ≥ {100 * chance['required']:g} % ({_verdict(chance)})"
        ),
    ]


def tipping_curve(
    tipping: Tipping, definitions: Definitions, reasons: Sequence[str], synthetic: bool
) -> Figure:
    """Draw what is concluded against delta, and where it flips.

    Parameters
    ----------
    tipping : Tipping
        Not empty.
    definitions : Definitions
        With the benchmarks and the decision probability.
    reasons : sequence of str
        Why the fit did not converge; empty if it did.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        Two panels over delta (log axis): probabilities that the share of the enrolled exceeds
        each benchmark, with the probability required; the enrolled patients' geometric mean
        ratio with its 95 % interval (log axis). A dotted line with words at each flip.
    """
    first = tipping.points.iloc[0]
    figure = style.new_figure(style.WIDE, 4.6)
    axes = figure.subplots(1, 2)
    for ax in axes:
        style.tidy(ax)
    handles = _probabilities(axes[0], tipping, definitions) + _ratios(axes[1], tipping)
    for ax in axes:
        style.log_axis(ax, "x", 1.0, float(first["delta_max"]))
        ax.set_xlabel("delta: 24-h protein of the unseen, times predicted", fontsize=style.TEXT)
    style.heading(
        figure, f"How much worse must the unseen be? Week {style.week_text(first['week'])}",
        handles, 3,
    )  # fmt: skip
    before = tipping.curve[tipping.curve["quantity"] == "gmr"].iloc[0]
    style.caption(
        figure, str(first["model"]), reasons, synthetic,
        f"Unseen after withdrawal: {first['unseen']}. At delta 1 they are as the model predicts "
        "(missing at random). Shares and ratio are of the enrolled patients, not of a population. "
        f"GMR under the prior alone at delta 1: {before['median_prior']:.2f} "
        f"({before['lower_prior']:.2f}–{before['upper_prior']:.2f}). Log axes but for the "
        "probability.",
    )  # fmt: skip
    return figure


def _strategy_panel(ax: Axes, rows: pd.DataFrame) -> None:
    ratio = rows["quantity"].iloc[0] == "gmr"
    scale, centre = (1.0, "median") if ratio else (100.0, "mean")
    threshold = float(rows["threshold"].iloc[0])
    for place, (_, row) in enumerate(rows.iterrows()):
        looks = (("", style.BLUE, "o", 0.0, 2.0), ("_prior", style.GREY, "s", 0.22, 1.0))
        for suffix, color, marker, down, width in looks:
            ends = [scale * row[f"{name}{suffix}"] for name in ("lower", "upper")]
            ax.plot(ends, [place + down] * 2, color=color, linewidth=width, zorder=3)
            ax.plot(scale * row[f"{centre}{suffix}"], place + down, marker, color=color,
                    markersize=6 if not suffix else 4, zorder=4)  # fmt: skip
        if np.isnan(row[centre]):
            words, where = NO_LEVEL, 0.0
        elif np.isnan(row["probability"]):
            continue
        else:
            sign = "<" if ratio else ">"
            bound = "1" if ratio else f"{100 * threshold:g} %"
            chance, before = (
                round_to_mcse(
                    float(row[f"probability{suffix}"]), float(row[f"probability_mcse{suffix}"])
                )
                for suffix in ("", "_prior")
            )
            words, where = f"P({sign} {bound}): {chance} (prior {before})", 0.27
        ax.annotate(
            words, (0.02, place - where), xycoords=("axes fraction", "data"), va="center",
            fontsize=style.SMALL,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )  # fmt: skip
    if np.isfinite(threshold):
        ax.axvline(scale * threshold, color=style.VERMILLION, linestyle=(0, (5, 2)),
                   linewidth=1.1, zorder=1)  # fmt: skip
    if ratio:
        names = ("lower", "upper", "lower_prior", "upper_prior")
        style.log_axis(ax, "x", *style.log_limits(*(rows[name] for name in names), [1.0]))
        ax.set_xlabel("GMR of the enrolled, ratio to baseline", fontsize=style.TEXT)
    else:
        ax.set_xlim(-3, 103)
        ax.set_xticks(style.linear_ticks(0, 100))
        category = rows["category"].iloc[0]
        ax.set_xlabel(f"Share of the enrolled: {category}, %", fontsize=style.TEXT)


def withdrawal_strategies(table: pd.DataFrame, reasons: Sequence[str], synthetic: bool) -> Figure:
    """Draw the enrolled patients' shares and ratio under each withdrawal strategy.

    Parameters
    ----------
    table : DataFrame
        From :func:`mnbayes.analyses.withdrawal.enrolled.withdrawal_table`, not empty or blank.
    reasons : sequence of str
        Why the fit did not converge; empty if it did.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        A row for each strategy, a panel for the share in each category with a benchmark and
        one for the geometric mean ratio: mean of the share or median of the ratio with the 95 %
        interval, the prior's below in grey, and the probability beyond the dashed threshold.
    """
    barred = set(table.loc[table["threshold"].notna(), "category"])
    shares = [category for category in reversed(RESPONSES) if category in barred]
    parts = [table[table["category"] == category] for category in (*shares, "")]
    strategies = parts[-1]
    labels = [
        f"{name}\n" + "\n".join(textwrap.wrap(text, 27))
        for name, text in zip(strategies["strategy"], strategies["assumption"], strict=True)
    ]
    figure = style.new_figure(style.WIDE, 0.72 * len(strategies) + 2.0)
    axes = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    for ax, rows in zip(axes, parts, strict=True):
        style.tidy(ax)
        _strategy_panel(ax, rows)
    axes[0].set_yticks(np.arange(len(labels)), labels)
    axes[0].set_ylim(len(labels) - 0.5, -0.55)
    axes[0].set_ylabel("Withdrawal strategy", fontsize=style.TEXT)
    first = table.iloc[0]
    style.heading(
        figure,
        f"The {first['enrolled']} enrolled patients at week {style.week_text(first['week'])}, "
        f"by what is assumed of the {first['withdrawn']} who left",
        [
            style.dot(style.BLUE, "o", "mean share or median ratio, 95 % interval"),
            style.dot(style.GREY, "s", "the same under the prior alone"),
            style.line(style.VERMILLION, "--", "benchmark; ratio 1", 1.1),
        ],
    )  # fmt: skip
    style.caption(
        figure, str(first["model"]), reasons, synthetic,
        "P: the probability that the share exceeds its benchmark, or that the ratio is below 1, "
        "given the data. These numbers are about the enrolled patients, not about the population "
        "they come from. The ratio's axis is logarithmic.",
    )  # fmt: skip
    return figure
