"""The report's words and numbers: one place for how each thing is called and printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mnbayes.base.montecarlo import independent_error as independent_error
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.number_words import BLANK as BLANK
from mnbayes.base.number_words import gmr_range as gmr_range
from mnbayes.base.number_words import level as level
from mnbayes.base.number_words import percent as percent
from mnbayes.base.number_words import percent_range as percent_range
from mnbayes.base.number_words import ratio as ratio
from mnbayes.base.number_words import ratio_range as ratio_range
from mnbayes.base.text_table import Table
from mnbayes.cards.definitions import LEVELS, Category, CategoryRule, Definitions, Part
from mnbayes.data.markers import Catalogue, Marker

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


def capital(text: str) -> str:
    """A text with a capital at its start; ``str.capitalize`` would change the rest."""
    return f"{text[:1].upper()}{text[1:]}"


def small(text: str) -> str:
    """A text with a small letter at its start, to go on with a sentence."""
    return f"{text[:1].lower()}{text[1:]}"


def within(label: str) -> str:
    """A label within a sentence: "serum albumin", but "CD3+ lymphocytes", "GMR"."""
    return small(label) if label[1:2].islower() else label


def in_text(marker: Marker) -> str:
    """A marker's name within a sentence, see :func:`within`."""
    return within(marker.label)


def moved(
    marker: Marker, week: float, median: float, lower: float, upper: float, measured: str = ""
) -> str:
    """A change in words: "24-h urinary protein fell to 55 % of baseline (95 % interval …)".

    Parameters
    ----------
    marker : Marker
    week, median, lower, upper : float
    measured : str
        How many patients it rests on: see :func:`mnbayes.report.kit.results.measured_at`.
    """
    when = f"By {week_name(week)}" + (f" ({measured})" if measured else "")
    if marker.scale == "logit":
        none = "1"
        text = (
            f"{when}, the odds ratio of {in_text(marker)} to baseline was "
            f"{ratio_range(median, lower, upper)}."
        )
    else:
        none = "100 %"
        verb = "fell to" if median < 1 else "rose to"
        text = (
            f"{when}, {in_text(marker)} "
            f"{verb} {percent(median)} of baseline (95 % interval {percent_range(lower, upper)})."
        )
    if lower <= 1 <= upper:
        text += f" The interval includes {none}: the data do not rule out no change."
    return text


def definition_sentences(definitions: Definitions, known: Catalogue) -> dict[Category, str]:
    """What each category requires, in words, from the definitions as they stand."""
    return {rule.name: _rule(rule, definitions, known) for rule in definitions.category}


def definition_table(definitions: Definitions, known: Catalogue) -> Table:
    """Every category of some definitions with what it requires and its benchmark."""
    sentences = definition_sentences(definitions, known)
    rows = tuple(
        (
            definitions.label(name),
            sentence,
            percent(definitions.benchmarks[name]) if name in definitions.benchmarks else "",
        )
        for name, sentence in sentences.items()
    )
    head = ("category", "requires", "benchmark")
    caption = f"{definitions.name}: {definitions.title}"
    return Table(caption, head, rows, frozenset({0, 1}), wide=True)


def _rule(rule: CategoryRule, definitions: Definitions, known: Catalogue) -> str:
    ways = listed([_part(part, definitions, known) for part in rule.either], "or")
    asked = [_part(part, definitions, known) for part in rule.every]
    if ways:
        asked.append(f"either {ways}" if asked and len(rule.either) > 1 else ways)
    text = listed(asked)
    excluded = listed([definitions.short(name) for name in rule.without], "or")
    if text and rule.confirmed:
        text += ", at the visit and at the next one"
    if excluded:
        text += f", and not {excluded}" if text else f"not {excluded}"
    sentence = f"{capital(text)}."
    alone = [part for part in rule.either if part.category is None]
    if alone and len(alone) < len(rule.either):
        sentence += " A model that lacks a marker for one of these judges by the others alone."
    return sentence


def criterion(part: Part, known: Catalogue) -> str:
    """A criterion in words: "serum albumin at least 35 g/L"."""
    marker = known.get(str(part.marker))
    label = (
        in_text(marker) if marker else "the primary marker" if part.marker == "*" else part.marker
    )
    if part.kind in LEVELS:
        values = " or ".join(f"{v:g} {unit}" for unit, v in getattr(part, part.kind).items())
        text = f"{label} {'below' if part.kind == 'below' else 'at least'} {values}"
    elif part.better_by is not None:
        text = f"{label} better by at least {percent(part.threshold)} of baseline"
    else:
        way, _, most = part.kind.partition("_at_")
        share = percent(part.threshold)
        text = (
            f"a {way} of {label} by at least {share} from baseline"
            if most == "least"
            else f"no {way} of {label} by more than {share} from baseline"
        )
    return f"{text} (where measured)" if part.where_measured else text


def _part(part: Part, definitions: Definitions, known: Catalogue) -> str:
    return definitions.short(part.category) if part.category else criterion(part, known)


def reasons(not_evaluable: Mapping[str, str]) -> str:
    """Categories that a model cannot judge, gathered by reason."""
    by_reason: dict[str, list[str]] = {}
    for category, reason in not_evaluable.items():
        by_reason.setdefault(reason, []).append(category)
    return "; ".join(f"{listed(names)} ({reason})" for reason, names in by_reason.items())
