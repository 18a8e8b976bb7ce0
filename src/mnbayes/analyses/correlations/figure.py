"""Correlations between the patients' changes of two markers, prior and posterior on one axis."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.correlations.table import free_pairs, pair_draws
from mnbayes.analyses.results.parameters import SHORT, density
from mnbayes.answers.response_draws import PROTEIN
from mnbayes.answers.result import Result
from mnbayes.base.montecarlo import mcse, round_to_mcse
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import marks, style

#: Inches from row to row, and over a group of rows.
ROW, NAME = 0.38, 0.34


def _ridge(ax: Axes, y: float, prior: style.FloatArray, posterior: style.FloatArray) -> None:
    # Both densities stand on y (the axis points down), the taller four fifths of a row high.
    curves = [density(draws, -1.0, 1.0, bounded=(True, True)) for draws in (posterior, prior)]
    unit = 0.8 * ROW / max(float(height.max()) for _, height in curves)
    for (grid, height), draws, is_prior in zip(
        curves, (posterior, prior), (False, True), strict=True
    ):
        low, median, high = np.quantile(draws, (0.025, 0.5, 0.975))
        if is_prior:
            drawn = np.where(height > 0.01 * height.max(), y - height * unit, np.nan)
            marks.line(ax, grid, drawn, "--", color=style.GREY, linewidth=1.2, zorder=3)
            marks.rows(ax, y + 0.055, low, high, color=style.GREY, linewidth=1.2, linestyle="--")
        else:
            marks.band(ax, grid, y, y - height * unit, color=style.BAND_50, linewidth=0, zorder=2)
            marks.rows(ax, y, low, high, color=style.BLUE, linewidth=2.2, zorder=4)
            marks.line(ax, median, y, "o", color=style.BLUE, markerfacecolor="white",
                       markersize=4.2, zorder=5)  # fmt: skip


def correlations(result: Result, synthetic: bool) -> Figure:
    """Draw prior and posterior of the correlation between the changes of every pair of markers.

    Parameters
    ----------
    result : Result
        Of a model whose markers' changes may correlate.
    synthetic : bool
        Whether to say that the cohort is synthetic.

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
    groups = {
        f"With {MARKERS[PROTEIN].label}": [i for i, p in enumerate(chosen) if PROTEIN in p],
        "Between the other markers": [i for i, p in enumerate(chosen) if PROTEIN not in p],
    }
    groups = {name: rows for name, rows in groups.items() if rows}
    named = len(groups) > 1
    height = len(chosen) * ROW + (NAME * len(groups) if named else 0.12)
    grid = style.Grid(1, cell=(3.7, height), gap=(0, 0), left=1.65, right=1.05)
    figure, (ax,) = grid.figure()
    flat = [draws.reshape(-1, len(chosen)) for draws in (now, before)]
    y, ticks, names = 0.0 if named else 0.08, [], []
    for name, rows in groups.items():
        if named:
            y += NAME
            ax.annotate(
                name, (0, y - 0.15), xycoords=("axes fraction", "data"), xytext=(3, 0),
                textcoords="offset points", va="center", fontsize=style.TEXT, weight="bold",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6}, zorder=5,
            )  # fmt: skip
        for i in rows:
            y += ROW
            base = y - 0.08
            _ridge(ax, base, flat[1][:, i], flat[0][:, i])
            ax.annotate(
                f"{signs[0][i]} ({signs[1][i]})", (1, base), xycoords=("axes fraction", "data"),
                xytext=(6, 2), textcoords="offset points", va="center", fontsize=style.TEXT,
            )  # fmt: skip
            ticks.append(base)
            names.append(" – ".join(SHORT[marker] for marker in chosen[i]))
    ax.annotate(
        "P(above 0)\n(prior alone)", (1, 1), xycoords="axes fraction", xytext=(6, 3),
        textcoords="offset points", va="bottom", fontsize=style.SMALL,
    )  # fmt: skip
    ax.axvline(0.0, color=style.BLACK, linestyle=":", linewidth=0.9, zorder=1)
    ax.set_ylim(y + 0.04, 0.0)
    ax.set_yticks(ticks, names, fontsize=style.TEXT)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(-1.0, 1.0)
    marks = np.linspace(-1, 1, 5)
    ax.set_xticks(marks, [f"{mark:g}".replace("-", "−") for mark in marks])
    ax.set_xlabel(
        "Correlation of patients' changes (no unit)\n"
        "below 0: opposite ways      above 0: the same way", fontsize=style.TEXT,
    )  # fmt: skip
    head = style.heading(
        figure,
        "Do the changes go together? Prior against posterior",
        [
            style.area(style.BAND_50, label="posterior density"),
            style.dot(style.BLUE, "o", "its median and 95 % interval", face="white"),
            style.line(style.GREY, "--", "prior: density and 95 % interval", 1.2),
        ],
        2,
    )
    foot = style.foot(
        figure, result, synthetic,
        f"n = {len(result.fit.observations.patients)} patients. Where both densities agree, the "
        "data say nothing on that pair. Each row has its own scale of height.",
    )  # fmt: skip
    grid.place(figure, [ax], head + 0.1, foot + 0.15)
    return figure
