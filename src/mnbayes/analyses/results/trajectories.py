"""Each patient's measurements over the true level that the model infers."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import stacked
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Marker, Reference
from mnbayes.inference.contract import PREDICTIONS, predicted
from mnbayes.inference.contract import drawn as drawn_in
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import is_left, is_low, is_right, panels
from mnbayes.report.kit.measured import LEVELS, PANELS, Measured, draw_interval, measured
from mnbayes.report.kit.thresholds import thresholds

#: Pale green and pale grey, under the bands of the true level.
REFERENCE, MEASUREMENT = "#EAF5EF", "#E9E9E9"
#: Panels side by side, and the size of one, inches: a phone shows two.
ACROSS, CELL = 2, (1.75, 1.5)


def _range_text(marker: Marker, healthy: Reference) -> str:
    return (
        f"{healthy.words} {marker.unit}, {100 * healthy.coverage:g} % range of "
        f"{healthy.population} ({marker.source.get('reference', 'no source')})"
    )


def _draw_range(
    ax: Axes, healthy: Reference, limits: tuple[float, float], labelled: Collection[float]
) -> None:
    low, high = healthy.ends
    ax.axhspan(max(low, limits[0]), min(high, limits[1]), facecolor=REFERENCE, zorder=0)
    for at in filter(None, (healthy.lower, healthy.upper)):
        ax.axhline(at, color=style.GREEN, linestyle="-.", linewidth=0.9, zorder=2)
        if at in labelled:
            style.beside(ax, f"{at:g}", 1, at, 3, color=style.LEAF)


def _repeats(result: Result, marker: str, patients: int) -> Floats | None:
    """Ends of the 95 % band of a measurement, shape (end, patient, visit); None without draws."""
    tree = result.fit.tree
    if not drawn_in(tree, PREDICTIONS["posterior"], "measurement"):
        return None
    draws = stacked(predicted(tree, "posterior").sel(marker=marker), "patient", "visit")
    ends = np.quantile(draws[:, :patients], (0.025, 0.975), axis=0)
    return np.asarray(result.catalogue[marker].in_units(ends))


def finding(result: Result, marker: str) -> str:
    """What the courses show, in words: how many were lower when last measured, and who left."""
    data, about = measured(result, marker), result.catalogue[marker]
    first, moved, known = data.value[:, 0], 0, 0
    sign, way = (1, "higher") if about.better == "higher" else (-1, "lower")
    for row in range(len(first)):
        later = data.value[row, 1:][~np.isnan(data.value[row, 1:])]
        if later.size and not np.isnan(first[row]):
            known, moved = known + 1, moved + int(sign * (later[-1] - first[row]) > 0)
    gone = [
        f"{patient} left in week {week:g}"
        for patient, week in zip(result.fit.observations.patients, data.withdrew, strict=True)
        if not np.isnan(week)
    ]
    said = [
        f"{about.label}, {int(data.seen.sum())} measurements of {len(first)} patients: {moved} of "
        f"{known} were {way} when last measured than at baseline"
    ]
    return ". ".join([*said, *gone[:6]])


def _stretches(seen: Floats) -> list[tuple[int, int, bool]]:
    # Runs of visits (first, last) joined by bands; True where one end of the stretch is predicted.
    stretches: list[tuple[int, int, bool]] = []
    for visit in range(len(seen) - 1):
        predicted = not (seen[visit] and seen[visit + 1])
        if stretches and stretches[-1][2] == predicted:
            stretches[-1] = (stretches[-1][0], visit + 1, predicted)
        else:
            stretches.append((visit, visit + 1, predicted))
    return stretches


def _panel(
    ax: Axes,
    data: Measured,
    row: int,
    bands: Floats,
    repeats: Floats | None,
    limits: tuple[float, float],
) -> None:
    # bands: (level, visit) of one patient, in the unit; repeats: ends of a measurement's band.
    if repeats is not None:
        ax.fill_between(data.weeks, *repeats, facecolor=MEASUREMENT, linewidth=0.0, zorder=0.5)
        for end in repeats:
            ax.plot(data.weeks, end, ":", color=style.PALE, linewidth=0.9, zorder=1)
    low_95, low_50, median, high_50, high_95 = bands
    for first, last, unseen in _stretches(data.seen[row]):
        part = slice(first, last + 1)
        weeks = data.weeks[part]
        for low, high, color in (
            (low_95, high_95, style.BAND_95),
            (low_50, high_50, style.BAND_50),
        ):
            hatch = "////" if unseen and color == style.BAND_95 else None
            ax.fill_between(
                weeks,
                low[part],
                high[part],
                facecolor=color,
                hatch=hatch,
                edgecolor="white",
                linewidth=0.0,
                zorder=1,
            )
        for end in (low_95, high_95):
            ax.plot(weeks, end[part], color=style.BAND_50, linewidth=0.7, zorder=2)
        dash = "--" if unseen else "-"
        ax.plot(weeks, median[part], dash, color=style.BLUE, linewidth=1.5, zorder=3)
    ax.plot(data.weeks, data.value[row], "o", color=style.BLACK, markersize=3.8, zorder=5)
    for visit, week in enumerate(data.weeks):
        if np.isnan(data.value[row, visit]) and data.seen[row, visit]:
            bounds = data.lower[row, visit], data.upper[row, visit]
            draw_interval(ax, float(week), *bounds, limits, style.BLACK)
    predicted_visits = data.weeks[~data.seen[row]]
    ax.plot(
        predicted_visits,
        median[~data.seen[row]],
        "D",
        color=style.BLUE,
        markerfacecolor="white",
        markersize=4.5,
        zorder=5,
    )


def trajectories(result: Result, marker: str, definitions: Definitions, synthetic: bool) -> Figure:
    """Draw each patient's measurements over the posterior of the patient's true level.

    Parameters
    ----------
    result : Result
    marker : str
        One of the model's markers.
    definitions : Definitions
        Its thresholds are drawn where it has any for the marker.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        One panel for each patient (the first 24), two side by side: points as measured, median
        and 50 % and 95 % equal-tailed bands of the true level, and paler behind them the 95 % band
        of a measurement, where the fit has such draws; hatched and dashed towards a visit that was
        not measured, where the level is predicted. A marker with a reference range has it shaded.
    """
    data, text = measured(result, marker), result.catalogue[marker]
    patients, cut = style.shown(result.fit.observations.patients, PANELS)
    level = style.draws_of(result, "posterior", "level", marker=marker)[:, : len(patients)]
    bands = text.in_units(np.quantile(level, LEVELS, axis=0))
    repeats = _repeats(result, marker, len(patients))
    lines = thresholds(text, definitions.of_markers(result.catalogue, {}, ""))
    healthy = text.reference
    ends = [end for end in ((healthy.lower, healthy.upper) if healthy else ()) if end]
    drawn = [at for at, _ in lines] + ends
    own = set(ends) - {at for at, _ in lines}  # a threshold has its own label
    rows = slice(len(patients))
    measured_values = data.value[rows], data.lower[rows], data.upper[rows]
    behind = bands if repeats is None else repeats
    limits = style.level_limits(text.scale, bands, behind, *measured_values, drawn)
    many = len(patients) > 2
    cell = CELL if many else style.cell(len(patients))
    figure, axes = panels(len(patients), cell, ACROSS, least=style.NARROW - 0.1)
    for row, (ax, patient) in enumerate(zip(axes, patients, strict=True)):
        style.week_axis(ax, data.weeks.tolist(), labelled=is_low(ax))
        style.level_axis(ax, "y", text.scale, *limits, labelled=is_left(ax))
        for at, label in lines:
            ax.axhline(at, color=style.VERMILLION, linestyle=(0, (5, 2)), linewidth=0.9, zorder=2)
            if is_right(ax):
                style.beside(ax, label.split("\n")[-1], 1, at, 3, color=style.RUST)
        if healthy is not None:
            _draw_range(ax, healthy, limits, own if is_right(ax) else ())
        _panel(ax, data, row, bands[:, row], None if repeats is None else repeats[:, row], limits)
        ax.set_title(style.short(patient), fontsize=style.TEXT, loc="left", pad=3)
        withdrew = data.withdrew[row]
        if not np.isnan(withdrew):
            ax.axvline(withdrew, color=style.BLACK, linestyle=":", linewidth=1.1, zorder=2)
            ax.set_title(
                f"left, week {style.week_text(withdrew)}",
                fontsize=style.SMALL,
                loc="right",
                pad=3,
            )
        if is_left(ax):
            ax.set_ylabel(text.unit, fontsize=style.TEXT)

    seen = data.seen[rows]
    handles: list[style.Handle] = [
        style.dot(style.BLACK, "o", "measured"),
        style.line(style.BLUE, "-", "true level: median"),
        style.area(style.BAND_50, label="its 50 % band"),
        style.area(style.BAND_95, label="its 95 % band", edge=style.BAND_50),
    ]
    if repeats is not None:
        handles.append(style.area(MEASUREMENT, label="measurement, 95 %", edge=style.PALE))
    if not seen.all():
        handles.append(style.dot(style.BLUE, "D", "predicted", face="white"))
        handles.append(style.area(style.BAND_95, "////", "towards predicted"))
    if (np.isnan(data.value[rows]) & seen).any():
        handles.append(style.dot(style.BLACK, "|", "measured interval"))
    if not np.isnan(data.withdrew[rows]).all():
        handles.append(style.line(style.BLACK, ":", "withdrawal"))
    if lines:
        handles.append(style.line(style.VERMILLION, "--", f"threshold, {text.unit}"))
    if healthy is not None:
        handles.append(style.line(style.GREEN, "-.", "reference range", 0.9))
    style.heading(figure, f"{text.label} of each patient, under treatment", handles, 2)
    style.foot(
        figure,
        result,
        synthetic,
        cut,
        "The level is modelled at the visits; straight lines join them. "
        f"{style.AXIS_WORDS[text.scale]}",
        "Being beyond one threshold is not yet a remission: see the definitions." if lines else "",
        f"Reference range: {_range_text(text, healthy)}; it is no target." if healthy else "",
    )
    return figure
