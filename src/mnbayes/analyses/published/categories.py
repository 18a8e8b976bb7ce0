"""Shares of patients in each category, from the counts alone: a Dirichlet posterior, exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnbayes.analyses.published.card import Shares
from mnbayes.analyses.published.counts import Counts
from mnbayes.analyses.published.readings import Withdrawn
from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import Category

#: The paper's categories, best first, to the disjoint parts that they are made of.
MADE_OF: dict[Category, tuple[int, ...]] = {
    "complete": (0,),
    "partial": (1,),
    "remission": (0, 1),
    "effective": (0, 1, 2),
    "none": (3,),
}
#: The same as said in a table.
LABELS: dict[Category, str] = {
    "complete": "complete remission",
    "partial": "partial remission",
    "remission": "remission (complete or partial)",
    "effective": "effective",
    "none": "no response",
}


@dataclass(frozen=True)
class Share:
    """Beta distribution of the share of patients in a category.

    Attributes
    ----------
    inside, outside : float
        Parameters: weight of the category, and of all others.
    """

    inside: float
    outside: float

    @property
    def mean(self) -> float:
        """Expected share, which is also the probability of the next patient's category."""
        return self.inside / (self.inside + self.outside)

    def quantile(self, probability: float) -> float:
        """Quantile of the share."""
        from scipy.special import betaincinv

        return float(betaincinv(self.inside, self.outside, probability))

    def above(self, share: float) -> float:
        """Probability that the share is above a benchmark."""
        from scipy.special import betaincc

        return float(betaincc(self.inside, self.outside, share))


def told_apart(counts: Counts) -> tuple[Category, ...]:
    """Categories whose patients the facts count."""
    return tuple(category for category in MADE_OF if counts.of(category) is not None)


def shares(counts: Counts, prior: Shares, handling: Withdrawn | None) -> dict[Category, Share]:
    """Posterior of the share in each category that the facts count.

    Parameters
    ----------
    counts : Counts
    prior : Shares
    handling : {"missing", "failure", "success"} or None
        What the withdrawn are: nothing known, without response, or in the best category; None:
        the prior alone, without any patient.

    Returns
    -------
    dict
        Category to the beta distribution of its share: a Dirichlet's parts add up to a beta.
    """
    weights: Floats = np.array(prior.weights)
    total = float(weights.sum())
    found = {}
    for category in told_apart(counts):
        inside = float(weights[list(MADE_OF[category])].sum())
        outside = total - inside
        if handling is not None:
            inside += counts.of(category) or 0
            outside += counts.evaluable - (counts.of(category) or 0)
            if handling == "failure":
                inside += counts.missing * (category == "none")
                outside += counts.missing * (category != "none")
            elif handling == "success":
                best = _best_of(counts)
                inside += counts.missing * (category in best)
                outside += counts.missing * (category not in best)
        found[category] = Share(inside, outside)
    return found


def _best_of(counts: Counts) -> tuple[Category, ...]:
    """Every category that a patient with the best counted outcome is in."""
    if counts.complete is not None:
        return ("complete", "remission", "effective")
    if counts.remission is not None:
        return ("remission", "effective")
    return ("effective",)
