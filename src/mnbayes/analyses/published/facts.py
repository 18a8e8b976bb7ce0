"""A paper's published facts: counts, ranges and statements (``data/published.toml``)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mnbayes.analyses.published.contradictions import contradictions
from mnbayes.base.problems import InputError
from mnbayes.base.resources import published_facts_file
from mnbayes.base.toml_files import read_toml, validation_problems

Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    # Strict: the text "5" or the truth value `true` is not a count that somebody meant.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Enrolled(_Strict):
    """How many patients were enrolled."""

    patients: int
    says: str = ""


class Response(_Strict):
    """Who improved and who did not; one of the counts may be left out.

    Attributes
    ----------
    effective, none : int or None
        Patients with a response of any kind, and without.
    effective_percent : float or None
        The rate as printed, over whatever denominator; only checked.
    """

    effective: int | None = None
    none: int | None = None
    effective_percent: float | None = None
    says: str = ""


class Reduction(_Strict):
    """Range of the fall from baseline among those with a response, in percent.

    ``decimals`` is the number of digits after the point to which both ends were rounded.
    """

    lowest_percent: float
    highest_percent: float
    decimals: int = 0
    says: str = ""


class Remission(_Strict):
    """Patients in remission; all of them may be given instead of complete and partial."""

    complete: int | None = None
    partial: int | None = None
    total: int | None = None
    says: str = ""

    @property
    def patients(self) -> int | None:
        """Complete and partial together; None where the facts do not say."""
        if self.total is not None:
            return self.total
        if self.complete is None or self.partial is None:
            return None
        return self.complete + self.partial


class _Seen(_Strict):
    """Patients who were seen, and what was found; counts left out follow from the others."""

    evaluable: int | None = None
    response: Response
    reduction: Reduction | None = None
    says: str = ""


class Outcome(_Seen):
    """What was found at one visit, ``week`` weeks after baseline."""

    week: float
    withdrew: int | None = None
    remission: Remission | None = None


class Best(_Seen):
    """What was found as each patient's best of the visits at ``weeks``."""

    weeks: tuple[float, ...] = Field(strict=False)


class Count(_Strict):
    """Patients of whom something else was found, of how many; ``percent`` is only checked."""

    what: Text
    patients: int
    of: int
    percent: float | None = None
    says: str = ""


class Statement(_Strict):
    """A statement without a number that a model could use, and what can be said of it."""

    says: Text
    supports: Text


class Facts(_Strict):
    """What a paper publishes.

    Attributes
    ----------
    title, source : str
    invented : bool
        Whether the paper does not exist; everything made of the facts then says so.
    marker : str
        What the reductions are of.
    enrolled : Enrolled
    outcome : Outcome
        At the visit that the answers are about.
    best : Best or None
        The best of several visits, each patient's own.
    count, statement : tuple
        Other facts, which enter no model.
    """

    title: Text
    source: Text
    invented: bool = False
    marker: str
    enrolled: Enrolled
    outcome: Outcome
    best: Best | None = None
    count: tuple[Count, ...] = Field(default=(), strict=False)
    statement: tuple[Statement, ...] = Field(default=(), strict=False)

    @property
    def sha256(self) -> str:
        """Hash of everything that the facts say."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def parse_facts(data: dict[str, Any], file: str) -> Facts:
    """Validate a facts file's dictionary.

    Parameters
    ----------
    data : dict
    file : str
        For messages.

    Raises
    ------
    InputError
        Everything that is misspelt, missing or of the wrong kind, and, once nothing is, every
        contradiction of the facts among themselves, in words.
    """
    try:
        facts = Facts.model_validate(data)
    except ValidationError as error:
        raise InputError(validation_problems(error, file, Facts)) from error
    problems = contradictions(facts, file)
    if problems:
        raise InputError(problems)
    return facts


def load_facts(path: str | Path | None = None) -> Facts:
    """Load a paper's facts.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file; default: the facts of the trial's abstract.

    Raises
    ------
    InputError
        If the file cannot be read, has not the form of facts or contradicts itself.
    """
    place = published_facts_file() if path is None else Path(path)
    return parse_facts(read_toml(place), place.name)
