"""Make a SYNTHETIC trial of another disease: twelve patients with lupus nephritis.

Nobody in it exists. It is there to try what a trial of one's own needs, without a line of Python:
markers that the embedded cohort has not (protein-creatinine ratio in mg/mmol, eGFR, complement C3),
visits that are days off their plan, windows, another definition of response, a covariate of its
own and a withdrawal.

Mechanism, on the log scale, patient i, visit t: ``baseline + share * change[i] + drift + noise``,
where ``share`` of the change has come by the visit; eGFR falls where proteinuria does not.

Run ``python scripts/make_lupus.py FOLDER``. The seed is fixed: a rerun writes the same bytes.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 20260
PATIENTS, WEEKS = 12, (0, 4, 12, 24, 52)
#: Share of a patient's change that has come by each visit.
COME = (0.0, 0.4, 0.8, 1.0, 1.0)
#: Who leaves, and in which week.
LEAVES = {"LN07": 16}

TRIAL = """\
# A made-up trial: see scripts/make_lupus.py.
title = "A made-up add-on treatment of lupus nephritis"
primary_week = 24
primary_marker = "upcr"
models = ["upcr+egfr", "c3"]
definitions = "lupus_nephritis"
screenings = 2
notes = ["Every patient of this trial is made up."]

[[visits]]
week = 0
earliest = 0
latest = 0

[[visits]]
week = 4
earliest = 3
latest = 6

[[visits]]
week = 12
earliest = 10
latest = 15

[[visits]]
week = 24
earliest = 20
latest = 28

[[visits]]
week = 52
earliest = 46
latest = 58
"""


def make(folder: Path) -> None:
    """Write the cohort's folder, which must not exist."""
    rng = np.random.default_rng(SEED)
    names = [f"LN{i + 1:02d}" for i in range(PATIENTS)]
    patients, rows = [], []
    for name in names:
        left = LEAVES.get(name)
        patients.append(
            {
                "patient": name,
                "sex": "M" if rng.uniform() < 0.2 else "F",
                "age_years": int(rng.integers(19, 58)),
                "bmi": round(float(rng.normal(24, 3)), 1),
                "withdrew_week": "" if left is None else left,
                "prednisone_mg": int(rng.choice([5, 10, 15, 20, 30])),
                "class": str(rng.choice(["III", "IV", "V"])),
            }
        )
        change = rng.normal(-1.1, 0.6)
        base = {
            "upcr": np.log(260) + 0.45 * rng.normal(),
            "egfr": np.log(78) + 0.28 * rng.normal(),
            "c3": np.log(0.72) + 0.25 * rng.normal(),
        }
        moves = {
            "upcr": change,
            "egfr": 0.02 - 0.08 * max(0.0, change + 0.8),
            "c3": 0.25 - 0.1 * (change + 1.1),
        }
        units = {"upcr": ("mg/mmol", 0), "egfr": ("mL/min/1.73m2", 0), "c3": ("g/L", 2)}
        noise = {"upcr": 0.3, "egfr": 0.06, "c3": 0.08}
        for week, share in zip(WEEKS, COME, strict=True):
            day = 0 if week == 0 else 7 * week + int(rng.integers(-6, 7))
            if left is not None and day / 7 > left:
                continue
            for marker, (unit, decimals) in units.items():
                if marker == "c3" and week == 4:
                    continue  # not measured then
                level = base[marker] + share * moves[marker] + noise[marker] * rng.normal()
                value = round(float(np.exp(level)), decimals)
                limit = marker == "upcr" and value < 10
                rows.append(
                    {
                        "patient": name,
                        "week": f"{day / 7:.3f}".rstrip("0").rstrip("."),
                        "marker": marker,
                        "value": "" if limit else f"{value:g}",
                        "unit": unit,
                        "lower": "",
                        "upper": "10" if limit else "",
                    }
                )
    folder.mkdir(parents=True)
    pd.DataFrame(patients).to_csv(folder / "patients.csv", index=False)
    pd.DataFrame(rows).to_csv(folder / "measurements.csv", index=False)
    (folder / "trial.toml").write_text(TRIAL, encoding="utf-8")
    (folder / "SYNTHETIC").write_text(
        "Made up by scripts/make_lupus.py: no patient of it exists.\n", encoding="utf-8"
    )


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "lupus"))
