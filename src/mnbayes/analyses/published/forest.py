"""Forests of what published facts come to: under every prior set and reading, and as shares."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.published.categories import LABELS
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.facts import Facts
from mnbayes.analyses.published.result import SPECIFICATION, PublishedResult
from mnbayes.answers.denominators import exact_interval
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.text_table import records
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height
from mnbayes.report.kit.wording import percent, percent_range

#: Ends of every axis of ratios: a fall to a tenth, a rise to fourfold.
EDGES = (0.1, 4.0)
_HANDLED = {
    "missing": "withdrawn missing",
    "failure": "withdrawn = no response",
    "success": "withdrawn = best category",
}
#: What a specification is called where it is not the reported one; withdrawal is above.
_READ = {
    "remission": {"half": "remission: half or more", "unknown": "remission: any fall"},
    "no_response": {
        "no_fall": "no response = no fall",
        "unknown": "no response: any change",
        "smaller_fall": "no response = a smaller fall",
    },
    "ends": {"known": "ends known", "rounded": "ends rounded"},
}
#: Answers written beside a row, with their headings.
_BESIDE = {"p_fall": "P(GMR < 1)", "next_fall_50": "next: halved"}
_PRIOR: dict[str, Any] = {"color": style.GREY, "marker": "s", "width": 1.0, "filled": True}
_OWN: dict[str, Any] = {"color": style.BLUE, "marker": "o", "width": 2.0, "filled": True}
#: Of shares of the population, by how the withdrawn are handled.
_LOOKS: dict[str, dict[str, Any]] = {
    "missing": _OWN,
    "failure": _OWN | {"color": style.ORANGE, "marker": "v"},
    "success": _OWN | {"color": style.GREEN, "marker": "^"},
}


def about(facts: Facts) -> str:
    """Whose numbers a figure shows."""
    if facts.invented:
        return "INVENTED PAPER: no real patient."
    return "From the published numbers alone; no synthetic patient."


def caption_of(where: Figure | Axes, result: PublishedResult, *sentences: str) -> None:
    """Write the caption, with whose numbers these are."""
    reasons, source = result.reasons, about(result.facts)
    style.caption(where, result.name, reasons, False, *sentences, source)


def ratio_axis(ax: Axes, label: str) -> None:
    """Make the x axis that of ratios to baseline, with a line at no change."""
    style.log_axis(ax, "x", *EDGES)
    ticks = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xlabel(label, fontsize=style.TEXT)
    ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)


def _estimate(row: pd.Series | dict[str, Any], look: dict[str, Any]) -> Estimate:
    return Estimate(*(row[name] for name in ("value", "lower", "upper")), **look)


def _prior(row: pd.Series | dict[str, Any]) -> Estimate:
    return Estimate(*(row[name] for name in ("prior", "prior_lower", "prior_upper")), **_PRIOR)


def _named(row: pd.Series, reported: pd.Series) -> str:
    """What sets a specification apart from the reported one."""
    words = {"withdrawn": _HANDLED} | _READ
    return "; ".join(words[axis][row[axis]] for axis in words if row[axis] != reported[axis])


def _answer_rows(result: PublishedResult) -> list[Row]:
    """A row for every specification, priors and withdrawal first; one for each prior alone."""
    table = result.answers[result.answers["part"] == "outcome"]
    chances = table.set_index([*SPECIFICATION, "quantity"])
    gmr = table[table["quantity"] == "gmr"]
    reported = gmr.iloc[0]
    same = (gmr[list(_READ)] == reported[list(_READ)]).all(axis=1)

    def row_of(label: str, group: str, row: pd.Series) -> Row:
        specification = tuple(row[axis] for axis in SPECIFICATION)
        if np.isnan(row["value"]):
            return Row(label, (), group, note=textwrap.shorten(row["reason"] or "withheld", 90))
        found = [chances.loc[(*specification, name)] for name in _BESIDE]
        beside = tuple(round_to_mcse(float(each["value"]), float(each["mcse"])) for each in found)
        return Row(label, (_estimate(row, _OWN),), group, beside)

    rows = []
    for name, part in gmr[same].groupby("prior_set", sort=False):
        group, first = f"prior set {name}", part.iloc[0]
        specification = tuple(first[axis] for axis in SPECIFICATION)
        # Exact, or an integral good to 0.001.
        beside = tuple(
            round_to_mcse(float(chances.loc[(*specification, each), "prior"]), 0.001)
            for each in _BESIDE
        )
        rows.append(Row("prior alone", (_prior(first),), group, beside, style.GREY))
        for at, row in part.iterrows():
            label = _HANDLED[row["withdrawn"]] + (" (reported)" if at == reported.name else "")
            rows.append(row_of(label, group, row))
    group = f"other readings (prior set {reported['prior_set']})"
    return rows + [row_of(_named(row, reported), group, row) for _, row in gmr[~same].iterrows()]


def answers(result: PublishedResult, ax: Axes | None = None) -> Figure:
    """Draw the typical ratio under every prior set, handling of the withdrawn, and reading.

    Parameters
    ----------
    result : PublishedResult
    ax : Axes, optional
        Where to draw; a figure of its own without.

    Returns
    -------
    Figure
        A row for each specification: median and 95 % interval of the ratio (log axis), and the
        probabilities of a fall beside; one row for each prior set alone.
    """
    rows = _answer_rows(result)
    ax, where = style.one_panel(ax, style.WIDE, forest_height(rows, row=0.21))
    week = style.week_text(result.facts.outcome.week)
    ratio_axis(ax, f"Typical ratio to baseline at week {week}, GMR (log axis)")
    forest(ax, rows, columns=tuple(_BESIDE.values()))
    style.heading(
        where,
        "The typical change under every prior set, withdrawal and reading",
        [
            style.dot(style.BLUE, "o", "median, 95 % interval, given the facts"),
            style.dot(style.GREY, "s", "the same under the prior alone"),
        ],
    )
    caption_of(
        where,
        result,
        "next: halved: probability that the next patient, as measured, falls to half of baseline "
        "or less. Arrows leave the axis.",
    )
    return style.figure_of(ax)


def _reported(result: PublishedResult) -> pd.DataFrame:
    """Answers under the reported readings, whatever the prior set and the withdrawn."""
    table, readings = result.answers, result.card.readings
    same = [table[axis] == getattr(readings, axis) for axis in _READ]
    return table[np.all(same, axis=0)]


def best_visit(result: PublishedResult, ax: Axes | None = None) -> Figure:
    """Draw the typical ratio behind the best of several visits, with and without its bias.

    Parameters
    ----------
    result : PublishedResult
    ax : Axes, optional
        Where to draw; a figure of its own without.

    Returns
    -------
    Figure
        A row for each prior set: the true ratio, from the likelihood of a least of several
        noisy visits; and what reading each best value as one measurement gives.
    """
    best = result.facts.best
    assert best is not None
    table = _reported(result)
    table = table[
        (table["quantity"] == "gmr") & (table["withdrawn"] == result.card.readings.withdrawn)
    ].set_index(["part", "prior_set"])
    naive: dict[str, Any] = {"color": style.ORANGE, "marker": "D", "filled": True}
    rows = []
    for name in table.loc["best"].index:
        own, read = table.loc[("best", name)], table.loc[("best_naive", name)]
        estimates = (_estimate(own, _OWN), _estimate(read, naive), _prior(own))
        withheld = "withheld" if np.isnan([own["value"], read["value"]]).any() else ""
        rows.append(Row(f"prior set {name}", estimates, note=withheld))
    ax, where = style.one_panel(ax, 7.4, forest_height(rows, row=0.5))
    weeks = ", ".join(style.week_text(week) for week in best.weeks)
    ratio_axis(ax, f"Typical ratio to baseline over weeks {weeks}, GMR (log axis)")
    forest(ax, rows)
    style.heading(
        where,
        f"The best of {len(best.weeks)} visits flatters: the change behind it",
        [
            style.dot(style.BLUE, "o", "true change: a best of noisy visits"),
            style.dot(style.ORANGE, "D", "naive: read as one measurement"),
            style.dot(style.GREY, "s", "prior alone"),
        ],
    )
    caption_of(
        where,
        result,
        "Median and 95 % interval. The noise from visit to visit comes from its prior, since the "
        "paper cannot tell noise from change. Arrows leave the axis.",
    )
    return style.figure_of(ax)


def _share_rows(result: PublishedResult, category: str, table: pd.DataFrame) -> list[Row]:
    """As counted over both denominators, then what that says of the population."""
    counts = outcome_counts(result.facts)
    number = counts.of(category) or 0
    found = {row["withdrawn"]: row for row in records(table[table["category"] == category])}
    group, rows = LABELS[category], []

    def add(label: str, middle: float, low: float, high: float, look: dict[str, Any]) -> None:
        text = f"{percent(middle)} ({percent_range(low, high)})"
        estimate = Estimate(100 * middle, 100 * low, 100 * high, **look)
        rows.append(Row(label, (estimate,), group, (text,)))

    def counted(of: str, number: int, n: int, filled: bool) -> None:
        look = {"color": style.BLACK, "marker": "D", "width": 1.0, "filled": filled}
        add(f"counted, of the {n} {of}", number / n, *exact_interval(number, n), look)

    counted("seen", number, counts.evaluable, True)
    if counts.missing:
        failed = number + counts.missing * (category == "none")
        counted("enrolled", failed, counts.enrolled, False)
    for name, look in _LOOKS.items() if counts.missing else [("missing", _OWN)]:
        row = found[name]
        add(f"population, {_HANDLED[name]}", row["value"], row["lower"], row["upper"], look)
    row = found["missing"]
    ends = row["prior"], row["prior_lower"], row["prior_upper"]
    add("population, prior alone", *ends, _PRIOR)
    return rows


def shares(result: PublishedResult, ax: Axes | None = None) -> Figure:
    """Draw the share of patients in each category, counted and in the population.

    Parameters
    ----------
    result : PublishedResult
    ax : Axes, optional
        Where to draw; a figure of its own without.

    Returns
    -------
    Figure
        For each category: the counted rate over both denominators with exact 95 % intervals;
        the expected share with the withdrawn missing, as no response and in the best category,
        with 95 % intervals; and the prior alone.
    """
    table = _reported(result)
    table = table[
        (table["part"] == "counts")
        & (table["prior_set"] == result.prior_set)
        & (table["quantity"] == "share")
    ]
    told = [category for category in LABELS if category in set(table["category"])]
    parts = {category: _share_rows(result, category, table) for category in told}
    rows = [row for part in parts.values() for row in part]
    ax, where = style.one_panel(ax, 8.4, forest_height(rows, row=0.2))
    style.percent_axis(ax, "x", "Share of patients, %")
    ax.set_xlim(-2, 102)
    places = iter(forest(ax, rows))
    for category, part in parts.items():
        at = [next(places) for _ in part]
        bar = result.definitions.benchmarks.get(category, np.nan)
        look: dict[str, Any] = {"color": style.VERMILLION, "linestyle": "--", "linewidth": 1.3}
        ax.vlines(100 * bar, at[0] - 0.4, at[-1] + 0.4, **look)
    week = style.week_text(result.facts.outcome.week)
    key = [style.line(style.VERMILLION, "--", "benchmark", 1.3)]
    style.heading(where, f"Share of patients in each category at week {week}", key)
    caption_of(
        where,
        result,
        "Counted: the published rate with its exact 95 % interval (Clopper–Pearson). Population: "
        f"expected share of such patients with its 95 % interval, prior set {result.prior_set}.",
    )
    return style.figure_of(ax)
