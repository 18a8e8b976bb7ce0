"""Load a cohort: a folder of two or three tables becomes one validated `Cohort`.

All problems of all tables are collected and raised at once; nothing is dropped silently.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.base.display import Displayed, Screen, listed_briefly
from mnbayes.base.problems import InputError, Problem, did_you_mean, gathered, quoted, row_problems
from mnbayes.base.text_table import Table as Shown
from mnbayes.data import checks, visits
from mnbayes.data.markers import Catalogue, load_markers, shipped_markers
from mnbayes.data.names import normal
from mnbayes.data.pseudonyms import pseudonyms_of, renamed, retold
from mnbayes.data.read_table import FORMS, Table, control_codes, read_table
from mnbayes.data.schema import (
    COLUMNS,
    NUMBERS,
    REQUIRED,
    SEXES,
    check_cells,
    read_numbers,
    unused_columns,
)
from mnbayes.data.trial import FILE as TRIAL_FILE
from mnbayes.data.trial import Trial, load_trial, primary_week

SYNTHETIC_MARK = "SYNTHETIC"
"""Name of the file that says a folder's data are simulated, and how."""

MARKERS_FILE = "markers.toml"
"""Name of the file of a folder that adds markers or changes some."""

#: Column of the patients' table that says who was treated how.
ARM = "arm"


def _no_rows() -> pd.DataFrame:
    names = ("patient", "week", "marker", "value", "unit", "lower", "upper", "actual_week")
    return pd.DataFrame(columns=[*names, "reason"])


@dataclass(frozen=True, eq=False, repr=False)
class Cohort(Displayed):
    """A validated cohort, in canonical units.

    Attributes
    ----------
    patients : DataFrame
        Columns patient (str), sex ("female", "male" or NaN), age_years (years), bmi (kg/m2),
        infusions and withdrew_week (weeks), the last four float, NaN where blank; then whatever
        else the file has, float where every cell is a number or blank, else str. In the order of
        the file.
    measurements : DataFrame
        Columns patient (str), week (float; the planned one, 0 is the baseline), marker, value,
        unit, lower, upper, actual_week (as the file has it). Exact: value set, lower and upper
        NaN. Censored: value NaN, lower < true value < upper, an open lower bound being 0 and an
        open upper one inf. Sorted by patient (in the order of `patients`), week and marker (in
        the order of `catalogue`).
    source : str
        The folder, as it was given.
    sha256 : str
        SHA-256 of the bytes of the files one after the other: patients, measurements and, where
        there is one, events and ``markers.toml``. Not of ``trial.toml``: two analyses of the same
        data that plan something else are still of the same data.
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
    set_aside : DataFrame
        Rows for the listing that no model uses: columns of `measurements`, where week is the
        actual one, and reason (str).
    arm : str
        The arm whose patients these are; blank where the file names none.
    left_out : mapping
        Number of patients of each other arm.
    implausible : tuple of Problem
        Values beyond the possible that were accepted because somebody insisted; they are among
        the warnings too.
    reported_units : mapping
        Of each marker, the unit most of its rows were reported in, in its usual spelling.
    pseudonyms : bool
        Whether the patients' names are those of :meth:`pseudonymised`.
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
    set_aside: pd.DataFrame = field(default_factory=_no_rows)
    arm: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)
    implausible: tuple[Problem, ...] = ()
    reported_units: Mapping[str, str] = field(default_factory=dict)
    pseudonyms: bool = False

    def pseudonymised(self) -> tuple[Cohort, pd.DataFrame]:
        """The cohort with P01, P02, … for its patients, and the key to them.

        Whatever is made of it, from the report to the stored draws, holds no other name. Columns
        of the user's own stay, save cells that are a patient's name.

        Returns
        -------
        Cohort
        DataFrame
            Columns pseudonym and patient, in the order of the patients' table.
        """
        names = pseudonyms_of(self.patient_ids)
        cohort = replace(
            self,
            patients=renamed(self.patients, names),
            measurements=renamed(self.measurements, names),
            events=None if self.events is None else renamed(self.events, names),
            set_aside=renamed(self.set_aside, names),
            warnings=retold(self.warnings, names),
            implausible=retold(self.implausible, names),
            pseudonyms=True,
        )
        return cohort, pd.DataFrame({"pseudonym": names.values(), "patient": names.keys()})

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Patients in the order of the file, with and without measurements."""
        return tuple(self.patients["patient"].tolist())

    @property
    def markers(self) -> tuple[str, ...]:
        """Markers measured at least once, in the order of `catalogue`."""
        measured = set(self.measurements["marker"].tolist())
        return tuple(name for name in self.catalogue if name in measured)

    @property
    def weeks(self) -> tuple[float, ...]:
        """Weeks with at least one measurement, ascending."""
        return tuple(sorted(set(self.measurements["week"].tolist())))

    @property
    def primary_marker(self) -> str:
        """Marker of the primary analysis: the trial's, or the first that was measured."""
        return self.trial.primary_marker or next(iter(self.markers), "")

    def primary_week(self, markers: Iterable[str]) -> float:
        """Week of the primary analysis of a model of some markers.

        That of ``trial.toml`` if one of them was measured then; else the last week at which at
        least half of the enrolled were measured, or where there is none the best attended one.

        Raises
        ------
        ValueError
            If none of the markers was measured after baseline.
        """
        chosen = set(markers)
        seen: dict[float, set[str]] = {}
        columns = (self.measurements[name].tolist() for name in ("marker", "week", "patient"))
        for marker, week, patient in zip(*columns, strict=True):
            if marker in chosen and week > 0:
                seen.setdefault(week, set()).add(patient)
        weeks = sorted(seen)
        counts = [len(seen[week]) for week in weeks]
        return primary_week(self.trial, weeks, counts, len(self.patients))

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
            rows.append((marker, self.catalogue[marker].unit, *map(str, counts)))
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
                ("arm", self.arm),
                ("withdrawn", listed_briefly(withdrawn) or "nobody"),
                ("visits", f"weeks {', '.join(f'{week:g}' for week in self.weeks)}"),
                ("events", recorded or "not recorded"),
                ("set aside", f"{len(self.set_aside)} rows" if len(self.set_aside) else ""),
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


def catalogue_of_folder(path: str | Path) -> Catalogue:
    """Markers that a cohort's folder may speak of: those that mnbayes brings, and its own.

    Raises
    ------
    InputError
        If its ``markers.toml`` cannot be used.
    """
    own = Path(path) / MARKERS_FILE
    return load_markers(own) if own.is_file() else shipped_markers()


def load_cohort(
    path: str | Path, *, arm: str | None = None, accept_implausible: bool = False
) -> Cohort:
    """Read and validate a folder of ``patients``, ``measurements`` and perhaps ``events``.

    Parameters
    ----------
    path : str or Path
        Folder with ``patients.csv``, ``measurements.csv`` and optionally ``events.csv`` (or
        ``.parquet``, ``.xlsx``), as described in ``docs/data-contract.md``; and perhaps
        ``markers.toml`` and ``trial.toml``.
    arm : str, optional
        The arm to keep, where the patients' column ``arm`` has several. Default: that of
        ``trial.toml``.
    accept_implausible : bool
        Whether values beyond what is possible are read, with a warning, as they stand.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        With every problem of every file.
    """
    folder = Path(path)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        expected = "a folder with patients.csv and measurements.csv"
        raise InputError([Problem(str(path), None, None, found, expected)])
    problems: list[Problem] = []
    catalogue, trial = shipped_markers(), Trial()
    try:
        with gathered() as attempt:
            catalogue = attempt(catalogue_of_folder, folder) or catalogue
            trial = attempt(load_trial, folder) or trial
    except InputError as error:
        problems += error.problems
    tables: dict[str, Table] = {}
    for name in ("patients", "measurements", "events"):
        table, more = _table(folder, name)
        problems += more
        if table is not None:
            tables[name] = table
    content = b"".join(table.content for table in tables.values())
    tables = _one_form_of_names(tables)
    tables, own_arm, left_out, more = _one_arm(tables, arm, trial)
    problems += more

    patient_frame, more = _patients(tables.get("patients"), catalogue)
    problems += more
    read = _measurements(tables, patient_frame, catalogue, trial, accept=accept_implausible)
    problems += read.problems
    problems += _unplanned(trial, read.used)
    event_frame, more = _events(tables.get("events"), patient_frame, catalogue)
    problems += more
    if "events" not in tables:
        problems += _misnamed_events(folder)
    if not {"patients", "measurements"} <= set(tables) or any(
        problem.severity == "error" for problem in problems
    ):
        raise InputError(problems)
    known = patient_frame["patient"]
    if (folder / MARKERS_FILE).is_file():
        content += (folder / MARKERS_FILE).read_bytes()
    terms = sorted(set(event_frame["term"])) if "events" in tables else []
    return Cohort(
        patients=patient_frame.reset_index(drop=True),
        measurements=_sorted(read.used, known, "marker", catalogue),
        source=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        synthetic=(folder / SYNTHETIC_MARK).is_file(),
        warnings=tuple(problems),
        events=_sorted(event_frame, known, "term", terms) if "events" in tables else None,
        catalogue=catalogue,
        trial=trial,
        set_aside=_sorted(read.set_aside, known, "marker", catalogue),
        arm=own_arm,
        left_out=left_out,
        implausible=tuple(read.implausible),
        reported_units=read.reported_units,
    )


def _unplanned(trial: Trial, used: pd.DataFrame) -> list[Problem]:
    """What the trial calls primary and nobody measured."""
    if used.empty:
        return []
    problems = []
    later = sorted(week for week in set(used["week"].dropna()) if week > 0)
    if trial.primary_week is not None and trial.primary_week not in later:
        expected = f"a week at which somebody was measured: {', '.join(f'{w:g}' for w in later)}"
        found = f"{trial.primary_week:g}"
        problems.append(Problem(TRIAL_FILE, None, "primary_week", found, expected))
    measured = list(dict.fromkeys(used["marker"]))
    if trial.primary_marker and trial.primary_marker not in measured:
        expected = f"a marker of the cohort: {', '.join(measured)}"
        expected += did_you_mean(trial.primary_marker, measured)
        found = quoted(trial.primary_marker)
        problems.append(Problem(TRIAL_FILE, None, "primary_marker", found, expected))
    return problems


def _table(folder: Path, name: str) -> tuple[Table | None, list[Problem]]:
    columns = COLUMNS[name] if name != "patients" else (*COLUMNS[name], ARM)
    table, problems = read_table(
        folder, name, optional=name == "events", columns=columns, required=REQUIRED[name]
    )
    if table is not None:
        problems += control_codes(table, (*NUMBERS[name], "sex", "marker", "unit"))
        problems += unused_columns(table, name) if name != "patients" else []
    return table, problems


def _one_form_of_names(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Accents composed in every table, unless that made one patient of two.

    "Zoë" in one or in two characters is the same text to every standard, and to every eye.
    """
    if "patients" not in tables or "patient" not in tables["patients"].text:
        return dict(tables)
    listed = set(tables["patients"].text["patient"])
    composed = {unicodedata.normalize("NFC", name) for name in listed}
    if len(composed) < len(listed):
        return dict(tables)
    return {
        name: replace(
            table, text=table.text.assign(patient=table.text["patient"].str.normalize("NFC"))
        )
        if "patient" in table.text
        else table
        for name, table in tables.items()
    }


def _one_arm(
    tables: Mapping[str, Table], asked: str | None, trial: Trial
) -> tuple[dict[str, Table], str, dict[str, int], list[Problem]]:
    """Tables of one arm's patients, its name, how many patients others have, and problems."""
    wanted = asked or trial.arm
    patients = tables.get("patients")
    if patients is None or ARM not in patients.text:
        if not wanted or patients is None:
            return dict(tables), "", {}, []
        expected = f"a column {ARM}, since the arm {quoted(wanted)} is asked for"
        problem = Problem(patients.file, patients.header_row, ARM, "no such column", expected)
        return dict(tables), "", {}, [problem]
    text = patients.text
    counts = Counter(text[ARM].tolist())
    if not wanted and len(counts) == 1:
        return dict(tables), next(iter(counts)), {}, []
    if wanted not in counts or not wanted:
        names = [f"{quoted(arm)} ({n} patient{'s' * (n > 1)})" for arm, n in counts.items()]
        first = next((arm for arm in counts if arm), "")
        expected = (
            f"one of the arms of the file{did_you_mean(wanted, [arm for arm in counts if arm])}"
            if wanted
            else f"one arm, since nothing here compares two: --arm {first}, or in {TRIAL_FILE} "
            f'arm = "{first}"'
        )
        found = f"{quoted(wanted)}, where the file has {', '.join(names)}" if wanted else None
        problem = Problem(patients.file, None, ARM, found or ", ".join(names), expected)
        return dict(tables), "", {}, [problem]
    if "patient" not in text:
        return dict(tables), wanted, {}, []
    own = set(text.loc[text[ARM] == wanted, "patient"])
    others = set(text["patient"]) - own
    kept = {
        name: replace(table, text=table.text[~table.text["patient"].isin(others)])
        if "patient" in table.text
        else table
        for name, table in tables.items()
    }
    del counts[wanted]
    return kept, wanted, dict(counts), []


def _patients(table: Table | None, catalogue: Catalogue) -> tuple[pd.DataFrame, list[Problem]]:
    """Typed patients, indexed by line; empty where the table has no column `patient`."""
    if table is None:
        return pd.DataFrame(), []
    numbers, problems = check_cells(table, "patients", catalogue)
    if "patient" not in table.text:
        return pd.DataFrame(), problems
    problems += checks.check_patients(table.file, table.text["patient"])
    frame = numbers.assign(patient=table.text["patient"])
    if "sex" in table.text:
        frame["sex"] = table.text["sex"].str.lower().map(SEXES).astype("str")
    frame = frame.reindex(columns=[*COLUMNS["patients"]])
    absent = [name for name in COLUMNS["patients"] if name not in table.text]
    frame = frame.astype({"sex": "str"} | dict.fromkeys(NUMBERS["patients"], "float64"))
    own: dict[str, pd.Series[Any]] = {}
    for name in (str(name) for name in table.text if name not in COLUMNS["patients"]):
        cells = table.text[name]
        read = read_numbers(cells)
        words = (read.isna() & (cells != "")).any() or (cells == "").all()
        own[name] = cells.mask(cells == "").astype("str") if words or name == ARM else read
        if near := did_you_mean(name.casefold(), absent):
            found = f"the column {quoted(name)}{near}"
            expected = "a column of the data contract; this one is kept for the listing"
            problems.append(Problem(table.file, table.header_row, None, found, expected, "warning"))
    return frame.assign(**own), problems


@dataclass(frozen=True, eq=False)
class _Read:
    """Measurements in canonical units, indexed by line; empty where a column is missing."""

    used: pd.DataFrame
    set_aside: pd.DataFrame
    problems: list[Problem]
    implausible: list[Problem] = field(default_factory=list)
    reported_units: Mapping[str, str] = field(default_factory=dict)


def _measurements(
    tables: Mapping[str, Table],
    patient_frame: pd.DataFrame,
    catalogue: Catalogue,
    trial: Trial,
    *,
    accept: bool,
) -> _Read:
    if "measurements" not in tables:
        return _Read(pd.DataFrame(), pd.DataFrame(), [])
    table, problems = _with_known_markers(tables["measurements"], catalogue)
    file = table.file
    numbers, more = check_cells(table, "measurements", catalogue)
    problems += more
    if not set(REQUIRED["measurements"]) <= set(table.text.columns):
        return _Read(pd.DataFrame(), pd.DataFrame(), problems)  # the missing ones are reported
    absent = [name for name in ("lower", "upper") if name not in table.text]
    text = table.text.assign(**dict.fromkeys(absent, ""))
    numbers = numbers.assign(**dict.fromkeys(absent, np.nan))
    problems += checks.check_intervals(file, text, numbers)
    canonical, reported, more = checks.convert(file, text, numbers, catalogue)
    problems += more
    canonical, more = checks.check_percentages(file, text, canonical, catalogue)
    problems += more
    problems += checks.check_repeats(file, text, numbers["week"], catalogue)
    problems += checks.check_plausible(file, text, canonical, catalogue)
    beyond = checks.check_possible(file, text, canonical, catalogue, accept=accept)
    placed = visits.place(file, text, numbers["week"], trial)
    problems += [*beyond, *placed.problems]
    known = text["patient"]
    if not patient_frame.empty:
        known = patient_frame["patient"]
        withdrew = patient_frame.set_index("patient")["withdrew_week"]
        problems += checks.check_listed(file, text, known)
        problems += checks.check_measured(tables["patients"].file, known, text["patient"])
        problems += checks.check_withdrawal(file, text, numbers["week"], withdrew)
    problems += checks.check_baseline(file, text, numbers["week"], placed.week, known, catalogue)

    censored = text["value"] == ""
    aside = placed.reason != ""
    frame = text[["patient", "marker"]].assign(
        week=placed.week.mask(aside, numbers["week"]),
        value=canonical["value"],
        unit=text["marker"].map({name: marker.unit for name, marker in catalogue.items()}),
        lower=canonical["lower"].mask(censored & (text["lower"] == ""), 0.0),
        upper=canonical["upper"].mask(censored & (text["upper"] == ""), np.inf),
        actual_week=numbers["week"],
        reason=placed.reason,
    )
    columns = [*COLUMNS["measurements"], "actual_week"]
    return _Read(
        frame.loc[~aside, columns],
        frame.loc[aside, [*columns, "reason"]],
        problems,
        beyond if accept else [],
        reported,
    )


def _with_known_markers(table: Table, catalogue: Catalogue) -> tuple[Table, list[Problem]]:
    """Markers whose names differ in case or spaces from a known one, read as that (a warning)."""
    if "marker" not in table.text:
        return table, []
    names = table.text["marker"]
    plain = {name: normal(name) for name in names.unique() if name not in catalogue}
    meant = {name: other for name, other in plain.items() if other in catalogue}
    if not meant:
        return table, []
    rows = names[names.isin(list(meant))]
    problems = row_problems(
        table.file,
        "marker",
        rows.index.tolist(),
        rows.map(quoted).tolist(),
        "names of markers as the data contract has them; read as ",
        severity="warning",
        hint={quoted(name): other for name, other in meant.items()}.__getitem__,
    )
    return replace(table, text=table.text.assign(marker=names.replace(meant))), problems


def _events(
    table: Table | None, patient_frame: pd.DataFrame, catalogue: Catalogue
) -> tuple[pd.DataFrame, list[Problem]]:
    """Events with one spelling for each term, indexed by line; empty where a column is missing."""
    if table is None:
        return pd.DataFrame(), []
    file, text = table.file, table.text
    numbers, problems = check_cells(table, "events", catalogue)
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
