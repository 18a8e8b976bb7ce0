"""Model cards: which markers, which structure, which priors and why (TOML files in ``models/``)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mnbayes.base.display import Displayed, Screen
from mnbayes.base.problems import InputError, Problem, did_you_mean, quoted
from mnbayes.base.resources import models_folder
from mnbayes.base.text_table import Table
from mnbayes.base.toml_files import FileName, read_toml, validation_problems
from mnbayes.cards import families as priors
from mnbayes.cards.card_beliefs import fit_beliefs
from mnbayes.cards.marker_card import marker_card, of_markers
from mnbayes.cards.parameters import PARAMETERS, SHARED
from mnbayes.data.markers import Catalogue, Marker, beyond_shipped, shipped_markers

#: Fields of a prior's meaning: quantiles by the digits that name them.
_QUANTILES = {"025": 0.025, "05": 0.05, "50": 0.5, "95": 0.95, "975": 0.975}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Structure(_Strict):
    """Parts of the longitudinal model that a card switches on.

    Attributes
    ----------
    residual : {"normal", "student_t"}
    trajectory : {"step", "drift"}
        A constant step after baseline, or with a patient's own deviations from it that fade
        exponentially in time, so that a course can turn.
    covariate : str
        A number per patient, or nothing.
    shrink : bool
        Whether the markers' mean changes shrink to a common one.
    correlation : {"all", "changes", "within"}
        See :mod:`mnbayes.models.correlation`.
    """

    residual: Literal["normal", "student_t"] = "normal"
    trajectory: Literal["step", "drift"] = "step"
    covariate: str = ""
    shrink: bool = False
    correlation: Literal["all", "changes", "within"] = "all"

    @model_validator(mode="before")
    @classmethod
    def _name_of_old(cls, data: Any) -> Any:
        if isinstance(data, dict) and "serial" in data:
            said = "true" if data["serial"] else "false"
            raise ValueError(
                'trajectory = "drift" where serial was true, "step" where it was false; '
                f"found serial = {said}"
            )
        return data

    @property
    def drift(self) -> bool:
        """Whether a patient's course can turn."""
        return self.trajectory == "drift"


def _plain(value: float) -> str:
    """Three significant digits, without an exponent where a reader would write none."""
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if "e+" in text and value < 1e6 else text


class PriorSpec(_Strict):
    """One prior: a distribution with its arguments, its meaning, its reason and its source.

    ``belief`` is the clinical belief that the arguments were fitted to, empty where they were
    given as numbers. ``follow_up_weeks`` is the follow-up that a time's numbers are meant for;
    :meth:`Card.scheduled` stretches them to another. 0: they are weeks of any cohort.
    """

    distribution: str
    arguments: dict[str, float]
    meaning: str
    why: str
    source: str
    belief: str = ""
    follow_up_weeks: float = Field(default=0.0, ge=0.0)

    @model_validator(mode="before")
    @classmethod
    def _gather_arguments(cls, data: Any) -> Any:
        # A card writes `sigma = 0.5` beside `why = ...`; the numbers are the arguments.
        if not isinstance(data, dict) or "arguments" in data:
            return data
        texts = {k: v for k, v in data.items() if k in cls.model_fields}
        return texts | {"arguments": {k: v for k, v in data.items() if k not in cls.model_fields}}

    @model_validator(mode="after")
    def _check_arguments(self) -> Self:
        family = priors.FAMILIES.get(self.distribution)
        if family is None:
            raise ValueError(
                f"one of {', '.join(priors.FAMILIES)}"
                f"{did_you_mean(self.distribution, priors.FAMILIES)}; "
                f"found unknown distribution {quoted(self.distribution)}"
            )
        if set(self.arguments) != set(family.arguments):
            raise ValueError(
                f"{self.distribution} takes {', '.join(family.arguments)}; "
                f"found {', '.join(sorted(self.arguments)) or 'nothing'}"
            )
        for name, value in self.arguments.items():
            if not np.isfinite(value):
                raise ValueError(f"{name} must be a finite number; found {value}")
            if name in family.positive and value <= 0:
                raise ValueError(f"{name} must be above 0; found {value:g}")
        return self

    @property
    def formula(self) -> str:
        """The distribution as text, such as ``Normal(0, 0.7)``."""
        return priors.formula(self.distribution, self.arguments)

    @property
    def explained(self) -> str:
        """The meaning, its ``$`` fields filled from the distribution as it now stands.

        ``$q05`` is the 5 % quantile on the parameter's own scale, ``$x05`` its exponential
        (a level or a ratio), ``$l05`` the percentage of which it is the logit, and so on for the
        keys 025, 05, 50, 95 and 975; an overridden
        prior therefore explains itself correctly.
        """
        if self.distribution == "LKJ":
            return self.meaning
        fields: dict[str, str] = {}
        at = priors.quantile(self.distribution, self.arguments, list(_QUANTILES.values()))
        for key, value in zip(_QUANTILES, at.tolist(), strict=True):
            fields[f"q{key}"] = f"{value:.2g}"
            with np.errstate(over="ignore"):
                fields[f"x{key}"] = _plain(float(np.exp(value)))
                fields[f"l{key}"] = _plain(float(100.0 / (1.0 + np.exp(-value))))
        meaning = Template(self.meaning).safe_substitute(fields)
        return f"{meaning}. Fitted to the belief: {self.belief}" if self.belief else meaning


class Card(Displayed, _Strict):
    """A model card.

    Attributes
    ----------
    name, title : str
    markers : tuple of str
        Markers in the model, in the order of its ``marker`` dimension.
    influence : bool
        Whether a run refits the model without each patient.
    structure : Structure
    defined : dict
        Markers of the model that mnbayes does not bring, or not with these numbers.
    prior : dict
        Parameter name to marker name (or ``""`` for a shared parameter) to prior.
    """

    name: FileName
    title: str
    markers: tuple[str, ...]
    influence: bool = False
    structure: Structure = Structure()
    defined: dict[str, Marker] = Field(
        default_factory=dict, strict=False, exclude_if=lambda markers: not markers
    )
    prior: dict[str, dict[str, PriorSpec]] = Field(alias="priors")

    @model_validator(mode="before")
    @classmethod
    def _shared_priors(cls, data: Any) -> Any:
        # A shared parameter is written [priors.correlation]; store it under the marker "".
        if not isinstance(data, dict) or not isinstance(data.get("priors"), dict):
            return data
        tables = {
            name: {"": table}
            if name in SHARED and isinstance(table, dict) and "" not in table
            else table
            for name, table in data["priors"].items()
        }
        return data | {"priors": tables}

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        known = self.catalogue
        unknown = [m for m in self.markers if m not in known]
        if unknown or not self.markers or len(set(self.markers)) != len(self.markers):
            raise ValueError(
                f"markers must be different names from {', '.join(known)}; "
                f"found {', '.join(self.markers) or 'none'}"
            )
        needed = needed_parameters(self.structure)
        one = len(self.markers) == 1
        problems = [
            f"{switch} needs more than one marker"
            for switch, on in (
                ("shrink", self.structure.shrink),
                ('correlation = "changes"', self.structure.correlation == "changes"),
            )
            if one and on
        ]
        problems += [
            f"prior of unknown parameter {quoted(name)}; there are {', '.join(PARAMETERS)}"
            f"{did_you_mean(name, PARAMETERS)}"
            for name in self.prior
            if name not in PARAMETERS
        ]
        problems += [f"no prior of {name}" for name in needed if name not in self.prior]
        for name in (n for n in self.prior if n in PARAMETERS):
            table = self.prior[name]
            expected = {""} if name in SHARED else set(self.markers)
            if set(table) != expected:
                problems.append(
                    f"prior of {name} must be given "
                    f"for {', '.join(sorted(expected)) or 'the model'}; "
                    f"found {', '.join(sorted(table))}"
                )
            if len({spec.distribution for spec in table.values()}) > 1:
                problems.append(f"prior of {name} must have one distribution for all markers")
            role = PARAMETERS[name][1]
            fitting = [f.name for f in priors.FAMILIES.values() if role in f.roles]
            problems += [
                f"prior of {name} cannot be {spec.distribution}; it can be {', '.join(fitting)}"
                for spec in table.values()
                if spec.distribution not in fitting
            ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def catalogue(self) -> Catalogue:
        """What its markers are."""
        return {**shipped_markers(), **self.defined} if self.defined else shipped_markers()

    def among(self, known: Catalogue) -> Card:
        """The card with its markers as a cohort's catalogue has them."""
        defined = beyond_shipped(known, self.markers)
        return self if defined == self.defined else self.model_copy(update={"defined": defined})

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the top-level parameters of this card's model, in model order."""
        return needed_parameters(self.structure)

    def argument_values(self, parameter: str) -> dict[str, np.ndarray[Any, Any]]:
        """Prior arguments of a parameter as arrays over markers (shape (1,) where shared)."""
        table = self.prior[parameter]
        specs = [table[key] for key in ([""] if parameter in SHARED else self.markers)]
        names = priors.FAMILIES[specs[0].distribution].arguments
        return {name: np.array([spec.arguments[name] for spec in specs]) for name in names}

    def family(self, parameter: str) -> str:
        """Name of the prior family of a parameter."""
        return next(iter(self.prior[parameter].values())).distribution

    def scheduled(self, follow_up: float) -> Card:
        """The card for a cohort: times that follow the schedule, stretched to its follow-up.

        Parameters
        ----------
        follow_up : float
            Weeks from baseline to the last visit.
        """
        prior = dict(self.prior)
        for name, specs in self.prior.items():
            prior[name] = {marker: _stretched(spec, follow_up) for marker, spec in specs.items()}
        return self if prior == self.prior else self.model_copy(update={"prior": prior})

    def _screen(self) -> Screen:
        rows: dict[tuple[str, str, str], list[str]] = {}
        for name in self.parameters:
            for marker, spec in self.prior[name].items():
                rows.setdefault((name, spec.formula, spec.explained), []).append(marker)
        scales = dict.fromkeys(self.catalogue[marker].scale for marker in self.markers)
        priors = Table(
            f"Priors (on the {' or '.join(scales)} scale)",
            ("parameter", "of", "prior", "meaning"),
            tuple(
                (name, self._of(markers), formula, meaning)
                for (name, formula, meaning), markers in rows.items()
            ),
            frozenset(range(4)),
        )
        structure = self.structure
        parts = [f"{structure.residual.replace('_t', '-t')} residuals"]
        if len(self.markers) > 1:
            parts.append(f"correlations: {structure.correlation}")
        parts += ["mean changes shrink to a common one"] if structure.shrink else []
        parts += ["drift"] if structure.drift else []
        parts += [f"covariate {structure.covariate}"] if structure.covariate else []
        return Screen(
            f"Model card {self.name}: {self.title}",
            (
                ("markers", ", ".join(self.markers)),
                ("structure", "; ".join(parts)),
                ("influence", "a run refits it without each patient" if self.influence else ""),
            ),
            (priors,),
        )

    def _of(self, markers: Sequence[str]) -> str:
        """Whose prior it is, briefly."""
        if list(markers) == [""]:
            return "model"
        return "every marker" if len(markers) == len(self.markers) > 1 else ", ".join(markers)

    @property
    def sha256(self) -> str:
        """Hash of everything the card says, overrides included."""
        said = self.model_dump(mode="json")
        for table in said["prior"].values():
            for spec in table.values():
                for field in ("belief", "follow_up_weeks"):
                    if not spec[field]:
                        del spec[field]  # nothing was said
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def priors_sha256(self) -> str:
        """Hash of the distributions of the model's priors alone: what can change a posterior."""
        used = {
            name: {marker: [s.distribution, s.arguments] for marker, s in self.prior[name].items()}
            for name in self.parameters
        }
        return hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()


def _stretched(spec: PriorSpec, follow_up: float) -> PriorSpec:
    if spec.follow_up_weeks in (0.0, follow_up):
        return spec
    factor = follow_up / spec.follow_up_weeks
    arguments = priors.stretched(spec.distribution, spec.arguments, factor)
    update = {"arguments": arguments, "follow_up_weeks": follow_up}
    return spec.model_copy(update=update)


def needed_parameters(structure: Structure) -> tuple[str, ...]:
    """Top-level parameters of a model with this structure."""
    left_out = {"change_mean"} if structure.shrink else {"common_change", "change_spread"}
    if not structure.covariate:
        left_out.add("covariate_slope")
    if not structure.drift:
        left_out |= {"serial_sd", "serial_weeks"}
    if structure.residual != "student_t":
        left_out.add("residual_df")
    return tuple(name for name in PARAMETERS if name not in left_out)


def prior_name(parameter: str, marker: str, markers: tuple[str, ...]) -> str:
    """Name of a prior on the command line: short where the card has one marker."""
    return parameter if not marker or len(markers) == 1 else f"{parameter}.{marker}"


def available_cards(folder: Path | None = None) -> dict[str, Path]:
    """Cards of longitudinal models by name in a folder (default: the ones mnbayes brings).

    A file that cannot be read is among them, so that loading it says why. The card of another
    model says so with ``kind``, and its own module reads it.
    """
    place = models_folder() if folder is None else folder

    def is_card(path: Path) -> bool:
        try:
            content = read_toml(path)
        except InputError:
            return True
        return "priors" in content and "kind" not in content

    return {path.stem: path for path in sorted(place.glob("*.toml")) if is_card(path)}


def parse_card(data: dict[str, Any], file: str, known: Catalogue | None = None) -> Card:
    """Validate a card's dictionary, fitting the priors that are stated as beliefs.

    Parameters
    ----------
    data : dict
    file : str
        Its name, for messages.
    known : mapping, optional
        What its markers are; default: those that mnbayes brings.

    Raises
    ------
    InputError
        With every problem, each with the file and the key.
    """
    known = shipped_markers() if known is None else known
    tables, problems, failed = fit_beliefs(data.get("priors"), file, known)
    named = data.get("markers")
    if "defined" not in data and isinstance(named, list | tuple):
        own = beyond_shipped(known, [name for name in named if isinstance(name, str)])
        data = data | ({"defined": own} if own else {})
    if "priors" in data:
        data = data | {"priors": tables}
    try:
        card = Card.model_validate(data)
    except ValidationError as error:
        found = zip(error.errors(), validation_problems(error, file), strict=True)
        problems += [problem for item, problem in found if item["loc"][1:3] not in failed]
    if problems:
        raise InputError(problems)
    return card


def made_card(markers: str | Sequence[str], known: Catalogue) -> Card:
    """Make a card for any marker, or for several in one model.

    Parameters
    ----------
    markers : str or sequence of str
    known : mapping
        What the markers are.

    Raises
    ------
    InputError
        If there is no such marker, or one is named twice.
    """
    names = [markers] if isinstance(markers, str) else list(markers)
    of_markers(names, known)
    if not names or len(set(names)) < len(names):
        found = "+".join(names) or "nothing"
        raise InputError([Problem("marker", None, None, found, "markers, each once")])
    return parse_card(marker_card(names, known), f"card of {'+'.join(names)}", known)


def restore_card(data: dict[str, Any], file: str) -> Card:
    """Validate a card's ``model_dump``, whose beliefs have been fitted already.

    Raises
    ------
    InputError
        With every problem, each with the key.
    """
    try:
        return Card.model_validate(data)
    except ValidationError as error:
        raise InputError(validation_problems(error, file)) from error


def as_card(card: Card | str | Path, known: Catalogue | None = None) -> Card:
    """A card, or that of a name or path as :func:`load_card` takes it."""
    return card if isinstance(card, Card) else load_card(card, known=known)


def load_card(name: str | Path, others: Sequence[str] = (), known: Catalogue | None = None) -> Card:
    """Load a model card by name or by path.

    Parameters
    ----------
    name : str or Path
        Name of a card that mnbayes brings (``"proteinuria"``), of a marker, or of several
        joined by "+", whose card is then made (:func:`mnbayes.card_for`), or the path of a TOML
        file.
    others : sequence of str
        Names that would be understood besides where the name was given.
    known : mapping, optional
        What its markers are: a cohort's catalogue. Default: those that mnbayes brings.

    Raises
    ------
    InputError
        If there is no such card (the ones that exist are named) or it is not valid.
    """
    brought = {path.stem: path for path in models_folder().glob("*.toml")}
    if str(name) in brought:
        data = read_toml(brought[str(name)])
        if "priors" in data:
            return parse_card(data, brought[str(name)].name, known)
    if Path(name).suffix == ".toml":
        return parse_card(read_toml(Path(name)), Path(name).name, known)
    markers = shipped_markers() if known is None else known
    if str(name) in markers or "+" in str(name):
        return made_card(str(name).split("+"), markers)
    cards = [*available_cards(), *others]
    hint = did_you_mean(str(name), [*cards, *markers])
    expected = f"one of {', '.join(cards)}, a marker, or a .toml file{hint}"
    raise InputError([Problem("models/", None, None, repr(str(name)), expected)])
