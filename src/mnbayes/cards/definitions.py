"""What counts as a response: the definitions' card (``models/definitions.toml``), validated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mnbayes.base.problems import InputError
from mnbayes.base.resources import models_folder
from mnbayes.base.toml_files import read_toml, validation_problems
from mnbayes.data.markers import MARKERS

Category = Literal["complete", "partial", "remission", "effective", "none"]
#: Response categories, best first; complete + partial = remission, which lies in effective.
CATEGORIES: tuple[Category, ...] = get_args(Category)
CATEGORY_LABELS: dict[str, str] = {
    "complete": "complete remission",
    "partial": "partial remission",
    "remission": "remission (complete or partial)",
    "effective": "effective",
    "none": "no response",
}

Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Strict(BaseModel):
    # Strict: the text "0.3" or the truth value `true` is not a number that somebody meant.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Below(_Strict):
    """A level that must be below a threshold; the threshold itself does not count."""

    below: Positive
    unit: Text
    why: Text
    source: Text


class AtLeast(_Strict):
    """A level that must be at or above a threshold."""

    at_least: Positive
    unit: Text
    why: Text
    source: Text


class Fall(_Strict):
    """A fall from baseline of at least a share (0.5: to half the baseline or less)."""

    at_least: Share
    unit: Literal["share of baseline"]
    why: Text
    source: Text


class _Levels(_Strict):
    @field_validator("urine_protein_24h", "albumin", check_fields=False)
    @classmethod
    def _canonical_unit(cls, threshold: Below | AtLeast, info: ValidationInfo) -> Below | AtLeast:
        unit = MARKERS[str(info.field_name)].unit
        if threshold.unit != unit:
            raise ValueError(
                f"a threshold in {unit} (thresholds are not converted: look up the definition's "
                f"own number in {unit}); found the unit {threshold.unit!r}"
            )
        return threshold


class Complete(_Levels):
    """Complete remission: both levels."""

    urine_protein_24h: Below
    albumin: AtLeast


class Partial(_Levels):
    """Partial remission: a fall to a level, without complete remission."""

    fall: Fall
    urine_protein_24h: Below


class Effective(_Strict):
    """Effective: a fall of at least a stated share, or remission."""

    fall: Fall


class Benchmark(_Strict):
    """A share of patients that a treatment must exceed in a category."""

    category: Category
    share: Share
    why: Text
    source: Text


class Decision(_Strict):
    """From which probability on a statement counts as a conclusion."""

    probability: Share
    why: Text
    source: Text


def _four_to_one() -> Decision:
    why = "Four to one: enough to plan the next trial on, short of proof."
    return Decision(probability=0.8, why=why, source="mnbayes convention")


class Definitions(_Strict):
    """Definitions of response.

    Attributes
    ----------
    name, title : str
    complete, partial, effective
        Thresholds; ``remission`` and ``none`` follow from them.
    benchmark : tuple of Benchmark
        At most one for a category.
    decision : Decision
        Where the tipping point lies; 0.8 where a card does not say, so that cards and runs
        written before it was asked for can still be read.
    """

    name: Text
    title: Text
    complete: Complete
    partial: Partial
    effective: Effective
    benchmark: tuple[Benchmark, ...] = Field(default=(), strict=False)
    decision: Decision = Field(default_factory=_four_to_one)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        complete, partial = self.complete.urine_protein_24h, self.partial.urine_protein_24h
        if complete.below > partial.below:
            raise ValueError(
                f"complete.urine_protein_24h.below at most partial's {partial.below:g}; "
                f"found {complete.below:g}"
            )
        names = [benchmark.category for benchmark in self.benchmark]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"one benchmark for a category; found more for {', '.join(twice)}")
        return self

    @property
    def benchmarks(self) -> dict[Category, float]:
        """Benchmark share by category, for the categories that have one."""
        return {benchmark.category: benchmark.share for benchmark in self.benchmark}


def load_definitions(path: Path | str | None = None) -> Definitions:
    """Load the definitions of response from a TOML file.

    Parameters
    ----------
    path : Path or str, optional
        Default: the definitions that mnbayes brings.

    Returns
    -------
    Definitions

    Raises
    ------
    InputError
        If the file cannot be read, is not TOML, or says something else than definitions do;
        every problem at once, with the file's name, the key's path and what was expected.
    """
    place = models_folder() / "definitions.toml" if path is None else Path(path)
    data = read_toml(place)
    try:
        return Definitions.model_validate(data)
    except ValidationError as error:
        raise InputError(validation_problems(error, place.name, Definitions)) from error
