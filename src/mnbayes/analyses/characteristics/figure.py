"""Pictures of operating characteristics: how often each judge says go, and what estimates are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mnbayes.analyses.characteristics.result import Characteristics, Described
from mnbayes.analyses.characteristics.words import categories, typical
from mnbayes.report.kit import figures, style, wording

#: Monte Carlo errors to either side of a point that its bar spans: about 95 %.
BAR = 1.96
#: The card's last rules first, so that a rule looks the same in a model that judges more of them.
_RULES: tuple[style.Look, ...] = (
    (style.VERMILLION, "--", "s"),
    (style.BLUE, "-", "o"),
    (style.ORANGE, "-.", "P"),
    (style.SKY, ":", "X"),
)
_OTHERS: tuple[style.Look, ...] = (
    (style.GREEN, "-.", "^"),
    (style.PURPLE, ":", "D"),
    (style.BLACK, "-", "v"),
)
_SIMULATED = "Simulated cohorts: no real patient."


def characteristics_figures(found: Characteristics) -> dict[str, Figure]:
    """Draw the operating characteristics of one model.

    Parameters
    ----------
    found : Characteristics

    Returns
    -------
    dict
        ``false_go`` and ``right_go``, where there are such scenarios, ``estimates``, and
        ``patients`` where the result has them.
    """
    drawn = {}
    if found.false_go:
        drawn["false_go"] = go_rates(
            found, found.false_go, "How often each says go although nothing has improved on average"
        )
    if found.other_go:
        drawn["right_go"] = go_rates(
            found, found.other_go, "How often each says go where proteinuria has truly fallen"
        )
    drawn["estimates"] = estimate_errors(found)
    return drawn if found.per_patient.empty else drawn | {"patients": patients_told(found)}


def go_rates(found: Characteristics, chosen: Sequence[Described], title: str) -> Figure:
    """Draw the share of trials in which each judge says go, a panel for each scenario."""
    figure, axes = figures.panels(len(chosen), (3.1, 2.2), columns=3)
    rules = list(zip(reversed(found.rules), cycle(_RULES), strict=False))[::-1]
    judges = [*rules, *zip(found.others, cycle(_OTHERS), strict=False)]
    positions = np.arange(len(found.patients), dtype=float)
    # Side by side where there is one size, so that no point hides another.
    apart = 0.14 if len(found.patients) == 1 else 0.0
    for ax, scenario in zip(axes, chosen, strict=True):
        for place, (judge, (color, dash, marker)) in enumerate(judges):
            rows = found.of(judge.name, scenario.name)
            x = positions + apart * (place - (len(judges) - 1) / 2)
            go, error = 100 * rows["go"].to_numpy(), 100 * BAR * rows["go_mcse"].to_numpy()
            ends = np.clip([go - error, go + error], 0, 100)
            ax.vlines(x, *ends, color=color, linewidth=0.9, zorder=3)
            ax.plot(
                x,
                go,
                color=color,
                linestyle=dash,
                marker=marker,
                markersize=4.0,
                linewidth=1.3,
                zorder=4,
                clip_on=False,
            )
        ax.set_title(scenario.title, fontsize=style.TEXT, loc="left")
        style.percent_axis(ax, "y", "Trials ending in go, %" if figures.is_left(ax) else "")
        ax.set_xlim(-0.4, positions[-1] + 0.4)
        ax.set_xticks(positions, [f"{n}" for n in found.patients])
        if figures.is_low(ax):
            ax.set_xlabel("Patients enrolled", fontsize=style.TEXT)
    handles = [
        style.line(color, dash, judge.title, marker=marker)
        for judge, (color, dash, marker) in judges
    ]
    style.heading(figure, title, handles)
    style.caption(
        figure,
        found.model,
        (),
        False,
        f"{found.replicates:,} trials for each point; bars: 95 % Monte Carlo intervals where wider "
        "than the point. Every judge sees the same data. No trial has a control group.",
        *(f"{item.title}: {wording.small(item.says)}" for item in chosen),
        _SIMULATED,
    )
    return figure


def estimate_errors(found: Characteristics) -> Figure:
    """Draw bias and coverage of the estimated ratio, a row for each scenario."""
    rows = [*found.false_go, *found.other_go]
    figure, (left, right) = figures.panels(2, (style.WIDE / 2, 0.7 + 0.36 * len(rows)))
    sizes = list(zip(found.patients, cycle(style.LINES), strict=False))
    step = 0.66 / max(len(sizes), 2)
    least, most = 0.95, 1.05  # of the ratios' axis, at least
    for place, (n, (color, _, marker)) in enumerate(sizes):
        table = found.estimates[found.estimates["patients"] == n].set_index("scenario")
        part = table.loc[[item.name for item in rows]]
        y = np.arange(len(rows)) + step * (place - (len(sizes) - 1) / 2)
        shift, error = part["bias"].to_numpy(), BAR * part["bias_mcse"].to_numpy()
        ends = np.exp([shift - error, shift + error])
        least, most = min(least, np.nanmin(ends)), max(most, np.nanmax(ends))
        _points(left, np.exp(shift), ends, y, color, marker)
        share, error = part["coverage"].to_numpy(), BAR * part["coverage_mcse"].to_numpy()
        ends = np.clip([share - error, share + error], 0, 1)
        _points(right, 100 * share, 100 * ends, y, color, marker)
    for ax, line in ((left, 1.0), (right, 95.0)):
        ax.axvline(line, color=style.GREY, linewidth=1.0, zorder=1)
    _name_rows((left, right), rows)
    style.log_axis(left, "x", 0.98 * least, 1.02 * most)
    left.set_xlabel(
        "Estimated ratio over true ratio\n(below 1: the fall is overstated)", fontsize=style.TEXT
    )
    lowest = float((found.estimates["coverage"] - BAR * found.estimates["coverage_mcse"]).min())
    right.set_xlim(100 * min(max(lowest, 0) - 0.02, 0.84), 100.5)
    right.set_xlabel("95 % intervals that hold\nthe true ratio, %", fontsize=style.TEXT)
    handles: list[style.Handle] = [
        style.dot(color, marker, f"{n} patients") for n, (color, _, marker) in sizes
    ]
    handles.append(style.line(style.GREY, "-", "no bias; 95 %", 1.0))
    title = "The estimated ratio to baseline at week 12 against the true one"
    style.heading(figure, title, handles, columns=6)
    style.caption(
        figure,
        found.model,
        (),
        False,
        "The true ratio is the geometric mean of all who were enrolled. Bias: of posterior "
        f"medians, in the geometric mean over {found.replicates:,} simulated trials; bars: 95 % "
        f"Monte Carlo intervals. {_SIMULATED}",
    )
    return figure


def patients_told(found: Characteristics) -> Figure:
    """Draw what is said of single patients, a row for each scenario, at one number of patients."""
    rows, n, said = [*found.false_go, *found.other_go], typical(found), categories(found)
    panels: tuple[tuple[str, dict[str, str]], ...] = (
        (
            "Intervals that hold a\npatient's true ratio, %",
            {
                "covered_95": "95 %, measured at week 12",
                "covered_80": "80 %, measured at week 12",
                "covered_left": "95 %, who left",
            },
        ),
        ("Patients with a confident\nwrong statement, %", {f"wrong_{c}": c for c in said}),
        ("Of those called likely,\ntruly so, %", {f"true_{c}": c for c in said}),
    )
    figure, axes = figures.panels(3, (style.WIDE / 3, 0.7 + 0.36 * len(rows)))
    looks = iter(style.LINES)
    handles: list[style.Handle] = []
    colours: dict[str, tuple[str, str]] = {}
    for ax, (label, quantities) in zip(axes, panels, strict=True):
        lowest, highest = 100.0, 0.0
        for place, (quantity, name) in enumerate(quantities.items()):
            if name not in colours:
                color, _, marker = next(looks)
                colours[name] = color, marker
                handles.append(style.dot(color, marker, name))
            values = np.array([found.told(item.name, n)[quantity] for item in rows])
            share, error = 100 * values[:, 0], 100 * BAR * values[:, 1]
            ends = np.clip([share - error, share + error], 0, 100)
            y = np.arange(len(rows)) + 0.22 * (place - (len(quantities) - 1) / 2)
            _points(ax, share, ends, y, *colours[name])
            known = ends[np.isfinite(ends)]
            lowest = min(lowest, known.min(initial=100.0))
            highest = max(highest, known.max(initial=0.0))
        ax.set_xlabel(label, fontsize=style.TEXT)
        ax.set_xlim(max(lowest - 4, -2), min(highest + 4, 102))
    for line in (80.0, 95.0):
        axes[0].axvline(line, color=style.GREY, linewidth=1.0, zorder=1)
    _name_rows(axes, rows)
    style.heading(figure, f"What is said of single patients, trials of {n}", handles)
    style.caption(
        figure,
        found.model,
        (),
        False,
        "A statement is confident where its probability reaches the decision probability, or is "
        f"below its complement. {found.replicates:,} simulated trials each; bars: 95 % Monte Carlo "
        f"intervals, in which a trial counts once. {_SIMULATED}",
    )
    return figure


def _name_rows(axes: Sequence[Axes], rows: Sequence[Described]) -> None:
    """A row for each scenario, named at the left."""
    for ax in axes:
        ax.hlines(
            np.arange(len(rows) - 1) + 0.5,
            0,
            1,
            transform=ax.get_yaxis_transform(),
            color=style.RULE,
            linewidth=0.6,
            zorder=0,
        )
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_yticks(range(len(rows)), [""] * len(rows))
    axes[0].set_yticks(range(len(rows)), [textwrap.fill(item.title, 26) for item in rows])


def _points(
    ax: Axes, x: ArrayLike, ends: Iterable[ArrayLike], y: ArrayLike, color: str, marker: str
) -> None:
    """Draw points with their bars, lying."""
    low, high = ends
    ax.hlines(y, low, high, color=color, linewidth=0.9, zorder=3)
    ax.plot(x, y, marker, color=color, markersize=3.8, zorder=4)
