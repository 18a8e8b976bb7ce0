"""Responses of one model's patients: as measured at a visit, and over the visits."""

from __future__ import annotations

from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import (
    awaits_confirmation,
    best_measured,
    by_patient,
    not_measured,
    stated,
)
from mnbayes.report.kit.wording import probability


def measured_categories(result: Result, week: float) -> dict[str, str]:
    """By patient, the category as measured, or why there is none."""
    missing = not_measured(result, week)
    waits = awaits_confirmation(result, week)
    left_open = "to be confirmed" if waits else "left open by a detection limit"

    def said(patient: str, best: str | None) -> str:
        if best:
            return best
        if patient in missing:
            return "not measured"
        return left_open if best is None else "no response"

    return {patient: said(patient, best) for patient, best in best_measured(result, week).items()}


def course_table(result: Result) -> Table:
    """The latent probabilities at every visit, patients in rows."""
    categories = stated(result)
    weeks = result.fit.observations.weeks[1:]
    cells = {
        (category, week): by_patient(result, "latent", week, category)
        for category in categories
        for week in weeks
    }
    rows = tuple(
        (
            patient,
            *(
                probability(table[patient]["probability"], table[patient]["mcse"])
                for table in cells.values()
            ),
        )
        for patient in result.fit.observations.patients
    )
    head = tuple(f"{category}, {wording.week_name(week)}" for category, week in cells)
    return Table("Probability of the true level at every visit", ("Patient", *head), rows)
