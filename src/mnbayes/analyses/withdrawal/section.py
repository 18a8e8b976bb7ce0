"""How far the answers depend on what is assumed of patients who left, in words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.withdrawal import part as withdrawal_part
from mnbayes.analyses.withdrawal.figure import (
    strategies_finding,
    tipping_curve,
    tipping_finding,
    withdrawal_strategies,
)
from mnbayes.analyses.withdrawal.tipping import Tipping, output_tables
from mnbayes.analyses.withdrawal.words import times
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Marker
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import OVERTURNS, doubted, primary_model, shown
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import repeats_and_prior
from mnbayes.run.run import Run
from mnbayes.run.section import Asked, Drawn, PageOne, Section, Sentence, Tidy


@dataclass(frozen=True)
class Withdrawal:
    """One model's answers under each withdrawal strategy.

    Attributes
    ----------
    model : str
        Its name.
    who : tuple of str
        Sentences: who left, and who only missed the visit.
    conclusions : tuple of (str, str)
        What is concluded, and what would overturn it. Empty where nobody left.
    tables : tuple of Table
        One for each quantity.
    """

    model: str
    who: tuple[str, ...]
    conclusions: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]


def about(enrolled: int) -> str:
    """Whom the numbers are about."""
    return (
        f"These numbers are about the {enrolled} enrolled patients themselves: had everybody been "
        "seen, what would this trial have shown?"
    )


def _nobody_left(at: str) -> str:
    return f"Nobody withdrew before {at}, so every strategy gives the same numbers: those below."


def _main(result: Result) -> Marker:
    """The marker that says whether a visit was seen."""
    return result.catalogue[result.judged.main]


def _who(result: Result) -> tuple[str, ...]:
    data, week = result.fit.observations, result.primary_week
    main = _main(result).name
    seen = data.observed[:, data.weeks.index(week), data.markers.index(main)]
    left = np.nan_to_num(data.withdrew_week, nan=np.inf) <= week
    names = np.array(data.patients)
    gone = [
        f"{patient} (week {since:g})"
        for patient, since in zip(
            names[left & ~seen], data.withdrew_week[left & ~seen], strict=True
        )
    ]
    missed = names[~left & ~seen].tolist()
    at = wording.week_name(week)
    sentences = [
        f"Withdrew, so not seen at {at}: {wording.listed(gone)}." if gone else _nobody_left(at)
    ]
    if missed:
        sentences.append(
            f"Not measured at {at} without having withdrawn: {wording.listed(missed)}. Such a "
            "visit is missing at random under every strategy."
        )
    return tuple(sentences)


def _cells(row: dict[str, Any], suffix: str) -> tuple[str, str]:
    # Share or ratio with its interval, and the probability beyond the threshold.
    centre, lower, upper = (
        row[f"{name}{suffix}"]
        for name in ("median" if row["quantity"] == "gmr" else "mean", "lower", "upper")
    )
    if np.isnan(centre):
        number = "no ratio: a failure has no level"
    elif row["quantity"] == "gmr":
        number = wording.ratio_range(centre, lower, upper)
    else:
        share = wording.probability(centre, row[f"mcse{suffix}"])
        number = f"{share} ({wording.percent_range(lower, upper)})"
    chance = wording.probability(row[f"probability{suffix}"], row[f"probability_mcse{suffix}"])
    return number, chance


def _table(rows: list[dict[str, Any]], definitions: Definitions, main: Marker) -> Table:
    first = rows[0]
    about = f"the {first['enrolled']} enrolled at {wording.week_name(first['week'])}"
    if first["quantity"] == "gmr":
        caption = f"GMR of {wording.in_text(main)} to baseline, {about}"
        number = "median (95 % interval)"
        chance = f"P(GMR {'<' if main.falls else '>'} 1)"
    else:
        caption = f"Share of {about}: {definitions.label(first['category'])}"
        number = "mean (95 % interval)"
        chance = f"P(share > {wording.percent(first['threshold'])})"
    body = [
        (
            str(row["assumption"]),
            *_cells(row, ""),
            wording.points(row["probability_mcse"]),
            *_cells(row, "_prior"),
        )
        for row in rows
    ]
    head = (
        *("Strategy", number.capitalize(), chance, "MCSE, points"),
        *(f"Prior alone: {number}", f"Prior alone: {chance}"),
    )
    return Table(caption, head, tuple(body))


def _tables(table: pd.DataFrame, definitions: Definitions, main: Marker) -> tuple[Table, ...]:
    """One for each quantity of which something is concluded, the primary category first."""
    barred = dict.fromkeys(table.loc[table["threshold"].notna(), "category"])
    ranked = dict.fromkeys((*definitions.stated, *definitions.responses, ""))
    order = [category for category in ranked if category in barred]
    return tuple(_table(records(table[table["category"] == c]), definitions, main) for c in order)


def _conclusions(tipping: Tipping | None) -> tuple[tuple[str, str], ...]:
    """What is concluded, and what would overturn it."""
    said: list[tuple[str, str]] = []
    for sentence in () if tipping is None else tipping.points["sentence"]:
        stands, _, ending = sentence.rpartition("; ")
        said.append((f"{stands}.", wording.capital(ending)))
    return tuple(said)


def _of_model(result: Result) -> Withdrawal:
    found = withdrawal_part.of(result)
    said = _conclusions(found.tipping)
    return Withdrawal(
        result.name, _who(result), said, _tables(found.table, result.judged_by, _main(result))
    )


def of_stored(
    model: str,
    table: pd.DataFrame,
    tipping: Tipping | None,
    reasons: Sequence[str],
    definitions: Definitions,
    main: Marker | None,
) -> Section:
    """One model of a finished run: ``mnbayes withdrawal``.

    Parameters
    ----------
    model : str
    table : DataFrame
        Empty where the run withheld the model's numbers.
    tipping : Tipping or None
    reasons : sequence of str
        Why its fit did not converge.
    definitions : Definitions
        The run's.
    main : Marker or None
        Whose ratio it is; None where the table is empty.
    """
    sentences: tuple[str, ...] = ()
    if not table.empty:
        first = records(table.iloc[:1])[0]
        sentences = (
            about(first["enrolled"]),
            f"{first['withdrawn']} of them withdrew."
            if tipping is not None
            else _nobody_left(wording.week_name(first["week"])),
            *(f"{claim} {ending}" for claim, ending in _conclusions(tipping)),
        )
    return Section(
        name=ANALYSIS.name,
        title=f"{ANALYSIS.title}: {model}",
        remarks=doubted(model, reasons, reasons if table.empty else ()),
        sentences=sentences,
        shown=() if table.empty or main is None else _tables(table, definitions, main),
    )


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """The enrolled under each strategy, and the tipping point, where somebody left."""
    found = withdrawal_part.of(result)
    if how.repeated or result.withheld or found.tipping is None:
        return ()
    reasons = result.fit.diagnostics.reasons
    return [
        Drawn(
            "withdrawal_strategies",
            "The enrolled patients under each withdrawal strategy",
            strategies_finding(found.table, how.definitions),
            partial(
                withdrawal_strategies,
                found.table,
                how.definitions,
                _main(result),
                reasons,
                how.synthetic,
            ),
        ),
        Drawn(
            "tipping_curve",
            "Tipping point",
            tipping_finding(found.tipping),
            partial(
                tipping_curve,
                found.tipping,
                how.definitions,
                _main(result),
                reasons,
                how.synthetic,
            ),
        ),
    ]


def _by_ending(own: Withdrawal | None) -> dict[str, list[str]]:
    """What would overturn conclusions, to those that it would overturn: no ending is said twice."""
    found: dict[str, list[str]] = {}
    for claim, ending in own.conclusions if own else ():
        found.setdefault(ending, []).append(claim)
    return found


def _primary(run: Run) -> Result | None:
    able = [result for result in shown(run) if not withdrawal_part.of(result).table.empty]
    return primary_model(able)


def _page_one(run: Run) -> PageOne | None:
    """Which conclusion the unseen could overturn first, or that they overturn none."""
    model = _primary(run)
    tipping = None if model is None else withdrawal_part.of(model).tipping
    if model is None or tipping is None:
        return None
    points = records(tipping.points)
    flips = [p for p in points if p["verdict"] == "flips"]
    holds = [p for p in points if p["verdict"] in ("never", "beyond")]
    unseen = points[0]["unseen"]

    def asked(point: dict[str, Any], text: str, meaning: str, column: str) -> Asked:
        row = {"model": model.name, "conclusion": point["conclusion"]}
        row |= {"category": point["category"]} if point["category"] else {}
        return Asked(text, meaning, "tipping_points", row, column)

    said: Sentence | str
    if flips:
        first = flips[0]
        error = 0.5 * (first["delta_upper"] - first["delta_lower"])
        needed = asked(
            first,
            times(first["delta"], error),
            "is how many times worse than predicted the unseen would have to be.",
            "delta",
        )
        said = Sentence((f"{first['claim']}, unless {unseen} did ", needed, " times worse."))
    elif holds:
        worst = asked(
            points[0],
            f"{points[0]['delta_max']:g}",
            "is the largest factor examined, by which the unseen are worse than predicted.",
            "delta_max",
        )
        said = Sentence(
            (f"{unseen}, even ", worst, " times worse than predicted, overturns no conclusion.")
        )
    else:
        said = "no conclusion about the enrolled holds, even as predicted."
    return PageOne(OVERTURNS, "Who was not seen", (said,))


def section(run: Run) -> Section:
    """Who left a run's cohort, under other assumptions."""
    model = _primary(run)
    own = None if model is None else _of_model(model)
    written = output_tables(
        (found.table, found.tipping) for found in map(withdrawal_part.of, run.results)
    )
    first = next(iter(own.tables), None) if own else None
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if own else "no model with the marker of the responses may be shown",
        tables={name: Tidy(table) for name, table in written.items()},
        pictures=run.pictures.get(ANALYSIS.name, {}),
        page_one=_page_one(run),
        sentences=tuple(f"{claim} {end}" for claim, end in own.conclusions) if own else (),
        shown=own.tables if own else (),
        template="withdrawal/section.html.j2",
        annex="withdrawal/annex.html.j2" if own else "",
        words={
            "own": own,
            "grouped": _by_ending(own),
            "first": first,
            "about": about(len(run.cohort.patients)),
        },
    )


ANALYSIS = Analysis(
    name="withdrawal",
    title="Who was not seen",
    section=section,
    part="overturns",
    of_model=withdrawal_part.find,
    figures=figures,
    draws={
        "withdrawal_strategies": "a patient who withdrew, and a response to judge",
        "tipping_curve": "a patient who withdrew, and a response to judge",
    },
    needs=repeats_and_prior,
)
