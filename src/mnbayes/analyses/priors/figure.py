"""Pictures of priors before any data: a belief's density, and the prior predictive range."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.priors.elicit_command import Elicitation
from mnbayes.analyses.priors.predictive import PriorPredictive
from mnbayes.base.arrays import Floats
from mnbayes.cards import families
from mnbayes.data.markers import Marker
from mnbayes.report.kit import figures, style, wording
from mnbayes.report.kit.figures import Estimate, Row, forest
from mnbayes.report.kit.measured import LEVELS
from mnbayes.report.kit.wording import percent

type Look = dict[str, Any]

_WITHOUT: Look = {"color": style.GREY, "marker": "s"}
_WITH: Look = {"color": style.BLUE, "marker": "o"}
_TYPICAL: Look = {"color": style.ORANGE, "marker": "D"}
_BEYOND: dict[str, Any] = {"facecolor": "#F3F3F3", "edgecolor": "#CFCFCF", "hatch": "///"}
_BEYOND_KEY = style.area("#F3F3F3", "///", "beyond what patients have", edge="#CFCFCF")
#: Most decades of a log axis: a prior may reach further, and its line then ends in an arrow.
_DECADES = 7.0
#: Largest natural log of a level that is drawn.
_EDGE = 60.0


def _density(ax: Axes, found: Elicitation) -> None:
    """The belief's density, filled within its bounds, over the prior that it replaces."""
    elicited, own = found.elicited, found.own
    belief, kind = elicited.belief, elicited.belief.quantity.kind
    both = [(own.distribution, own.arguments), (elicited.distribution, elicited.arguments)]
    ends = [families.quantile(*each, [0.005, 0.995]) for each in both]
    on_line = kind in ("level", "change")
    low = float(min(each[0] for each in ends)) if on_line else 0.0
    high = float(max(each[1] for each in ends))
    reach = _DECADES * np.log(10)
    if on_line and belief.scale not in ("log", "logit") and high - low > reach:
        middle = float(families.quantile(*both[1], 0.5))
        low, high = max(low, middle - reach / 2), min(high, middle + reach / 2)
    grid = np.linspace(low, high, 601)[1:]
    own_height, height = (np.exp(families.log_density(*each, grid)) for each in both)
    logs = on_line and belief.scale not in ("log", "logit", "%")
    shares = kind == "level" and belief.scale == "%"
    x = np.exp(grid) if logs else grid
    if shares:
        x = found.card.catalogue[found.marker].in_units(grid)
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
        ax.set_xlim(*((x[0], x[-1]) if shares else (0 if not on_line else low, high)))
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
        ax.set_xticks(ticks, [percent(1 - tick) for tick in ticks])
    if found.elicited.belief.quantity.kind == "change":
        ax.axvline(1.0, color=style.BLACK, linewidth=0.8, linestyle=":")


def _axis_label(found: Elicitation) -> str:
    belief = found.elicited.belief
    subject = belief.sentence.split(" sure that ", 1)[1]
    for verb in (" lies ", " is "):
        subject = subject.split(verb, 1)[0]
    subject = subject.removeprefix("the ")
    share = belief.quantity.scale == "logit"
    units = {
        "gmr": " (no unit; log axis)",
        "fall": ", % of baseline (log axis of the ratio)",
        "sd": " (log scale, no unit)",
        "weeks": ", weeks",
        belief.quantity.unit or "g": f", {belief.quantity.unit}{'' if share else ' (log axis)'}",
    }
    text = f"{subject}{units.get(belief.scale, '')}"
    return "\n".join(textwrap.wrap(wording.capital(text), 52))


def _ranges(
    ax: Axes,
    rows: Mapping[str, Sequence[tuple[Floats, Look]]],
    marker: Marker,
) -> None:
    """Median, 50 % and 95 % interval of log values over what no patient has: looks by row."""
    reach = _DECADES * np.log(10)
    drawn, ends = [], []
    for label, parts in rows.items():
        estimates = []
        for values, look in parts:
            # What cannot be drawn, or not even computed, ends at an edge far outside the limits.
            with np.errstate(all="ignore"):
                found = np.nan_to_num(np.quantile(values, LEVELS), nan=_EDGE)
            q = np.clip(found, -_EDGE, _EDGE)
            ends.append(q)
            low, start, middle, end, high = marker.in_units(q)
            estimates.append(Estimate(middle, low, high, (start, end), **look))
        drawn.append(Row(label, tuple(estimates)))
    lows, _, middles, _, highs = np.array(ends).T
    middle = float(np.median(middles))
    low = max(float(lows.min()), middle - reach / 2)
    high = max(min(float(highs.max()), middle + reach / 2), low + 0.1)
    pad = 0.05 * (high - low)
    left, right = marker.in_units(np.array([low - pad, high + pad])).tolist()
    style.level_axis(ax, "x", marker.scale, left, right)
    for start, end in ((left, marker.limits.lower), (marker.limits.upper, right)):
        if start < end:
            ax.axvspan(start, end, zorder=0, **_BEYOND)
    ax.set_xlim(left, right)
    forest(ax, drawn)
    axis = " (log axis)" if marker.scale == "log" else " (linear axis)"
    ax.set_xlabel(f"{marker.unit}{axis}", fontsize=style.TEXT)


def _last(predictive: PriorPredictive) -> str:
    return f"week {style.week_text(predictive.draws.weeks[-1])}"


def _next_patient(ax: Axes, found: Elicitation) -> None:
    marker, last = found.shown_marker, _last(found.with_belief)
    both = [(found.without.draws, _WITHOUT), (found.with_belief.draws, _WITH)]
    rows = {
        when: [(draws.patient[:, t, draws.markers.index(marker)], look) for draws, look in both]
        for when, t in (("baseline", 0), (last, -1))
    }
    known = found.card.catalogue
    _ranges(ax, rows, known[marker])
    ax.set_title(
        f"Next patient's {known[marker].short}, as measured", fontsize=style.TEXT, loc="left"
    )


def _responses(ax: Axes, found: Elicitation) -> None:
    last, definitions = found.with_belief.draws.weeks[-1], found.with_belief.definitions
    chances = []
    for predictive, look in ((found.without, _WITHOUT), (found.with_belief, _WITH)):
        rows = predictive.responses[predictive.responses["week"] == last]
        chances.append((dict(zip(rows["category"], 100 * rows["probability"], strict=True)), look))
    style.percent_axis(ax, "x", "Probability, %")
    ax.set_xlim(-2, 102)
    forest(
        ax,
        [
            Row(
                label,
                tuple(Estimate(each[name], 0.0, each[name], **look) for each, look in chances),
            )
            for name, label in ((c, definitions.label(c)) for c in definitions.responses)
            if name in chances[0][0]
        ],
    )
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
    judged = found.shown_marker in found.with_belief.definitions.markers
    responses = judged and not found.with_belief.responses.empty
    figure = style.new_figure(style.WIDE, 3.6 if responses else 2.4)
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
    style.heading(
        figure,
        f"{found.elicited.belief.sentence}",
        [
            style.line(style.BLUE, "-", f"with the belief: {found.elicited.formula}", marker="o"),
            style.line(style.GREY, "--", f"without it: {found.own.formula}", marker="s"),
            style.area(style.BAND_50, label="within the stated bounds"),
            _BEYOND_KEY,
        ],
    )
    style.note(
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
    figure, axes = figures.panels(len(items), (4.6, 1.5), columns=2)
    for ax, (predictive, k) in zip(axes, items, strict=True):
        draws, marker = predictive.draws, predictive.draws.markers[k]
        rows = {
            when: [(draws.typical[:, t, k], _TYPICAL), (draws.patient[:, t, k], _WITH)]
            for when, t in (("baseline", 0), (_last(predictive), -1))
        }
        known = draws.catalogue
        _ranges(ax, rows, known[marker])
        title = f"{known[marker].label} ({predictive.model})"
        ax.set_title(title, fontsize=style.TEXT, loc="left", pad=3)
    style.heading(
        figure,
        "What the priors say before any data",
        [
            style.dot(style.ORANGE, "D", "typical (median) patient", face="white"),
            style.dot(style.BLUE, "o", "next patient, as measured", face="white"),
            _BEYOND_KEY,
        ],
    )
    said = [sentence for predictive in found for sentence in predictive.implausible]
    style.note(
        figure,
        "Lines: 95 % and 50 % (thick) intervals with median, of draws from the prior alone: no "
        "patient and no data, real or synthetic, went into this figure.",
        "Under the prior all later visits are alike.",
        *(f"IMPLAUSIBLE. {sentence}" for sentence in dict.fromkeys(said)),
    )
    return figure
