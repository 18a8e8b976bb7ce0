"""What a paper's published facts say of each patient, and all figures of the published facts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.published.figure_parts import EDGES, caption_of, ratio_axis
from mnbayes.analyses.published.forest import answers, best_visit
from mnbayes.analyses.published.readings import Evidence
from mnbayes.analyses.published.result import PublishedResult
from mnbayes.analyses.published.shares_figure import shares
from mnbayes.cards import families as priors
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import style

#: Most patients with a row each.
SINGLE = 16


def _rows(evidence: Evidence) -> list[tuple[str, float, float]]:
    """Label and ends of each row: a patient, or a kind of patients where they are many."""
    single = evidence.patients.sum() <= SINGLE
    order = np.argsort(np.where(np.isneginf(evidence.lower), np.inf, evidence.lower), kind="stable")
    rows = []
    for i in order:
        number = int(evidence.patients[i])
        label = evidence.label[i]
        ends = float(np.exp(evidence.lower[i])), float(np.exp(evidence.upper[i]))
        if single or number == 1:
            rows += [(label, *ends)] * number
        else:
            rows.append((f"{number} patients: {label}", *ends))
    return rows


def _patients(ax: Axes, rows: Sequence[tuple[str, float, float]]) -> None:
    """Draw a point where the ratio is known, else the bar it lies in."""
    left, right = EDGES
    for row, (_, low, high) in enumerate(rows):
        nothing = low <= 0 and np.isinf(high)
        color = style.PALE if nothing else style.BLUE
        if low == high and left <= low <= right:
            ax.plot(low, row, "o", color=color, markersize=6, zorder=4)
            continue
        ends = np.clip((low, high), left, right)
        ax.plot(
            ends, (row, row), color=color, linewidth=4, alpha=0.75, solid_capstyle="butt",
            zorder=3, linestyle=(0, (1.2, 1.2)) if nothing else "-",
        )  # fmt: skip
        for end, marker, beyond in ((left, "<", low < left), (right, ">", high > right)):
            if beyond:
                ax.plot(end, row, marker, color=color, markersize=6, zorder=4, clip_on=False)
    ax.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)


def _densities(ax: Axes, result: PublishedResult) -> None:
    """Typical ratio before and after, and the next patient's."""
    x = np.linspace(np.log(EDGES[0]), np.log(EDGES[1]), 400)
    spec = result.card.prior["mean_log_ratio"]
    ax.plot(np.exp(x), np.exp(priors.log_density(spec.distribution, spec.arguments, x)),
            color=style.GREY, linestyle="--", linewidth=1.4)  # fmt: skip
    height = np.interp(x, result.mean_grid, result.mean_density, left=0, right=0)
    ax.fill_between(np.exp(x), height, color=style.BAND_50, linewidth=0)
    ax.plot(np.exp(x), height, color=style.BLUE, linewidth=1.8)
    posterior = result.tree["posterior"].dataset
    mean, sd = (np.ravel(posterior[n].to_numpy()) for n in ("mean_log_ratio", "sd_log_ratio"))
    mean, sd = mean[:: max(1, mean.size // 500)], sd[:: max(1, sd.size // 500)]
    z = (x - mean[:, None]) / sd[:, None]
    following = np.mean(np.exp(-0.5 * z**2) / sd[:, None], axis=0) / np.sqrt(2 * np.pi)
    ax.plot(np.exp(x), following, color=style.VERMILLION, linestyle="-.", linewidth=1.5)
    ax.set_ylim(bottom=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylabel("density", fontsize=style.TEXT)


def evidence(result: PublishedResult) -> Figure:
    """Draw what the facts say of each patient, over what follows for the typical and next one.

    Parameters
    ----------
    result : PublishedResult

    Returns
    -------
    Figure
        Ratio to baseline (log axis): a row for each patient (for each kind of patients where they
        are many), and, unless withheld, the
        densities of the typical ratio before and after the facts and of the next patient's.
    """
    facts, rows = result.facts, _rows(result.evidence)
    high = 0.24 * len(rows)
    figure = style.new_figure(style.WIDE, high + (2.2 if result.withheld else 4.0))
    ratios = [1.0] if result.withheld else [high + 0.3, 1.7]
    axes = figure.subplots(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0]
    for ax in axes:
        style.tidy(ax)
    _patients(axes[0], rows)
    label = f"{MARKERS[facts.marker].label} at week {style.week_text(facts.outcome.week)}, "
    label += "ratio to baseline (log axis)"
    handles: list[style.Handle] = [
        style.dot(style.BLUE, "o", "known"),
        style.line(style.BLUE, "-", "lies in this range", 4),
        style.line(style.PALE, ":", "nothing known", 4),
    ]
    if not result.withheld:
        _densities(axes[1], result)
        axes[1].sharex(axes[0])
        handles += [
            style.line(style.BLUE, "-", "typical ratio (GMR), given the facts", 1.8),
            style.line(style.GREY, "--", "typical ratio, prior alone", 1.4),
            style.line(style.VERMILLION, "-.", "next patient, given the facts", 1.5),
        ]
    for ax in axes:
        ratio_axis(ax, label if ax is axes[-1] else "")
    title = f"What the paper says of each of the {facts.enrolled.patients} patients enrolled"
    style.heading(figure, title, handles)
    caption_of(
        figure, result,
        "Which patient has which value is not published and does not matter here. Change under "
        "treatment: there was no control group.",
    )  # fmt: skip
    return figure


def published_figures(result: PublishedResult) -> dict[str, Figure]:
    """Draw every figure of the published facts.

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
