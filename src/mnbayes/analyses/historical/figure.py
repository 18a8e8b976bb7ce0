"""Pictures of earlier studies: forest, the mixture that stands for them (MAP prior), refits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.historical.fit import HistoricalResult
from mnbayes.analyses.historical.reweighting import REFITTED, WEIGHTED
from mnbayes.base.arrays import Floats
from mnbayes.base.text_table import records
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height, panels

PUBLISHED = "Published counts of earlier studies; no patient of the trial."
_KIND = {"yes": "refractory", "no": "non-refractory", "mixed": "mixed"}
_MEAN, _PRIOR = ("mean", "lower", "upper"), ("mean_prior", "lower_prior", "upper_prior")
_BAND = "#EDEDED"


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


def _caption(where: Figure | Axes, result: HistoricalResult, *sentences: str) -> None:
    reasons = () if result.converged else result.gate.reasons
    style.caption(where, result.card.name, reasons, False, PUBLISHED, *sentences)


def _percent(row: dict[str, Any], names: Sequence[str]) -> tuple[float, float, float]:
    """A rate and the ends of its interval, percent."""
    middle, low, high = (100 * float(row[name]) for name in names)
    return middle, low, high


def _text(row: dict[str, Any], names: Sequence[str]) -> str:
    middle, low, high = _percent(row, names)
    return f"{middle:.0f} % ({low:.0f} to {high:.0f} %)"


def _arm(row: dict[str, Any], rows: Sequence[dict[str, Any]], group: str) -> Row:
    """What was counted, with its exact limits, above what the model makes of it."""
    low, high, n = row["low"], row["high"], row["n"]
    exact = low == high
    counted = Estimate(
        100 * low / n if exact else np.nan,
        100 * row["observed_lower"],
        100 * row["observed_upper"],
        inner=None if exact else (100 * low / n, 100 * high / n),
        color=style.GREY,
        marker="s",
        width=1.0,
        filled=True,
    )
    several = sum(other["study"] == row["study"] for other in rows) > 1
    arm = f", {str(row['arm']).removeprefix('rituximab ')}" if several else ""
    count = f"{low}/{n}" if exact else f"{low}–{high}/{n}"
    shared = "" if row["weight"] == 1 else f" (×{row['weight']:.2g})"
    about = "~" if row["month_is"] == "average" else ""
    rate = ("median", "lower", "upper")
    return Row(
        f"{row['study']}{arm}",
        (counted, Estimate(*_percent(row, rate))),
        group,
        (
            f"{count}{shared}",
            f"{_KIND[row['refractory']]}, month {about}{row['month']:g}",
            _text(row, rate),
        ),
    )


def historical_forest(result: HistoricalResult, ax: Axes | None = None) -> Figure:
    """Draw the arms' rates as counted and as shrunken, by class, with what a new study may show.

    Parameters
    ----------
    result : HistoricalResult
    ax : Axes, optional
        Where to draw; a figure of its own without.

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
    rows = []
    for name in result.card.classes:
        arms = records(result.arms[result.arms["treatment_class"] == name])
        if not arms:
            continue
        group = result.card.titles[name]
        rows += [_arm(arm, arms, group) for arm in arms]
        (new,) = records(at[at["treatment_class"] == name])
        width = 3.0 if name == mark.treatment_class else 1.8
        look: dict[str, Any] = {"color": style.VERMILLION, "marker": "D", "filled": True}
        beside = (
            f"{new['arms']} arm{'s' if new['arms'] != 1 else ''}",
            f"{_KIND[new['refractory']]}, month {new['month']:g}",
            _text(new, _MEAN),
        )
        estimate = Estimate(*_percent(new, _MEAN), width=width, **look)
        rows.append(Row("a new study", (estimate,), group, beside, style.VERMILLION))
    first = records(at)[0]
    prior = Estimate(*_percent(first, _PRIOR), color=style.GREY, marker="D", dash="--", filled=True)
    beside = ("", "", _text(first, _PRIOR))
    rows.append(Row("a new study, prior alone", (prior,), "before any study", beside, style.GREY))
    ax, where = style.one_panel(ax, style.WIDE, forest_height(rows))
    style.percent_axis(ax, "x", "Patients in remission, %")
    forest(ax, rows, columns=("counted", "patients", "rate in the model"))
    benchmark = 100 * float(str(result.benchmark["mean"]))
    ax.axvline(benchmark, color=style.VERMILLION, linestyle="--", linewidth=0.9, zorder=1)
    style.heading(
        where,
        "Remission in earlier studies of membranous nephropathy",
        [
            style.dot(style.GREY, "s", "as counted, exact 95 % limits"),
            style.line(style.GREY, "-", "count known between two ends", 3.0),
            style.dot(style.BLUE, "o", "rate of the arm in the model, 95 %", "white"),
            style.dot(style.VERMILLION, "D", "rate of a new study: mean, 95 %"),
            style.line(style.VERMILLION, "--", f"benchmark, {benchmark:.0f} %", 0.9),
        ],
    )
    _caption(
        where,
        result,
        f"New studies: {_KIND[mark.refractory]} patients at month {mark.month:g}; counted: the "
        "arms of such patients. ~: an average month, by which the count had not been reached. "
        "×0.5: may share patients with another row, so each counts half.",
    )
    return style.figure_of(ax)


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
    mark, counts = result.card.benchmark, records(result.conflict)
    figure, axes = panels(1 + len(counts), (3.2, 2.5), columns=3)
    ax, x = axes[0], np.linspace(0.0, 1.0, 401)
    draws, prior = (
        100 * result.tree[group]["new_study_rate"].sel(treatment_class=mark.treatment_class)
        for group in ("posterior", "prior")
    )
    looks: dict[str, Any] = {"range": (0, 100), "density": True}
    ax.hist(np.ravel(draws), bins=40, color=style.BAND_95, **looks)
    ax.hist(np.ravel(prior), bins=20, histtype="step", color=style.GREY, **looks)
    ax.plot(100 * x, result.mixture.density(x) / 100, color=style.BLUE)
    ax.plot(100 * x, result.robust.density(x) / 100, color=style.VERMILLION, linestyle="--")
    ax.set_title("Rate of a new study", fontsize=style.TEXT, loc="left")
    style.percent_axis(ax, "x", "Patients in remission, %")
    ax.set_ylabel("Density, per percentage point", fontsize=style.TEXT)
    for panel, row in zip(axes[1:], counts, strict=True):
        _count_panel(panel, row, 100 * result.mixture.predictive(int(row["n"])))
    style.heading(
        figure,
        f"History of {result.card.titles[mark.treatment_class]} as a prior",
        [
            style.area(style.BAND_95, label="draws of the model"),
            style.line(style.BLUE, "-", "mixture of betas"),
            style.line(style.VERMILLION, "--", "robust: with a vague part"),
            style.line(style.GREY, "-", "prior alone, no study", 1.0),
            style.area(style.BLUE, "//", label="counted in the trial"),
        ],
    )
    _caption(
        figure,
        result,
        f"{_KIND[mark.refractory].capitalize()} patients at month {mark.month:g}; the trial "
        f"counted at week 12. Mixture: {result.mixture.text}, worth {result.ess:.0f} patients "
        "(ELIR). More remissions than predicted may be chance, the treatment, or patients who "
        "are not those of history.",
    )
    return figure


def _count_panel(ax: Axes, row: dict[str, Any], chance: Floats) -> None:
    """Predicted probabilities of each count of remissions, per cent, the observed one marked."""
    seen, n = row["remission"], row["n"]
    bars = ax.bar(range(n + 1), chance, color=style.BAND_50)
    bars[seen].set(facecolor=style.BLUE, hatch="//", edgecolor="white", linewidth=0)
    handling = str(row["count"]).split(":")[0]
    ax.set_title(f"{seen} of {n} ({handling})", fontsize=style.TEXT, loc="left")
    ax.set_xticks(range(n + 1))
    ax.set_xlabel("Patients in remission", fontsize=style.TEXT)
    ax.set_ylabel("Predicted, %", fontsize=style.TEXT)
    vague = [f"{100 * row[name]:.0f}" for name in ("vague_weight", "vague_weight_after")]
    ax.text(
        0.98,
        0.96,
        f"{seen} or more: {100 * row['p_at_least']:.0f} %\nvague part: {' → '.join(vague)} %",
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=style.SMALL,
    )


def _how(result: HistoricalResult) -> str:
    """How the rows were found: by weighting the draws, or by sampling again."""
    engines = pd.concat(
        [result.left_out.drop_duplicates("study")["engine"], result.readings["engine"]]
    )
    weighted, sampled = (int((engines == name).sum()) for name in (WEIGHTED, REFITTED))
    return f"{weighted} by weighting the draws, {sampled} sampled again."


def historical_refits(result: HistoricalResult, ax: Axes | None = None) -> Figure:
    """Draw the benchmark's rate without each study and under other readings of the table.

    Parameters
    ----------
    result : HistoricalResult
    ax : Axes, optional
        Where to draw; a figure of its own without.

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
    found = [("as it stands", "all studies", result.benchmark)]
    found += [
        ("leaving one study out", f"without {row['study']}", row)
        for row in records(result.left_out.drop_duplicates("study"))
    ]
    found += [
        ("reading the table otherwise", row["reading"], row) for row in records(result.readings)
    ]
    if len(found) == 1:
        raise ValueError("no refits were made")
    rows = []
    for group, label, row in found:
        if row.get("reason"):
            rows.append(Row(label, (), group, note="failed its checks"))
            continue
        own = group == found[0][0]
        color, marker = (style.VERMILLION, "D") if own else (style.BLUE, "o")
        estimate = Estimate(*_percent(row, _MEAN), color=color, marker=marker)
        rows.append(Row(label, (estimate,), group, (_text(row, _MEAN),), color))
    ax, where = style.one_panel(ax, 7.8, forest_height(rows))
    mean, low, high = _percent(result.benchmark, _MEAN)
    style.percent_axis(ax, "x", "Rate of remission of a new study, %")
    ax.axvspan(low, high, color=_BAND, zorder=0)
    ax.axvline(mean, color=style.VERMILLION, linestyle="--", linewidth=0.9, zorder=1)
    forest(ax, rows)
    style.heading(
        where,
        "How much does the benchmark rest on one study or one reading?",
        [
            style.dot(style.VERMILLION, "D", "the model: mean, 95 %", "white"),
            style.dot(style.BLUE, "o", "a refit: mean, 95 %", "white"),
            style.area(_BAND, label="95 % of the model"),
        ],
    )
    mark = result.card.benchmark
    _caption(
        where,
        result,
        f"{result.card.titles[mark.treatment_class].capitalize()}, {_KIND[mark.refractory]} "
        f"patients, month {mark.month:g}. {_how(result)}",
    )
    return style.figure_of(ax)
