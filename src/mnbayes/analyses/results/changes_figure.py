"""Change under treatment: of the population by visit, and of each patient at one visit."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.answers.response_draws import judge_of
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import CHANGES, Definitions
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height, panels
from mnbayes.report.kit.measured import Measured, measured

#: Most percent above baseline that the waterfall shows; what lies beyond is an arrow.
HIGHEST = 150.0
#: Grey of a bar whose visit was not measured.
PREDICTED = "#D5D5D5"


def _ratio_summary(result: Result, group: str, marker: str) -> Floats:
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
        One panel for each marker, with its own log axis, and a row for each visit: posterior
        median with 50 % (thick) and 95 % (thin) equal-tailed intervals; the prior's below it in
        grey; a line at 1.
    """
    markers, weeks = result.fit.observations.markers, result.fit.observations.weeks[1:]
    looks = {"posterior": (style.BLUE, "o"), "prior": (style.PALE, "s")}
    looks = {group: look for group, look in looks.items() if group in result.fit.tree.children}
    rows: dict[str, list[Row]] = {}
    limits = {}
    for marker in markers:
        found = {group: _ratio_summary(result, group, marker) for group in looks}
        limits[marker] = style.log_limits(*found.values(), [1.0])
        rows[marker] = [
            Row(
                f"week {style.week_text(week)}",
                tuple(
                    Estimate(x[2, at], x[0, at], x[4, at], (x[1, at], x[3, at]), *looks[group])
                    for group, x in found.items()
                ),
                texts=("{2:.2f} ({0:.2f} to {4:.2f})".format(*found["posterior"][:, at]),),
                color=style.BLUE,
            )
            for at, week in enumerate(weeks)
        ]
    width = 7.0 if len(markers) == 1 else 4.6
    height = forest_height(rows[markers[0]], row=0.3) + 0.25
    figure, axes = panels(len(markers), cell=(width, height), columns=2, apart=0.06)
    for ax, marker in zip(axes, markers, strict=True):
        style.log_axis(ax, "x", *limits[marker])
        ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
        forest(ax, rows[marker])
        ax.set_title(result.catalogue[marker].label, fontsize=style.TEXT, loc="left")
        ratio = result.catalogue[marker].ratio.capitalize()
        ax.set_xlabel(f"{ratio} to baseline (no unit)", fontsize=style.TEXT)
    style.heading(
        figure,
        "Change under treatment: geometric mean ratio to baseline",
        [
            style.dot(style.BLUE, "o", "posterior median", face="white"),
            style.line(style.BLUE, width=4.5, label="50 % interval"),
            style.line(style.BLUE, width=1.6, label="95 % interval"),
            style.dot(style.PALE, "s", "prior, the same three", face="white"),
            style.line(style.GREY, label="ratio 1: no change", width=1.0),
        ],
        columns=5,
    )
    style.foot(
        figure,
        result,
        synthetic,
        "Each panel has its own scale." if len(markers) > 1 else "",
        "Numbers: posterior median with 95 % interval. Log axis. "
        "There is no control group: this is change under treatment, whatever its cause.",
    )
    return figure


def percent_change(log_ratio: Floats) -> Floats:
    """Percent change from baseline of a log ratio: -50 is a fall to half."""
    return np.asarray(100.0 * np.expm1(log_ratio))


def _measured_change(data: Measured, visit: int, *, points: bool) -> tuple[Floats, Floats]:
    # Lowest and highest percent change (or difference in percentage points) that the
    # measurements allow, shape (patient,); equal where both are exact, NaN where either is missing.
    low = np.where(np.isnan(data.value), data.lower, data.value)
    high = np.where(np.isnan(data.value), data.upper, data.value)
    if points:
        return low[:, visit] - high[:, 0], high[:, visit] - low[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        lowest = 100.0 * (low[:, visit] / high[:, 0] - 1.0)
        highest = 100.0 * (high[:, visit] / low[:, 0] - 1.0)
    return lowest, highest


def _beyond(ax: Axes, places: Floats, values: Floats, color: str) -> bool:
    """Mark with an arrow at the top what lies above the axis; whether anything does."""
    top = ax.get_ylim()[1]
    high = values > top
    if high.any():
        at = np.full(int(high.sum()), top)
        ax.plot(places[high], at, "^", color=color, markersize=6, zorder=5, clip_on=False)
    return bool(high.any())


def _draw_measured(ax: Axes, places: Floats, lowest: Floats, highest: Floats) -> tuple[bool, bool]:
    """Draw measured changes; whether one is an interval, and whether one leaves the axis."""
    many, top = len(places) > style.BARS, ax.get_ylim()[1]
    exact = lowest == highest
    ax.plot(
        places[exact],
        np.where(lowest > top, np.nan, lowest)[exact],
        "o",
        color=style.VERMILLION,
        markersize=2.5 if many else 6,
        markeredgewidth=0.0 if many else 1.0,
        markeredgecolor="white",
        zorder=4,
        clip_on=False,
    )
    between = ~exact & ~np.isnan(lowest) & ~np.isnan(highest)
    within = between & (lowest <= top)
    ax.vlines(
        places[within],
        lowest[within],
        np.minimum(highest[within], top),
        color=style.VERMILLION,
        linewidth=3.0,
        zorder=4,
    )
    cut = _beyond(ax, places, np.where(exact | between, highest, np.nan), style.VERMILLION)
    return bool(between.any()), cut


def waterfall(
    result: Result,
    week: float,
    definitions: Definitions,
    synthetic: bool,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw each patient's change from baseline at one visit, worst first.

    Parameters
    ----------
    result : Result
    week : float
        One of the later visits.
    definitions : Definitions
        The changes that they ask of the marker are drawn.
    synthetic : bool
        Whether to say that the cohort is synthetic.
    ax : Axes, optional
        Where to draw; a figure of its own without it.

    Returns
    -------
    Figure
        Of the main marker of the definitions, or of the model's first: bars to the posterior median
        of the change of the true level, 95 % equal-tailed intervals, the measured change as a
        point; hatched where the visit was not measured and the change is predicted. What lies
        above the axis is an arrow at its top.
    """
    observations = result.fit.observations
    judged = judge_of(result.fit.tree, definitions)
    marker = judged.main if judged.main in observations.markers else observations.markers[0]
    visit = observations.weeks.index(week)
    data = measured(result, marker)
    level = style.draws_of(result, "posterior", "level", marker=marker)
    about = result.catalogue[marker]
    if about.scale == "log":
        change = percent_change(level[:, :, visit] - level[:, :, 0])
    else:
        change = about.in_units(level[:, :, visit]) - about.in_units(level[:, :, 0])
    low, median, high = np.quantile(change, (0.025, 0.5, 0.975), axis=0)
    # The worst first; where neither direction is better, the largest rise.
    order = np.argsort(median if about.better == "higher" else -median, kind="stable")
    low, median, high = low[order], median[order], high[order]
    lowest, highest = (
        bound[order] for bound in _measured_change(data, visit, points=about.scale == "logit")
    )
    names = [observations.patients[i] for i in order]
    predicted = ~data.seen[order, visit]
    count = len(order)
    many = count > style.BARS

    ax, where = style.one_panel(ax, max(5.6, 0.8 * count + 1.8), 3.9)
    places = np.arange(count, dtype=float)
    top = float(min(HIGHEST, max(1.08 * np.nanmax([high, highest]), 15.0)))
    floor = min(float(low.min()), float(np.nanmin(lowest, initial=0.0)))
    ax.set_ylim(max(-104.0, floor - 8.0), top)
    bars = ax.bar(
        places,
        median,
        width=0.72,
        color=np.where(predicted, PREDICTED, style.SKY).tolist(),
        edgecolor=style.BLUE,
        linewidth=0.0 if many else 0.8,
        zorder=2,
    )
    for bar, is_predicted in zip(bars, predicted, strict=True):
        if is_predicted:
            bar.set_hatch("///")
            bar.set_edgecolor(style.GREY)
    ax.vlines(
        places,
        low,
        np.minimum(high, top),
        color=style.BLACK,
        linewidth=0.7 if many else 1.2,
        zorder=3,
    )
    shift = 0.0 if many else 0.2
    cut = _beyond(ax, places, high, style.BLACK)
    between, measured_cut = _draw_measured(ax, places + shift, lowest, highest)
    ax.axhline(0.0, color=style.BLACK, linewidth=0.8)
    for rule in judged.definitions.category:
        for part in rule.parts:
            if part.marker == marker and part.kind in CHANGES:
                asked = part.threshold if part.kind.startswith("rise") else -part.threshold
                sign = "+" if asked > 0 else "−"
                label = f"{sign}{100 * abs(asked):.0f} %\n{rule.short}"
                _threshold(ax, 100 * asked, label)
    ax.set_xlim(-0.6, count - 0.4)
    if many:
        ax.set_xticks([])
        ax.set_xlabel(f"Patients (n = {count}), sorted by median change", fontsize=style.TEXT)
    else:
        labels = [f"{n}\npredicted" if p else n for n, p in zip(names, predicted, strict=True)]
        ax.set_xticks(places, labels, rotation=90 if count > 12 else 0)
        ax.set_xlabel("Patient, sorted by median change", fontsize=style.TEXT)
    unit = "%" if about.scale == "log" else "percentage points"
    ax.set_ylabel(f"Change from baseline, {unit}", fontsize=style.TEXT)
    handles: list[style.Handle] = [
        style.area(style.SKY, label="true change: posterior median"),
        style.line(style.BLACK, width=1.2, label="95 % interval"),
        style.dot(style.VERMILLION, "o", "measured change"),
    ]
    if predicted.any():
        handles.insert(1, style.area(PREDICTED, "///", "predicted: not measured", style.GREY))
    if between:
        handles.append(style.line(style.VERMILLION, width=3.0, label="measured as an interval"))
    title = f"{about.label} of each patient at week {style.week_text(week)}"
    style.heading(where, f"{title}: change under treatment", handles, 5)
    style.foot(
        where,
        result,
        synthetic,
        f"A black arrow: the interval goes on above +{top:.0f} {unit}." if cut else "",
        f"A red arrow: measured above +{top:.0f} {unit}." if measured_cut else "",
        "Medians lie nearer to the group than single measurements do: noise is shared out.",
    )
    return style.figure_of(ax)


def _threshold(ax: Axes, at: float, label: str) -> None:
    ax.axhline(at, color=style.VERMILLION, linestyle=(0, (5, 2)), linewidth=1.0, zorder=1)
    style.beside(ax, label, 1, at, 4, color="#A34700")
