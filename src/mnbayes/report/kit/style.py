"""What all figures share: palette, axes in the markers' units, captions, access to draws."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from mnbayes.answers.results import Result
from mnbayes.base.labelled import stacked
from mnbayes.inference.contract import variable
from mnbayes.report.kit.panels import Sheet

type FloatArray = NDArray[np.float64]
type Handle = Line2D | Patch
type Dash = Literal["-", "--", "-.", ":"]

#: Okabe and Ito (2008), Color Universal Design.
BLUE, ORANGE, GREEN, SKY = "#0072B2", "#E69F00", "#009E73", "#56B4E9"
VERMILLION, PURPLE, BLACK = "#D55E00", "#CC79A7", "#000000"
GREY, PALE, RULE = "#6E6E6E", "#BDBDBD", "#DDDDDD"
BAND_95, BAND_50 = "#CFE3F1", "#8FC1E0"

DPI = 110
#: Widest figure, inches.
WIDE = 9.6
SMALL, TEXT, TITLE = 7.5, 8.5, 11.0
#: Most patients that a figure with one panel or bar for each can show legibly.
PANELS, BARS = 24, 40

SYNTHETIC = "Synthetic cohort: no real patient."
#: Ends of the 95 % and 50 % equal-tailed intervals and the median.
LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)


def draws_of(result: Result, group: str, name: str, **select: object) -> FloatArray:
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
    """Create an empty figure that lays itself out once, when it is drawn; inches."""
    return Sheet(figsize=(min(width, WIDE), height), dpi=DPI, layout="constrained")


@dataclass(frozen=True)
class Grid:
    """Small multiples of one size, filled row by row; all lengths in inches.

    Placed by arithmetic: letting matplotlib find the layout of twenty panels takes longer than
    drawing them. Panels share no axes either, for the same reason; give them equal limits.

    Attributes
    ----------
    count : int
        Number of panels.
    cell, gap : tuple of float
        Width and height of a panel, and between panels.
    columns : int
        Most panels side by side.
    left, right : float
        Margins.
    """

    count: int
    cell: tuple[float, float]
    gap: tuple[float, float]
    columns: int = 4
    left: float = 0.7
    right: float = 0.12

    @property
    def across(self) -> int:
        """Panels in a full row."""
        return min(self.columns, self.count)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return -(-self.count // self.across)

    def is_left(self, panel: int) -> bool:
        """Whether nothing is to the left of a panel."""
        return panel % self.across == 0

    def is_right(self, panel: int) -> bool:
        """Whether nothing is to the right of a panel."""
        return (panel + 1) % self.across == 0 or panel == self.count - 1

    def is_low(self, panel: int) -> bool:
        """Whether nothing is below a panel."""
        return panel + self.across >= self.count

    def figure(self) -> tuple[Figure, list[Axes]]:
        """Create the figure and its panels, not yet in their places."""
        used = self.across * (self.cell[0] + self.gap[0]) - self.gap[0]
        figure = Sheet(figsize=(max(self.left + used + self.right, 5.6), 4), dpi=DPI)
        axes = [figure.add_axes((0, 0, 1, 1), label=str(n)) for n in range(self.count)]
        for ax in axes:
            tidy(ax)
        return figure, axes

    def place(self, figure: Figure, axes: Sequence[Axes], head: float, foot: float) -> None:
        """Put the panels between heading and caption, and fit the figure's height to them."""
        width = float(figure.get_size_inches()[0])
        title, ticks = 0.27, 0.5
        rows_high = self.rows * (self.cell[1] + self.gap[1]) - self.gap[1]
        height = head + title + rows_high + ticks + foot
        figure.set_size_inches(width, height)
        for panel, ax in enumerate(axes):
            row, column = divmod(panel, self.across)
            x = self.left + column * (self.cell[0] + self.gap[0])
            y = height - head - title - row * (self.cell[1] + self.gap[1]) - self.cell[1]
            ax.set_position((x / width, y / height, self.cell[0] / width, self.cell[1] / height))


def cell(count: int) -> tuple[float, float]:
    """Width and height of a patient's panel, inches: larger where there are few."""
    return {1: (4.3, 2.4), 2: (3.2, 2.0)}.get(count, (1.9, 1.45))


def tidy(ax: Axes) -> None:
    """Remove the box around an axes and shrink its tick labels."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)


def heading(figure: Figure, title: str, handles: Sequence[Handle], columns: int = 3) -> float:
    """Write the title and, under it, the key to the symbols; returns their height in inches."""
    width = float(figure.get_size_inches()[0])
    columns = columns if width > 7 else 2
    lines = textwrap.wrap(title, int(width * 10))
    legend = figure.legend(
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
    return 0.08 + 0.19 * len(lines) + 0.19 * -(-len(handles) // columns)


def foot(figure: Figure, result: Result, synthetic: bool, *sentences: str) -> float:
    """Write the caption at the foot: model, remarks, what must not be missed.

    Returns its height in inches.
    """
    return caption(figure, result.name, result.fit.diagnostics.reasons, synthetic, *sentences)


def caption(
    figure: Figure, model: str, reasons: Sequence[str], synthetic: bool, *sentences: str
) -> float:
    """As :func:`foot`, of a model by its name and by the reasons why it did not converge."""
    parts = [f"Model: {model}.", *filter(None, sentences)]
    if reasons:
        parts.append(f"NOT CONVERGED ({'; '.join(reasons)}): do not rely on these numbers.")
    if synthetic:
        parts.append(SYNTHETIC)
    width = float(figure.get_size_inches()[0])
    lines = textwrap.wrap(" ".join(parts), int(width * 16))
    figure.supxlabel(
        "\n".join(lines),
        x=0.01, ha="left", fontsize=SMALL, color="#333333", multialignment="left",
    )  # fmt: skip
    return 0.06 + 0.13 * len(lines)


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


def log_ticks(low: float, high: float) -> list[float]:
    """Choose four to seven round ticks of a log axis, in the unit: 0.3, 1, 3, 10 and the like."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for steps in ((1, 10), (1, 3), (1, 2, 5)):
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


def shown(patients: Sequence[str], most: int) -> tuple[list[str], str]:
    """Cut a list of patients to what a figure can hold, with the sentence that says so."""
    if len(patients) <= most:
        return list(patients), ""
    return list(patients[:most]), f"The first {most} of {len(patients)} patients are shown."


def line(color: str, style: Dash = "-", label: str = "", width: float = 1.6) -> Line2D:
    """Key entry of a line."""
    return Line2D(
        [], [], color=color, linestyle=style, linewidth=width, label=label,
        solid_capstyle="butt",
    )  # fmt: skip


def dot(color: str, marker: str = "o", label: str = "", face: str | None = None) -> Line2D:
    """Key entry of a point."""
    return Line2D(
        [], [], color=color, marker=marker, linestyle="", markersize=5, label=label,
        markerfacecolor=color if face is None else face,
    )  # fmt: skip


def area(color: str, hatch: str = "", label: str = "", edge: str = "white") -> Patch:
    """Key entry of an area."""
    return Patch(facecolor=color, hatch=hatch, edgecolor=edge, linewidth=0.0, label=label)
