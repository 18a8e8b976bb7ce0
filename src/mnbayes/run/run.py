"""One run: cohort, cards and priors in; results, sections and their provenance out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mnbayes.answers.result import Result
from mnbayes.base.display import Displayed, Screen
from mnbayes.base.text_table import Table
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort, synthetic_words
from mnbayes.data.markers import Catalogue
from mnbayes.run.section import Picture, Section, Tidy


@dataclass(frozen=True, repr=False)
class Run(Displayed):
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
    found : mapping
        Analysis to what it found of the run as a whole, beside the cards' results.
    pictures : mapping
        Analysis to model to the pictures of that.
    sections : tuple of Section
        Made by the analyses, in the catalogue's order.
    folder : Path or None
        Where it is written, for the earlier runs beside it; None for a run that is not.
    said : tuple of str
        Sentences on what was moved or left for it in writing.
    """

    cohort: Cohort
    definitions: Definitions
    results: tuple[Result, ...]
    prior_set: str
    settings: tuple[str, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)
    unconverged_shown: bool = False
    found: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, Mapping[str, tuple[Picture, ...]]] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    folder: Path | None = None
    said: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether every fit passed the gate, those of the sections as well."""
        return all(result.fit.diagnostics.converged for result in self.results) and all(
            section.converged for section in self.sections
        )

    @property
    def catalogue(self) -> Catalogue:
        """What the cohort's markers are."""
        return self.cohort.catalogue

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tidy tables by file, what sections give to one file one below the other."""
        parts: dict[str, list[pd.DataFrame]] = {}
        for section in self.sections:
            for name, table in section.tables.items():
                if not table.frame.empty:
                    parts.setdefault(name, []).append(table.frame)
        return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}

    @property
    def written(self) -> dict[str, pd.DataFrame]:
        """As :attr:`tables`; of a synthetic cohort a last column says which rows are."""
        if not self.cohort.synthetic:
            return self.tables
        marked = tuple(
            replace(section, tables={n: _marked(t, section) for n, t in section.tables.items()})
            for section in self.sections
        )
        return replace(self, sections=marked).tables

    def section(self, name: str) -> Section:
        """The section of a name.

        Raises
        ------
        KeyError
            If no analysis of that name made one.
        """
        return {section.name: section for section in self.sections}[name]

    def _screen(self) -> Screen:
        rows = tuple(
            (
                result.name,
                ", ".join(result.fit.observations.markers),
                result.fit.engine,
                "yes" if result.fit.diagnostics.converged else "NO",
                "; ".join(result.withheld),
            )
            for result in self.results
        )
        shown = [section.name for section in self.sections if not section.absent]
        absent = [section.name for section in self.sections if section.absent]
        patients = len(self.cohort.patients)
        return Screen(
            f"Run of {len(self.results)} models on {patients} patients"
            f"{synthetic_words(self.cohort.synthetic)}",
            (
                ("folder", "" if self.folder is None else str(self.folder)),
                ("priors", ", ".join((self.prior_set, *self.settings))),
                ("converged", "yes" if self.converged else "NO"),
                ("sections", ", ".join(shown)),
                ("absent", ", ".join(absent)),
                ("tables", ", ".join(self.tables)),
            ),
            (
                Table(
                    "Models",
                    ("model", "markers", "engine", "converged", "withheld because"),
                    rows,
                    frozenset(range(5)),
                ),
            ),
        )


def _marked(table: Tidy, section: Section) -> Tidy:
    return replace(table, frame=table.frame.assign(synthetic=section.of_cohort))


def of_models(run: Run, table: str) -> pd.DataFrame:
    """One table of every result (``estimates``, ``probabilities``, …), one below the other."""
    tables: list[pd.DataFrame] = [getattr(result, table) for result in run.results]
    return pd.concat(tables, ignore_index=True)
