"""Priors in sentences: what was changed, what a set or a belief says, what is implausible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mnbayes.analyses.priors.differences import differences
from mnbayes.analyses.priors.elicit_command import Elicitation
from mnbayes.analyses.priors.predictive import PATIENT_BEYOND, TYPICAL_BEYOND, PriorPredictive
from mnbayes.analyses.priors.tables import responses_at
from mnbayes.base.text_table import records
from mnbayes.cards.card import Card
from mnbayes.cards.overrides import applies_to
from mnbayes.cards.prior_sets import Change, PriorSet, available_prior_sets, load_prior_set
from mnbayes.report.kit import wording


def prior_sentences(
    own: Sequence[Card],
    cards: Sequence[Card],
    sets: Iterable[PriorSet],
    changes: Iterable[Change],
) -> list[str]:
    """Which priors of a run are not the cards' own, and what has no place.

    Parameters
    ----------
    own, cards : sequence of Card
        Before and after overriding.
    sets : iterable of PriorSet
    changes : iterable of Change
        The single values.
    """
    said = []
    for each in sets:
        title = f" ({each.title})" if each.title else ""
        seal = f" Seal: {each.sealed}." if each.sealed else ""
        said.append(f"Prior set {each.name}{title}. {each.first_sentence}".rstrip() + seal)
    found = differences(own, cards)
    for difference in found:
        said.append(
            f"{difference.model}: {difference.name} ~ {difference.now}, the card has "
            f"{difference.own}: {difference.meaning}",
        )
    untouched = [card.name for card in cards if card.name not in {d.model for d in found}]
    if found and untouched:
        said.append(f"Every prior is the card's own in {', '.join(untouched)}.")
    elif not found:
        said.append("Every prior is the card's own.")
    for change in changes:
        used = [card.name for card, _ in applies_to(cards, change)]
        others = [card.name for card in cards if card.name not in used]
        if others:
            written = ".".join(p for p in (change.parameter, change.marker) if p)
            said.append(
                f"{written} is not a prior of {', '.join(others)}: unchanged there "
                "(a model of several markers wants NAME.MARKER.ARG).",
            )
    return said


def prior_set_sentences() -> list[str]:
    """The prior sets that mnbayes brings, one line each."""
    return [
        "Prior sets (--priors NAME; models/priors/NAME.toml has the reasoning and sources):",
        *(f"- {name}: {load_prior_set(name).first_sentence}" for name in available_prior_sets()),
    ]


def falls(predictive: PriorPredictive) -> list[str]:
    """How far each marker of a typical patient falls under the prior alone."""
    draws, last = len(predictive.draws.patient), predictive.draws.weeks[-1]
    said = []
    for row in records(predictive.ratios[predictive.ratios["week"] == last]):
        ends = wording.level_with_range(row["median"], row["lower"], row["upper"])
        fall, half = (
            wording.probability_of_draws(row[key], draws) for key in ("p_fall", "p_fall_50")
        )
        marker = predictive.draws.catalogue[row["marker"]]
        halved = f", P(fall of half or more) {half}" if marker.scale == "log" else ""
        said.append(
            f"{marker.label}: typical {marker.ratio} to baseline at "
            f"{wording.week_name(last)} {ends}; P(fall) {fall}{halved}."
        )
    return said


def responses(predictive: PriorPredictive) -> tuple[str, ...]:
    """How the next patient responds under the prior alone; nothing where that is not judged."""
    draws, last = len(predictive.draws.patient), predictive.draws.weeks[-1]
    chances, shown = responses_at(predictive, last), predictive.definitions
    said = [
        f"{label} {wording.probability_of_draws(chances[category], draws)}"
        for category, label in ((c, shown.short(c)) for c in shown.responses)
        if category in chances
    ]
    if not said:
        return ()
    at = wording.week_name(last)
    return (f"Next patient at {at}, under the prior alone: {', '.join(said)}.",)


def warnings(predictive: PriorPredictive) -> tuple[str, ...]:
    """What is implausible, marked as such where it stands by itself."""
    return tuple(f"IMPLAUSIBLE. {sentence}" for sentence in predictive.implausible)


def nothing_implausible() -> str:
    """That no prior puts too many patients where none is found."""
    return (
        f"Nothing implausible: at every visit fewer than {wording.percent(TYPICAL_BEYOND)} of "
        f"typical patients and {wording.percent(PATIENT_BEYOND)} of next patients lie beyond what "
        "is found in patients."
    )


def fine(predictive: PriorPredictive) -> tuple[str, ...]:
    """That nothing is implausible; nothing where something is."""
    return () if predictive.implausible else (nothing_implausible(),)


def of_belief(found: Elicitation) -> tuple[str, ...]:
    """A belief, and the distribution that says it."""
    elicited, own = found.elicited, found.own
    about = elicited.belief.quantity
    log = f" on the {about.scale} scale" if about.kind in ("level", "change") else ""
    unused = f"{found.name} is switched off in {found.card.name}: nothing follows from it."
    return (
        f"Belief: {elicited.belief.sentence}.",
        f"Distribution: {elicited.formula}{log}. {elicited.sentence}",
        f"Without the belief: {own.formula}: {own.explained}.",
        *elicited.notes,
        *(() if found.used else (unused,)),
    )


def how_to_use(found: Elicitation) -> tuple[str, ...]:
    """How to fit with a belief: lines to copy."""
    belief = found.elicited.belief
    text, _, scale = belief.text.rpartition(" on ")
    where = f"{found.parameter}.{found.marker}" if found.marker else found.parameter
    return (
        f"To use it:\n  mnbayes fit --set '{found.name}={belief.text}'",
        f'or in a .toml file for --priors:\n  [priors.{where}]\n  belief = "{text}"\n'
        f'  on = "{scale}"\n  why = "…"',
    )
