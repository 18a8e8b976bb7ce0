"""What overrides did to the priors of a run's cards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mnbayes.cards.card import Card, prior_name


@dataclass(frozen=True)
class Difference:
    """A prior that is not its card's.

    Attributes
    ----------
    model, name : str
        The card, and the prior as it is called on the command line.
    own, now : str
        Formulas: as the card has it, and as it is used.
    meaning : str
        Of the one that is used.
    """

    model: str
    name: str
    own: str
    now: str
    meaning: str


def differences(before: Iterable[Card], after: Iterable[Card]) -> list[Difference]:
    """Priors in use that differ from their card's.

    Parameters
    ----------
    before, after : iterable of Card
        The same cards without and with overrides.
    """
    found = []
    for old, new in zip(before, after, strict=True):
        for parameter in new.parameters:
            for marker, spec in new.prior[parameter].items():
                own = old.prior[parameter][marker]
                if (own.distribution, own.arguments) != (spec.distribution, spec.arguments):
                    name = prior_name(parameter, marker, new.markers)
                    texts = (own.formula, spec.formula, spec.explained)
                    found.append(Difference(new.name, name, *texts))
    return found
