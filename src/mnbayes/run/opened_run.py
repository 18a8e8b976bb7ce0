"""A run read back from its folder: its record, tables and draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mnbayes.base.csv_files import read_csv_table
from mnbayes.base.display import Displayed, Screen
from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.base.text_table import Table
from mnbayes.data.cohort import synthetic_words
from mnbayes.run.history import when
from mnbayes.run.record import read_manifest, shown_name, table_of, texts_of
from mnbayes.run.stored_tree import open_tree

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False, repr=False)
class OpenedRun(Displayed):
    """What a run wrote.

    Attributes
    ----------
    folder : Path
    manifest : dict
        What ``run.json`` holds; a run of another version may lack some of it.
    """

    folder: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the folder, without its path."""
        return shown_name(self.folder)

    @property
    def synthetic(self) -> bool:
        """Whether its cohort was declared to be synthetic."""
        return self.manifest.get("synthetic") is True

    @property
    def converged(self) -> bool:
        """Whether every fit passed the gate."""
        return self.manifest.get("converged") is True

    @property
    def models(self) -> tuple[str, ...]:
        """The cards that were fitted."""
        return tuple(table_of(self.manifest, "models"))

    @property
    def sections(self) -> dict[str, str]:
        """Section to its title, of those that show something."""
        sections = table_of(self.manifest, "sections")
        described = {name: table_of(section) for name, section in sections.items()}
        return {
            name: str(said.get("title", name))
            for name, said in described.items()
            if not said.get("absent")
        }

    @property
    def report(self) -> Path | None:
        """The report, if one was written."""
        path = self.folder / "report.html"
        return path if path.is_file() else None

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by its file's name without ending: ``run.tables["estimates"]``.

        Raises
        ------
        InputError
            If one of them is damaged.
        """
        return {path.stem: self._table(path) for path in sorted(self.folder.glob("*.csv"))}

    def _table(self, path: Path) -> pd.DataFrame:
        try:
            return read_csv_table(path)
        except (OSError, ValueError) as error:  # ValueError: no table, not UTF-8
            problem = Problem(f"{self.name}/{path.name}", None, None, str(error), "a run's table")
            raise InputError([problem]) from error

    def posterior(self, model: str) -> xr.DataTree:
        """The draws of a model, each variable read when it is used.

        Parameters
        ----------
        model : str
            Name of a card of the run, or of what stands beside the cohort (``historical``).

        Raises
        ------
        InputError
            If the run has no draws of that name, or they cannot be read.
        """
        stored = {path.stem: path for path in sorted((self.folder / "posterior").glob("*.nc"))}
        if model not in stored:
            expected = f"one of {', '.join(stored) or 'none'}{did_you_mean(model, stored)}"
            raise InputError([Problem(f"{self.name}/posterior", None, None, repr(model), expected)])
        return open_tree(stored[model], f"{self.name}/posterior/{model}.nc", "stored draws")

    def _screen(self) -> Screen:
        rows = []
        for name, model in table_of(self.manifest, "models").items():
            said = table_of(model)
            checks = table_of(said, "diagnostics")
            rows.append(
                (
                    name,
                    ", ".join(texts_of(said, "markers")),
                    str(said.get("engine", "")),
                    "yes" if checks.get("converged") is True else "NO",
                    "; ".join(texts_of(said, "withheld")),
                )
            )
        files = sorted(path.stem for path in self.folder.glob("*.csv"))
        settings = texts_of(self.manifest, "settings")
        return Screen(
            f"Run {self.name}{synthetic_words(self.synthetic)}",
            (
                ("folder", str(self.folder)),
                ("", when(self.manifest.get("started"))),
                (
                    "priors",
                    ", ".join([str(self.manifest.get("prior_set", "")), *settings]),
                ),
                ("converged", "yes" if self.converged else "NO"),
                ("sections", ", ".join(self.sections)),
                ("tables", ", ".join(files)),
                ("report", "" if self.report is None else self.report.name),
            ),
            (
                Table(
                    "Models",
                    ("model", "markers", "engine", "converged", "withheld because"),
                    tuple(rows),
                    frozenset(range(5)),
                ),
            ),
        )


def open_run(folder: str | Path) -> OpenedRun:
    """Open the folder of a finished run; nothing but ``run.json`` is read yet.

    Parameters
    ----------
    folder : str or Path
        As ``mnbayes fit`` wrote it.

    Raises
    ------
    InputError
        If it is not a run's folder.
    """
    place = Path(folder)
    return OpenedRun(place, read_manifest(place))
