"""Correlations between the patients' changes of two markers, prior and posterior on one axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.correlations.table import free_pairs, pair_draws
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import mcse, round_to_mcse
from mnbayes.cards.definitions import PROTEIN
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height
from mnbayes.report.kit.parameters import density

#: Inches from row to row.
ROW = 0.38
#: Every so many points of a density's grid are drawn.
_EVERY = 6


def _densities(ax: Axes, y: float, prior: Floats, posterior: Floats) -> None:
    """Both stand on y (the axis points down), the taller three quarters of a row high."""
    grid, after = density(posterior, -1.0, 1.0, bounded=(True, True))
    _, before = density(prior, -1.0, 1.0, bounded=(True, True))
    # Every so many points look the same.
    grid, after, before = grid[::_EVERY], after[::_EVERY], before[::_EVERY]
    unit = 0.75 / max(float(after.max()), float(before.max()))
    ax.fill_between(grid, y, y - after * unit, color=style.BAND_50, linewidth=0, zorder=1.5)
    seen = np.where(before > 0.01 * before.max(), y - before * unit, np.nan)
    ax.plot(grid, seen, "--", color=style.GREY, linewidth=1.2, zorder=2)


def _estimate(draws: Floats, **looks: Any) -> Estimate:
    low, median, high = np.quantile(draws, (0.025, 0.5, 0.975))
    return Estimate(median, low, high, **looks)


def correlations(result: Result, synthetic: bool, *, ax: Axes | None = None) -> Figure:
    """Draw prior and posterior of the correlation between the changes of every pair of markers.

    Parameters
    ----------
    result : Result
        Of a model whose markers' changes may correlate.
    synthetic : bool
        Whether to say that the cohort is synthetic.
    ax : Axes, optional
        Where to draw; a figure of its own without it.

    Returns
    -------
    Figure
        A row for each pair, those with 24-h protein first: the posterior's density filled with
        median and 95 % equal-tailed interval, the prior's density and interval dashed; at the
        right P(correlation > 0) and, in brackets, the same under the prior alone.

    Raises
    ------
    ValueError
        If the model has one marker, or lets no two markers' changes correlate.
    """
    chosen = free_pairs(result.fit.tree)
    if not chosen:
        raise ValueError("this model has no correlation between the changes of two markers")
    now, before = (pair_draws(result.fit.tree, g, chosen) for g in ("posterior", "prior"))
    signs = [
        [round_to_mcse(float(p), float(e)) for p, e in zip(means, errors, strict=True)]
        for means, errors in (((d > 0).mean(axis=(0, 1)), mcse(d > 0, d)) for d in (now, before))
    ]
    flat = [draws.reshape(-1, len(chosen)).T for draws in (now, before)]
    names = [f"With {result.catalogue[PROTEIN].label}", "Between the other markers"]
    groups = [names[PROTEIN not in pair] for pair in chosen]  # those with protein come first
    rows = [
        Row(
            " – ".join(result.catalogue[marker].short for marker in pair),
            (
                _estimate(posterior, width=2.2),
                _estimate(prior, color=style.GREY, marker="|", dash="--", width=1.2),
            ),
            group if len(set(groups)) > 1 else "",
            (f"{sign} ({sign_before})",),
        )
        for pair, group, posterior, prior, sign, sign_before in zip(
            chosen, groups, *flat, *signs, strict=True
        )
    ]
    ax, where = style.one_panel(
        ax, style.NARROW, forest_height(rows, max(ROW, 1 / len(rows))) + 0.3
    )
    ax.axvline(0.0, color=style.BLACK, linestyle=":", linewidth=0.9, zorder=1)
    ax.set_xlim(-1.0, 1.0)
    places = forest(ax, rows, columns=("P(above 0)\n(prior alone)",))
    for place, posterior, prior in zip(places, *flat, strict=True):
        _densities(ax, place, prior, posterior)
    ax.set_ylim(places[-1] + 0.4, min(places[0] - 0.95, -0.5))
    ax.set_xticks(np.linspace(-1, 1, 5))
    ax.set_xlabel(
        "Correlation of patients' changes (no unit)\n"
        "below 0: opposite ways      above 0: the same way",
        fontsize=style.TEXT,
    )
    style.heading(
        where,
        "Do the changes go together? Prior against posterior",
        [
            style.area(style.BAND_50, label="posterior density"),
            style.dot(style.BLUE, "o", "its median and 95 % interval", face="white"),
            style.line(style.GREY, "--", "prior: the same three", 1.2),
        ],
        2,
    )
    style.foot(
        where,
        result,
        synthetic,
        f"n = {len(result.fit.observations.patients)} patients. Where both densities agree, the "
        "data say nothing on that pair. Each row has its own scale of height.",
    )
    return style.figure_of(ax)
