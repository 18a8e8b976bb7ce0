"""Which conclusions flip: probabilities that cross the line from which on something is said.

The line is the definitions' decision probability: a statement is likely from there on, unlikely
below one minus it, and uncertain between.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from mnbayes.analyses.sensitivity.multiverse import Multiverse
from mnbayes.answers.answer_table import KEYS
from mnbayes.answers.conclusions import (
    Row,
    concluded,
    conclusion,
    flip,
)


def specifications(multiverse: Multiverse, model: str) -> Iterator[tuple[Row, pd.DataFrame]]:
    """Specifications of a model in their order, each with its rows of the table.

    Yields
    ------
    name : mapping
        Axis to value.
    rows : DataFrame
    """
    axes = list(multiverse.axes)
    own = multiverse.table[multiverse.table["model"] == model]
    for values, rows in own.groupby(axes, sort=False):
        yield dict(zip(axes, values, strict=True)), rows


def base_of(multiverse: Multiverse, model: str) -> Row | None:
    """The specification that the others are compared with: the first that has numbers."""
    for name, rows in specifications(multiverse, model):
        if not rows["reason"].any():
            return name
    return None


def flips(multiverse: Multiverse, model: str) -> pd.DataFrame:
    """Conclusions of a model that differ from those of its first specification.

    Returns
    -------
    DataFrame
        One row for each specification and conclusion that differs: the axes, ``kind, patient,
        marker, week, category``, ``value, mcse`` and ``conclusion`` there, ``value_base,
        mcse_base, conclusion_base``, and ``flip``, ``yes`` or ``close``.
    """
    line = multiverse.definitions.decision.probability
    keys, numbers = list(KEYS), ["value", "mcse"]
    columns = [*multiverse.axes, *keys, *numbers, "conclusion"]
    columns += [f"{name}_base" for name in (*numbers, "conclusion")] + ["flip"]
    week = multiverse.primary_week(model)
    judged = [
        concluded(rows, multiverse.definitions, week)
        for _, rows in specifications(multiverse, model)
        if not rows["reason"].any()
    ]
    found = []
    for now in judged[1:]:
        both = now.merge(judged[0][[*keys, *numbers]], on=keys, suffixes=("", "_base"))
        for row in both.to_dict("records"):
            pairs = [(row[f"value{end}"], row[f"mcse{end}"]) for end in ("_base", "")]
            kind = flip(pairs[0], pairs[1], line)
            if kind != "no":
                then, now_ = (conclusion(pair[0], line) for pair in pairs)
                found.append(row | {"flip": kind, "conclusion": now_, "conclusion_base": then})
    return pd.DataFrame(found, columns=columns)
