"""Results of the primary model as the main report shows them: short tables, one sentence each."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from mnbayes.analyses.results.responses_section import measured_categories
from mnbayes.answers.denominators import response_counts
from mnbayes.answers.result import Result
from mnbayes.base.labelled import stacked
from mnbayes.base.text_table import Table, records
from mnbayes.inference.contract import variable
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import (
    ANSWER,
    by_patient,
    fall_errors,
    not_measured,
    prior_text,
    rows_of,
    share_ends,
    stated,
)
from mnbayes.report.kit.wording import percent, percent_with_range, probability
from mnbayes.run.section import Asked, PageOne, Picture, Sentence

#: A patient measured in a category whose true level meets it with less than this is explained.
_EXPLAINED = 0.5
#: So many of these patients are named.
_NAMED = 3
#: Patients of a table of the main report; of a larger trial the file has them all.
LISTED = 24


def changes_by_visit(result: Result, weeks: Sequence[float] = ()) -> Table:
    """Ratio to baseline of every marker at every visit, with the probability that it got better.

    Parameters
    ----------
    result : Result
    weeks : sequence of float
        Default: every visit after baseline.
    """
    rows = []
    for marker in result.fit.observations.markers:
        about, errors = result.catalogue[marker], fall_errors(result, marker)
        table = result.estimates[result.estimates["marker"] == marker]
        for row in records(table):
            if weeks and row["week"] not in weeks:
                continue
            chance, error = row["p_fall"], errors[row["week"]]["p_fall"]
            rises = about.better == "higher"
            rows.append(
                (
                    about.short,
                    f"{row['week']:g}",
                    wording.ratio_range(*(row[f"gmr_{end}"] for end in _ENDS)),
                    probability(1 - chance if rises else chance, error),
                    "rise" if rises else "fall",
                    wording.ratio_range(*(row[f"gmr_{end}_prior"] for end in _ENDS)),
                )
            )
    head = ("Marker", "Week", "Ratio (95 % interval)", "P", "of a", "Prior alone")
    caption = f"Geometric mean ratio to baseline, model {result.name}"
    return Table(caption, head, tuple(rows), frozenset({0, 4}))


_ENDS = ("median", "lower", "upper")


def patients_brief(result: Result) -> Table:
    """Each patient at the primary week: as measured, and the true level's probabilities."""
    week, categories = result.primary_week, stated(result)
    measured, missing = measured_categories(result, week), not_measured(result, week)
    latent = {category: by_patient(result, "latent", week, category) for category in categories}
    patients = result.fit.observations.patients
    rows = []
    for patient in patients[:LISTED]:
        chances = (latent[c][patient] for c in categories)
        seen = measured[patient]
        if patient in missing:
            seen = f"{missing[patient]}: predicted"
        elif seen in result.judged_by.categories:
            seen = result.judged_by.short(seen)
        rows.append((patient, seen, *(probability(r["probability"], r["mcse"]) for r in chances)))
    first = [next(iter(latent[c].values()))["prior_probability"] for c in categories]
    if len(patients) > LISTED:
        rows.append(
            (f"{len(patients) - LISTED} more", "in probabilities.csv", *("" for _ in first))
        )
    rows.append(("Prior alone", "", *(prior_text(result, value) for value in first)))
    names = (result.judged_by.label(c) for c in categories)
    head = ("Patient", "As measured", *(f"P({name})" for name in names))
    caption = (
        f"Each patient at {wording.week_name(week)}: category as measured, and the probability "
        "that the true level meets it"
    )
    return Table(caption, head, tuple(rows), frozenset({0, 1}))


def beyond(result: Result) -> Table:
    """The next patient, the share of such patients and its benchmark, data beside prior."""
    week, definitions = result.primary_week, result.judged_by
    found = {
        quantity: {row["category"]: row for row in rows_of(result, quantity, week)}
        for quantity in ("next_patient", "population", "exceeds")
    }
    rows = []
    for category in result.evaluable:
        following, exceeds = found["next_patient"].get(category), found["exceeds"].get(category)
        if following is None or np.isnan(following["probability"]):
            continue
        bar = definitions.benchmarks.get(category)
        ends = share_ends(result, week, category)
        mean = found["population"][category]
        for data in (True, False):
            of, pair = (
                "probability" if data else "prior_probability",
                ends[:2] if data else ends[2:],
            )

            def chance(row: dict[str, float], data: bool = data, of: str = of) -> str:
                value = row[of]
                return probability(value, row["mcse"]) if data else prior_text(result, value)

            rows.append(
                (
                    definitions.label(category) if data else "– prior alone",
                    chance(following),
                    percent_with_range(mean[of], *pair),
                    f"{chance(exceeds)} (above {percent(bar)})" if exceeds and bar else "",
                )
            )
    head = ("Category", "Next patient", "Share (95 % interval)", "Share above benchmark")
    caption = (
        f"Beyond these patients, at {wording.week_name(week)}: the next one as measured, and the "
        "share of such patients whose true level meets the category"
    )
    return Table(caption, head, tuple(rows))


def noise_of_one(result: Result) -> float:
    """How far one measurement of the primary marker lies from the true level, as a share of it.

    One residual SD upwards, of the posterior's mean; NaN for a model without one.
    """
    try:
        sd = variable(result.fit.tree, "posterior", "residual_sd")
    except KeyError:
        return float("nan")
    return float(np.expm1(np.mean(stacked(sd.sel(marker=result.judged.main)))))


def _truly(result: Result, patient: str, category: str) -> Asked:
    """The probability that a patient's true level meets a category, at the primary week."""
    row = by_patient(result, "latent", result.primary_week, category)[patient]
    return Asked(
        probability(row["probability"], row["mcse"]),
        f"is the probability that {patient}’s true level is that of "
        f"{result.judged_by.called(category)}, given all measurements.",
        "probabilities",
        {
            "model": result.name,
            "quantity": "latent",
            "patient": patient,
            "week": result.primary_week,
            "category": category,
        },
        "probability",
        prior_text(result, row["prior_probability"]),
        f"{wording.points(row['mcse'])} points",
    )


def why_less_sure(result: Result) -> Sentence | None:
    """Who was measured in a category that the true level hardly meets, and why; None for nobody."""
    week, judged = result.primary_week, result.judged_by
    said: list[str | Asked] = []
    found = 0
    for patient, category in measured_categories(result, week).items():
        if category not in result.evaluable or category not in judged.responses:
            continue
        row = by_patient(result, "latent", week, category)[patient]
        if row["probability"] >= _EXPLAINED:
            continue
        found += 1
        if found > _NAMED:
            continue
        start = "; " if said else ""
        said += [f"{start}{patient}, measured in {judged.called(category)}, is truly so with "]
        said.append(_truly(result, patient, category))
        wider = next((c for c in stated(result) if c != category), None)
        if wider is not None:
            said += [f" (in {judged.called(wider)} with ", _truly(result, patient, wider), ")"]
    if not said:
        return None
    more = f"; so with {found - _NAMED} more" if found > _NAMED else ""
    trusts = "the model trusts the whole course more than the last visit: "
    noise, main = noise_of_one(result), result.judged.main
    first: tuple[str | Asked, ...] = (_upper(trusts),)
    if not np.isnan(noise):
        asked = Asked(
            percent(noise),
            "is one residual SD upwards, as a share of the true level.",
            "diagnostics",
            {"model": result.name, "parameter": f"residual_sd[{main}]"},
            "2.718281828459045 ** mean - 1",
        )
        recorded = asked.row["parameter"] in set(result.fit.parameters["parameter"])
        varies = asked if recorded else asked.shown  # draws of somebody else have no such row
        first = ("One measurement varies by ", varies, f", so {trusts}")
    return Sentence((*first, *said, f"{more}."))


def answer_words(result: Result) -> tuple[str | Asked, ...]:
    """How far the primary marker changed in the mean of such patients, and what was assumed."""
    week, catalogue = result.primary_week, result.catalogue
    cohort, markers = result.fit.cohort, result.fit.observations.markers
    first = cohort.primary_marker if cohort is not None else ""
    marker = catalogue[first if first in markers else markers[0]]
    table = result.estimates
    row = records(table[(table["marker"] == marker.name) & (table["week"] == week)])[0]
    now, before = (tuple(float(row[f"gmr_{end}{of}"]) for end in _ENDS) for of in ("", "_prior"))
    odds = marker.scale == "logit"
    text = wording.ratio_range(*now) if odds else percent_with_range(*now)
    assumed = wording.ratio_range(*before) if odds else percent_with_range(*before)
    chance, error = float(row["p_fall"]), fall_errors(result, marker.name)[week]["p_fall"]
    rises = now[0] > 1
    ratio = Asked(
        text,
        f"is the geometric mean {'odds ratio' if odds else 'ratio'} to baseline of "
        f"{wording.in_text(marker)} at {wording.week_name(week)}, given the data, with its 95 % "
        "interval.",
        "estimates",
        {"model": result.name, "marker": marker.name, "week": week},
        "gmr_median",
        assumed,
        f"{fall_errors(result, marker.name)[week]['log_gmr']:.1%} of the ratio".replace("%", " %"),
    )
    sure = Asked(
        probability(1 - chance if rises else chance, error),
        f"is the probability that this mean {'rose' if rises else 'fell'} at all"
        f"{' (1 less the number in the file)' if rises else ''}.",
        "estimates",
        {"model": result.name, "marker": marker.name, "week": week},
        "p_fall",
        prior_text(result, 1 - row["p_fall_prior"] if rises else row["p_fall_prior"]),
        f"{wording.points(error)} points",
    )
    unit = "" if odds else " of baseline"
    return (
        f"In the mean of {_whose(result)}, {wording.in_text(marker)} at {wording.week_name(week)} "
        f"{'rose' if rises else 'fell'} to ",
        ratio,
        f"{unit} (any {'rise' if rises else 'fall'}: ",
        sure,
        ").",
    )


def _whose(result: Result) -> str:
    """Over whom a model's ratio is a mean."""
    of = result.fit.tree["posterior"]["visit_change"].attrs.get("of")
    return "such patients" if of is None else str(of)


def counted_words(result: Result) -> tuple[str | Asked, ...]:
    """How many were counted in the first stated category, beside the next patient's probability."""
    week, first = result.primary_week, next(iter(stated(result)), None)
    if first is None:
        return ()
    definitions = result.judged_by
    counts = response_counts(result.probabilities, week, definitions.responses)
    rows = {row["category"]: row for row in records(counts)}
    row = rows.get(first)
    if row is None:
        return ()
    told = Asked(
        f"{row['responders']} of {row['evaluable']}",
        f"patients measured at {wording.week_name(week)} had {definitions.called(first)}, as "
        "measured.",
        "counts",
        {"week": week, "category": first},
        "responders",
    )
    best = definitions.responses[0]
    said: list[str | Asked] = [
        " ",
        told,
        f" measured patients were {definitions.rule(first).patients}",
    ]
    if best != first and best in rows and best in result.evaluable:
        number = Asked(
            f"{rows[best]['responders']}",
            f"patients measured at {wording.week_name(week)} had {definitions.called(best)}.",
            "counts",
            {"week": week, "category": best},
            "responders",
        )
        said += [" (", number, f" {definitions.short(best)})"]
    said.append(".")
    following = next(
        (r for r in rows_of(result, "next_patient", week) if r["category"] == first), None
    )
    if following is not None and not np.isnan(following["probability"]):
        said += [
            " The next patient’s probability is ",
            Asked(
                probability(following["probability"], following["mcse"]),
                "is the posterior predictive probability for one new patient, as measured.",
                "probabilities",
                {
                    "model": result.name,
                    "quantity": "next_patient",
                    "week": week,
                    "category": first,
                },
                "probability",
                prior_text(result, following["prior_probability"]),
                f"{wording.points(following['mcse'])} points",
            ),
            f" ({prior_text(result, following['prior_probability'])} assumed beforehand).",
        ]
    return tuple(said)


def page_one(result: Result, pictures: Sequence[Picture]) -> PageOne:
    """The answer: how far, how many, the next patient; and each patient's course as a picture."""
    lead = Sentence((*answer_words(result), *counted_words(result)))
    why = why_less_sure(result) if result.evaluable else None
    said = (lead, *([why] if why is not None else ()))
    return PageOne(ANSWER, "", said, tuple(pictures))


def beyond_the_model(result: Result) -> tuple[str, ...]:
    """Categories of which more were counted than the model's interval of the share allows."""
    week = result.primary_week
    counts = response_counts(result.probabilities, week, result.judged_by.responses)
    said = []
    for row in records(counts):
        category = row["category"]
        if category not in result.evaluable:
            continue
        lower, upper, *_ = share_ends(result, week, category)
        counted = row["share_evaluable"]
        if np.isnan(upper) or counted <= upper:
            continue
        mean = next(
            r["probability"]
            for r in rows_of(result, "population", week)
            if r["category"] == category
        )
        said.append(
            f"{_upper(result.judged_by.label(category))} is beyond the model: it expects "
            f"{percent_with_range(mean, lower, upper)} of such patients, "
            f"{row['responders']} of {row['evaluable']} were counted."
        )
    return tuple(said)


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def secondary_markers(
    results: Sequence[Result], primary: Result, apart: Collection[str]
) -> Table | None:
    """Every other marker at its model's primary week, from the first model that has it.

    Parameters
    ----------
    results : sequence of Result
        Not withheld, the simplest first.
    primary : Result
        Whose markers have a table of their own.
    apart : collection of str
        Markers that another section shows.
    """
    known = {*primary.fit.observations.markers, *apart}
    rows: list[tuple[str, ...]] = []
    for result in results:
        chosen = [m for m in result.fit.observations.markers if m not in known]
        if not chosen:
            continue
        table = changes_by_visit(result, (result.primary_week,))
        short = {result.catalogue[m].short for m in chosen}
        rows += [(*row, result.name) for row in table.rows if row[0] in short]
        known |= set(chosen)
    if not rows:
        return None
    head = ("Marker", "Week", "Ratio (95 % interval)", "P", "of a", "Prior alone", "Model")
    return Table(
        "Secondary markers: geometric mean ratio to baseline",
        head,
        tuple(rows),
        frozenset({0, 4, 6}),
    )
