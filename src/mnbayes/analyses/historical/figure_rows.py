"""What the figures of the historical model share: rows of shares with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.historical.fit import HistoricalResult
from mnbayes.report.kit import style

#: Inches from row to row, and over a heading.
ROW, NAME = 0.235, 0.31
PUBLISHED = "Published counts of earlier studies; no patient of the trial."


def foot(figure: Figure, result: HistoricalResult, *sentences: str) -> float:
    """Write the caption; returns its height in inches."""
    reasons = () if result.converged else result.gate.reasons
    return style.caption(figure, result.card.name, reasons, False, PUBLISHED, *sentences)


def interval(
    ax: Axes, y: float, row: dict[str, Any], names: Sequence[str], color: str, marker: str
) -> None:
    """A point with its interval, in percent."""
    centre, low, high = (100 * float(row[name]) for name in names)
    ax.hlines(y, low, high, color=color, linewidth=1.6, zorder=3)
    ax.plot(centre, y, marker, color=color, markerfacecolor="white", markersize=4.6, zorder=4)


def note(ax: Axes, y: float, text: str, color: str = style.BLACK, x: float = 1.0) -> None:
    """Write beside a row, ``x`` in widths of the axes."""
    ax.annotate(
        text, (x, y), xycoords=("axes fraction", "data"), xytext=(6, 0),
        textcoords="offset points", va="center", fontsize=style.SMALL, color=color,
    )  # fmt: skip


def group_heading(ax: Axes, y: float, text: str) -> None:
    """Name the rows that follow."""
    ax.annotate(
        text, (0, y), xycoords=("axes fraction", "data"), xytext=(3, 0),
        textcoords="offset points", va="center", fontsize=style.TEXT, weight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6}, zorder=5,
    )  # fmt: skip


def share_axis(ax: Axes, label: str) -> None:
    """Make the x-axis one of percentages."""
    ax.set_xlim(0, 100)
    ax.set_xticks([0, 20, 40, 60, 80, 100])
    ax.set_xlabel(label, fontsize=style.TEXT)
    ax.tick_params(axis="y", length=0)


def percent_range(row: dict[str, Any], names: Sequence[str]) -> str:
    """A share with its interval as text."""
    centre, low, high = (100 * float(row[name]) for name in names)
    return f"{centre:.0f} % ({low:.0f} to {high:.0f} %)"


def kind(refractory: str) -> str:
    """Patients in words."""
    return {"yes": "refractory", "no": "non-refractory", "mixed": "mixed"}[refractory]
