"""Calibration: ECDF differences of the truths' ranks with simultaneous bands."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.calibration.bands import Check
from mnbayes.analyses.calibration.result import Calibration
from mnbayes.report.kit import style

#: Most quantities that are drawn; those nearest to or beyond their bands come first then.
MOST_PANELS = 40


def calibration_figure(calibration: Calibration, synthetic: bool = False) -> Figure:
    """Draw the ECDF difference of each quantity's ranks.

    Parameters
    ----------
    calibration : Calibration
        With ranks.
    synthetic : bool
        Whether the caption says that the cohort is synthetic: its pattern of missing values, or
        its values, were used.
    """
    checks, remark = calibration.checks, ""
    if len(checks) > MOST_PANELS:
        first = sorted(checks, key=lambda name: checks[name].p_value)[:MOST_PANELS]
        remark = f"The {MOST_PANELS} of {len(checks)} quantities nearest to their bands are shown."
        checks = {name: checks[name] for name in checks if name in first}
    grid = style.Grid(len(checks), (1.66, 1.0), (0.19, 0.48), columns=5, left=0.62)
    figure, axes = grid.figure()
    most = max(
        100.0 * float(abs(values).max())
        for found in checks.values()
        for values in (found.difference, found.lower, found.upper)
    )
    for panel, (ax, (name, found)) in enumerate(zip(axes, checks.items(), strict=True)):
        _panel(ax, name, found, 1.15 * most)
        ax.tick_params(labelleft=grid.is_left(panel), labelbottom=grid.is_low(panel))
        if grid.is_left(panel):
            ax.set_ylabel("Difference, points", fontsize=style.SMALL)
        if grid.is_low(panel):
            ax.set_xlabel("Rank, share of the highest", fontsize=style.SMALL)
    over = "its posterior given the cohort" if calibration.posterior else "its prior"
    head = style.heading(
        figure,
        f"Ranks of the truth among draws of {calibration.model}, over {over}",
        [
            style.area(style.BAND_95, label="where uniform ranks stay"),
            style.line(style.BLUE, label="inside its band"),
            style.line(style.VERMILLION, "--", label="outside its band"),
        ],
    )
    foot = style.caption(
        figure,
        calibration.model,
        (),
        synthetic,
        f"Share of {calibration.ranked:,} simulated truths whose rank among {calibration.draws} "
        "draws is below a value, minus what it should be. A right program has all curves in their "
        f"bands at once with probability {100 * calibration.level:g} %.",
        f"{calibration.failed:,} fits failed and have no rank." if calibration.failed else "",
        remark,
    )
    grid.place(figure, axes, head, foot)
    return figure


def _panel(ax: Axes, name: str, found: Check, most: float) -> None:
    """One quantity; the difference in percentage points."""
    at = found.position
    ax.fill_between(
        at, 100 * found.lower, 100 * found.upper, color=style.BAND_95, linewidth=0, step=None
    )
    ax.axhline(0.0, color=style.GREY, linewidth=0.6)
    color, dash = (style.BLUE, "-") if found.inside else (style.VERMILLION, "--")
    ax.plot(at, 100 * found.difference, color=color, linestyle=dash, linewidth=1.2)
    ax.set_ylim(-most, most)
    ax.set_xlim(0.0, 1.0)
    ax.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
    title = "\n".join(textwrap.wrap(name, 29)[:3])
    ax.set_title(title, fontsize=style.SMALL, loc="left", pad=3, linespacing=0.95)
