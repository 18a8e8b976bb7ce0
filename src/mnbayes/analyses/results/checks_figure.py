"""Does the model describe the data: measurements against their posterior predictive intervals."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import marks
from mnbayes.report.kit import style
from mnbayes.analyses.results.trajectories import draw_interval, measured
from mnbayes.answers.results import Result


def inside(
    value: style.FloatArray, low: style.FloatArray, high: style.FloatArray
) -> NDArray[np.bool_]:
    """Whether values lie in their intervals; NaN does not."""
    return np.asarray((value >= low) & (value <= high))


def predictive_check(result: Result, marker: str, synthetic: bool) -> Figure:
    """Draw each patient's measurements against posterior predictive intervals.

    Parameters
    ----------
    result : Result
    marker : str
        One of the model's markers.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        One panel for each patient (the first 24), visits evenly spaced: 50 % and 95 %
        equal-tailed intervals of a repeat measurement, exact measurements as points, black and
        round inside the 95 % interval, red and crossed outside; intervals of censored values
        as bars. The caption says what share of *all* patients' exact values is covered.
    """
    data, text = measured(result, marker), MARKERS[marker]
    observations = result.fit.observations
    patients, cut = style.shown(observations.patients, style.PANELS)
    repeat = style.draws_of(result, "predictions", "measurement", marker=marker)
    bands = np.exp(np.quantile(repeat, style.LEVELS, axis=0))
    covered = inside(data.value, bands[0], bands[4])
    rows = slice(len(patients))
    limits = style.log_limits(bands[:, rows], data.value[rows], data.lower[rows], data.upper[rows])
    grid = style.Grid(len(patients), cell=style.cell(len(patients)), gap=(0.2, 0.32))
    figure, axes = grid.figure()
    places = np.arange(data.weeks.size, dtype=float)
    every = -(-data.weeks.size // 8)
    ticks = [style.week_text(w) if i % every == 0 else "" for i, w in enumerate(data.weeks)]
    for row, (ax, patient) in enumerate(zip(axes, patients, strict=True)):
        ax.set_xticks(places, ticks if grid.is_low(row) else [""] * len(ticks))
        ax.set_xlim(-0.6, places[-1] + 0.6)
        style.log_axis(ax, "y", *limits, labelled=grid.is_left(row))
        low_95, low_50, _, high_50, high_95 = bands[:, row]
        marks.spans(ax, places, low_95, high_95, color=style.BAND_50, linewidth=2.0, zorder=1)
        marks.spans(ax, places, low_50, high_50, color=style.BAND_50, linewidth=7.0, zorder=1)
        fits, exact = covered[row], ~np.isnan(data.value[row])
        marks.line(ax, places[fits], data.value[row, fits], "o", color=style.BLACK, markersize=4.2)
        marks.line(
            ax, places[exact & ~fits], data.value[row, exact & ~fits], "X", color=style.VERMILLION,
            markersize=7, markeredgecolor=style.BLACK, markeredgewidth=0.6, zorder=5,
        )  # fmt: skip
        for visit in np.flatnonzero(~exact & data.seen[row]):
            bounds = float(data.lower[row, visit]), float(data.upper[row, visit])
            draw_interval(ax, float(places[visit]), *bounds, limits, style.BLACK)
        ax.set_title(patient, fontsize=style.TEXT, loc="left", pad=3)
        if grid.is_left(row):
            ax.set_ylabel(text.unit, fontsize=style.TEXT)
        if grid.is_low(row):
            ax.set_xlabel("Visit, week", fontsize=style.TEXT)
    exact_all = int((~np.isnan(data.value)).sum())
    handles: list[style.Handle] = [
        style.line(style.BAND_50, width=7.0, label="repeat measurement, 50 %"),
        style.line(style.BAND_50, width=2.0, label="repeat measurement, 95 %"),
        style.dot(style.BLACK, "o", "measured, inside 95 %"),
        style.dot(style.VERMILLION, "X", "measured, outside 95 %"),
    ]
    if (np.isnan(data.value[rows]) & data.seen[rows]).any():
        handles.append(style.dot(style.BLACK, "|", "measured as an interval (arrow: open)"))
    head = style.heading(
        figure, f"{text.label}: measurements against what the fitted model predicts", handles, 4
    )
    hits = int(covered.sum())
    share = f" ({100 * hits / exact_all:.0f} %)" if exact_all else ""
    foot = style.foot(
        figure, result, synthetic, cut,
        f"{hits} of {exact_all} exact values{share} lie inside their 95 % interval; "
        "the same values were used to fit, so a little more than 95 % is expected. Log axis.",
        "No point: not measured." if not data.seen[rows].all() else "",
    )  # fmt: skip
    grid.place(figure, axes, head, foot)
    return figure
