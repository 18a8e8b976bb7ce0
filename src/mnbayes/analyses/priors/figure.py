"""Priors before any data: a belief's density and consequences, and the next patient's range."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from mnbayes.analyses.priors.elicit_command import Elicitation
from mnbayes.analyses.priors.limits import Limits, physiological_limits
from mnbayes.analyses.priors.predictive import ALBUMIN, PROTEIN, PriorPredictive
from mnbayes.analyses.results.parameters import SHORT
from mnbayes.cards import families as priors
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import style
from mnbayes.report.kit.style import FloatArray

#: How the two priors of a belief's figure look, and where a row of theirs lies.
_LOOKS = {"without": (style.GREY, "s", -0.16), "with": (style.BLUE, "o", 0.16)}
_WORDS = {
    "complete": "complete remission",
    "partial": "partial remission",
    "remission": "remission",
    "effective": "effective",
}
#: Most decades of a log axis: a prior may reach further, and its line then ends at the edge.
_DECADES = 7.0
#: Largest natural log of a level that is drawn.
_EDGE = 60.0


def _caption(figure: Figure, text: str) -> float:
    width = float(figure.get_size_inches()[0])
    lines = textwrap.wrap(text, int(width * 16))
    figure.supxlabel(
        "\n".join(lines),
        x=0.01, ha="left", fontsize=style.SMALL, color="#333333", multialignment="left",
    )  # fmt: skip
    return 0.06 + 0.13 * len(lines)


def _density(ax: Axes, found: Elicitation) -> None:
    """The belief's density, filled within its bounds, over the prior that it replaces."""
    elicited, own = found.elicited, found.own
    belief, kind = elicited.belief, elicited.belief.quantity.kind
    both = [(own.distribution, own.arguments), (elicited.distribution, elicited.arguments)]
    ends = [priors.quantile(*each, [0.005, 0.995]) for each in both]
    on_line = kind in ("level", "change")
    low = float(min(each[0] for each in ends)) if on_line else 0.0
    high = float(max(each[1] for each in ends))
    reach = _DECADES * np.log(10)
    if on_line and belief.scale != "log" and high - low > reach:
        middle = float(priors.quantile(*both[1], 0.5))
        low, high = max(low, middle - reach / 2), min(high, middle + reach / 2)
    grid = np.linspace(low, high, 601)[1:]
    own_height, height = (np.exp(priors.log_density(*each, grid)) for each in both)
    logs = on_line and belief.scale != "log"
    x = np.exp(grid) if logs else grid
    start, end = belief.bounds
    inside = (grid >= (-np.inf if start is None else start)) & (
        grid <= (np.inf if end is None else end)
    )
    ax.fill_between(x, height, where=list(inside), color=style.BAND_50, linewidth=0)
    ax.plot(x, height, color=style.BLUE, linewidth=1.8)
    ax.plot(x, own_height, color=style.GREY, linewidth=1.4, linestyle="--")
    if logs:
        _log_axis(ax, found, float(x[0]), float(x[-1]))
    else:
        ax.set_xlim(0 if not on_line else low, high)
    ax.set_ylim(bottom=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(_axis_label(found), fontsize=style.TEXT)
    ax.set_title("Density", fontsize=style.TEXT, loc="left")


def _log_axis(ax: Axes, found: Elicitation, low: float, high: float) -> None:
    style.log_axis(ax, "x", low, high)
    if found.elicited.belief.scale == "fall":
        ticks: list[float] = []
        for tick in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0):
            apart = np.log(tick / ticks[-1]) if ticks else np.inf
            if low <= tick <= high and apart > 0.1 * np.log(high / low):
                ticks.append(tick)
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        labels = [f"{100 * (1 - t):z.0f} %".replace("-", "−") for t in ticks]
        ax.xaxis.set_major_formatter(FixedFormatter(labels))
        ax.xaxis.set_minor_locator(NullLocator())
    if found.elicited.belief.quantity.kind == "change":
        ax.axvline(1.0, color=style.BLACK, linewidth=0.8, linestyle=":")


def _axis_label(found: Elicitation) -> str:
    belief = found.elicited.belief
    subject = belief.sentence.split(" sure that ", 1)[1]
    for verb in (" lies ", " is "):
        subject = subject.split(verb, 1)[0]
    subject = subject.removeprefix("the ")
    units = {
        "gmr": " (no unit; log axis)",
        "fall": ", % of baseline (log axis of the ratio)",
        "sd": " (log scale, no unit)",
        "weeks": ", weeks",
        belief.quantity.unit or "g": f", {belief.quantity.unit} (log axis)",
    }
    text = f"{subject}{units.get(belief.scale, '')}"
    return "\n".join(textwrap.wrap(text[0].upper() + text[1:], 52))


def _interval_rows(
    ax: Axes, rows: Sequence[tuple[float, FloatArray, str, str]], limits: Limits, unit: str
) -> None:
    """Median, 50 % and 95 % interval of log values, one row each, with what no patient has."""
    # What cannot be drawn, or not even computed, ends at an edge far outside the limits.
    with np.errstate(all="ignore"):
        found = [np.quantile(values, style.LEVELS) for _, values, _, _ in rows]
    quantiles = [np.clip(np.nan_to_num(ends, nan=_EDGE), -_EDGE, _EDGE) for ends in found]
    reach = _DECADES * np.log(10)
    middle = float(np.median([q[2] for q in quantiles]))
    low = max(min(float(q[0]) for q in quantiles), middle - reach / 2)
    high = min(max(float(q[-1]) for q in quantiles), middle + reach / 2)
    high = max(high, low + 0.1)
    for (place, _, color, marker), q in zip(rows, quantiles, strict=True):
        ends = np.exp(np.clip(q, low - 1, high + 1))
        ax.hlines(place, ends[0], ends[-1], color=color, linewidth=1.4)
        ax.hlines(place, ends[1], ends[3], color=color, linewidth=4)
        ax.plot(ends[2], place, marker, color=color, markersize=5, markerfacecolor="white")
    pad = 0.05 * (high - low)
    left, right = float(np.exp(low - pad)), float(np.exp(high + pad))
    style.log_axis(ax, "x", left, right)
    for start, end in ((left, limits.lower), (limits.upper, right)):
        if start < end:
            ax.axvspan(start, end, facecolor="#F3F3F3", edgecolor="#CFCFCF", hatch="///", zorder=0)
    ax.set_xlim(left, right)
    ax.set_xlabel(f"{unit} (log axis)", fontsize=style.TEXT)


def _next_patient(ax: Axes, found: Elicitation) -> None:
    marker = found.shown_marker
    rows, labels = [], []
    for place, (t, when) in enumerate(((0, "baseline"), (-1, _last(found.with_belief)))):
        labels.append(when)
        for predictive, look in ((found.without, "without"), (found.with_belief, "with")):
            color, symbol, shift = _LOOKS[look]
            values = predictive.draws.patient[:, t, predictive.draws.markers.index(marker)]
            rows.append((place + shift, values, color, symbol))
    _interval_rows(ax, rows, physiological_limits()[marker], MARKERS[marker].unit)
    ax.set_yticks(range(len(labels)), labels, fontsize=style.TEXT)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.set_title(f"Next patient's {SHORT[marker]}, as measured", fontsize=style.TEXT, loc="left")


def _last(predictive: PriorPredictive) -> str:
    return f"week {style.week_text(predictive.draws.weeks[-1])}"


def _responses(ax: Axes, found: Elicitation) -> None:
    last = found.with_belief.draws.weeks[-1]
    chances = []
    for predictive in (found.without, found.with_belief):
        rows = predictive.responses[predictive.responses["week"] == last]
        chances.append(dict(zip(rows["category"], rows["probability"], strict=True)))
    shown = [category for category in _WORDS if category in chances[0]]
    for chance, (color, symbol, shift) in zip(chances, _LOOKS.values(), strict=True):
        places = np.arange(len(shown)) + shift
        values = [100 * chance[category] for category in shown]
        ax.hlines(places, 0, values, color=color, linewidth=1.2)
        ax.plot(values, places, symbol, color=color, markersize=5, markerfacecolor="white")
    ax.set_yticks(range(len(shown)), [_WORDS[c] for c in shown], fontsize=style.TEXT)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.set_xlim(0, 100)
    ax.set_xlabel("Probability, %", fontsize=style.TEXT)
    title = f"Next patient's response, {_last(found.with_belief)}"
    ax.set_title(title, fontsize=style.TEXT, loc="left")


def elicited_prior(found: Elicitation) -> Figure:
    """Draw a belief as a prior, and what follows from it before any data.

    Parameters
    ----------
    found : Elicitation

    Returns
    -------
    Figure
        Left, the density of the fitted prior, filled within the stated bounds, over the prior
        that it replaces. Right, under the prior alone without and with the belief: the next
        patient's values as measured, and the probabilities of response where the model has them.
    """
    judged = found.shown_marker in (PROTEIN, ALBUMIN)
    responses = judged and not found.with_belief.responses.empty
    figure = style.new_figure(style.WIDE, 4.6 if responses else 3.4)
    handles: list[style.Handle] = [
        style.line(style.BLUE, "-", f"with the belief: {found.elicited.formula}"),
        style.area(style.BAND_50, label="within the stated bounds"),
        style.line(style.GREY, "--", f"without it: {found.own.formula}"),
        style.dot(style.BLUE, "o", "with the belief", face="white"),
        style.dot(style.GREY, "s", "without it", face="white"),
        style.area("#F3F3F3", "///", "beyond what patients have", edge="#CFCFCF"),
    ]
    style.heading(figure, f"{found.elicited.belief.sentence}", handles, 3)
    grid = figure.add_gridspec(2 if responses else 1, 2, width_ratios=[1.1, 1.0])
    density, following = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1])
    style.tidy(density)
    _density(density, found)
    style.tidy(following)
    _next_patient(following, found)
    if responses:
        below = figure.add_subplot(grid[1, 1])
        style.tidy(below)
        _responses(below, found)
    _caption(
        figure,
        f"Model: {found.card.name}, prior of {found.name}. Lines: 95 % and 50 % (thick) intervals "
        f"with median. {len(found.with_belief.draws.patient):,} draws from the prior alone: no "
        "patient and no data, real or synthetic, went into this figure.",
    )
    return figure


def prior_ranges(found: Sequence[PriorPredictive]) -> Figure:
    """Draw the next patient's range under the prior alone, a panel for each model and marker.

    Parameters
    ----------
    found : sequence of PriorPredictive

    Returns
    -------
    Figure
        At baseline and at the last visit: median, 50 % and 95 % interval of the next patient's
        measurement and of a typical (median) patient, over the levels that no patient has.
    """
    items = [(p, k) for p in found for k in range(len(p.draws.markers))]
    grid = style.Grid(
        len(items), cell=(3.5, 1.05), gap=(0.95, 0.78), columns=2, left=0.75, right=0.2
    )
    figure, axes = grid.figure()
    looks = {"typical patient": (style.ORANGE, "D", -0.17), "next": (style.BLUE, "o", 0.17)}
    limits = physiological_limits()
    for ax, (predictive, k) in zip(axes, items, strict=True):
        marker = predictive.draws.markers[k]
        rows = []
        for place, t in enumerate((0, -1)):
            both = (predictive.draws.typical, predictive.draws.patient)
            for values, (color, symbol, shift) in zip(both, looks.values(), strict=True):
                rows.append((place + shift, values[:, t, k], color, symbol))
        _interval_rows(ax, rows, limits[marker], MARKERS[marker].unit)
        ax.set_yticks([0, 1], ["baseline", _last(predictive)], fontsize=style.TEXT)
        ax.set_ylim(1.5, -0.5)
        ax.set_title(
            f"{MARKERS[marker].label} ({predictive.model})", fontsize=style.TEXT, loc="left", pad=3
        )
    handles: list[style.Handle] = [
        style.dot(style.ORANGE, "D", "typical (median) patient", face="white"),
        style.dot(style.BLUE, "o", "next patient, as measured", face="white"),
        style.area("#F3F3F3", "///", "beyond what patients have", edge="#CFCFCF"),
    ]
    head = style.heading(figure, "What the priors say before any data", handles, 3)
    said = [sentence for predictive in found for sentence in predictive.implausible]
    sentences = [
        "Lines: 95 % and 50 % (thick) intervals with median, of draws from the prior alone: no",
        "patient and no data, real or synthetic, went into this figure.",
        "Under the prior all later visits are alike.",
        *(f"IMPLAUSIBLE. {sentence}" for sentence in dict.fromkeys(said)),
    ]
    foot = _caption(figure, " ".join(sentences))
    grid.place(figure, axes, head, foot)
    return figure
