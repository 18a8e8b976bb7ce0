"""Sample the statement in PyMC as it stands, for tests that compare what runs by default with it.

Run ``python scripts/statement.py`` (some minutes, most of them compilation). It writes
tests/reference/statement.json and prints how far the compiled density's fits are from it.
"""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import mnbayes as mn
from mnbayes.analyses.sensitivity.specifications import with_structure

FILE = Path(__file__).parents[1] / "tests" / "reference" / "statement.json"
#: Small steps and more draws: patients' effects are sampled too.
HOW = mn.Sampling(engine="pymc", draws=2000, tune=1500, target_accept=0.95)


def censored(cohort: mn.Cohort) -> mn.Cohort:
    """The cohort with three values known to intervals: below a limit, above one, between two."""
    rows = cohort.measurements.copy()
    protein = rows.index[rows["marker"] == "urine_protein_24h"]
    for place, lower, upper in ((0, 0.0, 0.3), (1, 5.0, np.inf), (2, 1.0, 4.0)):
        rows.loc[protein[place], ["value", "lower", "upper"]] = [np.nan, lower, upper]
    return replace(cohort, measurements=rows)


def cases() -> dict[str, tuple[mn.Card, mn.Cohort]]:
    """Each kind of model and data once, on the embedded synthetic cohort."""
    cohort, protein = mn.embedded_cohort(), mn.load_card("proteinuria")
    return {
        "proteinuria": (protein, cohort),
        "remission": (mn.load_card("remission"), cohort),
        "Student-t residuals": (with_structure(protein, residual="student_t"), cohort),
        "constant step": (with_structure(protein, trajectory="step"), cohort),
        "censored values": (protein, censored(cohort)),
    }


def numbers(fitted: mn.Fit) -> pd.DataFrame:
    """Mean, SD and Monte Carlo error of every sampled parameter of the population."""
    table = fitted.parameters.set_index("parameter")[["mean", "sd", "mcse_mean"]]
    own = ("patient_", "drift_", "residual_weight", "censored_value")
    return table[~table.index.str.startswith(own)]


def apart(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Differences of means in combined Monte Carlo errors, and ratios of SDs."""
    both = ours.index.intersection(theirs.index)
    ours, theirs = ours.loc[both], theirs.loc[both]
    error = np.hypot(ours["mcse_mean"], theirs["mcse_mean"])
    distance: pd.Series[float] = (ours["mean"] - theirs["mean"]).abs() / error
    return pd.DataFrame({"errors": distance, "sd_ratio": ours["sd"] / theirs["sd"]})


def main() -> None:
    """Sample each case both ways."""
    stored = {}
    for name, (card, cohort) in cases().items():
        clock = time.perf_counter()
        fitted = mn.fit(card, cohort, HOW)
        seconds = time.perf_counter() - clock
        if not fitted.diagnostics.converged:
            raise SystemExit(f"{name}: {'; '.join(fitted.diagnostics.reasons)}")
        found = numbers(fitted)
        stored[name] = found.round(6).to_dict(orient="index")
        far = apart(numbers(mn.fit(card, cohort)), found)
        print(
            f"{name}: {len(far)} parameters, means at most {far['errors'].max():.1f} errors apart, "
            f"SD ratios {far['sd_ratio'].min():.2f} to {far['sd_ratio'].max():.2f} "
            f"({seconds:.0f} s, {fitted.diagnostics.divergences} divergences)",
            flush=True,
        )
    FILE.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
