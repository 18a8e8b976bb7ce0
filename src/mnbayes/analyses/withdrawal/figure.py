"""How much the answers depend on what is assumed of the patients who left."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.withdrawal.tipping import Tipping
from mnbayes.analyses.withdrawal.words import times
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.text_table import records
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Marker
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height, panels

#: Colour and line style of categories, the loosest first.
LOOKS: tuple[tuple[str, style.Dash], ...] = (
    (style.BLUE, "-"),
    (style.GREEN, "--"),
    (style.ORANGE, ":"),
    (style.PURPLE, "-."),
)
NO_LEVEL = "no ratio: a failure has no level"


def _verdict(row: pd.Series) -> str:
    if row["verdict"] == "flips":
        error = 0.5 * (float(row["delta_upper"]) - float(row["delta_lower"]))
        return f"flips at {times(float(row['delta']), error)}"
    return {
        "never": "no delta flips it",
        "beyond": f"flips beyond {row['delta_max']:g}",
        "not_held": "does not hold as predicted",
    }[str(row["verdict"])]


def _flip(ax: Axes, row: pd.Series, color: str) -> bool:
    """A dotted line where a conclusion flips; whether it does."""
    if np.isnan(row["delta"]):
        return False
    ax.axvline(row["delta"], color=color, linewidth=1.4, linestyle=":", zorder=2)
    return True


def _probabilities(ax: Axes, tipping: Tipping, definitions: Definitions) -> list[style.Handle]:
    handles: list[style.Handle] = []
    points = tipping.points[tipping.points["conclusion"] == "share_exceeds"]
    for _, row in points.iterrows():
        category = str(row["category"])
        color, dash = LOOKS[definitions.responses[::-1].index(category) % len(LOOKS)]
        part = tipping.curve[tipping.curve["category"] == category]
        for name, width, alpha in (("probability", 1.8, 1.0), ("probability_prior", 0.9, 0.55)):
            ax.plot(part["delta"], 100 * part[name], dash, color=color, lw=width, alpha=alpha)
        end, across = 100 * float(row["as_failure"]), ax.get_yaxis_transform()
        ax.plot(1.02, end, "<", color=color, ms=6, transform=across, clip_on=False)
        _flip(ax, row, color)
        bar = definitions.benchmarks[category]
        label = f"{definitions.short(category)}: share > {100 * bar:g} % ({_verdict(row)})"
        handles.append(style.line(color, dash, label, 1.8))
    required = 100 * definitions.decision.probability
    ax.axhline(required, color=style.VERMILLION, linestyle=(0, (5, 2)), linewidth=1.1, zorder=2)
    ax.set_ylim(-2, 102)
    ax.set_yticks(style.linear_ticks(0, 100))
    ax.set_ylabel("P(share > benchmark), %", fontsize=style.TEXT)
    handles.append(style.line(style.VERMILLION, "--", f"{required:g} % required", 1.1))
    handles.append(style.line(style.GREY, "-", "thin: under the prior alone", 0.9))
    handles.append(style.dot(style.GREY, "<", "withdrawal counted as no response"))
    return handles


def _ratios(ax: Axes, tipping: Tipping, main: Marker) -> list[style.Handle]:
    side, sign = ("below", "<") if main.falls else ("above", ">")
    part = tipping.curve[tipping.curve["quantity"] == "gmr"]
    ends = (part["lower"], part["upper"])
    ax.fill_between(part["delta"], *ends, facecolor=style.BAND_95, linewidth=0, zorder=1)
    ax.plot(part["delta"], part["median"], color=style.BLUE, linewidth=1.8, zorder=4)
    ax.axhline(1.0, color=style.GREY, linewidth=1.0, zorder=2)
    style.log_axis(ax, "y", *style.log_limits(*ends, [1.0]))
    ax.set_ylabel("Ratio to baseline (GMR)", fontsize=style.TEXT)
    handles: list[style.Handle] = [
        style.line(style.BLUE, "-", "GMR, median", 1.8),
        style.area(style.BAND_95, label="its 95 % interval"),
    ]
    verdicts = []
    for conclusion, color in (("gmr_interval", style.BLACK), ("gmr_probability", style.PURPLE)):
        row = tipping.points[tipping.points["conclusion"] == conclusion].iloc[0]
        words = f"95 % interval {side} 1"
        if conclusion == "gmr_probability":
            words = f"P(GMR {sign} 1) ≥ {100 * row['required']:g} %"
        verdicts.append(f"{words}: {_verdict(row)}")
        # A line that is not drawn has no place in the key.
        if _flip(ax, row, color):
            handles.append(style.line(color, ":", f"{words} no longer", 1.4))
    ax.set_title("\n".join(verdicts), fontsize=style.TEXT, loc="left")
    return handles


def strategies_finding(table: pd.DataFrame, definitions: Definitions) -> str:
    """What the strategies show, in words: the share in the category read first under each."""
    named = [c for c in definitions.stated if c in set(table["category"])]
    part = table[table["category"] == (named[0] if named else "")]
    centre = "mean" if named else "median"
    said = [
        f"{row[centre]:.2f} ({row['assumption']})"
        if not named
        else f"{100 * row[centre]:.0f} % ({row['assumption']})"
        for row in records(part[part[centre].notna()])
    ]
    first = table.iloc[0]
    what = f"share {definitions.patients(named[0])}" if named else "ratio to baseline"
    return (
        f"Mean {what} of the {first['enrolled']} enrolled at week {first['week']:g}, by what is "
        f"assumed of the {first['withdrawn']} who left: {'; '.join(said)}"
    )


def tipping_finding(tipping: Tipping) -> str:
    """What the sweep shows, in words: where each conclusion flips."""
    said = [f"{row['claim']}: {_verdict(row)}" for _, row in tipping.points.iterrows()]
    most = tipping.points["delta_max"].iloc[0]
    return f"Unseen up to {most:g} times worse than predicted. {'; '.join(said)}"


def tipping_curve(
    tipping: Tipping,
    definitions: Definitions,
    main: Marker,
    reasons: Sequence[str],
    synthetic: bool,
) -> Figure:
    """Draw what is concluded against delta, and where it flips.

    Parameters
    ----------
    tipping : Tipping
        Not empty.
    definitions : Definitions
        With the benchmarks and the decision probability.
    main : Marker
        Whose ratio it is.
    reasons : sequence of str
        Why the fit did not converge; empty if it did.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        Two panels over delta (log axis), one above the other: probabilities that the share of
        the enrolled exceeds each benchmark, with the probability required; the enrolled patients'
        geometric mean ratio with its 95 % interval (log axis). A dotted line at each flip.
    """
    first = tipping.points.iloc[0]
    figure, axes = panels(2, (3.6, 2.6), 1, least=style.NARROW)
    handles = _probabilities(axes[0], tipping, definitions) + _ratios(axes[1], tipping, main)
    for ax in axes:
        style.log_axis(ax, "x", 1.0, float(first["delta_max"]))
        ax.set_xlabel(
            f"delta: {main.short} of the unseen, times worse than predicted", fontsize=style.TEXT
        )
    style.heading(
        figure,
        f"How much worse must the unseen be? Week {style.week_text(first['week'])}",
        handles,
    )
    before = tipping.curve[tipping.curve["quantity"] == "gmr"].iloc[0]
    style.caption(
        figure,
        str(first["model"]),
        reasons,
        synthetic,
        f"Unseen after withdrawal: {first['unseen']}. At delta 1 they are as the model predicts "
        "(missing at random). Shares and ratio are of the enrolled patients, not of a population. "
        f"GMR under the prior alone at delta 1: {before['median_prior']:.2f} "
        f"({before['lower_prior']:.2f}–{before['upper_prior']:.2f}). Log axes but for the "
        "probability.",
    )
    return figure


def _rows(table: pd.DataFrame) -> list[Row]:
    """A row for each strategy: given the data, then the prior alone, and the probability."""
    ratio = table["quantity"].iloc[0] == "gmr"
    scale, centre = (1.0, "median") if ratio else (100.0, "mean")
    rows = []
    for row in records(table):
        label = "\n".join(textwrap.wrap(row["assumption"] or row["strategy"], 27))
        if np.isnan(row[centre]):
            rows.append(Row(label, note=NO_LEVEL))
            continue
        (now, low, high), (before, least, most) = (
            [scale * row[f"{name}{suffix}"] for name in (centre, "lower", "upper")]
            for suffix in ("", "_prior")
        )
        estimates = (
            Estimate(now, low, high, width=2.0, filled=True),
            Estimate(before, least, most, None, style.GREY, "s", width=1.0, filled=True),
        )
        texts: tuple[str, ...] = ()
        if not np.isnan(row["probability"]):
            chances = [
                round_to_mcse(row[f"probability{suffix}"], row[f"probability_mcse{suffix}"])
                for suffix in ("", "_prior")
            ]
            texts = ("{} ({})".format(*chances),)
        rows.append(Row(label, estimates, texts=texts))
    return rows


def _strategy_axis(ax: Axes, table: pd.DataFrame, definitions: Definitions, main: Marker) -> str:
    """Scale, label and threshold of a panel, and what its probabilities are of."""
    threshold = float(table["threshold"].iloc[0])
    if table["quantity"].iloc[0] == "gmr":
        ends = table[["lower", "upper", "lower_prior", "upper_prior"]]
        style.log_axis(ax, "x", *style.log_limits(ends, [1.0]))
        ax.set_xlabel("GMR of the enrolled,\nratio to baseline", fontsize=style.TEXT)
        scale, event = 1.0, "< 1" if main.falls else "> 1"
    else:
        ax.set_xlim(-3, 103)
        ax.set_xticks((0, 50, 100))
        category = definitions.short(table["category"].iloc[0])
        ax.set_xlabel(f"Share of the enrolled:\n{category}, %", fontsize=style.TEXT)
        scale, event = 100.0, f"> {100 * threshold:g} %"
    if np.isnan(threshold):
        return ""
    line = scale * threshold
    ax.axvline(line, color=style.VERMILLION, linestyle=(0, (5, 2)), linewidth=1.1, zorder=1)
    return f"P({event})\n(prior)"


def withdrawal_strategies(
    table: pd.DataFrame,
    definitions: Definitions,
    main: Marker,
    reasons: Sequence[str],
    synthetic: bool,
) -> Figure:
    """Draw the enrolled patients' shares and ratio under each withdrawal strategy.

    Parameters
    ----------
    table : DataFrame
        From :func:`mnbayes.analyses.withdrawal.enrolled.withdrawal_table`, not empty or blank.
    definitions : Definitions
    main : Marker
        Whose ratio it is.
    reasons : sequence of str
        Why the fit did not converge; empty if it did.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        A row for each strategy, a panel for the share in each category with a benchmark and
        one for the geometric mean ratio: mean of the share or median of the ratio with the 95 %
        interval, the prior's below in grey, and beside it the probability beyond the dashed
        threshold with the prior's in brackets.
    """
    barred = set(table.loc[table["threshold"].notna(), "category"])
    shares = [category for category in definitions.responses[::-1] if category in barred]
    parts = [table[table["category"] == category] for category in (*shares, "")]
    rows = [_rows(part) for part in parts]
    height = forest_height(rows[0], row=0.48) + 0.25
    figure, axes = panels(len(parts), (3.6, height), 1, least=style.NARROW)
    for ax, part, own in zip(axes, parts, rows, strict=True):
        forest(ax, own, columns=tuple(filter(None, [_strategy_axis(ax, part, definitions, main)])))
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
    )
    style.caption(
        figure,
        str(first["model"]),
        reasons,
        synthetic,
        "P: the probability that the share exceeds its benchmark, or that the ratio is "
        f"{'below' if main.falls else 'above'} 1, given the data. These numbers are about the "
        "enrolled patients, not about the population they come from. The ratio's axis is "
        "logarithmic.",
    )
    return figure
