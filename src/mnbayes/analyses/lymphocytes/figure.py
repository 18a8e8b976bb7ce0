"""Lymphocyte subsets: changes before and after shrinkage, and which changed most."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from mnbayes.analyses.lymphocytes import part as subsets_part
from mnbayes.analyses.lymphocytes.subsets import common_change
from mnbayes.answers.result import Result
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.text_table import records
from mnbayes.data.markers import Catalogue
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height, panels

#: Narrowest segment of a bar that carries its percentage.
LABELLED = 0.07


def _estimate(row: dict[str, Any], prefix: str, color: str, marker: str) -> Estimate:
    middle, low, high = (row[f"{prefix}gmr_{part}"] for part in ("median", "lower", "upper"))
    return Estimate(middle, low, high, color=color, marker=marker)


def subset_forest(result: Result, synthetic: bool, *, ax: Axes | None = None) -> Figure:
    """Draw the ratio to baseline of each lymphocyte subset at each later visit.

    Parameters
    ----------
    result : Result
        With a table of subsets.
    synthetic : bool
        Whether to say that the cohort is synthetic.
    ax : Axes, optional
        Where to draw; a figure of its own without it.

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
    rows = [
        Row(
            f"week {style.week_text(row['week'])}",
            (
                *([_estimate(row, "alone_", style.ORANGE, "s")] if before else []),
                _estimate(row, "", style.BLUE, "o"),
            ),
            result.catalogue[row["marker"]].label,
            ("{gmr_median:.2f} ({gmr_lower:.2f} to {gmr_upper:.2f})".format(**row),),
            style.BLUE,
        )
        for row in records(table)
    ]
    ax, where = style.one_panel(ax, style.NARROW, forest_height(rows))
    ends = table[[f"{p}gmr_{e}" for p in ("", "alone_") for e in ("lower", "upper")]]
    style.log_axis(ax, "x", *style.log_limits(ends, [1.0]))
    ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
    if common is not None:
        ax.axvspan(common["gmr_lower"], common["gmr_upper"], color=style.RULE, zorder=0)
        ax.axvline(common["gmr_median"], color=style.BLACK, linestyle="--", linewidth=1.0, zorder=1)
    forest(ax, rows)
    ax.set_xlabel("Ratio to baseline (no unit)", fontsize=style.TEXT)
    after = "after shrinkage: all together" if common is not None else "all markers together"
    handles: list[style.Handle] = [style.dot(style.BLUE, "o", f"{after}, 95 % interval", "white")]
    if before:
        handles.append(style.dot(style.ORANGE, "s", "before: each subset by itself", "white"))
    if common is not None:
        handles.append(style.line(style.BLACK, "--", "common mean (grey: 95 %)", 1.0))
    handles.append(style.line(style.GREY, "-", "ratio 1: no change", 1.0))
    style.heading(where, "Lymphocyte subsets: change under treatment", handles, 2)
    style.foot(
        where,
        result,
        synthetic,
        "Numbers: this model, 95 % interval. Log axis. CD4+ and CD8+ are parts of CD3+: the "
        "subsets overlap and are not independent findings.",
    )
    return style.figure_of(ax)


def _shades(count: int) -> list[str]:
    # Blue for the first rank, then lighter and lighter towards white.
    blue = np.array(to_rgb(style.BLUE))
    weights = np.linspace(0.0, 0.88, count)
    return [to_hex(tuple((blue + w * (1 - blue)).tolist())) for w in weights]


def _ranked(ax: Axes, part: pd.DataFrame, known: Catalogue) -> None:
    markers = list(dict.fromkeys(part["marker"]))
    places = np.arange(len(markers))
    left = np.zeros(len(markers))
    for rank, shade in enumerate(_shades(len(markers)), start=1):
        own = part[part["rank"] == rank].set_index("marker").loc[markers]
        width = 100 * own["probability"].to_numpy()
        bars = ax.barh(places, width, 0.72, left, color=shade, edgecolor="white", zorder=2)
        labels = [
            round_to_mcse(share, error) if share >= LABELLED else ""
            for share, error in zip(own["probability"], own["mcse"], strict=True)
        ]
        ink = "white" if rank <= len(markers) / 2 else style.BLACK
        ax.bar_label(bars, labels, label_type="center", fontsize=style.SMALL, color=ink, zorder=4)
        left += width
    prior = 100 * part.drop_duplicates("marker")["prior_probability"]
    looks: dict[str, Any] = {"color": style.VERMILLION, "mec": "white", "mew": 0.8}
    ax.plot(prior, places - 0.4, "v", ms=6.5, zorder=5, **looks)
    ax.set_yticks(places, [known[marker].short for marker in markers])
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
    figure, axes = panels(2, (3.6, 0.3 * count + 0.6), 1, least=style.NARROW)
    titles = {"change": "Changed most, up or down", "rise": "Rose most"}
    for ax, (by, title) in zip(axes, titles.items(), strict=True):
        _ranked(ax, table[table["by"] == by], result.catalogue)
        ax.set_title(title, fontsize=style.TEXT, loc="left")
    axes[-1].set_xlabel("Probability, %", fontsize=style.TEXT)
    shades = _shades(count)
    style.heading(
        figure,
        f"Which subset changed most by week {week}?",
        [
            style.area(shades[0], label="rank 1: the most (left end)"),
            style.area(shades[-1], label=f"rank {count}: the least (right end)"),
            style.dot(style.VERMILLION, "v", "end of rank 1 under the prior alone"),
        ],
    )
    style.foot(
        figure,
        result,
        synthetic,
        "Ranks from left to right, of the group's ratios to baseline. CD4+ and CD8+ are parts of "
        "CD3+.",
    )
    return figure
