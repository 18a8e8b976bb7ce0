"""What is asked of mean and SD of log ratios, and the answers under the prior alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from mnbayes.analyses.published.card import PublishedCard
from mnbayes.answers.change import QUANTILES
from mnbayes.cards import families as priors

#: Statement about the typical patient to the log ratio it must be below.
TYPICAL = {"p_fall": 0.0, "p_fall_30": float(np.log(0.7)), "p_fall_50": float(np.log(0.5))}
#: Statement about one patient as measured, likewise.
NEXT = {"next_any_fall": 0.0, "next_fall_50": float(np.log(0.5))}
#: Points of the prior's integral.
PRIOR_POINTS = 2**13


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes
    ----------
    value : float
        Median of a ratio; a probability.
    lower, upper : float
        95 % equal-tailed interval of the ratio, or of the share of patients behind a
        probability about the next one; NaN where there is none.
    mcse : float
        Monte Carlo standard error of the value.
    """

    value: float
    lower: float = np.nan
    upper: float = np.nan
    mcse: float = 0.0


def prior_answers(card: PublishedCard) -> dict[str, Answer]:
    """The answers under the prior alone: ``gmr``, :data:`TYPICAL` and :data:`NEXT`.

    The mean's are exact; those about one patient are a quasi-Monte Carlo integral, good to
    0.001.
    """
    from scipy.stats import qmc

    spec = {name: card.prior[name] for name in ("mean_log_ratio", "sd_log_ratio")}
    centre = spec["mean_log_ratio"]
    ends = np.exp(priors.quantile(centre.distribution, centre.arguments, QUANTILES)).tolist()
    answers = {"gmr": Answer(ends[0], ends[1], ends[2])}
    for name, bound in TYPICAL.items():
        answers[name] = Answer(float(priors.cdf(centre.distribution, centre.arguments, bound)))
    uniform = qmc.Sobol(2, scramble=True, rng=np.random.default_rng(20240301)).random(PRIOR_POINTS)
    uniform = np.clip(uniform, 2.0**-31, 1 - 2.0**-31)
    mean, sd = (
        priors.quantile(each.distribution, each.arguments, uniform[:, column])
        for column, each in enumerate(spec.values())
    )
    for name, bound in NEXT.items():
        share = ndtr((bound - mean) / sd)
        lower, upper = np.quantile(share, [0.025, 0.975])
        answers[name] = Answer(float(share.mean()), float(lower), float(upper))
    return answers
