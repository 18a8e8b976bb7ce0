"""One run: cohort, cards and priors in; results and their provenance out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mnbayes.answers.result import Result
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort

if TYPE_CHECKING:
    from mnbayes.analyses.comparison.runs import Comparison
    from mnbayes.analyses.design.plan import Plan
    from mnbayes.analyses.historical.fit import HistoricalResult
    from mnbayes.analyses.published.result import PublishedResult


@dataclass(frozen=True)
class Run:
    """Everything a report is made of.

    Attributes
    ----------
    cohort : Cohort
    definitions : Definitions
    results : tuple of Result
    prior_set : str
        Name of the prior set.
    settings : tuple of str
        The single values that were set, as written.
    manifest : dict
        What ``run.json`` holds.
    unconverged_shown : bool
        Whether the user asked to see numbers of fits that failed the gate.
    previous : Comparison or None
        From the previous run to this one; None where there is none that can be read.
    published : PublishedResult or None
        What a paper's own numbers say; nothing of the cohort is in it.
    historical : HistoricalResult or None
        What earlier studies lead to expect.
    plan : Plan or None
        What the decision rule says of the run and of the next trial.
    """

    cohort: Cohort
    definitions: Definitions
    results: tuple[Result, ...]
    prior_set: str
    settings: tuple[str, ...]
    manifest: dict[str, Any]
    unconverged_shown: bool = False
    previous: Comparison | None = None
    published: PublishedResult | None = None
    historical: HistoricalResult | None = None
    plan: Plan | None = None

    @property
    def converged(self) -> bool:
        """Whether every fit passed the gate."""
        beside = [result for result in (self.published, self.historical) if result is not None]
        return all(result.fit.diagnostics.converged for result in self.results) and all(
            result.converged for result in beside
        )

    def rows(self, table: str) -> pd.DataFrame:
        """One table of every result and of the published numbers, one below the other.

        Parameters
        ----------
        table : str
            ``estimates``, ``probabilities`` or ``population``.
        """
        published = () if self.published is None else (self.published,)
        tables: list[pd.DataFrame] = [getattr(r, table) for r in (*self.results, *published)]
        return pd.concat(tables, ignore_index=True)
