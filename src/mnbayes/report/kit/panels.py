"""Panels and figures of them whose axes cost little; see :mod:`mnbayes.report.kit.axis`."""

from __future__ import annotations

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.spines import Spine

from mnbayes.report.kit.axis import PlainX, PlainY, segments


class _Edges(Artist):
    """The sides of a panel, as one line in the looks of the first."""

    zorder = 2.5  # as spines have

    def __init__(self, panel: Axes) -> None:
        super().__init__()
        self._panel = panel

    def draw(self, renderer: Any) -> None:
        """Draw the sides that are visible."""
        box = self._panel.bbox
        corners = {
            "left": [(box.x0, box.y0), (box.x0, box.y1)],
            "right": [(box.x1, box.y0), (box.x1, box.y1)],
            "bottom": [(box.x0, box.y0), (box.x1, box.y0)],
            "top": [(box.x0, box.y1), (box.x1, box.y1)],
        }
        shown = [(corners[n], s) for n, s in self._panel.spines.items() if s.get_visible()]
        if shown:
            look = shown[0][1]
            inks = look.get_edgecolor(), look.get_linewidth()
            segments(renderer, [ends for ends, _ in shown], *inks, cap="projecting")


class Panel(Axes):
    """Axes whose axis lines, ticks and labels are drawn as a whole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._edges = _Edges(self)
        self.set_title("")

    def _init_axis(self) -> None:
        # Where subclasses of matplotlib's axes put their own kinds of axis.
        self.xaxis, self.yaxis = PlainX(self, clear=False), PlainY(self, clear=False)
        for name, spine in self.spines.items():
            spine.register_axis(self.xaxis if name in ("bottom", "top") else self.yaxis)

    def set_title(self, label: str, *args: Any, **kwargs: Any) -> Any:
        """As matplotlib's, just above the panel: nothing else is there to give way to."""
        return super().set_title(label, *args, **({"y": 1.0} | kwargs))

    def get_children(self) -> list[Artist]:
        """What to draw: the sides together in place of spines."""
        children: list[Artist] = super().get_children()
        if not self.axison:  # matplotlib looks for the spines, to leave them out
            return children
        return [self._edges, *(child for child in children if not isinstance(child, Spine))]


class Sheet(Figure):
    """A figure of such panels."""

    def add_axes(self, *args: Any, **kwargs: Any) -> Axes:
        """As matplotlib's; a :class:`Panel` unless told otherwise."""
        if "projection" not in kwargs:
            kwargs.setdefault("axes_class", Panel)
        axes: Axes = super().add_axes(*args, **kwargs)
        return axes

    def add_subplot(self, *args: Any, **kwargs: Any) -> Axes:
        """As matplotlib's; a :class:`Panel` unless told otherwise."""
        if "projection" not in kwargs:
            kwargs.setdefault("axes_class", Panel)
        axes: Axes = super().add_subplot(*args, **kwargs)
        return axes
