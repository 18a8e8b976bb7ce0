"""The section "Reading the paper": what published facts support, in words, tables and pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnbayes.published.readings import WORDS
from mnbayes.published.result import PublishedResult
from mnbayes.report import dominance, wording
from mnbayes.report.pictures import Picture
from mnbayes.report.published_conclusions import conclusions
from mnbayes.report.published_statements import (
    chance,
    gmr_text,
    reported_answers,
    statements,
)
from mnbayes.report.published_tables import (
    behind_best,
    by_prior,
    by_reading,
    counted,
    fills_of,
    prior_table,
)
from mnbayes.report.tables import Table

_PICTURES = {
    "evidence": (
        "What the paper says of each patient",
        "One row for each patient: the ratio to baseline where it is known, or the range it lies "
        "in; below, the density of the typical ratio before and after",
    ),
    "answers": (
        "The typical change under every prior set, withdrawal and reading",
        "One row for each: median and 95 % interval of the typical ratio; the numbers are in the "
        "tables below",
    ),
    "shares": (
        "Share of patients in each category",
        "Counted rates over both denominators, and expected shares of such patients under each "
        "handling of the withdrawn, with 95 % intervals; the numbers are in the tables",
    ),
    "best_visit": (
        "The change behind the best of several visits",
        "One row for each prior set: the typical ratio when the best is taken as the best of noisy "
        "visits, and when it is read as one measurement; the numbers are in the table",
    ),
}


@dataclass(frozen=True)
class PublishedSection:
    """What the report says of a paper's published facts.

    Attributes
    ----------
    title, source, doi : str
        Of the paper; ``doi`` is blank where the source names none.
    invented : bool
    model : str
    reasons, withheld : tuple of str
        Why the reported fit did not converge, and why its numbers are withheld.
    lead : tuple of str
        Sentences: the main answers, and how much of them is the prior.
    statements, counted, answers, by_reading, priors : Table
    by_prior : tuple of Table
        Sizes and shares.
    best : Table or None
        The best of several visits; None where the facts have none.
    conclusions : tuple of str
        What would overturn each conclusion.
    readings : tuple of str
        How ambiguous sentences are read in the reported answers.
    notes : tuple of str
        Readings that the facts rule out, prior sets that are the same as another.
    pictures : tuple of Picture
    """

    title: str
    source: str
    doi: str
    invented: bool
    model: str
    reasons: tuple[str, ...]
    withheld: tuple[str, ...]
    lead: tuple[str, ...]
    statements: Table
    counted: Table
    answers: Table
    best: Table | None
    conclusions: tuple[str, ...]
    by_prior: tuple[Table, ...]
    by_reading: Table
    priors: Table
    readings: tuple[str, ...]
    notes: tuple[str, ...]
    pictures: tuple[Picture, ...]


def doi_of(source: str) -> str:
    """The doi that a source names; blank if none."""
    after = source.partition("doi:")[2].strip()
    code = after.split()[0].rstrip(".,;)") if after else ""
    return code if code.startswith("10.") else ""


def _dominated(row: Mapping[str, Any]) -> str:
    if np.isnan(row["value"]):
        return ""
    if row["quantity"] == "gmr":
        ends = (row["lower"], row["upper"], row["prior_lower"], row["prior_upper"])
        return dominance.TAG if dominance.ratio_dominated(*ends) else ""
    if row["quantity"] == "share":
        ends = (row["lower"], row["upper"], row["prior_lower"], row["prior_upper"])
        return dominance.TAG if dominance.interval_dominated(*ends) else ""
    return dominance.TAG if dominance.probability_dominated(row["value"], row["prior"]) else ""


def _questions(result: PublishedResult) -> list[tuple[str, tuple[str, str, str]]]:
    week = f"week {result.facts.outcome.week:g}"
    bars = result.definitions.benchmarks
    asked = [
        (f"Typical ratio to baseline at {week} (GMR)", ("outcome", "gmr", "")),
        ("Did the typical patient fall at all? P(GMR < 1)", ("outcome", "p_fall", "")),
        ("… by at least 30 %?", ("outcome", "p_fall_30", "")),
        ("… by at least half?", ("outcome", "p_fall_50", "")),
        ("Next patient: any fall, as measured", ("outcome", "next_any_fall", "")),
        ("Next patient: a fall of at least half", ("outcome", "next_fall_50", "")),
    ]
    for category in ("effective", "remission", "complete"):
        label = wording.CATEGORY_LABELS[category]
        asked.append((f"Share of such patients: {label}", ("counts", "share", category)))
        if category in bars:
            bar = wording.percent(bars[category])
            text = f"… is that share above the benchmark of {bar}?"
            asked.append((text, ("counts", "exceeds", category)))
    known = reported_answers(result)
    return [(text, key) for text, key in asked if key in known]


def _main(result: PublishedResult) -> Table:
    known, rows = reported_answers(result), []
    for text, key in _questions(result):
        row = known[key]
        if row["quantity"] == "gmr":
            before = wording.ratio_range(row["prior"], row["prior_lower"], row["prior_upper"])
            now = gmr_text(row)
        elif np.isnan(row["lower"]):
            now, before = chance(row), wording.percent(row["prior"])
        else:
            ends = wording.percent_range(row["lower"], row["upper"])
            now = chance(row) if np.isnan(row["value"]) else f"{chance(row)} ({ends})"
            was = wording.percent_range(row["prior_lower"], row["prior_upper"])
            before = f"{wording.percent(row['prior'])} ({was})"
        error = wording.points(row["mcse"])
        if row["quantity"] == "gmr" and not np.isnan(row["mcse"]):
            error = f"{row['mcse']:.3f}" if row["mcse"] >= 0.0005 else "<0.001"
        rows.append((text, now, before, error, _dominated(row)))
    head = (
        *("Question", "Given the published numbers (95 % interval)", "Prior alone"),
        *("MCSE (GMR; else points)", "Note"),
    )
    caption = f"Main answers, prior set {result.prior_set}"
    return Table(caption, head, tuple(rows), frozenset({0, 4}))


def _lead(result: PublishedResult) -> tuple[str, ...]:
    known, facts = reported_answers(result), result.facts
    gmr, fell = known["outcome", "gmr", ""], known["outcome", "p_fall", ""]
    half = known["outcome", "next_fall_50", ""]
    if np.isnan(gmr["value"]):
        return ("The numbers that are summed are withheld; counts and exact intervals stand.",)
    said = [
        wording.moved(facts.marker, facts.outcome.week, gmr["value"], gmr["lower"], gmr["upper"]),
        f"The probability that the typical patient fell at all is {chance(fell)} (prior alone "
        f"{wording.percent(fell['prior'])}); that the next patient falls to half or less, as "
        f"measured, {chance(half)} (prior alone {wording.percent(half['prior'])}).",
    ]
    for category in ("effective", "remission"):
        key = ("counts", "share", category)
        if key in known:
            row = known[key]
            ends = wording.percent_range(row["lower"], row["upper"])
            was = wording.percent_range(row["prior_lower"], row["prior_upper"])
            what = {"effective": "a response of some kind", "remission": "a remission"}[category]
            said.append(
                f"Of such patients {wording.percent(row['value'])} would be expected to have "
                f"{what} (95 % interval {ends}; prior alone {was})."
            )
    return tuple(said)


def _notes(result: PublishedResult) -> tuple[str, ...]:
    table = result.answers
    impossible = table[(table["reason"] != "") & table["prior"].isna()]
    said = [
        f"A reading that these facts rule out, {WORDS['remission'][row['remission']]}: "
        f"{row['reason']}.".format(**fills_of(result))
        for _, row in impossible.drop_duplicates(["remission", "reason"]).iterrows()
    ]
    said += [
        f"Prior set {name} has the same priors of this model as {other}."
        for name, other in result.same_priors.items()
    ]
    return tuple(said)


def published_section(result: PublishedResult, pictures: Mapping[str, bytes]) -> PublishedSection:
    """Describe published facts for the template ``sections/published.html.j2``.

    Parameters
    ----------
    result : PublishedResult
    pictures : mapping
        Name as in :func:`mnbayes.plots.published.published_figures` to PNG bytes.

    Returns
    -------
    PublishedSection
    """
    fills, facts = fills_of(result), result.facts
    readings = tuple(
        WORDS[switch][choice].format(**fills)
        for switch, choice in result.card.readings.model_dump().items()
    )
    embedded = []
    for name, content in pictures.items():
        title, alt = _PICTURES[name]
        uri = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
        embedded.append(Picture("published", title, f"{alt}. Model: {result.name}.", uri))
    return PublishedSection(
        facts.title, facts.source, doi_of(facts.source), facts.invented, result.name,
        result.reasons, result.withheld, _lead(result), statements(result), counted(result),
        _main(result), behind_best(result), conclusions(result), by_prior(result),
        by_reading(result),
        prior_table(result), readings, _notes(result), tuple(embedded),
    )  # fmt: skip
