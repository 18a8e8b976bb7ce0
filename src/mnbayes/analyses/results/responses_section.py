"""Response tables of one model: its patients, the next one, and the share of such patients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mnbayes.answers.result import Result
from mnbayes.base.text_table import Spanned, Table
from mnbayes.report.kit import wording
from mnbayes.report.kit.dominance import TAG, interval_dominated, probability_dominated
from mnbayes.report.kit.results import (
    awaits_confirmation,
    best_measured,
    by_patient,
    not_measured,
    prior_text,
    rows_of,
    share_ends,
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


def patient_table(result: Result, category: str, week: float, slug: str) -> Spanned:
    """Response of each patient at a visit: as measured, true level, and a repeat measurement."""
    predicted, as_measured = not_measured(result, week), measured_categories(result, week)
    tables = {name: by_patient(result, name, week, category) for name in ("latent", "repeat")}
    data = []
    for patient in result.fit.observations.patients:
        note = f" (predicted: {predicted[patient]})" if patient in predicted else ""
        cells = {
            "patient": f"{patient}{note}",
            "measured": as_measured[patient],
        }
        for name, table in tables.items():
            row = table[patient]
            cells[name] = probability(row["probability"], row["mcse"])
            cells[f"{name}_error"] = wording.points(row["mcse"])
            cells[f"{name}_prior"] = prior_text(result, row["prior_probability"])
        latent = tables["latent"][patient]
        dominated = probability_dominated(latent["probability"], latent["prior_probability"])
        data.append(cells | {"remark": f"latent: {TAG}" if dominated else ""})
    labels = {"patient": "Patient", "measured": "Category as measured", "remark": "Remark"}
    for name in tables:
        labels |= {
            name: "probability",
            f"{name}_error": "MCSE, points",
            f"{name}_prior": "prior alone",
        }
    return Spanned(
        pd.DataFrame(data),
        f"patients-{slug}-{category}-{week:g}".replace(".", "-"),
        f"{result.judged_by.label(category).capitalize()} at {wording.week_name(week)}, by patient",
        labels,
        {
            "observed": ["measured"],
            "latent (true level)": ["latent", "latent_error", "latent_prior"],
            "repeat (measurement)": ["repeat", "repeat_error", "repeat_prior"],
        },
        ("measured", "remark"),
    )


def group_table(result: Result, week: float, slug: str) -> Spanned:
    """The next patient, the share of such patients, and whether it exceeds the benchmark."""
    data = []
    for quantity in ("next_patient", "population", "exceeds"):
        for row in rows_of(result, quantity, week):
            category = row["category"]
            if category in result.not_evaluable or np.isnan(row["probability"]):
                continue
            interval = prior_interval = ""
            dominated = probability_dominated(row["probability"], row["prior_probability"])
            if quantity == "population":
                ends = share_ends(result, week, category)
                interval = wording.percent_range(ends[0], ends[1])
                prior_interval = wording.percent_range(ends[2], ends[3])
                dominated = interval_dominated(*ends)
            data.append(
                {
                    "quantity": quantity,
                    "category": result.judged_by.label(category),
                    "probability": probability(row["probability"], row["mcse"]),
                    "mcse": wording.points(row["mcse"]),
                    "interval": interval,
                    "prior": prior_text(result, row["prior_probability"]),
                    "prior_interval": prior_interval,
                    "remark": TAG if dominated else "",
                }
            )
    return Spanned(
        pd.DataFrame(data),
        f"group-{slug}-{week:g}".replace(".", "-"),
        f"Beyond the patients of this trial, at {wording.week_name(week)}",
        {
            "quantity": "Quantity",
            "category": "Category",
            "probability": "probability or mean share",
            "mcse": "MCSE, points",
            "interval": "95 % interval of the share",
            "prior": "probability or mean share",
            "prior_interval": "95 % interval of the share",
            "remark": "Remark",
        },
        {
            "Given the data": ["probability", "mcse", "interval"],
            "Prior alone": ["prior", "prior_interval"],
        },
        ("category", "remark"),
    )


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
