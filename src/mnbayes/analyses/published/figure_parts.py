"""What the figures of published facts share: the axis of ratios, points on it, the caption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.published.facts import Facts
from mnbayes.analyses.published.result import PublishedResult
from mnbayes.report.kit import style

#: Ends of every axis of ratios: a fall to a tenth, a rise to fourfold.
EDGES = (0.1, 4.0)


def about(facts: Facts) -> str:
    """Whose numbers a figure shows."""
    if facts.invented:
        return "INVENTED PAPER: no real patient."
    return "From the published numbers alone; no synthetic patient."


def caption_of(figure: Figure, result: PublishedResult, *sentences: str) -> float:
    """Write the caption at the foot; returns its height in inches."""
    return style.caption(
        figure, result.name, result.reasons, False, *sentences, about(result.facts)
    )


def ratio_axis(ax: Axes, label: str) -> None:
    """Make the x axis that of ratios to baseline, with a line at no change."""
    style.log_axis(ax, "x", *EDGES)
    ticks = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xlabel(label, fontsize=style.TEXT)
    ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)


def point(ax: Axes, y: float, ends: Sequence[float], color: str, marker: str, width: float) -> None:
    """Draw a median with its interval; what leaves the axis ends in an arrow."""
    middle, low, high = ends
    left, right = EDGES
    ax.plot(np.clip([low, high], left, right), (y, y), color=color, linewidth=width, zorder=3)
    for end, symbol, beyond in ((left, "<", low < left), (right, ">", high > right)):
        if beyond:
            ax.plot(end, y, symbol, color=color, markersize=4, zorder=4, clip_on=False)
    ax.plot(middle, y, marker, color=color, markersize=5, zorder=4)
