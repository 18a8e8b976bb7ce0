"""What counts as a response: definitions as data (``models/definitions/*.toml``), validated.

``docs/responses.md`` describes the form. What a definition comes to for levels of a model's
markers is worked out in :mod:`mnbayes.answers.categories`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.base.resources import models_folder
from mnbayes.base.toml_files import read_toml, validation_problems
from mnbayes.data.markers import Catalogue, Marker
from mnbayes.data.units import Conversion, UnitError, conversion

if TYPE_CHECKING:
    from mnbayes.data.cohort import Cohort

#: Name of a category of response.
type Category = str

#: The definitions of the embedded trial, by name.
EMBEDDED = "embedded"
#: The markers of its responses; its own studies name them.
PROTEIN, ALBUMIN = "urine_protein_24h", "albumin"
#: Stands for the marker of the primary analysis.
ANY_MARKER = "*"

Level = Literal["below", "at_least"]
Change = Literal["fall_at_least", "fall_at_most", "rise_at_least", "rise_at_most"]
LEVELS: tuple[Level, ...] = get_args(Level)
CHANGES: tuple[Change, ...] = get_args(Change)
#: A change in the direction that is better for the marker; see :meth:`Definitions.of_marker`.
BETTER = "better_by"

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
#: A threshold by the unit that it belongs to.
Thresholds = dict[str, Positive]


class _Strict(BaseModel):
    # Strict: the text "0.3" or the truth value `true` is not a number that somebody meant.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, serialize_by_alias=True
    )


class Part(_Strict):
    """A criterion on one marker, or another category by its name.

    Attributes
    ----------
    category : str or None
        The other category; nothing else is then said.
    marker : str or None
        ``"*"``: the marker of the primary analysis.
    below, at_least : dict or None
        Thresholds of the level by unit, never converted into each other.
    fall_at_least, fall_at_most, rise_at_least, rise_at_most : float or None
        Change from baseline as a share of it.
    better_by : float or None
        A fall of at least that share where less of the marker is better, else a rise.
    unit : None
        Of a single threshold, in a file; kept with the threshold.
    where_measured : bool
        Whether the criterion is dropped where the marker is not there.
    why, source : str
    """

    category: Text | None = None
    marker: Text | None = None
    below: Thresholds | None = None
    at_least: Thresholds | None = None
    fall_at_least: Share | None = None
    fall_at_most: Share | None = None
    rise_at_least: Positive | None = None
    rise_at_most: Positive | None = None
    better_by: Share | None = None
    unit: Text | None = None
    where_measured: bool = False
    why: Text | None = None
    source: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """A bare name is a category; one number with one unit is a threshold by unit."""
        if isinstance(given, str):
            return {"category": given}
        if not isinstance(given, dict):
            return given
        table = dict(given)
        for key in LEVELS:
            value, unit = table.get(key), table.get("unit")
            if isinstance(value, int | float) and not isinstance(value, bool):
                if not isinstance(unit, str):
                    raise ValueError(f'unit = "...", the unit of {key} = {value:g}; found nothing')
                table[key] = {unit: float(value)}
                del table["unit"]
        return table

    @field_validator("below", "at_least")
    @classmethod
    def _some_unit(cls, given: Thresholds | None, info: ValidationInfo) -> Thresholds | None:
        if given is not None and not given:
            raise ValueError(f"a threshold by its unit for {info.field_name}; found none")
        return given

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        fields = sorted(self.model_fields_set - {"category"})
        said = [key for key in fields if getattr(self, key) not in (None, False)]
        if self.category is not None:
            if said:
                raise ValueError(f"a category's name alone; found {', '.join(said)} beside it")
            return self
        if self.marker is None:
            raise ValueError("a marker, or the name of a category; found neither")
        kinds = [key for key in (*LEVELS, *CHANGES, BETTER) if getattr(self, key) is not None]
        if len(kinds) != 1:
            names = ", ".join((*LEVELS, *CHANGES, BETTER))
            raise ValueError(f"one of {names}; found {', '.join(kinds) or 'none'}")
        if self.unit is not None:
            raise ValueError(f"no unit beside {kinds[0]}; found {self.unit}")
        if self.marker == ANY_MARKER and kinds[0] in LEVELS:
            raise ValueError(f'a change from baseline for marker = "*"; found {kinds[0]}')
        if self.why is None or self.source is None:
            absent = [key for key in ("why", "source") if getattr(self, key) is None]
            raise ValueError(f"a value for {' and '.join(absent)}; found nothing")
        return self

    @property
    def kind(self) -> str:
        """What is asked of the marker, or ``category``."""
        kinds = ("category", *LEVELS, *CHANGES, BETTER)
        return next(key for key in kinds if getattr(self, key) is not None)

    @property
    def unit_of_threshold(self) -> str:
        """Unit of the first threshold; blank of a change."""
        return next(iter(getattr(self, self.kind))) if self.kind in LEVELS else ""

    @property
    def threshold(self) -> float:
        """The first threshold, in its unit, or the share of the baseline."""
        given = getattr(self, self.kind)
        return float(given[self.unit_of_threshold] if self.kind in LEVELS else given)

    def with_threshold(self, value: float) -> dict[str, Any]:
        """What is said of the part with another threshold, to be validated."""
        new = {self.unit_of_threshold: value} if self.kind in LEVELS else value
        return self.model_dump(exclude_none=True, exclude_defaults=True) | {self.kind: new}


class CategoryRule(_Strict):
    """A category of response and how it is met.

    Attributes
    ----------
    name : str
    label, short : str
        As said in a table, and where there is little room.
    patients : str
        Of patients: "share in remission", "more than half are in remission".
    called : str
        As a thing that a patient has: "probability of remission"; default: `short`.
    every : tuple of Part
        ``all``: each has to be met.
    either : tuple of Part
        ``any``: one has to be met.
    without : tuple of str
        ``not``: categories that must not be met.
    confirmed : bool
        Whether ``all`` and ``any`` must be met at the next visit as well.
    """

    name: Name
    label: Text
    short: Text
    patients: Text
    called: str = ""
    every: tuple[Part, ...] = Field(default=(), strict=False, alias="all")
    either: tuple[Part, ...] = Field(default=(), strict=False, alias="any")
    without: tuple[Text, ...] = Field(default=(), strict=False, alias="not")
    confirmed: bool = False

    @model_validator(mode="after")
    def _met_somehow(self) -> Self:
        if not (self.every or self.either or self.without):
            raise ValueError("all, any or not: how the category is met; found none")
        if self.confirmed and not self.parts:
            raise ValueError("confirmed = true beside all or any; found neither")
        return self

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to be met, without what must not be."""
        return (*self.every, *self.either)

    @property
    def is_none(self) -> bool:
        """Whether the category is that of patients without a response: it only excludes."""
        return not self.parts

    @property
    def named(self) -> tuple[str, ...]:
        """Other categories that it is built on."""
        return (*(p.category for p in self.parts if p.category is not None), *self.without)


class Benchmark(_Strict):
    """A share of patients that a treatment must exceed in a category."""

    category: Text
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
    primary : str
        Category of the primary analysis; in a file it may be left out: the first with a
        benchmark, else the first.
    category : tuple of CategoryRule
        Best first.
    benchmark : tuple of Benchmark
        At most one for a category.
    decision : Decision
        Where the tipping point lies; 0.8 where a file does not say.
    """

    name: Text
    title: Text
    primary: str = ""
    category: Annotated[tuple[CategoryRule, ...], Field(min_length=1, strict=False)]
    benchmark: tuple[Benchmark, ...] = Field(default=(), strict=False)
    decision: Decision = Field(default_factory=_four_to_one)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problems := list(self._problems()):
            raise PydanticCustomError(
                _SEVERAL,
                "{first}",
                {"first": f"{problems[0][2]}; found {problems[0][1]}", "problems": problems},
            )
        if not self.primary:
            barred = [c for c in self.categories if c in self.benchmarks]
            object.__setattr__(self, "primary", (barred or self.categories)[0])
        return self

    def _problems(self) -> Iterator[tuple[str, str, str]]:
        """Key, what was found and what was expected, of all that does not fit together."""
        names = self.categories
        known = ", ".join(names)

        def unknown(key: str, name: str) -> Iterator[tuple[str, str, str]]:
            if name not in names:
                yield key, repr(name), f"a category: {known}{did_you_mean(name, names)}"

        for place, rule in enumerate(self.category):
            key = f"category.{place}"
            if names.index(rule.name) < place:
                yield f"{key}.name", repr(rule.name), "each name once"
            for name in rule.named:
                yield from unknown(key, name)
            if rule.confirmed:
                inner = [p.category for p in rule.parts if p.category is not None]
                again = [c for c in inner if c in names and self._depends_on_confirmed(c)]
                if again:
                    expected = "criteria, or categories that are not confirmed themselves"
                    yield key, ", ".join(again), expected
        yield from self._looser(names)
        for rule in self.category:
            if all(name in names for name in rule.named) and rule.name in self._below(rule.name):
                yield "category", f"{rule.name} within itself", "categories built on others"
                break
        for place, bar in enumerate(self.benchmark):
            yield from unknown(f"benchmark.{place}.category", bar.category)
        barred = [bar.category for bar in self.benchmark]
        twice = sorted({name for name in barred if barred.count(name) > 1})
        if twice:
            yield "benchmark", f"more for {', '.join(twice)}", "one benchmark for a category"
        if self.primary:
            yield from unknown("primary", self.primary)

    def _looser(self, names: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
        """Levels of an excluded, better category that are looser than the category's own."""
        for rule in self.category:
            for better in (self.rule(name) for name in rule.without if name in names):
                for own, other in product(rule.every, better.every):
                    if (own.marker, own.kind) != (other.marker, other.kind):
                        continue
                    for unit, value in (
                        getattr(own, own.kind) if own.kind in LEVELS else {}
                    ).items():
                        found = getattr(other, own.kind).get(unit, value)
                        if found > value if own.kind == "below" else found < value:
                            most = "at most" if own.kind == "below" else "at least"
                            key = f"{better.name}.{own.marker}.{own.kind}"
                            yield key, f"{found:g}", f"{most} {rule.name}'s {value:g} {unit}"

    def _below(self, name: str) -> set[str]:
        """All categories that one is built on, itself where it goes round in a circle."""
        found: set[str] = set()
        todo = [name]
        while todo:
            for each in self.rule(todo.pop()).named:
                if each in self.categories and each not in found:
                    found.add(each)
                    todo.append(each)
        return found

    def _depends_on_confirmed(self, name: str) -> bool:
        return any(self.rule(each).confirmed for each in {name, *self._below(name)})

    @property
    def categories(self) -> tuple[Category, ...]:
        """Names of the categories, best first."""
        return tuple(rule.name for rule in self.category)

    @property
    def responses(self) -> tuple[Category, ...]:
        """Categories that count as some response: not the one of patients without any."""
        return tuple(rule.name for rule in self.category if not rule.is_none)

    @property
    def stated(self) -> tuple[Category, ...]:
        """Categories of which a headline or a statement about a patient is made.

        The first that a model can judge: the primary one, then the others with a benchmark.
        """
        barred = [c for c in self.categories if c in self.benchmarks and c in self.responses]
        return tuple(dict.fromkeys((self.primary, *barred)))

    def rule(self, name: Category) -> CategoryRule:
        """How a category is met.

        Raises
        ------
        KeyError
            If there is no such category.
        """
        try:
            return next(rule for rule in self.category if rule.name == name)
        except StopIteration:
            raise KeyError(name) from None

    def label(self, name: Category) -> str:
        """A category as said in a table: "complete remission"."""
        return self.rule(name).label

    def short(self, name: Category) -> str:
        """A category where there is little room."""
        return self.rule(name).short

    def patients(self, name: Category) -> str:
        """A category, of patients: "in complete remission"."""
        return self.rule(name).patients

    def called(self, name: Category) -> str:
        """A category as a thing that a patient has: "probability of remission"."""
        return self.rule(name).called or self.rule(name).short

    def confirmed(self, name: Category) -> bool:
        """Whether a category depends on the next visit as well."""
        return self._depends_on_confirmed(name)

    @property
    def criteria(self) -> tuple[Part, ...]:
        """Every criterion of every category, in the order of the file."""
        return tuple(p for rule in self.category for p in rule.parts if p.category is None)

    @property
    def markers(self) -> tuple[str, ...]:
        """Markers that are asked for, those included that may be missing."""
        return tuple(dict.fromkeys(str(part.marker) for part in self.criteria))

    @property
    def required(self) -> tuple[str, ...]:
        """Markers without which a category cannot be judged as it is stated."""
        needed = (str(part.marker) for part in self.criteria if not part.where_measured)
        return tuple(dict.fromkeys(needed))

    @property
    def benchmarks(self) -> dict[Category, float]:
        """Benchmark share by category, for the categories that have one."""
        return {benchmark.category: benchmark.share for benchmark in self.benchmark}

    def threshold(self, category: Category, marker: str, kind: str) -> float:
        """The threshold of one criterion, for what is built on the embedded trial's categories.

        Raises
        ------
        InputError
            If the definitions have no such criterion.
        """
        for rule in self.category:
            for part in rule.parts:
                if rule.name == category and part.marker == marker and part.kind == kind:
                    return part.threshold
        expected = f"definitions with {kind} of {marker} in a category {category}, as {EMBEDDED}"
        raise InputError([Problem(self.name, None, category, "none", expected)])

    def recorded(self) -> dict[str, Any]:
        """Plain values of everything that is stated, as a run records them."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def with_criteria(self, change: Callable[[Part], Part]) -> Definitions:
        """The same definitions with each criterion replaced by what a function makes of it."""

        def parts(given: tuple[Part, ...]) -> tuple[Part, ...]:
            return tuple(part if part.category is not None else change(part) for part in given)

        rules = tuple(
            rule.model_copy(update={"every": parts(rule.every), "either": parts(rule.either)})
            for rule in self.category
        )
        return self.model_copy(update={"category": rules})

    def of_markers(
        self, catalogue: Catalogue, reported: Mapping[str, str], primary: str
    ) -> Definitions:
        """The definitions with one threshold each, in terms of markers that are known.

        Parameters
        ----------
        catalogue : mapping
            Markers by name.
        reported : mapping
            Marker to the unit that its values came in. Of thresholds in several units the one in
            that unit is taken; else one of the same dimension (g/g for mg/g), else the one in
            the canonical unit, else the first. None is ever converted into another.
        primary : str
            Marker that ``"*"`` stands for.
        """

        def change(part: Part) -> Part:
            name = primary if part.marker == ANY_MARKER else str(part.marker)
            update: dict[str, Any] = {"marker": name}
            if part.kind in LEVELS and name in catalogue:
                unit = _unit_for(getattr(part, part.kind), catalogue[name], reported.get(name, ""))
                update[part.kind] = {unit: getattr(part, part.kind)[unit]}
            if part.better_by is not None and name in catalogue:
                kind = "fall_at_least" if catalogue[name].falls else "rise_at_least"
                update |= {BETTER: None, kind: part.better_by}
            return part.model_copy(update=update)

        return self.with_criteria(change)

    def for_cohort(self, cohort: Cohort, primary: str = "") -> Definitions:
        """The definitions in the units that a cohort's values were reported in.

        Parameters
        ----------
        cohort : Cohort
        primary : str, optional
            Marker of the primary analysis. Default: the trial's, else the first measured.

        Raises
        ------
        InputError
            If a marker is in no catalogue, or a threshold's unit is not one of its marker's.
        """
        first = primary or cohort.trial.primary_marker or next(iter(cohort.markers), ANY_MARKER)
        found = self.of_markers(cohort.catalogue, cohort.reported_units, first)
        known = tuple(cohort.catalogue)
        problems = []
        for part in found.criteria:
            name = str(part.marker)
            if name not in known:
                expected = f"a marker{did_you_mean(name, known)}"
                problems.append(Problem(self.name, None, "marker", repr(name), expected))
            elif part.kind in LEVELS:
                try:
                    canonical(part, cohort.catalogue[name])
                except UnitError as error:
                    unit = part.unit_of_threshold
                    problems.append(Problem(self.name, None, part.kind, repr(unit), str(error)))
        if problems:
            raise InputError(dict.fromkeys(problems))
        return found


def canonical(part: Part, marker: Marker) -> float:
    """The threshold of a level in its marker's canonical unit, exactly.

    Raises
    ------
    UnitError
        If its unit is not one of the marker's.
    """
    factor = _factor(part.unit_of_threshold, marker)
    return part.threshold * factor.multiply / factor.divide


def _factor(unit: str, marker: Marker) -> Conversion:
    if unit == marker.unit:
        return Conversion(1.0, 1.0)
    return conversion(unit, marker)


def _unit_for(thresholds: Mapping[str, float], marker: Marker, reported: str) -> str:
    """The unit whose threshold counts for values that came in a unit."""
    wanted = reported or marker.unit
    if wanted in thresholds:
        return wanted

    def same_dimension(unit: str) -> bool:
        try:
            one, other = _factor(unit, marker), _factor(wanted, marker)
        except UnitError:
            return False
        power = math.log10(one.multiply * other.divide / (one.divide * other.multiply))
        return math.isclose(power, round(power), abs_tol=1e-9)

    near = [unit for unit in thresholds if same_dimension(unit)]
    return next(iter((*near, *(unit for unit in thresholds if unit == marker.unit), *thresholds)))


_SEVERAL = "definitions"


def parse_definitions(data: Mapping[str, Any], file: str) -> Definitions:
    """Definitions from the plain values of a file.

    Parameters
    ----------
    data : mapping
        As a TOML file or a run's ``definitions`` hold them.
    file : str
        Name for messages.

    Raises
    ------
    InputError
        Every problem at once, with the key's path and what was expected.
    """
    if "complete" in data and "category" not in data:
        found = "the form of mnbayes before responses were data"
        expected = "[[category]] tables, best first (docs/responses.md)"
        raise InputError([Problem(file, None, "complete", found, expected)])
    try:
        return Definitions.model_validate(data)
    except ValidationError as error:
        several = [
            Problem(file, None, key, found, expected)
            for item in error.errors()
            if item["type"] == _SEVERAL
            for key, found, expected in item["ctx"]["problems"]
        ]
        raise InputError(several or validation_problems(error, file, Definitions)) from error


def definitions_folder() -> Path:
    """Folder of the definitions that mnbayes brings."""
    return models_folder() / "definitions"


def shipped_definitions() -> tuple[str, ...]:
    """Names of the definitions that mnbayes brings."""
    return tuple(sorted(path.stem for path in definitions_folder().glob("*.toml")))


def load_definitions(given: Path | str | None = None, folder: Path | None = None) -> Definitions:
    """Load definitions of response.

    Parameters
    ----------
    given : Path or str, optional
        Name of definitions that mnbayes brings, or a TOML file. Default: those of the embedded
        trial.
    folder : Path, optional
        Where a file may lie that is named without its place, a cohort's for example.

    Returns
    -------
    Definitions

    Raises
    ------
    InputError
        If the file cannot be read, is not TOML, or says something else than definitions do;
        every problem at once, with the file's name, the key's path and what was expected.
    """
    name = EMBEDDED if given is None else str(given)
    known = shipped_definitions()
    if name in known:
        place = definitions_folder() / f"{name}.toml"
    elif isinstance(given, str) and not name.endswith(".toml") and not Path(name).exists():
        expected = f"a .toml file or one of {', '.join(known)}{did_you_mean(name, known)}"
        raise InputError([Problem("definitions", None, None, repr(name), expected)])
    else:
        place = Path(name)
        if folder is not None and not place.is_absolute() and (folder / place).is_file():
            place = folder / place
    return parse_definitions(read_toml(place), place.name)
