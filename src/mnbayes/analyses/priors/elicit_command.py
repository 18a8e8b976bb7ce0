"""``mnbayes elicit``: a belief in place of a card's prior, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnbayes.analyses.priors.predictive import PriorPredictive, prior_predictive
from mnbayes.cards.card import Card, PriorSpec, available_cards, load_card, prior_name
from mnbayes.cards.definitions import Definitions
from mnbayes.cards.elicit import Elicited, read_prior_belief
from mnbayes.cards.overrides import Change, apply_changes
from mnbayes.cards.parameters import SHARED, quantity
from mnbayes.cards.prior_sets import load_prior_sets


@dataclass(frozen=True)
class Elicitation:
    """A belief, the prior it makes, and what the priors say with and without it.

    Attributes
    ----------
    card : Card
        With the belief in place.
    parameter, marker : str
        ``marker`` is empty for a parameter that the whole model shares.
    own : PriorSpec
        The prior without the belief.
    elicited : Elicited
    without, with_belief : PriorPredictive
        Under the prior alone, from the same random numbers.
    """

    card: Card
    parameter: str
    marker: str
    own: PriorSpec
    elicited: Elicited
    without: PriorPredictive
    with_belief: PriorPredictive

    @property
    def name(self) -> str:
        """The prior as it is called on the command line."""
        return prior_name(self.parameter, self.marker, self.card.markers)

    @property
    def used(self) -> bool:
        """Whether the card's structure has the parameter switched on."""
        return self.parameter in self.card.parameters

    @property
    def shown_marker(self) -> str:
        """The marker whose consequences are shown."""
        return self.marker or self.card.markers[0]


def _place(cards: Sequence[Card], parameter: str, marker: str) -> tuple[Card, str] | None:
    """The card, and the marker in it, that a name is about."""
    having = [
        card
        for card in cards
        if parameter in card.prior and (not marker or marker in card.prior[parameter])
    ]
    having.sort(key=lambda card: parameter not in card.parameters)  # switched on first
    if not having or (parameter in SHARED and marker):
        return None
    card = having[0]
    return card, "" if parameter in SHARED else marker or card.markers[0]


def elicit_prior(
    name: str,
    belief: str,
    definitions: Definitions | None = None,
    model: str | Path | None = None,
    prior_sets: Sequence[str | Path] = ("weak",),
) -> Elicitation:
    """Put a belief in place of a prior and draw from the priors alone, with and without it.

    Parameters
    ----------
    name : str
        A parameter, or a parameter and a marker: ``change_mean``, ``change_mean.albumin``.
        Without a marker the first of the card's is meant.
    belief : str
        See :mod:`mnbayes.cards.beliefs`.
    definitions : Definitions, optional
        Default: those that mnbayes brings.
    model : str or Path, optional
        A card; by default ``remission``, which can judge every category, or else the smallest
        card that has the parameter switched on.
    prior_sets : sequence of str or Path
        What holds beside the belief.

    Raises
    ------
    InputError
        If there is no such prior, or no distribution that says the belief.
    """
    parameter, _, marker = name.strip().partition(".")
    cards = [load_card(model)] if model is not None else _smallest_first()
    for prior_set in load_prior_sets(prior_sets):
        cards = apply_changes(cards, prior_set.changes, strict=False)
    place = _place(cards, parameter, marker)
    if place is None:
        apply_changes(cards, [Change(parameter, marker, {"belief": belief}, "elicit")], strict=True)
        raise AssertionError("a prior without a place is refused")
    card, marker = place
    change = Change(parameter, marker, {"belief": belief}, "elicit")
    (changed,) = apply_changes([card], [change], strict=True)
    own = card.prior[parameter][marker]
    elicited = read_prior_belief(
        change.values, quantity(parameter, marker, card.catalogue), own.distribution, own.arguments
    )

    without, with_belief = (prior_predictive(each, definitions) for each in (card, changed))
    return Elicitation(changed, parameter, marker, own, elicited, without, with_belief)


def _smallest_first() -> list[Card]:
    cards = [load_card(name) for name in available_cards()]
    return sorted(cards, key=lambda card: (card.name != "remission", len(card.markers)))
