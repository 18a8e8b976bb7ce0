"""What ``mnbayes prior`` and ``mnbayes elicit`` read and write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mnbayes.analyses.priors.elicit_command import Elicitation
from mnbayes.analyses.priors.figure import elicited_prior, prior_ranges
from mnbayes.analyses.priors.predictive import WEEKS, PriorPredictive, prior_predictive
from mnbayes.cards.card import Card
from mnbayes.cards.chosen_definitions import choose_definitions
from mnbayes.cards.definitions import load_definitions
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import observations
from mnbayes.report.kit.plot_files import write_plot


def predict(
    cards: Sequence[Card], cohort: Cohort | None, definitions: Path | str | None, seed: int
) -> list[PriorPredictive]:
    """What the priors of some cards say, at the visits of a cohort.

    Parameters
    ----------
    cohort : Cohort or None
        Only its visits are used, since a prior knows no data.
    definitions : Path or str, or None
    seed : int

    Raises
    ------
    InputError
        If a file cannot be used, or the cohort lacks what a card needs.
    """
    response = load_definitions(definitions)
    if cohort is None:
        return [prior_predictive(card, response, WEEKS, seed=seed) for card in cards]

    asked = None if definitions is None else response
    response = choose_definitions(cohort, asked, cards[0].markers).definitions
    weeks = [observations(card, cohort).weeks for card in cards]
    return [
        prior_predictive(card.scheduled(visits[-1]), response, visits, seed=seed)
        for card, visits in zip(cards, weeks, strict=True)
    ]


def write_predictive(found: Sequence[PriorPredictive], path: Path) -> None:
    """Draw what priors say into a picture."""
    write_plot(prior_ranges(found), path)


def write_elicitation(found: Elicitation, path: Path) -> None:
    """Draw a belief and what follows from it into a picture."""
    write_plot(elicited_prior(found), path)
