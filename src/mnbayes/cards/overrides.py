"""What overrides a card's priors, weakest first: card, prior sets, prior files, single values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnbayes.base.problems import InputError, Problem, did_you_mean, quoted
from mnbayes.cards import families as priors
from mnbayes.cards import published_parameters as published
from mnbayes.cards.beliefs import BeliefError, Quantity
from mnbayes.cards.card import Card, prior_name, restore_card
from mnbayes.cards.card_beliefs import belief_problem
from mnbayes.cards.elicit import read_prior_belief
from mnbayes.cards.parameters import PARAMETERS, SHARED, quantity
from mnbayes.cards.prior_sets import (
    Change,
    PriorSet,
    load_prior_set,
    load_prior_sets,
    parse_setting,
)

__all__ = [
    "Change",
    "PriorSet",
    "applies_to",
    "apply_changes",
    "load_prior_set",
    "load_prior_sets",
    "merge_prior",
    "override",
    "parse_setting",
    "with_priors",
]

_TEXTS = ("meaning", "why", "source")

#: What a prior means once its centre was moved and nobody said what it means now: the card's own
#: words may speak of a direction that it no longer has.
_MOVED = {
    "change_mean": "typical ratio to baseline between $x025 and $x975, around $x50",
    "common_change": "the change that the markers share is a ratio between $x025 and $x975, "
    "around $x50",
    "covariate_slope": "ratio per unit of the covariate between $x025 and $x975, around $x50",
    "mean_log_ratio": "typical ratio to baseline between $x025 and $x975, around $x50",
}


def _target(card: Card, change: Change) -> str | None:
    """The marker key in the card that a change is for; None where this card has none."""
    table = card.prior.get(change.parameter)
    if table is None:
        return None
    if change.marker in table:
        return change.marker
    if not change.marker and len(card.markers) == 1:
        return card.markers[0]
    return None


def applies_to(cards: Iterable[Card], change: Change) -> list[tuple[Card, str]]:
    """Cards that a change applies to, each with the marker it sets there."""
    targets = [(card, _target(card, change)) for card in cards]
    return [(card, marker) for card, marker in targets if marker is not None]


def valid_names(card: Card) -> list[str]:
    """Every ``NAME.ARG`` that can be set in a card."""
    return [
        f"{prior_name(parameter, marker, card.markers)}.{argument}"
        for parameter, table in card.prior.items()
        for marker, spec in table.items()
        for argument in spec.arguments
    ]


def _unmatched(cards: Sequence[Card], change: Change) -> Problem:
    """What is wrong with a change that has no place in any card."""
    arguments = [key for key in change.values if key not in ("belief", "on", *_TEXTS)]
    written = ".".join((*filter(None, (change.parameter, change.marker)), *arguments[:1]))
    known = sorted({parameter for card in cards for parameter in card.prior})
    if change.parameter not in known:
        # The whole name, so that the hint can be copied.
        names = sorted({name for card in cards for name in valid_names(card)})
        hint = did_you_mean(written, names) or did_you_mean(change.parameter, known)
        expected = f"one of {', '.join(known)}{hint}"
        return Problem(change.origin, None, quoted(written), "unknown prior", expected)
    markers = sorted({m for card in cards for m in card.prior.get(change.parameter, {}) if m})
    if not markers:
        expected = f"{change.parameter} by itself: it has one value for the whole model"
        return Problem(change.origin, None, quoted(written), quoted(change.marker), expected)
    found = quoted(change.marker) if change.marker else "no marker"
    expected = f"{change.parameter}.MARKER with one of {', '.join(markers)}"
    expected += did_you_mean(change.marker, markers)
    return Problem(change.origin, None, quoted(written), found, expected)


def _misnamed(change: Change, known: Collection[str]) -> bool:
    """Whether no card at all could have what a change of a prior set is for."""
    if change.parameter in published.NAMES:
        return False  # of the published-evidence model, which is no card of markers
    if change.parameter not in PARAMETERS:
        return True
    return (change.parameter in SHARED) != (not change.marker) or (
        bool(change.marker) and change.marker not in known
    )


def apply_changes(cards: Iterable[Card], changes: Iterable[Change], *, strict: bool) -> list[Card]:
    """Cards with their priors overridden.

    Parameters
    ----------
    cards : iterable of Card
    changes : iterable of Change
        Later ones win.
    strict : bool
        Whether a change that fits none of the cards is an error. A single value given by
        the user is strict; a prior set also speaks of cards that are not being fitted,
        so there only a name that no card could have is.

    Raises
    ------
    InputError
        Every misspelt name (with the names that exist) and every impossible value.
    """
    cards, changes = list(cards), list(changes)
    if not changes:
        return cards
    data = [card.model_dump(by_alias=True) for card in cards]
    known = {marker for card in cards for marker in card.catalogue}
    problems: list[Problem] = []
    for change in changes:
        targets = [_target(card, change) for card in cards]
        if all(target is None for target in targets) and (strict or _misnamed(change, known)):
            problems.append(_unmatched(cards, change))
        for card, tables, target in zip(cards, data, targets, strict=True):
            if target is not None:
                entry = tables["priors"][change.parameter][target]
                name = prior_name(change.parameter, target, card.markers)
                about = quantity(change.parameter, target, card.catalogue)
                problems += merge_prior(entry, change, name, about)
    if problems:
        # Said once, although several cards have the same prior.
        raise InputError(dict.fromkeys(problems))
    origins = ", ".join(dict.fromkeys(change.origin for change in changes))
    files = [f"{card.name} with {origins}" for card in cards]
    return [restore_card(tables, file) for tables, file in zip(data, files, strict=True)]


def merge_prior(entry: dict[str, Any], change: Change, name: str, about: Quantity) -> list[Problem]:
    """Write a change into one prior of a dumped card; return what is wrong with it.

    Parameters
    ----------
    entry : dict
        The prior, a dumped :class:`mnbayes.cards.card.PriorSpec`; changed in place.
    change : Change
    name : str
        What the prior is called on the command line.
    about : Quantity
        What a belief about it is about.
    """
    values = {k: v for k, v in change.values.items() if k not in ("distribution", *_TEXTS)}
    family = change.values.get("distribution", entry["distribution"])
    if not isinstance(family, str) or family not in priors.FAMILIES:
        expected = (
            f"one of {', '.join(priors.FAMILIES)}{did_you_mean(str(family), priors.FAMILIES)}"
        )
        where = f"{name}.distribution"
        return [Problem(change.origin, None, where, quoted(repr(family)), expected)]
    before = {"distribution": entry["distribution"], **entry["arguments"]}
    if family != entry["distribution"]:
        entry["arguments"] = {}  # arguments of another family mean nothing here
    entry["distribution"] = family
    if values.keys() - {"sigma"}:
        entry["follow_up_weeks"] = 0.0  # numbers of the user's are weeks, whatever the follow-up
    if "belief" in values:
        problems = _merge_belief(entry, change, values, name, about)
    else:
        problems = _merge_numbers(entry, change, values, name)
    for text in (key for key in _TEXTS if key in change.values):
        if isinstance(change.values[text], str):
            entry[text] = change.values[text]
        else:
            found = quoted(repr(change.values[text]))
            expected = "a text in quotation marks"
            problems.append(Problem(change.origin, None, f"{name}.{text}", found, expected))
    _say_overridden(entry, change)
    after = {"distribution": entry["distribution"], **entry["arguments"]}
    moved = "mu" in after and after.get("mu") != before.get("mu")
    if moved and "meaning" not in change.values and change.parameter in _MOVED:
        entry["meaning"] = _MOVED[change.parameter]
    return problems


def _say_overridden(entry: dict[str, Any], change: Change) -> None:
    """Leave no reason or source beside numbers that they were not written for."""
    if "why" not in change.values:
        overridden, words = "Overridden by ", " The reason before was: "
        reason = entry["why"]
        if reason.startswith(overridden):
            reason = reason.partition(words)[2]
        entry["why"] = f"{overridden}{change.origin}, which gives no reason.{words}{reason}"
    if "source" not in change.values:
        entry["source"] = f"none given by {change.origin}"


def _merge_belief(
    entry: dict[str, Any], change: Change, values: Mapping[str, Any], name: str, about: Quantity
) -> list[Problem]:
    try:
        fitted = read_prior_belief(values, about, entry["distribution"], entry["arguments"])
    except BeliefError as error:
        return [belief_problem(error, change.origin, (name,), values)]
    entry["arguments"], entry["belief"] = dict(fitted.arguments), fitted.belief.text
    return []


def _merge_numbers(
    entry: dict[str, Any], change: Change, values: Mapping[str, Any], name: str
) -> list[Problem]:
    family = entry["distribution"]
    allowed, positive = priors.FAMILIES[family].arguments, priors.FAMILIES[family].positive
    problems = []
    for argument, value in values.items():
        where = f"{name}.{argument}"
        if argument not in allowed:
            expected = f"{family} takes {', '.join(allowed)}"
            expected += did_you_mean(argument, (*allowed, "belief", "distribution", *_TEXTS))
            problem = Problem(change.origin, None, quoted(where), "unknown argument", expected)
            problems.append(problem)
        elif (
            isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300
        ):
            found = quoted(repr(value))
            problems.append(Problem(change.origin, None, where, found, "a finite number"))
        elif argument in positive and not value > 0:
            problems.append(Problem(change.origin, None, where, f"{value:g}", "a number above 0"))
        else:
            entry["arguments"][argument] = float(value)
            entry["belief"] = ""  # no longer what was believed
    return problems


def override(
    cards: Iterable[Card], sets: Iterable[PriorSet], changes: Iterable[Change] = ()
) -> list[Card]:
    """Cards with prior sets, then single values in place of their own priors.

    Parameters
    ----------
    cards : iterable of Card
    sets : iterable of PriorSet
        The weakest first, as :func:`load_prior_sets` gives them.
    changes : iterable of Change
        Single values, the strongest.

    Raises
    ------
    InputError
    """
    cards = list(cards)
    for each in sets:
        cards = apply_changes(cards, each.changes, strict=False)
    return apply_changes(cards, changes, strict=True)


def with_priors(
    card: Card,
    prior_set: str | Path | Sequence[str | Path] = "weak",
    settings: Iterable[str] = (),
) -> Card:
    """A card with prior sets and single values in place of its own priors.

    Parameters
    ----------
    card : Card
    prior_set : str, Path or sequence of them
        Names of sets that mnbayes brings, or paths of TOML files. Files win over named sets, and
        of two of a kind the later one wins.
    settings : iterable of str
        ``NAME.ARG=VALUE``, or ``NAME=BELIEF``; they win over the sets.

    Raises
    ------
    InputError
        If a name does not exist (the ones that do are listed) or a value is impossible.
    """
    names = [prior_set] if isinstance(prior_set, str | Path) else list(prior_set)
    changes = [parse_setting(text) for text in settings]
    return override([card], load_prior_sets(names), changes)[0]
