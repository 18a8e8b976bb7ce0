"""A single-stage rule on counts: how many responders it needs, and how often they come.

The analysis of x responders among n patients has the posterior Beta(a + x, b + n - x), where
Beta(a, b) is the *analysis prior*. Both criteria are easier with more responders, so each is a
least count; everything else is a sum of binomial probabilities. Nothing is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, gammaln

from mnbayes.analyses.design.rules import Criteria, Handling
from mnbayes.base.arrays import Floats

type IntArray = NDArray[np.int64]

#: Probability of a number of withdrawals below which it is left out of a sum.
NEGLIGIBLE = 1e-13


@dataclass(frozen=True)
class Beta:
    """A beta distribution of a share: shapes ``a`` and ``b``, both above 0."""

    a: float
    b: float

    def after(self, responders: int, patients: int) -> Beta:
        """The posterior after so many responders among so many patients."""
        return Beta(self.a + responders, self.b + patients - responders)

    def above(self, threshold: ArrayLike) -> Floats:
        """P(share > threshold)."""
        return np.asarray(betaincc(self.a, self.b, np.asarray(threshold, dtype=np.float64)))

    def quantile(self, probability: ArrayLike) -> Floats:
        """Quantiles of the share."""
        from scipy.special import betaincinv

        return np.asarray(betaincinv(self.a, self.b, np.asarray(probability, dtype=np.float64)))


@dataclass(frozen=True)
class Cutoffs:
    """Least numbers of responders, shape of the totals; total + 1 where no number suffices.

    Attributes
    ----------
    go : array of int
        From here on both criteria hold.
    consider : array of int
        From here on at least one does.
    """

    go: IntArray
    consider: IntArray


def least_count(total: ArrayLike, prior: Beta, threshold: float, confidence: float) -> IntArray:
    """Least number of responders for which P(share > threshold) is at least the confidence.

    Parameters
    ----------
    total : array_like of int
        Patients counted.
    prior : Beta
        The analysis prior.
    threshold, confidence : float

    Returns
    -------
    array of int, shape of ``total``
        ``total + 1`` where not even all of them suffice.
    """
    totals = np.asarray(total, dtype=np.int64)
    # The chance grows with the count, so the least one is found by bisection.
    low, high = np.zeros_like(totals), totals + 1
    while (low < high).any():
        middle = (low + high) // 2
        inside = np.minimum(middle, totals)  # where the search has ended beyond the total
        chance = betaincc(prior.a + inside, prior.b + totals - inside, threshold)
        enough = (chance >= confidence) | (middle > totals)
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return low


def cutoffs(total: ArrayLike, prior: Beta, criteria: Criteria) -> Cutoffs:
    """Least counts of a dual criterion.

    A trial in which nobody can be counted decides nothing: it is a no-go whatever the prior.

    Parameters
    ----------
    total : array_like of int
    prior : Beta
        The analysis prior.
    criteria : Criteria
        On a share.
    """
    totals = np.asarray(total, dtype=np.int64)
    significance = least_count(totals, prior, criteria.reference, criteria.confidence)
    relevance = least_count(totals, prior, criteria.target, criteria.target_confidence)
    both, either = np.maximum(significance, relevance), np.minimum(significance, relevance)
    nobody = totals == 0
    return Cutoffs(np.where(nobody, 1, both), np.where(nobody, 1, either))


def at_least(count: ArrayLike, total: ArrayLike, share: ArrayLike) -> Floats:
    """P(X >= count) for X ~ Binomial(total, share); the arguments broadcast.

    By the incomplete beta function: Abramowitz and Stegun 1964, 26.5.24.
    """
    k, n, p = np.broadcast_arrays(count, total, np.asarray(share, dtype=float))
    some = (k >= 1) & (k <= n)
    inside = betainc(np.where(some, k, 1), np.where(some, n - k + 1, 1), p)
    return np.where(some, inside, np.where(k < 1, 1.0, 0.0))


def withdrawals(patients: int, withdrawal: float) -> Floats:
    """P(0, 1, ..., n of n patients stay) where each withdraws with the same probability."""
    stay = np.arange(patients + 1)
    return np.exp(_log_binomial(stay, patients, 1 - withdrawal))


def _log_binomial(count: IntArray, total: int, share: float) -> Floats:
    from scipy.special import xlog1py, xlogy

    ways = gammaln(total + 1) - gammaln(count + 1) - gammaln(total - count + 1)
    return np.asarray(ways + xlogy(count, share) + xlog1py(total - count, -share), dtype=float)


def chances(
    share: ArrayLike,
    patients: int,
    withdrawal: float,
    handling: Handling,
    prior: Beta,
    criteria: Criteria,
) -> tuple[Floats, Floats]:
    """P(go) and P(go or consider) of a new single-arm trial, at given true shares.

    Parameters
    ----------
    share : array_like
        True share of responders, as measured, of patients who stay.
    patients : int
        Patients enrolled.
    withdrawal : float
        Probability with which each withdraws, whether a responder or not.
    handling : {"composite", "evaluable"}
        A withdrawn patient counts as no response, or leaves the denominator. In the second case
        the number left is binomial and its probability averaged over.
    prior : Beta
        The analysis prior: of the new trial's analysis, not of ``share``.
    criteria : Criteria
        On a share.

    Returns
    -------
    go, either : array, shape of ``share``
    """
    shares = np.asarray(share, dtype=float)
    if handling == "composite":
        cut = cutoffs(patients, prior, criteria)
        response = shares * (1 - withdrawal)
        return at_least(cut.go, patients, response), at_least(cut.consider, patients, response)
    # Draws of a share are counts of integration points: far fewer values than draws.
    values, where = np.unique(shares, return_inverse=True)
    weight = withdrawals(patients, withdrawal)
    left = np.flatnonzero(weight > NEGLIGIBLE)
    cut = cutoffs(left, prior, criteria)
    go, either = (
        weight[left] @ at_least(counts[:, None], left[:, None], values)
        for counts in (cut.go, cut.consider)
    )
    return go[where].reshape(shares.shape), either[where].reshape(shares.shape)


def nodes(prior: Beta, degree: int) -> tuple[Floats, Floats]:
    """Points and weights that average any polynomial of the share exactly (Gauss and Jacobi).

    The chance of an outcome among n patients is a polynomial of degree n in the share, so its
    average over a beta distribution is a finite sum.

    Parameters
    ----------
    prior : Beta
        The *design* prior.
    degree : int
        Of the polynomial.

    Returns
    -------
    share, weight : array, shape (degree // 2 + 1,)
        The weights add up to 1.
    """
    from scipy.special import roots_jacobi

    points, weights = roots_jacobi(degree // 2 + 1, prior.b - 1, prior.a - 1)
    return np.asarray((points + 1) / 2), np.asarray(weights / weights.sum())
