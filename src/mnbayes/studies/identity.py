"""Whether a ledger is that of a study: everything that decides its numbers must be the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.studies.study import Study

#: Name of the file.
LEDGER = "study.ledger"
ELSEWHERE = "; another folder begins a new study"


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
