"""How much of the change regression to the mean alone would show."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mnbayes.markers import MARKERS
from mnbayes.plots import style
from mnbayes.remission import PROTEIN
from mnbayes.results import Result

LOOKS = (
    (style.BLUE, "o", "-"), (style.ORANGE, "s", "--"), (style.GREEN, "^", "-."),
    (style.PURPLE, "D", ":"), (style.SKY, "v", "-"), (style.VERMILLION, "P", "--"),
)  # fmt: skip


def regression_bound(result: Result, synthetic: bool) -> Figure:
    """Draw the ratio to baseline that regression to the mean alone would show.

    Parameters
    ----------
    result : Result
        With a regression table.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        A line over reliability for each assumed population mean, and the model's ratio at the
        last visit with its 95 % interval across.

    Raises
    ------
    ValueError
        If the result has no regression table (no 24-h protein, or no exact baseline).
    """
    table = result.regression
    if table.empty:
        raise ValueError("no regression-to-the-mean bound: the model has no 24-h protein baseline")
    last = result.estimates.loc[result.estimates["marker"] == PROTEIN].iloc[-1]
    median, low, high = (float(last[f"gmr_{name}"]) for name in ("median", "lower", "upper"))
    unit, week = MARKERS[PROTEIN].unit, style.week_text(float(last["week"]))

    figure = style.new_figure(7.6, 4.7)
    ax = figure.subplots()
    style.tidy(ax)
    handles: list[style.Handle] = []
    groups = table.groupby("population_geometric_mean")
    for number, (mean, part) in enumerate(groups):
        color, marker, dash = LOOKS[number % len(LOOKS)]
        drawn = part.sort_values("reliability")
        (entry,) = ax.plot(
            drawn["reliability"], drawn["gmr_regression"], color=color, marker=marker,
            linestyle=dash, markersize=5.5, linewidth=1.5, zorder=3,
            label=f"population mean {mean:g} {unit}",
        )  # fmt: skip
        handles.append(entry)
    ax.axhline(1.0, color=style.GREY, linewidth=0.8, zorder=1)
    if np.isfinite(median):
        ax.axhspan(low, high, facecolor="#ECECEC", zorder=0)
        ax.axhline(median, color=style.BLACK, linewidth=1.6, zorder=2)
        ax.annotate(
            f"seen under treatment,\nweek {week}:\n{median:.2f} ({low:.2f}–{high:.2f})",
            (1, median), xycoords=("axes fraction", "data"), xytext=(5, 0),
            textcoords="offset points", va="center", fontsize=style.SMALL,
        )  # fmt: skip
        handles.append(style.line(style.BLACK, "-", f"model's ratio at week {week}"))
        handles.append(style.area("#ECECEC", label="its 95 % interval"))
    limits = style.log_limits(table["gmr_regression"], [median, low, high, 1.0])
    style.log_axis(ax, "y", *limits)
    ax.set_xticks(sorted(table["reliability"].unique()))
    ax.set_xlabel(
        "Assumed reliability of one measurement (correlation with a later one)",
        fontsize=style.TEXT,
    )
    ax.set_ylabel("Ratio to baseline (no unit)", fontsize=style.TEXT)
    style.heading(
        figure, "Regression to the mean alone: the ratio it would show without any change",
        handles, 3,
    )  # fmt: skip
    centre = float(table["baseline_geometric_mean"].iloc[0])
    style.foot(
        figure, result, synthetic,
        f"Geometric mean baseline {centre:.2f} {unit}. Where a curve lies at or below the black "
        "line, regression to the mean alone could explain the whole fall. Neither the reliability "
        "nor the population mean can be learned from a trial without controls. Log axis.",
    )  # fmt: skip
    return figure
