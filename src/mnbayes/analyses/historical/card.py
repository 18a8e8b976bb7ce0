"""The historical model's card (``models/historical.toml``), validated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mnbayes.base.problems import InputError, Problem, did_you_mean, gathered, quoted
from mnbayes.base.resources import models_folder
from mnbayes.base.toml_files import FileName, read_toml, validation_problems
from mnbayes.cards import families as priors
from mnbayes.cards.card import PriorSpec
from mnbayes.cards.prior_sets import parse_setting

#: Parameters of the model and the role of their priors' families.
PARAMETERS: dict[str, priors.Role] = {
    "class_log_odds": "location",
    "refractory": "location",
    "doubling_of_time": "location",
    "between_study_sd": "scale",
    "arm_correlation": "location",
}
#: Families of the priors.
FAMILIES: dict[priors.Role, tuple[str, ...]] = {
    "location": ("Normal", "StudentT"),
    "scale": ("HalfNormal", "HalfStudentT", "Exponential"),
}
_LEVELS = {"025": 0.025, "05": 0.05, "50": 0.5, "95": 0.95, "975": 0.975}

Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HistoricalPrior(PriorSpec):
    """A prior whose meaning may also speak of rates: ``$p05`` is the 5 % quantile, in percent."""

    @property
    def explained(self) -> str:
        """The meaning with its ``$`` fields filled; see :attr:`PriorSpec.explained`."""
        fields = {}
        for key, probability in _LEVELS.items():
            value = float(priors.quantile(self.distribution, self.arguments, probability))
            fields[f"p{key}"] = f"{100 / (1 + np.exp(-value)):.0f} %"
        return Template(super().explained).safe_substitute(fields)


class TreatmentClass(_Strict):
    """A kind of treatment: its name in the table, in words, and what is counted under it."""

    name: Text
    title: Text
    includes: Text


class Benchmark(_Strict):
    """Whose rate is the benchmark: the class, how refractory, when; the reference of the model."""

    treatment_class: str
    refractory: Literal["yes", "mixed", "no"]
    month: Positive
    why: Text
    source: Text


class Counts(_Strict):
    """How counts that are not exact are read.

    Attributes
    ----------
    average_at_least : float
        Of the remissions of a whole follow-up, the share that had come by its average month.
    """

    average_at_least: Annotated[float, Field(gt=0, le=1)]
    why: Text
    source: Text


class Robust(_Strict):
    """The vague component of the robust mixture: its prior weight and its beta distribution."""

    weight: Share
    a: Annotated[float, Field(ge=1)]
    b: Annotated[float, Field(ge=1)]
    why: Text
    source: Text


class TrialCount(_Strict):
    """Remissions of the trial itself, to hold against its history.

    Attributes
    ----------
    name : str
    remission, n : int
        Patients in remission, and in all.
    month : float
        When they were assessed.
    source : str
    """

    name: Text
    remission: Annotated[int, Field(ge=0)]
    n: Annotated[int, Field(ge=1)]
    month: Positive
    source: Text

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.remission > self.n:
            raise ValueError(f"at most {self.n} remissions of {self.n}; found {self.remission}")
        return self


class HistoricalCard(_Strict):
    """The historical model's card.

    Attributes
    ----------
    name, title : str
    months : tuple of float
        Times at which rates are reported.
    treatment_class : tuple of TreatmentClass
    benchmark : Benchmark
    counts : Counts
    robust : Robust
    trial : tuple of TrialCount
    prior : dict
        Parameter to prior.
    """

    kind: Literal["historical"]
    name: FileName
    title: Text
    months: tuple[Positive, ...]
    treatment_class: tuple[TreatmentClass, ...]
    benchmark: Benchmark
    counts: Counts
    robust: Robust
    trial: tuple[TrialCount, ...] = ()
    prior: dict[str, HistoricalPrior] = Field(alias="priors")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if not self.classes or len(set(self.classes)) != len(self.classes):
            problems.append("each treatment class once, and at least one")
        if self.benchmark.treatment_class not in self.classes:
            problems.append(
                f"a benchmark of one of the classes {', '.join(self.classes)}; "
                f"found {quoted(self.benchmark.treatment_class)}"
            )
        problems += [f"no prior of {name}" for name in PARAMETERS if name not in self.prior]
        for name, spec in self.prior.items():
            if name not in PARAMETERS:
                problems.append(
                    f"prior of unknown parameter {quoted(name)}; there are {', '.join(PARAMETERS)}"
                    f"{did_you_mean(name, PARAMETERS)}"
                )
            elif spec.distribution not in (fitting := FAMILIES[PARAMETERS[name]]):
                problems.append(
                    f"prior of {name} cannot be {spec.distribution}; it can be {', '.join(fitting)}"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the treatment classes."""
        return tuple(item.name for item in self.treatment_class)

    @property
    def titles(self) -> dict[str, str]:
        """Treatment class to its name in words."""
        return {item.name: item.title for item in self.treatment_class}

    @property
    def sha256(self) -> str:
        """Hash of everything the card says, overrides included."""
        said = self.model_dump(mode="json")
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def historical_card_file() -> Path:
    """The card that mnbayes brings."""
    return models_folder() / "historical.toml"


def load_historical_card(
    path: Path | str | None = None, settings: Iterable[str] = ()
) -> HistoricalCard:
    """Load the historical model's card, single values overridden.

    Parameters
    ----------
    path : Path or str, optional
        Default: the card that mnbayes brings.
    settings : iterable of str
        Such as ``"between_study_sd.sigma=0.5"``; the later one wins.

    Raises
    ------
    InputError
        With every problem, each with the key.
    """
    place = historical_card_file() if path is None else Path(path)
    data = read_toml(place)
    with gathered() as attempt:
        for text in settings:
            attempt(_set, data, text)
    try:
        return HistoricalCard.model_validate(data)
    except ValidationError as error:
        raise InputError(validation_problems(error, place.name)) from error


def _set(data: dict[str, Any], text: str) -> None:
    """Put one ``NAME.ARG=VALUE`` into a card's dictionary."""
    change = parse_setting(text)
    tables = data.get("priors", {})
    table = tables.get(change.parameter) if isinstance(tables, dict) else None
    if not isinstance(table, dict) or change.marker:
        hint = did_you_mean(change.parameter, PARAMETERS)
        expected = f"one of {', '.join(PARAMETERS)}, without a marker{hint}"
        raise InputError([Problem("--set", None, None, quoted(text), expected)])
    if "belief" in change.values:
        expected = "numbers: NAME.ARG=VALUE (this model's priors take no beliefs)"
        raise InputError([Problem("--set", None, None, quoted(text), expected)])
    table |= change.values
