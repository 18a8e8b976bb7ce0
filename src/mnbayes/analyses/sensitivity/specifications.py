"""What a multiverse is made of: prior sets, structures of the model, definitions of response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

from pydantic import ValidationError

from mnbayes.base.problems import InputError, Problem, did_you_mean, gathered
from mnbayes.cards.card import Card, Structure, restore_card
from mnbayes.cards.definitions import LEVELS, Definitions, Part
from mnbayes.cards.overrides import with_priors
from mnbayes.cards.prior_sets import available_prior_sets, load_prior_set

#: The set of the cards' own priors: the one that the others are compared with.
OWN_PRIORS = "weak"
OPTION = "--threshold"
#: Parts of a card's structure that vary, each with what it may be.
STRUCTURES: dict[str, tuple[str, ...]] = {
    name: get_args(Structure.model_fields[name].annotation) for name in ("residual", "trajectory")
}


@dataclass(frozen=True)
class Fitting:
    """One fit of the multiverse.

    Attributes
    ----------
    prior_set : str
    card : Card
        With that prior set, and the structure that is tried.
    """

    prior_set: str
    card: Card

    @property
    def residual(self) -> str:
        """Family of residuals."""
        return self.card.structure.residual

    @property
    def trajectory(self) -> str:
        """Course of a patient."""
        return self.card.structure.trajectory


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


def with_structure(card: Card, **parts: str) -> Card:
    """The card with another structure: ``residual``, ``trajectory``.

    Raises
    ------
    InputError
        If there is no such choice, or the card has no prior for what it adds.
    """
    for name, value in parts.items():
        _check_choice(name, value)
    data = card.model_dump(by_alias=True)
    data["structure"].update(parts)
    return restore_card(data, card.name)


def _check_choice(name: str, value: str) -> None:
    if value not in STRUCTURES[name]:
        expected = f"one of {', '.join(STRUCTURES[name])}"
        raise InputError([Problem(f"--{name}", None, None, repr(value), expected)])


def _choices(card: Card, name: str, given: Sequence[str]) -> Sequence[str]:
    """Of a part of the structure what is tried: what is given, or everything, the card's first."""
    return given or sorted(STRUCTURES[name], key=lambda each: each != getattr(card.structure, name))


def fittings(
    cards: Sequence[Card],
    prior_sets: Sequence[str],
    residuals: Sequence[str] = (),
    trajectories: Sequence[str] = (),
) -> list[Fitting]:
    """Every combination of card, trajectory, family of residuals and prior set.

    Parameters
    ----------
    cards : sequence of Card
        With their own priors.
    prior_sets : sequence of str
        Names, or paths of TOML files; a set is called by the name that it gives itself.
    residuals, trajectories : sequence of str
        Empty: both, each card's own first.

    Returns
    -------
    list of Fitting
        Card by card, trajectory by trajectory, residual by residual.

    Raises
    ------
    InputError
        All names that do not exist, and what is named twice.
    """
    with gathered() as attempt:
        called = [attempt(load_prior_set, name) for name in prior_sets]
        for residual in residuals:
            attempt(_check_choice, "residual", residual)
        for trajectory in trajectories:
            attempt(_check_choice, "trajectory", trajectory)
    names = [each.name for each in called]
    given = {
        "--priors": names,
        "--residual": list(residuals),
        "--trajectory": list(trajectories),
        "--model": [c.name for c in cards],
    }
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
            attempt(with_structure, card, residual=residual, trajectory=trajectory)
            for card in cards
            for trajectory in _choices(card, "trajectory", trajectories)
            for residual in _choices(card, "residual", residuals)
        ]
    with gathered() as attempt:
        return [
            Fitting(name, attempt(with_priors, card, path))
            for card in others
            for path, name in zip(prior_sets, names, strict=True)
        ]


def thresholds(definitions: Definitions) -> dict[str, tuple[Any, ...]]:
    """Thresholds that can be varied, by name, each with its place in the definitions.

    Returns
    -------
    dict
        Such as ``effective.fall``, ``complete.albumin`` and ``benchmark.remission``: a category
        and what is asked, a change or the level of a marker; with the marker and the key where
        that would name two.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for rule in definitions.category:
        places = [
            (part, (rule.name, key, i))
            for key in ("every", "either")
            for i, part in enumerate(getattr(rule, key))
            if part.category is None
        ]
        short = [
            part.marker if part.kind in LEVELS else part.kind.partition("_")[0]
            for part, _ in places
        ]
        for name, (part, place) in zip(short, places, strict=True):
            full = f"{part.marker}.{part.kind}"
            found[f"{rule.name}.{name if short.count(name) == 1 else full}"] = place
    for position, bar in enumerate(definitions.benchmark):
        found[f"benchmark.{bar.category}"] = ("benchmark", position, "share")
    return found


def _value(definitions: Definitions, place: Sequence[Any]) -> float:
    """The present value of a threshold."""
    first, key, last = place
    if first == "benchmark":
        bar: float = definitions.benchmark[key].share
        return bar
    part: Part = getattr(definitions.rule(first), key)[last]
    return part.threshold


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
    axes = [
        list(dict.fromkeys([_value(definitions, paths[name]), *map(float, values)]))
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
    data = definitions.recorded()
    for name, value in chosen.items():
        first, key, last = paths[name]
        if first == "benchmark":
            data["benchmark"][key]["share"] = value
            continue
        part = getattr(definitions.rule(first), key)[last]
        field = {"every": "all", "either": "any"}[key]
        data["category"][definitions.categories.index(first)][field][last] = part.with_threshold(
            value
        )
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
