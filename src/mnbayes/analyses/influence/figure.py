"""How far each patient moves the primary answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.influence import part as influence_part
from mnbayes.answers.result import Result
from mnbayes.base.text_table import records
from mnbayes.cards.definitions import Definitions
from mnbayes.report.kit import style, wording
from mnbayes.report.kit.figures import AXIS

#: Kind, marker and category of an answer.
type Answer = tuple[str, str, str]

_ROW = 0.27


def primary_answer(result: Result) -> Answer:
    """The answer whose moves are drawn.

    P(share above the benchmark) of the first stated category that has one, or else the ratio to
    baseline of the marker that decides a response, or of the model's first.
    """
    table = influence_part.of(result)
    at_week = table[table["week"] == result.primary_week]
    above = set(at_week.loc[at_week["kind"] == "exceeds", "category"])
    for category in result.judged_by.stated:
        if category in above:
            return "exceeds", "", category
    markers = result.fit.observations.markers
    deciding = [marker for marker in markers if marker in result.judged_by.markers]
    return "gmr", (*deciding, *markers)[0], ""


def moved(result: Result) -> pd.DataFrame:
    """The refits' rows of the primary answer, the largest move first; those without one last."""
    kind, marker, category = primary_answer(result)
    table = influence_part.of(result)
    own = table[
        (table["week"] == result.primary_week)
        & (table["kind"] == kind)
        & (table["marker"] == marker)
        & (table["category"] == category)
    ]
    if kind == "gmr":
        size = np.abs(np.log(own["value_without"] / own["value"]))
    else:
        size = np.abs(own["difference"])
    return own.assign(size=size).sort_values("size", ascending=False, kind="stable")


def _number(kind: str, value: float) -> str:
    return wording.ratio(value) if kind == "gmr" else wording.percent(value)


def _name(answer: Answer, result: Result, definitions: Definitions) -> str:
    kind, marker, category = answer
    if kind == "gmr":
        return f"ratio of {wording.in_text(result.catalogue[marker])} to baseline"
    bar = wording.stated(definitions.benchmarks[category])
    return f"P(share {result.judged_by.patients(category)} above {bar})"


def finding(result: Result, definitions: Definitions) -> str:
    """What the picture shows, in words: the whole answer, and who moves it most each way."""
    answer, table = primary_answer(result), moved(result)
    rows = [row for row in records(table) if not np.isnan(row["value_without"])]
    week, name = result.primary_week, _name(answer, result, definitions)
    if not rows:
        return f"{wording.capital(name)} at week {week:g}: 0 refits gave an answer"
    values = {row["left_out"]: row["value_without"] for row in rows}
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    said = [
        f"{_number(answer[0], values[who])} without {who}" for who in dict.fromkeys((low, high))
    ]
    return (
        f"{wording.capital(name)} at week {week:g}: {_number(answer[0], rows[0]['value'])} "
        f"with all patients, from {' to '.join(said)}"
    )


def influence(
    result: Result, definitions: Definitions, synthetic: bool, *, ax: Axes | None = None
) -> Figure:
    """Draw the primary answer from refits without one patient each, as a tornado.

    Parameters
    ----------
    result : Result
        With influence that is not empty.
    definitions : Definitions
        Its decision probability is drawn beside a probability.
    synthetic : bool
        Whether to say that the cohort is synthetic.
    ax : Axes, optional
        Where to draw; a figure of its own without it.

    Returns
    -------
    Figure
        The probability that the share of such patients exceeds its benchmark, or where there is
        no such answer the ratio to baseline: a bar for each patient (the first 40) from the
        answer of all patients, a line, to that without the patient, the longest bar on top; two
        Monte Carlo standard errors of a probability at its end. The prior alone is dotted.
    """
    answer, table = primary_answer(result), moved(result)
    kind, marker, _ = answer
    scale = 1.0 if kind == "gmr" else 100.0
    left, cut = style.shown(table["left_out"].tolist(), style.BARS)
    table = table.iloc[: len(left)]
    ax, where = style.one_panel(ax, style.NARROW, _ROW * (len(left) + 0.6) + AXIS)
    whole, prior = (scale * float(table[name].iloc[0]) for name in ("value", "prior"))
    without = scale * table["value_without"].to_numpy(dtype=float)
    places = np.arange(len(left), dtype=float)
    if kind == "gmr":
        style.log_axis(ax, "x", *style.log_limits(without, [whole, prior], margin=0.25))
        ax.set_xlabel("Ratio to baseline (no unit)", fontsize=style.TEXT)
    else:
        style.percent_axis(ax, "x", f"{_name(answer, result, definitions)}, %")
    known = ~np.isnan(without)
    for lower, color in ((True, style.VERMILLION), (False, style.BLUE)):
        part = known & ((without < whole) == lower)
        if part.any():
            ax.hlines(places[part], whole, without[part], color=color, linewidth=7.0, zorder=3)
    if kind != "gmr":
        error = 200.0 * table["mcse_without"].to_numpy(dtype=float)
        look: dict[str, Any] = {"color": style.BLACK, "linewidth": 1.1, "zorder": 4}
        ax.hlines(places[known], (without - error)[known], (without + error)[known], **look)
    ax.axvline(whole, color=style.BLACK, linewidth=1.4, zorder=5)
    ax.axvline(prior, color=style.GREY, linewidth=1.2, linestyle=":", zorder=2)
    line = 100 * definitions.decision.probability
    if kind == "exceeds":
        ax.axvline(line, color=style.RUST, linewidth=1.2, linestyle="--", zorder=2)
    ax.set_yticks(places, [f"without {style.short(name)}" for name in left])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(left) - 0.4, -0.6)
    for place, row in enumerate(records(table)):
        text = "no answer" if row["reason"] else _number(kind, row["value_without"])
        style.beside(ax, text, 1, place, 5)
    handles: list[style.Handle] = [
        style.line(style.BLACK, label=f"all patients: {_number(kind, whole / scale)}", width=1.4),
        style.line(style.GREY, ":", f"prior alone: {_number(kind, prior / scale)}", 1.2),
    ]
    if kind == "exceeds":
        asked = wording.stated(definitions.decision.probability)
        handles.append(style.line(style.RUST, "--", f"asked for: {asked}", 1.2))
    name = _name(answer, result, definitions)
    about = result.catalogue[marker].label if marker else result.judged_by.short(answer[2])
    title = f"{wording.capital(about)} at week {style.week_text(result.primary_week)}"
    style.heading(where, f"{title}: the answer without each patient", handles, 3)
    failed = [f"{row['left_out']} ({row['reason']})" for row in records(table) if row["reason"]]
    style.foot(
        where,
        result,
        synthetic,
        cut,
        f"Bars: {name}, refitted without the patient"
        + ("." if kind == "gmr" else "; thin: two Monte Carlo standard errors."),
        f"No answer: {'; '.join(failed)}." if failed else "",
        "Change under treatment: there is no control group.",
    )
    return style.figure_of(ax)
