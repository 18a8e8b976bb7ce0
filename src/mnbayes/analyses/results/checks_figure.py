"""Does the model describe the data: measurements against their posterior predictive intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnbayes.analyses.results.trajectories import Measured, draw_interval, measured
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import panels

#: Most visits side by side, the gap between patients counted as one.
STRIP = 48


def inside(value: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
    """Whether values lie in their intervals; NaN does not."""
    return np.asarray((value >= low) & (value <= high))


def _strip(
    ax: Axes,
    patients: Sequence[str],
    data: Measured,
    bands: Floats,
    rows: range,
    together: int,
    limits: tuple[float, float],
) -> None:
    """Draw some patients side by side; ``together`` is the most that a strip holds."""
    visits = data.weeks.size
    every = -(-visits // 8)
    weeks = [style.week_text(w) if i % every == 0 else "" for i, w in enumerate(data.weeks)]
    value = data.value[rows.start : rows.stop]
    places = np.arange(visits) + (visits + 1.0) * np.arange(len(rows))[:, None]
    low_95, low_50, _, high_50, high_95 = bands[:, rows.start : rows.stop].reshape(5, -1)
    at = places.ravel()
    ax.vlines(at, low_95, high_95, color=style.BAND_50, linewidth=2.0, zorder=1)
    ax.vlines(at, low_50, high_50, color=style.BAND_50, linewidth=7.0, zorder=1)
    fits = inside(value.ravel(), low_95, high_95)
    misses = ~np.isnan(value.ravel()) & ~fits
    ax.plot(at[fits], value.ravel()[fits], "o", color=style.BLACK, markersize=4.2)
    ax.plot(
        at[misses],
        value.ravel()[misses],
        "X",
        color=style.VERMILLION,
        markersize=7,
        markeredgecolor=style.BLACK,
        markeredgewidth=0.6,
        zorder=5,
    )
    for place, row in zip(places, rows, strict=True):
        for visit in np.flatnonzero(np.isnan(data.value[row]) & data.seen[row]):
            bounds = float(data.lower[row, visit]), float(data.upper[row, visit])
            draw_interval(ax, float(place[visit]), *bounds, limits, style.BLACK)
        ax.axvline(float(place[0]) - 1.0, color=style.RULE, linewidth=0.8, zorder=0)
        ax.annotate(
            patients[row],
            (float(place[0]) - 0.6, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            fontsize=style.TEXT,
        )
    ax.set_xticks(at, weeks * len(rows))
    ax.set_xlim(-1.0, (visits + 1.0) * together - 1.0)


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
        The patients (the first 24) side by side, in a strip or several one above another, visits
        evenly spaced: 50 % and 95 % equal-tailed intervals of a repeat measurement, exact
        measurements as points, black and round inside the 95 % interval, red and crossed
        outside; intervals of censored values as bars. The caption says what share of *all*
        patients' exact values is covered.
    """
    data, text = measured(result, marker), MARKERS[marker]
    observations = result.fit.observations
    patients, cut = style.shown(observations.patients, style.PANELS)
    repeat = style.draws_of(result, "predictions", "measurement", marker=marker)
    bands = np.exp(np.quantile(repeat, style.LEVELS, axis=0))
    covered = inside(data.value, bands[0], bands[4])
    rows = slice(len(patients))
    limits = style.log_limits(
        bands[:, rows], data.value[rows], data.lower[rows], data.upper[rows], margin=0.1
    )
    together = max(1, STRIP // (data.weeks.size + 1))
    strips = -(-len(patients) // together)
    together = -(-len(patients) // strips)
    figure, axes = panels(strips, (style.WIDE, 2.2), columns=1)
    for strip, ax in enumerate(axes):
        style.log_axis(ax, "y", *limits)
        ax.set_ylabel(text.unit, fontsize=style.TEXT)
        first = strip * together
        own = range(first, min(first + together, len(patients)))
        _strip(ax, patients, data, bands, own, together, limits)
    axes[-1].set_xlabel("Patient, and visits in weeks", fontsize=style.TEXT)
    exact_all = int((~np.isnan(data.value)).sum())
    handles: list[style.Handle] = [
        style.line(style.BAND_50, width=7.0, label="repeat measurement, 50 %"),
        style.line(style.BAND_50, width=2.0, label="repeat measurement, 95 %"),
        style.dot(style.BLACK, "o", "measured, inside 95 %"),
        style.dot(style.VERMILLION, "X", "measured, outside 95 %"),
    ]
    if (np.isnan(data.value[rows]) & data.seen[rows]).any():
        handles.append(style.dot(style.BLACK, "|", "measured as an interval (arrow: open)"))
    style.heading(
        figure, f"{text.label}: measurements against what the fitted model predicts", handles, 4
    )
    hits = int(covered.sum())
    share = f" ({100 * hits / exact_all:.0f} %)" if exact_all else ""
    style.foot(
        figure,
        result,
        synthetic,
        cut,
        f"{hits} of {exact_all} exact values{share} lie inside their 95 % interval; "
        "the same values were used to fit, so a little more than 95 % is expected. Log axis.",
        "No point: not measured." if not data.seen[rows].all() else "",
    )
    return figure
