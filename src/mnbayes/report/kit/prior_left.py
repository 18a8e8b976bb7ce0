"""How much of what the prior allowed is left once the data are seen.

Judged is the quantity behind an answer, a ratio or a share. A probability may agree with its
prior and yet be well informed, as that of an event which both exclude.
"""

from __future__ import annotations

import numpy as np


def share_left(lower: float, upper: float, prior_lower: float, prior_upper: float) -> float:
    """Width of a 95 % interval as a share of that under the prior alone.

    Parameters
    ----------
    lower, upper : float
        Ends given the data; of a ratio, its logarithm.
    prior_lower, prior_upper : float
        Ends under the prior alone.

    Returns
    -------
    float
        NaN where the prior's interval has no width, or a number is withheld.

    Examples
    --------
    >>> share_left(0.1, 0.6, 0.0, 1.0)
    0.5
    """
    width = prior_upper - prior_lower
    return (upper - lower) / width if width > 0 else float("nan")


def ratio_left(lower: float, upper: float, prior_lower: float, prior_upper: float) -> float:
    """As :func:`share_left`, of ratios, on the log scale."""
    return share_left(*(float(np.log(end)) for end in (lower, upper, prior_lower, prior_upper)))
