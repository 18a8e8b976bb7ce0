"""Adverse events and symptoms in words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd
from markupsafe import Markup

from mnbayes.analyses.safety.counts import (
    ANY,
    SEVERE,
    adverse_events,
    safety_table,
    symptom_courses,
)
from mnbayes.analyses.safety.figure import finding, swimmer
from mnbayes.base.text_table import Spanned, Table, records
from mnbayes.data.cohort import Cohort
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import SAFETY
from mnbayes.report.kit.tables import great
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import Asked, Drawn, PageOne, Section, Sentence, Tidy

LIMIT = "exact one-sided 95 % limit"
#: Most terms that page 1 names.
_NAMED = 4
_BETAS = ["flat_median", "flat_limit", "jeffreys_median", "jeffreys_limit"]


@dataclass(frozen=True)
class Safety:
    """What the report says of events; nothing in it where the cohort has no table of them.

    Attributes
    ----------
    recorded : bool
        Whether the cohort has a table of events.
    table : DataFrame
        See :func:`mnbayes.analyses.safety.counts.safety_table`.
    adverse, symptoms : tuple of str
        Sentences.
    adverse_table, symptom_table : Markup or None
        None where there is nothing to count.
    brief : Table or None
        Events with their exact limits and the posterior's, for the main report.
    courses : tuple of Table
        Grades by patient and week, one table for each symptom.
    listing : Table or None
        Every row.
    """

    recorded: bool
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    adverse: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    adverse_table: Markup | None = None
    symptom_table: Markup | None = None
    brief: Table | None = None
    courses: tuple[Table, ...] = ()
    listing: Table | None = None


def safety(cohort: Cohort) -> Safety:
    """Describe a cohort's adverse events and symptoms; exact numbers, which no fit withholds."""
    if cohort.events is None:
        return Safety(recorded=False)
    table = safety_table(cohort)
    adverse, symptoms = table[table["kind"] == "adverse"], table[table["kind"] == "symptom"]
    present = symptom_courses(cohort.events)
    return Safety(
        True,
        table,
        _adverse_sentences(adverse, adverse_events(cohort.events)),
        _symptom_sentences(symptoms, present, len(cohort.patients)),
        great(_limits_table(adverse, "Patients with an adverse event, and how common it may be")),
        great(_limits_table(symptoms, "Patients whose symptom improved, and how rare that may be"))
        if len(symptoms)
        else None,
        _brief(adverse),
        tuple(_course(cohort.events, str(term)) for term in sorted(set(present["term"]))),
        _listing(cohort.events) if len(cohort.events) else None,
    )


def _adverse_sentences(table: pd.DataFrame, adverse: pd.DataFrame) -> tuple[str, ...]:
    every, severe = records(table[table["term"] == ANY])
    if every["patients"]:
        by_term = adverse.groupby("term", sort=True)["patient"].nunique()
        named = wording.listed([f"{term} ({count})" for term, count in by_term.items()])
        first = (
            f"{every['patients']} of {every['total']} patients had an adverse event, with "
            f"{every['terms']} distinct term{'s' if every['terms'] > 1 else ''}: {named}. "
            f"The highest grade was {every['highest_grade']}."
        )
    else:
        first = f"No adverse event was recorded in {every['total']} patients."
    kind = f"event of grade {SEVERE} or higher"
    who = (
        f"{severe['patients']} of {severe['total']} patients had an {kind}"
        if severe["patients"]
        else f"No {kind} was seen in {severe['total']} patients"
    )
    rate = f"a true rate up to {wording.percent(severe['exact'])} is still compatible ({LIMIT})."
    # (1 - p)^n = 1/2: a rate at which an event is as likely to be missed as to be seen.
    rare = 1 - 0.5 ** (1 / severe["total"])
    missed = (
        f"An event that strikes one patient in {1 / rare:.0f} goes unseen in half of all trials "
        f"with {severe['total']} patients."
    )
    return first, f"{who}; {rate}", missed


def _brief(table: pd.DataFrame) -> Table:
    """Adverse events: counts, the exact limit and the posterior's under a flat prior."""
    rows = []
    for row in _said(table):
        what = "any term" if row["term"] == ANY else row["term"]
        rows.append(
            (
                f"{wording.capital(what)}, {row['outcome']}",
                f"{row['patients']} of {row['total']}",
                wording.percent(row["exact"]),
                wording.percent(row["flat_median"]),
                wording.percent(row["flat_limit"]),
            )
        )
    head = ("What", "Patients", "Exact limit", "Posterior median", "Posterior limit")
    caption = "Adverse events; one-sided 95 % upper limits, posterior under a flat Beta(1, 1)"
    return Table(caption, head, tuple(rows))


def _said(table: pd.DataFrame) -> list[dict[str, Any]]:
    # A term that was never severe would only repeat the line of all terms.
    severe = table["outcome"] == f"grade {SEVERE} or higher"
    return records(table[~severe | (table["term"] == ANY) | (table["patients"] > 0)])


def _symptom_sentences(
    table: pd.DataFrame, present: pd.DataFrame, enrolled: int
) -> tuple[str, ...]:
    if table.empty:
        return ("No symptom was recorded at baseline.",)
    sentences = []
    for row in records(table[table["outcome"] == "improved"]):
        had = int((present["term"] == row["term"]).sum())
        text = (
            f"{wording.capital(row['term'])}: present at baseline in {had} of {enrolled} patients."
        )
        if row["total"]:
            text += (
                f" At the last record it had improved in {row['patients']} of {row['total']}; "
                f"a true share as low as {wording.percent(row['exact'])} is still compatible "
                f"({LIMIT})."
            )
        lost = had - row["total"]
        if lost:
            text += f" Without a later record, so not judged: {lost}."
        sentences.append(text)
    return tuple(sentences)


def _limits_table(table: pd.DataFrame, caption: str) -> Spanned:
    """Counts with their limits; the last row is the prior alone."""
    side = str(table["side"].iloc[0])
    data = []
    for row in _said(table):
        what = "any term" if row["term"] == ANY else row["term"]
        data.append(
            {
                "what": f"{wording.capital(what)}, {row['outcome']}",
                "patients": f"{row['patients']} of {row['total']}",
                "exact": wording.percent(row["exact"], 1),
                "rule_of_three": wording.percent(row["rule_of_three"], 1),
            }
            | {name: wording.percent(row[name], 1) for name in _BETAS}
        )
    alone = records(table.iloc[:1])[0]
    data.append(
        {"what": "Prior alone (no patient)"}
        | dict.fromkeys(("patients", "exact", "rule_of_three"), wording.BLANK)
        | {name: wording.percent(alone[f"{name}_prior"], 1) for name in _BETAS}
    )
    limit = f"95 % {side} limit"
    return Spanned(
        pd.DataFrame(data),
        f"safety-{side}",
        caption,
        {
            "what": "What",
            "patients": "Patients",
            "exact": "exact",
            "rule_of_three": "rule of three",
            **{name: "median" if name.endswith("median") else limit for name in _BETAS},
        },
        {
            f"One-sided {limit}": ["exact", "rule_of_three"],
            "Posterior, flat Beta(1, 1)": _BETAS[:2],
            "Posterior, Jeffreys Beta(½, ½)": _BETAS[2:],
        },
    )


def _course(events: pd.DataFrame, term: str) -> Table:
    """Grades of a symptom, patients in rows and weeks in columns."""
    rows = events[events["term"] == term]
    grades = {
        (p, w): f"{g:g}"
        for p, w, g in zip(rows["patient"], rows["week"], rows["grade"], strict=True)
    }
    weeks = sorted(set(rows["week"]))
    body = tuple(
        (str(patient), *(grades.get((patient, week), wording.BLANK) for week in weeks))
        for patient in rows["patient"].unique()
    )
    head = ("Patient", *(wording.week_name(week).capitalize() for week in weeks))
    return Table(f"{wording.capital(term)}: grade by visit", head, body)


def _listing(events: pd.DataFrame) -> Table:
    rows = tuple(
        (str(row["patient"]), f"{row['week']:g}", str(row["term"]), f"{row['grade']:g}")
        for row in records(events)
    )
    return Table(
        f"All {len(rows)} rows of the table of events",
        ("Patient", "Week", "Term", "Grade"),
        rows,
        frozenset({0, 2}),
    )


def _page_one(cohort: Cohort, table: pd.DataFrame) -> PageOne:
    """Events of any grade and severe ones, with the rate that is still compatible."""
    if cohort.events is None:
        text = "no events were recorded in the data, which is not the same as none having happened."
        return PageOne(SAFETY, "", (f"{wording.capital(text)}",))
    every, severe = records(table[(table["kind"] == "adverse") & (table["term"] == ANY)])
    terms = sorted(adverse_events(cohort.events)["term"].unique())
    named = f" ({', '.join(map(str, terms))})" if 0 < len(terms) <= _NAMED else ""
    worst = f", grade {every['highest_grade']} at most" if every["patients"] else ""
    counts = [
        Asked(
            f"{row['patients']} of {row['total']}",
            f"patients had an adverse event, {row['outcome']}.",
            "safety",
            {"kind": "adverse", "term": ANY, "outcome": str(row["outcome"])},
            "patients",
        )
        for row in (every, severe)
    ]
    limit = Asked(
        wording.percent(severe["exact"]),
        f"is the exact one-sided 95 % upper limit of the rate of events of grade {SEVERE} or more "
        f"({severe['patients']} of {severe['total']} patients).",
        "safety",
        {"kind": "adverse", "term": ANY, "outcome": str(severe["outcome"])},
        "exact",
    )
    return PageOne(
        SAFETY,
        "",
        (
            Sentence(
                (
                    counts[0],
                    f" patients had an adverse event{named}{worst}. Grade {SEVERE} or more: ",
                    counts[1],
                    "; a rate up to ",
                    limit,
                    " is still possible.",
                )
            ),
        ),
    )


def drawn(run: Run) -> tuple[None, Sequence[Drawn]]:
    """The picture of a run's patients; nothing else is found."""
    title, cohort = "Patients' time in the trial, and adverse events", run.cohort
    swum = Drawn("swimmer", title, finding(cohort), partial(swimmer, cohort), of_model=False)
    return None, (swum,)


def section(run: Run) -> Section:
    """The events of a run's cohort."""
    said = safety(run.cohort)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if said.recorded else "no events were recorded in the data",
        tables={"safety": Tidy(said.table)} if said.recorded else {},
        pictures=run.pictures.get(ANALYSIS.name, {}),
        sentences=(*said.adverse, *said.symptoms),
        template="safety/section.html.j2",
        page_one=_page_one(run.cohort, said.table),
        annex="safety/annex.html.j2" if said.recorded else "",
        words={"safety": said},
    )


ANALYSIS = Analysis(
    name="safety",
    title="Safety and symptoms",
    section=section,
    part="patients",
    after_fits=drawn,
)
