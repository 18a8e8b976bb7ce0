"""How far each patient moves the main answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.influence import part as influence_part
from mnbayes.answers.response_draws import ALBUMIN, PROTEIN
from mnbayes.answers.result import Result
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import marks, style

#: Most panels side by side that leave room for their titles.
MOST_PANELS = 5
#: Percentages with a line through the panel: the report calls 20 % and less unlikely, 80 % and
#: more likely.
TICKS = (0, 20, 50, 80, 100)

#: Kind, marker and category of an answer.
type Answer = tuple[str, str, str]


def answers(result: Result) -> list[Answer]:
    """The answers to draw, of those at the last visit, in the order of the panels."""
    table = influence_part.of(result)
    judged = [c for c in ("remission", "effective") if c in set(table["category"])][:1]
    beyond = [
        (kind, "", category)
        for category in judged
        for kind in ("next_patient", "population", "exceeds")
        if ((table["kind"] == kind) & (table["category"] == category)).any()
    ]
    ratios = [("gmr", marker, "") for marker in result.fit.observations.markers]
    # The markers that decide a response come first where not all can be drawn.
    ratios.sort(key=lambda answer: answer[1] not in (PROTEIN, ALBUMIN))
    return ratios[: MOST_PANELS - len(beyond)] + beyond


def _title(answer: Answer) -> str:
    kind, marker, category = answer
    if kind == "gmr":
        return f"GMR:\n{MARKERS[marker].label}"
    return f"{kind}:\n{category}"


def _panel(ax: Axes, rows: pd.DataFrame, answer: Answer, benchmark: float | None) -> None:
    kind = answer[0]
    scale = 1.0 if kind == "gmr" else 100.0
    numbers = rows.drop(columns=["left_out", "reason"]).astype(float) * scale
    first = numbers.iloc[0]
    if kind == "gmr":
        ends = numbers[["lower", "upper", "lower_without", "upper_without"]]
        style.log_axis(ax, "x", *style.log_limits(ends, [1.0]))
        ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
        ax.set_xlabel("Ratio to baseline", fontsize=style.TEXT)
    else:
        ax.set_xlim(-2, 102)
        ax.set_xticks(TICKS)
        ax.grid(axis="x", color=style.RULE, linewidth=0.7)
        ax.set_xlabel(
            "Share of patients, %" if kind == "population" else "Probability, %",
            fontsize=style.TEXT,
        )
    if np.isfinite(first["lower"]):
        ax.axvspan(first["lower"], first["upper"], color=style.BAND_95, linewidth=0, zorder=0.5)
    ax.axvline(first["value"], color=style.BLUE, linewidth=1.4, zorder=2)
    ax.axvline(first["prior"], color=style.GREY, linewidth=1.2, linestyle=":", zorder=2)
    if benchmark is not None:
        ax.axvline(100 * benchmark, color=style.VERMILLION, linestyle=(0, (5, 2)), linewidth=1.0,
                   zorder=1)  # fmt: skip
    places = np.arange(len(rows))
    low, high = numbers["lower_without"], numbers["upper_without"]
    error = 2 * numbers["mcse_without"]
    low = low.where(low.notna(), (numbers["value_without"] - error).clip(lower=0))
    high = high.where(high.notna(), (numbers["value_without"] + error).clip(upper=scale))
    marks.rows(ax, places, low, high, color=style.BLACK, linewidth=1.1, zorder=3)
    ax.plot(numbers["value_without"], places, "o", color=style.BLACK, markerfacecolor="white",
            markersize=4, zorder=4)  # fmt: skip
    ax.set_title(_title(answer), fontsize=style.TEXT, loc="left")
    ax.set_ylim(len(rows) - 0.4, -0.6)


def influence(result: Result, definitions: Definitions, synthetic: bool) -> Figure:
    """Draw the main answers at the last visit from refits without one patient each.

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
        remission, or of effective where remission cannot be judged), one row for each patient
        left out: a point, with the 95 % equal-tailed interval of a ratio or share and with two
        Monte Carlo standard errors of a probability. A line and a band: all patients; a dotted
        line: the prior alone. A row without an answer has its reason in the caption.
    """
    week = result.fit.observations.weeks[-1]
    table = influence_part.of(result)[influence_part.of(result)["week"] == week]
    chosen = answers(result)
    patients = table["left_out"].unique().tolist()
    count = len(patients)
    high = 0.25 if count <= 20 else 0.17
    figure = style.new_figure(style.WIDE if len(chosen) > 2 else 6.4, high * (count + 1) + 2.2)
    axes = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    columns = ["left_out", "prior", "value", "lower", "upper", "value_without", "lower_without",
               "upper_without", "mcse_without", "reason"]  # fmt: skip
    failed: dict[str, str] = {}
    for ax, answer in zip(axes, chosen, strict=True):
        kind, marker, category = answer
        picked = (table["kind"] == kind) & (table["marker"] == marker)
        rows = table.loc[picked & (table["category"] == category), columns]
        benchmark = definitions.benchmarks.get(category) if kind == "population" else None  # type: ignore[call-overload]
        style.tidy(ax)
        _panel(ax, rows, answer, benchmark)
        failed |= {str(p): str(why) for p, why in zip(rows["left_out"], rows["reason"], strict=True)
                   if why}  # fmt: skip
    for row, patient in enumerate(patients):
        if patient in failed:
            axes[0].annotate(
                "no answer", (0.03, row), xycoords=("axes fraction", "data"), va="center",
                fontsize=style.SMALL, color="#333333", style="italic", zorder=4,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )  # fmt: skip
    axes[0].set_yticks(np.arange(count), patients)
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
    others = [m for m in result.fit.observations.markers if ("gmr", m, "") not in chosen]
    style.foot(
        figure, result, synthetic,
        "Each row is a refit without that patient. Ratios and shares have 95 % intervals, "
        "probabilities two Monte Carlo standard errors (MCSE). Change under treatment: there is "
        "no control group.",
        "No answer: " + "; ".join(f"{p} ({why})" for p, why in failed.items()) + "."
        if failed else "",
        f"Not drawn: {', '.join(MARKERS[m].label for m in others)}." if others else "",
    )  # fmt: skip
    return figure
