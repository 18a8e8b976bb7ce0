"""Categories of response, as one set of formulas for exact and for interval-valued levels.

A censored or missing level is an interval, and a statement about it is then a pair: whether it
*must* hold and whether it *may* (Kleene's strong three-valued logic; Kleene 1952, Introduction
to Metamathematics, section 64). The same formulas serve draws, which are exact, and
measurements, which may not be.

A criterion gets easier in one direction of each level, so it is at its worst and at its best at
a corner of the intervals. A category that as a whole only gains from each criterion's being met
(or only loses) is evaluated with all of its criteria at their worst and at their best. That is
safe, and sharp where the criteria have these at the same corner: remission, for example, written
as complete or partial, although partial excludes complete. A category that gains from a criterion
in one place and loses in another, as partial does, is built up by Kleene's connectives. It is
only safe: where it says that it must (must not) hold, it does (does not), but it may leave open
what a closer look would decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import permutations
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import LEVELS, Category, CategoryRule, Definitions, Part, canonical
from mnbayes.data.markers import Catalogue, Marker

__all__ = [
    "BoolArray",
    "Category",
    "Interval",
    "Judge",
    "Kleene",
    "classify",
    "classify_course",
    "judge",
]

type BoolArray = NDArray[np.bool_]

#: A log level closer than this to a threshold is *on* it. Logarithms and differences of the
#: levels are rounded (relative error about 1e-16), so 1.6 g after 3.2 g need not give exactly
#: log(1/2); 1e-9 on the log scale is a billionth of the level, far below any assay's resolution.
TOLERANCE = 1e-9
#: Of more criteria than this no truth table is made; Kleene's connectives serve.
MOST = 16


@dataclass(frozen=True)
class Kleene:
    """Statements that must hold, or that may; undecided where only the latter.

    Attributes
    ----------
    must, may : array of bool, any one shape
        ``must`` implies ``may``.
    """

    must: BoolArray
    may: BoolArray

    def __and__(self, other: Kleene) -> Kleene:
        return Kleene(self.must & other.must, self.may & other.may)

    def __or__(self, other: Kleene) -> Kleene:
        return Kleene(self.must | other.must, self.may | other.may)

    def __invert__(self) -> Kleene:
        return Kleene(~self.may, ~self.must)

    @property
    def value(self) -> Floats:
        """1 where it holds, 0 where it does not, NaN where that is undecided."""
        return np.where(self.must, 1.0, np.where(self.may, np.nan, 0.0))


@dataclass(frozen=True)
class Interval:
    """Levels known to lie between two bounds, both included.

    Attributes
    ----------
    lower, upper : array of float, one shape
        On the scale of the models; ``-inf`` and ``inf`` where a side is open, equal where exact.
    """

    lower: Floats
    upper: Floats

    def __post_init__(self) -> None:
        if np.any(np.isnan(self.lower) | np.isnan(self.upper) | (self.lower > self.upper)):
            raise ValueError("an interval needs lower <= upper, and no NaN (missing is -inf, inf)")

    @classmethod
    def from_measurements(cls, value: Floats, lower: Floats, upper: Floats) -> Interval:
        """Intervals of measurements: a point, a range, or everything where all three are NaN.

        Parameters
        ----------
        value, lower, upper : array of float, one shape
            On the scale of the models; ``value`` is NaN where censored or missing, the bounds
            are NaN where exact or missing.
        """
        exact = ~np.isnan(value)
        return cls(
            np.where(exact, value, np.where(np.isnan(lower), -np.inf, lower)),
            # "<0.3" is below 0.3: a range's upper end is not part of it.
            np.where(exact, value, np.where(np.isnan(upper), np.inf, upper - 2 * TOLERANCE)),
        )


@dataclass(frozen=True)
class Atom:
    """A criterion at the visit that is judged, or at the next one.

    Attributes
    ----------
    part : Part
    marker : Marker
    following : bool
        Whether at the next visit.
    """

    part: Part
    marker: Marker
    following: bool = False

    @property
    def relative(self) -> bool:
        """Whether it is about the change from baseline."""
        return self.part.kind not in LEVELS

    @property
    def upwards(self) -> bool:
        """Whether a higher level at the visit makes it easier."""
        return self.part.kind in ("at_least", "fall_at_most", "rise_at_least")

    @cached_property
    def bound(self) -> float:
        """Threshold of the level on the scale of the models, or of the log ratio to baseline."""
        if not self.relative:
            return float(self.marker.on_scale(np.array(canonical(self.part, self.marker))))
        share = self.part.threshold
        return float(np.log1p(-share if self.part.kind.startswith("fall") else share))

    def _amount(self, level: Floats) -> Floats:
        # Log of the level in its unit, up to a constant.
        return level if self.marker.scale == "log" else -np.logaddexp(0.0, -level)

    def holds(self, baseline: Floats, visit: Floats) -> BoolArray:
        """Whether exact levels meet it."""
        value = self._amount(visit) - self._amount(baseline) if self.relative else visit
        if self.upwards:
            return np.asarray(value >= self.bound - TOLERANCE)
        if self.part.kind == "below":
            return np.asarray(value < self.bound - TOLERANCE)
        return np.asarray(value <= self.bound + TOLERANCE)

    def decided(self, baseline: Interval, visit: Interval) -> Kleene:
        """Whether intervals must and may meet it."""
        if self.upwards:
            must = self.holds(baseline.upper, visit.lower)
            return Kleene(must, self.holds(baseline.lower, visit.upper))
        must = self.holds(baseline.lower, visit.upper)
        return Kleene(must, self.holds(baseline.upper, visit.lower))


@dataclass(frozen=True)
class _Node:
    """A formula: an atom by its place, or a connective of formulas."""

    kind: Literal["atom", "and", "or", "not"]
    inner: tuple[_Node, ...] = ()
    atom: int = -1

    def places(self) -> set[int]:
        """Places of the atoms that it asks for."""
        if self.kind == "atom":
            return {self.atom}
        return set().union(*(node.places() for node in self.inner))

    def moved(self, places: Mapping[int, int]) -> _Node:
        """The same formula of atoms in other places."""
        inner = tuple(node.moved(places) for node in self.inner)
        return _Node(self.kind, inner, places.get(self.atom, -1))

    def of[S: (BoolArray, Kleene)](self, atoms: list[S]) -> S:
        """Its truth for that of the atoms."""
        if self.kind == "atom":
            return atoms[self.atom]
        values = [node.of(atoms) for node in self.inner]
        if self.kind == "not":
            return ~values[0]
        if self.kind == "and":
            return reduce(lambda one, other: one & other, values)
        return reduce(lambda one, other: one | other, values)


@dataclass(frozen=True)
class Judge:
    """Definitions as they apply to a model's markers; see :func:`judge`.

    Attributes
    ----------
    definitions : Definitions
    markers : tuple of str
        Those of the model that a category asks for, in the order of the definitions.
    reasons : dict
        Category to why the model cannot judge it.
    notes : dict
        Category that is judged all the same to what was left out of it.
    atoms : tuple of Atom
        Criteria that are asked for, each once.
    formulas : dict
        Category to its formula, of those that the model can judge, best first.
    """

    definitions: Definitions
    markers: tuple[str, ...]
    reasons: Mapping[Category, str]
    notes: Mapping[Category, tuple[str, ...]]
    atoms: tuple[Atom, ...]
    formulas: Mapping[Category, _Node]

    @property
    def categories(self) -> tuple[Category, ...]:
        """Categories that the model can judge, best first."""
        return tuple(self.formulas)

    @property
    def main(self) -> str:
        """The marker that the definitions name first; the model may lack it."""
        return self.definitions.markers[0]

    def remarks(self, last_week: float) -> dict[Category, tuple[str, ...]]:
        """Of categories that are judged: what was left out, and the visit that stays open."""
        still = f"open at week {last_week:g}, the last visit: it must be confirmed at the next one"
        return {
            category: said
            for category in self.categories
            if (said := (*self.notes.get(category, ()), *((still,) * (category in self.confirmed))))
        }

    def loses(self, category: Category) -> bool:
        """Whether a worse level of the main marker can never make a category hold."""
        signs = self._signs[category]
        if signs is None:
            return False
        return all(
            (self.atoms[place].upwards != self.atoms[place].marker.falls) == gains
            for place, gains in signs.items()
            if self.atoms[place].part.marker == self.main
        )

    @cached_property
    def confirmed(self) -> frozenset[Category]:
        """Categories that ask for the next visit as well: open at the last one."""
        return frozenset(c for c in self.formulas if self.definitions.confirmed(c))

    @cached_property
    def _signs(self) -> Mapping[Category, Mapping[int, bool] | None]:
        """Category to whether it gains from each atom that matters; None where one does both."""
        return {category: _signs(node, len(self.atoms)) for category, node in self.formulas.items()}

    @cached_property
    def parts(self) -> tuple[tuple[Category, Category | None], ...]:
        """Categories that do not overlap and leave nobody out, best first.

        A pair is a category and one inside it, already told, to be taken off: the patients of
        ``effective`` without ``remission``. A category that is the sum of better ones is not
        there. Empty where the categories do not nest like that.
        """
        count = len(self.atoms)
        if count > MOST:
            return ()
        cube = _cube(count)
        possible = np.ones(2**count, dtype=bool)
        for one, other in permutations(range(count), 2):
            if _implies(self.atoms[one], self.atoms[other]):
                possible &= ~cube[one] | cube[other]
        told = np.zeros_like(possible)
        before: dict[Category, BoolArray] = {}
        found: list[tuple[Category, Category | None]] = []
        for category, node in self.formulas.items():
            met = node.of(cube) & possible
            common = met & told
            inside = next((c for c, m in before.items() if np.array_equal(m, common)), None)
            if np.any(met & ~told):
                if np.any(common) and inside is None:
                    return ()
                found.append((category, inside if np.any(common) else None))
            told = told | met
            before[category] = met
        return tuple(found)

    @property
    def told(self) -> tuple[tuple[Category, Category | None], ...]:
        """The categories that say how a patient stands: :attr:`parts`, else the primary one."""
        primary = self.definitions.primary
        return self.parts or (((primary, None),) if primary in self.formulas else ())

    def kleene(self, category: Category, atoms: list[Kleene]) -> Kleene:
        """Whether a category must and may hold."""
        node, signs = self.formulas[category], self._signs[category]
        if signs is None:
            return node.of(atoms)
        worst = [a.must if signs.get(i, True) else a.may for i, a in enumerate(atoms)]
        best = [a.may if signs.get(i, True) else a.must for i, a in enumerate(atoms)]
        return Kleene(node.of(worst), node.of(best))


def _cube(count: int) -> list[BoolArray]:
    """Every combination of truths of so many atoms: one array for each atom."""
    return [(np.arange(2**count) >> place & 1).astype(bool) for place in range(count)]


def _implies(one: Atom, other: Atom) -> bool:
    """Whether one criterion is a stricter form of another."""
    asked = [(a.part.marker, a.part.kind, a.following) for a in (one, other)]
    stricter = one.bound >= other.bound if one.upwards else one.bound <= other.bound
    return asked[0] == asked[1] and stricter


def _signs(node: _Node, count: int) -> dict[int, bool] | None:
    if count > MOST:
        return None
    truth = node.of(_cube(count))
    signs: dict[int, bool] = {}
    for place in range(count):
        pairs = truth.reshape(-1, 2, 2**place)
        gains, loses = (~pairs[:, 0] & pairs[:, 1]).any(), (pairs[:, 0] & ~pairs[:, 1]).any()
        if gains and loses:
            return None
        if gains or loses:
            signs[place] = bool(gains)
    return signs


def judge(
    definitions: Definitions, markers: tuple[str, ...] | list[str], catalogue: Catalogue
) -> Judge:
    """What definitions come to for a model of these markers.

    A criterion marked ``where_measured`` is dropped where its marker is not in the model, and
    so is, of several ways to meet a category (``any``), one that the model cannot judge: the
    others are judged, and :attr:`Judge.notes` says so. Without any other missing marker a
    category that needs it cannot be judged.

    Parameters
    ----------
    definitions : Definitions
    markers : sequence of str
        Of the model.
    catalogue : mapping
        Markers by name.

    Returns
    -------
    Judge
    """
    first = markers[0] if markers else ""
    return _Compiler(definitions.of_markers(catalogue, {}, first), tuple(markers), catalogue).done()


class _Compiler:
    """Turns rules into formulas, each category once."""

    def __init__(
        self, definitions: Definitions, markers: tuple[str, ...], catalogue: Catalogue
    ) -> None:
        self.definitions, self.markers, self.catalogue = definitions, markers, catalogue
        self.atoms: list[Atom] = []
        self.formulas: dict[Category, _Node] = {}
        self.missing: dict[Category, tuple[str, ...]] = {}
        self.notes: dict[Category, dict[str, None]] = {}

    def done(self) -> Judge:
        for category in self.definitions.categories:
            self._category(category)
        chosen = [c for c in self.definitions.categories if c in self.formulas]
        used = sorted({place for c in chosen for place in self.formulas[c].places()})
        atoms = tuple(self.atoms[place] for place in used)
        asked = {str(atom.part.marker) for atom in atoms}
        moved = {old: new for new, old in enumerate(used)}
        return Judge(
            definitions=self.definitions,
            markers=tuple(name for name in self.definitions.markers if name in asked),
            reasons={
                category: _needs(self.missing[category])
                for category in self.definitions.categories
                if category in self.missing
            },
            notes={c: tuple(self.notes[c]) for c in chosen if c in self.notes},
            atoms=atoms,
            formulas={category: self.formulas[category].moved(moved) for category in chosen},
        )

    def _note(self, rule: CategoryRule, what: str) -> None:
        self.notes.setdefault(rule.name, {})[f"judged without {what}"] = None

    def _category(self, name: Category) -> _Node | tuple[str, ...]:
        """Its formula, or the markers that are missing for it."""
        if name not in self.formulas and name not in self.missing:
            found = self._rule(self.definitions.rule(name))
            if isinstance(found, _Node):
                self.formulas[name] = found
            else:
                self.missing[name] = found
        return self.formulas[name] if name in self.formulas else self.missing[name]

    def _rule(self, rule: CategoryRule) -> _Node | tuple[str, ...]:
        visits = (False, True) if rule.confirmed else (False,)
        met = [self._met(rule, following=following) for following in visits]
        others = [self._category(name) for name in rule.without]
        lost = [found for found in (*met, *others) if isinstance(found, tuple)]
        if lost:
            return tuple(dict.fromkeys(name for names in lost for name in names))
        nodes = [node for found in met if isinstance(found, list) for node in found]
        return _all_of([*nodes, *(_not(other) for other in others if isinstance(other, _Node))])

    def _met(self, rule: CategoryRule, *, following: bool) -> list[_Node] | tuple[str, ...]:
        """What has to hold at a visit, or the markers that are missing for it."""
        nodes: list[_Node] = []
        missing: list[str] = []
        for part in rule.every:
            found = self._part(part, rule, following=following)
            if isinstance(found, _Node):
                nodes.append(found)
            elif not part.where_measured:
                missing += found
            else:
                marker = _called(self.catalogue, str(part.marker))
                self._note(rule, f"{marker}, which is not in this model")
        ways = [(p, self._part(p, rule, following=following)) for p in rule.either]
        able = [found for _, found in ways if isinstance(found, _Node)]
        if rule.either and not able:
            lost = [found for _, found in ways if isinstance(found, tuple)]
            missing += sorted(lost, key=len)[0]
        if rule.every and not (rule.either or nodes or missing):  # every criterion was dropped
            missing += [str(part.marker) for part in rule.every]
        if missing:
            return tuple(dict.fromkeys(missing))
        for part, found in ways:
            if isinstance(found, tuple):
                way = part.category or part.kind
                self._note(rule, f"{way} ({_needs(found)})")
        return nodes + ([_Node("or", tuple(able))] if able else [])

    def _part(self, part: Part, rule: CategoryRule, *, following: bool) -> _Node | tuple[str, ...]:
        if part.category is not None:
            if not following:
                return self._category(part.category)
            return self._later(part.category)
        if part.marker not in self.markers:
            return (str(part.marker),)
        atom = Atom(part, self.catalogue[str(part.marker)], following)
        same = [i for i, known in enumerate(self.atoms) if _same(known, atom)]
        if not same:
            self.atoms.append(atom)
        return _Node("atom", atom=same[0] if same else len(self.atoms) - 1)

    def _later(self, name: Category) -> _Node | tuple[str, ...]:
        """A category that is not confirmed itself, at the next visit."""
        rule = self.definitions.rule(name)
        met = self._met(rule, following=True)
        others = [self._later(each) for each in rule.without]
        lost = [found for found in (met, *others) if isinstance(found, tuple)]
        if lost or not isinstance(met, list):
            return tuple(dict.fromkeys(name for names in lost for name in names))
        return _all_of([*met, *(_not(other) for other in others if isinstance(other, _Node))])


def _same(one: Atom, other: Atom) -> bool:
    """Whether two criteria ask the same, whatever their reasons."""
    asked = [(a.part.marker, a.part.kind, a.bound, a.following) for a in (one, other)]
    return asked[0] == asked[1]


def _not(node: _Node) -> _Node:
    return _Node("not", (node,))


def _all_of(nodes: list[_Node]) -> _Node:
    return nodes[0] if len(nodes) == 1 else _Node("and", tuple(nodes))


def _called(catalogue: Catalogue, marker: str) -> str:
    return catalogue[marker].label if marker in catalogue else marker


def _needs(missing: tuple[str, ...]) -> str:
    if len(missing) == 1:
        return f"needs {missing[0]}, which is not in this model"
    return f"needs {', '.join(missing[:-1])} and {missing[-1]}, which are not in this model"


@overload
def classify(
    judged: Judge,
    baseline: Mapping[str, Floats],
    visit: Mapping[str, Floats],
    following: Mapping[str, Floats] | None = None,
) -> dict[Category, BoolArray]: ...
@overload
def classify(
    judged: Judge,
    baseline: Mapping[str, Interval],
    visit: Mapping[str, Interval],
    following: Mapping[str, Interval] | None = None,
) -> dict[Category, Kleene]: ...
def classify(
    judged: Judge,
    baseline: Mapping[str, Floats] | Mapping[str, Interval],
    visit: Mapping[str, Floats] | Mapping[str, Interval],
    following: Mapping[str, Floats] | Mapping[str, Interval] | None = None,
) -> dict[Category, BoolArray] | dict[Category, Kleene]:
    """Categories of response of levels, exact or known to intervals.

    Parameters
    ----------
    judged : Judge
    baseline, visit : mapping
        Marker to its levels (array of float or :class:`Interval`) at baseline and at the visit,
        on the scale of the models; shapes broadcast. All are arrays, or all are intervals. A
        baseline that no criterion asks for may be left out.
    following : mapping, optional
        The same at the next visit. Without it, categories that must be confirmed are left out.

    Returns
    -------
    dict
        Category to truth (arrays of bool) or to what must and may hold (:class:`Kleene`), best
        first. Categories that the model cannot judge are not there.

    Raises
    ------
    TypeError
        If arrays and intervals are mixed.
    """
    given = [*baseline.values(), *visit.values(), *(following or {}).values()]
    if len({isinstance(level, Interval) for level in given}) > 1:
        raise TypeError("levels must be all arrays or all intervals")
    chosen = [c for c in judged.categories if following is not None or c not in judged.confirmed]
    atoms = [_truth(atom, baseline, visit, following) for atom in judged.atoms]
    if any(isinstance(level, Interval) for level in given):
        return {category: judged.kleene(category, atoms) for category in chosen}
    return {category: judged.formulas[category].of(atoms) for category in chosen}


def _truth(
    atom: Atom,
    baseline: Mapping[str, Any],
    visit: Mapping[str, Any],
    following: Mapping[str, Any] | None,
) -> Any:
    """What is known of a criterion; anything where it is not asked for."""
    name = str(atom.part.marker)
    if atom.following and following is None:
        nothing = np.zeros((), dtype=bool)
        return Kleene(nothing, ~nothing)
    level = (following or {})[name] if atom.following else visit[name]
    first = baseline[name] if atom.relative else level
    return atom.decided(first, level) if isinstance(level, Interval) else atom.holds(first, level)


def classify_course(
    judged: Judge, baseline: Mapping[str, Floats], visits: Mapping[str, Floats]
) -> dict[Category, NDArray[Any]]:
    """Categories at every later visit of a course, the visits on the last axis.

    Parameters
    ----------
    judged : Judge
    baseline : mapping
        Marker to levels, shape (...); one that no criterion asks for may be left out.
    visits : mapping
        Marker to levels, shape (..., later_visit).

    Returns
    -------
    dict
        Category to bool, shape (..., later_visit); to 1, 0 and NaN where the category must be
        confirmed: nothing follows the last visit.
    """
    first = {name: level[..., None] for name, level in baseline.items()}
    met: dict[Category, NDArray[Any]] = dict(classify(judged, first, visits))
    if judged.confirmed:
        now = {name: level[..., :-1] for name, level in visits.items()}
        later = {name: level[..., 1:] for name, level in visits.items()}
        both = classify(judged, first, now, later)
        shape = np.broadcast_shapes(*(level.shape for level in visits.values()))
        for category in judged.confirmed:
            whole = np.full(shape, np.nan)
            whole[..., :-1] = both[category]
            met[category] = whole
    return {category: met[category] for category in judged.categories}
