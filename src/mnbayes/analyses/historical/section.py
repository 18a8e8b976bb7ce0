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
from mnbayes.inference.importance_weights import MAX_SHAPE
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
        "the model; under each class the rate of a new study; the numbers are in the tables below",
    ),
    "historical_mixture": (
        "History as a prior, and the trial’s count against it",
        "Density of a new study’s rate with the mixtures fitted to it; probability of each count "
        "of remissions in the trial as history predicts it; the numbers are in the table below",
    ),
    "historical_refits": (
        "What the benchmark rests on",
        "Mean and interval of a new study’s rate without each study and under other readings; the "
        "numbers are in the tables below",
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
    benchmark, extrapolation, conflict, robustness : tuple of str
        Sentences.
    classes, rates, conflicts, arms, left_out, readings, parameters : Table or None
        ``classes`` has the benchmark's patients and month only, ``rates`` every time.
    priors : Table
        Every prior, what it means, why, source.
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
    extrapolation: tuple[str, ...]
    conflict: tuple[str, ...]
    robustness: tuple[str, ...]
    classes: Table | None
    rates: Table | None
    conflicts: Table | None
    arms: Table | None
    left_out: Table | None
    readings: Table | None
    parameters: Table | None
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
        extrapolation=_extrapolation(result) if shown else (),
        conflict=_conflict(result) if shown else (),
        robustness=_robustness(result) if shown else (),
        classes=tables.class_rows(result) if shown else None,
        rates=tables.rate_rows(result) if shown else None,
        conflicts=tables.conflict_rows(result) if shown and len(result.conflict) else None,
        arms=tables.arm_rows(result) if shown else None,
        left_out=tables.left_out_rows(result) if len(result.left_out) else None,
        readings=tables.reading_rows(result) if len(result.readings) else None,
        parameters=tables.parameter_rows(result) if shown else None,
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
        f"is worth {result.ess:.0f} patients (ELIR). That is weak: the benchmark is a number to "
        "think with and no established rate.",
    )


def _extrapolation(result: HistoricalResult) -> tuple[str, ...]:
    mark = result.card.benchmark
    early = result.rates[
        (result.rates["treatment_class"] == mark.treatment_class)
        & (result.rates["refractory"] == mark.refractory)
        & (result.rates["month"] < mark.month)
        & (result.rates["beyond"] != "")
    ]
    sentences = []
    for row in records(early):
        sentences.append(
            f"No such study was assessed before month {mark.month:g}. The model’s rate at month "
            f"{row['month']:g} would be {probability(row['mean'], row['mcse'])} "
            f"({wording.percent_range(row['lower'], row['upper'])}; under the prior alone "
            f"{wording.percent(row['mean_prior'])}, "
            f"{wording.percent_range(row['lower_prior'], row['upper_prior'])}), but that is an "
            "extrapolation and is not used: what it says on time comes from differences between "
            "studies that differ in much else. Remissions accumulate, so a bar of month "
            f"{mark.month:g} is demanding for an earlier count."
        )
    return tuple(sentences)


def _conflict(result: HistoricalResult) -> tuple[str, ...]:
    sentences = []
    for row in records(result.conflict):
        unlikely = row["p_as_unlikely"] < CONFLICT
        verdict = (
            "That is a conflict: history and this count do not fit together."
            if unlikely
            else "Chance alone could explain that; there is no clear conflict."
        )
        chance = probability(row["p_at_least"], row["p_at_least_mcse"])
        prior = wording.probability_of_draws(row["p_at_least_prior"], 4000)
        sentences.append(
            f"{row['remission']} of {row['n']} ({row['count']}): history expects "
            f"{row['expected']:.1f} (95 % interval {row['lower']} to {row['upper']}), and "
            f"{row['remission']} or more with a probability of {chance} ({prior} under the prior "
            f"alone). {verdict} The weight of the vague part goes from "
            f"{wording.percent(row['vague_weight'])} to "
            f"{wording.percent(row['vague_weight_after'])}."
        )
    if sentences:
        sentences.append(
            "This compares the trial’s patients with patients of other studies. A conflict is what "
            "a treatment that works would show, and also what other patients, another way of "
            "counting or luck would; it is no comparison with a control group."
        )
    return tuple(sentences)


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
            sentences.append(
                f"{failed} of these refits failed its checks; no number of it is shown."
            )
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
    shapes = pd.concat([result.left_out["pareto_k"], result.readings["pareto_k"]]).dropna()
    if len(shapes):
        sentences.append(
            "The draws of the whole table were weighted where the weights can be trusted (Pareto k "
            f"up to {MAX_SHAPE:g}; the largest used {shapes.max():.2f}); elsewhere the model was "
            "sampled again."
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
    """Every figure of the model, with its title and text."""
    return [
        Drawn(name, *_PICTURES[name], figure) for name, figure in historical_figures(result).items()
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
        sentences=(*said.benchmark, *said.extrapolation, *said.conflict, *said.robustness),
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
