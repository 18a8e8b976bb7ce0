"""Small cohorts for tests: frames as a user would write them, and a folder that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mnbayes.data.markers import MARKERS

TYPICAL = {
    "urine_protein_24h": 5.0,
    "urine_protein_conc": 3.0,
    "albumin": 25.0,
    "cd3": 1300.0,
    "cd4": 700.0,
    "cd8": 500.0,
    "b_cell": 250.0,
    "nk_cell": 200.0,
}


def _typical(marker: str) -> float:
    return TYPICAL.get(marker, MARKERS[marker].typical)


def small_cohort_frames(
    n_patients: int = 4,
    weeks: Sequence[float] = (0, 1, 2, 4, 12),
    markers: Sequence[str] = ("urine_protein_24h", "albumin"),
    seed: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Patients P1, P2, … with every marker at every week, exact and in canonical units."""
    rng = np.random.default_rng(seed)
    ids = [f"P{i + 1}" for i in range(n_patients)]
    patients = pd.DataFrame(
        {
            "patient": ids,
            "sex": ["female" if i % 2 else "male" for i in range(n_patients)],
            "age_years": [40.0 + 3 * i for i in range(n_patients)],
            "bmi": [22.0 + 3 * i for i in range(n_patients)],
            "infusions": [4 if 22.0 + 3 * i > 30 else 3 for i in range(n_patients)],
            "withdrew_week": [np.nan] * n_patients,
        }
    )
    rows = [
        {
            "patient": patient,
            "week": week,
            "marker": marker,
            # Two digits less than a float holds, as a laboratory would write it.
            "value": float(f"{_typical(marker) * np.exp(0.2 * rng.standard_normal()):.4g}"),
            "unit": MARKERS[marker].unit,
            "lower": np.nan,
            "upper": np.nan,
        }
        for patient in ids
        for week in weeks
        for marker in markers
    ]
    return patients, pd.DataFrame(rows)


def write_cohort(
    folder: Path,
    patients: pd.DataFrame | None = None,
    measurements: pd.DataFrame | None = None,
    synthetic: bool = False,
    events: pd.DataFrame | None = None,
) -> Path:
    """Write the tables as CSV into `folder` (made if need be) and return the folder."""
    default_patients, default_measurements = small_cohort_frames()
    folder.mkdir(parents=True, exist_ok=True)
    (default_patients if patients is None else patients).to_csv(
        folder / "patients.csv", index=False
    )
    (default_measurements if measurements is None else measurements).to_csv(
        folder / "measurements.csv", index=False
    )
    if events is not None:
        events.to_csv(folder / "events.csv", index=False)
    if synthetic:
        (folder / "SYNTHETIC").write_text("made up for a test\n", encoding="utf-8")
    return folder
