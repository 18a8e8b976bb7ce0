"""What stands beside a cohort in a run: a paper's published numbers, and earlier studies.

Neither is ever mixed with the patients of the cohort.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mnbayes.base.workers import News
from mnbayes.cards.definitions import Definitions
from mnbayes.cards.prior_sets import PriorSet
from mnbayes.inference.sampling import Sampling

if TYPE_CHECKING:
    from mnbayes.analyses.historical.card import HistoricalCard
    from mnbayes.analyses.historical.fit import HistoricalResult
    from mnbayes.analyses.historical.table import HistoricalTable
    from mnbayes.analyses.published.card import PublishedCard
    from mnbayes.analyses.published.facts import Facts
    from mnbayes.analyses.published.result import PublishedResult

#: Names by which ``fit --model`` asks for them.
NAMES = ("published", "historical")


@dataclass(frozen=True)
class PublishedJob:
    """Facts of a paper and how to fit them.

    Attributes
    ----------
    facts : Facts
    card : PublishedCard
        With the priors of the run's prior sets.
    definitions : Definitions
    sampling : Sampling
    prior_set : str
        What the card's priors are called.
    allow_unconverged : bool
    """

    facts: Facts
    card: PublishedCard
    definitions: Definitions
    sampling: Sampling
    prior_set: str
    allow_unconverged: bool

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    def work(self, progress: News) -> tuple[PublishedResult, dict[str, bytes]]:
        """Fit and draw: the result, and its pictures (SVG bytes by name)."""
        from mnbayes.analyses.published.figure import published_figures
        from mnbayes.analyses.published.fit import fit_published
        from mnbayes.report.kit.figures import svg_bytes

        result = fit_published(
            self.facts, self.card, self.definitions, self.sampling,
            news=lambda stage, done, total: progress(self.name, stage, done, total),
            prior_set=self.prior_set, allow_unconverged=self.allow_unconverged,
        )  # fmt: skip
        progress(self.name, "drawing", 0, 0)
        pictures = {name: svg_bytes(figure) for name, figure in published_figures(result).items()}
        progress(self.name, "done", 0, 0)
        return result, pictures


@dataclass(frozen=True)
class HistoricalJob:
    """A table of earlier studies and how to fit it."""

    table: HistoricalTable
    card: HistoricalCard
    sampling: Sampling
    allow_unconverged: bool

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    def work(self, progress: News) -> tuple[HistoricalResult, dict[str, bytes]]:
        """Fit and draw: the result, and its pictures (SVG bytes by name)."""
        from mnbayes.analyses.historical.figure import historical_figures
        from mnbayes.analyses.historical.fit import fit_historical
        from mnbayes.report.kit.figures import svg_bytes

        result = fit_historical(
            self.table, self.card, self.sampling,
            lambda stage, done, total: progress(self.name, stage, done, total),
            allow_unconverged=self.allow_unconverged,
        )  # fmt: skip
        progress(self.name, "drawing", 0, 0)
        pictures = {name: svg_bytes(figure) for name, figure in historical_figures(result).items()}
        progress(self.name, "done", 0, 0)
        return result, pictures


def published_job(
    definitions: Definitions,
    sampling: Sampling,
    prior_sets: Sequence[PriorSet],
    prior_set: str,
    *,
    allow_unconverged: bool = False,
) -> PublishedJob:
    """The trial's own abstract under a run's prior sets.

    Raises
    ------
    InputError
        If a set says something impossible of the model.
    """
    from mnbayes.analyses.published.card import load_published_card, override_published
    from mnbayes.analyses.published.facts import load_facts

    card = override_published(load_published_card(), prior_sets)
    return PublishedJob(load_facts(), card, definitions, sampling, prior_set, allow_unconverged)


def historical_job(sampling: Sampling, *, allow_unconverged: bool = False) -> HistoricalJob:
    """The earlier studies that mnbayes brings."""
    from mnbayes.analyses.historical.card import load_historical_card
    from mnbayes.analyses.historical.table import load_historical

    card = load_historical_card()
    return HistoricalJob(load_historical(None, card.classes), card, sampling, allow_unconverged)
