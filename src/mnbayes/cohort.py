"""Load a cohort: a folder of two tables becomes one validated `Cohort`.

All problems of both tables are collected and raised at once; nothing is dropped silently.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnbayes.markers import MARKERS
from mnbayes.problems import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from mnbayes.tables import Table

SYNTHETIC_MARK = "SYNTHETIC"
"""Name of the file that says a folder's data are simulated, and how."""


@dataclass(frozen=True, eq=False)
class Cohort:
    """A validated cohort, in canonical units.

    Attributes
    ----------
    patients : DataFrame
        Columns patient (str), sex ("female", "male" or NaN), age_years (years), bmi (kg/m2),
        infusions and withdrew_week (weeks), the last four float, NaN where blank. In the order
        of the file.
    measurements : DataFrame
        Columns patient (str), week (float; 0 is the baseline), marker, value, unit, lower,
        upper. Exact: value set, lower and upper NaN. Censored: value NaN, lower < true value
        < upper, an open lower bound being 0 and an open upper one inf. Sorted by patient (in the
        order of `patients`), week and marker (in the order of `MARKERS`).
    source : str
        The folder, as it was given.
    sha256 : str
        SHA-256 of the bytes of the patients' table followed by those of the measurements'.
    synthetic : bool
        Whether the folder declares itself synthetic by a file named SYNTHETIC.
    warnings : tuple of Problem
        What is odd without being wrong.
    """

    patients: pd.DataFrame
    measurements: pd.DataFrame
    source: str
    sha256: str
    synthetic: bool
    warnings: tuple[Problem, ...] = ()

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Patients in the order of the file, with and without measurements."""
        return tuple(self.patients["patient"].tolist())

    @property
    def markers(self) -> tuple[str, ...]:
        """Markers measured at least once, in the order of `MARKERS`."""
        measured = set(self.measurements["marker"].tolist())
        return tuple(name for name in MARKERS if name in measured)

    @property
    def weeks(self) -> tuple[float, ...]:
        """Weeks with at least one measurement, ascending."""
        return tuple(sorted(set(self.measurements["week"].tolist())))


def load_cohort(path: str | Path) -> Cohort:
    """Read and validate a folder of ``patients`` and ``measurements``.

    Parameters
    ----------
    path : str or Path
        Folder with ``patients.csv`` and ``measurements.csv`` (or ``.parquet``, ``.xlsx``). The
        tables are described in ``docs/data-contract.md``.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        With all problems of both tables, and the warnings met on the way.
    """
    from mnbayes.tables import read_table

    folder = Path(path)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        expected = "a folder with patients.csv and measurements.csv"
        raise InputError([Problem(str(path), None, None, found, expected)])
    patients, problems = read_table(folder, "patients")
    measurements, more = read_table(folder, "measurements")
    problems += more
    patient_frame, more = _patients(patients)
    problems += more
    measurement_frame, more = _measurements(measurements, patients, patient_frame)
    problems += more
    if (
        patients is None
        or measurements is None
        or any(problem.severity == "error" for problem in problems)
    ):
        raise InputError(problems)
    return Cohort(
        patients=patient_frame.reset_index(drop=True),
        measurements=_sorted(measurement_frame, patient_frame["patient"]),
        source=str(path),
        sha256=hashlib.sha256(patients.content + measurements.content).hexdigest(),
        synthetic=(folder / SYNTHETIC_MARK).is_file(),
        warnings=tuple(problems),
    )


def _patients(table: Table | None) -> tuple[pd.DataFrame, list[Problem]]:
    """Typed patients, indexed by line; empty where the table has no column `patient`."""
    import pandas as pd

    from mnbayes.checks import check_patients
    from mnbayes.schema import COLUMNS, SEXES, check_cells

    if table is None:
        return pd.DataFrame(), []
    numbers, problems = check_cells(table, "patients")
    if "patient" not in table.text:
        return pd.DataFrame(), problems
    problems += check_patients(table.file, table.text["patient"])
    frame = numbers.assign(patient=table.text["patient"])
    if "sex" in table.text:
        frame["sex"] = table.text["sex"].str.lower().map(SEXES).astype("str")
    return frame.reindex(columns=[*COLUMNS["patients"]]), problems


def _measurements(
    table: Table | None, patients: Table | None, patient_frame: pd.DataFrame
) -> tuple[pd.DataFrame, list[Problem]]:
    """Measurements in canonical units, indexed by line; empty where a column is missing."""
    import numpy as np
    import pandas as pd

    from mnbayes import checks
    from mnbayes.schema import COLUMNS, check_cells

    if table is None:
        return pd.DataFrame(), []
    file, text = table.file, table.text
    numbers, problems = check_cells(table, "measurements")
    if not set(COLUMNS["measurements"]) <= set(text.columns):
        return pd.DataFrame(), problems  # the missing columns are reported
    problems += checks.check_intervals(file, text, numbers)
    canonical, more = checks.convert(file, text, numbers)
    problems += more
    problems += checks.check_repeats(file, text, numbers)
    problems += checks.check_plausible(file, text, canonical)
    known = text["patient"]
    if patients is not None and not patient_frame.empty:
        known = patient_frame["patient"]
        withdrew = patient_frame.set_index("patient")["withdrew_week"]
        problems += checks.check_listed(file, text, known)
        problems += checks.check_measured(patients.file, known, text["patient"])
        problems += checks.check_withdrawal(file, text, numbers["week"], withdrew)
    problems += checks.check_baseline(file, text, numbers["week"], known)

    censored = text["value"] == ""
    frame = text[["patient", "marker"]].assign(
        week=numbers["week"].abs(),  # -0 is 0
        value=canonical["value"],
        unit=text["marker"].map({name: marker.unit for name, marker in MARKERS.items()}),
        lower=canonical["lower"].mask(censored & (text["lower"] == ""), 0.0),
        upper=canonical["upper"].mask(censored & (text["upper"] == ""), np.inf),
    )
    return frame[[*COLUMNS["measurements"]]], problems


def _sorted(measurements: pd.DataFrame, patients: pd.Series[str]) -> pd.DataFrame:
    """Sort by patient as listed, week, and marker as in `MARKERS`."""
    order = measurements.assign(
        patient=measurements["patient"].map({name: i for i, name in enumerate(patients)}),
        marker=measurements["marker"].map({name: i for i, name in enumerate(MARKERS)}),
    ).sort_values(["patient", "week", "marker"])
    return measurements.loc[order.index].reset_index(drop=True)
