"""What an export is made of: a finished run's record, tables and measurements, read back.

Nothing is fitted. What decides which model is the primary one stands here, once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.answers.reported import ROW_KEYS
from mnbayes.base.csv_files import read_csv_table
from mnbayes.base.montecarlo import independent_error
from mnbayes.base.problems import InputError, Problem, gathered, quoted
from mnbayes.cards.definitions import Definitions, parse_definitions
from mnbayes.data.cohort import Cohort
from mnbayes.data.markers import Catalogue, shipped_markers
from mnbayes.exports.measured import Kept, Measured, kept
from mnbayes.report.kit import wording
from mnbayes.run.opened_run import OpenedRun, open_run
from mnbayes.run.record import table_of, texts_of
from mnbayes.run.stored_run import read_numbers, recorded_definitions

#: Columns of names, where a number is a name too.
_NAMES = ("term", "left_out", "prior_set")
_ANSWERS = ("model", "kind", "marker", "week", "category", "value", "mcse")
#: Columns without which a table is none of a run's, beside those of ``ROW_KEYS``.
_COLUMNS = {
    "influence": (*_ANSWERS, "left_out", "value_without", "mcse_without", "reason"),
    "power_scaling": (*_ANSWERS, "prior", "value_half", "value_double", "diagnosis"),
    "structures": (*_ANSWERS, "residual", "trajectory"),
    "withdrawal": ("model", "week", "assumption", "quantity", "category", "probability", "mean"),
    "tipping_points": ("model", "week", "sentence"),
    "decision": ("model", "rule", "quantity", "category", "criterion", "threshold", "verdict"),
    "safety": ("kind", "term", "outcome", "patients", "total", "exact", "jeffreys_limit"),
}
#: What ``mnbayes sensitivity`` writes: its record, and its table without ending.
_SENSITIVITY = ("sensitivity.json", "sensitivity")


@dataclass(frozen=True, eq=False)
class Source:
    """A finished run as tables and texts of an export read it.

    Attributes
    ----------
    run : OpenedRun
    definitions : Definitions
        Those of the run.
    cohort : Cohort or None
        The data of the run, where they are at hand: a run's folder holds no patient's age.
    refits : DataFrame or None
        ``sensitivity.csv`` of ``mnbayes sensitivity`` on the same data and definitions.
    """

    run: OpenedRun
    definitions: Definitions
    cohort: Cohort | None = None
    refits: pd.DataFrame | None = None

    @property
    def synthetic(self) -> bool:
        """Whether the run's cohort was declared to be synthetic."""
        return self.run.synthetic

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        """What the record says of each card."""
        models = table_of(self.run.manifest, "models")
        return {name: table_of(said) for name, said in models.items()}

    @property
    def trial(self) -> dict[str, Any]:
        """What the cohort's folder said of its trial."""
        return table_of(self.run.manifest, "data", "trial")

    def markers(self, model: str) -> tuple[str, ...]:
        """Markers of a model."""
        return texts_of(self.models[model], "markers")

    def withheld(self, model: str) -> str:
        """Why a model's numbers are withheld; blank if they are not."""
        return "; ".join(texts_of(self.models[model], "withheld"))

    def doubtful(self, model: str) -> str:
        """Why a model's fit failed the gate; blank if it passed."""
        return "; ".join(texts_of(self.models[model], "diagnostics", "reasons"))

    @cached_property
    def primary(self) -> str:
        """The primary model, as the run recorded it.

        Where it has not (every model was withheld, or the run is older): the first that the
        trial's file names, if the run has it; else the one that judges most categories of
        response, of equals the one of fewest markers.
        """
        models = self.models
        recorded = str(table_of(self.run.manifest, "sections", "estimand").get("primary_model"))
        if recorded in models:
            return recorded
        named = [name for name in self.trial.get("models", ())[:1] if name in models]
        if named:
            return str(named[0])
        fewest = sorted(models, key=lambda name: len(self.markers(name)))
        return max(fewest, key=lambda name: len(models[name].get("judged", ())))

    @cached_property
    def marker(self) -> str:
        """Marker of the primary analysis."""
        own = self.markers(self.primary)
        asked = (self.trial.get("primary_marker", ""), *self.definitions.markers, *own)
        return next((marker for marker in asked if marker in own), "")

    @cached_property
    def week(self) -> float:
        """Week of the primary analysis, as :func:`mnbayes.answers.result.headline_week` has it."""
        week = float(self.models[self.primary].get("primary_week", np.nan))
        weeks = sorted({float(w) for w in self.table("estimates", self.primary)["week"]})
        waits = any(self.definitions.confirmed(name) for name in self.definitions.stated)
        if np.isnan(week):
            return weeks[-1]
        return weeks[-2] if waits and len(weeks) > 1 and week == weeks[-1] else week

    @property
    def judged(self) -> tuple[str, ...]:
        """Categories of response, best first, that the primary model can judge."""
        able = self.models[self.primary].get("judged", ())
        return tuple(name for name in self.definitions.responses if name in able)

    @property
    def category(self) -> str:
        """Category of the primary analysis; blank if the primary model judges none."""
        able = [name for name in self.definitions.stated if name in self.judged]
        return (able or [*self.judged, ""])[0]

    def has(self, name: str) -> bool:
        """Whether the run wrote a table."""
        return (self.run.folder / f"{name}.csv").is_file()

    def table(self, name: str, model: str = "") -> pd.DataFrame:
        """A table of the run, of one model where one is named; without rows if there is none.

        Texts that are blank are "", numbers NaN.
        """
        if not self.has(name):
            return pd.DataFrame(columns=["model", "week", "kind", "quantity", "category"])
        found = self.run.tables[name]
        missing = [column for column in _COLUMNS.get(name, ()) if column not in found]
        if missing:
            expected = f"the table as mnbayes fit writes it (no {', '.join(missing)})"
            columns = quoted(",".join(map(str, found.columns)))
            file = f"{self.run.name}/{name}.csv"
            raise InputError([Problem(file, 1, None, columns, expected)])
        return _with_words(found, model)

    @cached_property
    def known(self) -> Catalogue:
        """What the run's markers are."""
        found = dict(shipped_markers())
        for each in self._trees.values():
            found |= each.known
        return found

    @cached_property
    def measured(self) -> dict[str, Measured]:
        """What was measured of each marker, from the first model that has it; in that order."""
        found: dict[str, Measured] = {}
        for each in self._trees.values():
            found = {**each.measured, **found}
        return {m: found[m] for name in self._trees for m in self.markers(name) if m in found}

    @property
    def withdrew(self) -> dict[str, float]:
        """Week in which each patient left who did."""
        return next(iter(self._trees.values())).withdrew if self._trees else {}

    @cached_property
    def _trees(self) -> dict[str, Kept]:
        """What the draws of every model say beside its draws, where they can be read."""
        order = sorted(self.models, key=lambda name: name != self.primary)
        place = self.run.folder / "posterior"
        read = {name: kept(place / f"{name}.nc") for name in order}
        return {name: each for name, each in read.items() if each is not None}

    @property
    def mean_over(self) -> str:
        """Over whom the primary model's ratio is a mean; blank: over all such patients."""
        return self._trees[self.primary].mean_over if self.primary in self._trees else ""

    def error(self, value: float, model: str) -> float:
        """Monte Carlo error of a probability of which the run stores none: a cautious one.

        That of as many independent draws as the model's smallest bulk effective sample size.
        """
        smallest = table_of(self.models[model], "diagnostics").get("worst_ess_bulk")
        return independent_error(value, float(smallest or 400))

    def prior(self, value: float, model: str) -> str:
        """A probability under the prior alone, as text."""
        said = self.models[model]
        draws = int(said.get("chains") or 4) * int(said.get("draws") or 1000)
        return wording.probability_of_draws(value, draws)


def _with_words(table: pd.DataFrame, model: str = "") -> pd.DataFrame:
    """Rows of a model, or all; blank texts as ""."""
    found = table[table["model"] == model] if model else table
    words = found.columns.intersection(["patient", "marker", "category", "reason", *_NAMES])
    return found.assign(
        **{str(c): found[c].astype(object).where(found[c].notna(), "").astype(str) for c in words}
    )


def read_source(
    folder: str | Path, cohort: Cohort | None = None, sensitivity: str | Path | None = None
) -> Source:
    """Read a finished run as an export needs it.

    Parameters
    ----------
    folder : str or Path
        As ``mnbayes fit`` wrote it.
    cohort : Cohort, optional
        The data of that run.
    sensitivity : str or Path, optional
        Folder that ``mnbayes sensitivity`` wrote, of the same data and definitions.

    Raises
    ------
    InputError
        If it is not the folder of a run of this version, or the data or the refits are not those
        of the run.
    """
    run = open_run(folder)
    definitions = recorded_definitions(run.manifest)
    if not table_of(run.manifest, "models"):
        raise InputError([Problem(run.name, None, "models", "none", "a run with a fitted model")])
    with gathered() as attempt:
        for name in ROW_KEYS:
            # Where no model judges a response its tables are not written.
            if name == "estimates" or (run.folder / f"{name}.csv").is_file():
                attempt(read_numbers, run.folder, name)
    if cohort is not None and not same_data(run.manifest, cohort.sha256):
        found = "data other than those of the run (another sha256)"
        raise InputError([Problem("--data", None, None, found, "the cohort that was fitted")])
    refits = None if sensitivity is None else _refits(run, definitions, Path(sensitivity))
    return Source(run, definitions, cohort, refits)


def same_data(manifest: Mapping[str, Any], sha256: object) -> bool:
    """Whether some data are those that a run was fitted to."""
    return table_of(manifest, "data").get("sha256") == sha256


def _refits(run: OpenedRun, definitions: Definitions, folder: Path) -> pd.DataFrame:
    """The refits of ``mnbayes sensitivity`` under the definitions of the run."""
    expected = "the folder of mnbayes sensitivity on the data and the definitions of the run"
    record, table = _SENSITIVITY

    def refused(found: str) -> InputError:
        return InputError([Problem("--sensitivity", None, None, found, expected)])

    try:
        said = json.loads((folder / record).read_text(encoding="utf-8"))
        rows = _with_words(read_csv_table(folder / f"{table}.csv"))
    except (OSError, ValueError) as error:
        raise refused(f"{folder}: {error}") from error
    if not same_data(table_of(said), table_of(run.manifest, "data").get("sha256")):
        raise refused(f"{folder}, of other data (another sha256)")
    if parse_definitions(table_of(said, "definitions"), record) != definitions:
        raise refused(f"{folder}, of other definitions of response")
    # Of thresholds that were tried as well, those of the run.
    for model, base in table_of(said, "compared_with").items():
        for axis in table_of(said, "axes"):
            if axis not in ("model", "prior_set", "residual", "trajectory"):
                rows = rows[(rows["model"] != model) | (rows[axis] == table_of(base)[axis])]
    return rows
