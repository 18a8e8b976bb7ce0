"""Pseudonyms in the place of patients' names: in tables of a cohort, and in what is said of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mnbayes.base.problems import Problem, quoted

if TYPE_CHECKING:
    import pandas as pd


def pseudonyms_of(patients: Iterable[str]) -> dict[str, str]:
    """Patient to pseudonym: P01, P02, … in the order given, with as many digits as are needed."""
    known = list(dict.fromkeys(patients))
    digits = max(2, len(str(len(known))))
    return {name: f"P{place:0{digits}d}" for place, name in enumerate(known, 1)}


def renamed(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """A table with other names in its column ``patient``, and wherever a cell is one of them."""
    changed = {"patient": table["patient"].map(names).astype("str")}
    for name in map(str, table.columns):
        # Initials or another number are the user's to leave out; the name itself is not.
        if name not in _SETTLED and table[name].dtype == "str":
            changed[name] = table[name].map(lambda cell: names.get(cell, cell), na_action="ignore")
    return table.assign(**changed)


#: Texts of a cohort's tables that are checked to be something else than a name.
_SETTLED = ("patient", "sex", "marker", "unit", "term", "reason")


def retold(problems: Iterable[Problem], names: Mapping[str, str]) -> tuple[Problem, ...]:
    """Problems with other names of patients, which stand in them between quotation marks."""
    said = {quoted(name): quoted(other) for name, other in names.items() if name}
    if not said:
        return tuple(problems)
    longest_first: Sequence[str] = sorted(said, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))

    def told(text: str) -> str:
        return pattern.sub(lambda found: said[found[0]], text)

    return tuple(replace(p, found=told(p.found), expected=told(p.expected)) for p in problems)
