"""The first page: what the trial says, in plain words, and how much of it is the prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mnbayes.analyses.summary.tables import tables_of
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.report.kit import wording
from mnbayes.report.kit.dominance import (
    RULE,
    interval_dominated,
    probability_dominated,
    ratio_dominated,
)
from mnbayes.report.kit.results import (
    FOLLOWS,
    by_patient,
    fall_errors,
    measured_at,
    not_measured,
    prior_text,
    response_model,
    rows_of,
    share_ends,
    shown,
    stated,
)
from mnbayes.report.kit.wording import percent, percent_range, probability
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import PageOne, Section

#: Page 1 names the patients of a trial of so many; of more it counts them.
NAMED = 24


@dataclass(frozen=True)
class Headline:
    """One answer beside the same answer under the prior alone."""

    question: str
    posterior: str
    prior: str
    dominated: bool


@dataclass(frozen=True)
class Summary:
    """Plain-language summary.

    Attributes
    ----------
    change, patients, next_patient : tuple of str
        Sentences; empty where no model that may be shown answers the question.
    headlines : tuple of Headline
    prior : str
        The sentence that says which answers are prior-dominated, or that none is.
    """

    change: tuple[str, ...]
    patients: tuple[str, ...]
    next_patient: tuple[str, ...]
    headlines: tuple[Headline, ...]
    prior: str

    @property
    def table(self) -> Table:
        """The headlines as a table."""
        rows = tuple(
            (h.question, h.posterior, h.prior, "yes" if h.dominated else "no")
            for h in self.headlines
        )
        head = ("Question", "Given the data", "Prior alone", "Prior-dominated?")
        return Table("The main answers, with and without the data", head, rows, frozenset({0, 3}))


def _change(
    result: Result, marker: str, headlines: list[Headline], *, lead: bool = False
) -> list[str]:
    week = result.primary_week
    table = result.estimates
    row = records(table[(table["marker"] == marker) & (table["week"] == week)])[0]
    now, before = (
        tuple(float(row[f"gmr_{part}{suffix}"]) for part in ("median", "lower", "upper"))
        for suffix in ("", "_prior")
    )
    texts = [f"{percent(m)} ({percent_range(low, high)})" for m, low, high in (now, before)]
    about, what = result.catalogue[marker], "as a share of baseline"
    if about.scale == "logit":
        texts = [wording.ratio_range(*each) for each in (now, before)]
        what = "odds ratio to baseline"
    headlines.append(
        Headline(
            f"{about.label} at {wording.week_name(week)}, {what} (95 % interval)",
            texts[0],
            texts[1],
            ratio_dominated(now[1], now[2], before[1], before[2]),
        )
    )
    sentences = [
        wording.moved(about, week, now[0], now[1], now[2], measured_at(result, week, marker))
    ]
    if lead:
        rises = about.better == "higher"
        chance, prior = (float(row[f"p_fall{suffix}"]) for suffix in ("", "_prior"))
        error = fall_errors(result, marker)[week]["p_fall"]
        sentences.append(
            f"That is the geometric mean over {_over(result)}. The probability that it "
            f"{'rose' if rises else 'fell'} at all is "
            f"{probability(1 - chance if rises else chance, error)}; under the prior alone it is "
            f"{prior_text(result, 1 - prior if rises else prior)}."
        )
    return sentences


def _over(result: Result) -> str:
    """Over whom a model's ratio is a mean."""
    of = result.fit.tree["posterior"]["visit_change"].attrs.get("of")
    return "patients of this kind" if of is None else f"{of}, not over all of their kind"


def _named(rows: dict[str, dict[str, Any]], result: Result, week: float) -> str:
    predicted = not_measured(result, week)
    if len(result.fit.observations.patients) > NAMED:
        unseen = sum(patient in predicted for patient in rows)
        note = f" ({unseen} of them predicted: not measured at this visit)" if unseen else ""
        return f"{len(rows)} of {len(result.fit.observations.patients)} patients{note}"
    names = []
    for patient, row in rows.items():
        note = f", predicted: {predicted[patient]}" if patient in predicted else ""
        names.append(f"{patient} ({probability(row['probability'], row['mcse'])}{note})")
    return wording.listed(names)


def _patients(result: Result, category: str, line: float, headlines: list[Headline]) -> list[str]:
    week = result.primary_week
    rows = by_patient(result, "latent", week, category)
    called = result.judged_by.called(category)
    name = f"{called[0].upper()}{called[1:]}"
    at = wording.week_name(week)
    groups: tuple[tuple[float, float, str], ...] = (
        (line, np.inf, f"is likely ({percent(line)} or more)"),
        (1 - line, line, f"is uncertain ({percent(1 - line)} to {percent(line)})"),
        (-np.inf, 1 - line, f"is unlikely (below {percent(1 - line)})"),
    )
    sentences = []
    for lowest, below, verdict in groups:
        chosen = {p: row for p, row in rows.items() if lowest <= row["probability"] < below}
        if chosen:
            sentences.append(f"{name} at {at} {verdict} for {_named(chosen, result, week)}.")
    everybody, unseen = len(rows), len(not_measured(result, week))
    sentences.append(
        f"{everybody - unseen} of {everybody} patients had every marker of the model measured "
        f"then{'; the others are predicted' if unseen else ''}. "
        "These are probabilities that the patient's true level meets the definition. They can "
        "differ from the category as measured, because one measurement is noisy."
    )
    few = len(result.fit.observations.patients) <= NAMED
    for patient, row in rows.items() if few else ():
        if probability_dominated(row["probability"], row["prior_probability"]):
            headlines.append(
                Headline(
                    f"Patient {patient}: {category} at {at} (true level)",
                    probability(row["probability"], row["mcse"]),
                    prior_text(result, row["prior_probability"]),
                    True,
                )
            )
    return sentences


def _next_patient(result: Result, run: Run, headlines: list[Headline]) -> list[str]:
    week = result.primary_week
    at = wording.week_name(week)
    parts: list[str] = []
    for quantity in ("next_patient", "population", "exceeds"):
        for row in rows_of(result, quantity, week):
            category = row["category"]
            if category not in stated(result):
                continue
            if np.isnan(row["probability"]):
                continue  # the model says nothing of such patients
            now = probability(row["probability"], row["mcse"])
            before = prior_text(result, row["prior_probability"])
            dominated = probability_dominated(row["probability"], row["prior_probability"])
            if quantity == "next_patient":
                question = f"Next patient: {category} at {at}, as measured"
                called = result.judged_by.called(category)
                parts.append(f"of {called} is {now} ({before} under the prior alone)")
            elif quantity == "population":
                question = f"Share of such patients: {category} at {at} (95 % interval)"
                ends = share_ends(result, week, category)
                now = f"{now} ({percent_range(ends[0], ends[1])})"
                before = f"{before} ({percent_range(ends[2], ends[3])})"
                dominated = interval_dominated(*ends)
            else:
                bar = percent(run.definitions.benchmarks[category])
                question = f"That share exceeds the benchmark of {bar}: {category} at {at}"
            headlines.append(Headline(question, now, before, dominated))
    if not parts:
        return []
    return [f"For the next patient like these, at {at}: the probability {wording.listed(parts)}."]


def summarise_run(run: Run) -> Summary:
    """Sentences and headline answers of a run, from results that may be shown."""
    results = shown(run)
    headlines: list[Headline] = []
    change: list[str] = []
    asked = run.definitions.of_markers(run.catalogue, {}, "").markers or ()
    fitted = [marker for result in results for marker in result.fit.observations.markers]
    wanted = (run.cohort.primary_marker, *asked, *fitted)
    leading = next((marker for marker in wanted if marker in fitted), "")
    for marker in dict.fromkeys([leading, *asked]):
        first = next((r for r in results if marker in r.fit.observations.markers), None)
        if first is not None:
            change += _change(first, marker, headlines, lead=marker == leading)
    model = response_model(results)
    patients: list[str] = []
    following: list[str] = []
    if model is not None:
        of_patients: list[Headline] = []
        for category in stated(model)[:1]:
            patients = _patients(model, category, run.definitions.decision.probability, of_patients)
        following = _next_patient(model, run, headlines)
        headlines += of_patients
    dominated = [headline.question for headline in headlines if headline.dominated]
    if not headlines:
        verdict = ""
    elif dominated:
        verdict = (
            f"Prior-dominated: {'; '.join(dominated)}. There the report says little more than "
            "what was assumed before the trial."
        )
    else:
        verdict = "None of the main answers is prior-dominated."
    return Summary(tuple(change), tuple(patients), tuple(following), tuple(headlines), verdict)


def _responses(run: Run) -> list[tuple[str, str]]:
    """The stated categories and what they are built on, with what each requires."""
    definitions = run.definitions
    sentences = wording.definition_sentences(definitions, run.catalogue)
    return [(definitions.label(c), sentences[c]) for c in definitions.stated[:1]]


def _under(run: Run) -> dict[str, list[PageOne]]:
    """What other sections say on page 1, by the heading that they share."""
    found: dict[str, list[PageOne]] = {}
    for each in run.sections:
        if each.page_one is not None and each.page_one.sentences:
            found.setdefault(each.page_one.under, []).append(each.page_one)
    return found


def section(run: Run) -> Section:
    """Page 1 of a run; the sections made before give their sentences to it."""
    said = summarise_run(run)
    under = _under(run)
    follows = [text for each in under.get(FOLLOWS, ()) for text in each.sentences[:2]]
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        place="page 1",
        absent="" if said.headlines else "no model-based answer can be shown",
        sentences=(*said.change, *said.patients[:-1], *said.next_patient, *follows),
        shown=tables_of(shown(run)),
        template="summary/section.html.j2",
        words={
            "summary": said,
            "page_one": under,
            "rule": RULE,
            "responses": _responses(run),
        },
    )


ANALYSIS = Analysis(name="summary", title="Summary", section=section)
