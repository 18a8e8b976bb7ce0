"""How far each patient moves the main answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.influence import part as influence_part
from mnbayes.answers.result import Result
from mnbayes.base.text_table import records
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Catalogue
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import AXIS, Estimate, Row, forest

#: Most panels side by side that leave room for their titles.
MOST_PANELS = 5
#: Percentages with a line through the panel: the report calls 20 % and less unlikely, 80 % and
#: more likely.
TICKS = (0, 20, 50, 80, 100)

#: Kind, marker and category of an answer.
type Answer = tuple[str, str, str]


def answers(result: Result) -> list[Answer]:
    """The answers to draw, of those at the primary week, in the order of the panels."""
    table = influence_part.of(result)
    judged = [c for c in result.judged_by.stated if c in set(table["category"])][:1]
    beyond = [
        (kind, "", category)
        for category in judged
        for kind in ("next_patient", "population", "exceeds")
        if ((table["kind"] == kind) & (table["category"] == category)).any()
    ]
    ratios = [("gmr", marker, "") for marker in result.fit.observations.markers]
    # The markers that decide a response come first where not all can be drawn.
    ratios.sort(key=lambda answer: answer[1] not in result.judged_by.markers)
    return ratios[: MOST_PANELS - len(beyond)] + beyond


def _title(answer: Answer, known: Catalogue) -> str:
    kind, marker, category = answer
    if kind == "gmr":
        return f"{known[marker].mean_ratio}:\n{known[marker].label}"
    return f"{kind}:\n{category}"


def _rows(table: pd.DataFrame, scale: float, noted: bool) -> list[Row]:
    """A row for each patient left out; one without an answer says so in the first panel."""
    rows = []
    for row in records(table):
        if row["reason"]:
            rows.append(Row(row["left_out"], note="no answer" if noted else ""))
            continue
        value, error = row["value_without"], 2 * row["mcse_without"]
        ends = row["lower_without"], row["upper_without"]
        if np.isnan(ends[0]):
            ends = max(value - error, 0.0), min(value + error, 1.0)
        middle, low, high = (scale * number for number in (value, *ends))
        estimate = Estimate(middle, low, high, color=style.BLACK, width=1.1)
        rows.append(Row(row["left_out"], (estimate,)))
    return rows


def _behind(ax: Axes, table: pd.DataFrame, kind: str, scale: float) -> None:
    """The axis, and what all patients and the prior alone say."""
    numbers = [n for n in table.columns if n.startswith(("value", "lower", "upper", "prior"))]
    first = scale * table[numbers].iloc[0].astype(float)
    if kind == "gmr":
        ends = table[["lower", "upper", "lower_without", "upper_without"]]
        style.log_axis(ax, "x", *style.log_limits(ends, [1.0]))
        ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
        label = "Ratio to baseline"
    else:
        ax.set_xlim(-2, 102)
        ax.set_xticks(TICKS)
        ax.grid(axis="x", color=style.RULE, linewidth=0.7)
        label = "Share of patients, %" if kind == "population" else "Probability, %"
    ax.set_xlabel(label, fontsize=style.TEXT)
    if np.isfinite(first["lower"]):
        ax.axvspan(first["lower"], first["upper"], color=style.BAND_95, linewidth=0, zorder=0.5)
    ax.axvline(first["value"], color=style.BLUE, linewidth=1.4, zorder=2)
    ax.axvline(first["prior"], color=style.GREY, linewidth=1.2, linestyle=":", zorder=2)


def influence(result: Result, definitions: Definitions, synthetic: bool) -> Figure:
    """Draw the main answers at the primary week from refits without one patient each.

    Parameters
    ----------
    result : Result
        With influence that is not empty.
    definitions : Definitions
        Its benchmarks are drawn.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        One panel for each answer (ratios, and next_patient, population and exceeds of
        the first stated category that can be judged), one row for each patient
        left out: a point, with the 95 % equal-tailed interval of a ratio or share and with two
        Monte Carlo standard errors of a probability. A line and a band: all patients; a dotted
        line: the prior alone. A row without an answer has its reason in the caption.
    """
    week = result.primary_week
    table = influence_part.of(result)[influence_part.of(result)["week"] == week]
    chosen = answers(result)
    count = table["left_out"].nunique()
    height = (0.25 if count <= 20 else 0.17) * count + AXIS + 0.4
    figure = style.new_figure(style.WIDE if len(chosen) > 2 else 6.4, height)
    axes = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for ax, (kind, marker, category) in zip(axes, chosen, strict=True):
        part = table[(table["kind"] == kind) & (table["marker"] == marker)]
        part = part[part["category"] == category]
        scale = 1.0 if kind == "gmr" else 100.0
        style.tidy(ax)
        _behind(ax, part, kind, scale)
        if kind == "population" and category in definitions.benchmarks:
            bar = scale * definitions.benchmarks[category]
            ax.axvline(bar, color=style.VERMILLION, linestyle=(0, (5, 2)), linewidth=1.0, zorder=1)
        forest(ax, _rows(part, scale, noted=ax is axes[0]))
        ax.set_title(
            _title((kind, marker, category), result.catalogue), fontsize=style.TEXT, loc="left"
        )
    axes[0].set_ylabel("Patient left out", fontsize=style.TEXT)
    handles: list[style.Handle] = [
        style.dot(style.BLACK, label="without the patient", face="white"),
        style.line(style.BLACK, label="95 % interval, or ±2 MCSE", width=1.1),
        style.line(style.BLUE, label="all patients", width=1.4),
        style.area(style.BAND_95, label="their 95 % interval"),
        style.line(style.GREY, ":", "prior alone", 1.2),
    ]
    if "population" in [kind for kind, _, _ in chosen]:
        handles.append(style.line(style.VERMILLION, "--", "benchmark", 1.0))
    title = f"Influence of each patient on the answers at week {style.week_text(week)}"
    style.heading(figure, title, handles, 6)
    reasons = table.loc[table["reason"] != "", ["left_out", "reason"]].drop_duplicates("left_out")
    failed = [f"{row.left_out} ({row.reason})" for row in reasons.itertuples()]
    others = [m for m in result.fit.observations.markers if ("gmr", m, "") not in chosen]
    style.foot(
        figure,
        result,
        synthetic,
        "Each row is a refit without that patient. Ratios and shares have 95 % intervals, "
        "probabilities two Monte Carlo standard errors (MCSE). Change under treatment: there is "
        "no control group.",
        f"No answer: {'; '.join(failed)}." if failed else "",
        f"Not drawn: {', '.join(result.catalogue[m].label for m in others)}." if others else "",
    )
    return figure
