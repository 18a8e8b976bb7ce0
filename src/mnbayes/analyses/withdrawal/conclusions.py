"""What a trial concludes about its enrolled patients: statements that hold or do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnbayes.analyses.withdrawal.enrolled import Enrolled
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import mcse
from mnbayes.cards.definitions import Category, Definitions
from mnbayes.report.kit.wording import CATEGORY_PATIENTS

#: Upper end of the 95 % equal-tailed interval.
UPPER = 0.975
#: Categories of which something can be concluded, loosest first, with their verb. Not ``partial``:
#: a complete remission that turns out worse becomes a partial one, so its share is not monotone.
CALLED: Mapping[Category, str] = {
    "effective": "are called effective",
    "remission": f"are {CATEGORY_PATIENTS['remission']}",
    "complete": f"are {CATEGORY_PATIENTS['complete']}",
}


@dataclass(frozen=True)
class Conclusion:
    """A statement that holds while its score is at least what is required.

    Attributes
    ----------
    name : str
    category : str
        Of a share; empty for a ratio.
    claim : str
        In words.
    required : float
    score, error : callable
        Of draws: a number that worse levels cannot raise, and its Monte Carlo standard error.
    of_ratio : bool
        Whether the score is minus the log of the number that is shown.
    """

    name: str
    category: str
    claim: str
    required: float
    score: Callable[[Enrolled], float]
    error: Callable[[Enrolled], float]
    of_ratio: bool = False

    def shown(self, score: float) -> float:
        """The number that a reader sees."""
        return float(np.exp(-score)) if self.of_ratio else score

    def as_failure(self, failed: Enrolled) -> float:
        """The score where withdrawal counts as no response; NaN of a ratio, which has none."""
        return self.score(failed) if self.category else float("nan")


def _quantile_error(draws: Floats) -> float:
    # Monte Carlo standard error of the interval's upper end; draws are (chain, draw).
    from arviz_stats.base.array import array_stats  # heavy: loads SciPy's statistics

    if np.ptp(draws) == 0:
        return 0.0
    return float(array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="quantile", prob=UPPER))


def conclusions(
    definitions: Definitions, judged: Enrolled, count: int, week: float
) -> list[Conclusion]:
    """What is concluded about the enrolled patients at a visit.

    Parameters
    ----------
    definitions : Definitions
        With the benchmarks and the decision probability.
    judged : Enrolled
        Its categories are those that can be judged.
    count : int
        Number of enrolled patients.
    week : float

    Returns
    -------
    list of Conclusion
        ``share_exceeds`` for each benchmark of :data:`CALLED`, ``gmr_interval`` and
        ``gmr_probability``.
    """
    decision = definitions.decision.probability

    def about_share(category: Category, bar: float) -> Conclusion:
        def event(now: Enrolled) -> NDArray[np.bool_]:
            return np.asarray(now.share[category] > bar)

        return Conclusion(
            "share_exceeds",
            category,
            f"more than {100 * bar:g} % of the {count} enrolled patients "
            f"{CALLED[category]} at week {week:g}",
            decision,
            lambda now: float(event(now).mean()),
            lambda now: float(mcse(event(now), now.log_gmr)),
        )

    found = [
        about_share(category, definitions.benchmarks[category])
        for category in CALLED
        if category in definitions.benchmarks and category in judged.share
    ]
    fell = f"24-h urinary protein of the {count} enrolled patients fell by week {week:g}"
    found.append(
        Conclusion(
            "gmr_interval",
            "",
            f"{fell} (the 95 % interval of their ratio lies below 1)",
            0.0,
            lambda now: -float(np.quantile(now.log_gmr, UPPER)),
            lambda now: _quantile_error(now.log_gmr),
            of_ratio=True,
        )
    )
    found.append(
        Conclusion(
            "gmr_probability",
            "",
            f"{fell} (probability of a ratio below 1)",
            decision,
            lambda now: float((now.log_gmr < 0).mean()),
            lambda now: float(mcse(now.log_gmr < 0, now.log_gmr)),
        )
    )
    return found
