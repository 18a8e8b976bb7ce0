"""Sheets as clinics keep them, for tests of the importer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pandas as pd

import mnbayes as mn


def workbook(path: Path, rows: Sequence[Sequence[object]], merged: Sequence[str] = ()) -> Path:
    """Write rows as a workbook of one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    for cells in merged:
        sheet.merge_cells(cells)
    book.save(path)
    return path


def naive_sheet(path: Path) -> Path:
    """Nine patients as a nephrologist keeps them: visits by number, a unit that is not said."""
    visits = ("BL", "V1", "V2", "V3")
    head = ["Pat. ID", "Sex", "Age", "BMI"]
    head += [f"{marker} {v}" for marker in ("24h protein", "Albumin (g/L)") for v in visits]
    rows: list[list[object]] = [["Our patients, updated 2026"], [*head, "Dropout", "Comment"]]
    shares = (1.0, 0.8, 0.65, 0.5)
    for i in range(9):
        protein: list[object] = [
            round((3.2 + 0.7 * i) * s + 0.05 * ((3 * i) % 4), 2) for s in shares
        ]
        albumin: list[object] = [round(31 - i + 9 * (1 - s) + 0.3 * (i % 3), 1) for s in shares]
        if i == 2:
            protein[3] = "<0.3"
        if i == 4:
            protein[2] = "n.d."
        if i == 5:
            protein[3] = albumin[3] = None
        left = "week 8" if i == 5 else None
        rows.append([i + 1, "mf"[i % 2], 40 + i, 24.5, *protein, *albumin, left, "ok"])
    return workbook(path, rows)


def read(folder: Path) -> pd.DataFrame:
    """Measurements as written, indexed by patient, week and marker."""
    frame = pd.read_csv(folder / "measurements.csv", dtype={"patient": str})
    return frame.set_index(["patient", "week", "marker"]).sort_index()


def brought(path: Path, **answers: object) -> pd.DataFrame:
    """Measurements that an import of one file writes."""
    folder = path.parent / "cohort"
    mn.import_cohort(path, folder, **answers)  # type: ignore[arg-type]
    return read(folder)
