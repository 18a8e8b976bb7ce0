"""The typical change that published facts come to, under every prior set and reading."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.published.figure_parts import EDGES, caption_of, point, ratio_axis
from mnbayes.analyses.published.result import SPECIFICATION, PublishedResult
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.report.kit import style

_HANDLED = {
    "missing": "withdrawn missing",
    "failure": "withdrawn = no response",
    "success": "withdrawn = best category",
}
#: Answers written beside a row with their headings, and where.
_BESIDE = {"p_fall": "P(GMR\n< 1)", "next_fall_50": "next:\nhalved"}
_COLUMNS = (1.06, 1.16)


def _named(row: pd.Series, reported: pd.Series) -> str:
    """What sets a specification apart from the reported one."""
    words = {
        "withdrawn": _HANDLED[row["withdrawn"]],
        "remission": "remission: any fall",
        "no_response": {
            "no_fall": "no response = no fall",
            "unknown": "no response: any change",
            "smaller_fall": "no response = a smaller fall",
        }[row["no_response"]],
        "ends": "ends rounded",
    }
    if row["remission"] == "half":
        words["remission"] = "remission: half or more"
    if row["ends"] == "known":
        words["ends"] = "ends known"
    apart = [words[axis] for axis in words if row[axis] != reported[axis]]
    return "; ".join(apart)


def _forest_rows(result: PublishedResult) -> list[tuple[str, str, pd.Series]]:
    """Heading, label and row of every specification, priors and withdrawal first."""
    table = result.answers
    gmr = table[(table["part"] == "outcome") & (table["quantity"] == "gmr")]
    base = gmr.iloc[0]
    readings = ["remission", "no_response", "ends"]
    same = (gmr[readings] == base[readings]).all(axis=1)
    rows = [
        (f"prior set {row['prior_set']}", _HANDLED[row["withdrawn"]], row)
        for _, row in gmr[same].iterrows()
    ]
    rows.sort(key=lambda each: list(dict.fromkeys(gmr["prior_set"])).index(each[2]["prior_set"]))
    heading = f"other readings (prior set {base['prior_set']})"
    rows += [(heading, _named(row, base), row) for _, row in gmr[~same].iterrows()]
    return rows


def _beside(ax: Axes, y: float, chances: Sequence[tuple[float, float]], color: str) -> None:
    """Write probabilities with their errors beside a row."""
    for x, (value, error) in zip(_COLUMNS, chances, strict=True):
        ax.annotate(
            round_to_mcse(float(value), float(error)), (x, y), xycoords=("axes fraction", "data"),
            va="center", ha="center", fontsize=style.SMALL, color=color,
        )  # fmt: skip


def answers(result: PublishedResult) -> Figure:
    """Draw the typical ratio under every prior set, handling of the withdrawn, and reading.

    Returns
    -------
    Figure
        A row for each specification: median and 95 % interval of the ratio (log axis), and the
        probabilities of a fall beside; one row for each prior set alone.
    """
    chances = result.answers[result.answers["part"] == "outcome"].set_index(
        [*SPECIFICATION, "quantity"]
    )
    rows = _forest_rows(result)
    reported = rows[0][2]
    labels: list[str] = []
    figure = style.new_figure(style.WIDE, 1.9)
    ax = figure.subplots()
    style.tidy(ax)
    y, last, places = 0.0, "", []
    for heading, label, row in rows:
        if heading != last:
            y += 0.0 if not labels else 0.45
            places.append(y)
            labels.append(heading)
            last = heading
            if heading.startswith("prior set"):
                labels[-1] += ", prior alone"
                prior = (row["prior"], row["prior_lower"], row["prior_upper"])
                point(ax, y, prior, style.GREY, "s", 1.0)
                specification = tuple(row[axis] for axis in SPECIFICATION)
                # Exact, or an integral good to 0.001.
                _beside(ax, y, [(chances.loc[(*specification, name), "prior"], 0.001)
                                for name in _BESIDE], style.GREY)  # fmt: skip
            y += 1.0
        places.append(y)
        labels.append(f"{label} (reported)" if row is reported else label)
        specification = tuple(row[axis] for axis in SPECIFICATION)
        if np.isnan(row["value"]):
            words = textwrap.shorten(row["reason"] or "withheld", 90)
            ax.annotate(words, (EDGES[0] * 1.02, y), va="center", fontsize=style.SMALL)
        else:
            point(ax, y, (row["value"], row["lower"], row["upper"]), style.BLUE, "o", 2.0)
            errors = [chances.loc[(*specification, name)] for name in _BESIDE]
            _beside(ax, y, [(each["value"], each["mcse"]) for each in errors], style.BLACK)
        y += 1.0
    for x, text in zip(_COLUMNS, _BESIDE.values(), strict=True):
        ax.annotate(text, (x, -1.0), xycoords=("axes fraction", "data"), va="bottom", ha="center",
                    fontsize=style.SMALL)  # fmt: skip
    ax.set_yticks(places, labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(y - 0.4, -0.8)
    figure.set_figheight(0.21 * y + 1.9)
    week = style.week_text(result.facts.outcome.week)
    ratio_axis(ax, f"Typical ratio to baseline at week {week}, GMR (log axis)")
    style.heading(
        figure, "The typical change under every prior set, withdrawal and reading",
        [
            style.dot(style.BLUE, "o", "median, 95 % interval, given the facts"),
            style.dot(style.GREY, "s", "the same under the prior alone"),
        ],
    )  # fmt: skip
    caption_of(
        figure, result,
        "next: halved: probability that the next patient, as measured, falls to half of baseline "
        "or less. Arrows leave the axis.",
    )  # fmt: skip
    return figure


def best_visit(result: PublishedResult) -> Figure:
    """Draw the typical ratio behind the best of several visits, with and without its bias.

    Returns
    -------
    Figure
        A row for each prior set: the true ratio, from the likelihood of a least of several
        noisy visits; and what reading each best value as one measurement gives.
    """
    table = result.answers[result.answers["quantity"] == "gmr"]
    base = result.card.readings
    for axis in ("withdrawn", "remission", "no_response", "ends"):
        table = table[table[axis] == getattr(base, axis)]
    parts = {part: table[table["part"] == part] for part in ("best", "best_naive")}
    names = list(parts["best"]["prior_set"])
    figure = style.new_figure(style.WIDE, 0.55 * len(names) + 1.8)
    ax = figure.subplots()
    style.tidy(ax)
    looks = {"best": (style.BLUE, "o", -0.15, 2.0), "best_naive": (style.ORANGE, "D", 0.08, 1.6)}
    for place, name in enumerate(names):
        for part, (color, marker, down, width) in looks.items():
            row = parts[part][parts[part]["prior_set"] == name].iloc[0]
            if np.isnan(row["value"]):
                ax.annotate("withheld", (EDGES[0] * 1.02, place + down), fontsize=style.SMALL)
                continue
            ends = (row["value"], row["lower"], row["upper"])
            point(ax, place + down, ends, color, marker, width)
        prior = (row["prior"], row["prior_lower"], row["prior_upper"])
        point(ax, place + 0.3, prior, style.GREY, "s", 1.0)
    ax.set_yticks(range(len(names)), [f"prior set {name}" for name in names])
    ax.set_ylim(len(names) - 0.45, -0.55)
    best = result.facts.best
    assert best is not None
    weeks = ", ".join(style.week_text(week) for week in best.weeks)
    ratio_axis(ax, f"Typical ratio to baseline over weeks {weeks}, GMR (log axis)")
    style.heading(
        figure, f"The best of {len(best.weeks)} visits flatters: the change behind it",
        [
            style.dot(style.BLUE, "o", "true change: a best of noisy visits"),
            style.dot(style.ORANGE, "D", "naive: read as one measurement"),
            style.dot(style.GREY, "s", "prior alone"),
        ],
    )  # fmt: skip
    caption_of(
        figure, result,
        "Median and 95 % interval. The noise from visit to visit comes from its prior, since the "
        "paper cannot tell noise from change. Arrows leave the axis.",
    )  # fmt: skip
    return figure
