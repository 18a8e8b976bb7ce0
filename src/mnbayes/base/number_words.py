"""Numbers as text, one format for each kind: a share, a level, a ratio and its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

#: What stands for a number that is not there.
BLANK = "–"


def percent(share: float, digits: int = 0) -> str:
    """A share as a percentage, for what is not a Monte Carlo estimate of a probability."""
    if np.isnan(share):
        return BLANK
    # "z" prints a rounded -0 as 0; a true minus sign is not broken off at a line's end.
    return f"{100 * share:z.{digits}f} %".replace("-", "−")


def percent_range(lower: float, upper: float, digits: int = 0) -> str:
    """An interval of shares: "39 % to 80 %"."""
    return f"{percent(lower, digits)} to {percent(upper, digits)}"


def between(low: str, high: str) -> str:
    """What lies between two numbers: "3 to 5"; "3" where both are that."""
    return low if low == high else f"{low} to {high}"


def level(value: float) -> str:
    """A level in its marker's unit: three significant digits, no exponent: "0.935", "1280".

    Examples
    --------
    >>> level(0.9347), level(1278.4), level(28.0)
    ('0.935', '1280', '28')
    """
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < 1e6 else text


def ratio(value: float) -> str:
    """A ratio to baseline with two decimals."""
    return BLANK if np.isnan(value) else f"{value:.2f}"


def gmr_range(row: Mapping[str, Any], suffix: str = "") -> str:
    """The ratio of a row of ``estimates`` with its interval; ``_prior`` gives the prior's."""
    return ratio_range(*(row[f"gmr_{end}{suffix}"] for end in ("median", "lower", "upper")))


def ratio_range(median: float, lower: float, upper: float) -> str:
    """A ratio with its interval: "0.55 (0.39 to 0.80)"."""
    if np.isnan(median):
        return BLANK
    return f"{ratio(median)} ({ratio(lower)} to {ratio(upper)})"
