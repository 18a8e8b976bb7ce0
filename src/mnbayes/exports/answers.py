"""Tables of what the models say: change by visit, response by patient, and for the next one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mnbayes.base.text_table import Table, records
from mnbayes.exports.participants import Made
from mnbayes.exports.source import Source
from mnbayes.report.kit import wording

_RATIO = (
    "Geometric mean ratio to baseline, median and 95 % interval of the posterior: 1 is no change. "
    "It is a change under treatment; there was no control group."
)
_PRIOR = "Prior alone: the same number before any patient was seen."


def withheld(source: Source, model: str) -> str:
    """Why a table of a model is not there."""
    return f"the model {model} did not converge, so its numbers are withheld: " + source.withheld(
        model
    )


def doubt(source: Source, model: str) -> tuple[str, ...]:
    """The sentence that marks numbers of a fit that failed the gate and is shown all the same."""
    why = source.doubtful(model)
    return (f"NOT CONVERGED, shown all the same: model {model}, {why}.",) if why else ()


def direction(source: Source, marker: str, row: Mapping[str, Any]) -> tuple[float, float]:
    """Probability of the change that is better, given the data and under the prior alone."""
    chance, prior = float(row["p_fall"]), float(row["p_fall_prior"])
    return (chance, prior) if source.known[marker].falls else (1 - chance, 1 - prior)


def _seen(source: Source, marker: str, week: float) -> str:
    each = source.measured.get(marker)
    if each is None or week not in each.weeks:
        return wording.BLANK
    place = each.weeks.index(week)
    return f"{int(np.sum(~np.isnan(each.value[:, place]) | each.censored[:, place]))}"


def _by_visit(source: Source, models: Mapping[str, str], caption: str) -> Made:
    """Ratios of markers, each from one model."""
    rows: list[tuple[str, ...]] = []
    for marker, model in models.items():
        about = source.known[marker]
        table = source.table("estimates", model)
        odds = " (odds ratio)" if about.scale == "logit" else ""
        for row in records(table[table["marker"] == marker].sort_values("week")):
            chance, prior = direction(source, marker, row)
            rows.append(
                (
                    f"{about.label}{odds}",
                    wording.week_name(row["week"]).capitalize(),
                    _seen(source, marker, row["week"]),
                    wording.gmr_range(row),
                    f"{'fall' if about.falls else 'rise'}: "
                    f"{wording.probability(chance, source.error(chance, model))}",
                    wording.gmr_range(row, "_prior"),
                    source.prior(prior, model),
                )
            )
    head = (
        *("Marker", "Visit", "Patients measured", "Ratio to baseline (95 % interval)"),
        *("Probability of a fall or rise", "Ratio, prior alone", "Probability, prior alone"),
    )
    used = dict.fromkeys(models.values())
    others = [f"{source.known[m].label}: {model}" for m, model in models.items()]
    named = "; ".join(others) if len(used) > 1 else f"{next(iter(used))}"
    notes = (_RATIO, _PRIOR, f"Model: {named}.")
    doubts = [note for model in used for note in doubt(source, model)]
    return Made(Table(caption, head, tuple(rows), frozenset({0, 1})), (*doubts, *notes))


def change(source: Source) -> Made | str:
    """Ratio to baseline by visit, in the primary model."""
    if source.withheld(source.primary):
        return withheld(source, source.primary)
    own = sorted(source.markers(source.primary), key=lambda m: m != source.marker)
    models = dict.fromkeys(own, source.primary)
    caption = "Geometric mean ratio to baseline by visit, primary model"
    return _by_visit(source, models, caption)


def markers(source: Source) -> Made | str:
    """Ratio to baseline by visit of every marker that is not in the primary model."""
    fewest = sorted(source.models, key=lambda name: len(source.markers(name)))
    found: dict[str, str] = {}
    lost: dict[str, str] = {}
    for model in fewest:
        for marker in source.markers(model):
            if marker in source.markers(source.primary):
                continue
            if source.withheld(model):
                lost.setdefault(marker, model)
            else:
                found.setdefault(marker, model)
    if not found:
        named = sorted({model for marker, model in lost.items()})
        return withheld(source, named[0]) if named else "every marker is in the primary model"
    ordered = {m: found[m] for name in source.models for m in source.markers(name) if m in found}
    made = _by_visit(
        source, ordered, "Geometric mean ratio to baseline by visit, each other marker"
    )
    missing = [
        f"{source.known[marker].label}: {withheld(source, model)}."
        for marker, model in lost.items()
        if marker not in found
    ]
    return Made(made.table, (*made.footnotes, *missing))


def _unjudged(source: Source) -> str:
    """Why nothing can be said of responses; blank where something can."""
    if not source.judged:
        return "no model of the run judges a response"
    return withheld(source, source.primary) if source.withheld(source.primary) else ""


def responses(source: Source) -> Made | str:
    """Probability of response of every patient at the primary week."""
    if why := _unjudged(source):
        return why
    table = source.table("probabilities", source.primary)
    table = table[table["week"] == source.week]
    cells = {(row["quantity"], row["patient"], row["category"]): row for row in records(table)}
    judged = source.judged
    names = dict.fromkeys(table.loc[table["quantity"] == "latent", "patient"])
    rows = []
    for patient in names:
        met = {c: cells["observed", patient, c]["probability"] for c in judged}
        rows.append(
            (
                patient,
                _as_measured(source, met),
                *(_cell(cells["latent", patient, c]) for c in judged),
            )
        )
    head = (
        "Patient",
        "As measured",
        *(wording.capital(source.definitions.label(c)) for c in judged),
    )
    caption = f"Probability of response of each patient at {wording.week_name(source.week)}"
    notes = (
        "As measured: the best category that the measurements meet. The other columns: probability "
        "that the patient's true level meets the definition, given the data. They can differ, "
        "because one measurement is noisy.",
        "Not measured: the probabilities are the model's prediction (missing at random).",
        f"Model: {source.primary}.",
    )
    table_ = Table(caption, head, tuple(rows), frozenset({0, 1}))
    return Made(table_, notes)


def _as_measured(source: Source, met: Mapping[str, float]) -> str:
    values = list(met.values())
    if all(np.isnan(value) for value in values):
        return "not measured"
    # Best first; one that is left open by a limit leaves those after it as they are.
    best = next((name for name, value in met.items() if value == 1), "")
    return source.definitions.label(best) if best else "no response"


def _cell(row: Mapping[str, Any]) -> str:
    return wording.probability(row["probability"], row["mcse"])


def population(source: Source) -> Made | str:
    """The next patient, the share of such patients, and whether it exceeds its benchmark."""
    if why := _unjudged(source):
        return why
    table = source.table("probabilities", source.primary)
    table = table[table["week"] == source.week]
    cells = {(row["quantity"], row["category"]): row for row in records(table)}
    shares = source.table("population", source.primary)
    at_week = shares[shares["week"] == source.week]
    share = {row["category"]: row for row in records(at_week)}
    rows = []
    for category in source.judged:
        bar = source.definitions.benchmarks.get(category)
        exceeds = cells.get(("exceeds", category))
        rows.append(
            (
                wording.capital(source.definitions.label(category)),
                *_pair(source, cells.get(("next_patient", category))),
                *(_share(share.get(category), suffix) for suffix in ("", "_prior")),
                wording.BLANK if bar is None else wording.stated(bar),
                *_pair(source, exceeds),
            )
        )
    head = (
        *("Response", "Next patient", "prior alone", "Share of such patients (95 % interval)"),
        *("prior alone", "Benchmark", "P(share > benchmark)", "prior alone"),
    )
    caption = (
        f"The next patient and the share of such patients, at {wording.week_name(source.week)}"
    )
    notes = (
        "Next patient: posterior predictive probability that a new patient of this kind would "
        "have the response as measured. Share: of all such patients, by true level.",
        _PRIOR,
        f"Model: {source.primary}.",
        *_rules(source),
    )
    return Made(Table(caption, head, tuple(rows)), notes)


def _pair(source: Source, row: Mapping[str, Any] | None) -> tuple[str, str]:
    """A probability given the data, and under the prior alone."""
    if row is None or np.isnan(row["probability"]):
        return wording.BLANK, wording.BLANK
    return _cell(row), source.prior(row["prior_probability"], source.primary)


def _share(row: Mapping[str, Any] | None, suffix: str) -> str:
    ends = ("mean", "lower", "upper")
    values = [np.nan] * 3 if row is None else [row[f"share_{end}{suffix}"] for end in ends]
    return wording.BLANK if np.isnan(values[0]) else wording.percent_with_range(*values)


def _rules(source: Source) -> tuple[str, ...]:
    """What each decision rule on a share asked for and said."""
    if not source.has("decision"):
        return ()
    found: dict[str, str] = {}
    asked: dict[str, list[str]] = {}
    for row in records(source.table("decision", source.primary)):
        if row["quantity"] != "share" or not isinstance(row["verdict"], str):
            continue
        asked.setdefault(row["rule"], []).append(
            f"P(share {'>' if row['criterion'] == 'significance' else '≥'} "
            f"{wording.stated(row['threshold'])}) at least {wording.stated(row['required'])} "
            f"(found {wording.probability(row['probability'], row['mcse'])})"
        )
        found[row["rule"]] = row["verdict"]
    return tuple(
        f"Decision rule {rule}: {verdict}. It asks for {wording.listed(asked[rule])}."
        for rule, verdict in found.items()
    )
