"""24-h urinary protein: a mixture of patients who respond and patients who do not.

    change[i] ~ p Normal(response, 0.3) + (1 - p) Normal(0, 0.3)
    level[i, t] = baseline[i] + 1(t > 0) (change[i] + visit[t])

The class of a patient is summed out (``pm.NormalMixture``), since NUTS samples no discrete
variable; ``responder`` is the probability of the class given the change. What the next patient
does is not said: its sections are absent from the report.
"""

import numpy as np
import pymc as pm

MARKER = "urine_protein_24h"
WITHIN = 0.3  # SD of the changes within a class


def model(cohort):
    """The model of a cohort; values beyond a detection limit would need ``pm.Censored``."""
    rows = cohort.measurements.query("marker == @MARKER").dropna(subset=["value"])
    weeks = sorted({0.0, *rows["week"]})
    patients = list(cohort.patient_ids)
    who = [patients.index(patient) for patient in rows["patient"]]
    when = [weeks.index(week) for week in rows["week"]]
    after = (np.array(weeks) > 0).astype(float)
    coords = {"patient": patients, "visit": weeks, "later_visit": weeks[1:], "marker": [MARKER]}
    with pm.Model(coords=coords) as stated:
        share = pm.Beta("share", 2, 2)
        response = -pm.HalfNormal("response", 1.2)  # a class of responders falls
        means, weights = pm.math.stack([response, 0.0]), pm.math.stack([share, 1 - share])
        change = pm.NormalMixture("change", weights, means, sigma=WITHIN, dims="patient")
        odds = pm.math.logit(share) + (change**2 - (change - response) ** 2) / (2 * WITHIN**2)
        pm.Deterministic("responder", pm.math.sigmoid(odds), dims="patient")
        mean, spread = pm.Normal("mean", 1.4, 0.75), pm.HalfNormal("spread", 0.5)
        baseline = pm.Normal("baseline", mean, spread, dims="patient")
        visit = pm.Normal("visit_effect", 0, 0.1, dims="visit")
        residual_sd = pm.HalfNormal("residual_sd", 0.3)  # this name: repeats are drawn from it
        course = baseline[:, None] + after * (change[:, None] + visit)
        level = pm.Deterministic("level", course[:, :, None], dims=("patient", "visit", "marker"))
        pm.Normal("measurement", level[who, when, 0], residual_sd, observed=np.log(rows["value"]))
    return stated
