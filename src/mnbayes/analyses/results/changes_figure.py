"""Change under treatment of the population, by visit."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.text_table import records
from mnbayes.report.kit import style, wording
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height, panels
from mnbayes.report.kit.measured import LEVELS


def _ratio_summary(result: Result, group: str, marker: str) -> Floats:
    # Shape (level, later_visit).
    draws = style.draws_of(result, group, "visit_change", marker=marker)
    return np.asarray(np.exp(np.quantile(draws, LEVELS, axis=0)))


def finding(result: Result) -> str:
    """What the picture shows, in words: each marker's ratio, and the prior's."""
    table = result.estimates[result.estimates["week"] == result.primary_week]
    said = []
    for row in records(table):
        now, before = (wording.gmr_range(row, of) for of in ("", "_prior"))
        said.append(f"{result.catalogue[row['marker']].label} {now}, prior alone {before}")
    return (
        f"Ratio to baseline at week {result.primary_week:g}, median and 95 % interval: "
        f"{'; '.join(said)}"
    )


def gmr_by_visit(result: Result, synthetic: bool) -> Figure:
    """Draw the geometric mean ratio to baseline of each marker at each later visit.

    Parameters
    ----------
    result : Result
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        One panel for each marker, with its own log axis, and a row for each visit: posterior
        median with 50 % (thick) and 95 % (thin) equal-tailed intervals; the prior's below it in
        grey; a line at 1.
    """
    markers, weeks = result.fit.observations.markers, result.fit.observations.weeks[1:]
    looks = {"posterior": (style.BLUE, "o"), "prior": (style.PALE, "s")}
    looks = {group: look for group, look in looks.items() if group in result.fit.tree.children}
    rows: dict[str, list[Row]] = {}
    limits = {}
    for marker in markers:
        found = {group: _ratio_summary(result, group, marker) for group in looks}
        limits[marker] = style.log_limits(*found.values(), [1.0])
        rows[marker] = [
            Row(
                f"week {style.week_text(week)}",
                tuple(
                    Estimate(x[2, at], x[0, at], x[4, at], (x[1, at], x[3, at]), *looks[group])
                    for group, x in found.items()
                ),
                texts=("{2:.2f} ({0:.2f} to {4:.2f})".format(*found["posterior"][:, at]),),
                color=style.BLUE,
            )
            for at, week in enumerate(weeks)
        ]
    height = forest_height(rows[markers[0]], row=0.3) + 0.25
    figure, axes = panels(len(markers), (3.6, height), 1, least=style.NARROW)
    for ax, marker in zip(axes, markers, strict=True):
        style.log_axis(ax, "x", *limits[marker])
        ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
        forest(ax, rows[marker])
        ax.set_title(result.catalogue[marker].label, fontsize=style.TEXT, loc="left")
        ratio = result.catalogue[marker].ratio.capitalize()
        ax.set_xlabel(f"{ratio} to baseline (no unit)", fontsize=style.TEXT)
    style.heading(
        figure,
        "Change under treatment: geometric mean ratio to baseline",
        [
            style.dot(style.BLUE, "o", "posterior median", face="white"),
            style.line(style.BLUE, width=4.5, label="50 % interval"),
            style.line(style.BLUE, width=1.6, label="95 % interval"),
            style.dot(style.PALE, "s", "prior, the same three", face="white"),
            style.line(style.GREY, label="ratio 1: no change", width=1.0),
        ],
        columns=3,
    )
    style.foot(
        figure,
        result,
        synthetic,
        "Each panel has its own scale." if len(markers) > 1 else "",
        "Numbers: posterior median with 95 % interval. Log axis. "
        "There is no control group: this is change under treatment, whatever its cause.",
    )
    return figure
