"""Which models a cohort's data allow, and why the others do not apply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.cards.card import Card, available_cards, load_card, made_card
from mnbayes.cards.chosen_definitions import choose_definitions
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort
from mnbayes.data.markers import shipped_markers

#: Most cards that are made unasked: each is a fit and a chapter of the report, and beyond a
#: handful nobody reads them. ``--marker`` asks for more.
MOST_MADE = 4
#: Fewest patients with a baseline and a later value: one says nothing of the spread.
FEWEST = 2


@dataclass(frozen=True)
class Choice:
    """Models of a cohort.

    Attributes
    ----------
    cards : tuple of Card
        To be fitted, those with fewest markers first.
    reasons : tuple of str
        Why these, and why not the others; a sentence each.
    lacking : tuple of str
        Those of them that say that nobody was measured: of no interest to who fits.
    """

    cards: tuple[Card, ...]
    reasons: tuple[str, ...]
    lacking: tuple[str, ...] = ()

    @property
    def telling(self) -> tuple[str, ...]:
        """The reasons without those."""
        return tuple(reason for reason in self.reasons if reason not in self.lacking)


def card_for(markers: str | Sequence[str], cohort: Cohort | None = None) -> Card:
    """Make a card for any marker, its priors from the markers' file.

    Parameters
    ----------
    markers : str or sequence of str
        One marker, or several that are modelled jointly.
    cohort : Cohort, optional
        Whose markers are meant; default: those that mnbayes brings.

    Returns
    -------
    Card
        With a drift. Its numbers can be overridden as those of any card
        (:func:`mnbayes.with_priors`); ``docs/markers.md`` says how they are made.

    Raises
    ------
    InputError
        If there is no such marker.
    """
    return made_card(markers, shipped_markers() if cohort is None else cohort.catalogue)


def unusable(cohort: Cohort) -> dict[str, str]:
    """Why a model of change cannot use a marker of the cohort; markers that it can are left out."""
    found = {}
    for marker, rows in cohort.measurements.groupby("marker", sort=False):
        first = set(rows.loc[rows["week"] == 0, "patient"])
        later = set(rows.loc[rows["week"] > 0, "patient"])
        if not first:
            found[str(marker)] = "it has no baseline (week 0)"
        elif not later:
            found[str(marker)] = "it has no visit after baseline"
        elif len(first & later) < FEWEST:
            count = len(first & later)
            found[str(marker)] = (
                f"{count or 'no'} patient{'' if count == 1 else 's'} "
                f"{'has' if count == 1 else 'have'} a baseline and a later value"
            )
    return found


def choose_models(
    cohort: Cohort, known_elsewhere: Sequence[str] = (), asked: Definitions | None = None
) -> Choice:
    """The models of a cohort: those that its ``trial.toml`` names, or what the data allow.

    Parameters
    ----------
    cohort : Cohort
    known_elsewhere : sequence of str
        Names of models that are no cards; ``trial.toml`` may name them, and they are passed over.
    asked : Definitions, optional
        Of response: a model should be able to judge them. Default: see
        :func:`mnbayes.cards.chosen_definitions.choose_definitions`.

    Raises
    ------
    InputError
        If a card that is named cannot be loaded; or if no marker can be used at all.
    """
    if cohort.trial.models:
        wanted = [name for name in cohort.trial.models if name not in known_elsewhere]
        with gathered() as attempt:
            cards = [attempt(_of_trial, name, cohort) for name in wanted]
        named = ", ".join(card.name for card in cards)
        return Choice(tuple(cards), (f"Models named by trial.toml: {named}.",))
    return _allowed(cohort, choose_definitions(cohort, asked).definitions)


def _of_trial(name: str, cohort: Cohort) -> Card:
    """A card by its name, of markers joined by "+", or a file in the cohort's folder."""
    path = Path(cohort.source) / name
    return load_card(path if path.suffix == ".toml" else name, known=cohort.catalogue)


def _allowed(cohort: Cohort, definitions: Definitions) -> Choice:
    known, present, doubts = cohort.catalogue, cohort.markers, unusable(cohort)
    able = [marker for marker in present if marker not in doubts]
    cards: list[Card] = []
    reasons: list[str] = []
    absent: list[str] = []
    shipped = [load_card(name, known=known) for name in available_cards()]
    for card in sorted(shipped, key=lambda card: (len(card.markers), card.name)):
        lacking = [marker for marker in card.markers if marker not in present]
        poor = [marker for marker in card.markers if marker in doubts]
        if lacking:
            absent.append(f"Model {card.name} is left out: the cohort has no {', '.join(lacking)}.")
            reasons.append(absent[-1])
        elif poor:
            why = "; ".join(f"{marker}: {doubts[marker]}" for marker in poor)
            reasons.append(f"Model {card.name} is left out ({why}).")
        else:
            cards.append(card)
    together = [marker for marker in definitions.markers if marker in able]
    needed = set(definitions.required) & set(able)
    if len(together) > 1 and not any(needed <= set(card.markers) for card in cards):
        cards.append(made_card(together, known))
        reasons.append(
            f"Model {cards[-1].name} is made from the markers' file: responses by "
            f"{definitions.name} are judged from these markers together."
        )
    held = {marker for card in cards for marker in card.markers}
    alone = [marker for marker in able if marker not in held]
    first = cohort.trial.primary_marker
    alone.sort(key=lambda marker: marker != first)  # stable: else in the catalogue's order
    made, more = alone[:MOST_MADE], alone[MOST_MADE:]
    if made:
        cards += [made_card(marker, known) for marker in made]
        one = len(made) == 1
        reasons.append(
            f"No chosen model has {', '.join(made)}: {'a card is' if one else 'cards are'} made "
            f"from the markers' file (mnbayes models --write {made[0]} writes "
            f"{'it' if one else 'one'} to be edited)."
        )
    if more:
        reasons.append(
            f"Not fitted unless asked for (--marker NAME): {', '.join(more)}. {MOST_MADE} cards "
            "are made at most, so that the report can be read."
        )
    reasons += [
        f"Marker {marker} is not fitted: {why}."
        for marker, why in doubts.items()
        if marker in present
    ]
    if not cards:
        problems = [
            Problem("measurements.csv", None, "marker", f"{marker}: {why}", _NEEDED)
            for marker, why in doubts.items()
        ]
        empty = Problem("measurements.csv", None, "marker", "no measurement", _NEEDED)
        raise InputError(problems or [empty])
    return Choice(tuple(cards), tuple(reasons), tuple(absent))


_NEEDED = f"a baseline and a later value in {FEWEST} patients at least: a model is one of change"
