"""One marker as it was measured, for figures: values, intervals, and how these are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array

if TYPE_CHECKING:  # the explorer, which draws in the browser, need not load Matplotlib
    from matplotlib.axes import Axes

#: Most patients that a figure with one panel for each can show legibly.
PANELS = 24
#: Ends of the 95 % and 50 % equal-tailed intervals and the median.
LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)


@dataclass(frozen=True)
class Measured:
    """One marker as it was measured, in its unit.

    Attributes
    ----------
    weeks : array, shape (visit,)
    value, lower, upper : array, shape (patient, visit)
        As in the cohort: ``value`` NaN where censored or missing, an open lower bound 0 and an
        open upper bound inf.
    withdrew : array, shape (patient,)
        Week of withdrawal, NaN where not withdrawn.
    """

    weeks: Floats
    value: Floats
    lower: Floats
    upper: Floats
    withdrew: Floats

    @property
    def seen(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Where there is a value or an interval, shape (patient, visit)."""
        return np.asarray(~np.isnan(self.value) | ~np.isnan(self.lower) | ~np.isnan(self.upper))


def measured(result: Result, marker: str) -> Measured:
    """Measurements of a marker that a fit used."""
    data = result.fit.recorded.sel(marker=marker)
    value, lower, upper = (
        result.catalogue[marker].in_units(array(data[name], "patient", "visit"))
        for name in ("log_value", "log_lower", "log_upper")
    )
    weeks = array(data["visit"])
    return Measured(weeks, value, lower, upper, result.fit.observations.withdrew_week)


def draw_interval(
    ax: Axes, x: float, lower: float, upper: float, limits: tuple[float, float], color: str
) -> None:
    """Draw a censored value: a bar between its bounds, an arrow where one is open.

    An open side ends short of the axis' end: the arrow says which way, not how far.
    """
    open_below, open_above = not lower > 0, not np.isfinite(upper)
    if ax.get_yscale() == "log":
        room = (limits[1] / limits[0]) ** 0.09
        low = upper / room if open_below else lower
        high = low * room if open_above else upper
    else:  # a percentage, whose open ends are 0 and 100
        room, open_above = 0.09 * (limits[1] - limits[0]), upper >= 100.0
        low = upper - room if open_below else lower
        high = low + room if open_above else upper
    ax.plot([x, x], [low, high], color=color, linewidth=1.5, zorder=4)
    for at, is_open, arrow in ((low, open_below, "v"), (high, open_above, "^")):
        ax.plot(x, at, arrow if is_open else "_", color=color, markersize=5, zorder=4)
