"""What a multiverse is made of: prior sets, families of residuals, definitions of response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

from pydantic import ValidationError

from mnbayes.base.problems import InputError, Problem, did_you_mean, gathered
from mnbayes.cards.card import Card, Structure, restore_card
from mnbayes.cards.definitions import Definitions
from mnbayes.cards.overrides import with_priors
from mnbayes.cards.prior_sets import available_prior_sets, load_prior_set

#: The set of the cards' own priors: the one that the others are compared with.
OWN_PRIORS = "weak"
OPTION = "--threshold"
#: Families of residuals that a card may have.
FAMILIES: tuple[str, ...] = get_args(Structure.model_fields["residual"].annotation)


@dataclass(frozen=True)
class Fitting:
    """One fit of the multiverse.

    Attributes
    ----------
    prior_set, residual : str
    card : Card
        With that prior set and that family of residuals.
    """

    prior_set: str
    residual: str
    card: Card


@dataclass(frozen=True)
class Variant:
    """One set of definitions of response, which needs no fit of its own.

    Attributes
    ----------
    thresholds : dict
        Name of a threshold to its value, of those that vary.
    definitions : Definitions
    """

    thresholds: dict[str, float]
    definitions: Definitions


def default_prior_sets() -> list[str]:
    """Every prior set that mnbayes brings, the cards' own priors first."""
    return sorted(available_prior_sets(), key=lambda name: (name != OWN_PRIORS, name))


def with_residual(card: Card, residual: str) -> Card:
    """The card with another family of residuals.

    Raises
    ------
    InputError
        If there is no such family, or the card has no prior for what it adds.
    """
    _check_family(residual)
    data = card.model_dump(by_alias=True)
    data["structure"]["residual"] = residual
    return restore_card(data, card.name)


def _check_family(residual: str) -> None:
    if residual not in FAMILIES:
        expected = f"one of {', '.join(FAMILIES)}"
        raise InputError([Problem("--residual", None, None, repr(residual), expected)])


def fittings(
    cards: Sequence[Card], prior_sets: Sequence[str], residuals: Sequence[str]
) -> list[Fitting]:
    """Every combination of card, family of residuals and prior set.

    Parameters
    ----------
    cards : sequence of Card
        With their own priors.
    prior_sets : sequence of str
        Names, or paths of TOML files; a set is called by the name that it gives itself.
    residuals : sequence of str
        Empty: both families, each card's own first.

    Returns
    -------
    list of Fitting
        Card by card, residual by residual.

    Raises
    ------
    InputError
        All names that do not exist, and what is named twice.
    """
    with gathered() as attempt:
        called = [attempt(load_prior_set, name) for name in prior_sets]
        for residual in residuals:
            attempt(_check_family, residual)
    names = [each.name for each in called]
    given = {"--priors": names, "--residual": list(residuals), "--model": [c.name for c in cards]}
    problems = [
        Problem(option, None, None, repr(name), "each one once")
        for option, listed in given.items()
        for name in dict.fromkeys(listed)
        if listed.count(name) > 1
    ]
    if problems:
        raise InputError(problems)
    with gathered() as attempt:
        others = [
            (residual, attempt(with_residual, card, residual))
            for card in cards
            for residual in residuals
            or sorted(FAMILIES, key=lambda each: each != card.structure.residual)
        ]
    with gathered() as attempt:
        return [
            Fitting(name, residual, attempt(with_priors, card, path))
            for residual, card in others
            for path, name in zip(prior_sets, names, strict=True)
        ]


def thresholds(definitions: Definitions) -> dict[str, tuple[Any, ...]]:
    """Thresholds that can be varied, by name, each with its path in the definitions.

    Returns
    -------
    dict
        Such as ``effective.fall``, ``complete.albumin`` and ``benchmark.remission``.
    """
    found: dict[str, tuple[Any, ...]] = {}
    data = definitions.model_dump()
    for part in ("complete", "partial", "effective"):
        for name, table in data[part].items():
            key = next(key for key, value in table.items() if isinstance(value, float))
            found[f"{part}.{name}"] = (part, name, key)
    for position, table in enumerate(data["benchmark"]):
        found[f"benchmark.{table['category']}"] = ("benchmark", position, "share")
    return found


def _leaf(data: Any, path: Sequence[Any]) -> Any:
    for part in path:
        data = data[part]
    return data


def parse_thresholds(texts: Sequence[str], definitions: Definitions) -> dict[str, list[float]]:
    """Parse ``NAME=VALUE,VALUE``, such as ``effective.fall=0.10,0.25``.

    Parameters
    ----------
    texts : sequence of str
    definitions : Definitions
        Whose thresholds they are.

    Returns
    -------
    dict
        Name to values.

    Raises
    ------
    InputError
        Every misspelt name, with the ones that exist, and every value that is no number.
    """
    names = list(thresholds(definitions))
    found: dict[str, list[float]] = {}
    problems = []
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not values:
            problems.append(Problem(OPTION, None, None, repr(text), "NAME=VALUE,VALUE"))
            continue
        if name not in names:
            expected = f"one of {', '.join(names)}{did_you_mean(name, names)}"
            problems.append(Problem(OPTION, None, None, repr(name), expected))
            continue
        for value in values.split(","):
            try:
                found.setdefault(name, []).append(float(value))
            except ValueError:
                problems.append(Problem(OPTION, None, name, repr(value), "a number"))
    if problems:
        raise InputError(problems)
    return found


def variants(definitions: Definitions, grid: Mapping[str, Sequence[float]]) -> list[Variant]:
    """Definitions with every combination of thresholds, the present ones first.

    Parameters
    ----------
    definitions : Definitions
    grid : mapping
        Name of a threshold to the values to try beside the present one.

    Raises
    ------
    InputError
        Every value that definitions do not allow.
    """
    paths = thresholds(definitions)
    own = definitions.model_dump()
    axes = [
        list(dict.fromkeys([float(_leaf(own, paths[name])), *map(float, values)]))
        for name, values in grid.items()
    ]
    found = []
    with gathered() as attempt:
        for combination in product(*axes):
            chosen = dict(zip(grid, combination, strict=True))
            found.append(Variant(chosen, attempt(_with_thresholds, definitions, chosen, paths)))
    return found


def _with_thresholds(
    definitions: Definitions, chosen: Mapping[str, float], paths: Mapping[str, Sequence[Any]]
) -> Definitions:
    data = definitions.model_dump()
    data["benchmark"] = list(data["benchmark"])
    for name, value in chosen.items():
        *before, key = paths[name]
        _leaf(data, before)[key] = value
    try:
        return Definitions.model_validate(data)
    except ValidationError as error:
        raise InputError(
            Problem(
                OPTION,
                None,
                ".".join(str(part) for part in item["loc"]) or None,
                ", ".join(f"{name}={value:g}" for name, value in chosen.items()),
                str(item["msg"]).removeprefix("Value error, "),
            )
            for item in error.errors()
        ) from error
