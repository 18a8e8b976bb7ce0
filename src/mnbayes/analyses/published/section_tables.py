"""Tables of the published facts' answers: by prior set and withdrawal, and by reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.published.card import Shares
from mnbayes.analyses.published.categories import LABELS
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.readings import WORDS, bounds
from mnbayes.analyses.published.result import SPECIFICATION, PublishedResult
from mnbayes.analyses.published.statements import chance, gmr_text, rate
from mnbayes.base.text_table import Table, records
from mnbayes.cards.card import PriorSpec
from mnbayes.cards.published_parameters import SHARES
from mnbayes.report.kit import wording

READINGS = ("remission", "no_response", "ends")
_WITHDRAWN = {
    "missing": "missing",
    "failure": "= no response",
    "success": "= best category",
}
_HEAD = (
    *("GMR (95 % interval)", "P(GMR < 1)"),
    *("Next patient: any fall", "Next patient: fall of half or more"),
)
#: Answers in the columns of both tables: part, quantity, category.
_SIZES = (
    ("outcome", "p_fall", ""),
    ("outcome", "next_any_fall", ""),
    ("outcome", "next_fall_50", ""),
)

type Row = Mapping[str, Any]
type Keyed = dict[tuple[str, str, str], Row]


def by_specification(table: pd.DataFrame) -> list[tuple[Row, Keyed]]:
    """Answers of each specification, by part, quantity and category."""
    found = []
    for _, rows in table.groupby(list(SPECIFICATION), sort=False):
        keyed: Keyed = {
            (row["part"], row["quantity"], row["category"]): row for row in records(rows)
        }
        found.append((next(iter(keyed.values())), keyed))
    return found


def _shares(known: Keyed) -> list[tuple[str, str, str]]:
    return [k for c in ("effective", "remission") if (k := ("counts", "share", c)) in known]


def _share(row: Row, suffix: str = "") -> str:
    if suffix:
        ends = wording.percent_range(row["prior_lower"], row["prior_upper"])
        return f"{wording.percent(row['prior'])} ({ends})"
    return f"{chance(row)} ({wording.percent_range(row['lower'], row['upper'])})"


def _sizes(known: Keyed) -> list[str]:
    return [gmr_text(known["outcome", "gmr", ""]), *(chance(known[key]) for key in _SIZES)]


def _prior_sizes(known: Keyed) -> list[str]:
    gmr = known["outcome", "gmr", ""]
    return [
        wording.ratio_range(gmr["prior"], gmr["prior_lower"], gmr["prior_upper"]),
        *(wording.percent(known[key]["prior"]) for key in _SIZES),
    ]


def _between(low: Row, high: Row) -> str:
    """What every fate of the withdrawn gives, from the worst to the best."""
    if np.isnan(low["value"]) or np.isnan(high["value"]):
        return "withheld"
    if low["quantity"] == "gmr":
        centres = f"{wording.ratio(high['value'])} to {wording.ratio(low['value'])}"
        return f"{centres} ({wording.ratio(high['lower'])} to {wording.ratio(low['upper'])})"
    centres = f"{chance(low)} to {chance(high)}"
    if low["quantity"] == "share":
        centres += f" ({wording.percent_range(low['lower'], high['upper'])})"
    return centres


def by_prior(result: PublishedResult) -> tuple[Table, ...]:
    """Answers under each prior set and each handling of the withdrawn.

    Returns
    -------
    tuple of Table
        Of the sizes and of the shares. For each prior set: the prior alone; the withdrawn
        missing, as no response and in the best category; and the range over everything between.
    """
    table, base = result.answers, result.card.readings
    for axis in READINGS:
        table = table[table[axis] == getattr(base, axis)]
    sizes: list[tuple[str, ...]] = []
    shares: list[tuple[str, ...]] = []
    told: list[tuple[str, str, str]] = []
    someone = outcome_counts(result.facts).missing > 0
    shown = _WITHDRAWN if someone else {str(base.withdrawn): "nobody"}
    for name, part in table.groupby("prior_set", sort=False):
        specs = {str(first["withdrawn"]): known for first, known in by_specification(part)}
        own = specs[base.withdrawn]
        told = _shares(own)
        sizes.append((str(name), "prior alone", *_prior_sizes(own)))
        shares.append((str(name), "prior alone", *(_share(own[key], "prior") for key in told)))
        for handling, label in shown.items():
            known = specs[handling]
            mark = name == result.prior_set and handling == base.withdrawn
            start = (str(name), f"{label} (reported)" if mark else label)
            sizes.append((*start, *_sizes(known)))
            shares.append((*start, *(_share(known[key]) for key in told)))
        if someone:
            start = (str(name), "unknown: anything between")
            ends = specs["failure"], specs["success"]
            keys = (("outcome", "gmr", ""), *_SIZES)
            sizes.append((*start, *(_between(*(end[key] for end in ends)) for key in keys)))
            shares.append((*start, *(_between(*(end[key] for end in ends)) for key in told)))
    head, words = ("Prior set", "Withdrawn"), frozenset({0, 1})
    labels = {"effective": "a response of any kind", "remission": "remission"}
    heads = (f"With {labels[key[2]]} (95 % interval)" for key in told)
    by = "by prior set and withdrawal"
    return (
        Table(f"Size of the change {by}", (*head, *_HEAD), tuple(sizes), words),
        Table(
            f"Share of such patients {by}{same_shares(shares)}",
            (*head, *heads),
            tuple(shares),
            words,
        ),
    )


def same_shares(rows: list[tuple[str, ...]]) -> str:
    """Words for prior sets that leave the prior of the shares as another has it."""
    prior = {name: tuple(cells) for name, label, *cells in rows if label == "prior alone"}
    first = {cells: name for name, cells in list(prior.items())[::-1]}
    same = [
        f"{name} has that of {first[cells]}"
        for name, cells in prior.items()
        if first[cells] != name
    ]
    return f"; the prior of the shares: {', '.join(same)}" if same else ""


def by_reading(result: PublishedResult) -> Table:
    """Answers about the size of the change under each reading; shares do not depend on it.

    Returns
    -------
    Table
        Under the reported priors and handling of the withdrawn.
    """
    table = result.answers
    keep = (table["prior_set"] == result.prior_set) & (
        table["withdrawn"] == result.card.readings.withdrawn
    )
    fills = fills_of(result)
    rows = []
    for first, known in by_specification(table[keep & (table["part"] == "outcome")]):
        words = [WORDS[axis][first[axis]].format(**fills) for axis in READINGS]
        label = "; ".join(words[:2] if first["ends"] == result.card.readings.ends else words)
        label = f"{label[0].upper()}{label[1:]}"
        if np.isnan(first["prior"]):
            rows.append((label, "not possible with these facts", *[wording.BLANK] * 3))
        else:
            rows.append((label, *_sizes(known)))
    return Table("Size of the change by reading", ("Reading", *_HEAD), tuple(rows))


def fills_of(result: PublishedResult) -> dict[str, str]:
    """Falls that complete the sentences about readings."""
    return bounds(outcome_counts(result.facts), result.facts.outcome.reduction, result.definitions)


def counted(result: PublishedResult) -> Table:
    """Counted rates in each category with exact intervals, over both denominators."""
    counts, rows = outcome_counts(result.facts), []
    for category, label in LABELS.items():
        number = counts.of(category)
        if number is None:
            continue
        failed = number + (counts.missing if category == "none" else 0)
        cells = [rate(number, counts.evaluable)]
        if counts.missing:
            cells.append(rate(failed, counts.enrolled))
        rows.append((label, *cells))
    head = ["Category", f"Of the {counts.evaluable} seen"]
    if counts.missing:
        head.append(f"Of the {counts.enrolled} enrolled, the withdrawn as no response")
    words = frozenset(range(len(head)))
    week = f"week {result.facts.outcome.week:g}"
    return Table(f"Counted at {week}, with exact intervals", tuple(head), tuple(rows), words)


def behind_best(result: PublishedResult) -> Table | None:
    """The typical ratio behind the best of several visits; None without such facts."""
    if result.facts.best is None:
        return None
    table, base = result.answers, result.card.readings
    for axis in ("withdrawn", "remission", "ends"):
        table = table[table[axis] == getattr(base, axis)]
    rows = []
    for (name, reading), part in table.groupby(["prior_set", "no_response"], sort=False):
        ratios = part[part["quantity"] == "gmr"].set_index("part")
        if "best" not in ratios.index:
            continue
        true, naive = (_row(ratios, name_) for name_ in ("best", "best_naive"))
        before = wording.ratio_range(true["prior"], true["prior_lower"], true["prior_upper"])
        label = f"{name}"
        if reading != base.no_response:
            label += f"; {WORDS['no_response'][str(reading)].format(**fills_of(result))}"
        rows.append((label, gmr_text(true), gmr_text(naive), before))
    weeks = wording.listed([f"{week:g}" for week in result.facts.best.weeks])
    head = ("Prior set", "True typical ratio", "Naive: read as one measurement", "Prior alone")
    return Table(f"Behind the best of weeks {weeks}: GMR (95 % interval)", head, tuple(rows))


def _row(frame: pd.DataFrame, key: str) -> dict[str, Any]:
    return {str(name): value for name, value in frame.loc[key].items()}


def prior_table(result: PublishedResult) -> Table:
    """The priors in use, each with its meaning, reason and source."""
    specs: dict[str, PriorSpec | Shares] = {**result.card.prior, SHARES: result.card.shares}
    if result.facts.best is None:
        del specs["visit_noise_sd"]
    rows = tuple(
        (
            name,
            spec.formula,
            spec.explained if isinstance(spec, PriorSpec) else spec.meaning,
            spec.why,
            spec.source,
        )
        for name, spec in specs.items()
    )
    head = ("Prior", "Distribution", "Meaning", "Why", "Source")
    return Table(f"Priors, set {result.prior_set}", head, rows, frozenset(range(5)), wide=True)
