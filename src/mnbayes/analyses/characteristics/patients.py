"""What a fit says of each patient at the last visit, against the truth: counted, then pooled.

A patient's own ratio is the true level over the true baseline; a response is that of true levels
(``latent`` in a report). Likely and unlikely are those of
:func:`mnbayes.answers.conclusions.conclusion`, with the decision probability as the line. Patients
of a cohort share a fit, so that errors are those of cohorts, not of patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnbayes.analyses.characteristics.parts import MARKERS, Simulated, met
from mnbayes.answers.categories import Category
from mnbayes.answers.conclusions import conclusion
from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import ALBUMIN, PROTEIN, Definitions

#: One row for each scenario, number of patients and quantity.
PATIENT_COLUMNS = ("scenario", "patients", "quantity", "value", "mcse")
#: Counts of a cohort whatever the category: whose interval holds the truth, of those measured at
#: the last visit (95 and 80 %) and of those who left (95 %), who left, and the squared errors.
_COUNTS: Mapping[str, type] = {
    "covered_95": int,
    "covered_80": int,
    "covered_left": int,
    "left": int,
    "squared_error": float,
}
#: And of a category: squared errors of the probabilities, statements that are confident and
#: wrong, those called likely, the sum of their probabilities, and how many it is true of.
_SAID: Mapping[str, type] = {
    "brier": float,
    "wrong": int,
    "likely": int,
    "said": float,
    "true": int,
}


def told(card: Card) -> tuple[Category, ...]:
    """Categories that a card's fit can say of a patient."""
    return ("remission", "effective") if ALBUMIN in card.markers else ("effective",)


def patient_columns(categories: Sequence[str]) -> dict[str, type]:
    """A cohort's counts and their kinds."""
    said = {f"{name}_{c}": kind for c in categories for name, kind in _SAID.items()}
    return {**_COUNTS, **said}


def patients_told(
    level: Floats, cohort: Simulated, card: Card, definitions: Definitions
) -> dict[str, float]:
    """Count a cohort's patients by what a fit says of them.

    Parameters
    ----------
    level : array, shape (draw, patient, visit, marker)
        Draws of the true log levels, markers as in the card.
    cohort : Simulated
    card : Card
    definitions : Definitions
    """
    markers = [m for m in MARKERS if m in card.markers]
    drawn = level[..., [card.markers.index(m) for m in markers]]
    true = cohort.true[..., [MARKERS.index(m) for m in markers]]
    at = markers.index(PROTEIN)

    def ratio(levels: Floats) -> Floats:
        return np.asarray(levels[..., -1, at] - levels[..., 0, at])

    def judged(levels: Floats) -> dict[Category, NDArray[np.bool_]]:
        albumin = levels[..., -1, markers.index(ALBUMIN)] if ALBUMIN in markers else None
        return met(definitions, levels[..., 0, at], levels[..., -1, at], albumin)

    says, holds = judged(drawn), judged(true)
    found = ratios_told(ratio(drawn), ratio(true), cohort.withdrew)
    for category in told(card):
        counts = responses_told(
            says[category].mean(axis=0), holds[category], definitions.decision.probability
        )
        found |= {f"{name}_{category}": value for name, value in counts.items()}
    return found


def ratios_told(ratio: Floats, truth: Floats, left: NDArray[np.bool_]) -> dict[str, float]:
    """Count intervals that hold the truth, and sum squared errors of the posterior means.

    Parameters
    ----------
    ratio : array, shape (draw, patient)
        Log scale.
    truth : array, shape (patient,)
    left : array of bool, shape (patient,)
        Who was not there at the last visit.
    """
    low, lower, upper, high = np.quantile(ratio, (0.025, 0.1, 0.9, 0.975), axis=0)
    held = (low <= truth) & (truth <= high)
    return {
        "covered_95": int(held[~left].sum()),
        "covered_80": int(((lower <= truth) & (truth <= upper))[~left].sum()),
        "covered_left": int(held[left].sum()),
        "left": int(left.sum()),
        "squared_error": float(np.sum((ratio.mean(axis=0) - truth) ** 2)),
    }


def responses_told(probability: Floats, holds: NDArray[np.bool_], line: float) -> dict[str, float]:
    """Count what is said of a response and what of it is true, all patients of a cohort.

    Parameters
    ----------
    probability : array, shape (patient,)
    holds : array of bool, shape (patient,)
    line : float
        From which on a response is called likely.
    """
    says = np.array([conclusion(float(p), line) for p in probability])
    likely = says == "likely"
    return {
        "brier": float(np.sum((probability - holds) ** 2)),
        "wrong": int(np.sum(np.where(holds, says == "unlikely", likely))),
        "likely": int(likely.sum()),
        "said": float(probability[likely].sum()),
        "true": int(holds[likely].sum()),
    }


def per_patient(table: pd.DataFrame, categories: Sequence[str]) -> pd.DataFrame:
    """Rates over patients, of the fits that are not withheld.

    Parameters
    ----------
    table : DataFrame
        Replicates, as :func:`mnbayes.studies.run.run_study` returns them.
    categories : sequence of str

    Returns
    -------
    DataFrame
        Columns :data:`PATIENT_COLUMNS`. ``covered_95``, ``covered_80``: share of the measured
        whose interval holds their true ratio at the last visit; ``covered_left``: of those who
        left, 95 %. ``rmse``: of the posterior mean of the log ratio. Of a category:
        ``brier``, the mean squared error of the probability; ``wrong``, share of patients for whom
        it is called likely and false, or unlikely and true; ``said`` and ``true``, the mean
        probability and the share that is true where it is called likely.
    """
    rows: list[tuple[object, ...]] = []
    for (scenario, patients), group in table.groupby(["scenario", "patients"], sort=False):
        names = patient_columns(categories)
        counts = {name: group[name].to_numpy(dtype=float, na_value=np.nan) for name in names}
        spoke = np.isfinite(counts["squared_error"])
        counts = {name: values[spoke] for name, values in counts.items()}
        everyone = np.full(int(spoke.sum()), float(str(patients)))
        shares = {
            "covered_95": (counts["covered_95"], everyone - counts["left"]),
            "covered_80": (counts["covered_80"], everyone - counts["left"]),
            "covered_left": (counts["covered_left"], counts["left"]),
            "rmse": (counts["squared_error"], everyone),
        }
        for c in categories:
            likely = counts[f"likely_{c}"]
            whole = {"brier": everyone, "wrong": everyone, "said": likely, "true": likely}
            shares |= {f"{name}_{c}": (counts[f"{name}_{c}"], of) for name, of in whole.items()}
        for name, (part, of) in shares.items():
            value, error = pooled(part, of)
            if name == "rmse" and value > 0:
                value, error = np.sqrt(value), error / (2 * np.sqrt(value))
            rows.append((scenario, int(str(patients)), name, value, error))
    kinds = dict.fromkeys(("scenario", "quantity"), "str")
    return pd.DataFrame(rows, columns=list(PATIENT_COLUMNS)).astype(kinds)


def pooled(part: Floats, of: Floats) -> tuple[float, float]:
    """A share of all cohorts' patients, with the standard error that the cohorts give it.

    Parameters
    ----------
    part, of : array, shape (cohort,)
        What is counted or summed, and of how many.

    Returns
    -------
    value, mcse : float
        A ratio of sums, its error by linearisation (Cochran 1977, Sampling Techniques, section
        6.4). Where no cohort differs from a share of 0 or 1, as of one more that does
        (:func:`mnbayes.base.montecarlo.independent_error`). NaN where there is nobody.
    """
    part, of = part[of > 0], of[of > 0]
    count = part.size
    if count == 0:
        return float("nan"), float("nan")
    value = float(part.sum() / of.sum())
    if value in (0.0, 1.0):
        return value, 1 / (count + 1)
    if count == 1:
        return value, float("nan")
    scatter = np.sum((part - value * of) ** 2) * count / (count - 1)
    return value, float(np.sqrt(scatter) / of.sum())
