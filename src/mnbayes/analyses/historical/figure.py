"""Earlier studies: every figure, the mixture that stands for them, and refits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
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
from mnbayes.analyses.historical.forest import historical_forest
from mnbayes.analyses.historical.reweighting import REFITTED, WEIGHTED
from mnbayes.base.text_table import records
from mnbayes.report.kit import style


def historical_figures(result: HistoricalResult) -> dict[str, Figure]:
    """Draw every figure of the historical model.

    Parameters
    ----------
    result : HistoricalResult

    Returns
    -------
    dict
        ``historical_forest``, ``historical_mixture`` and, where refits were made,
        ``historical_refits``; nothing where the numbers are withheld.
    """
    if result.withheld:
        return {}
    figures = {
        "historical_forest": historical_forest(result),
        "historical_mixture": historical_mixture(result),
    }
    if not (result.left_out.empty and result.readings.empty):
        figures["historical_refits"] = historical_refits(result)
    return figures


def historical_mixture(result: HistoricalResult) -> Figure:
    """Draw the benchmark's predictive rate as a mixture, and the trial's counts against it.

    Parameters
    ----------
    result : HistoricalResult

    Returns
    -------
    Figure
        Left: histogram of the predictive rate, the mixture fitted to it, the robust one, and the
        prior alone. One more panel for each count of the trial: probabilities of 0 to n
        remissions as predicted by history, the observed count marked.

    Raises
    ------
    ValueError
        If the numbers are withheld.
    """
    if result.mixture is None or result.robust is None:
        raise ValueError("the numbers of the historical model are withheld")
    mark = result.card.benchmark
    counts = records(result.conflict)
    grid = style.Grid(
        1 + len(counts), cell=(2.55, 1.95), gap=(0.55, 0.6), columns=3, left=0.62, right=0.2
    )
    figure, axes = grid.figure()
    ax = axes[0]
    x = np.linspace(0.0, 1.0, 401)
    draws = result.tree["posterior"]["new_study_rate"].sel(treatment_class=mark.treatment_class)
    ax.hist(
        100 * draws.to_numpy().ravel(), bins=40, range=(0, 100), density=True,
        color=style.BAND_95, zorder=1,
    )  # fmt: skip
    prior = result.tree["prior"]["new_study_rate"].sel(treatment_class=mark.treatment_class)
    heights, edges = np.histogram(100 * prior.to_numpy(), bins=20, range=(0, 100), density=True)
    ax.stairs(heights, edges, color=style.GREY, linewidth=1.0, zorder=2)
    ax.plot(100 * x, result.mixture.density(x) / 100, color=style.BLUE, linewidth=1.6, zorder=4)
    ax.plot(100 * x, result.robust.density(x) / 100, color=style.VERMILLION, linewidth=1.4,
            linestyle="--", zorder=4)  # fmt: skip
    ax.set_title("Rate of a new study", fontsize=style.TEXT, loc="left")
    ax.set_xlim(0, 100)
    ax.set_xlabel("Patients in remission, %", fontsize=style.TEXT)
    ax.set_ylabel("Density, per percentage point", fontsize=style.TEXT)
    for panel, row in zip(axes[1:], counts, strict=True):
        _count_panel(panel, row, result)
    head = style.heading(
        figure,
        f"History of {result.card.titles[mark.treatment_class]} as a prior",
        [
            style.area(style.BAND_95, label="draws of the model"),
            style.line(style.BLUE, "-", "mixture of betas"),
            style.line(style.VERMILLION, "--", "robust: with a vague part", 1.4),
            style.line(style.GREY, "-", "prior alone, no study", 1.0),
            style.area(style.BLUE, "//", label="counted in the trial"),
        ],
    )
    bottom = foot(
        figure, result,
        f"{kind(mark.refractory).capitalize()} patients at month {mark.month:g}; the trial "
        f"counted at week 12. Mixture: {result.mixture.text}, worth {result.ess:.0f} patients "
        "(ELIR). More remissions than predicted may be chance, the treatment, or patients who "
        "are not those of history.",
    )  # fmt: skip
    grid.place(figure, axes, head, bottom)
    return figure


def _count_panel(ax: Axes, row: dict[str, Any], result: HistoricalResult) -> None:
    """Predicted probabilities of each count of remissions, the observed one marked."""
    assert result.mixture is not None
    chance = 100 * result.mixture.predictive(int(row["n"]))
    places = np.arange(len(chance))
    seen = places == row["remission"]
    ax.bar(places[~seen], chance[~seen], color=style.BAND_50, width=0.8, zorder=2)
    ax.bar(places[seen], chance[seen], color=style.BLUE, width=0.8, hatch="//",
           edgecolor="white", linewidth=0.0, zorder=2)  # fmt: skip
    ax.set_title(
        f"{row['remission']} of {row['n']} ({str(row['count']).split(':')[0]})",
        fontsize=style.TEXT, loc="left",
    )  # fmt: skip
    ax.set_xticks(places)
    ax.set_xlabel("Patients in remission", fontsize=style.TEXT)
    ax.set_ylabel("Predicted, %", fontsize=style.TEXT)
    ax.text(
        0.98, 0.96,
        f"{row['remission']} or more: {100 * row['p_at_least']:.0f} %\nvague part: "
        f"{100 * row['vague_weight']:.0f} → {100 * row['vague_weight_after']:.0f} %",
        transform=ax.transAxes, ha="right", va="top", fontsize=style.SMALL,
    )  # fmt: skip


def _how(result: HistoricalResult) -> str:
    """How the rows were found: by weighting the draws, or by sampling again."""
    engines = pd.concat(
        [result.left_out.drop_duplicates("study")["engine"], result.readings["engine"]]
    )
    weighted, sampled = (int((engines == name).sum()) for name in (WEIGHTED, REFITTED))
    return f"{weighted} by weighting the draws, {sampled} sampled again."


def historical_refits(result: HistoricalResult) -> Figure:
    """Draw the benchmark's rate without each study and under other readings of the table.

    Parameters
    ----------
    result : HistoricalResult

    Returns
    -------
    Figure
        Mean and 95 % interval of a new study's rate, a row for each refit, be it by weighting;
        the line and band of the fit itself. A refit that failed its checks has its reason
        instead.

    Raises
    ------
    ValueError
        If no refit was made.
    """
    groups = [("as it stands", pd.DataFrame([result.benchmark | {"label": "all studies"}]))]
    if not result.left_out.empty:
        without = result.left_out.drop_duplicates("study")
        label = "without " + without["study"].astype(str)
        groups.append(("leaving one study out", without.assign(label=label)))
    if not result.readings.empty:
        label = result.readings["reading"]
        groups.append(("reading the table otherwise", result.readings.assign(label=label)))
    if len(groups) == 1:
        raise ValueError("no refits were made")
    count = sum(len(frame) for _, frame in groups)
    grid = style.Grid(
        1, cell=(3.6, count * ROW + len(groups) * NAME), gap=(0, 0), left=2.75, right=1.5
    )
    figure, (ax,) = grid.figure()
    mean, low, high = (100 * float(str(result.benchmark[k])) for k in ("mean", "lower", "upper"))
    ax.axvspan(low, high, color="#EDEDED", zorder=0)
    ax.axvline(mean, color=style.VERMILLION, linestyle="--", linewidth=0.9, zorder=1)
    y, ticks, names = 0.0, [], []
    for title, frame in groups:
        y += NAME
        group_heading(ax, y - 0.15, title)
        for row in records(frame):
            centre = y + ROW / 2
            ticks.append(centre)
            names.append(row["label"])
            if row.get("reason"):
                note(ax, centre, "failed its checks", style.GREY)
            else:
                first = title == "as it stands"
                color = style.VERMILLION if first else style.BLUE
                interval(ax, centre, row, ("mean", "lower", "upper"), color, "D" if first else "o")
                note(ax, centre, percent_range(row, ("mean", "lower", "upper")), color)
            y += ROW
    ax.set_ylim(y, 0.0)
    ax.set_yticks(ticks, names)
    mark = result.card.benchmark
    share_axis(ax, "Rate of remission of a new study, %")
    head = style.heading(
        figure, "How much does the benchmark rest on one study or one reading?",
        [
            style.dot(style.VERMILLION, "D", "the model: mean, 95 %", "white"),
            style.dot(style.BLUE, "o", "a refit: mean, 95 %", "white"),
            style.area("#EDEDED", label="95 % of the model"),
        ],
    )  # fmt: skip
    bottom = foot(
        figure, result,
        f"{result.card.titles[mark.treatment_class].capitalize()}, {kind(mark.refractory)} "
        f"patients, month {mark.month:g}. {_how(result)}",
    )  # fmt: skip
    grid.place(figure, [ax], head, bottom)
    return figure
