"""Load a cohort: a folder of two or three tables becomes one validated `Cohort`.

All problems of all tables are collected and raised at once; nothing is dropped silently.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mnbayes.base.display import Displayed, Screen, listed_briefly
from mnbayes.base.problems import InputError, Problem
from mnbayes.base.text_table import Table as Shown
from mnbayes.data.markers import MARKERS, Catalogue, shipped_markers
from mnbayes.data.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

    from mnbayes.data.read_table import Table

SYNTHETIC_MARK = "SYNTHETIC"
"""Name of the file that says a folder's data are simulated, and how."""


@dataclass(frozen=True, eq=False, repr=False)
class Cohort(Displayed):
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
        SHA-256 of the bytes of the tables one after the other: patients, measurements and,
        where there is one, events.
    synthetic : bool
        Whether the folder declares itself synthetic by a file named SYNTHETIC.
    warnings : tuple of Problem
        What is odd without being wrong.
    events : DataFrame or None
        Columns patient (str), week (float; 0 is the baseline), term (str, in the spelling of its
        first row) and grade (float, a whole CTCAE grade from 0, absent, to 5). Sorted by patient
        (in the order of `patients`), week and term. No rows: somebody wrote down that nothing
        happened. None: the folder has no such table, and nothing is known.
    catalogue : mapping
        Every marker that the cohort may hold, by name: the ones that mnbayes brings, and what a
        file ``markers.toml`` in the folder adds or changes.
    trial : Trial
        What ``trial.toml`` says of planned visits and of the primary analysis.
    reported_units : mapping
        Marker to the unit that its values were reported in, where that is known.
    """

    patients: pd.DataFrame
    measurements: pd.DataFrame
    source: str
    sha256: str
    synthetic: bool
    warnings: tuple[Problem, ...] = ()
    events: pd.DataFrame | None = None
    catalogue: Catalogue = field(default_factory=shipped_markers)
    trial: Trial = field(default_factory=Trial)
    reported_units: Mapping[str, str] = field(default_factory=dict)

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

    def _screen(self) -> Screen:
        left = self.patients[self.patients["withdrew_week"].notna()]
        withdrawn = [
            f"{patient} (week {week:g})"
            for patient, week in zip(left["patient"], left["withdrew_week"], strict=True)
        ]
        recorded = "" if self.events is None else f"{len(self.events)} records"
        rows = []
        for marker in self.markers:
            own = self.measurements[self.measurements["marker"] == marker]
            counts = (own["patient"].nunique(), len(own), int(own["value"].isna().sum()))
            rows.append((marker, MARKERS[marker].unit, *map(str, counts)))
        table = Shown(
            "Markers",
            ("marker", "unit", "patients", "measurements", "of them censored"),
            tuple(rows),
            frozenset({0, 1}),
        )
        return Screen(
            f"Cohort of {len(self.patients)} patients{synthetic_words(self.synthetic)}",
            (
                ("from", self.source),
                ("patients", listed_briefly(self.patient_ids)),
                ("withdrawn", listed_briefly(withdrawn) or "nobody"),
                ("visits", f"weeks {', '.join(f'{week:g}' for week in self.weeks)}"),
                ("events", recorded or "not recorded"),
                ("warnings", str(len(self.warnings) or "")),
            ),
            (table,),
        )


def synthetic_words(synthetic: bool) -> str:
    """What follows the name of whatever comes from a synthetic cohort; blank for another."""
    return ": SYNTHETIC, no real patient" if synthetic else ""


def as_cohort(cohort: Cohort | str | Path) -> Cohort:
    """A cohort, or that of a folder as :func:`load_cohort` takes it."""
    return cohort if isinstance(cohort, Cohort) else load_cohort(cohort)


def load_cohort(path: str | Path) -> Cohort:
    """Read and validate a folder of ``patients``, ``measurements`` and perhaps ``events``.

    Parameters
    ----------
    path : str or Path
        Folder with ``patients.csv``, ``measurements.csv`` and optionally ``events.csv`` (or
        ``.parquet``, ``.xlsx``). The tables are described in ``docs/data-contract.md``.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        With all problems of all tables, and the warnings met on the way.
    """
    from mnbayes.data.read_table import read_table

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
    events, more = read_table(folder, "events", optional=True)
    problems += more
    event_frame, more = _events(events, patient_frame)
    problems += more
    if events is None:
        problems += _misnamed_events(folder)
    if (
        patients is None
        or measurements is None
        or any(problem.severity == "error" for problem in problems)
    ):
        raise InputError(problems)
    known = patient_frame["patient"]
    tables = [table for table in (patients, measurements, events) if table is not None]
    terms = [] if events is None else sorted(set(event_frame["term"]))
    return Cohort(
        patients=patient_frame.reset_index(drop=True),
        measurements=_sorted(measurement_frame, known, "marker", MARKERS),
        source=str(path),
        sha256=hashlib.sha256(b"".join(table.content for table in tables)).hexdigest(),
        synthetic=(folder / SYNTHETIC_MARK).is_file(),
        warnings=tuple(problems),
        events=None if events is None else _sorted(event_frame, known, "term", terms),
    )


def _patients(table: Table | None) -> tuple[pd.DataFrame, list[Problem]]:
    """Typed patients, indexed by line; empty where the table has no column `patient`."""
    import pandas as pd

    from mnbayes.data.checks import check_patients
    from mnbayes.data.schema import COLUMNS, SEXES, check_cells

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

    from mnbayes.data import checks
    from mnbayes.data.schema import COLUMNS, check_cells

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


def _events(table: Table | None, patient_frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Events with one spelling for each term, indexed by line; empty where a column is missing."""
    import pandas as pd

    from mnbayes.data import checks
    from mnbayes.data.schema import COLUMNS, check_cells

    if table is None:
        return pd.DataFrame(), []
    file, text = table.file, table.text
    numbers, problems = check_cells(table, "events")
    if not set(COLUMNS["events"]) <= set(text.columns):
        return pd.DataFrame(), problems  # the missing columns are reported
    # "Fever" and "fever " are one event; two spellings would count it twice.
    spaced = text["term"].str.split().str.join(" ")
    term = spaced.groupby(spaced.str.casefold()).transform("first").astype("str")
    problems += checks.check_event_repeats(file, text, numbers, term)
    if not patient_frame.empty:
        withdrew = patient_frame.set_index("patient")["withdrew_week"]
        problems += checks.check_listed(file, text, patient_frame["patient"])
        problems += checks.check_withdrawal(
            file,
            text,
            numbers["week"],
            withdrew,
            "an event up to the withdrawal; one seen in the follow-up counts all the same",
            severity="warning",
        )
    frame = numbers.assign(patient=text["patient"], term=term, week=numbers["week"].abs())
    return frame[[*COLUMNS["events"]]], problems


def _misnamed_events(folder: Path) -> list[Problem]:
    """Files that look like a table of events under a name that is not read (a warning)."""
    from mnbayes.data.read_table import FORMS

    names = sorted(
        entry.name
        for entry in folder.iterdir()
        if "event" in entry.stem.lower()
        and entry.suffix.lower() in FORMS
        and entry.name not in {f"events{form}" for form in FORMS}
    )
    expected = "events.csv, if this file holds events; it is not read"
    return [Problem(name, None, None, "this name", expected, "warning") for name in names]


def _sorted(
    rows: pd.DataFrame, patients: Iterable[str], column: str, names: Iterable[str]
) -> pd.DataFrame:
    """Sort by patient as listed, week, and one more column in the order of its names."""
    order = rows.assign(
        patient=rows["patient"].map({name: i for i, name in enumerate(patients)}),
        last=rows[column].map({name: i for i, name in enumerate(names)}),
    ).sort_values(["patient", "week", "last"])
    return rows.loc[order.index].reset_index(drop=True)
