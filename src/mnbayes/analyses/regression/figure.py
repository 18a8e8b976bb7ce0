"""How much of the fall regression to the mean alone would show, over what nobody knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure

from mnbayes.analyses.regression import part as regression_part
from mnbayes.analyses.regression.bound import explaining_mean, picked_high, spread_of
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.text_table import records
from mnbayes.report.kit import style

#: Rises in orange, none in white, falls in blue; light enough for black figures.
COLORS = LinearSegmentedColormap.from_list("fall", ["#F0B88A", "#FFFFFF", "#6FA8D6"])


def regression_bound(result: Result, synthetic: bool, *, ax: Axes | None = None) -> Figure:
    """Draw the fall that regression to the mean alone would show, as a heat map.

    Parameters
    ----------
    result : Result
        With a regression table.
    synthetic : bool
        Whether to say that the cohort is synthetic.
    ax : Axes, optional
        Where to draw; a figure of its own without it.

    Returns
    -------
    Figure
        One cell for each reliability and population mean, with its fall in percent; a line where
        the fall equals the model's at the primary week, dashed for the ends of its 95 % interval.
        Figures of cells that explain the whole fall are bold.

    Raises
    ------
    ValueError
        If the result has no regression table (not the primary marker, or no exact baseline).
    """
    table = regression_part.of(result)
    if table.empty:
        raise ValueError("no regression-to-the-mean bound: no baseline of the primary marker")
    table = regression_part.stated(table)
    marker = result.catalogue[str(table["marker"].iloc[0])]
    data, primary = result.fit.observations, result.primary_week
    rows = result.estimates[result.estimates["marker"] == marker.name]
    (last,) = records(rows[rows["week"] == primary])
    ratios = [float(last[f"gmr_{name}"]) for name in ("median", "lower", "upper")]
    centre = float(table["baseline_geometric_mean"].iloc[0])
    unit, week = marker.unit, style.week_text(primary)
    high, times = picked_high(marker), int(table["screenings"].iloc[0])
    moved = "fall" if high else "rise"

    # Narrow, so that a phone shows it whole with figures large enough to read.
    ax, where = style.one_panel(ax, 4.7, 4.0)
    _cells(ax, table, ratios[0], high=high)
    handles = []
    if (ratios[0] < 1) == high:
        baselines = data.log_value[:, 0, data.markers.index(marker.name)]
        baselines = baselines[np.isfinite(baselines)]
        lines: tuple[tuple[float, style.Dash, float], ...] = (
            (ratios[0], "-", 2.2),
            (ratios[1], "--", 1.2),
            (ratios[2], "--", 1.2),
        )
        rho = np.linspace(*ax.get_ylim(), 60)
        for ratio, dash, width in lines:
            if (ratio < 1) != high:
                continue
            mean = [
                explaining_mean(
                    baselines,
                    float(each),
                    ratio,
                    spread=spread_of(marker),
                    screenings=times,
                    high=high,
                )
                for each in rho
            ]
            drawn = marker.in_units(np.array(mean))
            ax.plot(drawn, rho, color=style.BLACK, linestyle=dash, linewidth=width, zorder=3)
        between = f"{_percent(ratios[2]).removesuffix(' %')} to {_percent(ratios[1])}"
        handles = [
            style.line(style.BLACK, "-", f"{moved} under treatment: {_percent(ratios[0])}", 2.2),
            style.line(style.BLACK, "--", f"its 95 % interval: {between}", 1.2),
        ]
    whole = f"the whole estimated {moved} at week {week}"
    unknown = "Neither assumption can be checked without controls."
    most = table["gmr_regression"].min() if high else table["gmr_regression"].max()
    if (ratios[0] < 1) != high:
        meaning = f"The estimate at week {week} is no {moved}, so there is none to explain."
    elif (most > ratios[0]) == high:
        meaning = f"Under none of these assumptions does it explain {whole}. {unknown}"
    else:
        meaning = (
            f"{'Left' if high else 'Right'} of the solid line, in bold, regression to the mean "
            f"alone would explain {whole}. {unknown}"
        )
    ax.set_xlabel(f"Assumed geometric mean of the population ({unit})", fontsize=style.TEXT)
    ax.set_ylabel("Assumed reliability of one measurement (no unit)", fontsize=style.TEXT)
    style.heading(where, "Fall (%) that regression to the mean alone would show", handles, 2)
    picked = "once" if times == 1 else f"up to {times} times"
    style.foot(
        where,
        result,
        synthetic,
        f"Geometric mean baseline {centre:.{marker.decimals}f} {unit}, measured {picked} before "
        "entry. +: a rise. Horizontal log axis. "
        "Reliability: correlation of two measurements of a patient.",
        meaning,
    )
    return style.figure_of(ax)


def _percent(ratio: float) -> str:
    """A fall as a percentage; a rise has a plus sign."""
    fall = round(100 * (1 - ratio))
    return f"{fall} %" if fall >= 0 else f"+{-fall} %"


def _cells(ax: Axes, table: pd.DataFrame, seen: float, *, high: bool) -> None:
    """Colour and figure of every pair of assumptions."""
    wide = table.pivot_table(
        index="reliability", columns="population_geometric_mean", values="fall_regression"
    )
    rho, means = wide.index.to_numpy(dtype=float), wide.columns.to_numpy(dtype=float)
    falls = wide.to_numpy(dtype=float)
    most = max(float(np.abs(falls).max()), 0.05)
    # One scale for falls and rises: equally strong colours are equally large.
    norm = TwoSlopeNorm(0.0, -most, most)
    edges = np.exp(_edges(np.log(means))), _edges(rho)
    ax.pcolormesh(*edges, falls, cmap=COLORS, norm=norm, edgecolors=style.RULE, linewidth=0.6)
    style.log_axis(ax, "x", *ax.get_xlim())
    ax.set_xticks(means, [f"{mean:g}" for mean in means])
    ax.set_yticks(rho, [f"{value:g}" for value in rho])
    ax.tick_params(length=0)
    looks: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "fontsize": style.TEXT + 0.5,
        "zorder": 4,
    }
    for row, column in np.ndindex(falls.shape):
        fall = float(falls[row, column])
        explained = 1 - fall <= seen < 1 if high else 1 - fall >= seen > 1
        weight = "bold" if explained else "normal"
        # A line that runs through a figure stops short of it.
        behind = {"facecolor": COLORS(norm(fall)), "edgecolor": "none", "pad": 1.5}
        words = _percent(1 - fall).removesuffix(" %")
        place = float(means[column]), float(rho[row])
        ax.text(*place, words, fontweight=weight, bbox=behind, **looks)


def _edges(centres: Floats) -> Floats:
    """Edges of cells around their centres: halfway to the neighbours."""
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - middle[0], 2 * centres[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])
