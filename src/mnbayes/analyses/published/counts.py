"""Counts of a facts file, those left out worked out from the others."""

from __future__ import annotations

from dataclasses import dataclass

from mnbayes.analyses.published.contradictions import evaluable_of
from mnbayes.analyses.published.facts import Facts


@dataclass(frozen=True)
class Counts:
    """Patients of one part of the facts.

    Attributes
    ----------
    enrolled, evaluable, effective, none : int
        ``effective`` includes those in remission.
    remission, complete, partial : int or None
        None where the facts do not say.
    """

    enrolled: int
    evaluable: int
    effective: int
    none: int
    remission: int | None = None
    complete: int | None = None
    partial: int | None = None

    @property
    def missing(self) -> int:
        """Enrolled and not evaluable."""
        return self.enrolled - self.evaluable

    def of(self, category: str) -> int | None:
        """Patients in a category as counted; None where the facts do not say."""
        counts: dict[str, int | None] = {
            "complete": self.complete,
            "partial": self.partial,
            "remission": self.remission,
            "effective": self.effective,
            "none": self.none,
        }
        return counts[category]


def outcome_counts(facts: Facts) -> Counts:
    """Counts at the visit that the answers are about."""
    outcome = facts.outcome
    evaluable = evaluable_of(facts, outcome)
    remission = outcome.remission
    return Counts(
        facts.enrolled.patients,
        evaluable,
        *_responses(outcome.response.effective, outcome.response.none, evaluable),
        *((remission.patients, remission.complete, remission.partial) if remission else ()),
    )


def best_counts(facts: Facts) -> Counts | None:
    """Counts of the best of several visits; None where the facts have none."""
    best = facts.best
    if best is None:
        return None
    evaluable = evaluable_of(facts, best)
    responses = _responses(best.response.effective, best.response.none, evaluable)
    return Counts(facts.enrolled.patients, evaluable, *responses)


def _responses(effective: int | None, none: int | None, evaluable: int) -> tuple[int, int]:
    if effective is None:
        effective = evaluable - (none or 0)
    return effective, evaluable - effective
