"""Go, consider or no-go: a dual criterion on one reported quantity.

Fisch et al. 2015, doi:10.1177/2168479014533970. *Significance* asks for high confidence that the
quantity is better than a lower reference, *relevance* for moderate confidence (as a rule ½: the
posterior median) that it reaches a target. Both: go. One of them: consider. Neither: no-go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnbayes.analyses.design.evidence import Evidence, evidence_of
from mnbayes.analyses.design.rules import Criteria, Rule, criteria_of
from mnbayes.analyses.design.shares import ratio, true_share
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import mcse
from mnbayes.base.problems import InputError
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import shipped_markers
from mnbayes.inference.contract import catalogue

GO, CONSIDER, NO_GO = "go", "consider", "no-go"
#: By the number of criteria that hold.
VERDICTS = (NO_GO, CONSIDER, GO)
SIGNIFICANCE, RELEVANCE = "significance", "relevance"
#: A probability closer to its line than so many Monte Carlo errors might lie on either side.
UNSURE = 2.0


def verdicts(significance: ArrayLike, relevance: ArrayLike, criteria: Criteria) -> NDArray[np.str_]:
    """What a rule says at given probabilities: a pure function, of any number of fits at once.

    Parameters
    ----------
    significance, relevance : array_like
        P(quantity better than the lower reference) and P(quantity at least as good as the
        target), of the same shape.
    criteria : Criteria

    Returns
    -------
    array of str
        ``"go"``, ``"consider"`` or ``"no-go"``; ``""`` where a probability is NaN.

    Examples
    --------
    >>> rule = Criteria(reference=0.2, confidence=0.8, target=0.4, target_confidence=0.5)
    >>> verdicts([0.9, 0.9, 0.7], [0.6, 0.4, 0.4], rule).tolist()
    ['go', 'consider', 'no-go']
    """
    first, second = np.asarray(significance, dtype=float), np.asarray(relevance, dtype=float)
    met = (first >= criteria.confidence).astype(int) + (second >= criteria.target_confidence)
    return np.where(np.isnan(first + second), "", np.array(VERDICTS)[met])


def support(draws: ArrayLike, criteria: Criteria) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each draw of a quantity is better than the lower reference, and reaches the target.

    Their means are the probabilities of :func:`verdicts`.
    """
    values = np.asarray(draws, dtype=float)
    if criteria.above:
        return values > criteria.reference, values >= criteria.target
    return values < criteria.reference, values <= criteria.target


@dataclass(frozen=True)
class Judged:
    """One criterion, and what the data say of it.

    Attributes
    ----------
    name : {"significance", "relevance"}
    threshold, required : float
        The probability beyond the threshold has to be at least what is required.
    probability, error : float
        Given the data, with its Monte Carlo standard error (0 where exact).
    prior, prior_error : float
        The same under the prior alone.
    """

    name: str
    threshold: float
    required: float
    probability: float
    error: float
    prior: float
    prior_error: float

    @property
    def met(self) -> bool:
        """Whether the criterion holds."""
        return self.probability >= self.required

    @property
    def unsure(self) -> bool:
        """Whether more draws might have said otherwise."""
        return abs(self.probability - self.required) < UNSURE * self.error


@dataclass(frozen=True)
class Decision:
    """What a rule says of a model's fit, or why it says nothing.

    Attributes
    ----------
    model, rule : str
        Their names.
    quantity, category, marker : str
        As in :class:`mnbayes.analyses.design.rules.Rule`.
    week : float
        NaN where the fit has no such visit.
    verdict : {"go", "consider", "no-go", ""}
        Empty where there is no decision.
    judged : tuple of Judged
        Significance, then relevance; empty where there is no decision.
    prior_verdict : str
        What the rule would have said without any data.
    interval, prior_interval : tuple of float
        Median and 95 % equal-tailed interval of the quantity.
    reasons : tuple of str
        Why there is no decision.
    doubtful : tuple of str
        Why the fit failed its checks, where its numbers are shown all the same.
    about : str
        The category, of patients: "in remission"; the label of a ratio's marker.
    """

    model: str
    rule: str
    quantity: str
    category: str
    marker: str
    week: float
    verdict: str
    judged: tuple[Judged, ...] = ()
    prior_verdict: str = ""
    interval: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    prior_interval: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    reasons: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    about: str = ""

    @property
    def unsure(self) -> bool:
        """Whether a criterion lies within its Monte Carlo error of the line."""
        return any(item.unsure for item in self.judged)

    @property
    def above(self) -> bool:
        """Whether more is better: see :class:`mnbayes.analyses.design.rules.Criteria`."""
        if self.quantity == "share" or not self.judged:
            return self.quantity == "share"
        reference, target = (item.threshold for item in self.judged)
        return target > reference


def decide(source: Result | Evidence, rule: Rule, definitions: Definitions) -> Decision:
    """Apply a rule to a fit.

    Parameters
    ----------
    source : Result or Evidence
        Of a run in memory, or read back from a run's folder.
    rule : Rule
    definitions : Definitions
        The run's.

    Returns
    -------
    Decision
        Without a verdict where the numbers are withheld, the model has not the marker or the
        visit that the rule asks for, or rule and definitions do not fit together
        (:func:`mnbayes.analyses.design.rules.criteria_of` refuses them); the reason is named.
    """
    evidence = source if isinstance(source, Evidence) else evidence_of(source)
    category = rule.category or ""
    about = definitions.patients(category) if category in definitions.categories else category
    if rule.quantity == "gmr":
        known = shipped_markers() if evidence.tree is None else catalogue(evidence.tree)
        about = known[rule.marker].label if rule.marker in known else rule.marker
    return replace(_decide(evidence, rule, definitions), about=about)


def _decide(evidence: Evidence, rule: Rule, definitions: Definitions) -> Decision:
    try:
        criteria = criteria_of(rule, definitions)
    except InputError as error:
        unfit = [f"{p.column}: found {p.found}, expected {p.expected}" for p in error.problems]
        return _decision(evidence, rule, "", reasons=tuple(unfit))
    reasons = evidence.why_not(rule)
    if reasons:
        return _decision(evidence, rule, "", reasons=reasons)
    draws = quantity_draws(evidence, rule, definitions, "posterior")
    return decide_draws(
        evidence, rule, criteria, draws, quantity_draws(evidence, rule, definitions, "prior")
    )


def quantity_draws(evidence: Evidence, rule: Rule, definitions: Definitions, group: str) -> Floats:
    """Draws of a rule's quantity, shape (chain, draw).

    Parameters
    ----------
    evidence : Evidence
        One that can judge the rule (:meth:`mnbayes.analyses.design.evidence.Evidence.why_not`).
    rule : Rule
    definitions : Definitions
    group : {"posterior", "prior"}
    """
    if evidence.tree is None:
        raise ValueError("the evidence has no draws")
    week = evidence.week_of(rule)
    if rule.quantity == "gmr":
        return ratio(evidence.tree, group, rule.marker, week)
    if rule.category is None:
        raise ValueError("a share needs a category")
    return true_share(evidence.tree, group, rule.category, week, definitions)


def decide_draws(
    evidence: Evidence,
    rule: Rule,
    criteria: Criteria,
    draws: Floats,
    prior_draws: Floats,
) -> Decision:
    """Apply a rule to draws of its quantity, shape (chain, draw)."""
    now, before = support(draws, criteria), support(prior_draws, criteria)
    # A ratio's chain shows how far an indicator that never changes can be believed; a share's
    # error is that of the reported `exceeds`.
    drivers = (None, None) if criteria.above else (draws, prior_draws)
    judged = tuple(
        Judged(
            name,
            threshold,
            required,
            float(event.mean()),
            float(mcse(event, drivers[0])),
            float(prior.mean()),
            float(mcse(prior, drivers[1])),
        )
        for (name, threshold, required), event, prior in zip(
            _asked(criteria), now, before, strict=True
        )
    )
    return _decision(
        evidence,
        rule,
        _verdict(judged, criteria, lambda item: item.probability),
        judged=judged,
        prior_verdict=_verdict(judged, criteria, lambda item: item.prior),
        interval=_interval(draws),
        prior_interval=_interval(prior_draws),
    )


def _asked(criteria: Criteria) -> tuple[tuple[str, float, float], ...]:
    return (
        (SIGNIFICANCE, criteria.reference, criteria.confidence),
        (RELEVANCE, criteria.target, criteria.target_confidence),
    )


def _verdict(
    judged: tuple[Judged, ...], criteria: Criteria, number: Callable[[Judged], float]
) -> str:
    significance, relevance = judged
    return str(verdicts(number(significance), number(relevance), criteria))


def _interval(draws: Floats) -> tuple[float, float, float]:
    median, lower, upper = np.quantile(draws, [0.5, 0.025, 0.975])
    return float(median), float(lower), float(upper)


def _decision(
    evidence: Evidence,
    rule: Rule,
    verdict: str,
    *,
    judged: tuple[Judged, ...] = (),
    prior_verdict: str = "",
    interval: tuple[float, float, float] = (np.nan, np.nan, np.nan),
    prior_interval: tuple[float, float, float] = (np.nan, np.nan, np.nan),
    reasons: tuple[str, ...] = (),
) -> Decision:
    return Decision(
        evidence.model,
        rule.name,
        rule.quantity,
        rule.category or "",
        rule.marker,
        evidence.week_of(rule),
        verdict,
        judged,
        prior_verdict,
        interval,
        prior_interval,
        reasons,
        evidence.doubtful,
    )
