"""Prior sets and single values that override a card's priors, weakest first: card, set, value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnbayes import priors
from mnbayes.cards import SHARED, Card, parse_card, prior_name, read_toml
from mnbayes.problems import InputError, Problem
from mnbayes.resources import models_folder

_TEXTS = ("meaning", "why", "source")


@dataclass(frozen=True)
class Change:
    """One entry of a prior set or of ``--set``.

    Attributes
    ----------
    parameter, marker : str
        What it overrides; ``marker`` is empty for a shared parameter, or where the entry
        was written without one.
    values : dict
        Prior arguments, and perhaps ``distribution`` and texts.
    origin : str
        Where it was written, for messages.
    """

    parameter: str
    marker: str
    values: dict[str, Any]
    origin: str


@dataclass(frozen=True)
class PriorSet:
    """A named set of overrides."""

    name: str
    title: str
    why: str
    changes: tuple[Change, ...]


def available_prior_sets() -> dict[str, Path]:
    """Prior sets that mnbayes brings, by name."""
    return {path.stem: path for path in sorted((models_folder() / "priors").glob("*.toml"))}


def load_prior_set(name: str | Path) -> PriorSet:
    """Load a prior set by name or by path of a TOML file.

    Raises
    ------
    InputError
        If it does not exist (the ones that exist are named) or has the wrong shape.
    """
    sets = available_prior_sets()
    if str(name) in sets:
        path = sets[str(name)]
    elif Path(name).suffix == ".toml":
        path = Path(name)
    else:
        expected = f"one of {', '.join(sets)}, or a .toml file"
        raise InputError([Problem("models/priors/", None, None, repr(str(name)), expected)])
    data = read_toml(path)
    problems = [
        Problem(path.name, None, key, "", "one of name, title, why, priors")
        for key in data
        if key not in ("name", "title", "why", "priors")
    ]
    changes: list[Change] = []
    tables = data.get("priors", {})
    if not isinstance(tables, dict):
        problems.append(Problem(path.name, None, "priors", repr(tables)[:80], "a table"))
        tables = {}
    for parameter, table in tables.items():
        nested = {"": table} if parameter in SHARED else table
        if not isinstance(nested, dict) or not all(isinstance(v, dict) for v in nested.values()):
            problems.append(
                Problem(
                    path.name, None, f"priors.{parameter}", repr(table)[:80], "a table per marker"
                )
            )
            continue
        changes += [Change(parameter, m, values, path.name) for m, values in nested.items()]
    if problems:
        raise InputError(problems)
    return PriorSet(
        name=str(data.get("name", path.stem)),
        title=str(data.get("title", "")),
        why=str(data.get("why", "")),
        changes=tuple(changes),
    )


def parse_setting(text: str) -> Change:
    """Parse ``NAME.ARG=VALUE``, such as ``change_mean.sigma=0.3`` or ``change_mean.albumin.mu=0``.

    Raises
    ------
    InputError
        If the text does not have that form or the value is not a number.
    """
    name, equals, value = text.partition("=")
    parts = name.strip().split(".")
    if not equals or len(parts) not in (2, 3) or not all(parts):
        raise InputError([Problem("--set", None, None, repr(text), "NAME.ARG=VALUE")])
    try:
        number = float(value)
    except ValueError:
        raise InputError([Problem("--set", None, name, repr(value), "a number")]) from None
    return Change(parts[0], parts[1] if len(parts) == 3 else "", {parts[-1]: number}, "--set")


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
    names = sorted({name for card in cards for name in valid_names(card)})
    written = ".".join(p for p in (change.parameter, change.marker, *change.values) if p)
    near = difflib.get_close_matches(written, names, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return Problem(
        change.origin, None, written, "unknown prior", f"one of {', '.join(names)}{hint}"
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
        the user is strict; a prior set may also speak of cards that are not being fitted,
        so there only a parameter name that no card knows is.

    Raises
    ------
    InputError
        Every misspelt name (with the names that exist) and every impossible value.
    """
    cards = list(cards)
    data = [card.model_dump(by_alias=True) for card in cards]
    problems: list[Problem] = []
    for change in changes:
        targets = [_target(card, change) for card in cards]
        known = any(change.parameter in card.prior for card in cards)
        if all(t is None for t in targets) and (strict or not known):
            problems.append(_unmatched(cards, change))
        for card, tables, target in zip(cards, data, targets, strict=True):
            if target is None:
                continue
            entry = tables["priors"][change.parameter][target]
            problems += _merge(entry, change, prior_name(change.parameter, target, card.markers))
    if problems:
        raise InputError(problems)
    return [parse_card(tables, card.name) for card, tables in zip(cards, data, strict=True)]


def _merge(entry: dict[str, Any], change: Change, name: str) -> list[Problem]:
    """Write a change into one prior of a dumped card; return what is wrong with it."""
    numbers = {k: v for k, v in change.values.items() if k not in ("distribution", *_TEXTS)}
    family = change.values.get("distribution", entry["distribution"])
    if not isinstance(family, str) or family not in priors.FAMILIES:
        return [
            Problem(
                change.origin,
                None,
                f"{name}.distribution",
                repr(family),
                f"one of {', '.join(priors.FAMILIES)}",
            )
        ]
    if family != entry["distribution"]:
        entry["arguments"] = {}  # arguments of another family mean nothing here
    entry["distribution"] = family
    allowed = priors.FAMILIES[family].arguments
    problems = []
    for argument, value in numbers.items():
        where = f"{name}.{argument}"
        if argument not in allowed:
            problems.append(
                Problem(
                    change.origin,
                    None,
                    where,
                    "unknown argument",
                    f"{family} takes {', '.join(allowed)}",
                )
            )
        elif (
            isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300
        ):
            found = repr(value)[:60]
            problems.append(Problem(change.origin, None, where, found, "a finite number"))
        elif argument in priors.FAMILIES[family].positive and not value > 0:
            problems.append(Problem(change.origin, None, where, f"{value:g}", "a number above 0"))
        else:
            entry["arguments"][argument] = float(value)
    for text in _TEXTS:
        if text in change.values:
            entry[text] = str(change.values[text])
    if "why" not in change.values:
        entry["why"] = f"Overridden by {change.origin}. The card's reason was: {entry['why']}"
    return problems


def with_priors(card: Card, prior_set: str | Path = "weak", settings: Iterable[str] = ()) -> Card:
    """A card with a prior set and single values in place of its own priors.

    Parameters
    ----------
    card : Card
    prior_set : str or Path
        Name of a set that mnbayes brings, or the path of a TOML file.
    settings : iterable of str
        ``NAME.ARG=VALUE``; they win over the set.

    Raises
    ------
    InputError
        If a name does not exist (the ones that do are listed) or a value is impossible.
    """
    changes = [parse_setting(text) for text in settings]
    cards = apply_changes([card], load_prior_set(prior_set).changes, strict=False)
    return apply_changes(cards, changes, strict=True)[0]
