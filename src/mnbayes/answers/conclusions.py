"""Which conclusions flip: probabilities that cross the line from which on something is said.

The line is the decision probability of the definitions: a statement is likely from there on,
unlikely below one minus it, and uncertain between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Catalogue

type Flip = Literal["no", "close", "yes"]


#: A number and its Monte Carlo standard error.
type Estimate = tuple[float, float]


type Row = Mapping[str, Any]


#: A number this many Monte Carlo standard errors from a line may as well lie beyond it.
CLOSE = 2.0


#: What is concluded from, in the order of what is said.
CONCLUDED = ("p_fall", "next_patient", "exceeds", "latent")


def conclusion(probability: float, line: float) -> str:
    """What is concluded from a probability.

    Parameters
    ----------
    probability : float
    line : float
        The decision probability, above 1/2.

    Returns
    -------
    {"likely", "uncertain", "unlikely", ""}
        Blank where there is no number.
    """
    if np.isnan(probability):
        return ""
    if probability >= line:
        return "likely"
    return "unlikely" if probability < 1 - line else "uncertain"


def crosses(base: Estimate, other: Estimate, border: float) -> bool:
    """Whether two numbers lie on different sides of a border, beyond Monte Carlo error.

    Parameters
    ----------
    base, other : tuple of float
        A number and its Monte Carlo standard error; an error that is not known counts as none.
    border : float

    Returns
    -------
    bool
        False where one of both lies within two standard errors of the border, or is NaN.
    """
    apart = np.array([base[0], other[0]]) - border
    far = np.abs(apart) > CLOSE * np.nan_to_num([base[1], other[1]])
    return bool(apart.prod() < 0 and far.all())


def flip(base: Estimate, other: Estimate, line: float) -> Flip:
    """Whether another number leads to another conclusion.

    Parameters
    ----------
    base, other : tuple of float
        A probability and its Monte Carlo standard error.
    line : float
        The decision probability.

    Returns
    -------
    {"no", "close", "yes"}
        ``close``: it does, but one of both lies within two Monte Carlo standard errors of the
        line between the conclusions. ``no`` where there is no number.
    """
    then, now = conclusion(base[0], line), conclusion(other[0], line)
    if not then or not now or then == now:
        return "no"
    return "yes" if any(crosses(base, other, border) for border in (line, 1 - line)) else "close"


def concluded(table: pd.DataFrame, definitions: Definitions, week: float) -> pd.DataFrame:
    """The rows at a visit from which something is concluded.

    Parameters
    ----------
    table : DataFrame
        Of one model, with ``kind, patient, marker, week, category``.
    definitions : Definitions
    week : float
        That of the primary analysis.

    Returns
    -------
    DataFrame
        The probability of a fall of each marker; ``next_patient`` and ``exceeds`` of each
        category of response; patients' own of the first stated category that can be judged.
    """
    own = next((c for c in definitions.stated if (table["category"] == c).any()), "")
    chosen = (table["week"] == week) & table["kind"].isin(CONCLUDED)
    chosen &= table["category"].isin(["", *definitions.responses]) & (
        (table["kind"] != "latent") | (table["category"] == own)
    )
    rank = table["kind"].map({kind: place for place, kind in enumerate(CONCLUDED)})
    found: pd.DataFrame = table.loc[rank[chosen].sort_values(kind="stable").index]
    return found


def as_reported(table: pd.DataFrame, columns: Sequence[str], known: Catalogue) -> pd.DataFrame:
    """Where a fall is not what is better, probabilities of one become those of a rise.

    Parameters
    ----------
    table : DataFrame
        With ``kind`` and ``marker``.
    columns : sequence of str
        The probabilities.
    known : mapping
        What the markers are.
    """
    falling = {marker for marker in set(table["marker"]) if marker in known and known[marker].falls}
    rise = (table["kind"] == "p_fall") & ~table["marker"].isin(falling)
    turned = {column: table[column].mask(rise, 1 - table[column]) for column in columns}
    return table.assign(**turned, kind=table["kind"].mask(rise, "p_rise"))
