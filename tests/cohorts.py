"""Small cohorts for tests: frames as a user would write them, and a folder that holds them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mnbayes.base.csv_files import defused, undone
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

#: Patients' names that mean something to a spreadsheet, a reader of tables, a format or a screen.
HOSTILE_IDS = (
    *("NA", "nan", "None", "1E5", "001"),
    *("=1+1", "'=quoted", "a;-cmd", "<script>alert(1)</script>", "../../etc/passwd"),
    *(r"$\frac$ 50%_\textbf{x}", "_hidden|`#[red]", "\u05d0\u202e21 %\u200f", "x" * 200),
)
HOSTILE_TITLE = "=2+3 <b>trial</b> | \u202e [x](y) {{ 7*7 }} $a_b$ " + "t" * 100
HOSTILE_TERMS = ("=cmd|' /C calc'!A0", "<img src=x onerror=alert(2)>", "5", "None", "z" * 200)


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


def hostile_cohort(folder: Path) -> Path:
    """A cohort whose names, terms, title and label are traps, as a folder; it is synthetic.

    Spreadsheets of the user's may hold the cells as they are: they are written without defusing,
    but for the two that would be read as defused ones.
    """
    patients, measurements = small_cohort_frames(
        len(HOSTILE_IDS), (0, 4, 12), ("urine_protein_24h",)
    )
    written = [defused(name) if undone(name) != name else name for name in HOSTILE_IDS]
    names = dict(zip(patients["patient"], written, strict=True))
    events = pd.DataFrame(
        [
            (written[place], 4, term, 1 + place % 3)
            for place, term in enumerate((*HOSTILE_TERMS, "5"))
        ],
        columns=["patient", "week", "term", "grade"],
    )
    patients["patient"] = patients["patient"].map(names)
    patients.loc[0, "withdrew_week"] = 12
    measurements["patient"] = measurements["patient"].map(names)
    write_cohort(folder, patients, measurements, synthetic=True, events=events)
    said = {"title": HOSTILE_TITLE, "models": ["proteinuria"]}
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in said.items())
    (folder / "trial.toml").write_text(f"{text}\n", encoding="utf-8")
    label = json.dumps("<i>24-h</i> $protein_x$ =1+1")
    (folder / "markers.toml").write_text(
        f"[urine_protein_24h]\nlabel = {label}\n", encoding="utf-8"
    )
    return folder
