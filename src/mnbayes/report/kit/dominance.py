"""When an answer is mostly its prior: the rule, as the report prints it."""

from __future__ import annotations

import numpy as np

#: A posterior interval wider than this share of the prior's says little beyond the prior.
WIDTH_SHARE = 0.8
#: Probabilities closer to the prior's than this have hardly moved.
LEAST_MOVE = 0.05
#: Differences of decimals such as 0.45 - 0.40 are rounded in the sixteenth digit.
_TOLERANCE = 1e-9

RULE = (
    "A ratio or share is called prior-dominated if its 95 % interval is wider than 80 % of the "
    "interval under the prior alone (ratios are compared on the log scale). A probability is "
    "called prior-dominated if it differs from its value under the prior alone by less than "
    "5 percentage points."
)
TAG = "prior-dominated"


def interval_dominated(lower: float, upper: float, prior_lower: float, prior_upper: float) -> bool:
    """Whether a posterior interval is wider than 80 % of the prior's.

    Pass ratios as logs. NaN (a withheld number) is never dominated, because nothing is shown.
    """
    return bool(upper - lower > WIDTH_SHARE * (prior_upper - prior_lower) + _TOLERANCE)


def ratio_dominated(lower: float, upper: float, prior_lower: float, prior_upper: float) -> bool:
    """As :func:`interval_dominated`, of ratios, on the log scale."""
    ends = np.log([lower, upper, prior_lower, prior_upper])
    return interval_dominated(*(float(end) for end in ends))


def probability_dominated(probability: float, prior: float) -> bool:
    """Whether a probability differs from the prior's by less than 5 percentage points."""
    return bool(abs(probability - prior) < LEAST_MOVE - _TOLERANCE)
