"""The markers a cohort may hold: units, scales, plausible ranges (``data/markers.toml``).

A file ``markers.toml`` in a cohort's folder adds markers or changes some, so a cohort carries its
own catalogue (:attr:`mnbayes.data.cohort.Cohort.catalogue`), and so do the draws of a fit
(:func:`mnbayes.inference.contract.catalogue`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mnbayes.base.arrays import Floats
from mnbayes.base.problems import InputError
from mnbayes.base.resources import markers_file
from mnbayes.base.toml_files import read_toml, validation_problems

Scale = Literal["log", "logit"]
Better = Literal["lower", "higher", "neither"]

Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
#: Names go into file names, columns and coordinates.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Reference(_Strict):
    """A range of healthy people, in the marker's canonical unit; an open side is None."""

    lower: Positive | None = None
    upper: Positive | None = None
    coverage: Annotated[float, Field(gt=0, le=1)]
    population: Text

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.ends
        if (self.lower is None and self.upper is None) or not low < high:
            raise ValueError(f"lower < upper, one of them at least; found {low:g} and {high:g}")
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends, an open one 0 or infinity."""
        return self.lower or 0.0, np.inf if self.upper is None else self.upper

    @property
    def words(self) -> str:
        """The range in words, without its unit."""
        if self.lower is None:
            return f"up to {self.upper:g}"
        return f"from {self.lower:g}" if self.upper is None else f"{self.lower:g} to {self.upper:g}"


class Found(_Strict):
    """What is found in patients, in the marker's canonical unit: judges priors, never data."""

    lower: Positive
    upper: Positive
    why: Annotated[str, Field(min_length=1, max_length=400)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError(f"lower < upper; found {self.lower:g} and {self.upper:g}")
        return self


class Marker(_Strict):
    """A laboratory marker; ``data/markers.toml`` says what each of its fields is.

    Attributes
    ----------
    name : str
        Name used in tables, cards and coordinates.
    label, short : str
        Name in running text and on plots; where there is little room.
    unit : str
        Canonical unit; every measurement is held in it.
    spellings : dict
        Factor to `unit` by unit as written, of units that the grammar of units does not read.
    molar_mass : float or None
        g/mol, where one laboratory gives mol and another grams.
    scale : {"log", "logit"}
        Scale of the models. Values are percentages where it is "logit".
    better : {"lower", "higher", "neither"}
    decimals : int
        Digits after the point when a value is printed in `unit`.
    plausible, possible : tuple of float
        Lowest and highest value without a warning, and without an error.
    patients : Found or None
        None where it is the plausible range: see :attr:`limits`.
    reference : Reference or None
    typical : float
        A usual value in patients of such trials.
    between_sd, within_sd : float
        SD between patients and of one patient from visit to visit, on the marker's scale.
    populations : tuple of float or None
        Means of populations that patients may have been picked from (regression to the mean).
    source : dict
        Where each of these numbers is from, by field.
    """

    name: Name
    label: Text
    short: Annotated[str, Field(min_length=1, max_length=24)]
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    spellings: dict[str, Positive] = Field(default_factory=dict)
    molar_mass: Positive | None = None
    scale: Scale = "log"
    better: Better = "neither"
    decimals: Annotated[int, Field(ge=0, le=6)] = 1
    plausible: tuple[Positive, Positive] = Field(strict=False)
    possible: tuple[Positive, Positive] = Field(strict=False)
    patients: Found | None = None
    reference: Reference | None = None
    typical: Positive
    between_sd: Positive
    within_sd: Positive
    populations: tuple[Positive, ...] | None = Field(default=None, strict=False)
    source: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        low, high = self.possible
        if not low <= self.plausible[0] < self.plausible[1] <= high:
            raise ValueError(
                f"plausible = [low, high] within possible; found {list(self.plausible)} and "
                f"{list(self.possible)}"
            )
        if not low <= self.typical <= high:
            raise ValueError(f"typical from {low:g} to {high:g}; found {self.typical:g}")
        if self.scale == "logit" and (self.unit != "%" or high >= 100):
            raise ValueError(
                f'unit "%" and a possible range below 100 for the scale "logit"; '
                f"found {self.unit} and {high:g}"
            )
        return self

    @property
    def ratio(self) -> str:
        """What the exponential of a difference on the models' scale is called."""
        return "odds ratio" if self.scale == "logit" else "ratio"

    @property
    def mean_ratio(self) -> str:
        """What that of a mean difference is called, briefly."""
        return "odds ratio" if self.scale == "logit" else "GMR"

    @property
    def limits(self) -> Found:
        """Beyond what no patient is found."""
        if self.patients is not None:
            return self.patients
        low, high = self.plausible
        return Found(lower=low, upper=high, why="Values beyond are read with a warning.")

    @property
    def source_of_limits(self) -> str:
        """Where :attr:`limits` are from."""
        return self.source.get("plausible" if self.patients is None else "patients", "")

    @property
    def falls(self) -> bool:
        """Whether less is better."""
        return self.better == "lower"

    def on_scale(self, value: Floats) -> Floats:
        """Values in canonical units on the scale of the models; 0 becomes ``-inf``."""
        with np.errstate(divide="ignore"):
            if self.scale == "log":
                return np.asarray(np.log(value))
            return np.asarray(np.log(value) - np.log(100.0 - np.minimum(value, 100.0)))

    def in_units(self, scaled: Floats) -> Floats:
        """Values on the scale of the models in canonical units."""
        if self.scale == "log":
            return np.asarray(np.exp(scaled))
        return np.asarray(100.0 / (1.0 + np.exp(-np.asarray(scaled))))


#: Markers by name, in the order in which they are shown.
type Catalogue = Mapping[str, Marker]


def catalogue_of(tables: Mapping[str, Any], file: str) -> dict[str, Marker]:
    """Markers of a file's tables, or of what :func:`said_of` gave.

    Raises
    ------
    InputError
        With every problem at once.
    """
    found: dict[str, Marker] = {}
    problems = []
    for name, table in tables.items():
        given = table | {"name": name} if isinstance(table, dict) else table
        try:
            found[name] = Marker.model_validate(given)
        except ValidationError as error:
            for problem in validation_problems(error, file, Marker):
                place = f"{name}.{problem.column}" if problem.column else name
                problems.append(replace(problem, column=place))
    if problems:
        raise InputError(problems)
    return found


@cache
def shipped_markers() -> Catalogue:
    """The markers that mnbayes brings."""
    path = markers_file()
    return catalogue_of(read_toml(path), path.name)


def load_markers(path: Path, known: Catalogue | None = None) -> Catalogue:
    """Markers of a file, added to those that are known.

    Parameters
    ----------
    path : Path
        A TOML file with a table for each marker, as ``data/markers.toml`` has. Of a marker that
        is known it may say only what it changes.
    known : mapping, optional
        Default: the ones that mnbayes brings.

    Raises
    ------
    InputError
        If it cannot be read, or says something else than markers do; every problem at once.
    """
    before = shipped_markers() if known is None else known
    tables: dict[str, Any] = {}
    for name, table in read_toml(path).items():
        if name in before and isinstance(table, dict):
            old = before[name].model_dump(exclude={"name"}, exclude_none=True)
            source = table.get("source", {})
            table = old | table
            if isinstance(source, dict):
                table["source"] = old["source"] | source
        tables[name] = table
    return {**before, **catalogue_of(tables, path.name)}


def said_of(known: Catalogue, markers: Iterable[str]) -> dict[str, Any]:
    """Some markers as plain tables, for JSON: :func:`catalogue_of` reads them back."""
    return {name: known[name].model_dump(mode="json", exclude={"name"}) for name in markers}


def beyond_shipped(known: Catalogue, markers: Iterable[str]) -> dict[str, Marker]:
    """Those of some markers that mnbayes does not bring, or not with these numbers."""
    shipped = shipped_markers()
    return {
        name: known[name] for name in markers if name in known and known[name] != shipped.get(name)
    }


#: The markers that mnbayes brings. A cohort may have more: ask its catalogue where there is one.
MARKERS: Catalogue = shipped_markers()

#: Markers that a response is judged by.
RESPONSE = ("urine_protein_24h", "albumin")
