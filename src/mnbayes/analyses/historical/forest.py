"""Forest of earlier studies: counts, shrunken rates, and what a new study may show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.historical.figure_rows import (
    NAME,
    ROW,
    foot,
    group_heading,
    interval,
    kind,
    note,
    percent_range,
    share_axis,
)
from mnbayes.analyses.historical.fit import HistoricalResult
from mnbayes.base.text_table import records
from mnbayes.report.kit import style


def _count(row: dict[str, Any]) -> str:
    ends = f"{row['low']}" if row["low"] == row["high"] else f"{row['low']}–{row['high']}"
    shared = "" if row["weight"] == 1 else f" (×{row['weight']:.2g})"
    return f"{ends}/{row['n']}{shared}"


def _patients(row: dict[str, Any]) -> str:
    who = {"yes": "refractory", "no": "not refractory", "mixed": "mixed"}[row["refractory"]]
    about = "~" if row["month_is"] == "average" else ""
    return f"{who}, month {about}{row['month']:g}"


def _arm_row(ax: Axes, y: float, row: dict[str, Any]) -> None:
    """What was counted, with its exact limits, above what the model makes of it."""
    low, high = (100 * row[end] / row["n"] for end in ("low", "high"))
    limits = [100 * row[f"observed_{end}"] for end in ("lower", "upper")]
    ax.hlines(y - 0.05, *limits, color=style.GREY, linewidth=1.0, zorder=2)
    if low < high:
        ax.hlines(y - 0.05, low, high, color=style.GREY, linewidth=4.0, zorder=2)
    else:
        ax.plot(low, y - 0.05, "s", color=style.GREY, markersize=4, zorder=3)
    interval(ax, y + 0.05, row, ("median", "lower", "upper"), style.BLUE, "o")
    note(ax, y, _count(row))
    note(ax, y, _patients(row), style.GREY, x=1.27)
    note(ax, y, percent_range(row, ("median", "lower", "upper")), style.BLUE, x=1.77)


def _class_row(ax: Axes, y: float, row: dict[str, Any], benchmark: bool) -> None:
    color = style.VERMILLION
    names = ("mean", "lower", "upper")
    centre, low, high = (100 * float(row[name]) for name in names)
    ax.hlines(y, low, high, color=color, linewidth=3.0 if benchmark else 1.8, zorder=3)
    ax.plot(centre, y, "D", color=color, markersize=6 if benchmark else 4.5, zorder=4)
    what = f"{'refractory' if row['refractory'] == 'yes' else 'not refractory'}, month "
    note(ax, y, f"{row['arms']} arm{'s' if row['arms'] != 1 else ''}", x=1.0)
    note(ax, y, f"{what}{row['month']:g}", style.GREY, x=1.27)
    note(ax, y, percent_range(row, names), color, x=1.77)


def historical_forest(result: HistoricalResult) -> Figure:
    """Draw the arms' rates as counted and as shrunken, by class, with what a new study may show.

    Parameters
    ----------
    result : HistoricalResult

    Returns
    -------
    Figure
        One row for each arm: the count with its exact 95 % limits (a bar where the count is
        known between two ends only), and the model's rate with its 95 % interval. Under each
        class the rate of a new study, in refractory patients at the benchmark's month; at the
        foot the same under the prior alone. A dashed line at the benchmark.

    Raises
    ------
    ValueError
        If the numbers are withheld.
    """
    if result.arms.empty:
        raise ValueError("the numbers of the historical model are withheld")
    mark = result.card.benchmark
    at = result.rates[
        (result.rates["refractory"] == mark.refractory) & (result.rates["month"] == mark.month)
    ]
    arms = [
        (name, records(result.arms[result.arms["treatment_class"] == name]))
        for name in result.card.classes
    ]
    shown = [(name, rows) for name, rows in arms if rows]
    height = len(result.arms) * ROW + len(shown) * (NAME + ROW) + NAME + ROW
    grid = style.Grid(1, cell=(3.4, height), gap=(0, 0), left=2.2, right=3.8)
    figure, (ax,) = grid.figure()
    y, ticks, names = 0.0, [], []
    for name, rows in shown:
        y += NAME
        group_heading(ax, y - 0.15, result.card.titles[name])
        for row in rows:
            _arm_row(ax, y + ROW / 2, row)
            ticks.append(y + ROW / 2)
            names.append(f"{row['study']}" + _short_arm(row, rows))
            y += ROW
        (new,) = records(at[at["treatment_class"] == name])
        _class_row(ax, y + ROW / 2, new, name == mark.treatment_class)
        ticks.append(y + ROW / 2)
        names.append("a new study")
        y += ROW
    y += NAME
    group_heading(ax, y - 0.15, "before any study")
    first = records(at)[0]
    prior = ("mean_prior", "lower_prior", "upper_prior")
    low, high = (100 * float(first[name]) for name in prior[1:])
    ax.hlines(y + ROW / 2, low, high, color=style.GREY, linewidth=1.6, linestyle=(0, (4, 2)))
    ax.plot(100 * float(first["mean_prior"]), y + ROW / 2, "D", color=style.GREY, markersize=4.5)
    note(ax, y + ROW / 2, percent_range(first, prior), style.GREY, x=1.77)
    ticks.append(y + ROW / 2)
    names.append("a new study, prior alone")
    y += ROW
    bench = 100 * float(str(result.benchmark["mean"]))
    ax.axvline(bench, color=style.VERMILLION, linestyle="--", linewidth=0.9, zorder=1)
    ax.set_ylim(y, 0.0)
    ax.set_yticks(ticks, names)
    share_axis(ax, "Patients in remission, %")
    head = style.heading(
        figure, "Remission in earlier studies of membranous nephropathy",
        [
            style.dot(style.GREY, "s", "as counted, exact 95 % limits"),
            style.line(style.GREY, "-", "count known between two ends", 4.0),
            style.dot(style.BLUE, "o", "rate of the arm in the model, 95 %", "white"),
            style.dot(style.VERMILLION, "D", "rate of a new study: mean, 95 %"),
            style.line(style.VERMILLION, "--", f"benchmark, {bench:.0f} %", 0.9),
        ],
    )  # fmt: skip
    bottom = foot(
        figure, result,
        f"New studies: {kind(mark.refractory)} patients at month {mark.month:g}. Columns: "
        "count, patients and month (~: an average, by which the count had not been reached), the "
        "model's rate. ×0.5: may share patients with another row, "
        "so each counts half.",
    )  # fmt: skip
    grid.place(figure, [ax], head, bottom)
    return figure


def _short_arm(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """The arm, where a study has several in this class."""
    several = sum(other["study"] == row["study"] for other in rows) > 1
    return f", {str(row['arm']).removeprefix('rituximab ')}" if several else ""
