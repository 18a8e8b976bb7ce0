"""A cohort with everything that may be chosen for it, and what some settings make of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mnbayes.analyses.sensitivity.specifications import with_structure
from mnbayes.analyses.withdrawal.strategies import Strategy, delta_strategy, find_strategy
from mnbayes.base.problems import InputError, Problem, did_you_mean, gathered, quoted
from mnbayes.cards import families
from mnbayes.cards.card import Card, prior_name
from mnbayes.cards.chosen_definitions import choose_definitions
from mnbayes.cards.definitions import Definitions, load_definitions, shipped_definitions
from mnbayes.cards.overrides import override
from mnbayes.cards.prior_sets import (
    Change,
    PriorSet,
    available_prior_sets,
    joined_name,
    load_prior_sets,
)
from mnbayes.data.cohort import Cohort
from mnbayes.explorer.settings import Settings, Stated

#: Where the morph begins and ends.
MORPH = ("sceptical", "enthusiastic")
#: Where a change was written, for messages and for the reasons of a card.
ORIGIN = "the explorer"


@dataclass(frozen=True)
class Case:
    """What a page is about.

    Attributes
    ----------
    cohort : Cohort
    cards : tuple of Card
        With their own priors; the first is shown first.
    folder : Path or None
        Of the cohort, as it was named on the command line; None of the embedded one.
    files : tuple of str
        Prior sets that were named on the command line.
    definitions : str
        Of response, as they were named on the command line.
    """

    cohort: Cohort
    cards: tuple[Card, ...]
    folder: Path | None = None
    files: tuple[str, ...] = ()
    definitions: str = ""
    _sets: dict[tuple[str, ...], tuple[PriorSet, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    _definitions: dict[str, Definitions] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def first(self) -> Settings:
        """The settings that a page begins with: the protocol's."""
        return Settings(
            self.cards[0].name, sets=self.files or ("weak",), definitions=self.definitions
        )

    def weeks(self, settings: Settings) -> tuple[float, ...]:
        """Later visits at which a marker of the model was measured."""
        rows = self.cohort.measurements
        own = rows.loc[rows["marker"].isin(self.base(settings).markers), "week"]
        return tuple(sorted({float(week) for week in own if week > 0}))

    @property
    def set_names(self) -> tuple[str, ...]:
        """Prior sets that can be chosen, by name or file."""
        return tuple(dict.fromkeys((*available_prior_sets(), *self.files)))

    @property
    def definition_names(self) -> tuple[str, ...]:
        """Definitions of response that fit the cohort, by name or file."""
        asked = (self.definitions,) if self.definitions else ()
        trial = (self.cohort.trial.definitions,) if self.cohort.trial.definitions else ()
        fitting = []
        for name in shipped_definitions():
            needed = load_definitions(name).required
            if "*" in needed or set(needed) <= {*self.cohort.markers, "*"}:
                fitting.append(name)
        return tuple(dict.fromkeys((*asked, *trial, *fitting)))

    def base(self, settings: Settings) -> Card:
        """The card of some settings, with its own priors.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        named = {card.name: card for card in self.cards}
        if settings.model not in named:
            expected = f"one of {', '.join(named)}{did_you_mean(settings.model, named)}"
            raise InputError([Problem(ORIGIN, None, "model", quoted(settings.model), expected)])
        return named[settings.model]

    def sets(self, names: Sequence[str]) -> tuple[PriorSet, ...]:
        """Prior sets by name; only those that the page offers, never another file.

        Raises
        ------
        InputError
        """
        key, known = tuple(names), self.set_names
        refuse_unknown("sets", key, known)
        if key not in self._sets:
            self._sets[key] = load_prior_sets(key)
        return self._sets[key]

    def changes(self, settings: Settings) -> tuple[Change, ...]:
        """What settings change of the priors beyond the prior sets; later ones are stronger."""
        markers = self.base(settings).markers
        own = [change_of(name, said) for name, said in settings.priors]
        stated = {(change.parameter, change.marker) for change in own}
        if len(markers) == 1:  # a marker that goes without saying
            stated |= {(change.parameter, markers[0]) for change in own if not change.marker}
        moved = self.morphed(settings)
        kept = [change for change in moved if (change.parameter, change.marker) not in stated]
        return (*kept, *own)

    def morphed(self, settings: Settings) -> tuple[Change, ...]:
        """Numbers on the way from the sceptical to the enthusiastic set, where both differ.

        Locations move evenly, positive numbers evenly in their logarithm.
        """
        if settings.morph is None:
            return ()
        base, found = self.base(settings), []
        start, end = (override([base], self.sets([name]))[0] for name in MORPH)
        for parameter, table in start.prior.items():
            for marker, spec in table.items():
                other = end.prior[parameter][marker]
                alike = other.distribution == spec.distribution
                if not alike or spec.arguments == other.arguments:
                    continue
                positive = families.FAMILIES[spec.distribution].positive
                values = {
                    name: _between(value, other.arguments[name], settings.morph, name in positive)
                    for name, value in spec.arguments.items()
                }
                found.append(Change(parameter, marker, dict(values), ORIGIN))
        return tuple(found)

    def card(self, settings: Settings) -> Card:
        """The card that settings fit: prior sets, morph and single priors over its own.

        Raises
        ------
        InputError
            Of a name that does not exist, a value or belief that is impossible.
        """
        base = self.base(settings)
        (card,) = override([base], self.sets(settings.sets), self.changes(settings))
        structure = {"residual": settings.residual, "trajectory": settings.trajectory}
        asked = {name: value for name, value in structure.items() if value}
        return with_structure(card, **asked) if asked else card

    def shown_card(self, settings: Settings) -> Card:
        """As :meth:`card`, with times stretched to the cohort's follow-up as a fit has them."""
        return self.card(settings).among(self.cohort.catalogue).scheduled(self.weeks(settings)[-1])

    def definitions_of(self, settings: Settings) -> Definitions:
        """The definitions of response, with the benchmarks that were set.

        Raises
        ------
        InputError
        """
        asked = settings.definitions
        if asked not in self._definitions:
            self._definitions[asked] = self._chosen(asked)
        return with_benchmarks(self._definitions[asked], dict(settings.benchmarks))

    def _chosen(self, asked: str) -> Definitions:
        known = self.definition_names
        if asked and asked not in known:
            expected = f"one of {', '.join(known)}{did_you_mean(asked, known)}"
            raise InputError([Problem(ORIGIN, None, "definitions", quoted(asked), expected)])
        wanted = None
        if asked and asked != self.cohort.trial.definitions:
            wanted = load_definitions(asked)
        markers = self.cards[0].markers
        return choose_definitions(self.cohort, wanted, markers).definitions

    def cohort_of(self, settings: Settings) -> Cohort:
        """The cohort, with the primary week that was set.

        Raises
        ------
        InputError
            If there is no such visit.
        """
        if settings.week is None:
            return self.cohort
        weeks = self.weeks(settings)
        if settings.week not in weeks:
            expected = f"one of {', '.join(f'{week:g}' for week in weeks)}"
            raise InputError([Problem(ORIGIN, None, "week", f"{settings.week:g}", expected)])
        trial = self.cohort.trial.model_copy(update={"primary_week": settings.week})
        return replace(self.cohort, trial=trial)

    def strategy_of(self, settings: Settings) -> Strategy:
        """What is assumed of who withdrew.

        Raises
        ------
        InputError
        """
        if settings.strategy == "delta":
            return delta_strategy(settings.delta)
        return find_strategy(settings.strategy)

    def check(self, settings: Settings) -> None:
        """Refuse settings that name what there is not, or contradict themselves.

        Raises
        ------
        InputError
            Every problem at once.
        """
        with gathered() as attempt:
            attempt(self.card, settings)
            attempt(self.definitions_of, settings)
            attempt(self.cohort_of, settings)
            attempt(self.strategy_of, settings)

    def prior_set_name(self, settings: Settings) -> str:
        """The prior sets of settings as one name."""
        return joined_name(self.sets(settings.sets))

    def names(self, card: Card) -> dict[str, tuple[str, str]]:
        """Name of each prior in use, as ``--set`` has it, to its parameter and marker."""
        return {
            prior_name(parameter, marker, card.markers): (parameter, marker)
            for parameter in card.parameters
            for marker in card.prior[parameter]
        }


def _between(start: float, end: float, place: float, positive: bool) -> float:
    if positive:
        return float(np.exp((1 - place) * np.log(start) + place * np.log(end)))
    return (1 - place) * start + place * end


def refuse_unknown(key: str, names: Iterable[str], known: Collection[str]) -> None:
    """Refuse names that there are not.

    Raises
    ------
    InputError
        With every one of them.
    """
    expected = f"one of {', '.join(known) or 'none'}"
    unknown = [Problem(ORIGIN, None, key, quoted(n), expected) for n in names if n not in known]
    if unknown:
        raise InputError(unknown)


def change_of(name: str, said: Stated) -> Change:
    """What a page states of a prior, as a change of it."""
    parameter, _, marker = name.partition(".")
    values = {"belief": said} if isinstance(said, str) else dict(said)
    return Change(parameter, marker, values, ORIGIN)


def with_benchmarks(definitions: Definitions, shares: Mapping[str, float]) -> Definitions:
    """Definitions with other benchmarks.

    Raises
    ------
    InputError
        If a category has none.
    """
    refuse_unknown("benchmarks", shares, definitions.benchmarks)
    if not shares:
        return definitions
    bars = tuple(
        bar.model_copy(update={"share": shares[bar.category]}) if bar.category in shares else bar
        for bar in definitions.benchmark
    )
    return definitions.model_copy(update={"benchmark": bars})
