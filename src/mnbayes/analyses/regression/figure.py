"""How much of a fall regression to the mean alone would show, over what nobody knows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.regression import part as regression_part
from mnbayes.analyses.regression.bound import picked_high, screened_bound, spread_of
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.text_table import records
from mnbayes.data.markers import Marker
from mnbayes.report.kit import style

#: Reliabilities of the three curves, the least first, with their looks.
RELIABILITIES: dict[float, style.Look] = {
    0.5: (style.VERMILLION, "--", "s"),
    0.7: (style.BLACK, "-", "o"),
    0.9: (style.GREEN, "-.", "^"),
}
#: Places of a curve.
_POINTS = 41


def _stated(result: Result) -> pd.DataFrame:
    table = regression_part.of(result)
    if table.empty:
        raise ValueError("no regression-to-the-mean bound: no baseline of the primary marker")
    return regression_part.stated(table)


def _estimate(result: Result, marker: Marker) -> tuple[float, float, float]:
    """Median, lower and upper end of the ratio to baseline at the primary week."""
    rows = result.estimates[result.estimates["marker"] == marker.name]
    (last,) = records(rows[rows["week"] == result.primary_week])
    return float(last["gmr_median"]), float(last["gmr_lower"]), float(last["gmr_upper"])


def _curves(result: Result, marker: Marker, table: pd.DataFrame, means: Floats) -> list[Floats]:
    """Change that regression alone would show, per cent, by reliability and population mean."""
    data = result.fit.observations
    baselines = data.log_value[:, 0, data.markers.index(marker.name)]
    baselines = baselines[np.isfinite(baselines)]
    times = int(table["screenings"].iloc[0])
    return [
        np.array(
            [
                100
                * (
                    screened_bound(
                        baselines,
                        reliability,
                        float(mean),
                        spread=spread_of(marker),
                        screenings=times,
                        high=picked_high(marker),
                    )
                    - 1
                )
                for mean in marker.on_scale(means)
            ]
        )
        for reliability in RELIABILITIES
    ]


def _change(ratio: float) -> str:
    change = round(100 * (ratio - 1))
    return f"{'−' if change < 0 else '+'}{abs(change)} %"


def finding(result: Result) -> str:
    """What the curves show, in words: the change under treatment beside what regression makes."""
    table = _stated(result)
    marker = result.catalogue[str(table["marker"].iloc[0])]
    ratio, low, high = _estimate(result, marker)
    means = sorted(set(table["population_geometric_mean"]))
    ends = []
    for mean in (means[0], means[-1]):
        at = table[table["population_geometric_mean"] == mean].set_index("reliability")
        change = _change(float(at["gmr_regression"].loc[0.7]))
        ends.append(f"{change} if the population's mean was {mean:g} {marker.unit}")
    return (
        f"{marker.label} at week {result.primary_week:g}: estimated change {_change(ratio)} (95 % "
        f"interval {_change(low)} to {_change(high)}); with a reliability of 0.7, regression to "
        f"the mean alone would show {' and '.join(ends)}"
    )


def regression_bound(result: Result, synthetic: bool, *, ax: Axes | None = None) -> Figure:
    """Draw the change that regression to the mean alone would show, as three curves.

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
        Over the assumed mean of the population, a curve for each of :data:`RELIABILITIES`; a
        line and a band at the model's change at the primary week with its 95 % interval. Where a
        curve lies beyond the line, regression to the mean alone would explain the whole change.

    Raises
    ------
    ValueError
        If the result has no regression table (not the primary marker, or no exact baseline).
    """
    table = _stated(result)
    marker = result.catalogue[str(table["marker"].iloc[0])]
    ratio, low, high = _estimate(result, marker)
    centre = float(table["baseline_geometric_mean"].iloc[0])
    swept = table["population_geometric_mean"]
    means = np.geomspace(float(swept.min()), float(swept.max()), _POINTS)
    picked_up, times = picked_high(marker), int(table["screenings"].iloc[0])
    moved = "fall" if picked_up else "rise"

    ax, where = style.one_panel(ax, style.NARROW, 3.1)
    style.level_axis(ax, "x", marker.scale, *style.level_limits(marker.scale, means, margin=0.02))
    ax.axhline(0.0, color=style.GREY, linewidth=0.8, zorder=1)
    handles: list[style.Handle] = []
    if np.isfinite(ratio):
        ends = 100 * (low - 1), 100 * (high - 1)
        ax.axhspan(*ends, facecolor=style.BAND_95, edgecolor=style.BAND_50, linewidth=0.8, zorder=0)
        ax.axhline(100 * (ratio - 1), color=style.BLUE, linewidth=2.0, zorder=2)
        handles = [
            style.line(style.BLUE, "-", f"under treatment: {_change(ratio)}", 2.0),
            style.area(style.BAND_95, label="its 95 % interval", edge=style.BAND_50),
        ]
    if means[0] <= centre <= means[-1]:
        ax.axvline(centre, color=style.GREY, linestyle=":", linewidth=1.0, zorder=1)
    curves = _curves(result, marker, table, means)
    for (reliability, (color, dash, _)), curve in zip(RELIABILITIES.items(), curves, strict=True):
        ax.plot(means, curve, color=color, linestyle=dash, linewidth=1.8, zorder=3)
        handles.append(style.line(color, dash, f"reliability {reliability:g}", 1.8))
    ax.set_xlabel(f"Assumed mean of the population, {marker.unit}", fontsize=style.TEXT)
    odds = " of the odds" if marker.scale == "logit" else ""
    ax.set_ylabel(f"Change{odds} from baseline, %", fontsize=style.TEXT)
    style.heading(where, "What regression to the mean would show", handles, 2)
    style.foot(
        where,
        result,
        synthetic,
        _meaning(ratio, curves, result.primary_week, moved, picked_up),
        f"The patients' own mean is {centre:.{marker.decimals}f} {marker.unit} (dotted), measured "
        + ("once" if times == 1 else f"up to {times} times")
        + " before entry. Reliability: correlation of two measurements of a patient. "
        f"{style.AXIS_WORDS[marker.scale]}",
    )
    return style.figure_of(ax)


def _meaning(ratio: float, curves: list[Floats], week: float, moved: str, picked_up: bool) -> str:
    """Whether any of the curves explains the whole change."""
    if not np.isfinite(ratio) or (ratio < 1) != picked_up:
        return f"The estimate at week {week:g} is no {moved}, so there is none to explain."
    whole = 100 * (ratio - 1)
    explained = [bool((c <= whole).any() if picked_up else (c >= whole).any()) for c in curves]
    unknown = "Neither mean nor reliability can be checked without controls."
    if not any(explained):
        return f"No curve reaches the {moved} under treatment. {unknown}"
    side = "below" if picked_up else "above"
    return (
        f"Where a curve lies {side} the thick line, regression to the mean alone would explain "
        f"the whole {moved}. {unknown}"
    )
