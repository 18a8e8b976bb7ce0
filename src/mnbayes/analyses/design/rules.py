"""Decision rules as a card (``models/decision.toml``), and what they come to with definitions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)

from mnbayes.base.problems import InputError, Problem
from mnbayes.base.resources import models_folder
from mnbayes.base.toml_files import read_toml, validation_problems
from mnbayes.cards.definitions import Category, Definitions

type Handling = Literal["composite", "evaluable"]

#: Most patients that a new trial may have: beyond that this is not the tool to plan it.
MOST_PATIENTS = 500

Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=MOST_PATIENTS)]


def _number_or(below: float, limits: str, *words: str) -> PlainValidator:
    """A number above 0, or a word: one message, where a union of types would give two."""

    def checked(given: object) -> float | str:
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if isinstance(given, str) and given in words:
            return given
        if number and 0 < float(str(given)) < below:
            return float(str(given))
        raise ValueError(", or ".join([limits, *(f'"{word}"' for word in words)]))

    return PlainValidator(checked)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Bound(_Strict):
    """A value of the quantity, and the probability beyond it that is asked for.

    Attributes
    ----------
    value : float or "benchmark"
        ``"benchmark"``: the category's benchmark in the definitions of response.
    confidence : float or "decision"
        ``"decision"``: the decision probability of the definitions.
    """

    value: Annotated[float | str, _number_or(float("inf"), "a number above 0", "benchmark")]
    confidence: Annotated[float | str, _number_or(1, "a number between 0 and 1", "decision")]
    why: Text
    source: Text


class Rule(_Strict):
    """A dual criterion on one reported quantity.

    Attributes
    ----------
    name : str
    quantity : {"share", "gmr"}
        The share of such patients whose true level meets a category's definition (the reported
        ``population``), or a marker's geometric mean ratio to baseline.
    category : str
        Of a share; None for a ratio.
    marker : str
        Of a ratio; empty for a share.
    week : float, "primary" or "last"
    lower_reference, target : Bound
    """

    name: Text
    quantity: Literal["share", "gmr"]
    category: Category | None = None
    marker: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,39})?$")] = ""
    week: Annotated[
        float | str, _number_or(float("inf"), "a number above 0", "primary", "last")
    ] = "primary"
    lower_reference: Bound
    target: Bound

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = []
        if self.quantity == "share":
            if self.category is None:
                wrong.append("a share needs a category of response")
            if self.marker:
                wrong.append(f"a share has no marker ({self.marker!r})")
        else:
            if not self.marker:
                wrong.append("a gmr needs a marker")
            if self.category:
                wrong.append(f"a gmr has no category ({self.category!r})")
            if "benchmark" in (self.lower_reference.value, self.target.value):
                wrong.append("a gmr has no benchmark: a number is needed")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class BetaPrior(_Strict):
    """A beta distribution of a share, with the reason for it."""

    a: Positive
    b: Positive
    why: Text
    source: Text


class NextTrial(_Strict):
    """Single-arm trials to work out; see ``models/decision.toml``."""

    patients: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]
    withdrawal: Annotated[tuple[Rate, ...], Field(min_length=1, strict=False)]
    handling: Handling
    confidence: Annotated[tuple[Share, ...], Field(min_length=1, strict=False)]
    why: Text
    source: Text
    analysis_prior: BetaPrior


class TwoStage(_Strict):
    """Error rates of the designs that stand beside for scale."""

    false_go: Share
    false_no_go: Share
    why: Text
    source: Text


class DecisionCard(_Strict):
    """Rules, the first of which decides, and how the next trial would be judged."""

    kind: Literal["decision"]
    name: Text
    title: Text
    rule: Annotated[tuple[Rule, ...], Field(min_length=1, strict=False)]
    next_trial: NextTrial
    two_stage: TwoStage

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        names = [rule.name for rule in self.rule]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"one rule of a name; found more called {', '.join(twice)}")
        return self


@dataclass(frozen=True)
class Criteria:
    """A rule's four numbers, and which side of them is better.

    Attributes
    ----------
    reference, confidence : float
        Significance: P(quantity better than `reference`) at least `confidence`.
    target, target_confidence : float
        Relevance: P(quantity at least as good as `target`) at least `target_confidence`.
    above : bool
        Whether more is better: of a share always, of a ratio where the target lies above the
        lower reference.
    """

    reference: float
    confidence: float
    target: float
    target_confidence: float
    above: bool = True


def load_rules(path: Path | str | None = None) -> DecisionCard:
    """Load a decision card from a TOML file.

    Parameters
    ----------
    path : Path or str, optional
        Default: the card that mnbayes brings.

    Raises
    ------
    InputError
        With every problem, each with the file and the key.
    """
    place = models_folder() / "decision.toml" if path is None else Path(path)
    data: dict[str, Any] = read_toml(place)
    try:
        return DecisionCard.model_validate(data)
    except ValidationError as error:
        raise InputError(card_problems(error, place.name)) from error


def rules_for(definitions: Definitions) -> DecisionCard:
    """The card that mnbayes brings, as far as definitions have what its rules are about.

    Where they have none of its categories, a rule on their primary one takes the place: the
    benchmark as the lower reference, ten points above it as the target.
    """
    card = load_rules()
    kept = [
        rule
        for rule in card.rule
        if (rule.category or rule.marker) in (*definitions.benchmarks, *definitions.markers)
    ]
    primary = definitions.primary
    if not any(rule.quantity == "share" for rule in kept) and primary in definitions.benchmarks:
        first = next(rule for rule in card.rule if rule.quantity == "share")
        target = min(definitions.benchmarks[primary] + 0.1, 0.99)
        why = "Ten points above the benchmark: a convention, to be replaced by your own."
        bound = Bound(value=target, confidence=0.5, why=why, source="mnbayes convention")
        new = {"name": primary, "category": primary, "target": bound}
        kept.insert(0, first.model_copy(update=new))
    return card.model_copy(update={"rule": tuple(kept or card.rule)})


def card_problems(error: ValidationError, file: str) -> list[Problem]:
    """Pydantic's errors as problems, without those that only follow from another one."""
    places = [item["loc"] for item in error.errors()]
    return [
        problem
        for item, problem in zip(error.errors(), validation_problems(error, file), strict=True)
        # A list none of whose entries is good is not also said to be too short.
        if not (
            item["type"] == "too_short"
            and any(
                len(loc) > len(item["loc"]) and loc[: len(item["loc"])] == item["loc"]
                for loc in places
            )
        )
    ]


def criteria_of(rule: Rule, definitions: Definitions, file: str = "decision.toml") -> Criteria:
    """The numbers of a rule, those that the definitions hold filled in.

    Raises
    ------
    InputError
        If the category has no benchmark, a share is not below 1, or the target is not beyond
        the lower reference; every problem at once.
    """
    problems = []

    def problem(where: str, found: str, expected: str) -> None:
        column = f"rule {rule.name}, {where}"
        problems.append(Problem(file, None, column, found, expected))

    def number(where: str, bound: Bound) -> float:
        if bound.value != "benchmark":
            value = float(bound.value)
            if rule.quantity == "share" and value >= 1:
                problem(f"{where}.value", f"{value:g}", "a share below 1")
            return value
        benchmarks = definitions.benchmarks
        if rule.category not in benchmarks:
            known = ", ".join(benchmarks) or "none"
            expected = f"a number, or a category with a benchmark in the definitions ({known})"
            problem(f"{where}.value", '"benchmark"', expected)
            return float("nan")
        return benchmarks[rule.category]

    def confidence(bound: Bound) -> float:
        if bound.confidence == "decision":
            return definitions.decision.probability
        return float(bound.confidence)

    share = rule.quantity == "share"
    if share and rule.category not in definitions.responses:
        known = ", ".join(definitions.responses)
        problem("category", repr(rule.category), f"a category of response: {known}")
        raise InputError(problems)
    reference = number("lower_reference", rule.lower_reference)
    target = number("target", rule.target)
    above = share or target > reference
    if target == reference or (share and target < reference):
        expected = f"a number {'above' if share else 'beyond'} the lower reference, {reference:g}"
        problem("target.value", f"{target:g}", expected)
    if problems:
        raise InputError(problems)
    return Criteria(
        reference, confidence(rule.lower_reference), target, confidence(rule.target), above
    )
