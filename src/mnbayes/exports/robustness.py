"""Tables of what the answers rest on: patients, priors, structure, and who was not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.answers.conclusions import flip
from mnbayes.base.problems import InputError
from mnbayes.base.text_table import Table, records
from mnbayes.cards.card import load_card
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
_KINDS = ("gmr", "next_patient", "population", "exceeds")


def _absent(source: Source, name: str, why: str) -> str:
    """Why a table of the primary model is not there; blank if it is."""
    if source.withheld(source.primary):
        return withheld(source, source.primary)
    return "" if len(source.table(name, source.primary)) else why


def _head(source: Source) -> tuple[str, ...]:
    known, category = source.known[source.marker], source.category
    head = [f"{known.label}: {known.mean_ratio} (95 % interval)"]
    if category:
        called = source.definitions.label(category)
        head += [f"Next patient: {called}", f"Share with {called} (95 % interval)"]
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
    return {kind: found.get(kind, {}) for kind in _KINDS}


def _number(row: Row, suffix: str = "") -> str:
    """An answer as text; with its interval where one is stored."""
    value = row.get(f"value{suffix}", np.nan)
    low, high = (row.get(f"{end}{suffix}", np.nan) for end in ("lower", "upper"))
    if np.isnan(value):
        return wording.BLANK
    if row["kind"] == "gmr":
        return wording.ratio(value) if np.isnan(low) else wording.ratio_range(value, low, high)
    text = wording.probability(value, row.get(f"mcse{suffix}", np.nan))
    return text if np.isnan(low) else f"{text} ({wording.percent_range(low, high)})"


def _marked(source: Source, base: Row, other: Row, suffix: str = "") -> str:
    """An answer with a sign where another conclusion would be drawn from it."""
    text = _number(other, suffix)
    if other.get("kind") not in ("next_patient", "exceeds"):
        return text
    pairs = [
        (float(base["value"]), float(base["mcse"])),
        (float(other[f"value{suffix}"]), float(other[f"mcse{suffix}"])),
    ]
    line = source.definitions.decision.probability
    return text + {"no": "", "close": " (†)", "yes": " †"}[flip(pairs[0], pairs[1], line)]


def _line(source: Source) -> str:
    line = source.definitions.decision.probability
    return _MARK.format(line=wording.stated(line), other=wording.stated(1 - line))


def _rows(
    source: Source, cells: Callable[[str], tuple[str, ...]], labels: Mapping[str, str]
) -> tuple[tuple[str, ...], ...]:
    width = len(_head(source))
    return tuple((label, *cells(key)[:width]) for key, label in labels.items())


def influence(source: Source) -> Made | str:
    """The primary answers without each patient."""
    why = _absent(source, "influence", "the run left no patient out (exact refits)")
    if why:
        return why
    table = source.table("influence", source.primary)
    by = {
        str(name): main_answers(source, part)
        for name, part in table.groupby("left_out", sort=False)
    }
    every = next(iter(by.values()))
    rows = [("None (all patients)", *map(_number, every.values()))]
    lost = []
    for name, part in by.items():
        reason = next((r["reason"] for r in part.values() if r.get("reason")), "")
        lost += [f"Without {name}: {reason}."] if reason else []
        texts = (_marked(source, every[kind], part[kind], "_without") for kind in _KINDS)
        rows.append((name, *texts))
    head = ("Patient left out", *_head(source))
    caption = f"Influence of each patient on the answers at {wording.week_name(source.week)}"
    notes = (f"One exact refit without each patient. Model: {source.primary}.", _line(source))
    cut = tuple(row[: len(head)] for row in rows)
    return Made(Table(caption, head, cut), (*notes, *lost))


def priors(source: Source) -> Made | str:
    """Every prior of the primary model."""
    stated = source.models[source.primary].get("priors")
    if not stated:
        return "the primary model is somebody's own, whose file states its priors"
    why = _reasons(source)
    rows = tuple(
        (
            parameter,
            wording.PARAMETER_LABELS.get(parameter, ""),
            source.known[marker].label if marker in source.known else "all",
            formula,
            *why.get((parameter, marker, formula), (wording.BLANK, wording.BLANK)),
        )
        for parameter, by_marker in stated.items()
        for marker, formula in by_marker.items()
    )
    sets = source.run.manifest.get("prior_sets") or []
    notes = [f"Prior set {each['name']}: {each['why']}" for each in sets]
    changed = source.run.manifest.get("settings") or []
    notes += [f"Set by hand: {', '.join(map(str, changed))}."] if changed else []
    later = source.run.manifest.get("post_hoc") or []
    notes += ["Priors were changed after an earlier fit to the same data."] if later else []
    head = ("Parameter", "What it is", "Marker", "Prior", "Reason", "Source")
    caption = f"Priors of the primary model ({source.primary}), on the models' log scale"
    return Made(Table(caption, head, rows, frozenset(range(6)), wide=True), tuple(notes))


def _reasons(source: Source) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Reason and source of each prior that stands in the card as the run had it.

    A run records the priors themselves; a card that this version brings says the rest of those
    that nobody changed.
    """
    try:
        card = load_card(source.primary, known=source.known)
    except InputError:
        return {}  # a card of the user's own, or made for the cohort
    return {
        (parameter, marker or "model", spec.formula): (spec.why, spec.source)
        for parameter, table in card.prior.items()
        for marker, spec in table.items()
    }


def prior_sensitivity(source: Source) -> Made | str:
    """The primary answers when the priors count half or twice, and under the priors alone."""
    why = _absent(source, "power_scaling", "the run has no power scaling of the primary model")
    if why:
        return why
    main = main_answers(source, source.table("power_scaling", source.primary))
    rows = [
        ("Prior alone", *(_before(source, row) for row in main.values())),
        (
            "Priors count half",
            *(_marked(source, r, r, "_half") if r else "" for r in main.values()),
        ),
        ("Priors as stated", *(_number(row) for row in main.values())),
        (
            "Priors count twice",
            *(_marked(source, r, r, "_double") if r else "" for r in main.values()),
        ),
    ]
    found = [
        f"{column}: {row['diagnosis']} (most of it from {row['strongest_prior']})."
        for column, row in zip(_head(source), main.values(), strict=False)
        if row and row["diagnosis"] != "none"
    ]
    weights = [row[f"khat_{end}"] for row in main.values() if row for end in ("half", "double")]
    head = ("Priors", *(text.removesuffix(" (95 % interval)") for text in _head(source)))
    caption = (
        "Sensitivity to the priors, by power scaling, of the answers at "
        f"{wording.week_name(source.week)}"
    )
    notes = (
        "Power scaling (Kallioinen et al. 2024) reweights the draws as though the top-level "
        f"priors counted half or twice; largest Pareto k {max(weights):.2f} (reliable below 0.7). "
        f"Model: {source.primary}, prior set {source.run.manifest.get('prior_set', '')}.",
        _line(source),
        *found,
    )
    cut = tuple(row[: len(head)] for row in rows)
    return Made(Table(caption, head, cut), notes)


def prior_sets(source: Source) -> Made | str:
    """The primary answers refitted under other prior sets."""
    if source.withheld(source.primary):
        return withheld(source, source.primary)
    if source.refits is None:
        return (
            "a run is not refitted under the other prior sets: mnbayes sensitivity does that, and "
            "its folder is given with --sensitivity"
        )
    by = refits(source)
    if not by:
        return "the folder of --sensitivity has no refit of the primary model as the run has it"
    own = str(source.run.manifest.get("prior_set", ""))
    base = by.get(own, next(iter(by.values())))
    rows = tuple(
        (
            f"{name} (primary analysis)" if name == own else name,
            *(
                _marked(source, base[kind], answers[kind]) if answers[kind] else wording.BLANK
                for kind in _KINDS
            ),
        )
        for name, answers in by.items()
    )
    alone = tuple(
        (
            f"{name}, prior alone",
            *(_before(source, answers[kind]) for kind in _KINDS),
        )
        for name, answers in by.items()
    )
    head = ("Prior set", *_head(source))
    cut = tuple(row[: len(head)] for row in (*rows, *alone))
    caption = f"Prior sets: refits, answers at {wording.week_name(source.week)}"
    return Made(
        Table(caption, head, cut),
        (
            f"Each set refitted, apart from the run itself. Model: {source.primary}.",
            _line(source),
        ),
    )


def _before(source: Source, row: Row) -> str:
    """An answer under the prior alone."""
    value = float(row.get("prior", np.nan))
    if np.isnan(value):
        return wording.BLANK
    return wording.ratio(value) if row["kind"] == "gmr" else source.prior(value, source.primary)


def refits(source: Source) -> dict[str, dict[str, Row]]:
    """Primary answers by prior set, under the structure that the run's primary model has.

    A set whose fit did not converge has none.
    """
    if source.refits is None:
        return {}
    own = source.models[source.primary].get("structure", {})
    rows = source.refits[source.refits["model"] == source.primary]
    for axis in ("residual", "trajectory"):
        rows = rows[rows[axis] == own.get(axis)]
    found = {str(n): main_answers(source, p) for n, p in rows.groupby("prior_set", sort=False)}
    return {name: answers for name, answers in found.items() if answers["gmr"]}


def structures(source: Source) -> Made | str:
    """The primary answers under other structures of the model."""
    why = _absent(source, "structures", "the run fitted no other structure")
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
        lambda key: tuple(_marked(source, base[kind], by[key][kind]) for kind in _KINDS),
        {key: names[key] for key in sorted(by, key=lambda key: key != stated)},
    )
    head = ("Residuals, course after baseline", *_head(source))
    caption = f"Other structures of the model: answers at {wording.week_name(source.week)}"
    return Made(
        Table(caption, head, rows), (f"Each refitted. Model: {source.primary}.", _line(source))
    )


def withdrawal(source: Source) -> Made | str:
    """Withdrawal strategies: the enrolled, under other assumptions on who was not seen."""
    why = _absent(source, "withdrawal", "nobody withdrew, or the run made no such table")
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
            f"Share of the enrolled with {source.definitions.label(source.category)} "
            "(95 % interval)"
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
