"""What a trial concludes about its enrolled patients: statements that hold or do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnbayes.analyses.withdrawal.enrolled import Enrolled
from mnbayes.answers.categories import Judge
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import mcse
from mnbayes.cards.definitions import Category, Definitions
from mnbayes.data.markers import Marker
from mnbayes.report.kit.wording import in_text

#: Upper end of the 95 % equal-tailed interval.
UPPER = 0.975


def concluded(judged: Judge) -> tuple[Category, ...]:
    """Categories of which something can be concluded, loosest first: those with a benchmark.

    Not ``partial``: a complete remission that turns out worse becomes a partial one, so its
    share may grow where the unseen get worse.
    """
    definitions = judged.definitions
    return tuple(
        category
        for category in reversed(judged.categories)
        if category in definitions.benchmarks
        and category in definitions.responses
        and judged.loses(category)
    )


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
    of_ratio : float
        1 where the score is minus the log of the number that is shown, -1 where it is the log,
        0 where it is the number.
    """

    name: str
    category: str
    claim: str
    required: float
    score: Callable[[Enrolled], float]
    error: Callable[[Enrolled], float]
    of_ratio: float = 0.0

    def shown(self, score: float) -> float:
        """The number that a reader sees."""
        return float(np.exp(-score * self.of_ratio)) if self.of_ratio else score

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
    definitions: Definitions, judged: Enrolled, count: int, week: float, main: Marker
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
    main : Marker
        Of the ratio.

    Returns
    -------
    list of Conclusion
        ``share_exceeds`` for each judged category with a benchmark, ``gmr_interval`` and
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
            f"are {definitions.patients(category)} at week {week:g}",
            decision,
            lambda now: float(event(now).mean()),
            lambda now: float(mcse(event(now), now.log_gmr)),
        )

    found = [
        about_share(category, definitions.benchmarks[category])
        for category in judged.share
        if category in definitions.benchmarks
    ]
    verb, side = ("fell", "below") if main.falls else ("rose", "above")
    sign = 1.0 if main.falls else -1.0  # of a score that worse levels cannot raise
    fell = f"{in_text(main)} of the {count} enrolled patients {verb} by week {week:g}"
    found.append(
        Conclusion(
            "gmr_interval",
            "",
            f"{fell} (the 95 % interval of their ratio lies {side} 1)",
            0.0,
            lambda now: -float(np.quantile(sign * now.log_gmr, UPPER)),
            lambda now: _quantile_error(sign * now.log_gmr),
            of_ratio=sign,
        )
    )
    found.append(
        Conclusion(
            "gmr_probability",
            "",
            f"{fell} (probability of a ratio {side} 1)",
            decision,
            lambda now: float((sign * now.log_gmr < 0).mean()),
            lambda now: float(mcse(sign * now.log_gmr < 0, now.log_gmr)),
        )
    )
    return found
