"""What a paper's published facts say of each patient, and all figures of the published facts."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.published.forest import (
    EDGES,
    answers,
    best_visit,
    caption_of,
    ratio_axis,
    shares,
)
from mnbayes.analyses.published.readings import Evidence
from mnbayes.analyses.published.result import PublishedResult
from mnbayes.cards import families as priors
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height

#: Most patients with a row each.
SINGLE = 16


def published_figures(result: PublishedResult) -> dict[str, Figure]:
    """Draw every figure of the published facts.

    Parameters
    ----------
    result : PublishedResult

    Returns
    -------
    dict
        ``evidence``, ``answers``, ``shares`` and, where the facts have a best of several visits,
        ``best_visit``.
    """
    figures = {"evidence": evidence(result), "answers": answers(result), "shares": shares(result)}
    if result.best_evidence is not None:
        figures["best_visit"] = best_visit(result)
    return figures


def patient_rows(evidence: Evidence) -> list[Row]:
    """A row for each patient, or for a kind of patients where they are many.

    A point where the ratio is known, else the bar it lies in.
    """
    single = evidence.patients.sum() <= SINGLE
    order = np.argsort(np.where(np.isneginf(evidence.lower), np.inf, evidence.lower), kind="stable")
    rows = []
    for i in order:
        number, label = int(evidence.patients[i]), evidence.label[i]
        low, high = float(np.exp(evidence.lower[i])), float(np.exp(evidence.upper[i]))
        nothing = low <= 0 and np.isinf(high)
        within = EDGES[0] <= low == high <= EDGES[1]
        ends = Estimate(
            low if within else np.nan,
            low,
            high,
            color=style.PALE if nothing else style.BLUE,
            dash=":" if nothing else "-",
            width=4.0,
            filled=True,
        )
        one = single or number == 1
        row = Row(label if one else f"{number} patients: {label}", (ends,))
        rows += [row] * (number if one else 1)
    return rows


def _densities(ax: Axes, result: PublishedResult) -> None:
    """Typical ratio before and after, and the next patient's: of their logs."""
    x = np.linspace(np.log(EDGES[0]), np.log(EDGES[1]), 41)
    draws = {
        "typical": result.tree["posterior"]["mean_log_ratio"],
        "next": result.tree["posterior_predictive"]["next_log_ratio"],
    }
    height = {
        name: np.histogram(values, x)[0] / (values.size * (x[1] - x[0]))
        for name, values in draws.items()
    }
    ax.stairs(height["typical"], np.exp(x), fill=True, color=style.BAND_50)
    ax.stairs(height["typical"], np.exp(x), color=style.BLUE, linewidth=1.4)
    ax.stairs(height["next"], np.exp(x), color=style.VERMILLION, linewidth=1.4)
    spec = result.card.prior["mean_log_ratio"]
    before = np.exp(priors.log_density(spec.distribution, spec.arguments, x))
    ax.plot(np.exp(x), before, color=style.GREY, linestyle="--", linewidth=1.4)
    ax.set_ylim(bottom=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylabel("density of the log", fontsize=style.TEXT)


def evidence(result: PublishedResult) -> Figure:
    """Draw what the facts say of each patient, over what follows for the typical and next one.

    Parameters
    ----------
    result : PublishedResult

    Returns
    -------
    Figure
        Ratio to baseline (log axis): a row for each patient (for each kind of patients where they
        are many), and, unless withheld, the densities of the typical ratio before and after the
        facts and of the next patient's.
    """
    facts, rows = result.facts, patient_rows(result.evidence)
    heights = [forest_height(rows), *([] if result.withheld else [2.2])]
    figure = style.new_figure(style.WIDE, sum(heights))
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    handles: list[style.Handle] = [
        style.dot(style.BLUE, "o", "known"),
        style.line(style.BLUE, "-", "lies in this range", 4),
        style.line(style.PALE, ":", "nothing known", 4),
    ]
    label = f"{MARKERS[facts.marker].label} at week {style.week_text(facts.outcome.week)}, "
    for ax in axes:
        style.tidy(ax)
        ratio_axis(ax, f"{label}ratio to baseline (log axis)" if ax is axes[-1] else "")
    forest(axes[0], rows)
    axes[0].tick_params(axis="y", pad=8)  # arrows leave the axis there
    if not result.withheld:
        _densities(axes[1], result)
        handles += [
            style.area(
                style.BAND_50, label="typical ratio (GMR), given the facts", edge=style.BLUE
            ),
            style.line(style.GREY, "--", "typical ratio, prior alone", 1.4),
            style.line(style.VERMILLION, "-", "next patient, given the facts", 1.4),
        ]
    title = f"What the paper says of each of the {facts.enrolled.patients} patients enrolled"
    style.heading(figure, title, handles)
    caption_of(
        figure,
        result,
        "Which patient has which value is not published and does not matter here. Change under "
        "treatment: there was no control group.",
    )
    return figure
