"""One run: cohort, cards and priors in; results and their provenance out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnbayes.cohort import Cohort
from mnbayes.definitions import Definitions
from mnbayes.results import Result

if TYPE_CHECKING:
    from mnbayes.comparison.runs import Comparison


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
    """

    cohort: Cohort
    definitions: Definitions
    results: tuple[Result, ...]
    prior_set: str
    settings: tuple[str, ...]
    manifest: dict[str, Any]
    unconverged_shown: bool = False
    previous: Comparison | None = None

    @property
    def converged(self) -> bool:
        """Whether every fit passed the gate."""
        return all(result.fit.diagnostics.converged for result in self.results)
