"""The report's words and numbers: one place for how each thing is called and printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mnbayes.answers.response_draws import (
    PROTEIN as PROTEIN,  # the report's modules name it from here
)
from mnbayes.base.montecarlo import independent_error as independent_error
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.number_words import BLANK as BLANK
from mnbayes.base.number_words import level as level
from mnbayes.base.number_words import percent as percent
from mnbayes.base.number_words import percent_range as percent_range
from mnbayes.base.number_words import ratio as ratio
from mnbayes.base.number_words import ratio_range as ratio_range
from mnbayes.cards.definitions import CATEGORY_LABELS as CATEGORY_LABELS
from mnbayes.cards.definitions import Category, Definitions
from mnbayes.data.markers import Marker

NO_CONTROL = (
    "This is a change under treatment: there was no control group, so nothing here says what "
    "caused it."
)

#: The six quantities, in the order they are explained.
QUANTITIES: dict[str, str] = {
    "observed": "The category as measured. One noisy measurement; no model.",
    "latent": "Probability that the patient's true level meets the definition, given the data.",
    "repeat": "Probability that a repeat measurement of the same patient at that visit would.",
    "next_patient": "Probability that one new patient from the same population would, as measured.",
    "population": "Expected share of such patients whose true level meets the definition.",
    "exceeds": "Probability that this share is above the benchmark.",
}

#: Categories of response in a word or two, the most informative first.
CATEGORY_SHORT: dict[str, str] = {
    "complete": "complete remission",
    "partial": "partial remission",
    "remission": "remission",
    "effective": "effective",
}
#: Of patients: "share in remission".
CATEGORY_PATIENTS: dict[str, str] = {
    "complete": "in complete remission",
    "partial": "in partial remission",
    "remission": "in remission",
    "effective": "with a response called effective",
    "none": "without response",
}

#: Parameter: what it is.
PARAMETER_LABELS: dict[str, str] = {
    "baseline_mean": "mean of the log baseline",
    "change_mean": "mean log change from baseline",
    "common_change": "log change that the markers' mean changes shrink to",
    "change_spread": "spread of the markers' mean log changes around it",
    "covariate_slope": "log change per unit of the covariate",
    "baseline_sd": "spread of patients' log baselines",
    "change_sd": "spread of patients' own log changes",
    "visit_sd": "spread of visits around the mean change",
    "residual_sd": "spread of one measurement around the true log level",
    "serial_sd": "spread of a patient's drift",
    "serial_weeks": "weeks over which it fades",
    "residual_df": "degrees of freedom: heavy tails of the measurements",
    "correlation": "correlations between patients' baselines and changes",
}


def listed(items: Sequence[str], last: str = "and") -> str:
    """Items as running text: "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def week_name(week: float) -> str:
    """A visit as text: "week 12", "baseline"."""
    return "baseline" if week == 0 else f"week {week:g}"


def percent_with_range(centre: float, lower: float, upper: float) -> str:
    """A share with its interval: "55 % (39 % to 80 %)"."""
    return f"{percent(centre)} ({percent_range(lower, upper)})"


def stated(share: float) -> str:
    """A share that somebody stated, without needless decimals: "25 %", "12.5 %"."""
    return f"{100 * share:.4g} %"


def level_with_range(centre: float, lower: float, upper: float) -> str:
    """A level with its interval: "4 (0.9 to 18)"."""
    return f"{level(centre)} ({level(lower)} to {level(upper)})"


def probability(value: float, error: float) -> str:
    """A probability, no digit finer than its Monte Carlo standard error."""
    return round_to_mcse(value, error)


def probability_of_draws(value: float, draws: int) -> str:
    """A probability from so many independent draws, no digit finer than their error."""
    return probability(value, independent_error(value, draws))


def points(error: float) -> str:
    """A Monte Carlo standard error in percentage points."""
    if np.isnan(error):
        return BLANK
    if error == 0:
        return "exact"
    return "<0.1" if error < 0.0005 else f"{100 * error:.1f}"


def in_text(marker: Marker) -> str:
    """A marker's name within a sentence: "serum albumin", but "CD3+ lymphocytes"."""
    label = marker.label
    return label[0].lower() + label[1:] if label[1].islower() else label


def moved(marker: Marker, week: float, median: float, lower: float, upper: float) -> str:
    """A change in words: "24-h urinary protein fell to 55 % of baseline (95 % interval …)"."""
    if marker.scale == "logit":
        none = "1"
        text = (
            f"By {week_name(week)}, the odds ratio of {in_text(marker)} to baseline was "
            f"{ratio_range(median, lower, upper)}."
        )
    else:
        none = "100 %"
        verb = "fell to" if median < 1 else "rose to"
        text = (
            f"By {week_name(week)}, {in_text(marker)} "
            f"{verb} {percent(median)} of baseline (95 % interval {percent_range(lower, upper)})."
        )
    if lower <= 1 <= upper:
        text += f" The interval includes {none}: the data do not rule out no change."
    return text


def definition_sentences(definitions: Definitions) -> dict[Category, str]:
    """What each category requires, in words, from the definitions as they stand."""
    complete, partial = definitions.complete, definitions.partial
    return {
        "complete": (
            f"24-h urinary protein below {complete.urine_protein_24h.below:g} g/24h and serum "
            f"albumin at least {complete.albumin.at_least:g} g/L."
        ),
        "partial": (
            f"A fall of at least {percent(partial.fall.at_least)} from baseline and 24-h urinary "
            f"protein below {partial.urine_protein_24h.below:g} g/24h, and not complete."
        ),
        "remission": "Complete or partial remission.",
        "effective": (
            f"A fall of at least {percent(definitions.effective.fall.at_least)} from baseline, "
            "or remission. A model without albumin uses the fall alone."
        ),
        "none": "Not effective.",
    }


def reasons(not_evaluable: Mapping[str, str]) -> str:
    """Categories that a model cannot judge, gathered by reason."""
    by_reason: dict[str, list[str]] = {}
    for category, reason in not_evaluable.items():
        by_reason.setdefault(reason, []).append(category)
    return "; ".join(f"{listed(names)} ({reason})" for reason, names in by_reason.items())
