"""Axes that cost little: an axis is one line and a few words.

A report holds some three hundred panels. For every tick of each, matplotlib makes five objects,
copies their properties from the first tick's, and asks for their boxes several times before it
draws them; that takes longer than all else in a panel together. Here an axis draws its ticks as
one path and sets its labels where its locator and formatter put them. What this does not cover
(minor ticks, turned labels, ticks on the far side, formulas) is left to matplotlib, and whoever
asks for tick objects gets them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axis import Axis, XAxis, YAxis
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from matplotlib.transforms import Bbox, IdentityTransform
from numpy.typing import NDArray

#: Least height above and depth below the baseline, and gap between lines, in font sizes: those
#: of DejaVu, which matplotlib brings.
_ABOVE, _BELOW, _GAP = 0.76, 0.24, 0.2


@dataclass(frozen=True)
class _Ticks:
    """What an axis shows.

    Attributes
    ----------
    at : array, shape (tick,)
        Places along the axis, pixels.
    words : tuple of str
        A label for each, perhaps of several lines or empty.
    length, pad : float
        Of a tick, and from a tick to its label, pixels.
    font : FontProperties
    grid : dict, optional
        Looks of grid lines, where there are any.
    """

    at: NDArray[np.float64]
    words: tuple[str, ...]
    length: float
    pad: float
    font: FontProperties
    grid: dict[str, Any] | None


@dataclass(frozen=True)
class _Word:
    """One line of a label: where its baseline starts, its box, and what it says; pixels."""

    x: float
    y: float
    box: Bbox
    text: str


def segments(
    renderer: Any,
    ends: Sequence[Any],
    color: Any,
    width: float,
    *,
    clip: Any = None,
    cap: str = "butt",
) -> None:
    """Draw lines, shape (line, end, 2) in pixels, as one path on whole pixels; width in points."""
    gc = renderer.new_gc()
    gc.set_clip_rectangle(clip)
    gc.set_foreground(color)
    gc.set_linewidth(width)
    gc.set_capstyle(cap)
    gc.set_snap(True)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(ends)).astype(Path.code_type)
    renderer.draw_path(gc, Path(np.reshape(ends, (-1, 2)), codes), IdentityTransform())
    gc.restore()


class _Plain(Axis):
    """An axis without tick objects."""

    def reset_ticks(self) -> None:
        """Start with no tick at all; matplotlib makes them when somebody asks for them."""
        self.majorTicks, self.minorTicks = [], []

    def set_ticks(
        self, ticks: Any, labels: Any = None, *, minor: bool = False, **kwargs: Any
    ) -> list[Any]:
        """As matplotlib's, but makes no ticks."""
        looks = {"fontsize": "labelsize", "rotation": "labelrotation"}
        if minor or not set(kwargs) <= set(looks):
            return list(super().set_ticks(ticks, labels, minor=minor, **kwargs))
        at = [float(tick) for tick in ticks]
        if labels is not None and len(labels) != len(at):
            raise ValueError(f"{len(labels)} labels for {len(at)} ticks")
        self.set_major_locator(FixedLocator(at))
        if labels is not None:
            self.set_major_formatter(FixedFormatter([str(label) for label in labels]))
        if at:
            self.set_view_interval(min(at), max(at))
        if kwargs:
            self.set_tick_params(**{looks[name]: value for name, value in kwargs.items()})
        return []

    def get_major_ticks(self, numticks: int | None = None) -> list[Any]:
        """The ticks, made now, with their labels."""
        ticks = list(super().get_major_ticks(numticks))
        places = np.asarray(self.get_majorticklocs(), dtype=float).tolist()
        words = self.get_major_formatter().format_ticks(places)
        for tick, place, word in zip(ticks, places, words, strict=False):
            tick.update_position(place)
            tick.label1.set_text(word)
        return ticks

    @property
    def _across(self) -> bool:
        return isinstance(self, XAxis)

    def _default(self, name: str) -> Any:
        kind = "xtick" if self._across else "ytick"
        return mpl.rcParams[f"{kind}.{name}"]  # type: ignore[index]

    def _shown(self) -> _Ticks | None:
        """What to draw; None where matplotlib has to."""
        look = self.get_tick_params()
        near, far = ("bottom", "top") if self._across else ("left", "right")
        if (
            not isinstance(self.get_minor_locator(), NullLocator)
            or self.get_label_position() != near
            or look.get(far)
            or look.get(f"label{far}")
            or look.get("rotation")
        ):
            return None
        places = np.asarray(self.get_majorticklocs(), dtype=float)
        words = self.get_major_formatter().format_ticks(places.tolist())
        if self.get_major_formatter().get_offset() or any("$" in word for word in words):
            return None
        box, scale = self.axes.bbox, self.get_transform()
        first, last = scale.transform(np.asarray(self.get_view_interval(), dtype=float))
        share = (scale.transform(places) - first) / (last - first)
        seen = (share > -1e-6) & (share < 1 + 1e-6)
        start, length = (box.x0, box.width) if self._across else (box.y0, box.height)
        if not look.get(f"label{near}", True):
            words = [""] * len(words)
        dots = self.axes.figure.dpi / 72
        grid = {key[5:]: value for key, value in look.items() if key.startswith("grid_")}
        return _Ticks(
            at=start + length * share[seen],
            words=tuple(word for word, inside in zip(words, seen, strict=True) if inside),
            length=dots * look.get("length", self._default("major.size")) * look.get(near, True),
            pad=dots * look.get("pad", self._default("major.pad")),
            font=FontProperties(size=look.get("labelsize", self._default("labelsize"))),
            grid=grid if look.get("gridOn") else None,
        )

    def _words(self, renderer: Any, ticks: _Ticks) -> list[_Word]:
        """Every line of every label in its place."""
        size = renderer.points_to_pixels(ticks.font.get_size_in_points())
        away = ticks.length + ticks.pad
        edge = (self.axes.bbox.y0 if self._across else self.axes.bbox.x0) - away
        found = []
        for at, label in zip(ticks.at, ticks.words, strict=True):
            lines = label.split("\n") if label else []
            gap = _GAP / 2 * size if len(lines) > 1 else 0.0
            above, below, y = [], [], 0.0
            measures = [renderer.get_text_width_height_descent(t, ticks.font, False) for t in lines]
            for _, height, depth in measures:
                above.append(max(height - depth, _ABOVE * size) + gap)
                below.append(max(depth, _BELOW * size) + gap)
            last = sum(above) + sum(below[:-1])
            # Labels hang from the axis, or their lines are centred on the tick.
            y = edge if self._across else at + last / 2
            for text, (width, _, _), up, down in zip(lines, measures, above, below, strict=True):
                x = at - width / 2 if self._across else edge - width
                y -= up
                found.append(_Word(x, y, Bbox([[x, y - down], [x + width, y + up]]), text))
                y -= down
        return found

    def _place_label(self, ticks: _Ticks, words: Sequence[_Word]) -> None:
        """Put the axis' own label beyond those of its ticks."""
        pad = self.labelpad * self.axes.figure.dpi / 72
        if self._across:
            low = min([self.axes.bbox.y0 - ticks.length, *(word.box.y0 for word in words)])
            self.label.set_y(low - pad)
        else:
            left = min([self.axes.bbox.x0 - ticks.length, *(word.box.x0 for word in words)])
            self.label.set_x(left - pad)

    def draw(self, renderer: Any) -> None:
        """Draw grid lines, ticks, their labels and the axis' own."""
        if not self.get_visible():
            return
        ticks = self._shown()
        if ticks is None:
            super().draw(renderer)
            return
        box = self.axes.bbox
        edge, end = (box.y0, box.y1) if self._across else (box.x0, box.x1)

        def lines(start: float, end: float) -> list[Any]:
            ends = [[(at, start), (at, end)] for at in ticks.at]
            return ends if self._across else [[pair[::-1] for pair in line] for line in ends]

        if ticks.grid is not None and ticks.at.size:
            width = ticks.grid.get("linewidth", mpl.rcParams["grid.linewidth"])
            color = ticks.grid.get("color", mpl.rcParams["grid.color"])
            segments(renderer, lines(edge, end), color, width, clip=box)
        if ticks.length and ticks.at.size:
            inks = self._default("color"), self._default("major.width")
            segments(renderer, lines(edge, edge - ticks.length), *inks)
        words = self._words(renderer, ticks)
        gc = renderer.new_gc()
        gc.set_foreground(self._default("color"))
        for word in words:
            renderer.draw_text(gc, word.x, renderer.height - word.y, word.text, ticks.font, 0.0)
        gc.restore()
        self._place_label(ticks, words)
        self.label.draw(renderer)
        self.stale = False

    def get_tightbbox(self, renderer: Any = None, *, for_layout_only: bool = False) -> Bbox | None:
        """Box of the labels of the ticks and of the axis."""
        ticks = self._shown() if self.get_visible() and renderer is not None else None
        if ticks is None:
            found: Bbox | None = super().get_tightbbox(renderer, for_layout_only=for_layout_only)
            return found
        words = self._words(renderer, ticks)
        self._place_label(ticks, words)
        box, out = self.axes.bbox, ticks.length
        if self._across:
            side = Bbox([[box.x0, box.y0 - out], [box.x1, box.y0]])
        else:
            side = Bbox([[box.x0 - out, box.y0], [box.x0, box.y1]])
        boxes = [side, *(word.box for word in words)]
        if self.label.get_text():
            own = self.label.get_window_extent(renderer)
            if for_layout_only:  # a label longer than its panel is no reason to shrink that
                x, y = (own.x0 + own.x1) / 2, (own.y0 + own.y1) / 2
                own = Bbox(
                    [(x, own.y0), (x, own.y1)] if self._across else [(own.x0, y), (own.x1, y)]
                )
            boxes.append(own)
        return Bbox.union(boxes)


class PlainX(_Plain, XAxis):
    """The axis below a panel."""


class PlainY(_Plain, YAxis):
    """The axis left of a panel."""
