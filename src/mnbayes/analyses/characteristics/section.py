"""The stored operating characteristics in the report: tables, pictures, date and hash."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from mnbayes.analyses.characteristics import words
from mnbayes.analyses.characteristics.figure import characteristics_figures
from mnbayes.analyses.characteristics.judges import BETWEEN, FALSE, TRUE
from mnbayes.analyses.characteristics.result import TABLES, Characteristics
from mnbayes.analyses.characteristics.stored import is_current, stored_results
from mnbayes.base.text_table import Table, records
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import EMBEDDED, Definitions
from mnbayes.report.kit import wording
from mnbayes.report.kit.figures import svg_bytes
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import Picture, Section, Tidy

_ALT = {
    "false_go": "One panel for each scenario in which a go is false: share of simulated trials "
    "that end in go, over the number of patients, one line for each judge",
    "right_go": "One panel for each scenario in which proteinuria has truly fallen: share of "
    "simulated trials that end in go, over the number of patients, one line for each judge",
    "estimates": "One row for each scenario: estimated over true ratio, and share of 95 % "
    "intervals that hold the true ratio, one point for each number of patients",
    "patients": "One row for each scenario: share of intervals that hold a patient's true ratio, "
    "of patients with a confident wrong statement, and of those called likely that truly are",
}
_TITLE = {
    "false_go": "How often each says go although nothing has improved",
    "right_go": "How often each says go where proteinuria has fallen",
    "estimates": "Bias and coverage of the estimated ratio",
    "patients": "What is said of single patients",
}
_MEANING = {FALSE: "false", TRUE: "right", BETWEEN: "right for some rules"}


@dataclass(frozen=True)
class Part:
    """One model's stored characteristics.

    Attributes
    ----------
    model : str
    provenance : str
        How many trials, when, under which hash.
    current : bool
        Whether code and cards are still those the numbers are of.
    sentences : tuple of str
    tables : tuple of Table
        Of trials of about the cohort's size: go rates by scenario; bias and coverage.
    pictures : tuple of Picture
    found : Characteristics
        Every number.
    """

    model: str
    provenance: str
    current: bool
    sentences: tuple[str, ...]
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    found: Characteristics


def characteristics_parts(models: Collection[str], definitions: Definitions) -> tuple[Part, ...]:
    """What a report of some models shows of the results that mnbayes brings.

    Parameters
    ----------
    models : collection of str
        Names of cards.
    definitions : Definitions
        Of the report: trials judged by others say nothing of it.
    """
    if definitions.name != EMBEDDED:
        return ()
    return tuple(_shipped(found) for found in stored_results() if found.model in models)


@cache
def _shipped(found: Characteristics) -> Part:
    """Of a stored result, whose pictures take seconds."""
    return characteristics_part(found, is_current(found))


def characteristics_part(found: Characteristics, current: bool) -> Part:
    """What the report shows of one model's operating characteristics."""
    trials = found.cells * found.replicates
    several = len(found.patients) > 1
    sizes = f"{len(found.patients)} numbers" if several else f"trials of {found.patients[0]}"
    sizes += " of patients" if several else " patients"
    provenance = (
        f"Model {found.model}, prior set {found.prior_set}: {len(found.scenarios)} scenarios × "
        f"{sizes}, {found.replicates:,} simulated trials each "
        f"({trials:,} fits). Stored on {found.date}; cards and rules {found.fingerprint[:12]}, "
        f"seed {found.seed}."
    )
    return Part(
        found.model,
        provenance,
        current,
        words.summary(found),
        (go_table(found), coverage_table(found)),
        _pictures(found),
        found,
    )


def go_table(found: Characteristics) -> Table:
    """Share of trials that end in go, one row for each scenario, one number of patients."""
    n = words.typical(found)
    rows = tuple(
        (
            scenario.title,
            _MEANING[found.meaning(scenario.name)],
            *(words.rate(found, judge.name, scenario.name, n) for judge in found.judges),
        )
        for scenario in (*found.false_go, *found.other_go)
    )
    head = ("Scenario", "A go is", *(judge.title for judge in found.judges))
    caption = f"Simulated trials of {n} patients that end in go{_most(found)}"
    return Table(caption, head, rows, frozenset({0, 1}))


def coverage_table(found: Characteristics) -> Table:
    """What is estimated against the truth, one row for each scenario, one number of patients."""
    n = words.typical(found)
    told = () if found.per_patient.empty else words.categories(found)
    rows = []
    for scenario in (*found.false_go, *found.other_go):
        table = found.estimates
        at = (table["scenario"] == scenario.name) & (table["patients"] == n)
        row = records(table[at])[0]
        cells = [
            scenario.title,
            wording.ratio(row["gmr"]),
            words.relative(row["bias"]),
            words.share(row["coverage"], row["coverage_mcse"]),
        ]
        if told:
            cells.append(words.told(found, scenario.name, n, "covered_95"))
            cells += [words.told(found, scenario.name, n, f"wrong_{c}") for c in told]
        rows.append((*cells, f"{row['withheld'] + row['failed']}"))
    head = ["Scenario", "True ratio", "Estimated over true", "95 % interval holds it"]
    if told:
        head += ["… of a patient’s ratio", *(f"wrongly sure: {words.CALLED[c]}" for c in told)]
    caption = f"Ratio at week 12 and single patients, trials of {n}{_most(found)}"
    return Table(caption, (*head, "Fits withheld or failed"), tuple(rows))


def _most(found: Characteristics) -> str:
    most = float(found.decisions["go_mcse"].max())
    return (
        f", of {found.replicates:,} a row; Monte Carlo error at most {wording.points(most)} points"
    )


def rates_table(found: Characteristics) -> Table:
    """Share of trials that end in go, one row for each scenario and number of patients."""
    rows = []
    for scenario in (*found.false_go, *found.other_go):
        for n in found.patients:
            rates = [words.rate(found, judge.name, scenario.name, n) for judge in found.judges]
            also = [_consider(found, judge.name, scenario.name, n) for judge in found.rules]
            meaning = _MEANING[found.meaning(scenario.name)]
            rows.append((scenario.title, meaning, f"{n}", *rates, *also))
    head = (
        *("Scenario", "A go is", "Patients"),
        *(judge.title for judge in found.judges),
        *(f"{judge.title}: consider" for judge in found.rules),
    )
    caption = (
        f"Simulated trials that end in go, of {found.replicates:,} each; Monte Carlo error at most "
        f"{wording.points(float(found.decisions['go_mcse'].max()))} points"
    )
    return Table(caption, head, tuple(rows), frozenset({0, 1}))


def _consider(found: Characteristics, judge: str, scenario: str, patients: int) -> str:
    row = found.cell(judge, scenario, patients)
    return words.share(row["consider"], row["consider_mcse"])


def errors_table(found: Characteristics) -> Table:
    """Bias and coverage of the ratio, one row for each scenario and number of patients."""
    titles = {item.name: item.title for item in found.scenarios}
    order = [item.name for item in (*found.false_go, *found.other_go)]
    rows = []
    for name in order:
        table = found.estimates[found.estimates["scenario"] == name].sort_values("patients")
        for row in records(table):
            rows.append(
                (
                    titles[name],
                    f"{row['patients']}",
                    f"{row['evaluable']:.1f}",
                    wording.ratio(row["gmr"]),
                    words.relative(row["bias"]),
                    wording.BLANK if row["bias"] != row["bias"] else f"{row['bias_mcse']:.3f}",
                    words.share(row["coverage"], row["coverage_mcse"]),
                    wording.points(row["coverage_mcse"]),
                    f"{row['withheld'] + row['failed']}",
                )
            )
    head = (
        *("Scenario", "Patients", "Measured at week 12", "True ratio", "Estimated over true ratio"),
        *("MCSE, log", "95 % intervals that hold it", "MCSE, points", "Withheld or failed"),
    )
    caption = "Estimated geometric mean ratio at week 12 (posterior median) against the true one"
    return Table(caption, head, tuple(rows))


def patients_table(found: Characteristics) -> Table:
    """What is said of single patients, one row for each scenario and number of patients."""
    told = words.categories(found)
    shares = ["covered_95", "covered_80", "covered_left"]
    head = ["Scenario", "Patients", "95 % hold it", "80 % hold it", "95 %, who left", "RMSE, log"]
    for c in told:
        shares += [f"wrong_{c}", f"said_{c}", f"true_{c}"]
        head += [f"{c}: {what}" for what in ("confident, wrong", "“likely” says", "is true of")]
    head += [f"{c}: Brier" for c in told]
    rows = []
    for scenario in (*found.false_go, *found.other_go):
        for n in found.patients:
            values = found.told(scenario.name, n)
            cells = [words.told(found, scenario.name, n, name) for name in shares]
            cells.insert(3, _number(values["rmse"][0], 2))
            brier = [_number(values[f"brier_{c}"][0], 3) for c in told]
            rows.append((scenario.title, f"{n}", *cells, *brier))
    caption = (
        "Patient characteristics, week 12: intervals of a patient’s true ratio that hold it, of "
        "those measured and of those who left; statements about all enrolled"
    )
    return Table(caption, tuple(head), tuple(rows))


def _number(value: float, digits: int) -> str:
    return wording.BLANK if value != value else f"{value:.{digits}f}"


def _tables(found: Characteristics) -> tuple[Table, ...]:
    own = () if found.per_patient.empty else (patients_table(found),)
    return (rates_table(found), errors_table(found), *own)


def _pictures(found: Characteristics) -> tuple[Picture, ...]:
    said = words.summary(found)
    return tuple(
        Picture(key, _TITLE[key], f"{_finding(key, said)} {_ALT[key]}.", svg_bytes(figure))
        for key, figure in characteristics_figures(found).items()
    )


def _finding(key: str, said: Sequence[str]) -> str:
    """Of what the rates come to, what a picture shows."""
    start = {"false_go": "Where no", "right_go": "Where protein"}.get(key, "With ")
    return " ".join(sentence for sentence in said if sentence.startswith(start))


def section(run: Run) -> Section:
    """The stored operating characteristics of the models, definitions and rule of a run."""
    said = characteristics_parts({result.name for result in run.results}, run.definitions)
    # The one whose rules judge most; how many patients it was done with comes second.
    first = max(said, key=lambda part: len(part.found.rules), default=None)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if said else "stored trials were judged by other models or definitions",
        tables=tidy([part.found for part in said]),
        pictures={f"characteristics_{part.model}": part.pictures for part in said},
        sentences=first.sentences if first else (),
        shown=first.tables[:1] if first else (),
        template="characteristics/brief.html.j2",
        annex="characteristics/section.html.j2" if first else "",
        words={
            "part": first,
            "others": tuple(part for part in said if part is not first),
            "outdated": tuple(part.model for part in said if not part.current),
        },
        of_cohort=False,
    )


def tidy(found: Sequence[Characteristics]) -> dict[str, Tidy]:
    """Every number of the studies, and what their scenarios and judges are."""
    if not found:
        return {}
    tables = {
        f"characteristics_{name}": Tidy(
            pd.concat([getattr(each, name).assign(model=each.model) for each in found])
        )
        for name in TABLES
    }
    described = [
        (each.model, kind, item.name, item.title, item.says)
        for each in found
        for kind, items in (("scenario", each.scenarios), ("judge", each.judges))
        for item in items
    ]
    columns = ["model", "kind", "name", "title", "says"]
    return tables | {"characteristics_scenarios": Tidy(pd.DataFrame(described, columns=columns))}


def of_study(found: Characteristics) -> Section:
    """One model's operating characteristics: ``mnbayes characteristics``."""
    return Section(
        name=ANALYSIS.name,
        title=f"{ANALYSIS.title}: model {found.model} (prior set {found.prior_set}), "
        f"{found.replicates:,} simulated trials for each row. No real patient.",
        sentences=(
            *(f"{judge.title}: {judge.says}." for judge in found.judges),
            *words.sentences(found),
        ),
        shown=_tables(found),
        of_cohort=False,
    )


def prepare(cards: Iterable[Card], definitions: Definitions) -> None:
    """Read the stored results and draw their pictures, which are kept."""
    characteristics_parts({card.name for card in cards}, definitions)


ANALYSIS = Analysis(
    name="characteristics",
    title="How often the rule errs",
    section=section,
    prepare=prepare,
    part="decision",
)
