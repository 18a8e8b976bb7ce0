"""Lines, intervals and bands without the search for units, masks and limits.

``plot``, ``vlines``, ``hlines`` and ``fill_between`` look for units and masks, split where a value
is missing, and widen the limits; our axes have theirs set, and that takes longer than the drawing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike


def line(ax: Axes, x: ArrayLike, y: ArrayLike, looks: str = "-", **more: Any) -> None:
    """Draw a line, or points.

    Parameters
    ----------
    ax : Axes
        Whose limits are set elsewhere.
    x, y : array_like, shape (point,) or ()
        A line has a gap at a NaN.
    looks : str
        The marker of points without a line, or the style of a line without points.
    **more
        Color, width and the like.
    """
    is_line = looks in ("-", "--", "-.", ":")
    shape = {"linestyle": looks} if is_line else {"linestyle": "none", "marker": looks}
    ax.add_artist(Line2D(np.atleast_1d(x), np.atleast_1d(y), **(shape | more)))


def spans(ax: Axes, places: ArrayLike, low: ArrayLike, high: ArrayLike, **looks: Any) -> None:
    """Draw intervals upright, side by side.

    Parameters
    ----------
    ax : Axes
        Whose limits are set elsewhere.
    places, low, high : array_like, shape (interval,) or ()
        Where each stands, and its ends; one with a NaN is not drawn.
    **looks
        Color, width and the like.
    """
    at, start, end = np.broadcast_arrays(*(np.atleast_1d(part) for part in (places, low, high)))
    _lines(ax, np.stack([np.column_stack([at, start]), np.column_stack([at, end])], axis=1), looks)


def rows(ax: Axes, places: ArrayLike, low: ArrayLike, high: ArrayLike, **looks: Any) -> None:
    """Draw intervals lying, one above another; otherwise as :func:`spans`."""
    at, start, end = np.broadcast_arrays(*(np.atleast_1d(part) for part in (places, low, high)))
    _lines(ax, np.stack([np.column_stack([start, at]), np.column_stack([end, at])], axis=1), looks)


def _lines(ax: Axes, ends: np.ndarray[Any, Any], looks: dict[str, Any]) -> None:
    kept = np.isfinite(ends.astype(float)).all(axis=(1, 2))
    ax.add_collection(LineCollection(list(ends[kept]), **looks), autolim=False)


def band(ax: Axes, x: ArrayLike, low: ArrayLike, high: ArrayLike, **looks: Any) -> None:
    """Fill between two lines over the same x, none of them with a gap.

    Parameters
    ----------
    ax : Axes
        Whose limits are set elsewhere.
    x : array_like, shape (point,)
    low, high : array_like, shape (point,) or ()
    **looks
        Color, hatch and the like.
    """
    at, start, end = np.broadcast_arrays(x, low, high)
    ring = np.column_stack([np.concatenate([at, at[::-1]]), np.concatenate([start, end[::-1]])])
    ax.add_collection(PolyCollection([ring], **looks), autolim=False)
