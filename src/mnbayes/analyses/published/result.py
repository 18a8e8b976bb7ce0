"""What the published facts of a paper come to."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from mnbayes.analyses.published.card import PublishedCard
from mnbayes.analyses.published.facts import Facts
from mnbayes.analyses.published.readings import Evidence
from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.sampling import Sampling

#: What names a specification in ``answers``.
SPECIFICATION = ("prior_set", "withdrawn", "remission", "no_response", "ends")
#: Parts of the evidence: sizes at the visit; counts at the visit; the best of several visits as
#: the least of noisy ones, and as though it were one visit.
PARTS = ("outcome", "counts", "best", "best_naive")
ANSWER_COLUMNS = (
    *SPECIFICATION,
    *("part", "quantity", "category", "value", "lower", "upper", "mcse"),
    *("prior", "prior_lower", "prior_upper", "reason"),
)


@dataclass(frozen=True)
class PublishedResult:
    """Posterior of the published facts, with every answer under every way to read them.

    Attributes
    ----------
    facts : Facts
    card : PublishedCard
        With the priors as they were used.
    definitions : Definitions
    sampling : Sampling
    prior_set : str
        Of the reported answers.
    evidence, best_evidence : Evidence
        Behind the reported answers; the second is None where the facts have no best of visits.
    estimates, probabilities, population : DataFrame
        As in a run's files, with ``model`` = the card's name. Where withheld, the first is
        blank; the others come from counts, in closed form.
    answers : DataFrame
        Columns :data:`ANSWER_COLUMNS`, one row for each answer under each specification, the
        reported one first. ``value`` is the median of a ratio (``gmr``) or a probability;
        ``lower`` and ``upper`` its 95 % interval, or that of the share of patients behind it;
        ``reason`` says why numbers are blank.
    diagnostics : DataFrame
        Summed mean and SD of the reported fit's parameters; columns as in a run's
        ``diagnostics.csv``, those about chains blank.
    tree : DataTree
        Draws of the reported fit: ``posterior, posterior_predictive, prior, prior_predictive,
        log_likelihood, log_prior, sample_stats, observed_data``, and ``sample_stats_best`` and
        ``sample_stats_best_naive``.
    mean_grid, mean_density : array, shape (point,)
        Posterior density of the mean log ratio.
    reasons : tuple of str
        Why the reported sums are not to be trusted; empty if they may be.
    withheld : tuple of str
        Why its numbers are withheld; empty if they are not.
    same_priors : dict
        Prior sets without rows of their own, each with the one that has the same priors.
    seconds : float
    """

    facts: Facts
    card: PublishedCard
    definitions: Definitions
    sampling: Sampling
    prior_set: str
    evidence: Evidence
    best_evidence: Evidence | None
    estimates: pd.DataFrame
    probabilities: pd.DataFrame
    population: pd.DataFrame
    answers: pd.DataFrame
    diagnostics: pd.DataFrame
    tree: xr.DataTree
    mean_grid: Floats
    mean_density: Floats
    reasons: tuple[str, ...]
    withheld: tuple[str, ...]
    same_priors: dict[str, str]
    seconds: float

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def converged(self) -> bool:
        """Whether half the points of the reported sums would give the same answers."""
        return not self.reasons

    @property
    def reported(self) -> pd.DataFrame:
        """Rows of ``answers`` under the reported specification."""
        chosen = {"prior_set": self.prior_set} | self.card.readings.model_dump()
        keep = pd.Series(True, index=self.answers.index)
        for axis, value in chosen.items():
            keep &= self.answers[axis] == value
        return self.answers[keep]
