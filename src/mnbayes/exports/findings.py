"""The results paragraph of a run: its numbers, read from its files, and what they do not show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mnbayes.answers.denominators import response_counts
from mnbayes.base.text_table import records
from mnbayes.base.untrusted_text import markdown_text as plain
from mnbayes.exports import overturning
from mnbayes.exports.answers import direction, doubt
from mnbayes.exports.source import Source
from mnbayes.report.kit import wording
from mnbayes.report.kit.wording import percent, percent_range


def results(source: Source, tables: Mapping[str, str]) -> str:
    """The paragraph, in Markdown.

    Parameters
    ----------
    source : Source
    tables : mapping
        Name of an exported table to how the text refers to it ("Table 3").
    """
    invented = ["SYNTHETIC data, no real patient."] if source.synthetic else []
    said = [*invented, *_patients(source), *_counts(source)]
    said = _citing(said, tables, "counts")
    if source.withheld(source.primary):
        said.append(
            f"The primary model ({plain(source.primary)}) did not converge "
            f"({plain(source.withheld(source.primary))}), so none of its numbers is reported."
        )
    else:
        said += [plain(text) for text in doubt(source, source.primary)]
        for name, make in {
            "change": _change,
            "population": lambda source: [*_response(source), *_decision(source)],
            "influence": overturning.influence,
            "prior_sensitivity": overturning.power,
            "prior_sets": overturning.prior_sets,
            "structures": overturning.structures,
            "withdrawal": overturning.withdrawal,
        }.items():
            said += _citing(make(source), tables, name)
    said += _citing(_safety(source), tables, "safety")
    return " ".join(said)


def _citing(said: list[str], tables: Mapping[str, str], name: str) -> list[str]:
    """Sentences of which the last one names the table behind them."""
    if not said or name not in tables:
        return said
    return [*said[:-1], f"{said[-1].removesuffix('.')} ({tables[name]})."]


def limits(source: Source) -> str:
    """What the results do not show."""
    count = len(source.measured[source.marker].patients) if source.measured else 0
    of = f" and {count} patients" if count else ""
    said = [
        f"With one arm{of} the numbers describe a change under treatment. They do not say how much "
        "of it the treatment caused: spontaneous remission, other drugs and regression to the mean "
        "are in it too.",
        "The next patient and the share of such patients are those of a population from which "
        "these patients could have come; where others are referred or treated, they need not hold.",
        *(plain(note) for note in source.trial.get("notes", ())),
    ]
    return " ".join(said)


def _patients(source: Source) -> list[str]:
    each = source.measured.get(source.marker)
    if each is None:
        return []
    place = each.weeks.index(source.week)
    seen = int(np.sum(~np.isnan(each.value[:, place]) | each.censored[:, place]))
    label = plain(wording.in_text(source.known[source.marker]))
    gone = source.withdrew
    weeks = wording.listed([f"{week:g}" for week in sorted(gone.values())])
    left = f"{len(gone)} withdrew (week {weeks})" if gone else "nobody withdrew"
    return [
        f"Of {len(each.patients)} patients enrolled, {seen} had {label} measured at "
        f"{wording.week_name(source.week)}; {left}."
    ]


def _counts(source: Source) -> list[str]:
    if not source.category:
        return []
    table = source.table("probabilities", source.primary)
    rows = records(response_counts(table, source.week, [source.category]))
    if not rows:
        return []
    row = rows[0]
    parts = [
        f"{row['responders']} of {row[of]} {words} ({percent(row[f'share_{of}'])}, exact 95 % "
        f"interval {percent_range(row[f'lower_{of}'], row[f'upper_{of}'])})"
        for of, words in (("evaluable", "evaluable"), ("enrolled", "enrolled"))
    ]
    called = plain(source.definitions.called(source.category))
    return [f"As measured, {called} was seen in {wording.listed(parts)} patients."]


def _change(source: Source) -> list[str]:
    table = source.table("estimates", source.primary)
    chosen = table[(table["marker"] == source.marker) & (table["week"] == source.week)]
    rows = records(chosen)
    if not rows:
        return []
    marker = source.known[source.marker]
    chance, prior = direction(source, source.marker, rows[0])
    name = "odds ratio" if marker.scale == "logit" else "geometric mean ratio"
    return [
        f"Under treatment the {name} of {plain(wording.in_text(marker))} to baseline was "
        f"{_interval(wording.gmr_range(rows[0]))} at {wording.week_name(source.week)} "
        f"(prior alone: {wording.gmr_range(rows[0], '_prior')}); the probability that it "
        f"{'fell' if marker.falls else 'rose'} in the mean over {_over(source)} was "
        f"{wording.probability(chance, source.error(chance, source.primary))} "
        f"({source.prior(prior, source.primary)} under the prior alone)."
    ]


def _over(source: Source) -> str:
    """Over whom the primary model's ratio is a mean."""
    of = source.mean_over
    return f"{plain(of)}, not over all of their kind," if of else "such patients"


def _interval(text: str) -> str:
    """A number with its interval, which is named: "0.56 (95 % interval 0.39 to 0.81)"."""
    return text.replace("(", "(95 % interval ", 1)


def _response(source: Source) -> list[str]:
    if not source.category:
        return []
    table = source.table("probabilities", source.primary)
    table = table[(table["week"] == source.week) & (table["category"] == source.category)]
    found = {row["quantity"]: row for row in records(table) if not np.isnan(row["probability"])}
    called = plain(source.definitions.called(source.category))
    said = []
    if "next_patient" in found:
        row = found["next_patient"]
        said.append(
            f"The next such patient has a probability of {_chance(source, row)} of {called} as "
            "measured."
        )
    shares = source.table("population", source.primary)
    shares = shares[(shares["week"] == source.week) & (shares["category"] == source.category)]
    for row in records(shares):
        ends = [
            [row[f"share_{end}{s}"] for end in ("mean", "lower", "upper")] for s in ("", "_prior")
        ]
        if not np.isnan(ends[0][0]):
            now, before = (wording.percent_with_range(*each) for each in ends)
            said.append(
                f"The expected share of such patients with {called} is {_interval(now)} (prior "
                f"alone: {before})."
            )
    if "exceeds" in found:
        bar = wording.stated(source.definitions.benchmarks[source.category])
        said.append(
            f"The probability that this share exceeds the benchmark of {bar} is "
            f"{_chance(source, found['exceeds'])}."
        )
    return said


def _chance(source: Source, row: Mapping[str, Any]) -> str:
    return (
        f"{wording.probability(row['probability'], row['mcse'])} "
        f"({source.prior(row['prior_probability'], source.primary)} under the prior alone)"
    )


def _decision(source: Source) -> list[str]:
    if not source.has("decision"):
        return []
    table = source.table("decision", source.primary)
    chosen = table[(table["category"] == source.category) & table["verdict"].notna()]
    if chosen.empty:
        return []
    asked = [
        f"P(share {'>' if row['criterion'] == 'significance' else '≥'} "
        f"{wording.stated(row['threshold'])}) of at least {wording.stated(row['required'])} "
        f"(found {wording.probability(row['probability'], row['mcse'])})"
        for row in records(chosen)
    ]
    first = records(chosen)[0]
    return [
        f"The decision rule asks for {wording.listed(asked)}: {first['verdict']} (under the prior "
        f"alone: {first['prior_verdict']})."
    ]


def _safety(source: Source) -> list[str]:
    if not source.has("safety"):
        return ["Events were not recorded."]
    table = source.table("safety")
    rows = records(table[(table["kind"] == "adverse") & (table["term"] == "(any)")])
    said = [
        f"{row['patients']} of {row['total']} patients had an adverse event of "
        f"{plain(row['outcome'])} (a true rate up to {percent(row['exact'])} is still compatible: "
        "exact one-sided 95 % limit)."
        for row in rows
    ]
    return said or ["No adverse event was recorded."]
