"""Influence of each patient in words and as a table: which answers move, and which flip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from mnbayes.analyses.influence import part as influence_part
from mnbayes.analyses.influence.figure import finding, influence
from mnbayes.analyses.influence.left_out import (
    MAIN,
    beyond_noise,
    conclusion,
    flip,
    last_visit,
    number,
)
from mnbayes.analyses.influence.refits import measured_patients, why_none
from mnbayes.answers.conclusions import Flip, Row
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Catalogue
from mnbayes.report.kit import wording
from mnbayes.report.kit.answer_words import answer, heading, lines_text
from mnbayes.report.kit.results import (
    OVERTURNS,
    joined,
    primary_model,
    prior_text,
    share_ends,
    shown,
)
from mnbayes.report.kit.wording import percent_range
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import a_card
from mnbayes.run.run import Run
from mnbayes.run.section import Asked, Drawn, PageOne, Section, Sentence, Tidy

#: Most flips that are listed one by one.
LISTED = 12

#: Sign behind an answer from which the report would conclude otherwise.
_MARKS: Mapping[Flip, str] = {"no": "", "close": " (†)", "yes": " †"}


@dataclass(frozen=True)
class Influence:
    """What the report says of one model.

    Attributes
    ----------
    sentences : tuple of str
        What moves most, or why nothing is shown.
    verdict : str
        Whether a conclusion changes; blank where nothing is shown.
    flips : tuple of str
        One for each conclusion that changes.
    table, brief : Table or None
        Every main answer, and those of the primary category.
    """

    sentences: tuple[str, ...]
    verdict: str = ""
    flips: tuple[str, ...] = ()
    table: Table | None = None
    brief: Table | None = None


def _moves(result: Result, table: pd.DataFrame, definitions: Definitions) -> list[str]:
    """What moves most: of the probabilities and shares, of the ratios, of patients' own."""
    sentences, known = [], result.catalogue
    ratio, own = table["kind"] == "gmr", table["kind"] == "latent"
    for chosen, among in (
        (~ratio & ~own, "Of the probabilities and shares for such patients, "),
        (ratio, "Of the ratios, " if len(set(table.loc[ratio, "marker"])) > 1 else ""),
        (own, "Of the other patients' own probabilities, "),
    ):
        rows = table[chosen & table["difference"].notna()]
        if rows.empty:
            continue
        size = rows["difference"].abs()
        if rows["kind"].eq("gmr").all():
            # Markers move on scales of their own: in widths of the interval from all patients.
            logs = np.log(rows[["value", "value_without", "lower", "upper"]])
            size = (logs["value_without"] - logs["value"]).abs() / (logs["upper"] - logs["lower"])
        row = records(rows.loc[[size.idxmax()]])[0]
        subject = answer(row, definitions, known)
        if beyond_noise(row):
            prior = row["prior"]
            before = wording.ratio(prior) if row["kind"] == "gmr" else prior_text(result, prior)
            text = (
                f"{among}{subject} moves most: from {number(row)} with all patients to "
                f"{number(row, '_without')} without {row['left_out']} ({before} under the prior "
                "alone)."
            )
        else:
            text = f"{among or f'{subject}: '}none moves by more than Monte Carlo error explains."
        sentences.append(wording.capital(text))
    return sentences


def _flips(
    table: pd.DataFrame, definitions: Definitions, line: float, known: Catalogue
) -> list[str]:
    found = []
    for row in records(table):
        if flip(row, definitions.benchmarks, line) != "yes":
            continue
        then, now = (
            conclusion(row, definitions.benchmarks, line, suffix) for suffix in ("", "_without")
        )
        subject = answer(row, definitions, known)
        found.append(
            f"Without {row['left_out']}, {subject} goes from {number(row)}, {then}, to "
            f"{number(row, '_without')}, {now}."
        )
    return found


def _verdict(table: pd.DataFrame, definitions: Definitions, line: float) -> str:
    rows = records(table)
    sure, close = (
        [row for row in rows if flip(row, definitions.benchmarks, line) == kind]
        for kind in ("yes", "close")
    )
    within = f" {len(close)} lie within Monte Carlo error of the line." if close else ""
    if not sure:
        return (
            f"None of {len(rows)} conclusions changes, whoever is left out: no probability crosses "
            f"{lines_text(line)}, no expected share its benchmark, no ratio's 95 % interval 1."
            f"{within}"
        )
    who = wording.listed(list(dict.fromkeys(str(row["left_out"]) for row in sure)))
    verb = "changes" if len(sure) == 1 else "change"
    return f"{len(sure)} of {len(rows)} conclusions {verb} ({who} left out).{within}"


def what_matters(table: pd.DataFrame, definitions: Definitions) -> Row | None:
    """The row that moves the primary answer most.

    The probability that the share of the primary category exceeds its benchmark; without one the
    share, the next patient, or the ratio.
    """
    rows = table[table["difference"].notna()]
    for kind in ("exceeds", "population", "next_patient", "gmr"):
        own = rows[rows["kind"] == kind]
        for category in (*definitions.stated, ""):
            chosen = own[own["category"] == category]
            if not chosen.empty:
                return records(chosen.loc[[chosen["difference"].abs().idxmax()]])[0]
    return None


def _column(row: Row, definitions: Definitions, known: Catalogue) -> str:
    interval = " (95 % interval)" if row["kind"] in ("gmr", "population") else ""
    return f"{heading(row, definitions, known)}{interval}"


def _prior(result: Result, row: Row) -> str:
    """The answer under the prior alone, with its interval where it has one."""
    if row["kind"] == "gmr":
        table = result.estimates
        table = table[(table["marker"] == row["marker"]) & (table["week"] == row["week"])]
        own = records(table)[0]
        return wording.gmr_range(own, "_prior")
    text = prior_text(result, row["prior"])
    if row["kind"] == "population":
        ends = share_ends(result, row["week"], row["category"])
        text += f" ({percent_range(*ends[2:])})"
    return text


def influence_table(
    result: Result, definitions: Definitions, line: float, *, brief: bool = False
) -> Table:
    """The main answers at the primary week: of all patients, prior alone, without each patient.

    ``brief`` leaves the ratio of the primary marker and what is said of the primary category.

    A dagger marks an answer from which the report would conclude otherwise, in brackets where
    that may be Monte Carlo error.
    """
    shown = last_visit(result)
    shown = shown[shown["kind"].isin(MAIN)]
    if brief:
        category = next(
            (c for c in definitions.stated if c in set(shown["category"])), "no such category"
        )
        main = shown["marker"].eq(result.judged.main) & shown["kind"].eq("gmr")
        kept = shown[main | shown["category"].eq(category)]
        shown = kept if len(kept) else shown
    order = shown["kind"].map({kind: i for i, kind in enumerate(MAIN)})
    # Ratios and their probabilities marker by marker, then the responses.
    ranks = {name: i for i, name in enumerate(result.fit.observations.markers)}
    marker = shown["marker"].map(ranks).fillna(len(ranks))
    shown = shown.assign(order=order, rank=marker).sort_values(["rank", "order"], kind="stable")
    patients = influence_part.of(result)["left_out"].unique().tolist()
    rows = {patient: records(shown[shown["left_out"] == patient]) for patient in patients}
    first = rows[patients[0]]
    texts = [
        ("nobody", *(number(row) for row in first)),
        ("prior alone", *(_prior(result, row) for row in first)),
    ]
    for patient, own in rows.items():
        cells = [
            f"{number(row, '_without')}{_MARKS[flip(row, definitions.benchmarks, line)]}"
            for row in own
        ]
        texts.append((patient, *cells))
    errors = shown.loc[shown["kind"] != "gmr", ["mcse", "mcse_without"]].to_numpy(dtype=float)
    worst = float(np.nanmax(errors)) if np.isfinite(errors).any() else float("nan")
    what = "Primary answers" if brief else "Answers"
    caption = (
        f"{what} of {result.name} at {wording.week_name(result.primary_week)} without each "
        f"patient (Monte Carlo error at most {wording.points(worst)} points). †: the conclusion "
        "changes; (†): it may, within Monte Carlo error."
    )
    head = ("Left out", *(_column(row, definitions, result.catalogue) for row in first))
    return Table(caption, head, tuple(texts))


def _left_aside(result: Result) -> list[str]:
    """Patients without a refit, each with the reason."""
    table, fitted = influence_part.of(result), result.fit
    unmeasured = [p for p in fitted.observations.patients if p not in measured_patients(fitted)]
    sentences = []
    if unmeasured:
        verb = "was" if len(unmeasured) == 1 else "were"
        sentences.append(
            f"{wording.listed(unmeasured)} {verb} not measured, so there is nothing to leave out."
        )
    blank = table[table["value_without"].isna() & (table["week"] == result.primary_week)]
    for row in records(blank.drop_duplicates("left_out")):
        sentences.append(f"Without {row['left_out']} there is no answer ({row['reason']}).")
    return sentences


def influence_of(result: Result, definitions: Definitions, line: float) -> Influence:
    """What the report says of a model's influence.

    Parameters
    ----------
    result : Result
        Not withheld.
    definitions : Definitions
    line : float
        The definitions' decision probability.

    Returns
    -------
    Influence
        Without a table, and with the reason as its sentence, where no patient was left out.
    """
    if influence_part.of(result).empty:
        return Influence((f"Not shown: {_reason(result)}.",))
    table = last_visit(result)
    # What is said of all such patients comes before single patients.
    table = table.sort_values("kind", key=lambda kind: kind == "latent", kind="stable")
    flips = _flips(table, definitions, line, result.catalogue)
    if len(flips) > LISTED:
        more = f"And {len(flips) - LISTED} more; all numbers are in influence.csv."
        flips = [*flips[:LISTED], more]
    return Influence(
        (*_moves(result, table, definitions), *_left_aside(result)),
        _verdict(table, definitions, line),
        tuple(flips),
        influence_table(result, definitions, line),
        influence_table(result, definitions, line, brief=True),
    )


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """The primary answer without each patient."""
    if result.withheld or influence_part.of(result).empty:
        return ()
    return [
        Drawn(
            "influence",
            "The primary answer without each patient",
            finding(result, how.definitions),
            partial(influence, result, how.definitions, how.synthetic),
        )
    ]


def _primary(run: Run) -> Result | None:
    """The primary model if patients were left out of it, else one of which they were."""
    asked = [result for result in shown(run) if not influence_part.of(result).empty]
    return primary_model(asked)


def _page_one(run: Run) -> PageOne | None:
    model = _primary(run)
    if model is None:
        return None
    definitions = run.definitions
    table = last_visit(model)
    row = what_matters(table, definitions)
    if row is None:
        return None
    keys = {"model": model.name, "kind": row["kind"], "week": row["week"]}
    keys |= {"marker": row["marker"]} if row["marker"] else {"category": row["category"]}
    subject = answer(row, definitions, model.catalogue)
    lines = [
        Asked(
            number(row, suffix),
            f"is {subject}{without}, at {wording.week_name(row['week'])}.",
            "influence",
            {**keys, "left_out": str(row["left_out"])},
            f"value{suffix}",
            prior="" if suffix else _prior(model, row),
            mcse="" if row["kind"] == "gmr" else f"{wording.points(row[f'mcse{suffix}'])} points",
        )
        for suffix, without in (("", ""), ("_without", f" without {row['left_out']}"))
    ]
    pieces = (f"without {row['left_out']}, {subject} is ", lines[1], ", not ", lines[0], ".")
    pictures = run.pictures.get(ANALYSIS.name, {}).get(model.name, ())
    return PageOne(OVERTURNS, "One patient", (Sentence(pieces),), pictures[:1])


def failed_refits(run: Run) -> tuple[str, ...]:
    """Refits that gave no answer at all, each with the reason."""
    said = []
    for result in run.results:
        table = influence_part.of(result)
        if table.empty or result.withheld:
            continue
        for patient, rows in table.groupby("left_out", sort=False):
            if rows["value_without"].isna().all():
                reason = rows["reason"].iloc[0]
                said.append(f"{result.name}: the refit without {patient} {reason}.")
    return tuple(said)


def section(run: Run) -> Section:
    """The influence of each patient in a run."""
    line = run.definitions.decision.probability
    said = {
        result.name: influence_of(result, run.definitions, line)
        for result in shown(run)
        if not influence_part.of(result).empty
    }
    model = _primary(run)
    first = None if model is None else said[model.name]
    whole = {name: own.table for name, own in said.items() if own.table is not None}
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if first else next(map(_reason, shown(run)), "every model is withheld"),
        tables={"influence": Tidy(joined(influence_part.of(result) for result in run.results))},
        pictures=run.pictures.get(ANALYSIS.name, {}),
        page_one=_page_one(run),
        sentences=(first.verdict,) if first else (),
        remarks=failed_refits(run),
        shown=(first.brief,) if first and first.brief else (),
        template="influence/section.html.j2",
        annex="influence/annex.html.j2" if whole else "",
        words={
            "own": first,
            "name": model.name if model else "",
            "whole": whole,
            "line": lines_text(line),
        },
    )


def _reason(result: Result) -> str:
    """Why no patient was left out of a model."""
    why = why_none(result.fit) or "It was switched off for this run (--no-influence)."
    return wording.small(why.rstrip("."))


ANALYSIS = Analysis(
    name="influence",
    title="One patient",
    section=section,
    part="overturns",
    figures=figures,
    draws={
        "influence": "refits without each patient, as a run makes of a card with influence = true",
    },
    needs=a_card,
)
