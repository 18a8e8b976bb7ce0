"""Colours of pictures: contrast, and the same picture on a dark page."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from mnbayes.base.arrays import Floats

#: Lightness (OKLab) of what is white and of what is black on paper, on a dark page.
_WHITE, _BLACK = 0.21, 0.97
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
_FILLS = re.compile(rb"(fill|stroke): (#[0-9a-f]{6})")


def _linear(color: str) -> Floats:
    """Linear RGB of a colour in sRGB."""
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    """Relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    return float(np.dot((0.2126, 0.7152, 0.0722), _linear(color)))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2).

    Examples
    --------
    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def dark(color: str) -> str:
    """The colour that stands for another on a dark page: its lightness turned round, its hue kept.

    White becomes the dark paper and black the light ink; what is between keeps its distance from
    the paper, and so nearly its contrast.
    """
    lightness, *hue = _LAB @ np.cbrt(_CONES @ _linear(color))
    turned = _BLACK + (_WHITE - _BLACK) * float(lightness)
    for share in np.linspace(1.0, 0.0, 21):  # as much of its hue as a screen can show
        lab = np.array([turned, *(share * np.array(hue))])
        linear = np.linalg.solve(_CONES, np.linalg.solve(_LAB, lab) ** 3)
        if np.all((linear >= -1e-4) & (linear <= 1 + 1e-4)):
            break
    clipped = np.clip(linear, 0.0, 1.0)
    rgb = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    red, green, blue = map(float, np.clip(rgb, 0.0, 1.0))
    return to_hex((red, green, blue))


def with_dark(svg: bytes) -> bytes:
    """A picture that turns dark where its reader's page is.

    An ``<img>`` is out of reach of the page's styles, but asks its own what scheme is preferred.
    What the file says without that stays, so that every other program shows it as on paper.
    """
    found = sorted(set(_FILLS.findall(svg)))
    rules = [b"text{fill:%s}" % dark("black").encode()]
    rules += [
        b'[style*="%s: %s"]{%s:%s!important}' % (what, color, what, dark(color.decode()).encode())
        for what, color in found
    ]
    style = b"<style>@media (prefers-color-scheme:dark){%s}</style>\n" % b"".join(rules)
    return svg.replace(b"</svg>", style + b"</svg>")
