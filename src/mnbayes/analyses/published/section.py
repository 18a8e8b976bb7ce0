"""The section "Reading the paper": what published facts support, in words, tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mnbayes.analyses.published.card import PublishedCard, load_published_card, override_published
from mnbayes.analyses.published.categories import LABELS, MADE_OF
from mnbayes.analyses.published.conclusions import conclusions
from mnbayes.analyses.published.facts import Facts
from mnbayes.analyses.published.figure import published_figures
from mnbayes.analyses.published.fit import fit_published
from mnbayes.analyses.published.load_facts import load_facts
from mnbayes.analyses.published.readings import WORDS
from mnbayes.analyses.published.result import PublishedResult
from mnbayes.analyses.published.section_tables import (
    by_prior,
    fills_of,
    prior_table,
)
from mnbayes.analyses.published.statements import (
    behind_best,
    chance,
    gmr_text,
    reported_answers,
    statements,
)
from mnbayes.answers.reported import ROW_KEYS
from mnbayes.base.text_table import Table
from mnbayes.base.workers import News
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.cards.prior_sets import PriorSet
from mnbayes.data.markers import MARKERS
from mnbayes.inference.sampling import Sampling
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import beside_record, beside_section, doubted
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Picture, Section, Tidy

INVENTED = "INVENTED PAPER – no real patient."
_PICTURES = {
    "evidence": (
        "What the paper says of each patient",
        "One row for each patient: the ratio to baseline where it is known, or the range it lies "
        "in; below, the density of the typical ratio before and after",
    ),
    "answers": (
        "The typical change under every prior set, withdrawal and reading",
        "One row for each: median and 95 % interval of the typical ratio",
    ),
    "shares": (
        "Share of patients in each category",
        "Counted rates over both denominators, and expected shares of such patients under each "
        "handling of the withdrawn, with 95 % intervals",
    ),
    "best_visit": (
        "The change behind the best of several visits",
        "One row for each prior set: the typical ratio when the best is taken as the best of noisy "
        "visits, and when it is read as one measurement",
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
    statements, answers, by_prior, priors : Table
    best : str
        What the best of several visits says; blank where the facts have none.
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
    answers: Table
    best: str
    conclusions: tuple[str, ...]
    by_prior: Table
    priors: Table
    readings: tuple[str, ...]
    notes: tuple[str, ...]
    pictures: tuple[Picture, ...]


def doi_of(source: str) -> str:
    """The doi that a source names; blank if none."""
    after = source.partition("doi:")[2].strip()
    code = after.split()[0].rstrip(".,;)") if after else ""
    return code if code.startswith("10.") else ""


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
        label = LABELS[category]
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
        rows.append((text, now, before))
    head = ("Question", "Given the published numbers (95 % interval)", "Prior alone")
    return Table(f"Main answers, prior set {result.prior_set}", head, tuple(rows))


def _lead(result: PublishedResult) -> tuple[str, ...]:
    known, facts = reported_answers(result), result.facts
    gmr, fell = known["outcome", "gmr", ""], known["outcome", "p_fall", ""]
    half = known["outcome", "next_fall_50", ""]
    if np.isnan(gmr["value"]):
        return ("The numbers that are summed are withheld; counts and exact intervals stand.",)
    moved = wording.moved(
        MARKERS[facts.marker], facts.outcome.week, gmr["value"], gmr["lower"], gmr["upper"]
    )
    said = [
        f"In the typical patient, {wording.small(moved)}",
        f"The typical patient fell with a probability of {chance(fell)} (prior alone "
        f"{wording.percent(fell['prior'])}); the next patient falls to half or less, as measured, "
        f"with {chance(half)} ({wording.percent(half['prior'])}).",
    ]
    shares = []
    for category, what in (("effective", "with some response"), ("remission", "in remission")):
        if (row := known.get(("counts", "share", category))) is not None:
            ends = wording.percent_range(row["lower"], row["upper"])
            shares.append(f"{wording.percent(row['value'])} ({ends}) {what}")
    if shares:
        said.append(f"Expected among such patients: {wording.listed(shares)}.")
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


def published_section(
    result: PublishedResult, pictures: Sequence[Picture] = ()
) -> PublishedSection:
    """Describe published facts for the template ``published/section.html.j2``.

    Parameters
    ----------
    result : PublishedResult
    pictures : sequence of Picture
        Of :func:`mnbayes.analyses.published.figure.published_figures`.

    Returns
    -------
    PublishedSection
    """
    fills, facts = fills_of(result), result.facts
    readings = tuple(
        WORDS[switch][choice].format(**fills)
        for switch, choice in result.card.readings.model_dump().items()
    )
    return PublishedSection(
        facts.title,
        facts.source,
        doi_of(facts.source),
        facts.invented,
        result.name,
        result.reasons,
        result.withheld,
        _lead(result),
        statements(result),
        _main(result),
        behind_best(result),
        conclusions(result),
        by_prior(result),
        prior_table(result),
        readings,
        _notes(result),
        tuple(pictures),
    )


def drawn(result: PublishedResult) -> Sequence[Drawn]:
    """Every figure of the facts, with its title, what it says and what is in it."""
    said = _lead(result)[0]
    return [
        Drawn(name, _PICTURES[name][0], f"{said} {_PICTURES[name][1]}", figure)
        for name, figure in published_figures(result).items()
    ]


@dataclass(frozen=True)
class PublishedJob:
    """Facts of a paper and how to fit them, beside a cohort and never mixed with it.

    Attributes
    ----------
    facts : Facts
    card : PublishedCard
        With the priors of the run's prior sets.
    definitions : Definitions
    sampling : Sampling
    prior_set : str
        What the card's priors are called.
    allow_unconverged : bool
    """

    facts: Facts
    card: PublishedCard
    definitions: Definitions
    sampling: Sampling
    prior_set: str
    allow_unconverged: bool

    @property
    def analysis(self) -> str:
        """Name of the analysis."""
        return ANALYSIS.name

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    def work(self, progress: News) -> tuple[PublishedResult, Sequence[Drawn]]:
        """Fit and draw."""
        result = fit_published(
            self.facts,
            self.card,
            self.definitions,
            self.sampling,
            news=lambda stage, done, total: progress(self.name, stage, done, total),
            prior_set=self.prior_set,
            allow_unconverged=self.allow_unconverged,
        )
        progress(self.name, "drawing", 0, 0)
        return result, drawn(result)


def published_job(
    definitions: Definitions,
    sampling: Sampling,
    prior_sets: Sequence[PriorSet],
    prior_set: str,
    *,
    allow_unconverged: bool = False,
) -> PublishedJob:
    """The trial's own abstract under a run's prior sets.

    Raises
    ------
    InputError
        If a set says something impossible of the model.
    """
    card = override_published(load_published_card(), prior_sets)
    if not set(MADE_OF) <= set(definitions.categories):
        definitions = load_definitions()  # the paper's categories are those of the embedded trial
    return PublishedJob(load_facts(), card, definitions, sampling, prior_set, allow_unconverged)


def section(run: Run) -> Section:
    """The published numbers alone, where a run has them."""
    return beside_section(run, ANALYSIS, section_of)


def section_of(
    result: PublishedResult, pictures: Mapping[str, tuple[Picture, ...]] | None = None
) -> Section:
    """What published facts support, and what would overturn it.

    Parameters
    ----------
    result : PublishedResult
    pictures : mapping, optional
        As those of a section.
    """
    drawn = pictures or {}
    said = published_section(result, drawn.get(result.name, ()))
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        tables={name: Tidy(getattr(result, name), keys) for name, keys in ROW_KEYS.items()}
        | {"published_answers": Tidy(result.answers), "diagnostics": Tidy(result.diagnostics)},
        pictures=drawn,
        remarks=(
            *((INVENTED,) if said.invented else ()),
            *doubted(said.model, said.reasons, said.withheld),
        ),
        sentences=(
            f"{said.title}, {said.source}.",
            *said.lead,
            wording.NO_CONTROL,
            *said.conclusions,
            *said.notes,
        ),
        shown=(said.answers, said.statements),
        template="published/section.html.j2",
        words={"published": said, "invented": INVENTED, "no_control": wording.NO_CONTROL},
        trees={result.name: result.tree},
        record=beside_record(result.card, result.converged, result.withheld, result.seconds),
        converged=result.converged,
        of_cohort=False,
    )


ANALYSIS = Analysis(
    name="published",
    title="Reading the paper: the published numbers alone",
    section=section,
    place="paper",
)
