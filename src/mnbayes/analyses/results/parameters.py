"""The top-level parameters of a fit: their names in words, their priors against posteriors."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.results.parameter_rows import parameter_rows
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import panels
from mnbayes.report.kit.parameters import Scalar, density, scalars

#: With more parameters than this their densities give way to intervals, one row a marker.
MOST_PANELS = 18
#: Width of a posterior, in SDs of its prior, below which the data say much.
_NARROW = 0.5


def _limits(scalar: Scalar, prior: Floats, posterior: Floats) -> tuple[float, float]:
    if scalar.kind == "correlation":
        return -1.0, 1.0
    ends = np.quantile(np.stack([prior, posterior]), (0.005, 0.995), axis=1)
    low, high = float(ends[0].min()), float(ends[1].max())
    if high <= low:  # every draw the same
        low, high = low - 0.5, high + 0.5
    return (0.0, high) if scalar.kind in ("sd", "positive") else (low, high)


def _panel(ax: Axes, scalar: Scalar, prior: Floats, posterior: Floats) -> None:
    low, high = _limits(scalar, prior, posterior)
    bounded = (scalar.kind in ("sd", "positive", "correlation"), scalar.kind == "correlation")
    on_log = scalar.kind in ("level", "ratio")
    highest = 0.0
    for draws, is_prior in ((posterior, False), (prior, True)):
        grid, height = density(draws, low, high, bounded=bounded)
        grid, height = grid[::8], height[::8]  # fifty points look the same
        x = np.exp(grid) if on_log else grid
        if is_prior:
            ax.plot(x, height, "--", color=style.GREY, linewidth=1.4)
        else:
            ax.fill_between(x, 0.0, height, color=style.BAND_50, linewidth=0)
            ax.plot(x, height, color=style.BLUE, linewidth=1.4)
        highest = max(highest, float(height.max()))
    if on_log:
        style.log_axis(ax, "x", float(np.exp(low)), float(np.exp(high)))
    else:
        ax.set_xlim(low, high)
        ticks = style.linear_ticks(low, high, 3)
        ax.set_xticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    if scalar.kind == "ratio":
        ax.axvline(1.0, color=style.BLACK, linewidth=0.8, linestyle=":")
    ax.set_ylim(0, 1.05 * highest)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_title(textwrap.fill(scalar.title, 26), fontsize=style.SMALL, loc="left", pad=3)
    ax.set_xlabel(scalar.axis, fontsize=style.SMALL, labelpad=1)


def finding(result: Result) -> str:
    """What the picture shows, in words: of how many parameters the data say much."""
    items = scalars(result)
    spreads = [
        float(item.draws(result, "posterior").std() / max(item.draws(result, "prior").std(), 1e-12))
        for item in items
    ]
    narrow = sum(spread < _NARROW for spread in spreads)
    least = items[int(np.argmax(spreads))].title
    return (
        f"{narrow} of {len(items)} parameters have a posterior less than half as wide as their "
        f"prior; the data say least of: {least}"
    )


def prior_posterior(result: Result, synthetic: bool) -> Figure:
    """Draw the prior against the posterior of every top-level parameter.

    Parameters
    ----------
    result : Result
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        One panel each: prior dashed grey, posterior filled. Means are shown as levels in the
        marker's unit and as ratios, on log axes; standard deviations of log values as they are.
        Of many parameters intervals instead; see
        :func:`mnbayes.analyses.results.parameter_rows.parameter_rows`.
    """
    items = scalars(result)
    if len(items) > MOST_PANELS:
        return parameter_rows(result, items, synthetic)
    figure, axes = panels(len(items), (1.8, 1.45), 2, least=style.NARROW)
    for ax, item in zip(axes, items, strict=True):
        _panel(ax, item, item.draws(result, "prior"), item.draws(result, "posterior"))
    handles: list[style.Handle] = [
        style.line(style.GREY, "--", "prior"),
        style.area(style.BAND_50, label="posterior", edge=style.BLUE),
    ]
    if any(item.kind == "ratio" for item in items):
        handles.append(style.line(style.BLACK, ":", "ratio 1: no change"))
    style.heading(figure, "What was assumed, and what the data made of it", handles)
    style.foot(
        figure,
        result,
        synthetic,
        "Densities; levels and ratios on log axes. Where both curves agree, the data say little.",
    )
    return figure
