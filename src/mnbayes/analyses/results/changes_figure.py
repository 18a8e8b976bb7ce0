"""Change under treatment: of the population by visit, and of each patient at one visit."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import marks
from mnbayes.report.kit import style
from mnbayes.analyses.results.trajectories import Measured, measured
from mnbayes.answers.response_draws import PROTEIN
from mnbayes.answers.result import Result

#: Most percent above baseline that the waterfall shows; intervals beyond are cut, and say so.
HIGHEST = 150.0


def _ratio_summary(result: Result, group: str, marker: str) -> style.FloatArray:
    # Shape (level, later_visit).
    draws = style.draws_of(result, group, "visit_change", marker=marker)
    return np.asarray(np.exp(np.quantile(draws, style.LEVELS, axis=0)))


def gmr_by_visit(result: Result, synthetic: bool) -> Figure:
    """Draw the geometric mean ratio to baseline of each marker at each later visit.

    Parameters
    ----------
    result : Result
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        One panel for each marker, with its own log axis: posterior median with 50 % (thick)
        and 95 % (thin) equal-tailed intervals; the prior's beside it in grey; a line at 1.
    """
    markers, weeks = result.fit.observations.markers, result.fit.observations.weeks[1:]
    grid = style.Grid(
        len(markers),
        cell=((8.4 - 0.5 * (min(len(markers), 3) - 1)) / min(len(markers), 3), 2.3)
        if len(markers) > 1
        else (max(4.6, min(8.4, 0.9 * len(weeks))), 2.5),
        gap=(0.5, 0.75),
        columns=3,
        left=0.75,
    )
    figure, axes = grid.figure()
    places = np.arange(len(weeks), dtype=float)
    for ax, marker in zip(axes, markers, strict=True):
        posterior, prior = (_ratio_summary(result, g, marker) for g in ("posterior", "prior"))
        style.log_axis(ax, "y", *style.log_limits(posterior, prior, [1.0]))
        ax.axhline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
        for summary, shift, color, point in (
            (prior, 0.22, style.PALE, "s"),
            (posterior, 0.0, style.BLUE, "o"),
        ):
            x = places + shift
            marks.spans(ax, x, summary[0], summary[4], color=color, linewidth=1.4, zorder=2)
            marks.spans(ax, x, summary[1], summary[3], color=color, linewidth=4.5, zorder=2)
            marks.line(
                ax, x, summary[2], point, color=color, markerfacecolor="white", markersize=5,
                zorder=3,
            )  # fmt: skip
        for place, ratio in zip(places, posterior[2], strict=True):
            ax.annotate(
                f"{ratio:.2f}", (place, ratio), xytext=(-7, 0), textcoords="offset points",
                ha="right", va="center", fontsize=style.TEXT, zorder=4,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip
        ax.set_xticks(places, [style.week_text(week) for week in weeks])
        ax.set_xlim(-0.85, places[-1] + 0.7)
        ax.set_title(MARKERS[marker].label, fontsize=style.TEXT, loc="left")
        ax.set_xlabel("Visit, week", fontsize=style.TEXT)
    for ax in axes[::3]:
        ax.set_ylabel("Ratio to baseline (no unit)", fontsize=style.TEXT)
    head = style.heading(
        figure,
        "Change under treatment: geometric mean ratio to baseline",
        [
            style.dot(style.BLUE, "o", "posterior median", face="white"),
            style.line(style.BLUE, width=4.5, label="50 % interval"),
            style.line(style.BLUE, width=1.4, label="95 % interval"),
            style.dot(style.PALE, "s", "prior, the same three", face="white"),
            style.line(style.GREY, label="ratio 1: no change", width=1.0),
        ],
        columns=5,
    )
    own = "Each panel has its own scale. " if len(markers) > 1 else ""
    foot = style.foot(
        figure, result, synthetic,
        f"{own}Visits are spaced evenly, not by time; log axis. "
        "There is no control group: this is change under treatment, whatever its cause.",
    )  # fmt: skip
    grid.place(figure, axes, head, foot)
    return figure


def percent_change(log_ratio: style.FloatArray) -> style.FloatArray:
    """Percent change from baseline of a log ratio: -50 is a fall to half."""
    return np.asarray(100.0 * np.expm1(log_ratio))


def _measured_change(data: Measured, visit: int) -> tuple[style.FloatArray, style.FloatArray]:
    # Lowest and highest percent change that the measurements allow, shape (patient,); equal
    # where both are exact, NaN where either is missing.
    low = np.where(np.isnan(data.value), data.lower, data.value)
    high = np.where(np.isnan(data.value), data.upper, data.value)
    with np.errstate(divide="ignore", invalid="ignore"):
        lowest = 100.0 * (low[:, visit] / high[:, 0] - 1.0)
        highest = 100.0 * (high[:, visit] / low[:, 0] - 1.0)
    return lowest, highest


def waterfall(result: Result, week: float, definitions: Definitions, synthetic: bool) -> Figure:
    """Draw each patient's change from baseline at one visit, worst first.

    Parameters
    ----------
    result : Result
    week : float
        One of the later visits.
    definitions : Definitions
        Its falls are drawn for urine protein.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        Of 24-h urinary protein, or of the model's first marker: bars to the posterior median
        of the change of the true level, 95 % equal-tailed intervals, the measured change as a
        point; hatched where the visit was not measured and the change is predicted.
    """
    observations = result.fit.observations
    marker = PROTEIN if PROTEIN in observations.markers else observations.markers[0]
    visit = observations.weeks.index(week)
    data = measured(result, marker)
    level = style.draws_of(result, "posterior", "level", marker=marker)
    change = percent_change(level[:, :, visit] - level[:, :, 0])
    low, median, high = np.quantile(change, (0.025, 0.5, 0.975), axis=0)
    order = np.argsort(-median, kind="stable")
    names = [observations.patients[i] for i in order]
    predicted = ~data.seen[order, visit]
    count = len(order)
    many = count > style.BARS

    figure = style.new_figure(min(style.WIDE, max(5.6, 0.8 * count + 1.8)), 4.6)
    ax = figure.subplots()
    style.tidy(ax)
    places = np.arange(count)
    colors = np.where(predicted, "#D5D5D5", style.SKY)
    bars = ax.bar(
        places, median[order], width=0.72, color=colors.tolist(), edgecolor=style.BLUE,
        linewidth=0.0 if many else 0.8, zorder=2,
    )  # fmt: skip
    for bar, is_predicted in zip(bars, predicted, strict=True):
        if is_predicted:
            bar.set_hatch("///")
            bar.set_edgecolor(style.GREY)
    top = float(min(HIGHEST, max(high.max() * 1.08, 15.0)))
    marks.spans(ax, places, low[order], np.minimum(high[order], top), color=style.BLACK,
                linewidth=0.7 if many else 1.2, zorder=3)  # fmt: skip
    beyond = high[order] > top
    if beyond.any():
        ax.plot(places[beyond], np.full(beyond.sum(), top), "^", color=style.BLACK, markersize=5,
                zorder=3, clip_on=False)  # fmt: skip
    lowest, highest = (bound[order] for bound in _measured_change(data, visit))
    exact = lowest == highest
    shift = 0.0 if many else 0.2
    ax.plot(places[exact] + shift, lowest[exact], "o", color=style.VERMILLION,
            markersize=2.5 if many else 6,
            markeredgewidth=0.0 if many else 1.0, markeredgecolor="white", zorder=4)  # fmt: skip
    between = ~exact & ~np.isnan(lowest) & ~np.isnan(highest)
    marks.spans(ax, places[between] + shift, lowest[between],
                np.minimum(highest[between], top), color=style.VERMILLION, linewidth=3.0,
                zorder=4)  # fmt: skip
    ax.axhline(0.0, color=style.BLACK, linewidth=0.8)
    falls = definitions.partial.fall.at_least, definitions.effective.fall.at_least
    if marker.startswith("urine_protein"):
        for fall, label in zip(falls, ("partial remission", "effective"), strict=True):
            ax.axhline(-100 * fall, color=style.VERMILLION, linestyle=(0, (5, 2)), linewidth=1.0,
                       zorder=1)  # fmt: skip
            ax.annotate(
                f"−{100 * fall:.0f} %\n{label}", (1, -100 * fall),
                xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
                va="center", fontsize=style.SMALL, color="#A34700",
            )  # fmt: skip
    floor = min(float(low.min()), float(np.nanmin(lowest, initial=0.0)))
    ax.set_ylim(max(-100.0, floor - 8.0), top)
    ax.set_xlim(-0.6, count - 0.4)
    if many:
        ax.set_xticks([])
        ax.set_xlabel(f"Patients (n = {count}), sorted by median change", fontsize=style.TEXT)
    else:
        labels = [f"{n}\npredicted" if p else n for n, p in zip(names, predicted, strict=True)]
        crowded = count > 12
        ax.set_xticks(places, labels, rotation=90 if crowded else 0)
        ax.set_xlabel("Patient, sorted by median change", fontsize=style.TEXT)
    ax.set_ylabel("Change from baseline, %", fontsize=style.TEXT)
    handles: list[style.Handle] = [
        style.area(style.SKY, label="true change: posterior median"),
        style.line(style.BLACK, width=1.2, label="95 % interval"),
        style.dot(style.VERMILLION, "o", "measured change"),
    ]
    if predicted.any():
        handles.insert(1, style.area("#D5D5D5", "///", "predicted: not measured", style.GREY))
    if between.any():
        handles.append(style.line(style.VERMILLION, width=3.0, label="measured as an interval"))
    title = f"{MARKERS[marker].label} of each patient at week {style.week_text(week)}"
    style.heading(figure, f"{title}: change under treatment", handles, 5)
    cut = f"An arrow: the interval goes on above +{top:.0f} %." if beyond.any() else ""
    style.foot(
        figure, result, synthetic, cut,
        "Medians lie nearer to the group than single measurements do: noise is shared out.",
    )  # fmt: skip
    return figure
