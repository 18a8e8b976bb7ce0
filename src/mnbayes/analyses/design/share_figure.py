"""Counts, model and benchmark of each category on one axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.design.share import Share, counted
from mnbayes.answers.denominators import exact_interval
from mnbayes.report.kit import style, wording
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height


def _rows(one: Share) -> list[Row]:
    at = "" if np.isnan(one.week) else f", week {one.week:g}"
    group = f"{wording.capital(one.about)}{at}"

    def row(label: str, text: str, *estimates: Estimate) -> Row:
        return Row(label, estimates, group, (text,))

    def estimate(middle: float, low: float, high: float, color: str, marker: str) -> Estimate:
        numbers = (100 * middle, 100 * low, 100 * high)
        return Estimate(*numbers, color=color, marker=marker, filled=marker != "s")

    rows = []
    for label, responders, total in counted(one.counts) if one.counts else ():
        ends = exact_interval(responders, total)
        text = f"{wording.percent(responders / total)} ({_to(*ends)})"
        found = estimate(responders / total, *ends, style.BLACK, "o")
        rows.append(row(f"{responders} of {total} {label}", text, found))
    if one.model:
        text = f"{wording.percent(one.model[0])} ({_to(*one.model[1:])})"
        now = estimate(one.model[0], one.model[1], one.model[2], style.BLUE, "o")
        before = [estimate(*one.prior, style.PALE, "s")] if one.prior else []
        rows.append(row("all such patients", text, now, *before))
    if not np.isnan(one.coming):
        none = (float("nan"), float("nan"))
        now = estimate(one.coming, *none, style.BLUE, "D")
        before = [estimate(one.prior_coming, *none, style.PALE, "s")]
        rows.append(row("next patient", wording.percent(one.coming), now, *before))
    return rows


def _to(low: float, high: float) -> str:
    return f"{100 * low:.0f} to {100 * high:.0f}"


def share(
    shares: Sequence[Share],
    model: str,
    doubtful: Sequence[str],
    synthetic: bool,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw what was counted, what the model says and the benchmark on one axis.

    Parameters
    ----------
    shares : sequence of Share
    model : str
        Name of the model, or where the numbers come from.
    doubtful : sequence of str
        Why its fit did not converge.
    synthetic : bool
        Whether to say that the cohort is synthetic.
    title : str
        Default: what it is.
    ax : Axes, optional
        Where to draw; a figure of its own without it.

    Returns
    -------
    Figure
        A block for each category: counts over the measured and over the enrolled with exact 95 %
        intervals; the share of all such patients, median and 95 % equal-tailed interval, and the
        next patient's probability, each over the prior alone; a dashed line at the benchmark.
    """
    rows = [row for one in shares for row in _rows(one)]
    ax, where = style.one_panel(ax, style.NARROW, forest_height(rows, 0.27))
    style.percent_axis(ax, "x", "Patients, %")
    ax.grid(axis="x", color=style.RULE, linewidth=0.7)
    ax.set_axisbelow(True)
    places = forest(ax, rows)
    first = 0
    for one in shares:
        count = len(_rows(one))
        own = places[first : first + count]
        first += count
        if own and not np.isnan(one.benchmark):
            at = 100 * one.benchmark
            ax.vlines(
                at, own[0] - 0.6, own[-1] + 0.45, color=style.RUST, linestyle="--", linewidth=1.3
            )
            ax.annotate(
                f"benchmark {wording.stated(one.benchmark)}",
                (at, own[0] - 0.72),
                fontsize=style.SMALL,
                color=style.RUST,
                ha="left" if at < 50 else "center",
                va="bottom",
            )
    handles: list[style.Handle] = [
        style.line(style.BLACK, "-", "counted", marker="o"),
        style.line(style.BLUE, "-", "model", marker="o"),
    ]
    if any(one.prior for one in shares):
        handles.append(style.line(style.PALE, "-", "prior alone", marker="s"))
    style.heading(where, title or "Counts, model and benchmark", handles, 3)
    style.caption(
        where,
        model,
        doubtful,
        synthetic,
        "95 % intervals, of counts exact; enrolled: not measured counts as no response. Counts and "
        "next patient as measured, all such patients by true levels. The benchmark is uncertain.",
    )
    return style.figure_of(ax)
