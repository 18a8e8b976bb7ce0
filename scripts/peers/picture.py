"""Draw a stored race."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.report.kit import style
from peers.standings import NAMES, per_second

_LOOKS: dict[str, tuple[str, style.Dash, str]] = {
    "mnbayes collapsed": (style.BLUE, "-", "o"),
    "mnbayes nuts": (style.SKY, "--", "s"),
    "brms": (style.VERMILLION, "-", "^"),
    "rstanarm": (style.ORANGE, "-.", "D"),
    "bambi": (style.PURPLE, ":", "v"),
}
#: Marker, face (hollow where white) and place above the program's line; programs have the colours.
_TASKS = (
    ("first_cold", "^", style.BLACK, 0.15, "first fit in a fresh process"),
    ("first_warm", "^", "white", 0.05, "the same, compiled code on disk"),
    ("new_priors", "s", "white", -0.05, "refit with new priors"),
    ("warm", "o", style.BLACK, -0.15, "warm fit, same priors"),
)


def race_figure(stored: dict[str, Any]) -> Figure:
    """Draw seconds by task, effective draws a second, and growth with patients."""
    programs = {name: stored["programs"][name] for name in NAMES if name in stored["programs"]}
    figure = style.new_figure(style.WIDE, 4.4)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.35, 0.85, 1.2))
    labels = [NAMES[name] for name in programs]
    places = list(range(len(programs)))[::-1]

    times = [program[key] for program in programs.values() for key, *_ in _TASKS]
    for key, marker, face, shift, _ in _TASKS:
        x = [median(program[key]) if program[key] else np.nan for program in programs.values()]
        y = [place + shift for place in places]
        left.plot(
            x,
            y,
            linestyle="",
            color=style.BLACK,
            marker=marker,
            markersize=6,
            markerfacecolor=face,
            zorder=3,
        )
    style.log_axis(left, "x", *style.log_limits(*times))
    _rows(left, places, labels)
    left.set_xlabel("Seconds (log scale)", fontsize=style.TEXT)
    left.set_title("One fit of 8 patients", fontsize=style.TEXT, loc="left")

    rates = [per_second(program) or np.nan for program in programs.values()]
    middle.plot(rates, places, linestyle="", color=style.BLACK, marker="o", markersize=6, zorder=3)
    low, high = style.log_limits(rates, margin=0.12)
    style.log_axis(middle, "x", low, high)
    decades = [10.0**power for power in range(7) if low <= 10.0**power <= high]
    if len(decades) > 1:  # longer numbers have no room for more
        middle.set_xticks(decades, [f"{decade:,.0f}" for decade in decades])
    _rows(middle, places, [""] * len(places))
    middle.set_xlabel(
        "Effective draws a second, warm fit\n(worst parameter, log scale)", fontsize=style.TEXT
    )
    middle.set_title("Draws that count", fontsize=style.TEXT, loc="left")

    curves = {
        name: {8: median(program["warm"])} | {int(n): s for n, s in program["growth"].items()}
        for name, program in programs.items()
        if program["warm"]
    }
    handles: list[style.Handle] = [
        style.dot(style.BLACK, marker, says, face) for _, marker, face, _, says in _TASKS
    ]
    for name, curve in curves.items():
        color, dash, marker = _LOOKS[name]
        right.plot(
            list(curve),
            list(curve.values()),
            color=color,
            linestyle=dash,
            marker=marker,
            markersize=4.5,
            linewidth=1.4,
        )
        entry = style.line(color, dash, NAMES[name])
        entry.set_marker(marker)
        entry.set_markersize(4.5)
        handles.append(entry)
    sizes = [n for curve in curves.values() for n in curve]
    style.log_axis(right, "x", *style.log_limits(sizes))
    right.set_xticks([8, 80, 800], ["8", "80", "800"])
    style.log_axis(right, "y", *style.log_limits(*(list(c.values()) for c in curves.values())))
    right.grid(color=style.RULE, linewidth=0.6)
    right.set_axisbelow(True)
    style.tidy(right)
    right.set_xlabel("Patients (log scale)", fontsize=style.TEXT)
    right.set_ylabel("Seconds of a warm fit (log scale)", fontsize=style.TEXT)
    right.set_title("Growth with patients", fontsize=style.TEXT, loc="left")

    style.heading(figure, "The same data and priors, program by program", handles, 4)
    machine = stored["machine"]
    style.caption(
        figure,
        "proteinuria",
        (),
        True,
        f"{machine['cores']} cores, {machine['system']}, {stored['date']}; 4 chains × 1,000 draws "
        "after each program's default tuning. mnbayes with its drift, the others with a step.",
        "* The nearest model: rstanarm has other priors, bambi no correlation within a patient.",
        "Sizes that would have taken minutes are left out.",
    )
    return figure


def _rows(ax: Axes, places: list[int], labels: list[str]) -> None:
    ax.set_yticks(places, labels)
    ax.set_ylim(-0.6, max(places) + 0.6)
    ax.grid(color=style.RULE, linewidth=0.6)
    ax.set_axisbelow(True)
    style.tidy(ax)
