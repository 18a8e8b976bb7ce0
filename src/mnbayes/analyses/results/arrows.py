"""Each patient from baseline to one visit: what was measured, as arrows, and the true level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT, CARETRIGHT

from mnbayes.answers.response_draws import judge_of
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Marker
from mnbayes.report.kit import style, wording
from mnbayes.report.kit.measured import Measured, measured
from mnbayes.report.kit.thresholds import thresholds

#: Of the bar of the true level under its arrow, in rows.
_BELOW = 0.28
#: Height of a row, inches: with a patient's name, and of many without.
_ROW, _THIN = 0.32, 0.09
#: Sign of a change: the names in a sentence.
_WAYS = {-1: "lower", 0: "as at baseline", 1: "higher"}


@dataclass(frozen=True)
class Move:
    """One patient from baseline to the visit that is shown, in the marker's unit.

    Attributes
    ----------
    patient : str
    start, end : float
        As measured at baseline and at the visit; of a censored value the bound that is known
        (of an interval its middle). NaN where nothing was measured.
    week : float
        Of the visit: the asked one, or the last before it with a measurement.
    bound : bool
        Whether one of the two is a bound or an interval.
    withdrew : float
        Week of withdrawal up to the asked visit; NaN where there was none.
    level : tuple of float
        Lower end, median and upper end of the true level at that visit: 95 % equal-tailed.
    """

    patient: str
    start: float
    end: float
    week: float
    bound: bool
    withdrew: float
    level: tuple[float, float, float]

    def change(self, marker: Marker) -> float:
        """Change on the marker's scale: log ratio, or percentage points. NaN if unknown."""
        if marker.scale == "logit":
            return self.end - self.start
        return float(np.log(self.end / self.start))


def shown_marker(result: Result, definitions: Definitions) -> str:
    """The main marker of the definitions, or the model's first."""
    markers = result.fit.observations.markers
    main = judge_of(result.fit.tree, definitions).main
    return main if main in markers else markers[0]


def moves(result: Result, marker: str, week: float) -> list[Move]:
    """Each patient's move, the largest fall first; who cannot be compared comes last.

    Parameters
    ----------
    result : Result
    marker : str
        One of the model's markers.
    week : float
        One of the later visits; a patient not measured then is shown at the last visit before.
    """
    data, about = measured(result, marker), result.catalogue[marker]
    asked = int(np.flatnonzero(data.weeks == week)[0])
    level = style.draws_of(result, "posterior", "level", marker=marker)
    ends = about.in_units(np.quantile(level, (0.025, 0.5, 0.975), axis=0))
    found = []
    for row, patient in enumerate(result.fit.observations.patients):
        seen = np.flatnonzero(data.seen[row, : asked + 1])
        visit = int(seen[-1]) if seen.size else 0
        left = float(data.withdrew[row])
        low, median, high = ends[:, row, visit or asked]
        found.append(
            Move(
                patient,
                _known(data, row, 0),
                _known(data, row, visit) if visit else float("nan"),
                float(data.weeks[visit]) if visit else week,
                bool(np.isnan(data.value[row, [0, visit]]).any()),
                left if left <= week else float("nan"),
                (float(low), float(median), float(high)),
            )
        )
    sign = -1.0 if about.better == "higher" else 1.0
    return sorted(found, key=lambda move: _last(sign * move.change(about)))


def _last(value: float) -> float:
    return np.inf if np.isnan(value) else value


def _known(data: Measured, row: int, visit: int) -> float:
    """A measurement, or of a censored one what is known of it: its bound, or its middle."""
    value, low, high = (float(a[row, visit]) for a in (data.value, data.lower, data.upper))
    if not np.isnan(value):
        return value
    if np.isnan(low) and np.isnan(high):
        return float("nan")
    if not np.isfinite(high):
        return low
    return high if not low > 0 else float(np.sqrt(low * high))


def asked_change(marker: Marker, definitions: Definitions) -> float | None:
    """Largest change from baseline that a definition asks of a marker, as a factor."""
    found = [
        1 + part.threshold if part.kind == "rise_at_least" else 1 - part.threshold
        for rule in definitions.category
        for part in rule.parts
        if part.marker == marker.name and part.kind in ("fall_at_least", "rise_at_least")
    ]
    return max(found, key=lambda factor: abs(factor - 1), default=None)


def finding(result: Result, definitions: Definitions, week: float) -> str:
    """What the arrows show, in words: who fell and who rose, and how far."""
    marker = result.catalogue[shown_marker(result, definitions)]
    found = moves(result, marker.name, week)
    known = [move for move in found if not np.isnan(move.change(marker))]
    changes = [move.change(marker) for move in known]
    counts = {sign: int(np.sum(np.sign(changes) == sign)) for sign in _WAYS}
    ways = [f"{count} {_WAYS[sign]}" for sign, count in counts.items() if count or sign == -1]
    said = [f"{marker.label}, last value up to week {week:g} against baseline: of {len(known)} "]
    said[0] += f"patients {wording.listed(ways)}"
    if known:
        ranked = sorted(known, key=lambda move: move.change(marker))
        far = [f"{_change_text(m, marker)} ({m.patient})" for m in (ranked[0], ranked[-1])]
        said.append(f"From {' to '.join(far)}")
    for at, label in thresholds(marker, _of(result, definitions)):
        below = sum(move.end < at for move in known)
        limit = " ".join(label.split("\n")[1:]).lstrip("<≥ ")
        unit = "" if " " in limit else f" {marker.unit}"
        said.append(f"{below} of {len(known)} below {limit}{unit}")
    early = [move for move in known if move.week != week]
    said += [f"{move.patient} {_why(move)}" for move in early]
    return ". ".join(said)


def _of(result: Result, definitions: Definitions) -> Definitions:
    return definitions.of_markers(result.catalogue, {}, "")


def _change_text(move: Move, marker: Marker) -> str:
    change = move.change(marker)
    number = change if marker.scale == "logit" else 100 * np.expm1(change)
    unit = "points" if marker.scale == "logit" else "%"
    sign = "−" if round(number) < 0 else "+" if round(number) > 0 else "±"
    return f"{sign}{abs(number):.0f} {unit}"


def _why(move: Move) -> str:
    gone = f"left in week {move.withdrew:g}, " if not np.isnan(move.withdrew) else ""
    return f"{gone}shown at week {move.week:g}"


def arrows(
    result: Result,
    week: float,
    definitions: Definitions,
    synthetic: bool,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw each patient's measured change from baseline to one visit as an arrow.

    Parameters
    ----------
    result : Result
    week : float
        One of the later visits.
    definitions : Definitions
        Its thresholds of the marker are drawn: levels as lines, a change from baseline as a tick
        in each patient's row.
    synthetic : bool
        Whether to say that the cohort is synthetic.
    ax : Axes, optional
        Where to draw; a figure of its own without it.

    Returns
    -------
    Figure
        Of the main marker of the definitions, or of the model's first: a row for each patient,
        the best change on top; from the open circle at baseline an arrow to the measured value,
        dashed where that is of an earlier visit; under its head a thin bar, the 95 % equal-tailed
        interval of the true level at that visit, with its median.
    """
    marker = result.catalogue[shown_marker(result, definitions)]
    found = moves(result, marker.name, week)
    many = len(found) > style.BARS
    height = (_THIN if many else _ROW) * (len(found) + 1) + 0.45
    ax, where = style.one_panel(ax, style.NARROW, height)
    places = np.arange(len(found), dtype=float)
    start, end = (np.array([getattr(m, name) for m in found]) for name in ("start", "end"))
    change = np.array([move.change(marker) for move in found])
    level = np.array([move.level for move in found])
    lines = thresholds(marker, _of(result, definitions))
    asked = asked_change(marker, _of(result, definitions))
    ticks = start * asked if asked else np.full(start.size, np.nan)
    drawn = [at for at, _ in lines]
    limits = style.level_limits(marker.scale, start, end, ticks, drawn, level, margin=0.04)
    style.level_axis(ax, "x", marker.scale, *limits)
    ax.set_ylim(len(found) - 0.3, -0.7)
    early = np.array([move.week != week for move in found])
    worse = {"lower": change > 0, "higher": change < 0}.get(marker.better, change != change)
    for wrong, color in ((False, style.BLUE), (True, style.VERMILLION)):
        for is_early, dash in ((False, "-"), (True, (0, (3, 2)))):
            part = (worse == wrong) & (early == is_early) & ~np.isnan(change)
            if part.any():
                ax.hlines(
                    places[part],
                    start[part],
                    end[part],
                    color=color,
                    linewidth=0.8 if many else 1.8,
                    linestyle=dash,
                    zorder=3,
                )
        for head, rises in ((CARETLEFT, False), (CARETRIGHT, True)):
            part = (worse == wrong) & ((change > 0) == rises) & ~np.isnan(change)
            if part.any():
                _points(ax, end[part], places[part], head, color, 3.0 if many else 7.0)
    _points(ax, start, places, "o", style.BLACK, 2.0 if many else 4.5, face="white")
    _levels(ax, level, places, many)
    if asked:
        ax.plot(ticks, places, "|", color=style.RUST, markersize=4 if many else 9, zorder=2)
    for at, label in lines:
        ax.axvline(at, color=style.RUST, linestyle="--", linewidth=1.0, zorder=1)
        limit = " ".join(label.split("\n")[1:])
        ax.annotate(
            limit,
            (at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=style.SMALL,
            color=style.RUST,
        )
    _words(ax, found, marker, week, many)
    ax.set_xlabel(f"{marker.label}, {marker.unit}", fontsize=style.TEXT)
    title = f"{marker.label}: each patient from baseline to week {style.week_text(week)}"
    style.heading(where, title, _key(found, worse, early, asked, lines), 2)
    bounds = [move.patient for move in found if move.bound]
    style.foot(
        where,
        result,
        synthetic,
        f"Known only as a bound or an interval: {', '.join(bounds)}." if bounds else "",
        style.AXIS_WORDS[marker.scale],
        "Change under treatment; there is no control group.",
    )
    return style.figure_of(ax)


def _points(
    ax: Axes, x: Floats, y: Floats, symbol: object, color: str, size: float, face: str | None = None
) -> None:
    ax.plot(
        x,
        y,
        marker=symbol,
        linestyle="",
        color=color,
        markerfacecolor=face or color,
        markersize=size,
        zorder=4 if face else 5,
        clip_on=False,
    )


def _levels(ax: Axes, level: Floats, places: Floats, many: bool) -> None:
    """The true level under each arrow's head: its 95 % interval and median."""
    at = places + _BELOW
    look: dict[str, Any] = {"color": style.GREY, "zorder": 2}
    ax.hlines(at, level[:, 0], level[:, 2], linewidth=0.6 if many else 1.4, **look)
    ax.plot(level[:, 1], at, "|", markersize=2.0 if many else 5.0, **look)


def _words(ax: Axes, found: Sequence[Move], marker: Marker, week: float, many: bool) -> None:
    """Names to the left of the rows and the measured changes to their right."""
    if many:
        ax.set_yticks([])
        ax.set_ylabel(f"{len(found)} patients, in order of change", fontsize=style.TEXT)
        return
    ax.set_yticks(range(len(found)), [style.short(move.patient) for move in found])
    ax.tick_params(axis="y", length=0)
    for place, move in enumerate(found):
        words = "no change" if np.isnan(move.end) else ""
        if not np.isnan(move.change(marker)):
            words = _change_text(move, marker)
            words += f"\nweek {move.week:g}" if move.week != week else ""
            words += ", left" if move.week != week and not np.isnan(move.withdrew) else ""
        style.beside(ax, words, 1, place, 5)


def _key(
    found: Sequence[Move],
    worse: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    early: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    asked: float | None,
    lines: Sequence[tuple[float, str]],
) -> list[style.Handle]:
    handles: list[style.Handle] = [
        style.dot(style.BLACK, "o", "baseline", face="white"),
        style.line(style.BLUE, "-", "measured change", 1.8),
    ]
    if worse.any():
        handles.append(style.line(style.VERMILLION, "-", "for the worse", 1.8))
    if early.any():
        handles.append(style.line(style.BLACK, "--", "to an earlier visit", 1.8))
    handles.append(style.line(style.GREY, "-", "true level, 95 %", 1.4))
    if lines:
        handles.append(style.line(style.RUST, "--", "threshold", 1.0))
    if asked:
        size = "half of baseline" if asked == 0.5 else f"{100 * asked:.0f} % of baseline"
        handles.append(style.dot(style.RUST, "|", size))
    return handles
