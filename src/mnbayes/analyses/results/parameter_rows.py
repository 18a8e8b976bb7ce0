"""Prior against posterior of a model with many parameters: one panel a kind, one row a marker."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import batched

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.answers.result import Result
from mnbayes.data.markers import Catalogue
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest
from mnbayes.report.kit.parameters import PER_MARKER, PER_MODEL, Scalar

#: Ends of the 95 % equal-tailed interval, and the median.
QUANTILES = (0.025, 0.5, 0.975)
ROW = 0.27
#: Title of the panel of correlations within a marker.
OWN = "own baseline and change"


def _group(item: Scalar) -> tuple[str, str]:
    """Panel of a parameter: its words and its axis label."""
    if item.variable == "correlation":
        return OWN, item.axis
    words, _ = (PER_MARKER | PER_MODEL)[item.variable]
    return words, item.axis


def _row_name(item: Scalar, known: Catalogue) -> str:
    marker = item.select.get("marker") or item.select.get("effect", "").rsplit(" ", 1)[0]
    return known[marker].short if marker in known else "all"


def _estimate(item: Scalar, result: Result, group: str) -> Estimate:
    values = np.quantile(item.draws(result, group), QUANTILES)
    low, middle, high = np.exp(values) if item.kind in ("level", "ratio") else values
    if group == "prior":
        return Estimate(middle, low, high, None, style.GREY, "|", "--", 1.2)
    return Estimate(middle, low, high, width=2.2)


def _panel(ax: Axes, items: Sequence[Scalar], result: Result) -> None:
    on_log = items[0].kind in ("level", "ratio")
    rows = [
        Row(
            _row_name(item, result.catalogue),
            tuple(_estimate(item, result, g) for g in ("posterior", "prior")),
        )
        for item in items
    ]
    ends = [end for row in rows for each in row.estimates for end in (each.low, each.high)]
    least, most = float(np.min(ends)), float(np.max(ends))
    if items[0].kind == "correlation":
        ax.set_xlim(-1.0, 1.0)
        ax.set_xticks([-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
    elif on_log:
        style.log_axis(ax, "x", least / 1.05, most * 1.05)
    else:
        ax.set_xlim(0.0, 1.05 * most)
        ticks = style.linear_ticks(0.0, 1.05 * most, 3)
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    if items[0].kind in ("ratio", "correlation"):
        none = 1.0 if on_log else 0.0
        ax.axvline(none, color=style.BLACK, linewidth=0.8, linestyle=":", zorder=1)
    forest(ax, rows)
    ax.set_xlabel(items[0].axis, fontsize=style.SMALL, labelpad=1)


def parameter_rows(result: Result, items: Sequence[Scalar], synthetic: bool) -> Figure:
    """Draw prior and posterior intervals of many top-level parameters.

    Parameters
    ----------
    result : Result
    items : sequence of Scalar
        Correlations between different markers are left to the figure of correlations.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        A panel for each kind of parameter and unit, a row for each marker: 95 % equal-tailed
        intervals with their medians, the prior's dashed and grey below the posterior's.
    """
    panels_of: dict[tuple[str, str], list[Scalar]] = {}
    for item in items:
        if item.variable == "correlation" and len(_markers_of(item)) > 1:
            continue
        panels_of.setdefault(_group(item), []).append(item)
    order = [words for words, _ in (PER_MARKER | PER_MODEL).values()] + [OWN]
    panels_of = dict(sorted(panels_of.items(), key=lambda panel: order.index(panel[0][0])))
    pairs = list(batched(panels_of.items(), 2))
    tallest = [max(len(rows) for _, rows in pair) for pair in pairs]
    heights = [ROW * count + 0.8 for count in tallest]
    figure = style.new_figure(style.NARROW, sum(heights) + 0.3)
    grid = figure.add_gridspec(len(pairs), 2, height_ratios=heights)
    for down, pair in enumerate(pairs):
        for across, ((words, _), rows) in enumerate(pair):
            ax = figure.add_subplot(grid[down, across])
            style.tidy(ax)
            _panel(ax, rows, result)
            ax.set_ylim(tallest[down] - 0.5, -0.5)
            title = textwrap.fill(words, 20)
            ax.set_title(title, fontsize=style.SMALL, loc="left", pad=3)
    handles: list[style.Handle] = [
        style.line(style.GREY, "--", "prior: median and 95 % interval"),
        style.line(style.BLUE, "-", "posterior: the same", 2.2),
        style.line(style.BLACK, ":", "no change, or no correlation"),
    ]
    style.heading(figure, "What was assumed, and what the data made of it", handles)
    style.foot(
        figure,
        result,
        synthetic,
        "Levels and ratios on log axes. Where both intervals agree, the data say little.",
    )
    return figure


def _markers_of(item: Scalar) -> set[str]:
    return {effect.rsplit(" ", 1)[0] for effect in item.select.values()}
