"""What the results say on page 1: how far, how many, the next patient, and who is less sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mnbayes.analyses.results.responses_section import measured_categories
from mnbayes.answers.denominators import response_counts
from mnbayes.answers.result import Result
from mnbayes.base.labelled import stacked
from mnbayes.base.text_table import records
from mnbayes.inference.contract import variable
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import (
    ANSWER,
    by_patient,
    fall_errors,
    prior_text,
    rows_of,
    stated,
)
from mnbayes.report.kit.wording import percent, percent_with_range, probability
from mnbayes.run.section import Asked, PageOne, Picture, Sentence

#: A patient measured in a category whose true level meets it with less than this is explained.
_EXPLAINED = 0.5
#: So many of these patients are named.
_NAMED = 3
_ENDS = ("median", "lower", "upper")


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
    first: tuple[str | Asked, ...] = (wording.capital(trusts),)
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
    errors = fall_errors(result, marker.name, [week])[week]
    chance, error = float(row["p_fall"]), errors["p_fall"]
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
        f"{percent(errors['log_gmr'], 1)} of the ratio",
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
