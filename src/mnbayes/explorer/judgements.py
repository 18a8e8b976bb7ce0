"""Judgements of several experts: what each said of a prior, and their pool, as a file.

A session can be continued another day: of the file each expert's judgement is read and fitted
again, and the pool comes out the same, number for number. What was fitted stands beside it for
who reads the file, and so that a difference is seen.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.base.toml_files import parse_toml, plain_toml, validation_problems
from mnbayes.cards.beliefs import LONGEST
from mnbayes.explorer.elicitation import MOST_BINS, MOST_CHIPS

#: Name of the file among those that are taken along.
JUDGEMENTS = "my-experts.toml"
#: Longest file that is read, and most experts and priors in it.
MOST_BYTES, MOST_EXPERTS, MOST_PRIORS = 256_000, 50, 200
#: Largest number of a distribution, on the parameter's own scale; larger ones mean nothing.
LARGEST = 1e6
_ABOUT = """\
# What experts judged in mnbayes explore. Open it there again under "Take it along"; from Python,
# mnbayes.explorer.judgements.read_judgements(text). Edges are in the unit; what was fitted, and
# the pool of all by their weights, is on the parameter's own scale.
"""


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"printable letters; found {quoted(text)}")
    return text


def _some[Each](found: tuple[Each, ...]) -> tuple[Each, ...]:
    if not found:  # pydantic's own least length would be missed too where one of them is wrong
        raise ValueError("at least one; found none")
    return found


def _usable(values: dict[str, float]) -> dict[str, float]:
    for key, value in values.items():
        if abs(value) > LARGEST:
            raise ValueError(f"numbers within {LARGEST:g}; found {key[:40]} = {value:g}")
    return values


type _Numbers = Annotated[dict[str, float], Field(max_length=5), AfterValidator(_usable)]
type _Name = Annotated[str, Field(max_length=200), AfterValidator(_name)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Expert(_Strict):
    """One expert's judgement of one prior: a belief, numbers, or chips.

    Attributes
    ----------
    who : str
    weight : float
        In the pool; weights need not sum to 1.
    belief : str
        Such as ``90% between 0.5 and 1.2 on gmr``; it says all that is needed by itself.
    numbers : dict
        Of the prior's distribution, on the parameter's own scale.
    edges : tuple of float, length chips + 1
        Ascending, in the unit.
    chips : tuple of int
    fitted : dict
        What the judgement came to when it was written down; not used again.
    """

    who: Annotated[str, Field(max_length=80), AfterValidator(_name)]
    weight: Annotated[float, Field(gt=0, le=LARGEST)] = 1.0
    belief: Annotated[str, Field(max_length=LONGEST)] = ""
    numbers: _Numbers = {}
    edges: Annotated[tuple[float, ...], Field(strict=False, max_length=MOST_BINS + 1)] = ()
    chips: Annotated[
        tuple[Annotated[int, Field(ge=0, le=MOST_CHIPS)], ...],
        Field(strict=False, max_length=MOST_BINS),
    ] = ()
    fitted: _Numbers = {}

    @model_validator(mode="after")
    def _one_judgement(self) -> Self:
        said = [bool(self.belief), bool(self.numbers), bool(self.chips)]
        if sum(said) != 1:
            raise ValueError(f"a belief, numbers, or chips; found {sum(said)} of them")
        if len(self.edges) != (len(self.chips) + 1 if self.chips else 0):
            raise ValueError(
                f"one edge more than bins of chips; found {len(self.edges)} edges, "
                f"{len(self.chips)} bins"
            )
        return self


class Judgement(_Strict):
    """What several experts judged of one prior.

    Attributes
    ----------
    name : str
        Of the prior, as ``--set`` has it.
    about : str
        The same in words.
    distribution, unit : str
        Family that was fitted, and unit of the edges.
    pooled : dict
        The pool of all, on the parameter's own scale; ``apart`` is the largest difference of its
        cumulative probability from that of the mixture.
    expert : tuple of Expert
    """

    name: _Name
    about: Annotated[str, Field(max_length=400)] = ""
    distribution: _Name
    unit: Annotated[str, Field(max_length=40)] = ""
    pooled: _Numbers = {}
    apart: Annotated[float, Field(ge=0, le=1)] = 0.0
    expert: Annotated[
        tuple[Expert, ...], Field(strict=False, max_length=MOST_EXPERTS), AfterValidator(_some)
    ]


class Judgements(_Strict):
    """What experts judged of a model's priors.

    Attributes
    ----------
    format : int
        Of the file.
    model : str
    why, source : str
        As of a prior set.
    prior : tuple of Judgement
    """

    format: Literal[1]
    model: _Name
    why: Annotated[str, Field(max_length=4000)] = ""
    source: Annotated[str, Field(max_length=4000)] = ""
    prior: Annotated[
        tuple[Judgement, ...], Field(strict=False, max_length=MOST_PRIORS), AfterValidator(_some)
    ]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [each.name for each in self.prior]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"each prior once; found {quoted(name)} twice")
        return self


class _Given(_Strict):
    """Experts as a page sends them."""

    experts: Annotated[
        tuple[Expert, ...], Field(strict=False, max_length=MOST_EXPERTS), AfterValidator(_some)
    ]


def read_judgements(text: str | bytes) -> Judgements:
    """Judgements from the text of a file, as :func:`judgements_toml` writes it.

    Raises
    ------
    InputError
        If it is too long, no TOML, or says something else; every problem at once. Whether a
        model has such priors is for :func:`mnbayes.explorer.judging.differences` to say.
    """
    content = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if len(content) > MOST_BYTES:
        found = f"{len(content):,} bytes"
        raise InputError([Problem(JUDGEMENTS, None, None, found, f"at most {MOST_BYTES:,}")])
    try:
        return Judgements.model_validate(parse_toml(content, JUDGEMENTS))
    except ValidationError as error:
        raise InputError(validation_problems(error, JUDGEMENTS, Judgements)) from error


def judgements_toml(judgements: Judgements) -> str:
    """Judgements as the text of a file."""
    plain = judgements.model_dump(mode="json", exclude_defaults=True)
    return _ABOUT + "\n".join(plain_toml(plain)) + "\n"


def read_experts(given: object) -> tuple[Expert, ...]:
    """Experts of one prior from plain values that nobody has looked at yet.

    Raises
    ------
    InputError
    """
    try:
        return _Given.model_validate({"experts": given}).experts
    except ValidationError as error:
        raise InputError(validation_problems(error, "judgements", _Given)) from error
