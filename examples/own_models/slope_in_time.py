"""24-h urinary protein: each patient's own slope in log time.

    log y[i, t] ~ Normal(level[i, t], residual_sd)
    level[i, t] = baseline[i] + slope[i] log(1 + t / 4)      (t in weeks)

A fall that slows down: half of what happens by week 12 has happened by week 4. Each patient has
a baseline and a slope, drawn from a population that the model learns.
"""

import numpy as np
import pymc as pm

MARKER = "urine_protein_24h"


def model(cohort):
    """The model of a cohort; values beyond a detection limit would need ``pm.Censored``."""
    rows = cohort.measurements.query("marker == @MARKER").dropna(subset=["value"])
    weeks = sorted({0.0, *rows["week"]})
    patients = list(cohort.patient_ids)
    who = [patients.index(patient) for patient in rows["patient"]]
    when = [weeks.index(week) for week in rows["week"]]
    time = np.log1p(np.array(weeks) / 4)
    coords = {"patient": patients, "visit": weeks, "later_visit": weeks[1:], "marker": [MARKER]}
    with pm.Model(coords=coords) as stated:
        baseline_mean = pm.Normal("baseline_mean", 1.4, 0.75)
        baseline_sd = pm.HalfNormal("baseline_sd", 0.5)
        slope_mean = pm.Normal("slope_mean", 0, 0.5)
        slope_sd = pm.HalfNormal("slope_sd", 0.3)
        residual_sd = pm.HalfNormal("residual_sd", 0.3)  # this name: repeats are drawn from it
        baseline = pm.Normal("baseline", baseline_mean, baseline_sd, dims="patient")
        slope = pm.Deterministic(
            "slope", slope_mean + slope_sd * pm.Normal("slope_z", dims="patient"), dims="patient"
        )
        course = baseline[:, None] + slope[:, None] * time
        level = pm.Deterministic("level", course[:, :, None], dims=("patient", "visit", "marker"))
        # The ratio to baseline of such patients, and the next one: named as docs/arviz.md has them.
        pm.Deterministic(
            "visit_change", (slope_mean * time[1:])[:, None], dims=("later_visit", "marker")
        )
        new = pm.Normal("new_z", 0, 1, shape=2)
        start, fall = baseline_mean + baseline_sd * new[0], slope_mean + slope_sd * new[1]
        pm.Deterministic("new_level", (start + fall * time)[:, None], dims=("visit", "marker"))
        pm.Normal("measurement", level[who, when, 0], residual_sd, observed=np.log(rows["value"]))
    return stated
