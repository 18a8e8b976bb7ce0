"""The published-evidence model's card (``models/published.toml``) and what overrides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mnbayes.analyses.published.readings import Readings
from mnbayes.base.problems import InputError, Problem, did_you_mean, quoted
from mnbayes.base.resources import models_folder
from mnbayes.base.toml_files import FileName, read_toml, validation_problems
from mnbayes.cards import families as priors
from mnbayes.cards.beliefs import BeliefError, Quantity
from mnbayes.cards.card import PriorSpec
from mnbayes.cards.card_beliefs import belief_problem
from mnbayes.cards.elicit import read_prior_belief
from mnbayes.cards.overrides import merge_prior
from mnbayes.cards.prior_sets import Change, PriorSet
from mnbayes.cards.published_parameters import NAMES, PARAMETERS, SHARES

#: Disjoint categories, best first; "effective" is effective without remission here.
PARTS = ("complete", "partial", "effective", "none")
_TEXTS = ("meaning", "why", "source")


class Shares(BaseModel):
    """Dirichlet prior of the shares of patients in the categories :data:`PARTS`.

    The weights are pseudo-patients: their sum is what the prior is worth.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    complete: float = Field(gt=0)
    partial: float = Field(gt=0)
    effective: float = Field(gt=0)
    none: float = Field(gt=0)
    meaning: str
    why: str
    source: str

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights in the order of :data:`PARTS`."""
        return self.complete, self.partial, self.effective, self.none

    @property
    def formula(self) -> str:
        """The distribution as text."""
        return f"Dirichlet({', '.join(f'{weight:.3g}' for weight in self.weights)})"


class PublishedCard(BaseModel):
    """The card of the published-evidence model.

    Attributes
    ----------
    kind : str
        ``published``: no card of markers.
    name, title : str
    readings : Readings
    prior : dict
        :data:`mnbayes.cards.published_parameters.PARAMETERS` to prior.
    shares : Shares
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["published"]
    name: FileName
    title: str
    readings: Readings = Readings()
    prior: dict[str, PriorSpec] = Field(alias="priors")
    shares: Shares = Field(alias="category_shares")

    @model_validator(mode="before")
    @classmethod
    def _shares_apart(cls, data: Any) -> Any:
        # In the file they are one of the priors.
        if not isinstance(data, dict) or not isinstance(data.get("priors"), dict):
            return data
        tables = dict(data["priors"])
        shares = {SHARES: tables.pop(SHARES)} if SHARES in tables else {}
        return data | {"priors": tables} | shares

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        problems = [f"no prior of {name}" for name in PARAMETERS if name not in self.prior]
        for name, spec in self.prior.items():
            if name not in PARAMETERS:
                hint = did_you_mean(name, NAMES)
                problems.append(f"unknown prior {quoted(name)}; there are {', '.join(NAMES)}{hint}")
                continue
            role = PARAMETERS[name][1]
            fitting = [f.name for f in priors.FAMILIES.values() if role in f.roles]
            if spec.distribution not in fitting:
                problems.append(
                    f"prior of {name} cannot be {spec.distribution}; it can be {', '.join(fitting)}"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def priors_sha256(self) -> str:
        """Hash of the prior distributions alone."""
        used: dict[str, Any] = {
            name: [spec.distribution, spec.arguments] for name, spec in self.prior.items()
        }
        said = json.dumps(used | {SHARES: self.shares.weights}, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def sha256(self) -> str:
        """Hash of everything the card says, overrides included."""
        said = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


def about(parameter: str) -> Quantity:
    """What a belief about a parameter's prior is about."""
    return Quantity(parameter, PARAMETERS[parameter][0])


def load_published_card(path: str | Path | None = None) -> PublishedCard:
    """Load the card of the published-evidence model.

    Parameters
    ----------
    path : str or Path, optional
        Default: the one that mnbayes brings.

    Raises
    ------
    InputError
        If it cannot be read or is not valid.
    """
    place = models_folder() / "published.toml" if path is None else Path(path)
    data = read_toml(place)
    tables, problems = data.get("priors"), []
    if isinstance(tables, dict):
        tables = dict(tables)
        for name in (n for n in PARAMETERS if isinstance(tables.get(n), dict)):
            if not tables[name].get("belief"):
                continue
            try:
                tables[name] = _fitted(tables[name], name)
            except BeliefError as error:
                path_ = ("priors", name)
                problems.append(belief_problem(error, place.name, path_, tables[name]))
                del tables[name]
        data = data | {"priors": tables}
    if problems:
        raise InputError(problems)
    return _validated(data, place.name)


def _fitted(spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    texts = {key: spec[key] for key in ("distribution", *_TEXTS) if key in spec}
    stated = {key: value for key, value in spec.items() if key not in texts}
    family = spec.get("distribution")
    if not isinstance(family, str) or family not in priors.FAMILIES:
        expected = f"one of {', '.join(priors.FAMILIES)}"
        raise BeliefError(expected, "distribution", repr(family)[:60])
    elicited = read_prior_belief(stated, about(name), family, {})
    return texts | {"arguments": elicited.arguments, "belief": elicited.belief.text}


def _validated(data: dict[str, Any], file: str) -> PublishedCard:
    try:
        return PublishedCard.model_validate(data)
    except ValidationError as error:
        raise InputError(validation_problems(error, file)) from error


def override_published(
    card: PublishedCard, sets: Iterable[PriorSet], changes: Sequence[Change] = ()
) -> PublishedCard:
    """A card with prior sets, then single values in place of its own priors.

    Parameters
    ----------
    card : PublishedCard
    sets : iterable of PriorSet
        The weakest first; what they say of other models is passed over.
    changes : sequence of Change
        Single values; each must be one of this model's.

    Raises
    ------
    InputError
        Every misspelt name (with the names that exist) and every impossible value.
    """
    of_sets = [change for each in sets for change in each.changes if change.parameter in NAMES]
    problems = [
        Problem(
            change.origin,
            None,
            quoted(change.parameter),
            "unknown prior",
            f"one of {', '.join(NAMES)}{did_you_mean(change.parameter, NAMES)}",
        )
        for change in changes
        if change.parameter not in NAMES
    ]
    data = card.model_dump(by_alias=True)
    every = [*of_sets, *(change for change in changes if change.parameter in NAMES)]
    for change in every:
        if change.marker:
            expected = f"{change.parameter} by itself: it has one value for the whole model"
            key, found = quoted(change.parameter), quoted(change.marker)
            problems.append(Problem(change.origin, None, key, found, expected))
        elif change.parameter == SHARES:
            problems += _merge_shares(data[SHARES], change)
        else:
            entry = data["priors"][change.parameter]
            problems += merge_prior(entry, change, change.parameter, about(change.parameter))
    if problems:
        raise InputError(dict.fromkeys(problems))
    if not every:
        return card
    origins = ", ".join(dict.fromkeys(change.origin for change in every))
    return _validated(data, f"{card.name} with {origins}")


def _merge_shares(entry: dict[str, Any], change: Change) -> list[Problem]:
    problems = []
    for key, value in change.values.items():
        where = f"{SHARES}.{key}"
        if key in _TEXTS and isinstance(value, str):
            entry[key] = value
        elif key not in PARTS:
            expected = f"one of {', '.join(PARTS)}{did_you_mean(key, PARTS)}"
            problems.append(Problem(change.origin, None, where, "unknown category", expected))
        elif isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            found, expected = quoted(repr(value)), "a weight above 0, in patients"
            problems.append(Problem(change.origin, None, where, found, expected))
        else:
            entry[key] = float(value)
    for key, text in (
        ("meaning", "the weights as they stand, in patients"),
        ("why", f"Overridden by {change.origin}, which gives no reason."),
        ("source", f"none given by {change.origin}"),
    ):
        if key not in change.values:
            entry[key] = text
    return problems
