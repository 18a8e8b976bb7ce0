"""How far answers move when the priors count more or less, or when other models are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnbayes.analyses.sensitivity import part as sensitivity_part
from mnbayes.analyses.sensitivity.decisions import base_of
from mnbayes.analyses.sensitivity.multiverse import Multiverse
from mnbayes.answers.conclusions import as_reported, concluded
from mnbayes.answers.result import Result
from mnbayes.base.text_table import records
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Catalogue, Marker
from mnbayes.report.kit import style

#: Most answers side by side in a specification curve that leave room for their titles.
MOST_PANELS = 4
#: Height of a row of words, inches.
_ROW = 0.22
#: Column of a power-scaled answer to its symbol, colour and words.
_LOOKS = {
    "prior": ("D", style.GREY, "prior alone"),
    "value_half": ("v", style.ORANGE, "priors count half"),
    "value_double": ("^", style.VERMILLION, "priors count twice"),
    "value": ("o", style.BLUE, "given the data"),
}


def _of_marker(kind: str, marker: Marker) -> str:
    return {"gmr": marker.mean_ratio, "p_fall": "P(fall)", "p_rise": "P(rise)"}[kind]


#: What an answer of a category is, in a few words.
_KINDS = {
    "next_patient": "next patient",
    "population": "share of such patients",
    "exceeds": "P(share > benchmark)",
}


def _label(row: dict[str, Any], known: Catalogue) -> str:
    if row["marker"]:
        return f"{_of_marker(str(row['kind']), known[row['marker']])}: {known[row['marker']].label}"
    return f"{_KINDS.get(row['kind'], row['kind'])}: {row['category']}"


def _decision(ax: Axes, line: float, upright: bool) -> None:
    """The probabilities from which something is concluded."""
    for border in (100 * line, 100 * (1 - line)):
        draw = ax.axvline if upright else ax.axhline
        draw(border, color=style.BLACK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)


def _scaled_panel(ax: Axes, rows: pd.DataFrame, ratio: bool, line: float, known: Catalogue) -> None:
    scale = 1.0 if ratio else 100.0
    if ratio:
        style.log_axis(ax, "x", *style.log_limits(rows[list(_LOOKS)], [1.0]))
        ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
        ax.set_xlabel("Ratio to baseline", fontsize=style.TEXT)
    else:
        ax.set_xlim(-2, 102)
        ax.set_xlabel("Probability or share of patients, %", fontsize=style.TEXT)
        _decision(ax, line, upright=True)
    places = np.arange(len(rows))
    ends = scale * rows[["value_half", "value_double"]].to_numpy(dtype=float)
    both = np.isfinite(ends).all(axis=1)
    ax.hlines(places[both], *ends[both].T, color=style.PALE, linewidth=3)
    for column, (marker, color, _) in _LOOKS.items():
        size, face = (4.5, color) if column == "value" else (6, "white")
        ax.plot(scale * rows[column], places, marker, color=color, ms=size, mfc=face)
    ax.set_yticks(places, [_label(row, known) for row in records(rows)])
    ax.grid(axis="y", color=style.RULE, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_ylim(len(rows) - 0.4, -0.6)


def power_scaling(result: Result, definitions: Definitions, synthetic: bool) -> Figure:
    """Draw the main answers at the primary week if the priors counted half or twice.

    Parameters
    ----------
    result : Result
        With power scaling that is not empty.
    definitions : Definitions
        With the decision probability.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        Above, ratios to baseline on a log axis; below, probabilities and shares. A dot: given
        the data; triangles: the priors of the top-level parameters counting half (pointing
        down) and twice (pointing up); a diamond: the prior alone. Answers that cannot be worked out
        from the draws have no triangle.
    """
    table = as_reported(sensitivity_part.of(result), list(_LOOKS), result.catalogue)
    line = definitions.decision.probability
    ratios, others = table[table["kind"] == "gmr"], table[table["kind"] != "gmr"]
    panels = [part for part in (ratios, others) if len(part)]
    heights = [_ROW * len(part) + 0.6 for part in panels]
    figure = style.new_figure(style.NARROW, sum(heights))
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for ax, part in zip(axes, panels, strict=True):
        style.tidy(ax)
        _scaled_panel(ax, part, part is ratios, line, result.catalogue)
    handles: list[style.Handle] = [
        style.dot(color, marker, words, face=color if name == "value" else "white")
        for name, (marker, color, words) in reversed(_LOOKS.items())
    ]
    handles.append(style.line(style.BLACK, "--", "line of a decision", 0.9))
    week = style.week_text(result.primary_week)
    style.heading(figure, f"Answers at week {week} if the priors counted half or twice", handles, 2)
    blank = table[["value_half", "value_double"]].isna().any(axis=None)
    style.foot(
        figure,
        result,
        synthetic,
        "The priors of top-level parameters to the power 1/2 and 2, from the draws of one fit "
        "(power scaling). Change under treatment: there is no control group.",
        "A missing triangle: too far from these draws to be worked out." if blank else "",
    )
    return figure


def curve_answers(judged: pd.DataFrame, definitions: Definitions) -> list[tuple[str, str, str]]:
    """The answers of a specification curve: kind, marker and category, in their order.

    Parameters
    ----------
    judged : DataFrame
        Rows from which something is concluded.
    definitions : Definitions

    Returns
    -------
    list of tuple of str
        Of a model that judges responses: the probability of a fall of the main marker;
        ``exceeds`` and ``next_patient`` of the stated categories that can be judged; of another
        model the probability of a fall or rise of its markers. Those that there is room for.
    """
    rows = judged[["kind", "marker", "category"]].drop_duplicates()
    found = [(str(r.kind), str(r.marker), str(r.category)) for r in rows.itertuples()]
    moves = sorted(
        (each for each in found if each[1]), key=lambda each: each[1] != definitions.markers[0]
    )
    responses = [
        (kind, "", category)
        for kind in ("exceeds", "next_patient")
        for category in definitions.stated
        if (kind, "", category) in found
    ]
    return [*(moves[:1] if responses else moves), *responses][:MOST_PANELS]


def _levels(names: pd.DataFrame) -> list[tuple[str, Any]]:
    """Axis and value of each row of the dot matrix; axes with one value are left out."""
    return [
        (str(axis), value)
        for axis in names.columns
        if len(names[axis].unique()) > 1
        for value in names[axis].unique()
    ]


def _level_text(axis: str, value: Any) -> str:
    if axis == "prior_set":
        return f"priors: {value}"
    if axis == "residual":
        return f"residuals: {'Student-t' if value == 'student_t' else value}"
    if axis == "trajectory":
        return f"trajectory: {value}"
    return f"{axis} {value:g}"


def _curve(ax: Axes, rows: pd.DataFrame, base: NDArray[np.bool_], line: float) -> None:
    """Sorted numbers of one answer, with two Monte Carlo errors and the prior alone."""
    places = np.arange(len(rows))
    value, error, prior = (100 * rows[name].to_numpy(float) for name in ("value", "mcse", "prior"))
    _decision(ax, line, upright=False)
    size = 4.5 if len(rows) <= 30 else 3.0
    low, high = np.clip(value - 2 * error, 0, 100), np.clip(value + 2 * error, 0, 100)
    ax.vlines(places, low, high, color=style.BLUE, linewidth=1.3)
    ax.plot(places, prior, "D", color=style.GREY, mfc="white", ms=size - 0.5)
    ax.plot(places, value, "o", color=style.BLUE, ms=size)
    ax.plot(places[base], value[base], "s", color=style.BLACK, mfc=style.ORANGE, ms=size + 3)
    ax.set_ylim(-4, 104)
    ax.set_yticks([0, 20, 40, 60, 80, 100])
    ax.grid(axis="y", color=style.RULE, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_xticks([])


def _matrix(ax: Axes, names: pd.DataFrame, levels: Sequence[tuple[str, Any]]) -> None:
    """Which choice each specification made: a dark dot for the one that it did."""
    made = np.array([names[axis] == value for axis, value in levels], dtype=bool)
    for chosen, color, size in (
        (False, style.RULE, 2.0),
        (True, style.BLACK, 5.0 if len(names) <= 30 else 3.0),
    ):
        rows, places = np.nonzero(made == chosen)
        ax.plot(places, rows, "o", color=color, ms=size)
    axes = [axis for axis, _ in levels]
    for row in range(1, len(axes)):
        if axes[row] != axes[row - 1]:
            ax.axhline(row - 0.5, color=style.PALE, linewidth=0.8, zorder=0)
    ax.set_ylim(len(levels) - 0.4, -0.6)
    ax.set_xticks([])
    ax.set_xlabel("specifications, lowest first", fontsize=style.SMALL)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _title(answer: tuple[str, str, str], definitions: Definitions, known: Catalogue) -> str:
    kind, marker, category = answer
    if marker:
        return f"{_of_marker(kind, known[marker])}:\n{known[marker].label}"
    if kind == "exceeds":
        return f"P(share > {100 * definitions.benchmarks[category]:g} %):\n{category}"
    return f"{_KINDS.get(kind, kind)}:\n{category}"


def specification_curve(multiverse: Multiverse, model: str) -> Figure | None:
    """Draw chosen probabilities of a model under every specification, sorted.

    Parameters
    ----------
    multiverse : Multiverse
    model : str

    Returns
    -------
    Figure or None
        Above, one panel for each of :func:`curve_answers`: the probability at the primary week
        under each specification, lowest first, with two Monte Carlo standard errors; a square:
        the specification that the others are compared with; diamonds: the prior alone; dashed:
        the lines of a decision. Below, the choices of each specification as dots. None where no
        specification passed its checks, or where there is one alone.
    """
    base = base_of(multiverse, model)
    if base is None:
        return None
    table, known = multiverse.table[multiverse.table["model"] == model], multiverse.cohort.catalogue
    primary = multiverse.primary_week(model)
    answered = concluded(table[table["reason"] == ""], multiverse.definitions, primary)
    judged = as_reported(answered, ["prior", "value"], known)
    axes_names = [axis for axis in multiverse.axes if axis != "model"]
    answers = curve_answers(judged, multiverse.definitions)
    levels = _levels(judged[axes_names])
    if not levels:
        return None
    matrix = 0.19 * max(len(levels), 1) + 0.25
    figure = style.new_figure(2.2 * len(answers) + 1.6, 2.3 + matrix + 0.8)
    shape = 2, len(answers)
    grid = figure.subplots(*shape, squeeze=False, height_ratios=[2.3, matrix], sharey="row")
    for column, answer in enumerate(answers):
        rows = judged
        for key, value in zip(("kind", "marker", "category"), answer, strict=True):
            rows = rows[rows[key] == value]
        rows = rows.sort_values("value", kind="stable")
        is_base = np.logical_and.reduce([rows[axis] == base[axis] for axis in axes_names])
        above, below = grid[:, column]
        for ax in (above, below):
            style.tidy(ax)
            ax.set_xlim(-0.7, len(rows) - 0.3)
        _curve(above, rows, is_base, multiverse.definitions.decision.probability)
        _matrix(below, rows[axes_names], levels)
        title = _title(answer, multiverse.definitions, known)
        above.set_title(title, fontsize=style.TEXT, loc="left")
    grid[0, 0].set_ylabel("Probability, %", fontsize=style.TEXT)
    grid[1, 0].set_yticks(range(len(levels)), [_level_text(*level) for level in levels])
    handles: list[style.Handle] = [
        style.dot(style.BLUE, "o", "given the data, ±2 MCSE"),
        style.dot(style.BLACK, "s", "compared with the others", face=style.ORANGE),
        style.dot(style.GREY, "D", "prior alone", face="white"),
        style.line(style.BLACK, "--", "line of a decision", 0.9),
    ]
    week = style.week_text(primary)
    count = len(judged[axes_names].drop_duplicates())
    style.heading(figure, f"Probabilities at week {week} under {count} specifications", handles, 4)
    fits = multiverse.fits[multiverse.fits["model"] == model]
    failed = int((fits["reason"] != "").sum())
    style.caption(
        figure,
        model,
        (),
        multiverse.cohort.synthetic,
        "Every specification is a prior set, a structure of the model and definitions of response; "
        "each column of dots names one. MCSE: Monte Carlo standard error. Change under "
        "treatment: there is no control group.",
        f"{failed} of {len(fits)} fits failed their checks and are not drawn." if failed else "",
    )
    return figure
