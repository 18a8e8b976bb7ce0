"""Figures of panels, the forest plot, and figures as SVG: plain matplotlib without pyplot."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from mnbayes.report.kit import style
from mnbayes.report.kit.svg import compact, with_dark

#: Height of a row of a forest, and of its axis with ticks and label; inches.
ROW, AXIS = 0.25, 0.55
#: Where the estimates of one row stand apart, in rows.
_APART = 0.26
#: Width of a letter in font sizes, for the columns beside a forest.
_LETTER = 0.56
#: Behind words in a panel, so that no line runs through them.
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
#: DejaVu Sans comes with matplotlib and is measured; what other machines have instead is narrower.
_FONTS = ["DejaVu Sans", "sans-serif"]


def panels(
    count: int,
    cell: tuple[float, float],
    columns: int = 4,
    apart: float | None = None,
    least: float = 5.6,
) -> tuple[Figure, list[Axes]]:
    """Create small multiples, filled row by row.

    They share no axes, which would cost more than all their drawing; give them equal limits.

    Parameters
    ----------
    count : int
        Number of panels.
    cell : tuple of float
        Width and height of a panel with its title, ticks and labels, inches.
    columns : int
        Most panels side by side.
    apart : float, optional
        Space between two side by side, in widths of a panel.
    least : float
        Least width of the figure, inches.

    Returns
    -------
    Figure, list of Axes
        :func:`mnbayes.report.kit.style.heading` and ``caption`` add their own height.
    """
    across = min(columns, count)
    down = -(-count // across)
    figure = style.new_figure(max(across * cell[0] + 0.4, least), down * cell[1] + 0.3)
    grid = figure.add_gridspec(down, across, wspace=apart)
    axes = [figure.add_subplot(grid[divmod(number, across)]) for number in range(count)]
    for ax in axes:
        style.tidy(ax)
    return figure, axes


def _cells(ax: Axes) -> tuple[int, int, list[tuple[int, int]]]:
    """Row and column of a panel, and those of all panels of its figure."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    specs = [each.get_subplotspec() for each in (ax, *figure.axes)]
    own, *places = [(s.rowspan.start, s.colspan.start) for s in specs if s is not None]
    return *own, places


def is_left(ax: Axes) -> bool:
    """Whether nothing is to the left of a panel."""
    row, column, places = _cells(ax)
    return not any(r == row and c < column for r, c in places)


def is_right(ax: Axes) -> bool:
    """Whether nothing is to the right of a panel."""
    row, column, places = _cells(ax)
    return not any(r == row and c > column for r, c in places)


def is_low(ax: Axes) -> bool:
    """Whether nothing is below a panel."""
    row, column, places = _cells(ax)
    return not any(c == column and r > row for r, c in places)


@dataclass(frozen=True)
class Estimate:
    """A point with its intervals.

    Attributes
    ----------
    middle : float
        Median or mean.
    low, high : float
        Ends of the 95 % interval, NaN where there is none.
    inner : tuple of float, optional
        Ends of the 50 % interval, drawn thick.
    color, marker : str
    dash : str
        Of the 95 % interval.
    width : float
        Of the 95 % interval, points.
    filled : bool
        Whether the marker is filled.
    """

    middle: float
    low: float
    high: float
    inner: tuple[float, float] | None = None
    color: str = style.BLUE
    marker: str = "o"
    dash: style.Dash = "-"
    width: float = 1.6
    filled: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a forest.

    Attributes
    ----------
    label : str
        To the left.
    estimates : tuple of Estimate
        From above to below, such as the posterior's and then the prior's.
    group : str
        Heading over the first of the rows that have it.
    texts : tuple of str
        To the right, one for each column.
    color : str
        Of the texts.
    note : str
        In place of estimates: why there are none.
    """

    label: str
    estimates: tuple[Estimate, ...] = ()
    group: str = ""
    texts: tuple[str, ...] = ()
    color: str = style.BLACK
    note: str = ""


def forest_height(rows: Sequence[Row], row: float = ROW) -> float:
    """Height of a forest with its axis, inches."""
    return row * (len(rows) + len({each.group for each in rows} - {""})) + AXIS


def forest(ax: Axes, rows: Sequence[Row], *, columns: Sequence[str] = ()) -> list[float]:
    """Draw estimates with intervals, one row below another.

    Parameters
    ----------
    ax : Axes
        With its scale. Where its x limits are set, what lies beyond ends in an arrow.
    rows : sequence of Row
    columns : sequence of str
        Headings of the texts beside the rows.

    Returns
    -------
    list of float
        Where on the y axis each row stands.
    """
    places, y, group = [], 0.0, ""
    for row in rows:
        if row.group and row.group != group:
            style.beside(
                ax, row.group, 0, y, 3, fontsize=style.TEXT, weight="bold", bbox=_PAPER, zorder=5
            )
            y += 1.0
        group = row.group
        places.append(y)
        y += 1.0
    limits = None if ax.get_autoscalex_on() else tuple(sorted(ax.get_xlim()))
    looks: dict[tuple[object, ...], list[tuple[float, Estimate]]] = {}
    for place, row in zip(places, rows, strict=True):
        for number, each in enumerate(row.estimates):
            at = place + _APART * (number - (len(row.estimates) - 1) / 2)
            look = each.color, each.marker, each.dash, each.width, each.filled
            looks.setdefault(look, []).append((at, each))
        if row.note:
            style.beside(
                ax, row.note, 0, place, 4, style="italic", color=style.SOFT, bbox=_PAPER, zorder=5
            )
    for drawn in looks.values():
        _estimates(ax, drawn, limits)
    ax.set_yticks(places, [row.label for row in rows])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(y - 0.4, -0.6)
    _texts(ax, places, rows, columns)
    return places


def _estimates(
    ax: Axes, drawn: Sequence[tuple[float, Estimate]], limits: tuple[float, ...] | None
) -> None:
    """Draw the estimates of one look."""
    look = drawn[0][1]
    at = np.array([place for place, _ in drawn])
    ends = np.array([(each.low, each.high) for _, each in drawn], dtype=float)
    middle = np.array([each.middle for _, each in drawn], dtype=float)
    inner = np.array([each.inner or (np.nan, np.nan) for _, each in drawn], dtype=float)
    if limits is not None:
        for side, symbol, beyond in (
            (0, "<", ends[:, 0] < limits[0]),
            (1, ">", ends[:, 1] > limits[1]),
        ):
            if beyond.any():
                edge = np.full(int(beyond.sum()), limits[side])
                ax.plot(
                    edge,
                    at[beyond],
                    symbol,
                    color=look.color,
                    markersize=max(4.0, 2 * look.width),
                    zorder=4,
                    clip_on=False,
                )
        least, most = limits
        ends, inner = np.clip(ends, least, most), np.clip(inner, least, most)
    for part, width in ((ends, look.width), (inner, 3 * look.width)):
        known = np.isfinite(part).all(axis=1)
        if known.any():
            ax.hlines(
                at[known],
                part[known, 0],
                part[known, 1],
                color=look.color,
                linewidth=width,
                linestyle=look.dash,
                zorder=3,
            )
    ax.plot(
        middle,
        at,
        look.marker,
        color=look.color,
        markerfacecolor=look.color if look.filled else "white",
        markersize=4.6,
        zorder=4,
    )


def _texts(ax: Axes, places: Sequence[float], rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Write the columns beside a forest, each as wide as its longest text."""
    count = max([len(columns), *(len(row.texts) for row in rows)])
    left = 8.0
    for number in range(count):
        written = [(places[0] - 1.0, columns[number], style.SOFT)] if number < len(columns) else []
        written += [
            (place, row.texts[number], row.color)
            for place, row in zip(places, rows, strict=True)
            if number < len(row.texts)
        ]
        for place, text, color in written:
            ax.annotate(
                text,
                (1, place),
                xycoords=("axes fraction", "data"),
                xytext=(left, 0),
                textcoords="offset points",
                va="center",
                fontsize=style.SMALL,
                color=color,
                annotation_clip=False,
            )
        longest = max((len(line) for _, text, _ in written for line in text.split("\n")), default=0)
        left += _LETTER * style.SMALL * longest + 8.0


@contextmanager
def without_collection() -> Iterator[None]:
    """Leave Python's garbage lying while a block runs.

    Figures are tens of thousands of objects that refer to each other. While they are made, the
    collector goes through all that the process holds again and again, and finds nothing.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def as_it_stands(figure: Figure) -> Figure:
    """The figure, in which "$" is a dollar: a name or a title is no formula, nor a broken one."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


@without_collection()
def svg_bytes(figure: Figure) -> bytes:
    """Render a figure as SVG; the same figure gives the same bytes: no date, no version.

    Text stays text. Ids are not unique between figures: embed each as a picture of its own.
    """
    buffer = io.BytesIO()
    as_it_stands(figure)
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "mnbayes", "font.sans-serif": _FONTS}
    ):
        engine = figure.get_layout_engine()
        if engine is not None:
            # Laid out once: saving with a layout engine draws everything twice.
            engine.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return with_dark(compact(buffer.getvalue()))
