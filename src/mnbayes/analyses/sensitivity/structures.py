"""Other structures of one model: every answer again with a constant step, with heavier tails.

A handful of patients cannot choose between structures by how well they predict: the card's was
chosen by how often it is right on simulated cohorts (``docs/trajectory.md``). What would be said
under the others stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mnbayes.analyses.sensitivity.refits import refitted
from mnbayes.analyses.sensitivity.specifications import STRUCTURES, with_structure
from mnbayes.analyses.sensitivity.words import axis_value
from mnbayes.answers.answer_table import FITTED, KEYS, NUMBERS
from mnbayes.answers.conclusions import Row, as_reported, concluded, conclusion, flip
from mnbayes.answers.result import ModelAsked, Result, headline_week
from mnbayes.base.problems import InputError
from mnbayes.base.text_table import Table, records
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.fit import Fit
from mnbayes.report.kit import wording
from mnbayes.report.kit.answer_words import answer, heading, number
from mnbayes.report.kit.results import OVERTURNS, joined, primary_model, shown
from mnbayes.run.analysis import Analysis
from mnbayes.run.needs import a_card
from mnbayes.run.run import Run
from mnbayes.run.section import PageOne, Section, Tidy

NAME = "structures"
COLUMNS = ("model", *STRUCTURES, *KEYS, *NUMBERS, "reason")
_CHOSEN = (
    "So few patients cannot choose between structures; the one fitted was chosen by how often it "
    "is right on simulated cohorts."
)


def others(card: Card) -> list[Card]:
    """The card with each part of its structure changed by itself.

    A card that has no prior for what a structure adds is left out.
    """
    found = []
    for name, choices in STRUCTURES.items():
        for value in choices:
            if value != getattr(card.structure, name):
                try:
                    found.append(with_structure(card, **{name: value}))
                except InputError:
                    continue
    return found


def find(asked: ModelAsked) -> pd.DataFrame:
    """Answers of a card that asks for refits, under each other structure.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`, long, the model's own structure first; ``reason`` says why a
        structure has no numbers. Empty where no cohort to refit is given.
    """
    card = asked.result.fit.required_card
    pairs = [(_parts(other), other) for other in others(card)]
    return refitted(asked, COLUMNS, _parts(card), pairs, "other structures")


def _parts(card: Card) -> dict[str, str]:
    return {name: getattr(card.structure, name) for name in STRUCTURES}


def of(result: Result) -> pd.DataFrame:
    """What :func:`find` found of a result; empty unless it was asked for."""
    found: pd.DataFrame = result.parts.get(NAME, pd.DataFrame(columns=list(COLUMNS)))
    return found


def _by_structure(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Each structure in words, what differs from the first alone, with its answers."""
    own, *rest = list(table.groupby(list(STRUCTURES), sort=False))
    found = [(FITTED, own[1])]
    for key, rows in rest:
        differing = zip(STRUCTURES, key, own[0], strict=True)
        words = [axis_value(axis, now) for axis, now, then in differing if now != then]
        found.append((" and ".join(words), rows))
    return found


def _reported(rows: pd.DataFrame, definitions: Definitions, fit: Fit) -> pd.DataFrame:
    """What is concluded at the primary week, the ratios and the shares before it."""
    week = headline_week(fit, definitions)
    at_week = rows[(rows["week"] == week) & rows["category"].isin(["", *definitions.responses])]
    first = at_week[at_week["kind"].isin(["gmr", "population"])]
    every = pd.concat([first, concluded(rows, definitions, week)])
    return as_reported(every, ["value"], fit.catalogue)


def table_of(result: Result, run: Run) -> Table:
    """The main answers at the primary week, one column for each structure."""
    week = result.primary_week
    columns = [
        (name, _reported(rows, run.definitions, result.fit))
        for name, rows in _by_structure(of(result))
    ]
    by_key = [
        {tuple(row[key] for key in KEYS): row for row in records(rows)} for _, rows in columns
    ]
    lines = []
    for key, row in by_key[0].items():
        label = heading(row, run.definitions, result.catalogue)
        label = f"{row['patient']}: {row['category']}" if row["kind"] == "latent" else label
        lines.append((label, *(_text(rows.get(key)) for rows in by_key)))
    caption = f"Answers of {result.name} at week {week:g} under other structures of the model"
    head = ("Answer", *(wording.capital(name) for name, _ in columns))
    return Table(caption, head, tuple(lines))


def _text(row: Row | None) -> str:
    return wording.BLANK if row is None or np.isnan(row["value"]) else number(row)


@dataclass(frozen=True)
class Changed:
    """What another structure changes.

    Attributes
    ----------
    name : str
        The structure in words.
    moved : tuple of str
        Conclusions that change, each as a clause.
    briefly : tuple of str
        The same without numbers.
    reason : str
        Why the structure has no numbers; blank where it has.
    """

    name: str
    moved: tuple[str, ...] = ()
    briefly: tuple[str, ...] = ()
    reason: str = ""

    @property
    def sentence(self) -> str:
        """All of it."""
        if self.reason:
            return f"{wording.capital(self.name)}: it {self.reason}."
        return f"With {self.name}, {wording.listed(self.moved) or 'no conclusion changes'}."

    @property
    def brief(self) -> str:
        """A clause for page 1: the conclusion that changes, or how many do; blank where none."""
        if self.reason:
            return f"with {self.name} the fit gave no answer"
        if len(self.briefly) > 1:
            return f"with {self.name} {len(self.briefly)} conclusions change"
        return f"with {self.name}, {self.briefly[0]}" if self.briefly else ""


def changes_of(result: Result, run: Run) -> tuple[Changed, ...]:
    """What would be concluded otherwise under each other structure."""
    line = run.definitions.decision.probability
    (_, own), *rest = _by_structure(of(result))
    before = {
        tuple(row[key] for key in KEYS): row
        for row in records(_reported(own, run.definitions, result.fit))
    }
    found = []
    for name, rows in rest:
        if rows["reason"].any():
            found.append(Changed(name, reason=str(rows["reason"].iloc[0])))
            continue
        moved, briefly = [], []
        for row in records(_reported(rows, run.definitions, result.fit)):
            then = before.get(tuple(row[key] for key in KEYS))
            if then is None or row["kind"] in ("gmr", "population"):
                continue
            pair = [(each["value"], each["mcse"]) for each in (then, row)]
            if flip(pair[0], pair[1], line) == "yes":
                subject = answer(row, run.definitions, result.catalogue)
                was, now = (conclusion(value, line) for value, _ in pair)
                moved.append(
                    f"{subject} would go from {number(then)}, {was}, to {number(row)}, {now}"
                )
                briefly.append(f"{subject} would be {now}, not {was}")
        found.append(Changed(name, tuple(moved), tuple(briefly)))
    return tuple(found)


def _page_one(changes: Sequence[Changed]) -> PageOne:
    parts = [each.brief for each in changes if each.brief]
    said = "; ".join(parts) if parts else "no conclusion changes under the other structures tried"
    return PageOne(OVERTURNS, "The model", (f"{said}.",))


def section(run: Run) -> Section:
    """What a run's models say under other structures."""
    able = [result for result in shown(run) if not of(result).empty]
    model = primary_model(able)
    changes = changes_of(model, run) if model else ()
    tables = {result.name: table_of(result, run) for result in able}
    said = tuple(each.sentence for each in changes)
    return Section(
        name=NAME,
        title=ANALYSIS.title,
        absent="" if model else "no model was refitted with another structure",
        tables={NAME: Tidy(joined(of(result) for result in run.results))},
        page_one=_page_one(changes) if changes else None,
        sentences=(*said, _CHOSEN) if said else (),
        shown=(tables[model.name],) if model else (),
        template="sensitivity/structures.html.j2",
        annex="sensitivity/tables.html.j2" if able else "",
        words={"tables": tuple(tables.values())},
    )


ANALYSIS = Analysis(
    name=NAME,
    title="The structure of the model",
    section=section,
    part="overturns",
    of_model=find,
    needs=a_card,
)
