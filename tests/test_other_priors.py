"""Which other prior sets a card is tried under."""

from __future__ import annotations

from mnbayes.analyses.sensitivity.other_priors import others
from mnbayes.cards.card import available_cards, load_card
from mnbayes.cards.overrides import with_priors


def test_a_card_as_shipped_is_tried_under_every_set_that_changes_it() -> None:
    card = load_card("proteinuria")
    tried = others(card)
    assert [name for name, _ in tried] == ["enthusiastic", "historical", "sceptical"]
    for name, other in tried:
        assert (other.name, other.markers, other.structure) == (
            *(card.name, card.markers),
            card.structure,
        )
        assert other.prior == with_priors(card, name).prior != card.prior


def test_a_card_under_another_set_is_tried_under_its_own_priors_too() -> None:
    card = load_card("proteinuria")
    tried = dict(others(with_priors(card, "sceptical")))
    assert list(tried) == ["weak", "enthusiastic", "historical"]
    assert tried["weak"].prior == card.prior
    # From the shipped priors, not on top of the other set's.
    assert tried["enthusiastic"].prior == with_priors(card, "enthusiastic").prior


def test_no_two_sets_that_are_tried_are_the_same() -> None:
    for name in available_cards():
        card = load_card(name)
        priors = [card.prior, *(other.prior for _, other in others(card))]
        assert all(priors[i] != priors[j] for i in range(len(priors)) for j in range(i))


def test_a_card_of_ones_own_keeps_its_priors_where_no_set_names_them() -> None:
    shipped = load_card("proteinuria")
    made = shipped.model_copy(update={"name": "made"})
    tried = dict(others(made))
    assert {other.name for other in tried.values()} == {"made"}
    assert "weak" not in tried  # which are its own
    # The same name with another structure is another card, too.
    step = shipped.structure.model_copy(update={"trajectory": "step"})
    changed = shipped.model_copy(update={"structure": step})
    assert {other.structure for _, other in others(changed)} == {step}
