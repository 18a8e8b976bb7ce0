"""A canvas that draws a line of text once: matplotlib draws its letters one by one, in Python.

Figures are full of words that come again, in the next panel, figure and model. Here a line of
text is set by FreeType in one go, with matplotlib's own font, size and hinting, and its picture
is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg, get_hinting_flag
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import LoadFlags
from numpy.typing import NDArray

#: Lines of text to keep: a run of five models draws about a thousand.
_KEPT = 4096


@lru_cache(maxsize=64)
def _font_file(prop: FontProperties) -> str:
    return str(findfont(prop))


# Matplotlib's renderer ships without types.
_hinting: Callable[[], LoadFlags] = get_hinting_flag


@dataclass(frozen=True)
class _Line:
    """A line of text as a picture.

    Attributes
    ----------
    pixels : array, shape (row, column)
        How dark each pixel is, from 0 to 255, from the top.
    below : int
        Rows below the baseline.
    width, height, depth : float
        Of the text, the last below the baseline; pixels.
    """

    pixels: NDArray[np.uint8]
    below: int
    width: float
    height: float
    depth: float


@lru_cache(maxsize=_KEPT)
def _set(text: str, file: str, size: float, dpi: float) -> _Line | None:
    """Set a line of text; None where FreeType's picture of it would not be exact."""
    font, hinting = get_font(file), _hinting()
    if not all(font.get_char_index(ord(letter)) for letter in text):
        return None  # another font has the letter
    font.clear()
    font.set_size(size, dpi)
    font.set_text(text, 0.0, flags=hinting)
    (width, height), depth = font.get_width_height(), font.get_descent()
    if " " not in text:
        # The picture starts at the first letter's edge, cut to whole pixels; with a space
        # it starts at the text's own start.
        font.set_text(f"{text} ", 0.0, flags=hinting)
    if font.get_bitmap_offset()[0] or height % 64 or depth % 64:
        return None
    font.draw_glyphs_to_bitmap(antialiased=True)
    pixels = np.array(font.get_image(), dtype=np.uint8)
    # One empty row above and one below.
    return _Line(pixels, depth // 64 + 1, width / 64, height / 64, depth / 64)


@lru_cache(maxsize=64)
def _heights(file: str, size: float, dpi: float) -> tuple[float, float, float] | None:
    """Least height above and depth below the baseline, and gap between lines, pixels."""
    font = get_font(file)
    table = font.get_sfnt_table("OS/2")
    if table is None:
        return None
    dots = size * dpi / 72 / font.units_per_EM
    parts = table["sTypoAscender"], -table["sTypoDescender"], table["sTypoLineGap"]
    return parts[0] * dots, parts[1] * dots, parts[2] * dots


class Renderer(RendererAgg):
    """Matplotlib's renderer, but for horizontal and upright text in letters of the first font."""

    def _line(self, text: str, prop: FontProperties) -> _Line | None:
        return _set(text, _font_file(prop), prop.get_size_in_points(), self.dpi)

    def get_text_width_height_descent(
        self, s: str, prop: FontProperties, ismath: Any
    ) -> tuple[float, float, float]:
        """Measures of a line of text, pixels."""
        line = None if ismath else self._line(s, prop)
        if line is not None:
            return line.width, line.height, line.depth
        measure: Callable[..., tuple[float, float, float]] = super().get_text_width_height_descent
        return measure(s, prop, ismath)

    def _get_font_height_metrics(
        self, prop: FontProperties
    ) -> tuple[float, float, float] | tuple[None, None, None]:
        # Matplotlib's texts ask a renderer for this, where it has it, before they look into the
        # font themselves, which they do for every text anew.
        found = _heights(_font_file(prop), prop.get_size_in_points(), self.dpi)
        return (None, None, None) if found is None else found

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: FontProperties, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        """Draw a line of text whose baseline starts at x, y; pixels, y downwards."""
        line = None if ismath or angle not in (0.0, 90.0) else self._line(s, prop)
        if line is None:
            draw: Callable[..., None] = super().draw_text
            draw(gc, x, y, s, prop, angle, ismath, mtext)
            return
        left, low, pixels = round(x), round(self.height - y), line.pixels
        if angle:
            left, pixels = left + line.below - pixels.shape[0], np.rot90(pixels)
        else:
            low -= line.below
        picture = np.empty((*pixels.shape, 4), dtype=np.uint8)
        picture[..., :3] = [round(255 * part) for part in gc.get_rgb()[:3]]
        alpha = gc.get_alpha()
        picture[..., 3] = pixels if alpha is None else alpha * pixels
        self.draw_image(gc, left, low, picture[::-1])


class Canvas(FigureCanvasAgg):
    """Of a figure that is drawn as pixels."""

    _kept: Renderer | None = None
    _size: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def get_renderer(self) -> Renderer:
        """The renderer of the figure's present size."""
        width, height = self.get_width_height(physical=True)
        if self._kept is None or self._size != (width, height, self.figure.dpi):
            new: Callable[..., Renderer] = Renderer
            self._kept = new(width, height, self.figure.dpi)
            self._size = (width, height, self.figure.dpi)
        self.renderer = self._kept
        return self._kept
