"""What a page of the explorer may set, read from what a browser sends and from an address."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qs, urlencode

import numpy as np

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.cards.beliefs import LONGEST

#: A prior as a page states it: a belief in words, or numbers by the arguments' names.
type Stated = str | Mapping[str, float]

#: Longest message that is read: a page states at most a few dozen priors.
MOST_BYTES = 64_000
#: Most priors, sets and benchmarks that one page may state.
MOST_ENTRIES = 200
#: Longest name of a prior, a set, a category.
LONGEST_NAME = 200
#: Largest ratio of the delta adjustment, as in the tipping-point sweep.
MOST_DELTA = 10.0


@dataclass(frozen=True)
class Settings:
    """Everything that decides an answer.

    Attributes
    ----------
    model : str
        Name of a card.
    sets : tuple of str
        Prior sets, as ``--priors`` takes them.
    morph : float or None
        Place between the sceptical (0) and the enthusiastic set (1), over ``sets``.
    priors : tuple of tuple
        Name of a prior, as ``--set`` has it, and what is stated of it; the strongest.
    trajectory, residual : str
        As in a card's structure; blank: the card's own.
    definitions : str
        Of response, by name or file; blank: those that the cohort is judged by.
    benchmarks : tuple of tuple
        Category and the share that is to be exceeded, where it is not the definitions' own.
    week : float or None
        Of the primary analysis; None: the trial's.
    strategy : str
        What is assumed of who withdrew.
    delta : float
        Of the strategy ``delta``: times worse than predicted.
    seed : int
    """

    model: str
    sets: tuple[str, ...] = ("weak",)
    morph: float | None = None
    priors: tuple[tuple[str, Stated], ...] = ()
    trajectory: str = ""
    residual: str = ""
    definitions: str = ""
    benchmarks: tuple[tuple[str, float], ...] = ()
    week: float | None = None
    strategy: str = "mar"
    delta: float = 2.0
    seed: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as a page sends them: what is at its default is left out."""
        own = asdict(self) | {
            "sets": list(self.sets),
            "priors": {name: _plain(said) for name, said in self.priors},
            "benchmarks": dict(self.benchmarks),
        }
        default = asdict(Settings(self.model)) | {
            "sets": ["weak"],
            "priors": {},
            "benchmarks": {},
            "model": None,
        }
        return {key: value for key, value in own.items() if value != default[key]}

    @property
    def query(self) -> str:
        """The state as the query of an address."""
        return urlencode(
            {
                key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                for key, value in self.as_dict().items()
            }
        )

    def with_prior(self, name: str, said: Stated | None) -> Settings:
        """The same with one prior stated otherwise, or no longer."""
        kept = {key: value for key, value in self.priors if key != name}
        return replace(self, priors=tuple((kept if said is None else kept | {name: said}).items()))


def _plain(said: Stated) -> Any:
    return said if isinstance(said, str) else dict(said)


def _problem(key: str, found: object, expected: str) -> Problem:
    return Problem("the page's settings", None, key, quoted(found), expected)


def _text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and value.isprintable()


def number(value: object) -> bool:
    """Whether a plain value is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return bool(np.isfinite(float(value)))
    except OverflowError:  # a whole number of four hundred digits
        return False


def _stated(name: object, said: object) -> bool:
    if not _text(name):
        return False
    if isinstance(said, str):
        return len(said) <= LONGEST
    return (
        isinstance(said, dict)
        and 0 < len(said) <= len(fields(Settings))
        and all(_text(key) and number(value) for key, value in said.items())
    )


def _within(value: object, low: float, high: float) -> bool:
    return number(value) and low <= float(value) <= high  # type: ignore[arg-type]


_CHECKS: dict[str, tuple[Any, str]] = {
    "model": (_text, "the name of a model"),
    "sets": (
        lambda v: isinstance(v, list) and 0 < len(v) <= MOST_ENTRIES and all(map(_text, v)),
        "a list of prior sets",
    ),
    "morph": (lambda v: v is None or _within(v, 0, 1), "a number between 0 and 1, or nothing"),
    "priors": (
        lambda v: (
            isinstance(v, dict)
            and len(v) <= MOST_ENTRIES
            and all(_stated(key, said) for key, said in v.items())
        ),
        "priors by name, each a belief or numbers",
    ),
    "trajectory": (lambda v: v in ("", "step", "drift"), "step or drift"),
    "residual": (lambda v: v in ("", "normal", "student_t"), "normal or student_t"),
    "definitions": (_text, "the name of definitions"),
    "benchmarks": (
        lambda v: (
            isinstance(v, dict)
            and len(v) <= MOST_ENTRIES
            and all(_text(key) and _within(share, 0.001, 0.999) for key, share in v.items())
        ),
        "shares between 0.001 and 0.999 by category",
    ),
    "week": (lambda v: v is None or _within(v, 0, 1e5), "a week, or nothing"),
    "strategy": (_text, "the name of a withdrawal strategy"),
    "delta": (lambda v: _within(v, 1, MOST_DELTA), f"a ratio between 1 and {MOST_DELTA:g}"),
    "seed": (
        lambda v: isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 2**32,
        "a whole number of at least 0",
    ),
}


def read_settings(said: object, model: str) -> Settings:
    """Settings from plain values that nobody has looked at yet.

    Parameters
    ----------
    said : object
        As :meth:`Settings.as_dict` gives it; what is left out is at its default.
    model : str
        The one that is meant where none is named.

    Raises
    ------
    InputError
        With every key that there is not, or whose value is no such thing. Whether a name exists
        is for :class:`mnbayes.explorer.case.Case` to say.
    """
    if not isinstance(said, dict):
        raise InputError([_problem("settings", said, "a table of settings")])
    problems = [
        _problem(str(key)[:LONGEST_NAME], said[key], f"one of {', '.join(_CHECKS)}")
        if key not in _CHECKS
        else _problem(key, said[key], _CHECKS[key][1])
        for key in said
        if key not in _CHECKS or not _CHECKS[key][0](said[key])
    ]
    if problems:
        raise InputError(problems)
    values: dict[str, Any] = {"model": model} | said
    if "sets" in said:
        values["sets"] = tuple(said["sets"])
    if "benchmarks" in said:
        values["benchmarks"] = tuple((key, float(v)) for key, v in said["benchmarks"].items())
    if "priors" in said:
        values["priors"] = tuple(
            (name, text if isinstance(text, str) else {k: float(v) for k, v in text.items()})
            for name, text in said["priors"].items()
        )
    for key in ("morph", "week", "delta"):
        if said.get(key) is not None:
            values[key] = float(said[key])
    return Settings(**values)


def parse_message(text: str | bytes, most: int = MOST_BYTES) -> Any:
    """JSON of a browser as plain values, of so many bytes at most.

    Raises
    ------
    InputError
        If it is too long or no JSON.
    """
    if len(text) > most:
        found = f"{len(text):,} bytes"
        raise InputError([Problem("the page", None, None, found, f"at most {most:,}")])
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError([Problem("the page", None, None, quoted(text), "JSON")]) from None


def parse_table(text: str | bytes, most: int = MOST_BYTES) -> dict[str, Any]:
    """As :func:`parse_message`, of what must be a table.

    Raises
    ------
    InputError
    """
    said = parse_message(text, most)
    if not isinstance(said, dict):
        raise InputError([Problem("the page", None, None, quoted(said), "a table")])
    return said


#: Settings that an address writes as they are; the others are JSON.
_WRITTEN_PLAIN = ("model", "trajectory", "residual", "definitions", "strategy")


def read_query(query: str, model: str) -> Settings:
    """Settings from the query of an address, as :attr:`Settings.query` writes it.

    Raises
    ------
    InputError
    """
    found: dict[str, Any] = {}
    if len(query) > MOST_BYTES:
        parse_message(query)
    for key, values in parse_qs(query, keep_blank_values=True, max_num_fields=50).items():
        found[key] = values[-1] if key in _WRITTEN_PLAIN else parse_message(values[-1])
    return read_settings(found, model)


def changed(before: Settings, after: Settings) -> Sequence[str]:
    """Names of the settings that differ; of priors their own names."""
    named = [
        field.name
        for field in fields(Settings)
        if field.name != "priors" and getattr(before, field.name) != getattr(after, field.name)
    ]
    old, new = dict(before.priors), dict(after.priors)
    return [*named, *(name for name in {**old, **new} if old.get(name) != new.get(name))]
