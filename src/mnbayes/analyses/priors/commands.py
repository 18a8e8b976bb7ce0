"""What ``mnbayes prior`` and ``mnbayes elicit`` read and write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mnbayes.analyses.priors.elicit_command import Elicitation
from mnbayes.analyses.priors.predictive import WEEKS, PriorPredictive, prior_predictive
from mnbayes.base.problems import InputError
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import load_definitions
from mnbayes.run.outputs import file_name_problems


def check_plot(path: Path | None) -> None:
    """Refuse a picture's name of another kind before anything is worked out.

    Raises
    ------
    InputError
    """
    if problems := file_name_problems({"--plot": (path, ".png")}):
        raise InputError(problems)


def predict(
    cards: Sequence[Card], data: Path | None, definitions: Path | None, seed: int
) -> list[PriorPredictive]:
    """What the priors of some cards say, at the visits of a cohort.

    Parameters
    ----------
    data : Path or None
        Cohort folder; only its visits are used, since a prior knows no data.
    definitions : Path or None
    seed : int

    Raises
    ------
    InputError
        If a file cannot be used, or the cohort lacks what a card needs.
    """
    response = load_definitions(definitions)
    if data is None:
        return [prior_predictive(card, response, WEEKS, seed=seed) for card in cards]
    from mnbayes.data.cohort import load_cohort
    from mnbayes.data.observations import observations

    cohort = load_cohort(data)
    weeks = [observations(card, cohort).weeks for card in cards]
    return [
        prior_predictive(card, response, visits, seed=seed)
        for card, visits in zip(cards, weeks, strict=True)
    ]


def write_predictive(found: Sequence[PriorPredictive], path: Path) -> None:
    """Draw what priors say as PNG."""
    from mnbayes.analyses.priors.figure import prior_ranges
    from mnbayes.report.kit.drawing import png_bytes

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(prior_ranges(found)))


def write_elicitation(found: Elicitation, path: Path) -> None:
    """Draw a belief and what follows from it as PNG."""
    from mnbayes.analyses.priors.figure import elicited_prior
    from mnbayes.report.kit.drawing import png_bytes

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(elicited_prior(found)))
