"""Lymphocyte subsets: changes before and after shrinkage, and which changed most."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from mnbayes.analyses.lymphocytes import part as subsets_part
from mnbayes.analyses.lymphocytes.subsets import common_change
from mnbayes.analyses.results.parameters import SHORT
from mnbayes.answers.result import Result
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import marks, style

#: Narrowest segment of a bar that carries its percentage.
LABELLED = 0.07
#: Inches from row to row, and over a subset's name.
ROW, NAME = 0.25, 0.33


def _interval(ax: Axes, y: float, row: pd.Series, before: bool) -> None:
    prefix, color, point = ("alone_", style.ORANGE, "s") if before else ("", style.BLUE, "o")
    median, low, high = (row[f"{prefix}gmr_{part}"] for part in ("median", "lower", "upper"))
    if np.isnan(median):
        return
    marks.rows(ax, y, low, high, color=color, linewidth=1.6, zorder=3)
    ax.plot(median, y, point, color=color, markerfacecolor="white", markersize=4.6, zorder=4)


def subset_forest(result: Result, synthetic: bool) -> Figure:
    """Draw the ratio to baseline of each lymphocyte subset at each later visit.

    Parameters
    ----------
    result : Result
        With a table of subsets.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        One row for each subset and visit, on one log axis: median and 95 % equal-tailed
        interval in this model; above it, where it was fitted, in the model of that subset
        alone. A dashed line and a band at the common mean, where the model shrinks to one.

    Raises
    ------
    ValueError
        If the result has no subsets.
    """
    table = subsets_part.of(result).subsets
    if table.empty:
        raise ValueError("no lymphocyte subset in this model")
    before = bool(table["alone_gmr_median"].notna().any())
    common = common_change(result.fit.tree)
    groups = [(str(marker), part) for marker, part in table.groupby("marker", sort=False)]
    height = len(table) * ROW + len(groups) * NAME
    grid = style.Grid(1, cell=(4.15, height), gap=(0, 0), left=0.85, right=1.55)
    figure, (ax,) = grid.figure()
    ends = table[[f"{p}gmr_{e}" for p in ("", "alone_") for e in ("lower", "upper")]]
    style.log_axis(ax, "x", *style.log_limits(ends.to_numpy(), [1.0]))
    ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
    if common is not None:
        ax.axvspan(common["gmr_lower"], common["gmr_upper"], color="#EDEDED", zorder=0)
        ax.axvline(common["gmr_median"], color=style.BLACK, linestyle="--", linewidth=1.0, zorder=1)
    y, ticks, names = 0.0, [], []
    for marker, part in groups:
        y += NAME
        ax.annotate(
            MARKERS[marker].label, (0, y - 0.17), xycoords=("axes fraction", "data"),
            xytext=(3, 0), textcoords="offset points", va="center", fontsize=style.TEXT,
            weight="bold", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6}, zorder=5,
        )  # fmt: skip
        for _, row in part.iterrows():
            centre = y + ROW / 2
            _interval(ax, centre + (0.05 if before else 0.0), row, before=False)
            if before:
                _interval(ax, centre - 0.05, row, before=True)
            ratio = "{gmr_median:.2f} ({gmr_lower:.2f} to {gmr_upper:.2f})".format(**row)
            ax.annotate(
                ratio, (1, centre), xycoords=("axes fraction", "data"), xytext=(6, 0),
                textcoords="offset points", va="center", fontsize=style.TEXT, color=style.BLUE,
            )  # fmt: skip
            ticks.append(centre)
            names.append(f"week {style.week_text(float(row['week']))}")
            y += ROW
    ax.set_ylim(y, 0.0)
    ax.set_yticks(ticks, names)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("Ratio to baseline (no unit)", fontsize=style.TEXT)
    after = "after shrinkage: all together" if common is not None else "all markers together"
    handles: list[style.Handle] = [style.dot(style.BLUE, "o", f"{after}, 95 % interval", "white")]
    if before:
        handles.append(style.dot(style.ORANGE, "s", "before: each subset by itself", "white"))
    if common is not None:
        handles.append(style.line(style.BLACK, "--", "common mean (grey: 95 %)", 1.0))
    handles.append(style.line(style.GREY, "-", "ratio 1: no change", 1.0))
    head = style.heading(figure, "Lymphocyte subsets: change under treatment", handles, 2)
    foot = style.foot(
        figure, result, synthetic,
        "Numbers: this model, 95 % interval. Log axis. CD4+ and CD8+ are parts of CD3+: the "
        "subsets overlap and are not independent findings.",
    )  # fmt: skip
    grid.place(figure, [ax], head, foot)
    return figure


def _shades(count: int) -> list[str]:
    # Blue for the first rank, then lighter and lighter towards white.
    blue = np.array(to_rgb(style.BLUE))
    weights = np.linspace(0.0, 0.88, count)
    return [to_hex(tuple((blue + w * (1 - blue)).tolist())) for w in weights]


def _ranked(ax: Axes, part: pd.DataFrame) -> None:
    markers = list(dict.fromkeys(part["marker"]))
    shades = _shades(len(markers))
    for y, marker in enumerate(markers):
        left = 0.0
        own = part[part["marker"] == marker].sort_values("rank")
        for shade, (_, row) in zip(shades, own.iterrows(), strict=True):
            width = float(row["probability"])
            ax.barh(
                y, 100 * width, left=100 * left, height=0.72, color=shade, edgecolor="white",
                linewidth=1.0, zorder=2,
            )  # fmt: skip
            if width >= LABELLED:
                dark = int(row["rank"]) <= len(markers) / 2
                ax.text(
                    100 * (left + width / 2), y, round_to_mcse(width, float(row["mcse"])),
                    ha="center", va="center", fontsize=style.SMALL, zorder=4,
                    color="white" if dark else style.BLACK,
                )  # fmt: skip
            left += width
        prior = 100 * float(own["prior_probability"].iloc[0])
        ax.plot(prior, y - 0.4, "v", color=style.VERMILLION, markersize=6.5,
                markeredgecolor="white", markeredgewidth=0.8, zorder=5)  # fmt: skip
    ax.set_yticks(range(len(markers)), [SHORT[marker] for marker in markers])
    ax.set_ylim(len(markers) - 0.4, -0.72)
    ax.set_xlim(0, 100)


def subset_ranks(result: Result, synthetic: bool) -> Figure:
    """Draw the probability of each rank of the subsets' changes at the last visit.

    Parameters
    ----------
    result : Result
        With a table of ranks.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        Two panels, by size of change and by rise: a stacked bar for each subset, rank 1 at the
        left; a mark at the prior's probability of rank 1.

    Raises
    ------
    ValueError
        If the result has no ranks: fewer than two subsets.
    """
    table = subsets_part.of(result).ranks
    if table.empty:
        raise ValueError("no ranks: the model has fewer than two lymphocyte subsets")
    count = int(table["rank"].max())
    week = style.week_text(float(table["week"].iloc[0]))
    grid = style.Grid(2, cell=(5.1, 0.3 * count + 0.1), gap=(0, 0.58), columns=1, left=0.8)
    figure, axes = grid.figure()
    titles = {"change": "Changed most, up or down", "rise": "Rose most"}
    for ax, (by, title) in zip(axes, titles.items(), strict=True):
        _ranked(ax, table[table["by"] == by])
        ax.set_title(title, fontsize=style.TEXT, loc="left")
    axes[-1].set_xlabel("Probability, %", fontsize=style.TEXT)
    shades = _shades(count)
    head = style.heading(
        figure,
        f"Which subset changed most by week {week}?",
        [
            style.area(shades[0], label="rank 1: the most (left end)"),
            style.area(shades[-1], label=f"rank {count}: the least (right end)"),
            style.dot(style.VERMILLION, "v", "end of rank 1 under the prior alone"),
        ],
    )
    foot = style.foot(
        figure, result, synthetic,
        "Ranks from left to right, of the group's ratios to baseline. CD4+ and CD8+ are parts of "
        "CD3+.",
    )  # fmt: skip
    grid.place(figure, axes, head, foot)
    return figure
