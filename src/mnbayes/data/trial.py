"""What is said of a trial besides its tables: ``trial.toml`` in the cohort's folder.

Planned visits and their windows, the primary analysis (week, marker, model, definitions of
response), the arm, and what the report says of this trial alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mnbayes.base.problems import InputError
from mnbayes.base.toml_files import read_toml, validation_problems

FILE = "trial.toml"

Text = Annotated[str, Field(min_length=1, max_length=4000)]
Week = Annotated[float, Field(ge=0, le=5000)]
Signed = Annotated[float, Field(ge=-5000, le=5000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Visit(_Strict):
    """A planned visit and its window, in weeks from baseline; both ends belong to it."""

    week: Week
    earliest: Signed
    latest: Signed

    @model_validator(mode="after")
    def _around_the_week(self) -> Self:
        if not self.earliest <= self.week <= self.latest:
            raise ValueError(
                f"earliest <= week <= latest; found {self.earliest:g}, {self.week:g}, "
                f"{self.latest:g}"
            )
        return self


class Quote(_Strict):
    """What is said of this trial alone, beside the numbers of a section of the report."""

    section: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
    text: Text
    source: Annotated[str, Field(max_length=400)] = ""
    doi: Annotated[str, Field(pattern=r"^(10\.[0-9]{4,9}/\S{1,200})?$")] = ""


class Trial(_Strict):
    """A trial's own file; nothing of it needs to be there.

    Attributes
    ----------
    title : str
    arm : str
        The arm to analyse, as the column ``arm`` of ``patients.csv`` has it.
    primary_week : float or None
        Week of the primary analysis. None: the last planned visit with at least half of the
        enrolled.
    primary_marker : str
        Marker of the primary analysis; blank: the first of the primary model.
    models : tuple of str
        Cards to fit: by name, by markers to be modelled together (``upcr+egfr``), or a file in the
        folder; the first is the primary one. Empty: what the data allow.
    definitions : str
        Definitions of response, by name or file in the folder; blank: what the data allow.
    screenings : int or None
        How often a patient was measured at most before being let in (regression to the mean);
        None: not known, so swept.
    notes, sources : tuple of str
        Sentences for the report's page on limitations and provenance.
    visits : tuple of Visit
        Empty: every week that occurs is a visit.
    quotes : tuple of Quote
        What a paper or protocol says, shown beside the section that it names.
    """

    title: Annotated[str, Field(max_length=200)] = ""
    arm: Annotated[str, Field(max_length=100)] = ""
    primary_week: Week | None = None
    primary_marker: Annotated[str, Field(max_length=40)] = ""
    models: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    definitions: Annotated[str, Field(max_length=200)] = ""
    screenings: Annotated[int, Field(ge=1, le=1000)] | None = None
    notes: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    sources: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    visits: Annotated[tuple[Visit, ...], Field(strict=False)] = ()
    quotes: Annotated[tuple[Quote, ...], Field(strict=False)] = ()

    def said_in(self, section: str) -> tuple[Quote, ...]:
        """What is quoted beside a section of the report."""
        return tuple(quote for quote in self.quotes if quote.section == section)

    @model_validator(mode="after")
    def _visits_apart(self) -> Self:
        ordered = sorted(self.visits, key=lambda visit: visit.week)
        if self.visits and ordered[0].week != 0:
            raise ValueError(f"the first visit at week 0 (baseline); found {ordered[0].week:g}")
        for first, second in pairwise(ordered):
            if first.latest >= second.earliest:
                raise ValueError(
                    "windows that do not overlap; found week "
                    f"{first.week:g} until {first.latest:g}, week {second.week:g} from "
                    f"{second.earliest:g}"
                )
        weeks = [visit.week for visit in ordered]
        if self.primary_week is not None and weeks and self.primary_week not in weeks[1:]:
            names = ", ".join(f"{week:g}" for week in weeks[1:])
            raise ValueError(
                f"primary_week among the later visits, {names}; found {self.primary_week:g}"
            )
        return self


def load_trial(folder: Path) -> Trial:
    """The trial of a cohort's folder; one that says nothing where there is no ``trial.toml``.

    Raises
    ------
    InputError
        If the file cannot be read, or says something else than a trial does; every problem at
        once.
    """
    path = folder / FILE
    if not path.is_file():
        return Trial()
    try:
        return Trial.model_validate(read_toml(path))
    except ValidationError as error:
        raise InputError(validation_problems(error, FILE, Trial)) from error


def primary_week(
    trial: Trial, weeks: Sequence[float], measured: Sequence[int], enrolled: int
) -> float:
    """Week of the primary analysis.

    Parameters
    ----------
    trial : Trial
    weeks : sequence of float
        Later visits, ascending; at least one.
    measured : sequence of int
        Patients measured at each.
    enrolled : int

    Returns
    -------
    float
        The one that the trial names, if it is among the weeks; else the last one at which at
        least half of the enrolled were measured, or where there is none the best attended (the
        last of them).
    """
    if trial.primary_week is not None and trial.primary_week in weeks:
        return trial.primary_week
    half = [week for week, count in zip(weeks, measured, strict=True) if 2 * count >= enrolled]
    if half:
        return half[-1]
    most = max(measured)
    return [week for week, count in zip(weeks, measured, strict=True) if count == most][-1]
