"""Under which priors and readings the facts are read: the reported way, and the others beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from mnbayes.analyses.published.card import PublishedCard, load_published_card, override_published
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.facts import Facts
from mnbayes.analyses.published.readings import (
    EndsReading,
    NoResponseReading,
    Readings,
    RemissionReading,
    Withdrawn,
)
from mnbayes.cards.prior_sets import available_prior_sets, load_prior_set

#: The set of prior sets that overrides nothing.
OWN = "weak"


@dataclass(frozen=True)
class Specification:
    """One way to read the facts.

    Attributes
    ----------
    prior_set : str
    card : PublishedCard
        With the priors of that set.
    readings : Readings
    """

    prior_set: str
    card: PublishedCard
    readings: Readings

    @property
    def labels(self) -> dict[str, str]:
        """What names the specification in tables."""
        return {"prior_set": self.prior_set} | self.readings.model_dump()


def brought_cards(card: PublishedCard | None = None) -> dict[str, PublishedCard]:
    """The card under each prior set that mnbayes brings, its own priors first.

    Raises
    ------
    InputError
        If a set says something impossible of this model.
    """
    own = load_published_card() if card is None else card
    names = sorted(available_prior_sets(), key=lambda name: (name != OWN, name))
    return {name: override_published(own, [load_prior_set(name)]) for name in names}


def distinct(
    reported: PublishedCard, name: str, others: Mapping[str, PublishedCard]
) -> tuple[dict[str, PublishedCard], dict[str, str]]:
    """Cards whose priors differ, the reported one first.

    Returns
    -------
    cards : dict
        Prior set to card.
    same : dict
        Sets left out, each with the one that it has the same priors as.
    """
    # A reported card with one changed number is not the set that it started from.
    namesake = others.get(name)
    if namesake is not None and namesake.priors_sha256 != reported.priors_sha256:
        name = f"{name}, changed"
    cards, same = {name: reported}, {}
    by_hash = {reported.priors_sha256: name}
    for other, card in others.items():
        if other == name:
            continue
        if card.priors_sha256 in by_hash:
            same[other] = by_hash[card.priors_sha256]
            continue
        by_hash[card.priors_sha256] = other
        cards[other] = card.model_copy(update={"readings": reported.readings})
    return cards, same


def specifications(cards: Mapping[str, PublishedCard], facts: Facts) -> list[Specification]:
    """Every specification that is fitted, the reported one first.

    Every prior set under every handling of the withdrawn, where somebody is missing; and, under
    the reported priors, every combination of what remission and no response say, and both
    readings of a range's ends, where the facts have them.

    Parameters
    ----------
    cards : mapping
        Prior set to card, the reported one first.
    facts : Facts
    """
    reported, first = next(iter(cards.items()))
    own, counts = first.readings, outcome_counts(facts)

    def read(name: str, **changes: str) -> Specification:
        return Specification(name, cards[name], own.model_copy(update=changes))

    handlings = get_args(Withdrawn) if counts.missing else (own.withdrawn,)
    remissions = get_args(RemissionReading) if counts.remission else (own.remission,)
    ends = get_args(EndsReading) if facts.outcome.reduction is not None else (own.ends,)
    found = [read(reported)]
    found += [read(n, withdrawn=w) for n in cards for w in handlings]
    found += [
        read(reported, remission=remission, no_response=no_response)
        for remission in remissions
        for no_response in get_args(NoResponseReading)
    ]
    found += [read(reported, ends=each) for each in ends]
    return list({tuple(each.labels.values()): each for each in found}.values())
