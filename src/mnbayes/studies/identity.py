"""Whether a ledger is that of a study: everything that decides its numbers must be the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.studies.study import KINDS, Study

#: Name of the file.
LEDGER = "study.ledger"
ELSEWHERE = "; another folder begins a new study"
FORMAT = 1


def unusable(found: str, expected: str) -> InputError:
    """The error of a ledger that cannot be gone on with."""
    return InputError([Problem(LEDGER, None, None, found, expected + ELSEWHERE)])


def header(study: Study) -> bytes:
    """The first frame of a study's ledger: which study it is of."""
    said = {"format": FORMAT, "identity": study.identity}
    return json.dumps(said, ensure_ascii=False).encode()


def read_header(payload: bytes) -> dict[str, Any]:
    """A study's identity from the first frame of its ledger.

    Raises
    ------
    InputError
        If it is of another version, or does not say what the records hold.
    """
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise unusable("a first record that is no JSON object", "the ledger of a study")
    if said.get("format") != FORMAT:
        found = f"format {quoted(said.get('format'))}"
        raise unusable(found, f"format {FORMAT}, of this version of mnbayes")
    identity: Any = said.get("identity")
    if not isinstance(identity, dict) or not _described(identity):
        expected = "its columns, each with a kind, and its cells, each a table"
        raise unusable("a first record that does not describe a study", expected)
    return identity


def _described(identity: Mapping[str, Any]) -> bool:
    """Whether an identity says what the columns of records and the cells are."""
    columns, cells = identity.get("columns"), identity.get("cells")
    return (
        isinstance(columns, list)
        and all(isinstance(each, list) and len(each) == 2 for each in columns)
        and all(isinstance(name, str) and kind in KINDS.values() for name, kind in columns)
        and isinstance(cells, list)
        and all(isinstance(cell, dict) for cell in cells)
    )


def check_same(study: Study, stored: Mapping[str, Any]) -> None:
    """Refuse a ledger of another study, naming everything that differs.

    Raises
    ------
    InputError
    """
    here, there = _flat(study.identity), _flat(stored)
    problems = [
        Problem(
            LEDGER,
            None,
            name,
            quoted(there[name]) if name in there else "nothing",
            (quoted(here[name]) if name in here else "nothing") + ELSEWHERE,
        )
        for name in {**here, **there}
        if here.get(name) != there.get(name)
    ]
    if problems:
        raise InputError(problems)


def _flat(identity: Mapping[str, Any]) -> dict[str, str]:
    """Identity as texts by name: one for each package, column, cell and so on."""
    flat: dict[str, str] = {}
    for name, value in identity.items():
        if isinstance(value, Mapping):
            flat |= {f"{name} {key}": json.dumps(each) for key, each in value.items()}
        elif isinstance(value, list):
            flat |= {f"{name} {i}": json.dumps(each) for i, each in enumerate(value)}
        else:
            flat[name] = json.dumps(value)
    return flat
