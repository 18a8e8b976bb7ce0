"""Sentences on what could overturn a run's answers: each a range, and what gives its ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.base.text_table import records
from mnbayes.base.untrusted_text import markdown_text as plain
from mnbayes.exports.prior_tables import refits
from mnbayes.exports.robustness import main_answers
from mnbayes.exports.source import Source
from mnbayes.report.kit import wording


def _range(source: Source, rows: Sequence[tuple[str, Mapping[str, Any], str]]) -> list[str]:
    """Lowest and highest of the primary probability and of the ratio, with who gives them."""
    found: list[str] = []
    for kind in ("exceeds", "next_patient", "gmr"):
        of = [
            (float(row[f"value{end}"]), float(row.get(f"mcse{end}", np.nan)), name)
            for name, row, end in rows
            if row.get("kind") == kind and not np.isnan(row[f"value{end}"])
        ]
        if not of or (kind == "next_patient" and found):
            continue
        ends = [min(of), max(of)]
        low, high = (
            wording.ratio(v) if kind == "gmr" else wording.probability(v, e) for v, e, _ in ends
        )
        what = {
            "gmr": f"the {source.known[source.marker].ratio} to baseline",
            "exceeds": "the probability that the share exceeds the benchmark",
            "next_patient": "the next patient's probability",
        }[kind]
        where = [f" ({plain(name)})" if name else "" for _, _, name in ends]
        if low == high:
            found.append(f"{what} lay at {low}")
        else:
            found.append(f"{what} lay between {low}{where[0]} and {high}{where[1]}")
    return found


def influence(source: Source) -> list[str]:
    """The answers with one patient left out at a time."""
    table = source.table("influence", source.primary)
    if table.empty:
        return []
    rows = [
        (f"without {name}", row, "_without")
        for name, part in table.groupby("left_out", sort=False)
        for row in main_answers(source, part).values()
    ]
    found = _range(source, rows)
    return [f"With one patient left out at a time, {wording.listed(found)}."] if found else []


def power(source: Source) -> list[str]:
    """The answers when the priors count half or twice."""
    table = source.table("power_scaling", source.primary)
    if table.empty:
        return []
    rows = [
        (f"priors counted {words}", row, end)
        for row in main_answers(source, table).values()
        for words, end in (("half", "_half"), ("twice", "_double"))
    ]
    there = [each for each in rows if each[1]]
    found = _range(source, there)
    if not found:
        return []
    # The weights of one of both may be too uneven for the draws.
    lost = {name for name, row, end in there if np.isnan(row[f"value{end}"])}
    if lost:
        (kept,) = {name for name, _, _ in there} - lost
        return [
            f"With {kept.replace('counted', 'that count')}, {wording.listed(found)}; for "
            f"{lost.pop().replace('counted', 'that count')} the draws are too few."
        ]
    return [f"With priors that count half or twice, {wording.listed(found)}."]


def prior_sets(source: Source) -> list[str]:
    """The answers refitted under other prior sets."""
    rows = [
        (f"set {name}", row, "")
        for name, answers in refits(source).items()
        for row in answers.values()
        if row
    ]
    found = _range(source, rows)
    return [f"Refitted under other prior sets, {wording.listed(found)}."] if found else []


def structures(source: Source) -> list[str]:
    """The answers under other structures of the model."""
    table = source.table("structures", source.primary)
    if table.empty:
        return []
    rows = [
        ("", row, "")
        for _, part in table.groupby(["residual", "trajectory"], sort=False)
        for row in main_answers(source, part).values()
    ]
    found = _range(source, rows)
    return [f"Under other structures of the model {wording.listed(found)}."] if found else []


def withdrawal(source: Source) -> list[str]:
    """The answers over the assumptions on those who withdrew."""
    table = source.table("withdrawal", source.primary)
    if table.empty:
        return []
    table = table[(table["week"] == source.week) & (table["category"] == source.category)]
    seen: pd.DataFrame = table[table["probability"].notna()]
    if seen.empty:
        return []
    lowest, highest = (
        records(seen.loc[[place]])[0]
        for place in (seen["probability"].idxmin(), seen["probability"].idxmax())
    )
    low, high = (
        wording.probability(row["probability"], row["probability_mcse"])
        for row in (lowest, highest)
    )
    return [
        f"Over the assumptions on those who withdrew, the probability that more than "
        f"{wording.stated(lowest['threshold'])} of the {lowest['enrolled']} enrolled have "
        f"{plain(source.definitions.called(source.category))} lay between {low} "
        f"({plain(lowest['assumption'])}) and {high} ({plain(highest['assumption'])})."
    ]
