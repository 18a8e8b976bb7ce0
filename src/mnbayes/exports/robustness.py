"""Tables of what the answers rest on: patients, priors, structure, and who was not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.answers.conclusions import flip
from mnbayes.base.text_table import Table, records
from mnbayes.exports.answers import withheld
from mnbayes.exports.participants import Made
from mnbayes.exports.source import Source
from mnbayes.report.kit import wording

#: A row of a table of answers, and the ending of the columns that are asked for.
Row = Mapping[str, Any]
_MARK = (
    "†: another conclusion than from the primary analysis; (†): so near the line between the "
    "conclusions that Monte Carlo error decides. Likely is {line} or more, unlikely below {other}."
)
#: The answers of the primary analysis by kind, in the order of the columns.
KINDS = ("gmr", "next_patient", "population", "exceeds")


def absent(source: Source, name: str, why: str) -> str:
    """Why a table of the primary model is not there; blank if it is."""
    if source.withheld(source.primary):
        return withheld(source, source.primary)
    return "" if len(source.table(name, source.primary)) else why


def answers_head(source: Source) -> tuple[str, ...]:
    """Head of the columns of the primary answers; as many of them as the run can give."""
    known, category = source.known[source.marker], source.category
    head = [f"{known.label}: {known.mean_ratio} (95 % interval)"]
    if category:
        called = source.definitions.label(category)
        head += [f"Next patient: {called}", f"Share of patients: {called} (95 % interval)"]
        if category in source.definitions.benchmarks:
            bar = wording.stated(source.definitions.benchmarks[category])
            head.append(f"P(share > {bar})")
    return tuple(head)


def main_answers(source: Source, table: pd.DataFrame) -> dict[str, Row]:
    """Rows of the answers of the primary analysis, by kind."""
    at = table[table["week"] == source.week]
    found = {row["kind"]: row for row in records(at[at["category"] == source.category])}
    ratios = at[(at["kind"] == "gmr") & (at["marker"] == source.marker)]
    found["gmr"] = records(ratios)[0] if len(ratios) else {}
    return {kind: found.get(kind, {}) for kind in KINDS}


def number(row: Row, suffix: str = "") -> str:
    """An answer as text; with its interval where one is stored."""
    value = row.get(f"value{suffix}", np.nan)
    low, high = (row.get(f"{end}{suffix}", np.nan) for end in ("lower", "upper"))
    if np.isnan(value):
        return wording.BLANK
    if row["kind"] == "gmr":
        return wording.ratio(value) if np.isnan(low) else wording.ratio_range(value, low, high)
    text = wording.probability(value, row.get(f"mcse{suffix}", np.nan))
    return text if np.isnan(low) else f"{text} ({wording.percent_range(low, high)})"


def marked(source: Source, base: Row, other: Row, suffix: str = "") -> str:
    """An answer with a sign where another conclusion would be drawn from it."""
    text = number(other, suffix)
    if other.get("kind") not in ("next_patient", "exceeds"):
        return text
    pairs = [
        (float(base["value"]), float(base["mcse"])),
        (float(other[f"value{suffix}"]), float(other[f"mcse{suffix}"])),
    ]
    line = source.definitions.decision.probability
    return text + {"no": "", "close": " (†)", "yes": " †"}[flip(pairs[0], pairs[1], line)]


def legend(source: Source) -> str:
    """What the signs of :func:`marked` mean."""
    line = source.definitions.decision.probability
    return _MARK.format(line=wording.stated(line), other=wording.stated(1 - line))


def _rows(
    source: Source, cells: Callable[[str], tuple[str, ...]], labels: Mapping[str, str]
) -> tuple[tuple[str, ...], ...]:
    width = len(answers_head(source))
    return tuple((label, *cells(key)[:width]) for key, label in labels.items())


def influence(source: Source) -> Made | str:
    """The primary answers without each patient."""
    why = absent(source, "influence", "the run left no patient out (exact refits)")
    if why:
        return why
    table = source.table("influence", source.primary)
    by = {
        str(name): main_answers(source, part)
        for name, part in table.groupby("left_out", sort=False)
    }
    nothing: dict[str, Row] = {kind: {} for kind in KINDS}
    every = next((part for part in by.values() if part["gmr"]), nothing)
    rows = [("None (all patients)", *map(number, every.values()))]
    main = table[(table["week"] == source.week) & table["kind"].isin(KINDS)]
    failed = main[main["reason"] != ""].drop_duplicates("left_out")
    lost = [f"Without {row['left_out']}: {row['reason']}." for row in records(failed)]
    for name, part in by.items():
        texts = (marked(source, every[kind], part[kind], "_without") for kind in KINDS)
        rows.append((name, *texts))
    head = ("Patient left out", *answers_head(source))
    caption = f"Influence of each patient on the answers at {wording.week_name(source.week)}"
    notes = (f"One exact refit without each patient. Model: {source.primary}.", legend(source))
    cut = tuple(row[: len(head)] for row in rows)
    return Made(Table(caption, head, cut), (*notes, *lost))


def structures(source: Source) -> Made | str:
    """The primary answers under other structures of the model."""
    why = absent(source, "structures", "the run fitted no other structure")
    if why:
        return why
    table = source.table("structures", source.primary)
    pairs = table.groupby(["residual", "trajectory"], sort=False)
    by = {f"{a}, {b}": main_answers(source, part) for (a, b), part in pairs}
    names = {
        key: key.replace("student_t", "Student-t")
        .replace("normal", "Normal")
        .replace("drift", "drift of each patient")
        .replace("step", "constant step")
        for key in by
    }
    own = source.models[source.primary].get("structure", {})
    stated = f"{own.get('residual')}, {own.get('trajectory')}"
    base = by.get(stated, next(iter(by.values())))
    names[stated] = f"{names.get(stated, stated)} (primary analysis)"
    rows = _rows(
        source,
        lambda key: tuple(marked(source, base[kind], by[key][kind]) for kind in KINDS),
        {key: names[key] for key in sorted(by, key=lambda key: key != stated)},
    )
    head = ("Residuals, course after baseline", *answers_head(source))
    caption = f"Other structures of the model: answers at {wording.week_name(source.week)}"
    return Made(
        Table(caption, head, rows), (f"Each refitted. Model: {source.primary}.", legend(source))
    )


def withdrawal(source: Source) -> Made | str:
    """Withdrawal strategies: the enrolled, under other assumptions on who was not seen."""
    why = absent(source, "withdrawal", "nobody withdrew, or the run made no such table")
    if why:
        return why
    table = source.table("withdrawal", source.primary)
    table = table[table["week"] == source.week]
    shares = table[(table["quantity"] == "share") & (table["category"] == source.category)]
    ratios = {row["assumption"]: row for row in records(table[table["quantity"] == "gmr"])}
    of_share = {row["assumption"]: row for row in records(shares)}
    bar = source.definitions.benchmarks.get(source.category)
    rows = []
    for assumption in dict.fromkeys(table["assumption"]):
        ratio, share = ratios.get(assumption), of_share.get(assumption)
        cells = [_ratio(ratio)]
        if source.category:
            cells += [_share_of(share)]
        if bar is not None:
            cells += [
                _probability(share, "probability", "probability_mcse"),
                wording.BLANK
                if share is None or np.isnan(share["probability_prior"])
                else source.prior(share["probability_prior"], source.primary),
            ]
        rows.append((str(assumption), *cells))
    known = source.known[source.marker]
    head = ["Assumption on the unseen", f"{known.label}: {known.mean_ratio} (95 % interval)"]
    if source.category:
        head.append(
            f"Share of the enrolled: {source.definitions.label(source.category)} (95 % interval)"
        )
    if bar is not None:
        head += [f"P(share > {wording.stated(bar)})", "prior alone"]
    first = records(table)[0]
    notes = [
        f"{first['withdrawn']} of {first['enrolled']} enrolled patients withdrew before "
        f"{wording.week_name(source.week)}. Of the enrolled patients themselves, by true level; "
        "a patient who counts as no response has no ratio.",
        f"Model: {source.primary}.",
    ]
    notes += _tipping(source)
    caption = f"Withdrawal strategies at {wording.week_name(source.week)}"
    return Made(Table(caption, tuple(head), tuple(rows), wide=True), tuple(notes))


def _tipping(source: Source) -> list[str]:
    """Where the tipping point lies, in the run's own sentences."""
    if not source.has("tipping_points"):
        return []
    table = source.table("tipping_points", source.primary)
    return [str(text) for text in table.loc[table["week"] == source.week, "sentence"]]


def _ratio(row: Row | None) -> str:
    if row is None or np.isnan(row["median"]):
        return wording.BLANK
    return wording.ratio_range(row["median"], row["lower"], row["upper"])


def _share_of(row: Row | None) -> str:
    if row is None or np.isnan(row["mean"]):
        return wording.BLANK
    return wording.percent_with_range(row["mean"], row["lower"], row["upper"])


def _probability(row: Row | None, column: str, error: str) -> str:
    return wording.BLANK if row is None else wording.probability(row[column], row[error])
