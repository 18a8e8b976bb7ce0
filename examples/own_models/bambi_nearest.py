"""24-h urinary protein: the nearest model that bambi states, in plain PyMC.

    bambi.Model("log(y) ~ 0 + visit + (1 + post | patient)", data)

``visit`` is a factor (a mean for each visit), ``post`` is 1 after baseline. Two things are as in
bambi: no correlation between a patient's baseline and change, and visits that know nothing of
each other. bambi scales its default priors by the data; here they are those of an expert.
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
    post = (np.array(weeks) > 0).astype(float)
    coords = {"patient": patients, "visit": weeks, "later_visit": weeks[1:], "marker": [MARKER]}
    with pm.Model(coords=coords) as stated:
        visit_mean = pm.Normal("visit_mean", 1, 1, dims="visit")  # 0 + visit
        baseline_sd = pm.HalfNormal("baseline_sd", 0.5)  # 1 | patient
        change_sd = pm.HalfNormal("change_sd", 0.5)  # post | patient
        residual_sd = pm.HalfNormal("residual_sd", 0.3)
        baseline = pm.Normal("baseline", 0, baseline_sd, dims="patient")
        change = change_sd * pm.Normal("change_z", dims="patient")
        course = visit_mean + baseline[:, None] + change[:, None] * post
        level = pm.Deterministic("level", course[:, :, None], dims=("patient", "visit", "marker"))
        # With these two beside the three SDs the population is described as a card's is, so the
        # share of such patients, the next one and the decision rule follow (docs/own-models.md).
        pm.Deterministic("baseline_mean", visit_mean[:1], dims="marker")
        fall = visit_mean[1:] - visit_mean[0]
        pm.Deterministic("visit_change", fall[:, None], dims=("later_visit", "marker"))
        pm.Normal("measurement", level[who, when, 0], residual_sd, observed=np.log(rows["value"]))
    return stated
