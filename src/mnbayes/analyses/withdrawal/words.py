"""A tipping point in clinical words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.report.kit import wording

#: More unseen patients than this are counted, not named.
MOST_NAMED = 5


def times(delta: float, error: float) -> str:
    """A ratio with no digit finer than its Monte Carlo error supports: "2.4", "1.04".

    Examples
    --------
    >>> times(2.43, 0.03), times(2.43, 0.3), times(1.043, 0.004)
    ('2.4', '2.5', '1.04')
    """
    steps = (0.01, 0.05) if delta < 1.2 else ()
    step = next((s for s in (*steps, 0.1, 0.5, 1.0, 5.0) if error <= s), 10.0)
    rounded = step * round(delta / step)
    return f"{rounded:.4g}" if rounded > 1 else f"less than {1 + step:.4g}"


def sentence(
    row: Mapping[str, Any], unseen: Sequence[str], prior_error: float, *, falls: bool = True
) -> str:
    """A conclusion, what it rests on, and what would overturn it.

    Parameters
    ----------
    row : mapping
        Of :data:`mnbayes.analyses.withdrawal.tipping.POINT_COLUMNS`, without the sentence.
    unseen : sequence of str
        Patients who are shifted.
    prior_error : float
        Monte Carlo standard error of ``at_one_prior``.
    falls : bool
        Whether less of the marker is better.
    """
    one = len(unseen) == 1
    names = f" ({', '.join(unseen)})" if len(unseen) <= MOST_NAMED else ""
    subject = f"the unseen patient{names}" if one else f"each of the {len(unseen)} unseen{names}"
    if row["conclusion"] == "gmr_interval":
        end, side = ("upper", "below") if falls else ("lower", "above")
        stands = (
            f"the {end} end is {row['at_one']:.2f} ({row['at_one_prior']:.2f} under the prior "
            f"alone), {side} 1 is required"
        )
    else:
        stands = (
            f"{round_to_mcse(row['at_one'], row['at_one_mcse'])} "
            f"({round_to_mcse(row['at_one_prior'], prior_error)} under the prior alone), at least "
            f"{100 * row['required']:g} % is required"
        )
    highest = f"{row['delta_max']:g}"
    would = f"to overturn it, {subject} would have to be"
    if row["verdict"] == "flips":
        error = 0.5 * (row["delta_upper"] - row["delta_lower"])
        ending = f"{would} {times(row['delta'], error)} times worse than predicted."
    elif row["verdict"] == "never":
        ending = (
            f"no worsening of {subject} flips it, not even counting "
            f"{'the patient' if one else 'all of them'} as failure."
        )
    elif row["verdict"] == "beyond":
        ending = f"{would} more than {highest} times worse than predicted, the largest examined."
        if not np.isnan(row["as_failure"]):
            ending += f" Counting {'the patient' if one else 'all of them'} as failure does."
    else:
        as_predicted = "even if the unseen patient is" if one else "even if the unseen are"
        ending = f"the conclusion does not hold {as_predicted} as predicted."
    if row["unsure"]:
        ending += " That is within the Monte Carlo error: more draws would be needed to be sure."
    claim = row["claim"]
    return f"{wording.capital(claim)}: {stands}; {ending}"
