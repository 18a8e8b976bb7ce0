"""What a user writes to override a card's priors: prior sets (files) and single values."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mnbayes.base.new_files import write_new
from mnbayes.base.problems import InputError, Problem, did_you_mean, gathered, quoted
from mnbayes.base.resources import models_folder
from mnbayes.base.toml_files import read_toml, toml_text
from mnbayes.cards import published_parameters as published
from mnbayes.cards.parameters import PARAMETERS, SHARED

#: What the name of a seal ends in, in place of the prior set's ``.toml``.
SEAL_ENDING = ".seal.json"
_TEXTS = ("name", "title", "why", "source")
_KEYS = (*_TEXTS, "priors")
_SETTING = "NAME.ARG=VALUE"
#: Every parameter that a set may speak of: those of cards and of the published-evidence model.
KNOWN = (*PARAMETERS, *published.NAMES)
_FORMS = f"{_SETTING} or 'NAME=P% between A and B on SCALE'"


@dataclass(frozen=True)
class Change:
    """One entry of a prior set or of ``--set``.

    Attributes
    ----------
    parameter, marker : str
        What it overrides; ``marker`` is empty for a shared parameter, or where the entry
        was written without one.
    values : dict
        Prior arguments, and perhaps ``distribution``, ``belief``, ``on`` and texts.
    origin : str
        Where it was written, for messages.
    """

    parameter: str
    marker: str
    values: dict[str, Any]
    origin: str


@dataclass(frozen=True)
class PriorSet:
    """A named set of overrides.

    Attributes
    ----------
    name, title : str
    why, source : str
        The reasoning behind the set, and what it rests on.
    changes : tuple of Change
    sha256 : str
        Of the file's bytes.
    brought : bool
        Whether it is one that mnbayes brings, called by its name.
    sealed : str
        What the seal beside its file says (:func:`read_seal`); blank where there is none.
    """

    name: str
    title: str
    why: str
    changes: tuple[Change, ...]
    source: str = ""
    sha256: str = ""
    brought: bool = False
    sealed: str = ""

    @property
    def first_sentence(self) -> str:
        """The reasoning in one sentence."""
        return re.split(r"(?<=[^.\s]\.)\s+(?=[A-Z])", self.why.strip(), maxsplit=1)[0]

    @property
    def described(self) -> dict[str, str]:
        """What ``run.json`` says of it."""
        texts = ("name", "title", "why", "source", "sha256")
        said = {key: str(getattr(self, key)) for key in texts}
        return said | ({"sealed": self.sealed} if self.sealed else {})


def available_prior_sets() -> dict[str, Path]:
    """Prior sets that mnbayes brings, by name."""
    return {path.stem: path for path in sorted((models_folder() / "priors").glob("*.toml"))}


def load_prior_set(name: str | Path) -> PriorSet:
    """Load a prior set by name or by path of a TOML file.

    Raises
    ------
    InputError
        If it does not exist (the ones that exist are named) or has the wrong shape.
    """
    sets = available_prior_sets()
    if str(name) in sets:
        path = sets[str(name)]
    elif Path(name).suffix == ".toml":
        path = Path(name)
    else:
        expected = f"one of {', '.join(sets)}, or a .toml file{did_you_mean(str(name), sets)}"
        raise InputError([Problem("models/priors/", None, None, repr(str(name)), expected)])
    data = read_toml(path)
    problems = [
        Problem(
            path.name,
            None,
            quoted(key),
            "unknown key",
            f"one of {', '.join(_KEYS)}{did_you_mean(key, _KEYS)}",
        )
        for key in data
        if key not in _KEYS
    ]
    problems += [
        Problem(path.name, None, key, quoted(repr(data[key])), "a text in quotation marks")
        for key in _TEXTS
        if not isinstance(data.get(key, ""), str)
    ]
    changes, misshapen = _changes(data.get("priors", {}), path.name)
    if problems or misshapen:
        raise InputError([*problems, *misshapen])
    return PriorSet(
        name=data.get("name", path.stem),
        title=data.get("title", ""),
        why=data.get("why", ""),
        source=data.get("source", ""),
        changes=tuple(changes),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        brought=str(name) in sets,
        sealed="" if str(name) in sets else read_seal(path),
    )


def seal_text(content: bytes, when: datetime, who: str, *, data_seen: bool) -> str:
    """A seal as the file that stands beside a prior set: its hash, and when it was sealed.

    Parameters
    ----------
    content : bytes
        Of the prior set's file.
    when : datetime
        With its time zone.
    who : str
    data_seen : bool
        Whether who states it knew the data.
    """
    said = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "sealed": when.isoformat(timespec="seconds"),
        "who": who,
        "data_seen": data_seen,
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def read_seal(path: Path) -> str:
    """What the seal of a prior set's file says of it now, in a sentence; blank without a seal.

    The clock is that of whoever sealed it: a hash that was sent to somebody, or registered,
    proves the date.
    """
    seal = path.with_name(path.stem + SEAL_ENDING)
    if not seal.is_file():
        return ""
    try:
        said = json.loads(seal.read_text(encoding="utf-8"))
        sealed, kept = str(said["sealed"]), str(said["sha256"])
        moment = f"{datetime.fromisoformat(sealed):%Y-%m-%d %H:%M %Z}".strip()
    except (OSError, ValueError, KeyError, TypeError):
        return f"{seal.name} is no seal"
    if kept != hashlib.sha256(path.read_bytes()).hexdigest():
        return f"BROKEN: it is not what was sealed on {moment}"
    who = f" by {said['who']}" if isinstance(said.get("who"), str) and said["who"] else ""
    seen = "after" if said.get("data_seen", True) else "before"
    return f"kept as sealed on {moment}{who}, {seen} the data were seen (as stated)"


def _changes(tables: Any, file: str) -> tuple[list[Change], list[Problem]]:
    """Entries of a set's ``priors``, and what has not their shape."""
    if not isinstance(tables, dict):
        return [], [Problem(file, None, "priors", quoted(repr(tables)), "a table")]
    changes: list[Change] = []
    problems: list[Problem] = []
    for parameter, table in tables.items():
        if parameter not in KNOWN:
            expected = f"one of {', '.join(KNOWN)}{did_you_mean(parameter, KNOWN)}"
            key = quoted(f"priors.{parameter}")
            problems.append(Problem(file, None, key, "unknown prior", expected))
            continue
        alone = parameter in (*SHARED, *published.NAMES)
        nested = {"": table} if alone else table
        if not isinstance(nested, dict) or not all(isinstance(v, dict) for v in nested.values()):
            shape = f"[priors.{parameter}]" if alone else f"[priors.{parameter}.MARKER]"
            expected = f"a table, {shape}" if alone else f"a table per marker, {shape}"
            found = quoted(repr(table))
            problems.append(Problem(file, None, f"priors.{parameter}", found, expected))
            continue
        changes += [Change(parameter, marker, values, file) for marker, values in nested.items()]
    return changes, problems


def save_belief(path: Path, parameter: str, marker: str, belief: str) -> None:
    """Write one belief as a prior set of its own, which ``--priors FILE`` reads.

    Raises
    ------
    InputError
        If the file exists, cannot be written, or is not called ``.toml``.
    """
    if path.suffix != ".toml":
        raise InputError([Problem(str(path), None, None, quoted(path.name), "a new .toml file")])
    place = ".".join(("priors", parameter, *([marker] if marker else [])))
    said = (
        f"name = {toml_text(path.stem)}\n"
        f"title = {toml_text(f'{parameter}: {belief}')}\n"
        'why = "Stated as a belief; say here why, and where it is from."\n'
        'source = "mnbayes elicit"\n\n'
        f"[{place}]\nbelief = {toml_text(belief)}\n"
    )
    write_new(path, said, " (--save FILE)")


def load_prior_sets(names: Iterable[str | Path]) -> tuple[PriorSet, ...]:
    """Load prior sets in the order in which they are applied, the weakest first.

    Parameters
    ----------
    names : iterable of str or Path
        Named sets come first, then files, whatever the order; of two of a kind the later one is
        the stronger.

    Raises
    ------
    InputError
        With the problems of all of them.
    """
    with gathered() as attempt:
        sets = [attempt(load_prior_set, name) for name in names]
    return tuple(sorted(sets, key=lambda each: not each.brought))


def joined_name(sets: Iterable[PriorSet]) -> str:
    """The sets of a run as one name, such as ``sceptical + mine``."""
    return " + ".join(each.name for each in sets)


def parse_setting(text: str) -> Change:
    """Parse a single value: a number, a distribution's name or a belief.

    Parameters
    ----------
    text : str
        ``change_mean.sigma=0.3``, ``change_mean.albumin.mu=0``,
        ``change_mean.distribution=StudentT``, or a belief as in
        ``change_mean=90% between 0.3 and 1.1 on gmr``.

    Raises
    ------
    InputError
        If the text has none of these forms or the value is not a number.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    parts = name.split(".")
    if not equals or not all(parts):
        raise InputError([Problem("--set", None, None, quoted(text), _FORMS)])
    if "%" in value:
        if len(parts) > 2:
            expected = f"a belief about {'.'.join(parts[:-1])}, which fits its numbers"
            raise InputError([Problem("--set", None, quoted(name), quoted(value), expected)])
        return Change(parts[0], parts[1] if len(parts) == 2 else "", {"belief": value}, "--set")
    if len(parts) not in (2, 3):
        raise InputError([Problem("--set", None, None, quoted(text), _FORMS)])
    marker, argument = parts[1] if len(parts) == 3 else "", parts[-1]
    if argument == "distribution":
        return Change(parts[0], marker, {argument: value}, "--set")
    try:
        number = float(value)
    except ValueError:
        expected = "a number, or a belief such as '90% between A and B'"
        raise InputError([Problem("--set", None, quoted(name), quoted(value), expected)]) from None
    return Change(parts[0], marker, {argument: number}, "--set")
