"""Shares of patients in each category: as counted, and what they say of the population."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure

from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.figure_parts import caption_of
from mnbayes.analyses.published.result import PublishedResult
from mnbayes.answers.denominators import exact_interval
from mnbayes.base.text_table import records
from mnbayes.cards.definitions import CATEGORIES
from mnbayes.report.kit import style

_CATEGORIES = {
    "complete": "complete remission",
    "partial": "partial remission",
    "remission": "remission",
    "effective": "response of any kind",
    "none": "no response",
}


def shares(result: PublishedResult) -> Figure:
    """Draw the share of patients in each category, counted and in the population.

    Returns
    -------
    Figure
        For each category: the counted rate over both denominators with exact 95 % intervals;
        the expected share with the withdrawn missing, as no response and in the best category,
        with 95 % intervals; and the prior alone.
    """
    counts, table = outcome_counts(result.facts), result.answers
    own = table[(table["part"] == "counts") & (table["prior_set"] == result.prior_set)]
    own = own[own["quantity"] == "share"]
    readings = result.card.readings
    own = own[(own["remission"] == readings.remission) & (own["ends"] == readings.ends)
              & (own["no_response"] == readings.no_response)]  # fmt: skip
    told = [c for c in CATEGORIES if c in set(own["category"])]
    looks = {
        "counted, of those seen": (style.BLACK, "D"),
        "counted, of the enrolled": (style.BLACK, "d"),
        "missing": (style.BLUE, "o"),
        "failure": (style.ORANGE, "v"),
        "success": (style.GREEN, "^"),
        "prior": (style.GREY, "s"),
    }
    figure = style.new_figure(style.WIDE, 0.86 * len(told) + 1.9)
    ax = figure.subplots()
    style.tidy(ax)

    def draw(y: float, middle: float, low: float, high: float, name: str) -> None:
        color, marker = looks[name]
        thin = name not in ("missing", "failure", "success")
        ax.plot((100 * low, 100 * high), (y, y), color=color, linewidth=1.0 if thin else 2.0)
        hollow = "white" if name == "counted, of the enrolled" else color
        ax.plot(100 * middle, y, marker, color=color, markerfacecolor=hollow, markersize=5)

    for place, category in enumerate(told):
        number = counts.of(category) or 0
        failed = number + counts.missing * (category == "none")
        draw(place - 0.33, number / counts.evaluable, *exact_interval(number, counts.evaluable),
             "counted, of those seen")  # fmt: skip
        if counts.missing:
            draw(place - 0.2, failed / counts.enrolled, *exact_interval(failed, counts.enrolled),
                 "counted, of the enrolled")  # fmt: skip
        rows = {row["withdrawn"]: row for row in records(own[own["category"] == category])}
        for step, name in enumerate(("missing", "failure", "success") if counts.missing else
                                    ("missing",)):  # fmt: skip
            row = rows[name]
            draw(place - 0.06 + 0.13 * step, row["value"], row["lower"], row["upper"], name)
        row = rows["missing"]
        draw(place + 0.34, row["prior"], row["prior_lower"], row["prior_upper"], "prior")
        bar = result.definitions.benchmarks.get(category)
        if bar is not None:
            ax.plot((100 * bar, 100 * bar), (place - 0.42, place + 0.42), color=style.VERMILLION,
                    linestyle=(0, (3, 1.5)), linewidth=1.3)  # fmt: skip
    ax.set_yticks(range(len(told)), [textwrap.fill(_CATEGORIES[c], 18) for c in told])
    ax.set_ylim(len(told) - 0.45, -0.55)
    ax.set_xlim(-2, 102)
    ax.set_xticks(style.linear_ticks(0, 100))
    ax.set_xlabel("Share of patients, %", fontsize=style.TEXT)
    words = {
        "counted, of those seen": f"counted, of the {counts.evaluable} seen",
        "counted, of the enrolled": f"counted, of the {counts.enrolled} enrolled",
        "missing": "population: withdrawn missing",
        "failure": "population: withdrawn = no response",
        "success": "population: withdrawn = best category",
        "prior": "population: prior alone",
    }
    needless = () if counts.missing else ("failure", "success", "counted, of the enrolled")
    handles: list[style.Handle] = [
        style.dot(color, marker, words[name],
                  "white" if name == "counted, of the enrolled" else None)
        for name, (color, marker) in looks.items() if name not in needless
    ]  # fmt: skip
    handles.append(style.line(style.VERMILLION, "--", "benchmark", 1.3))
    week = style.week_text(result.facts.outcome.week)
    style.heading(figure, f"Share of patients in each category at week {week}", handles)
    caption_of(
        figure, result,
        "Counted: the published rate with its exact 95 % interval (Clopper–Pearson). Population: "
        f"expected share of such patients with its 95 % interval, prior set {result.prior_set}.",
    )  # fmt: skip
    return figure
