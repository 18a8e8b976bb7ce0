"""Tipping point: how much worse than predicted the unseen must be to overturn a conclusion.

The delta adjustment of :mod:`mnbayes.analyses.withdrawal.strategies` is swept: at ratio 1 the
model's prediction stands, at ratio delta every patient who withdrew is delta times worse in the
main marker (24-h protein: delta times as high) than predicted, at every visit after that. As delta
grows, no patient's category can get better and every ratio to baseline that is shifted gets worse,
so each conclusion flips at one delta or at none: bisection finds it.
As delta grows without bound an unseen patient meets no definition, which is
the composite strategy: where that does not flip a conclusion about a share, no delta does. A
geometric mean has no such limit. (Tipping-point analysis of one arm: "Missing data in the
regulation of medical devices", 2011, doi:10.1080/10543406.2011.550094.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.withdrawal.conclusions import Conclusion, concluded, conclusions
from mnbayes.analyses.withdrawal.enrolled import Enrolled, enrolled, tabulate
from mnbayes.analyses.withdrawal.strategies import composite, delta_shifts, shift_array
from mnbayes.analyses.withdrawal.unseen import Outcome, WithdrawalDraws
from mnbayes.analyses.withdrawal.words import sentence
from mnbayes.answers.categories import judge
from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import Definitions

#: Largest worsening examined. Tenfold takes 1 g/24h to 10 g/24h, from near remission to far in
#: the nephrotic range; a fall by 79 % that is lost again whole is not quite fivefold.
DELTA_MAX = 10.0
#: Points of the curve; ratios evenly spaced on the log scale, 1 included.
POINTS = 25
#: Width, on the log scale, to which a flip is bisected: finer than is ever printed.
TOLERANCE = 1e-4

POINT_COLUMNS = (
    *("model", "week", "conclusion", "category", "claim", "required"),
    *("at_one", "at_one_mcse", "at_one_prior", "as_failure", "verdict"),
    *("delta", "delta_lower", "delta_upper", "delta_max", "unsure", "unseen", "sentence"),
)


@dataclass(frozen=True)
class Tipping:
    """A sweep over delta.

    Attributes
    ----------
    curve : DataFrame
        As :func:`mnbayes.analyses.withdrawal.enrolled.tabulate` gives it, one set of rows for each
        delta.
    points : DataFrame
        Columns :data:`POINT_COLUMNS`, one row for each conclusion:

        - ``conclusion``: ``share_exceeds`` (P(share > benchmark) at least the definitions'
          decision probability; one for each benchmark that can be judged), ``gmr_interval``
          (the 95 % interval of the enrolled patients' geometric mean ratio lies below 1) or
          ``gmr_probability`` (P(ratio < 1) at least the decision probability);
        - ``at_one``: the probability, or the interval's upper end, at delta 1, with its Monte
          Carlo standard error and its value under the prior alone; ``required``: what it must
          reach (``gmr_interval``: stay below); ``as_failure``: the probability if withdrawal
          counts as no response;
        - ``verdict``: ``flips`` at ``delta``; ``never``, not even counted as failure;
          ``beyond`` ``delta_max``; or ``not_held``, the conclusion fails at delta 1 already;
        - ``delta_lower``, ``delta_upper``: where it would flip one Monte Carlo standard error
          earlier or later (inf: not at all); ``unsure``: the verdict is within that error;
        - ``sentence``: all that in words.
    """

    curve: pd.DataFrame
    points: pd.DataFrame


def crossing(
    score: Callable[[float], float], grid: Floats, scores: Floats, required: float
) -> float:
    """Where a function that does not grow falls below a value, by bisection.

    Parameters
    ----------
    score : callable
    grid, scores : array, shape (n,)
        Rising arguments and the function there.
    required : float

    Returns
    -------
    float
        To within :data:`TOLERANCE`; NaN where it is below at the first point, inf where it is
        not at the last.
    """
    below = np.flatnonzero(scores < required)
    if below.size == 0:
        return float("inf")
    if below[0] == 0:
        return float("nan")
    low, high = float(grid[below[0] - 1]), float(grid[below[0]])
    while high - low > TOLERANCE:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if score(middle) >= required else (low, middle)
    return 0.5 * (low + high)


def _flip(
    conclusion: Conclusion,
    at: Callable[[float], Enrolled],
    grid: Floats,
    swept: Sequence[Enrolled],
    failed: Enrolled,
) -> dict[str, Any]:
    # Where a conclusion flips, as cells of the table of points; ``failed`` is the composite.
    scores = np.array([conclusion.score(now) for now in swept])

    def where(required: float) -> float:
        return crossing(lambda x: conclusion.score(at(x)), grid, scores, required)

    required = conclusion.required
    flip = where(required)
    if np.isfinite(flip):
        error = conclusion.error(at(flip))
        early, late = np.exp(where(required + error)), np.exp(where(required - error))
        found = {"verdict": "flips", "delta": np.exp(flip), "unsure": False}
        ends = {"delta_lower": 1.0 if np.isnan(early) else float(early), "delta_upper": float(late)}
        return found | ends | {"as_failure": conclusion.as_failure(failed)}
    as_failure = conclusion.as_failure(failed)
    verdict, decisive = ("not_held", swept[0]) if np.isnan(flip) else ("beyond", swept[-1])
    if verdict == "beyond" and as_failure >= required:  # never where it is NaN
        verdict, decisive = "never", failed
    near = abs(conclusion.score(decisive) - required) < conclusion.error(decisive)
    nothing = dict.fromkeys(("delta", "delta_lower", "delta_upper"), float("nan"))
    return nothing | {"verdict": verdict, "unsure": near, "as_failure": as_failure}


def tipping(
    posterior: WithdrawalDraws,
    prior: WithdrawalDraws,
    definitions: Definitions,
    model: str,
    delta_max: float = DELTA_MAX,
    week: float | None = None,
) -> Tipping | None:
    """Sweep delta, and find where each conclusion flips.

    Parameters
    ----------
    posterior, prior : WithdrawalDraws
        From :func:`mnbayes.analyses.withdrawal.unseen.withdrawal_draws`.
    definitions : Definitions
        With the benchmarks and the decision probability.
    model : str
    delta_max : float
        Largest ratio, above 1.
    week : float, optional
        A later visit; default: that of the primary analysis.

    Returns
    -------
    Tipping or None
        None where nobody had withdrawn by then.

    Raises
    ------
    ValueError
        If ``delta_max`` is not a number above 1.
    """
    if not (delta_max > 1 and np.isfinite(delta_max)):
        raise ValueError(f"the largest delta is a ratio above 1; found {delta_max}")
    week = posterior.primary_week if week is None else week
    now, before = (draws.only((draws.weeks[0], week)) for draws in (posterior, prior))
    if not now.after.any():
        return None
    unit = shift_array(now, delta_shifts(now, math.e))
    able = judge(definitions, now.markers, now.catalogue)
    judged = tuple(category for category in concluded(able) if category not in able.confirmed)

    def at(draws: WithdrawalDraws, log_delta: float) -> Enrolled:
        outcome = Outcome(draws.level + log_delta * unit)
        return enrolled(outcome, draws, week, definitions, judged)

    grid = np.linspace(0.0, np.log(delta_max), POINTS)
    swept, swept_prior = ([at(draws, float(x)) for x in grid] for draws in (now, before))
    labels = [("delta", f"{r:.3g} times worse than predicted", float(r)) for r in np.exp(grid)]
    curve = tabulate(model, labels, swept, swept_prior, definitions, now, week)

    failed = enrolled(composite(now), now, week, definitions, judged)
    unseen = tuple(np.array(now.patients)[now.after[:, -1]].tolist())
    rows = []
    for conclusion in conclusions(definitions, failed, len(now.patients), week, now.main):
        flip = _flip(conclusion, lambda x: at(now, x), grid, swept, failed)
        shown, one, one_prior = conclusion.shown, swept[0], swept_prior[0]
        row: dict[str, Any] = {
            "model": model,
            "week": week,
            "conclusion": conclusion.name,
            "category": conclusion.category,
            "claim": conclusion.claim,
            "required": shown(conclusion.required),
            "at_one": shown(conclusion.score(one)),
            "at_one_mcse": conclusion.error(one),
            "at_one_prior": shown(conclusion.score(one_prior)),
            "delta_max": delta_max,
            "unseen": ", ".join(unseen),
        } | flip
        said = sentence(row, unseen, conclusion.error(one_prior), falls=now.main.falls)
        rows.append(row | {"sentence": said})
    return Tipping(curve, pd.DataFrame(rows, columns=list(POINT_COLUMNS)))


def output_tables(parts: Iterable[tuple[pd.DataFrame, Tipping | None]]) -> dict[str, pd.DataFrame]:
    """The tables of several models by the names of their files, without the ending.

    Parameters
    ----------
    parts : iterable of tuple
        A model's table of strategies (may be empty) and its sweep.

    Returns
    -------
    dict
        ``withdrawal``, ``tipping_curve`` and ``tipping_points``, those that have rows.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    for table, swept in parts:
        frames = {"withdrawal": table}
        if swept is not None:
            frames |= {"tipping_curve": swept.curve, "tipping_points": swept.points}
        for name, frame in frames.items():
            if not frame.empty:
                found.setdefault(name, []).append(frame)
    return {name: pd.concat(frames, ignore_index=True) for name, frames in found.items()}
