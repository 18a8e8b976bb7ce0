"""Does the model describe the data: measurements and patients' courses against predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import special

from mnbayes.analyses.checks import part as checks_part
from mnbayes.analyses.checks.leave_one_out import LeftOut
from mnbayes.analyses.checks.part import Checks
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.data.markers import Catalogue
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import AXIS, ROW, Estimate, Row, forest, is_left, panels
from mnbayes.report.kit.measured import PANELS, Measured, draw_interval, measured

#: Most visits side by side, the gap between patients counted as one.
STRIP = 24

#: Statistic of the courses: title of its panel, and its axis.
COURSES = {
    "rebound": ("Rebound", "largest change for the\nworse between visits"),
    "spread": ("Spread of patients", "SD of the log change\nto the last visit"),
    "lag_1": ("Lag-1 correlation", "of deviations from the\npatient's own mean"),
    "residual_sd": ("Residual SD", "posterior mean in its\nprior, log scale"),
}


def inside(value: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
    """Whether values lie in their intervals; NaN does not."""
    return np.asarray((value >= low) & (value <= high))


def _crosses(ax: Axes, x: Floats, y: Floats) -> None:
    """Mark what was measured outside its 95 % interval."""
    ax.plot(
        x,
        y,
        "X",
        color=style.VERMILLION,
        markersize=7,
        markeredgecolor=style.BLACK,
        markeredgewidth=0.6,
        zorder=5,
    )


def _checks(result: Result) -> Checks:
    found = checks_part.of(result)
    if found is None:
        raise ValueError("this result has no checks: it is withheld, or they were not asked for")
    return found


def _left_out(result: Result) -> LeftOut:
    found = _checks(result)
    if found.left_out is None:
        raise ValueError(f"nothing was left out: {found.why_not}")
    return found.left_out


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
    ax.plot(at[fits], value.ravel()[fits], "o", color=style.BLACK, markersize=4.2)
    misses = ~np.isnan(value.ravel()) & ~fits
    _crosses(ax, at[misses], value.ravel()[misses])
    for place, row in zip(places, rows, strict=True):
        for visit in np.flatnonzero(np.isnan(data.value[row]) & data.seen[row]):
            bounds = float(data.lower[row, visit]), float(data.upper[row, visit])
            draw_interval(ax, float(place[visit]), *bounds, limits, style.BLACK)
        ax.axvline(float(place[0]) - 1.0, color=style.RULE, linewidth=0.8, zorder=0)
        ax.annotate(
            style.short(patients[row]),
            (float(place[0]) - 0.6, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            fontsize=style.TEXT,
        )
    ax.set_xticks(at, weeks * len(rows))
    ax.set_xlim(-1.0, (visits + 1.0) * together - 1.0)


def left_out(result: Result, marker: str, synthetic: bool) -> Figure:
    """Draw each measurement against what the others say of it.

    Parameters
    ----------
    result : Result
        With its checks, of a card.
    marker : str
        One of the model's markers.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        The patients (the first 24) side by side, in a strip or several one above another, visits
        evenly spaced: 50 % and 95 % equal-tailed intervals of a measurement as predicted without
        it, exact measurements as points, black and round inside the 95 % interval, red and
        crossed outside; intervals of censored values as bars. The caption says how many of *all*
        patients' exact values are covered.
    """
    data, text = measured(result, marker), result.catalogue[marker]
    observations = result.fit.observations
    patients, cut = style.shown(observations.patients, PANELS)
    bands = np.full((5, *observations.observed.shape), np.nan)
    bands[:, observations.observed] = _left_out(result).bands
    bands = text.in_units(bands[..., observations.markers.index(marker)])
    covered = inside(data.value, bands[0], bands[4])
    rows = slice(len(patients))
    limits = style.level_limits(
        text.scale,
        bands[:, rows],
        data.value[rows],
        data.lower[rows],
        data.upper[rows],
        margin=0.1,
    )
    together = max(1, STRIP // (data.weeks.size + 1))
    strips = -(-len(patients) // together)
    together = -(-len(patients) // strips)
    figure, axes = panels(strips, (3.6, 1.8), columns=1, least=style.NARROW)
    for strip, ax in enumerate(axes):
        style.level_axis(ax, "y", text.scale, *limits)
        ax.set_ylabel(text.unit, fontsize=style.TEXT)
        first = strip * together
        own = range(first, min(first + together, len(patients)))
        _strip(ax, patients, data, bands, own, together, limits)
    axes[-1].set_xlabel("Visits of each patient, weeks", fontsize=style.TEXT)
    handles: list[style.Handle] = [
        style.line(style.BAND_50, width=7.0, label="predicted, 50 %"),
        style.line(style.BAND_50, width=2.0, label="predicted, 95 %"),
        style.dot(style.BLACK, "o", "measured, inside 95 %"),
        style.dot(style.VERMILLION, "X", "measured, outside 95 %"),
    ]
    if (np.isnan(data.value[rows]) & data.seen[rows]).any():
        handles.append(style.dot(style.BLACK, "|", "measured as an interval (arrow: open)"))
    style.heading(
        figure, f"{text.label}: each measurement against what all others say of it", handles, 2
    )
    hits, exact = int(covered.sum()), int((~np.isnan(data.value)).sum())
    share = f" ({100 * hits / exact:.0f} %)" if exact else ""
    style.foot(
        figure,
        result,
        synthetic,
        cut,
        f"{hits} of {exact} exact values{share} lie inside the 95 % interval that the patient's "
        "other measurements and the other patients predict; about 95 % are expected. "
        f"{style.AXIS_WORDS[text.scale]}",
        "No point: not measured." if not data.seen[rows].all() else "",
    )
    return figure


def _uniform_band(count: int, at: Floats) -> tuple[Floats, Floats]:
    """Pointwise 95 % band of the share of so many uniform values that lie below each place."""
    inner = np.clip(at, 1e-9, 1 - 1e-9)
    low, high = (np.ceil(special.bdtrik(p, count, inner)) / count for p in (0.025, 0.975))
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def pit(result: Result, synthetic: bool) -> Figure:
    """Draw where the measurements lie in what the others say of them.

    Returns
    -------
    Figure
        One panel for each marker: share of measurements below each predicted probability (of a
        censored value its interval counts evenly), less that probability; 0 is as it should
        be. A band in which it lies with probability 95 % at each place.
    """
    found, data = _left_out(result), result.fit.observations
    marker = np.nonzero(data.observed)[2]
    figure, axes = panels(len(data.markers), (1.8, 1.75), 2, least=style.NARROW)
    grid = np.linspace(0, 1, 101)
    most = 25.0
    for column, (ax, name) in enumerate(zip(axes, data.markers, strict=True)):
        low, high = found.ends[marker == column].T
        width = np.maximum(high - low, 1e-9)
        share = np.clip((grid[:, None] - low) / width, 0, 1).mean(axis=1)
        below, above = _uniform_band(low.size, grid)
        most = max(most, 100 * float((above - grid).max()) + 5)
        ax.fill_between(
            100 * grid, 100 * (below - grid), 100 * (above - grid), color=style.BAND_95, linewidth=0
        )
        ax.axhline(0.0, color=style.GREY, linewidth=1.0)
        ax.plot(100 * grid, 100 * (share - grid), color=style.BLUE, linewidth=1.4)
        style.percent_axis(ax, "x", "Predicted probability\nof less, %")
        ax.set_ylabel("points", fontsize=style.TEXT)
        ax.set_title(result.catalogue[name].label, fontsize=style.TEXT, loc="left")
    for ax in axes:
        ax.set_ylim(-most, most)
    style.heading(
        figure,
        "Measurements in what the others predict (LOO-PIT)",
        [
            style.line(style.BLUE, label="share below, less predicted", width=1.4),
            style.area(style.BAND_95, label="95 % of models that are right"),
        ],
        2,
    )
    style.foot(
        figure,
        result,
        synthetic,
        "A line that falls and then rises (a lying S): predictions are too wide; rises and then "
        "falls: too narrow; above 0 throughout: measurements are lower than predicted. A "
        "patient's measurements are not independent, so the band is a guide.",
    )
    return figure


def patient_checks(result: Result, synthetic: bool) -> Figure:
    """Draw what the measured courses show against replicates of new patients.

    Returns
    -------
    Figure
        One panel for each statistic of :data:`COURSES`, one row for each marker: the 95 %
        interval and median of the replicates (of the prior for the residual SD), and what was
        measured, red and crossed outside.
    """
    table, markers = _checks(result).courses, result.fit.observations.markers
    names = [name for name in COURSES if name in set(table["statistic"])]
    height = ROW * max(len(markers), 2) + AXIS + 0.4
    figure, axes = panels(len(names), (1.8, height), 2, least=style.NARROW)
    for ax, name in zip(axes, names, strict=True):
        _panel(ax, table[table["statistic"] == name], name, markers, result.catalogue)
        if not is_left(ax):
            ax.set_yticklabels([])
    new = "new patients" in set(table["replicated"])
    style.heading(
        figure,
        f"Patients' courses against those that {'new' if new else 'the same'} patients would show",
        [
            style.line(style.BAND_50, label="95 % of replicates", width=6.0),
            style.dot(style.BLUE, "|", "their median"),
            style.dot(style.BLACK, "o", "measured, inside 95 %"),
            style.dot(style.VERMILLION, "X", "measured, outside 95 %"),
        ],
        2,
    )
    style.foot(
        figure,
        result,
        synthetic,
        "Replicated are measurements of "
        + (
            "new patients from the same population, at the same visits; "
            if new
            else "the same patients, which is lenient (the model does not say how patients are "
            "distributed); "
        )
        + "for the residual SD, its prior.",
    )
    return figure


def _panel(
    ax: Axes, table: pd.DataFrame, name: str, markers: Sequence[str], known: Catalogue
) -> None:
    title, label = COURSES[name]
    if name == "rebound":
        style.log_axis(
            ax, "x", *style.log_limits(table[["lower", "upper", "observed"]], [1.0], margin=0.1)
        )
        ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
    found = table.set_index("marker").reindex(list(markers))
    low, median, high, value = (
        found[each].to_numpy(dtype=float) for each in ("lower", "median", "upper", "observed")
    )
    rows = [
        Row(
            known[marker].short,
            (Estimate(np.nan, least, most, color=style.BAND_50, marker="", width=6.0),),
            note="" if np.isfinite(least) else "–",
        )
        for marker, least, most in zip(markers, low.tolist(), high.tolist(), strict=True)
    ]
    at = np.array(forest(ax, rows))
    ax.plot(median, at, "|", color=style.BLUE, markersize=8, markeredgewidth=1.6, zorder=4)
    fits = inside(value, low, high)
    ax.plot(value[fits], at[fits], "o", color=style.BLACK, markersize=5, zorder=5)
    misses = ~fits & ~np.isnan(value)
    _crosses(ax, value[misses], at[misses])
    ax.set_title(title, fontsize=style.TEXT, loc="left")
    ax.set_xlabel(label, fontsize=style.TEXT)
