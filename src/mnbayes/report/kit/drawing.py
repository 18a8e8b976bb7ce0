"""From figures to bytes: the pictures of a report and of the folder ``plots/``."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from mnbayes.report.kit.canvas import Canvas
from mnbayes.run.section import Drawn, Picture


@contextmanager
def without_collection() -> Iterator[None]:
    """Leave Python's garbage lying while a block runs.

    Figures are tens of thousands of objects that refer to each other. While they are made, the
    collector goes through all that the process holds again and again, and finds nothing.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def png_bytes(figure: Figure) -> bytes:
    """Render a figure as PNG; the same figure gives the same bytes: no date, no version.

    With a palette of 256 colours, a third of the size: a report holds a dozen figures.
    """
    canvas: Any = Canvas(figure)
    with without_collection():
        canvas.draw()
    size = canvas.get_width_height()
    image = Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1).convert("RGB")
    few = image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "PNG")
    return buffer.getvalue()


def pictures_of(drawn: Iterable[Drawn], model: str) -> tuple[Picture, ...]:
    """Figures as pictures, each text for those who hear it with the model's title."""
    return tuple(
        Picture(each.name, each.title, f"{each.alt}. Model: {model}.", png_bytes(each.figure))
        for each in drawn
    )
