"""The measurements themselves."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np

from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.data.cohort import Cohort
from mnbayes.report.kit.wording import BLANK
from mnbayes.run.run import Run


def value_text(value: float, lower: float, upper: float) -> str:
    """A measurement as text: a number, ``<0.1``, ``>40`` or a range."""
    if not np.isnan(value):
        return f"{value:.6g}"
    low = "" if np.isnan(lower) or lower <= 0 else f"{lower:.6g}"
    high = "" if np.isnan(upper) or np.isinf(upper) else f"{upper:.6g}"
    if low and high:
        return f"{low} to {high}"
    return f"<{high}" if high else f">{low}" if low else BLANK


def measurement_table(cohort: Cohort) -> Table:
    """All measurements, patients and visits in rows, markers in columns."""
    cells = {
        (str(row["patient"]), float(row["week"]), str(row["marker"])): value_text(
            row["value"], row["lower"], row["upper"]
        )
        for row in records(cohort.measurements)
    }
    visits = dict.fromkeys((patient, week) for patient, week, _ in cells)
    rows = tuple(
        (patient, f"{week:g}", *(cells.get((patient, week, m), BLANK) for m in cohort.markers))
        for patient, week in visits
    )
    known = cohort.catalogue
    head = ("Patient", "Week", *(f"{known[m].label}, {known[m].unit}" for m in cohort.markers))
    return Table(f"All {len(cells)} measurements in canonical units", head, rows)


def patients_table(cohort: Cohort) -> Table:
    """The patients as listed, with whatever further columns the file has."""
    columns = ("sex", "age_years", "bmi", "infusions", "withdrew_week")
    further = [str(name) for name in cohort.patients if name not in ("patient", *columns)]

    def cell(value: object) -> str:
        if isinstance(value, float):
            return BLANK if np.isnan(value) else f"{value:g}"
        return str(value)

    rows = tuple(
        (str(row["patient"]), *(cell(row[column]) for column in (*columns, *further)))
        for row in records(cohort.patients)
    )
    head = ("Patient", "Sex", "Age, years", "BMI, kg/m²", "Infusions", "Withdrew in week", *further)
    words = {i for i, name in enumerate(further, 6) if cohort.patients[name].dtype.kind != "f"}
    return Table("Patients", head, rows, frozenset({0, 1, *words}))


def set_aside_table(cohort: Cohort) -> Table:
    """Measurements that were read and that no model uses, with the reason."""
    rows = tuple(
        (
            str(row["patient"]),
            f"{row['week']:g}",
            cohort.catalogue[str(row["marker"])].label,
            value_text(row["value"], row["lower"], row["upper"]),
            str(row["unit"]),
            str(row["reason"]),
        )
        for row in records(cohort.set_aside)
    )
    head = ("Patient", "Week", "Marker", "Value", "Unit", "Not used, since")
    return Table("Measurements that no model uses", head, rows, frozenset({0, 2, 4, 5}))


def _stated(result: Result) -> tuple[str, str]:
    """What states a model, and its hash."""
    fit = result.fit
    if fit.card is not None:
        return f"Card {fit.name}", fit.card.sha256
    if fit.own is not None and fit.own.file:
        return f"Own model {fit.own.file}", fit.own.sha256
    return f"Own model {fit.name}", f"sampled elsewhere ({fit.engine})"


def provenance_table(run: Run) -> Table:
    """Hashes, prior set and single settings."""
    # Only the folder's name: its path tells about the machine, not about the data.
    rows = [
        ("Data folder", PurePath(run.cohort.source).name),
        ("Data", run.cohort.sha256),
    ]
    rows += [_stated(result) for result in run.results]
    rows += [
        ("Definitions of response", f"{run.definitions.name}: {run.definitions.title}"),
        ("Prior set", run.prior_set),
        ("Single settings", "; ".join(run.settings) or "none"),
    ]
    return Table(
        "What this report was made of; files by their SHA-256",
        ("Item", "Value"),
        tuple(rows),
        frozenset({0, 1}),
        wide=True,
    )
