"""Calibration: ECDF differences of the truths' ranks with simultaneous bands."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.calibration.bands import Check
from mnbayes.analyses.calibration.result import Calibration
from mnbayes.report.kit import figures, style

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
    figure, axes = figures.panels(len(checks), (1.8, 1.5), 2, least=style.NARROW)
    most = 115.0 * max(
        float(abs(values).max())
        for found in checks.values()
        for values in (found.difference, found.lower, found.upper)
    )
    for ax, (name, found) in zip(axes, checks.items(), strict=True):
        _panel(ax, name, found, most)
        if figures.is_left(ax):
            ax.set_ylabel("Difference, points", fontsize=style.SMALL)
        if figures.is_low(ax):
            ax.set_xlabel("Rank, share of the highest", fontsize=style.SMALL)
        ax.tick_params(labelleft=figures.is_left(ax), labelbottom=figures.is_low(ax))
    over = "its posterior given the cohort" if calibration.posterior else "its prior"
    style.heading(
        figure,
        f"Ranks of the truth among draws of {calibration.model}, over {over}",
        [
            style.area(style.BAND_95, label="where uniform ranks stay"),
            style.line(style.BLUE, label="inside its band"),
            style.line(style.VERMILLION, "--", label="outside its band"),
        ],
    )
    style.caption(
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
    return figure


def _panel(ax: Axes, name: str, found: Check, most: float) -> None:
    """One quantity; the difference in percentage points."""
    at, low, high = found.position, 100 * found.lower, 100 * found.upper
    ax.fill_between(at, low, high, color=style.BAND_95, linewidth=0)
    ax.axhline(0.0, color=style.GREY, linewidth=0.6)
    color, dash = (style.BLUE, "-") if found.inside else (style.VERMILLION, "--")
    ax.plot(at, 100 * found.difference, color=color, linestyle=dash, linewidth=1.2)
    ax.set_ylim(-most, most)
    ax.set_xlim(0.0, 1.0)
    ax.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
    title = "\n".join(textwrap.wrap(name, 29)[:3])
    ax.set_title(title, fontsize=style.SMALL, loc="left", pad=3, linespacing=0.95)
