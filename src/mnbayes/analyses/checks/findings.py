"""What the pictures of the checks show, in words."""

from __future__ import annotations

import numpy as np

from mnbayes.analyses.checks import part as checks_part
from mnbayes.answers.result import Result
from mnbayes.base.text_table import records

#: Most statistics that are named.
_NAMED = 6


def covered(result: Result, marker: str) -> str:
    """How many measurements of a marker the others predict."""
    found = checks_part.of(result)
    if found is None or found.left_out is None:
        return ""
    table = found.left_out.table
    own = table[(table["by"] == "measurement") & (table["marker"] == marker)]
    exact = own[own["value"].notna()]
    inside = exact["value"].between(exact["lower"], exact["upper"])
    said = f"{int(inside.sum())} of {len(exact)} exact values of {result.catalogue[marker].label} "
    said += "lie in the 95 % interval that all other measurements predict"
    out = [f"{row['patient']} week {row['week']:g}" for row in records(exact[~inside])]
    return f"{said}; outside: {', '.join(out[:_NAMED])}" if out else said


def uniform(result: Result) -> str:
    """How far each marker's measurements are from what the others predict of their ranks."""
    found, data = checks_part.of(result), result.fit.observations
    if found is None or found.left_out is None:
        return ""
    marker, grid = np.nonzero(data.observed)[2], np.linspace(0, 1, 101)
    said = []
    for column, name in enumerate(data.markers):
        low, high = found.left_out.ends[marker == column].T
        share = np.clip((grid[:, None] - low) / np.maximum(high - low, 1e-9), 0, 1).mean(axis=1)
        most = float(np.abs(share - grid).max())
        said.append(f"{result.catalogue[name].label} {100 * most:.0f} points ({low.size} values)")
    return (
        "Largest distance between the share of measurements below a predicted probability and "
        f"that probability: {'; '.join(said)}"
    )


def courses(result: Result) -> str:
    """How many statistics of the measured courses lie beyond their replicates."""
    found = checks_part.of(result)
    if found is None:
        return ""
    table = found.courses[found.courses["observed"].notna()]
    inside = table["observed"].between(table["lower"], table["upper"])
    names = [
        f"{row['statistic'].replace('_', ' ')} of {result.catalogue[row['marker']].label}"
        for row in records(table[~inside])
    ]
    said = f"{int(inside.sum())} of {len(table)} statistics of the measured courses lie in the "
    said += "95 % interval of replicated patients"
    return f"{said}; outside: {', '.join(names[:_NAMED])}" if names else said
