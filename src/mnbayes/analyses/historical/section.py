"""What the report says of earlier studies: benchmark, forest, conflict, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mnbayes.analyses.historical import section_tables as tables
from mnbayes.analyses.historical.card import HistoricalCard, load_historical_card
from mnbayes.analyses.historical.figure import historical_figures
from mnbayes.analyses.historical.fit import HistoricalResult, fit_historical
from mnbayes.analyses.historical.table import HistoricalTable, load_historical
from mnbayes.base.text_table import Table, records
from mnbayes.base.workers import News
from mnbayes.inference.sampling import Sampling
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import beside_record, beside_section, doubted
from mnbayes.report.kit.wording import probability
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Picture, Section, Tidy

_PICTURES = {
    "historical_forest": (
        "Remission in earlier studies",
        "One row for each arm, by class of treatment: the count with exact limits and the rate in "
        "the model; under each class the rate of a new study",
    ),
    "historical_mixture": (
        "History as a prior, and the trial’s count against it",
        "Density of a new study’s rate with the mixtures fitted to it; probability of each count "
        "of remissions in the trial as history predicts it; the numbers are in the table beside it",
    ),
    "historical_refits": (
        "What the benchmark rests on",
        "Mean and interval of a new study’s rate without each study and under other readings",
    ),
}
#: A count this unlikely under history, or less, is called a conflict.
CONFLICT = 0.05
#: Of a predicted count, the share on either side that is called its tail.
TAIL = 0.05


@dataclass(frozen=True)
class HistoricalSection:
    """What the report says of earlier studies.

    Attributes
    ----------
    name, title : str
        Of the model.
    withheld, reasons : tuple of str
        Why the numbers are withheld, and why the fit did not converge; where they are withheld,
        the sentences and tables are empty.
    benchmark, conflict, robustness : tuple of str
        Sentences.
    classes, conflicts : Table or None
        ``classes`` has the benchmark's patients and month only.
    priors : Table
        Every prior, what it means and why.
    doubts : tuple of str
        How rows are read that are not plain counts at a date.
    pictures : dict
        By name.
    """

    name: str
    title: str
    withheld: tuple[str, ...]
    reasons: tuple[str, ...]
    benchmark: tuple[str, ...]
    conflict: tuple[str, ...]
    robustness: tuple[str, ...]
    classes: Table | None
    conflicts: Table | None
    priors: Table
    doubts: tuple[str, ...]
    pictures: dict[str, Picture]


def historical_section(
    result: HistoricalResult, pictures: Sequence[Picture] = ()
) -> HistoricalSection:
    """Words and tables of the historical model.

    Parameters
    ----------
    result : HistoricalResult
    pictures : sequence of Picture
        Of :func:`mnbayes.analyses.historical.figure.historical_figures`.

    Returns
    -------
    HistoricalSection
    """
    shown = not result.withheld
    return HistoricalSection(
        name=result.card.name,
        title=result.card.title,
        withheld=result.withheld,
        reasons=() if result.converged else result.gate.reasons,
        benchmark=_benchmark(result) if shown else (),
        conflict=_conflict(result) if shown else (),
        robustness=_robustness(result) if shown else (),
        classes=tables.class_rows(result) if shown else None,
        conflicts=tables.conflict_rows(result) if shown and len(result.conflict) else None,
        priors=tables.prior_rows(result.card),
        doubts=_doubts(result),
        pictures={each.name: each for each in pictures} if shown else {},
    )


def group(result: HistoricalResult) -> str:
    """The benchmark's patients in words."""
    mark = result.card.benchmark
    return (
        f"{tables.PATIENTS[mark.refractory]} patients under "
        f"{result.card.titles[mark.treatment_class]} at month {mark.month:g}"
    )


def _benchmark(result: HistoricalResult) -> tuple[str, ...]:
    row = records(result.rates.iloc[:1])[0]
    before = wording.percent_range(row["lower_prior"], row["upper_prior"])
    width = (row["upper"] - row["lower"]) / (row["upper_prior"] - row["lower_prior"])
    rows = result.table.rows
    mark = result.card.benchmark
    own = rows[
        (rows["treatment_class"] == mark.treatment_class) & (rows["refractory"] == mark.refractory)
    ]
    arms, patients = len(own), int(own["n"].sum())
    rests = (
        f"It rests on {arms} arm{'s' if arms != 1 else ''} of such patients ({patients} in all)"
        if arms
        else "No study had such patients"
    )
    lent = "lend what they say on the spread between studies, on time and on refractory patients"
    others = f"the other {len(rows) - arms} arms of {len(result.table.studies)} studies"
    return (
        f"Benchmark: in a new study, {probability(row['mean'], row['mcse'])} of {group(result)} "
        f"are expected in remission (95 % interval "
        f"{wording.percent_range(row['lower'], row['upper'])}); under the prior alone "
        f"{wording.probability_of_draws(row['mean_prior'], 4000)} ({before}).",
        f"{rests}; {others} {lent}. "
        f"The interval is {wording.percent(width)} as wide as before any study, and as a prior it "
        f"is worth {result.ess:.0f} patients (ELIR): a number to think with rather than an "
        "established rate.",
    )


def _conflict(result: HistoricalResult) -> tuple[str, ...]:
    rows = records(result.conflict)
    if not rows:
        return ()
    unlikely = [row for row in rows if row["p_as_unlikely"] < CONFLICT]
    named = wording.listed([f"{row['remission']} of {row['n']}" for row in unlikely or rows])
    one = len(unlikely or rows) == 1
    verdict = (
        f"Yes: history and {named} {'does' if one else 'do'} not fit together."
        if unlikely
        else f"There is no clear conflict: chance alone could explain {named}."
    )
    month = result.card.benchmark.month
    early = any(row["counted_month"] < month for row in rows)
    when = (
        f" Counts are held against history’s rate at month {month:g}, the earliest that was "
        "assessed; remissions accumulate, so that is demanding for a trial that counted earlier."
        if early
        else f" Counts are held against history’s rate at month {month:g}."
    )
    return (
        f"{verdict}{when}",
        "A conflict is what a treatment that works would show, and also what other patients, "
        "another way of counting or luck would; it is no comparison with a control group.",
    )


def _between(values: list[tuple[float, str]], ends: str) -> str:
    low, high = min(values), max(values)
    return (
        f"between {wording.percent(low[0])} ({ends}{low[1]}) and {wording.percent(high[0])} "
        f"({ends}{high[1]})"
    )


def _robustness(result: HistoricalResult) -> tuple[str, ...]:
    sentences = []
    for frame, key, start, ends in (
        (result.left_out, "study", "Leaving out any one study", "without "),
        (result.readings, "reading", "Under other readings of the table", ""),
    ):
        if frame.empty:
            continue
        fine = frame[frame["reason"] == ""]
        failed = frame[frame["reason"] != ""][key].nunique()
        if len(fine):
            means = [(float(row["mean"]), str(row[key])) for row in records(fine)]
            sentences.append(f"{start} its mean lies {_between(means, ends)}.")
        if failed:
            sentences.append(f"Of these refits {failed} failed the checks and show no number.")
    fine = result.left_out[result.left_out["reason"] == ""]
    if len(fine):
        tail = fine[fine[["p_as_few", "p_as_many"]].min(axis=1) < TAIL]
        names = [f"{row['study']} ({row['arm']})" for row in records(tail)]
        who = f": {wording.listed(names)}" if names else ""
        sentences.append(
            f"Predicted from the other studies, {len(tail)} of {len(fine)} arms had a count in an "
            f"outer {wording.percent(TAIL)} on either side{who}; about {2 * TAIL * len(fine):.0f} "
            "are expected."
        )
    return tuple(sentences)


def _doubts(result: HistoricalResult) -> tuple[str, ...]:
    rows, card = result.table.rows, result.card
    average = rows[rows["month_is"] == "average"]
    shared = rows[rows["overlap"] != ""]
    derived = rows[rows["read_as"] == "derived"]
    loose = derived[derived["count_within"] > 0]
    out = ["; ".join(f"{c.title}: {c.includes}" for c in card.treatment_class) + "."]
    if len(average):
        out.append(
            f"Months that are averages ({_named(average)}): the remissions are those of a whole "
            f"follow-up. At that month the count is taken as anything from "
            f"{wording.percent(card.counts.average_at_least)} of them to all."
        )
    if len(derived):
        out.append(
            f"Counts worked out from a percentage ({_named(derived)}): "
            + (
                f"taken as up to {loose['count_within'].max()} patient off in {_named(loose)}; a "
                "second number of the abstract confirms the others."
                if len(loose)
                else "a second number of the abstract confirms each."
            )
        )
    if len(shared):
        groups = " and ".join(_named(part) for _, part in shared.groupby("overlap", sort=False))
        out.append(
            f"Rows that may share patients ({groups}): of k such rows each counts 1/k, so that "
            "nobody counts more than once."
        )
    return tuple(out)


def _named(rows: object) -> str:
    assert isinstance(rows, pd.DataFrame)
    return wording.listed(list(dict.fromkeys(rows["study"].astype(str))))


def drawn(result: HistoricalResult) -> Sequence[Drawn]:
    """Every figure of the model, with its title, what it says and what is in it."""
    said = _benchmark(result)[0]
    return [
        Drawn(name, _PICTURES[name][0], f"{said} {_PICTURES[name][1]}", figure)
        for name, figure in historical_figures(result).items()
    ]


@dataclass(frozen=True)
class HistoricalJob:
    """A table of earlier studies and how to fit it, beside a cohort and never mixed with it."""

    table: HistoricalTable
    card: HistoricalCard
    sampling: Sampling
    allow_unconverged: bool

    @property
    def analysis(self) -> str:
        """Name of the analysis."""
        return ANALYSIS.name

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    def work(self, progress: News) -> tuple[HistoricalResult, Sequence[Drawn]]:
        """Fit and draw."""
        result = fit_historical(
            self.table,
            self.card,
            self.sampling,
            lambda stage, done, total: progress(self.name, stage, done, total),
            allow_unconverged=self.allow_unconverged,
        )
        progress(self.name, "drawing", 0, 0)
        return result, drawn(result)


def historical_job(sampling: Sampling, *, allow_unconverged: bool = False) -> HistoricalJob:
    """The earlier studies that mnbayes brings."""
    card = load_historical_card()
    return HistoricalJob(load_historical(None, card.classes), card, sampling, allow_unconverged)


def section(run: Run) -> Section:
    """Earlier studies, where a run has them."""
    return beside_section(run, ANALYSIS, section_of)


def section_of(
    result: HistoricalResult, pictures: Mapping[str, tuple[Picture, ...]] | None = None
) -> Section:
    """The benchmark, what it rests on, and the trial's counts against it.

    Parameters
    ----------
    result : HistoricalResult
    pictures : mapping, optional
        As those of a section.
    """
    drawn = pictures or {}
    said = historical_section(result, drawn.get(result.card.name, ()))
    names = ("rates", "arms", "conflict", "left_out", "readings")
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        tables={f"historical_{name}": Tidy(getattr(result, name)) for name in names}
        | {"diagnostics": Tidy(result.diagnostics)},
        pictures=drawn,
        remarks=doubted(said.name, said.reasons, said.withheld),
        sentences=(*said.benchmark, *said.conflict, *said.robustness),
        shown=tuple(table for table in (said.classes, said.conflicts) if table is not None),
        template="historical/section.html.j2",
        words={"historical": said},
        trees={result.card.name: result.tree},
        record=beside_record(result.card, result.converged, result.withheld, result.seconds),
        converged=result.converged,
        of_cohort=False,
    )


ANALYSIS = Analysis(
    name="historical",
    title="Earlier studies",
    section=section,
    place="history",
)
