"""What the command line shows of priors: sets, differences from the cards, consequences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mnbayes.analyses.priors.differences import differences, family_changes
from mnbayes.analyses.priors.limits import physiological_limits
from mnbayes.analyses.priors.predictive import PATIENT_BEYOND, TYPICAL_BEYOND, PriorPredictive
from mnbayes.base.montecarlo import independent_error, round_to_mcse
from mnbayes.cards.card import Card
from mnbayes.cards.overrides import applies_to
from mnbayes.cards.prior_sets import Change, PriorSet, available_prior_sets, load_prior_set
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit.console import say

#: Categories of response in words, the most informative first.
CATEGORIES = {
    "complete": "complete remission",
    "partial": "partial remission",
    "remission": "remission",
    "effective": "effective",
}


def say_priors(
    own: Sequence[Card],
    cards: Sequence[Card],
    sets: Iterable[PriorSet],
    changes: Iterable[Change],
) -> None:
    """Say which priors of a run are not the cards' own, and what has no place or compiles anew.

    Parameters
    ----------
    own, cards : sequence of Card
        Before and after overriding.
    sets : iterable of PriorSet
    changes : iterable of Change
        The single values.
    """
    console = Console(stderr=True)
    for each in sets:
        title = f" ({each.title})" if each.title else ""
        say(console, f"Prior set {each.name}{title}. {each.first_sentence}".rstrip())
    found = differences(own, cards)
    for difference in found:
        say(
            console,
            f"{difference.model}: {difference.name} ~ {difference.now}, the card has "
            f"{difference.own}: {difference.meaning}",
        )
    untouched = [card.name for card in cards if card.name not in {d.model for d in found}]
    if found and untouched:
        say(console, f"Every prior is the card's own in {', '.join(untouched)}.")
    elif not found:
        say(console, "Every prior is the card's own.")
    for change in changes:
        used = [card.name for card, _ in applies_to(cards, change)]
        others = [card.name for card in cards if card.name not in used]
        if others:
            written = ".".join(p for p in (change.parameter, change.marker) if p)
            say(
                console,
                f"{written} is not a prior of {', '.join(others)}: unchanged there "
                "(a model of several markers wants NAME.MARKER.ARG).",
            )
    for sentence in family_changes(own, cards):
        say(console, sentence)


def describe_prior_sets() -> None:
    """Print the prior sets that mnbayes brings, one sentence each."""
    console = Console(soft_wrap=False)
    say(
        console,
        "Prior sets (--priors NAME; models/priors/NAME.toml has the reasoning and sources):",
    )
    for name in available_prior_sets():
        say(console, f"  {name}: {load_prior_set(name).first_sentence}")


def share(value: float, draws: int) -> str:
    """A probability from independent draws, no digit finer than its Monte Carlo error."""
    return round_to_mcse(value, independent_error(value, draws))


def number(value: float) -> str:
    """A level or ratio with three digits."""
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" if value < 1e6 else f"{value:.2g}"


def interval(median: float, lower: float, upper: float) -> str:
    """A median with its interval: "4 (0.9 to 18)"."""
    return f"{number(median)} ({number(lower)} to {number(upper)})"


def show_predictive(predictive: PriorPredictive) -> None:
    """Print what a card's priors say before any data."""
    console = Console(soft_wrap=False)
    draws = len(predictive.draws.patient)
    limits = physiological_limits()
    table = Table(
        title=f"{predictive.model}: the prior alone, no data",
        caption="median (95 % interval); under the prior all later visits are alike",
    )
    table.add_column("marker, unit")
    table.add_column("visit")
    table.add_column("typical patient", justify="right")
    table.add_column("next patient, as measured", justify="right")
    table.add_column("next patient beyond", justify="right")
    last = predictive.draws.weeks[-1]
    rows = predictive.levels[predictive.levels["week"].isin([0.0, last])]
    for row in rows.to_dict("records"):
        marker, week = MARKERS[str(row["marker"])], float(row["week"])
        limit = limits[marker.name]
        beyond = "\n".join(
            f"{side} {bound:g}: {share(float(row[f'patient_{side}']), draws)}"
            for side, bound in (("below", limit.lower), ("above", limit.upper))
        )
        table.add_row(
            escape(f"{marker.label}, {marker.unit}"),
            "baseline" if week == 0 else f"week {week:g}",
            interval(*(float(row[f"typical_{key}"]) for key in ("median", "lower", "upper"))),
            interval(*(float(row[f"patient_{key}"]) for key in ("median", "lower", "upper"))),
            beyond,
        )
    console.print(table)
    ratios = predictive.ratios[predictive.ratios["week"] == last]
    for row in ratios.to_dict("records"):
        ends = interval(*(float(row[key]) for key in ("median", "lower", "upper")))
        falls = [share(float(row[key]), draws) for key in ("p_fall", "p_fall_50")]
        say(
            console,
            f"{MARKERS[str(row['marker'])].label}: typical ratio to baseline at week {last:g} "
            f"{ends}; P(fall) {falls[0]}, P(fall of half or more) {falls[1]}.",
        )
    at_last = predictive.responses[predictive.responses["week"] == last]
    chances = dict(zip(at_last["category"], at_last["probability"], strict=True))
    words = [f"{CATEGORIES[c]} {share(chances[c], draws)}" for c in CATEGORIES if c in chances]
    if words:
        say(console, f"Next patient at week {last:g}, under the prior alone: {', '.join(words)}.")
    say_implausible(console, predictive)


def say_implausible(console: Console, predictive: PriorPredictive) -> None:
    """Print the implausible consequences, or that there are none."""
    for sentence in predictive.implausible:
        say(console, f"IMPLAUSIBLE. {sentence}", "bold")
    if not predictive.implausible:
        say(
            console,
            f"Nothing implausible: at every visit fewer than {100 * TYPICAL_BEYOND:.0f} % of "
            f"typical patients and {100 * PATIENT_BEYOND:.0f} % of next patients lie beyond what "
            "is found in patients.",
        )
