"""Make a SYNTHETIC pair of ADaM data sets, ADSL and ADLB, in the shape of CDISC's pilot.

254 patients in three arms (86, 84, 84), laboratory values at screening, baseline and weeks 2 to 26.
No patient exists: every number is drawn under a fixed seed. The pair has what such files have and a
reader must mind: a screening value before the baseline, derived rows (DTYPE LOCF), unscheduled
visits, rows that are not chosen for analysis (ANL01FL), values below a limit in AVALC, units in the
text of PARAM, parameters that no model wants, patients who left, a screen failure.

Run ``python scripts/make_adam.py FOLDER [xpt|csv|json]``.
"""

import csv
import datetime as dt
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 254
ARMS = {"Placebo": (86, 0.0), "Low Dose": (84, -0.3), "High Dose": (84, -0.7)}
WEEKS = (2, 4, 8, 12, 16, 20, 24, 26)
#: PARAMCD: PARAM, marker (blank: of no use here), centre, SD between, SD within, share of change.
PARAMETERS = {
    "PROT": ("Protein, 24-Hour Urine (g/24h)", "urine_protein_24h", 5.0, 0.4, 0.27, 1.0),
    "ALB": ("Albumin (g/L)", "albumin", 27.0, 0.15, 0.05, -0.2),
    "IGG": ("Immunoglobulin G (g/L)", "igg", 7.0, 0.3, 0.08, 0.0),
    "LYMPH": ("Lymphocytes (10^9/L)", "lymphocytes", 1.6, 0.3, 0.15, 0.0),
    "GLUC": ("Glucose (mmol/L)", "", 5.5, 0.1, 0.08, 0.0),
    "ALT": ("Alanine Aminotransferase (U/L)", "", 22.0, 0.4, 0.2, 0.0),
    "BILI": ("Bilirubin (umol/L)", "", 9.0, 0.3, 0.2, 0.0),
}
LIMIT = 0.3  # of the 24-h protein
REASONS = ("ADVERSE EVENT", "WITHDRAWAL BY SUBJECT", "LACK OF EFFICACY")


def make(seed: int = SEED) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Draw the pair.

    Returns
    -------
    adsl, adlb : DataFrame
    truth : DataFrame
        What an import should make of it: patient, arm, week, marker, value (blank where censored),
        upper.
    """
    rng = np.random.default_rng(seed)
    people: list[dict[str, object]] = []
    rows: list[dict[str, object]] = []
    truth: list[tuple[str, str, float, str, float | None, float | None]] = []
    number = 0
    arms = [(arm, change) for arm, (count, change) in ARMS.items() for _ in range(count)]
    for arm, change in [*arms, ("Screen Failure", 0.0)]:
        number += 1
        patient = f"01-{701 + number % 9}-{1000 + number}"
        start = dt.date(2013, 1, 7) + dt.timedelta(days=int(rng.integers(0, 500)))
        leaves = float(rng.integers(3, 25)) if rng.random() < 0.25 else None
        failed = arm == "Screen Failure"
        end = start + dt.timedelta(days=int(7 * (leaves or 26)))
        people.append(
            {
                "STUDYID": "SYNTHPILOT",
                "USUBJID": patient,
                "SUBJID": patient[-4:],
                "SITEID": patient[3:6],
                "AGE": float(rng.integers(30, 80)),
                "AGEU": "YEARS",
                "SEX": "F" if rng.random() < 0.5 else "M",
                "RACE": "WHITE",
                "ARM": arm,
                "TRT01P": arm,
                "TRT01A": "" if failed else arm,
                "TRTSDT": None if failed else start,
                "TRTEDT": None if failed else end,
                "SAFFL": "N" if failed else "Y",
                "EOSSTT": "" if failed else "DISCONTINUED" if leaves else "COMPLETED",
                "EOSDT": None if failed else end,
                "DCSREAS": str(rng.choice(REASONS)) if leaves and not failed else "",
            }
        )
        if failed:
            continue
        sequence = 0
        for code, (label, marker, centre, between, within, share) in PARAMETERS.items():
            level = np.log(centre) + rng.normal(0, between)
            own = share * (change + rng.normal(0, 0.3))
            last: float | None = None
            visits = [("Screening 1", 0.1, -14), ("Baseline", 0.0, 1)]
            visits += [(f"Week {w}", float(w), 7 * w + 1 + int(rng.integers(-2, 3))) for w in WEEKS]
            visits.append(("Unscheduled 5.1", 5.1, 37))
            base = float("nan")
            for name, visitn, day in visits:
                gone = leaves is not None and visitn > leaves
                week = visitn if name.startswith("Week") else 0.0
                shift = own if week > 0 else 0.0
                value = round(float(np.exp(level + shift + rng.normal(0, within))), 2)
                if gone and not (name.startswith("Week") and last is not None):
                    continue
                sequence += 1
                low = code == "PROT" and value < LIMIT and not gone and week > 0
                if name == "Baseline":
                    base = value
                shown = last if gone else None if low else value
                rows.append(
                    {
                        "STUDYID": "SYNTHPILOT",
                        "USUBJID": patient,
                        "TRT01A": arm,
                        "PARAMCD": code,
                        "PARAM": label,
                        "AVAL": shown,
                        "AVALC": f"<{LIMIT}" if low else "",
                        "AVISIT": name,
                        "AVISITN": visitn,
                        "ADT": start + dt.timedelta(days=day - 1 if day > 0 else day),
                        "ADY": float(day),
                        "ABLFL": "Y" if name == "Baseline" else "",
                        "BASE": base,
                        "DTYPE": "LOCF" if gone else "",
                        "ANL01FL": "" if name.startswith("Unscheduled") else "Y",
                        "LBSEQ": float(sequence),
                    }
                )
                if not low:
                    last = shown
                if marker and not gone and (week > 0 or name == "Baseline"):
                    exact, upper = (None, LIMIT) if low else (value, None)
                    truth.append((patient, arm, week, marker, exact, upper))
    names = ["patient", "arm", "week", "marker", "value", "upper"]
    return pd.DataFrame(people), pd.DataFrame(rows), pd.DataFrame(truth, columns=names)


def write(frame: pd.DataFrame, path: Path, version: int = 5) -> None:
    """Write a data set as XPT, CSV, Dataset-JSON or its NDJSON, as the ending says."""
    dates = [str(c) for c in frame if str(c).endswith("DT")]
    if path.suffix == ".xpt":
        import pyreadstat

        pyreadstat.write_xport(
            frame,
            path,
            table_name=path.stem.upper()[:8],
            file_format_version=5 if version == 5 else 8,
            variable_format=dict.fromkeys(dates, "DATE9."),
        )
        return
    cells = [
        ["" if x is None or x != x else x.isoformat() if isinstance(x, dt.date) else x for x in row]
        for row in frame.astype(object).itertuples(index=False)
    ]
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([list(frame.columns), *cells])
        return
    rows = [[None if cell == "" else cell for cell in row] for row in cells]
    head = {
        "datasetJSONCreationDateTime": "2026-01-01T00:00:00",
        "datasetJSONVersion": "1.1.0",
        "itemGroupOID": f"IG.{path.stem.upper()}",
        "name": path.stem.upper(),
        "label": "Synthetic",
        "records": len(rows),
        "columns": [
            {"itemOID": f"IT.{c}", "name": c, "label": c, "dataType": "string"} for c in frame
        ],
    }
    if path.suffix == ".ndjson":
        lines = [json.dumps(each) for each in [head, *rows]]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        path.write_text(json.dumps(head | {"rows": rows}), encoding="utf-8")


def main() -> None:
    """Write both data sets into the folder that is the argument."""
    folder = Path(sys.argv[1])
    form = sys.argv[2] if len(sys.argv) > 2 else "xpt"
    folder.mkdir(parents=True, exist_ok=True)
    adsl, adlb, _ = make()
    write(adsl, folder / f"adsl.{form}")
    write(adlb, folder / f"adlb.{form}")
    print(f"{folder}: {len(adsl)} patients, {len(adlb):,} rows, SYNTHETIC")


if __name__ == "__main__":
    main()
