"""Other prior sets: every main answer again under each set that mnbayes brings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mnbayes.analyses.sensitivity.refits import refitted
from mnbayes.analyses.sensitivity.specifications import OWN_PRIORS, default_prior_sets
from mnbayes.answers.answer_table import FITTED, KEYS, NUMBERS
from mnbayes.answers.conclusions import Row, as_reported
from mnbayes.answers.result import ModelAsked, Result
from mnbayes.base.problems import InputError
from mnbayes.base.text_table import Table, records
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.overrides import with_priors
from mnbayes.report.kit import wording
from mnbayes.report.kit.answer_words import answer, heading, number
from mnbayes.report.kit.prior_left import ratio_left, share_left
from mnbayes.report.kit.results import OVERTURNS, joined, primary_model, share_ends, shown
from mnbayes.report.kit.wording import percent
from mnbayes.run.analysis import Analysis
from mnbayes.run.needs import a_card
from mnbayes.run.run import Run
from mnbayes.run.section import Asked, PageOne, Section, Sentence, Tidy

NAME = "prior_sets"
COLUMNS = ("model", "prior_set", *KEYS, *NUMBERS, "reason")
#: Kinds of answers whose range is told, in the order of the table.
_TOLD = ("gmr", "next_patient", "population", "exceeds")


def others(card: Card) -> list[tuple[str, Card]]:
    """The card under each prior set that mnbayes brings and that changes one of its priors."""
    try:
        own = load_card(card.name)
    except InputError:
        own = card
    if (own.markers, own.structure) != (card.markers, card.structure):
        own = card
    found: list[tuple[str, Card]] = []
    for name in default_prior_sets():
        try:
            other = with_priors(own, name)
        except InputError:
            continue
        known = [card.prior, *(each.prior for _, each in found)]
        if other.prior not in known and (name == OWN_PRIORS or other.prior != own.prior):
            found.append((name, other))
    return found


def find(asked: ModelAsked) -> pd.DataFrame:
    """Answers of a card that asks for refits, under each other prior set.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`, long, the run's own priors first.
    """
    card = asked.result.fit.required_card
    pairs = [({"prior_set": name}, other) for name, other in others(card)]
    return refitted(asked, COLUMNS, {"prior_set": FITTED}, pairs, "other prior sets")


def of(result: Result) -> pd.DataFrame:
    """What :func:`find` found of a result; empty unless it was asked for."""
    found: pd.DataFrame = result.parts.get(NAME, pd.DataFrame(columns=list(COLUMNS)))
    return found


def _told(result: Result) -> list[tuple[str, list[Row]]]:
    """Main answers at the primary week, by prior set: the ratios, then the stated categories."""
    week, definitions = result.primary_week, result.judged_by
    table = of(result)
    table = table[(table["week"] == week) & table["kind"].isin(_TOLD)]
    table = table[table["category"].isin(["", *definitions.stated])]
    order = {kind: i for i, kind in enumerate(_TOLD)}
    ranks = {category: i for i, category in enumerate(("", *definitions.stated))}
    table = table.assign(order=table["kind"].map(order), rank=table["category"].map(ranks))
    found: list[tuple[str, list[Row]]] = []
    for name, rows in table.groupby("prior_set", sort=False):
        rows = rows.sort_values(["rank", "order"], kind="stable")
        found.append((str(name), list(records(as_reported(rows, ["value"], result.catalogue)))))
    return found


def _left(result: Result, row: Row) -> float:
    """How much of the prior's interval of the quantity behind an answer is left."""
    if row["kind"] == "gmr":
        table = result.estimates
        own = records(table[(table["marker"] == row["marker"]) & (table["week"] == row["week"])])[0]
        ends = ("gmr_lower", "gmr_upper", "gmr_lower_prior", "gmr_upper_prior")
        return ratio_left(*(float(own[end]) for end in ends))
    return share_left(*share_ends(result, row["week"], row["category"]))


def table_of(result: Result, fitted: str) -> Table:
    """Each main answer under each prior set, and how much of its prior the data left."""
    columns = _told(result)
    first = columns[0][1]
    rest = [{tuple(row[key] for key in KEYS): row for row in rows} for _, rows in columns]
    rows = []
    for row in first:
        cells = [by.get(tuple(row[key] for key in KEYS)) for by in rest]
        texts = [
            wording.BLANK if cell is None or np.isnan(cell["value"]) else number(cell)
            for cell in cells
        ]
        left = _left(result, row)
        about = heading(row, result.judged_by, result.catalogue)
        rows.append((about, *texts, wording.BLANK if np.isnan(left) else percent(left)))
    names = (fitted if name == FITTED else name for name, _ in columns)
    caption = (
        f"Answers of {result.name} at {wording.week_name(result.primary_week)} under each prior "
        "set, and the width "
        "left of the prior's 95 % interval (of the ratio on the log scale; else of the share)"
    )
    return Table(caption, ("Answer", *names, "Left"), tuple(rows))


def _ends(told: Sequence[tuple[str, list[Row]]], row: Row) -> tuple[Row, Row]:
    """The least and the largest of an answer over the prior sets."""
    key = tuple(row[each] for each in KEYS)
    alike = [
        each
        for _, rows in told
        for each in rows
        if tuple(each[k] for k in KEYS) == key and not np.isnan(each["value"])
    ]
    alike.sort(key=lambda each: float(each["value"]))
    return alike[0], alike[-1]


def _range(low: Row, high: Row) -> str:
    least, most = number(low), number(high)
    return least if least == most else f"{least} to {most}"


def sentences_of(result: Result) -> tuple[str, ...]:
    """Range of each main answer over the prior sets."""
    told = _told(result)
    said = [
        f"{answer(row, result.judged_by, result.catalogue)} {_range(*_ends(told, row))}"
        for row in told[0][1]
        if row["kind"] != "population"
    ]
    return (f"Over the prior sets: {'; '.join(said)}.",)


def _page_one(result: Result) -> PageOne:
    told = _told(result)
    rows, first = told[0][1], result.judged_by.stated[:1]
    asked = [row for row in rows if row["category"] in first and row["kind"] != "population"]
    asked = asked or rows[:1]
    pieces: list[str | Asked] = []
    for row in asked[::-1]:
        subject = answer(row, result.judged_by, result.catalogue)
        about = wording.within(heading(row, result.judged_by, result.catalogue))
        pieces += ["; " if pieces else "over the sets ", f"{about} "]
        low, high = _ends(told, row)
        for position, each in enumerate([low] if number(low) == number(high) else [low, high]):
            pieces += [" to "] if position else []
            keys = {"model": result.name, "kind": each["kind"], "week": each["week"]}
            keys |= {"marker": each["marker"]} if each["marker"] else {}
            keys |= {"category": each["category"]} if each["category"] else {}
            pieces.append(
                Asked(
                    number(each),
                    f"is {subject} under the prior set {each['prior_set']}.",
                    NAME,
                    {**keys, "prior_set": str(each["prior_set"])},
                    "value",
                )
            )
    row, what = asked[0], "share" if asked[0]["category"] else "ratio"
    left, of = _left(result, row), ("share_", "") if row["category"] else ("gmr_", "log")
    keys = {"model": result.name, "week": row["week"]}
    keys |= {"category": row["category"]} if row["category"] else {"marker": row["marker"]}
    width, before = (
        f"({of[1]}({of[0]}upper{end}) - {of[1]}({of[0]}lower{end}))" for end in ("", "_prior")
    )
    pieces.append(". The data left ")
    pieces.append(
        Asked(
            percent(left),
            f"is the width of the 95 % interval of the {what}, as a share of that under the prior "
            "alone.",
            "population" if row["category"] else "estimates",
            keys,
            f"{width} / {before}",
        )
    )
    pieces.append(f" of the prior's width of the {what}.")
    return PageOne(OVERTURNS, "The prior", (Sentence(tuple(pieces)),))


def section(run: Run) -> Section:
    """What a run's models say under other prior sets."""
    able = [result for result in shown(run) if not of(result).empty]
    model = primary_model(able)
    tables = {result.name: table_of(result, run.prior_set) for result in able}
    own = tables.pop(model.name) if model else None
    return Section(
        name=NAME,
        title=ANALYSIS.title,
        absent="" if model else "no model was refitted under another prior set",
        tables={NAME: Tidy(joined(of(result) for result in run.results))},
        page_one=_page_one(model) if model else None,
        sentences=sentences_of(model) if model else (),
        shown=() if own is None else (own,),
        template="sensitivity/other_priors.html.j2",
        annex="sensitivity/tables.html.j2" if tables else "",
        words={"tables": tuple(tables.values())},
    )


ANALYSIS = Analysis(
    name=NAME,
    title="The prior",
    section=section,
    part="overturns",
    of_model=find,
    needs=a_card,
)
