"""What all figures share: palette, axes in the markers' units, captions, access to draws."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import stacked
from mnbayes.base.untrusted_text import visible
from mnbayes.data.markers import Scale
from mnbayes.inference.contract import variable

type Handle = Line2D | Patch
type Dash = Literal["-", "--", "-.", ":"]
#: Of a line: colour, dash, marker.
type Look = tuple[str, Dash, str]

#: After Okabe and Ito (2008), Color Universal Design, as dark as a contrast of 3:1 to white asks
#: of a line or a point.
BLUE, ORANGE, GREEN, SKY = "#0072B2", "#B87A00", "#009E73", "#2E96D0"
VERMILLION, PURPLE, BLACK = "#D55E00", "#C06A9A", "#000000"
GREY, PALE, OLIVE = "#6E6E6E", "#8C8C8C", "#9A8B00"
#: Of the 50 % band, and of the edges of the pale 95 % band.
BAND_50 = "#5A9BC8"
MARKS = (BLUE, ORANGE, GREEN, SKY, VERMILLION, PURPLE, BLACK, GREY, PALE, OLIVE, BAND_50)
#: Of words beside a threshold, in a caption and beside a reference range: 4.5:1.
RUST, SOFT, LEAF = "#A34700", "#333333", "#00664B"
WORDS = (BLACK, RUST, SOFT, LEAF, BLUE, GREY)
#: Of areas with a darker edge, and of lines of a grid, without which nothing is lost.
BAND_95, RULE = "#CFE3F1", "#DDDDDD"

#: Line, marker and colour together, so that none of them alone tells lines apart.
LINES: tuple[Look, ...] = (
    (BLUE, "-", "o"),
    (VERMILLION, "--", "s"),
    (GREEN, "-.", "^"),
    (PURPLE, ":", "D"),
    (BLACK, "-", "v"),
    (ORANGE, "--", "P"),
    (SKY, "-.", "X"),
)

DPI = 110
#: Widest figure, and one that a phone shows whole; inches.
WIDE, NARROW = 8.6, 4.0
SMALL, TEXT, TITLE = 8.0, 8.5, 10.0
#: Most patients that a figure with one bar for each can show legibly.
BARS = 40
#: Letters of a name.
_NAME = 24

SYNTHETIC = "Synthetic cohort: no real patient."


def draws_of(result: Result, group: str, name: str, **select: object) -> Floats:
    """Draws of a variable, chains stacked.

    Parameters
    ----------
    result : Result
    group, name : str
        ``posterior`` or ``prior``, and a parameter or a patient's quantity (see
        :func:`mnbayes.inference.contract.variable`); or another group of the fit's tree and a
        variable in it.
    **select
        Coordinate to value, to pick from the variable.

    Returns
    -------
    array, shape (draw, ...)
        The remaining dims in the order in which the tree holds them.
    """
    return stacked(variable(result.fit.tree, group, name).sel(select))


def new_figure(width: float, height: float) -> Figure:
    """Create an empty figure that lays itself out when it is drawn.

    Parameters
    ----------
    width, height : float
        Inches; the height of the panels with their axes. Heading and caption add their own.
    """
    # A browser sets words a little wider than matplotlib measures them: a margin at the sides.
    layout = ConstrainedLayoutEngine(rect=(0.012, 0.0, 0.976, 1.0))
    return Figure(figsize=(min(width, WIDE), height), dpi=DPI, layout=layout)


def cell(count: int) -> tuple[float, float]:
    """Width and height of a patient's panel with its labels, inches: larger where there are few."""
    return {1: (5.2, 2.9), 2: (3.6, 2.5)}.get(count, (2.2, 1.8))


def tidy(ax: Axes) -> None:
    """Remove the box around an axes and shrink its tick labels."""
    ax.spines[["top", "right"]].set_visible(False)
    # They lie on the panel's edge: the layout need not ask where.
    ax.spines[["left", "bottom"]].set_in_layout(False)
    ax.tick_params(labelsize=SMALL)


def one_panel(ax: Axes | None, width: float, height: float) -> tuple[Axes, Figure | Axes]:
    """Axes to draw one panel into, and where its heading and caption go.

    Parameters
    ----------
    ax : Axes, optional
        The reader's own; without one a figure is made.
    width, height : float
        Of the figure, inches; see :func:`new_figure`.
    """
    if ax is not None:
        return ax, ax
    figure = new_figure(width, height)
    own = figure.subplots()
    tidy(own)
    return own, figure


def figure_of(ax: Axes) -> Figure:
    """The figure that axes belong to."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def heading(where: Figure | Axes, title: str, handles: Sequence[Handle], columns: int = 3) -> None:
    """Write the title and, under it, the key to the symbols; a figure grows by their height."""
    if isinstance(where, Axes):
        where.set_title(title, fontsize=TEXT, loc="left")
        where.legend(handles=list(handles), frameon=False, fontsize=SMALL)
        return
    width = where.get_figwidth()
    columns = _fitting([str(each.get_label()) for each in handles], columns, width)
    lines = textwrap.wrap(title, int(width * 10))
    legend = where.legend(
        handles=list(handles),
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        fontsize=TEXT,
        title="\n".join(lines),
        title_fontproperties={"size": TITLE, "weight": "bold"},
        alignment="left",
        handlelength=2.2,
        borderaxespad=0.3,
    )
    legend.get_title().set_multialignment("left")
    _grow(where, 0.08 + 0.19 * len(lines) + 0.19 * -(-len(handles) // columns))


def _fitting(labels: Sequence[str], most: int, width: float) -> int:
    """Most columns, of at most so many, in which a key fits a width in inches."""
    for columns in range(min(most, len(labels)), 1, -1):
        down = -(-len(labels) // columns)
        longest = [
            max(map(len, labels[i * down : (i + 1) * down]), default=0) for i in range(columns)
        ]
        # A letter, and a symbol with the space around it, in font sizes.
        if sum(0.58 * letters + 5.2 for letters in longest) * TEXT / 72 < width:
            return columns
    return 1


def _grow(figure: Figure, height: float) -> None:
    figure.set_figheight(figure.get_figheight() + height)


def foot(where: Figure | Axes, result: Result, synthetic: bool, *sentences: str) -> None:
    """Write the caption at the foot: model, remarks, what must not be missed."""
    caption(where, result.name, result.fit.diagnostics.reasons, synthetic, *sentences)


def caption(
    where: Figure | Axes, model: str, reasons: Sequence[str], synthetic: bool, *sentences: str
) -> None:
    """As :func:`foot`, of a model by its name and by the reasons why it did not converge.

    A figure grows by its height. Axes of the reader's own get what must not be missed, under
    their title.
    """
    warnings = []
    if reasons:
        warnings.append(f"NOT CONVERGED ({'; '.join(reasons)}): do not rely on these numbers.")
    if synthetic:
        warnings.append(SYNTHETIC)
    if isinstance(where, Axes):
        title = "\n".join([where.get_title("left"), *warnings])
        where.set_title(title, fontsize=TEXT, loc="left")
    else:
        note(where, f"Model: {model}.", *sentences, *warnings)


def note(figure: Figure, *sentences: str) -> None:
    """Write at the foot of a figure, which grows by its height."""
    said = " ".join(each for each in sentences if each and each != SYNTHETIC)
    lines = textwrap.wrap(said, int(figure.get_figwidth() * 16))
    # Never broken, and never amid other words.
    lines += [SYNTHETIC] if SYNTHETIC in sentences else []
    figure.supxlabel(
        "\n".join(lines),
        x=0.01,
        ha="left",
        fontsize=SMALL,
        color=SOFT,
        multialignment="left",
    )
    _grow(figure, 0.06 + 0.13 * len(lines))


def beside(ax: Axes, text: str, edge: int, at: float, points: float, **look: Any) -> None:
    """Write a text at the left edge of axes (0) or the right one (1), level with a value.

    Parameters
    ----------
    points : float
        To the right of the edge.
    **look
        Of the text, as matplotlib names it.
    """
    ax.annotate(
        text,
        (edge, at),
        xycoords=("axes fraction", "data"),
        xytext=(points, 0),
        textcoords="offset points",
        va="center",
        **{"fontsize": SMALL} | look,
    )


def week_text(week: float) -> str:
    """Write a week without needless decimals."""
    return f"{week:g}"


def week_axis(ax: Axes, weeks: Sequence[float], labelled: bool = True) -> None:
    """Set ticks at the visits of a week axis with real spacing.

    A visit too near its neighbour for both labels keeps its tick and loses its label.
    """
    span = max(weeks) - min(weeks)
    labels, last = [], -np.inf
    for week in weeks:
        keep = labelled and week - last >= 0.075 * span
        labels.append(week_text(week) if keep else "")
        last = week if keep else last
    ax.set_xticks(list(weeks), labels)
    ax.set_xlim(min(weeks) - 0.05 * span, max(weeks) + 0.05 * span)
    if labelled:
        ax.set_xlabel("Weeks from baseline", fontsize=TEXT)


def percent_axis(ax: Axes, which: Literal["x", "y"], label: str) -> None:
    """Make an axis one from 0 to 100 %."""
    ticks = (0, 25, 50, 75, 100)
    if which == "x":
        ax.set_xlim(0, 100)
        ax.set_xticks(ticks)
        ax.set_xlabel(label, fontsize=TEXT)
    else:
        ax.set_ylim(0, 100)
        ax.set_yticks(ticks)
        ax.set_ylabel(label, fontsize=TEXT)


def log_ticks(low: float, high: float) -> list[float]:
    """Choose four to seven round ticks of a log axis, in the unit: 0.3, 1, 3, 10 and the like."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for steps in ((1, 10), (1, 3), (1, 2, 5), (1, 2, 3, 5)):
        ticks = np.unique(np.outer(decades, steps))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if 4 <= ticks.size <= 7:
            return [float(f"{tick:.6g}") for tick in ticks]
    return linear_ticks(low, high)


def linear_ticks(low: float, high: float, least: int = 4) -> list[float]:
    """Choose round, evenly spaced ticks between two ends, at least ``least`` where it can."""
    ticks: list[float] = []
    for bins in range(least, 10):
        values = MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        ticks = [float(f"{tick:.6g}") for tick in values if low <= tick <= high]
        if len(ticks) >= least:
            break
    return ticks


def log_axis(ax: Axes, which: str, low: float, high: float, labelled: bool = True) -> None:
    """Make an axis logarithmic from ``low`` to ``high``, with plain numbers at round ticks."""
    if which == "y":
        ax.set_yscale("log")
        ax.set_ylim(low, high)
        axis: XAxis | YAxis = ax.yaxis
    else:
        ax.set_xscale("log")
        ax.set_xlim(low, high)
        axis = ax.xaxis
    ticks = log_ticks(low, high)
    if which == "x" and len(ticks) > 5:  # their numbers would touch
        ticks = ticks[::2]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([f"{t:g}" if labelled else "" for t in ticks]))
    axis.set_minor_locator(NullLocator())


def log_limits(*values: ArrayLike, margin: float = 0.06) -> tuple[float, float]:
    """Limits of a log axis around all finite values, with a margin (a share of the range)."""
    found = np.concatenate([np.ravel(np.asarray(v, dtype=float)) for v in values])
    logs = np.log(found[np.isfinite(found) & (found > 0)])
    low, high = float(logs.min()), float(logs.max())
    pad = max(margin * (high - low), 0.02)
    return float(np.exp(low - pad)), float(np.exp(high + pad))


def level_limits(scale: Scale, *values: ArrayLike, margin: float = 0.06) -> tuple[float, float]:
    """Limits of an axis of levels: of percentages (scale "logit") a linear one within 0 to 100."""
    if scale == "log":
        return log_limits(*values, margin=margin)
    found = np.concatenate([np.ravel(np.asarray(v, dtype=float)) for v in values])
    found = found[np.isfinite(found)]
    pad = max(margin * float(np.ptp(found)), 0.5)
    return max(0.0, float(found.min()) - pad), min(100.0, float(found.max()) + pad)


def level_axis(
    ax: Axes, which: str, scale: Scale, low: float, high: float, labelled: bool = True
) -> None:
    """Make an axis one of levels: logarithmic, or of percentages linear."""
    if scale == "log":
        log_axis(ax, which, low, high, labelled)
        return
    axis: XAxis | YAxis = ax.yaxis if which == "y" else ax.xaxis
    (ax.set_ylim if which == "y" else ax.set_xlim)(low, high)
    ticks = linear_ticks(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([f"{t:g}" if labelled else "" for t in ticks]))


#: What is said of an axis of levels.
AXIS_WORDS = {"log": "Log axis.", "logit": "Linear axis."}


def shown(patients: Sequence[str], most: int) -> tuple[list[str], str]:
    """Cut a list of patients to what a figure can hold, with the sentence that says so."""
    if len(patients) <= most:
        return list(patients), ""
    return list(patients[:most]), f"The first {most} of {len(patients)} patients are shown."


def short(name: str) -> str:
    """A patient's or an event's name as a figure has room for it: a long one without its middle."""
    plain = visible(name)
    return plain if len(plain) <= _NAME else f"{plain[: _NAME - 8]}…{plain[-7:]}"


def line(
    color: str, style: Dash = "-", label: str = "", width: float = 1.6, marker: str = ""
) -> Line2D:
    """Key entry of a line, with points on it where it has a marker."""
    return Line2D(
        [],
        [],
        color=color,
        linestyle=style,
        linewidth=width,
        label=label,
        marker=marker,
        markersize=4.5,
        solid_capstyle="butt",
    )


def dot(color: str, marker: str = "o", label: str = "", face: str | None = None) -> Line2D:
    """Key entry of a point."""
    return Line2D(
        [],
        [],
        color=color,
        marker=marker,
        linestyle="",
        markersize=5,
        label=label,
        markerfacecolor=color if face is None else face,
    )


def area(color: str, hatch: str = "", label: str = "", edge: str = "white") -> Patch:
    """Key entry of an area."""
    return Patch(facecolor=color, hatch=hatch, edgecolor=edge, linewidth=0.0, label=label)
