"""Colours of pictures: contrast, and the same picture on a dark page."""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from mnbayes.base.arrays import Floats

#: What white becomes on a dark page, and the strongest contrast to it.
PAPER, MOST = "#16191d", 15.0
_WEIGHTS = np.array([0.2126, 0.7152, 0.0722])
#: Linear RGB to the cone responses of OKLab, and their cube roots to lightness and hue
#: (Ottosson 2020, https://bottosson.github.io/posts/oklab).
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _linear(color: str) -> Floats:
    """Linear RGB of a colour in sRGB."""
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    """Relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    return float(_WEIGHTS @ _linear(color))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2).

    Examples
    --------
    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _rgb(lab: Floats) -> Floats | None:
    """Linear RGB of a colour of OKLab; None where no screen shows it."""
    linear = np.linalg.solve(_CONES, np.linalg.solve(_LAB, lab) ** 3)
    shown = bool(np.all((linear >= -1e-4) & (linear <= 1 + 1e-4)))
    return np.clip(linear, 0.0, 1.0) if shown else None


def _at_lightness(lightness: float, hue: Floats) -> Floats:
    """Linear RGB of a hue at a lightness, with as much of its strength as a screen can show."""
    for share in np.linspace(1.0, 0.0, 21):
        found = _rgb(np.array([lightness, *(share * hue)]))
        if found is not None:
            return found
    return np.full(3, float(lightness > 0.5))


@cache
def dark(color: str) -> str:
    """The colour that stands for another on a dark page: the same contrast to the other paper.

    White becomes :data:`PAPER`; every other colour keeps its hue, and its contrast to the paper as
    far as light goes (:data:`MOST`).
    """
    asked = min(contrast(color, "#ffffff"), MOST) * (luminance(PAPER) + 0.05) - 0.05
    if asked <= luminance(PAPER):
        return PAPER
    hue = (_LAB @ np.cbrt(_CONES @ _linear(color)))[1:]
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        lighter = float(_WEIGHTS @ _at_lightness(middle, hue)) > asked
        low, high = (low, middle) if lighter else (middle, high)
    linear = _at_lightness(high, hue)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = map(float, np.clip(rgb, 0.0, 1.0))
    return to_hex((red, green, blue))
