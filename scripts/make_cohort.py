"""Make the embedded SYNTHETIC cohort: eight patients who meet every published fact of the trial.

No patient-level data of the trial (doi 10.21203/rs.3.rs-6824104/v1) are public. This script draws
a cohort from a log-normal longitudinal mechanism and keeps a draw only if it meets every fact that
the preprint's abstract publishes. Nothing but those facts is real.

Mechanism, natural-log scale, patient i, visit t, marker k (weeks 0, 1, 2, 4, 12)::

    log y[i,t,k] = baseline_mean[k] + a[i,k] + 1(t>0) (visit_change[t,k] + b[i,k]) + e[i,t,k]

with a, b and e normal. Beyond that:

- 24-h urinary protein has one more term, a patient's own course between weeks 4 and 12;
- its concentration is excretion / volume, with a log-normal 24-h volume;
- albumin is lower where proteinuria is higher, and rises where proteinuria falls;
- CD3 is CD4 + CD8 + the few T cells that are neither, and the T cells share their fluctuation;
- the lymphocytes know nothing of the urine: no link between the two is built in.

Each patient is given one of the eight courses that the abstract implies (``COURSES``), and is
redrawn until the course holds. The four published extremes (46 % and 79 % short term, 17 % and
76 % at week 12) are hit by construction: for those four patients b is solved for, not drawn.
The urine, then the albumin, then the lymphocytes are redrawn until all of ``FACTS`` hold. Fatigue
and adverse events come from a stream of their own and know nothing of the measurements.

Run ``python scripts/make_cohort.py`` for ``data/cohort``; another folder may be the one argument.
The seed is fixed, so that a rerun writes the same bytes.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

type Array = NDArray[np.float64]
type Values = dict[str, Array]
"""Marker -> values (patient, visit) in canonical units, rounded as reported; NaN after leaving."""

SEED = 6_824_104  # the preprint's number
WEEKS = (0, 1, 2, 4, 12)
SHORT = slice(1, 4)  # weeks 1, 2, 4
WEEK_4, WEEK_12 = 3, 4  # positions in WEEKS
WITHDREW_WEEK = 8

# Unit and reported decimals, in the order in which the file lists the markers.
UNITS = {
    "urine_protein_24h": ("g/24h", 2),
    "urine_protein_conc": ("g/L", 2),
    "albumin": ("g/L", 1),
    "cd3": ("cells/uL", 0),
    "cd4": ("cells/uL", 0),
    "cd8": ("cells/uL", 0),
    "b_cell": ("cells/uL", 0),
    "nk_cell": ("cells/uL", 0),
}

# Definitions, kept here on purpose: the cohort is a fixed input of the package, and must not move
# when somebody edits the definitions of the package. "Effective" is not defined in the preprint.
COMPLETE_BELOW, COMPLETE_ALBUMIN = 0.3, 35.0  # g/24h, g/L
PARTIAL_FALL, PARTIAL_BELOW = 0.50, 3.5  # share of baseline, g/24h
EFFECTIVE_FALL = 0.15  # share of baseline
ALPHA = 0.05

# Half the lower to 1.25 times the upper limit of the adult 95 % ranges (Hong Kong Chinese,
# n = 273): the patients have been immunosuppressed, so some sit below the range.
SUBSET_RANGES = {
    "cd3": (362, 2839),
    "cd4": (198, 1636),
    "cd8": (112, 1268),
    "b_cell": (59, 806),
    "nk_cell": (31, 759),
}


@dataclass(frozen=True)
class Course:
    """What the abstract implies for one patient's 24-h urinary protein.

    Falls are shares of the baseline (0.5 = halved, negative = a rise). ``best`` bounds the best
    fall over weeks 1, 2 and 4, ``late`` the fall at week 12 (None: withdrew before). A bound whose
    ends are equal is a published extreme, hit by construction. ``baseline`` bounds the first value
    and ``end`` the week-12 value from above, in g/24h.
    """

    name: str
    best: tuple[float, float]
    late: tuple[float, float] | None
    baseline: tuple[float, float] = (2.5, 12.0)
    end: float = np.inf


# Strictly inside the published ranges, so that only the pinned patients are the extremes.
_IMPROVED, _HALVED, _NOT = (0.47, 0.78), (0.505, 0.75), (-0.20, 0.13)

COURSES = (
    # A fall of at most 76 % to below 0.3 g/24h: the baseline is below 0.3 / 0.24 = 1.25 g/24h.
    Course("complete remission", _IMPROVED, _HALVED, baseline=(0.8, 1.25), end=COMPLETE_BELOW),
    Course("partial remission, deepest at week 12", _IMPROVED, (0.76, 0.76), end=PARTIAL_BELOW),
    Course("partial remission, deepest short term", (0.79, 0.79), _HALVED, end=PARTIAL_BELOW),
    Course("partial remission", _IMPROVED, _HALVED, end=PARTIAL_BELOW),
    Course("effective, no remission", _IMPROVED, (0.17, 0.17)),
    Course("relapse", _IMPROVED, _NOT),
    Course("no response", _NOT, _NOT),
    Course("withdrew", (0.46, 0.46), None),
)


# --- Drawing -----------------------------------------------------------------------------------


def draw_protein(rng: np.random.Generator, course: Course) -> Array:
    """Draw one patient's 24-h urinary protein until it follows the course.

    The baseline spread (log SD 0.6) is wider than among nephrotic patients (about 0.4), because a
    baseline below 1.25 g/24h is implied; visit noise has log SD 0.22 (published: 0.15-0.35).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness, advanced by the call.
    course : Course
        What the patient's values must do.

    Returns
    -------
    ndarray, shape (visit,)
        g/24h, rounded to 2 decimals; week 12 is NaN for the patient who withdrew.
    """
    visit_change = np.array([0.0, -0.40, -0.60, -0.70, -0.65])
    after = np.array([0.0, 1.0, 1.0, 1.0, 1.0])
    while True:
        noise = rng.normal(0.0, 0.22, 5)
        drift = np.array([0.0, 0.0, 0.0, 0.0, rng.normal(0.0, 0.20)])
        log_value = np.log(4.2) + rng.normal(0.0, 0.6) + visit_change + drift + noise
        change = rng.normal(0.0, 0.35)
        ratio = log_value - log_value[0]
        if course.best[0] == course.best[1]:
            change = np.log1p(-course.best[0]) - ratio[SHORT].min()
        elif course.late is not None and course.late[0] == course.late[1]:
            change = np.log1p(-course.late[0]) - ratio[WEEK_12]
        value: Array = np.round(np.exp(log_value + after * change), 2)
        if course.late is None:
            value[WEEK_12] = np.nan
        if follows(course, value):
            return value


def follows(course: Course, value: Array) -> bool:
    """Whether one patient's rounded 24-h urinary protein, shape (visit,), follows the course."""
    rounding = 0.004  # a pinned share is met as well as two decimals allow
    best = 1 - value[SHORT].min() / value[0]
    inside = course.best[0] - rounding <= best <= course.best[1] + rounding
    plausible = course.baseline[0] <= value[0] < course.baseline[1]
    if course.late is None:
        return bool(inside and plausible)
    late = 1 - value[WEEK_12] / value[0]
    inside_late = course.late[0] - rounding <= late <= course.late[1] + rounding
    return bool(inside and plausible and inside_late and value[WEEK_12] < course.end)


def draw_urine(rng: np.random.Generator, courses: list[Course], _: Values) -> Values:
    """Draw excretion and concentration = excretion / volume, each (patient, visit)."""
    protein = np.array([draw_protein(rng, course) for course in courses])
    n = len(courses)
    volume = np.exp(np.log(1.6) + rng.normal(0, 0.15, (n, 1)) + rng.normal(0, 0.15, (n, 5)))
    return {
        "urine_protein_24h": protein,
        "urine_protein_conc": np.round(protein / np.clip(volume, 0.9, 2.7), 2),
    }


def draw_albumin(rng: np.random.Generator, courses: list[Course], seen: Values) -> Values:
    """Draw albumin (patient, visit), lower with heavy proteinuria, rising late where it falls.

    Within-person log SD 0.05, the published scale. Albumin follows the patient's mean fall with a
    delay: 30, 50, 80 and 100 % of its change at weeks 1, 2, 4 and 12.
    """
    log_protein = np.log(seen["urine_protein_24h"])
    n = len(courses)
    heavier = log_protein[:, [0]] - np.log(4.2)
    baseline = np.log(27.0) - 0.22 * heavier + rng.normal(0, 0.10, (n, 1))
    fall = log_protein[:, [0]] - np.nanmean(log_protein[:, 1:], axis=1, keepdims=True)
    change = 0.16 * fall + rng.normal(0, 0.03, (n, 1))
    delay = np.array([0.0, 0.3, 0.5, 0.8, 1.0])
    value = np.exp(baseline + delay * change + rng.normal(0, 0.05, (n, 5)))
    return {"albumin": np.where(np.isnan(log_protein), np.nan, np.round(value, 1))}


def draw_lymphocytes(rng: np.random.Generator, courses: list[Course], seen: Values) -> Values:
    """Draw the five subsets, cells/uL, each (patient, visit).

    Between-person log SDs come to about 0.34 (CD4), 0.41 (CD8), 0.47 (B) and 0.56 (NK), and
    within-person ones to 0.13 (T), 0.18 (B) and 0.20 (NK). CD4 and CD8 share part of each, since
    the count of all lymphocytes moves them together.
    """
    n = len(courses)
    gone = np.isnan(seen["urine_protein_24h"])

    def subset(
        typical: float, between: float, visit_change: list[float], change_sd: float, within: float
    ) -> Array:
        a, b = rng.normal(0, between, (n, 1)), rng.normal(0, change_sd, (n, 1))
        change = np.array([0.0, *visit_change]) + b * np.array([0.0, 1, 1, 1, 1])
        return np.asarray(np.exp(np.log(typical) + a + change + rng.normal(0, within, (n, 5))))

    shared = np.exp(rng.normal(0, 0.22, (n, 1)) + rng.normal(0, 0.10, (n, 5)))
    cd4 = shared * subset(560, 0.26, [0.12, 0.20, 0.28, 0.26], 0.08, 0.08)
    cd8 = shared * subset(400, 0.35, [0.12, 0.22, 0.30, 0.26], 0.08, 0.08)
    neither = np.clip(np.exp(rng.normal(np.log(0.06), 0.25, (n, 5))), 0.03, 0.12)  # share of CD3
    drawn = {
        "cd3": (cd4 + cd8) / (1 - neither),
        "cd4": cd4,
        "cd8": cd8,
        "b_cell": subset(190, 0.47, [0.08, 0.18, 0.30, 0.42], 0.15, 0.18),
        "nk_cell": subset(190, 0.56, [0.12, 0.22, 0.34, 0.45], 0.15, 0.20),
    }
    return {marker: np.where(gone, np.nan, np.round(value)) for marker, value in drawn.items()}


def draw_events(
    rng: np.random.Generator, patient_ids: list[str], courses: list[Course]
) -> pd.DataFrame:
    """Draw fatigue, which improves in everyone, and few mild adverse events.

    The abstract publishes no more than "few adverse reactions" and "fatigue improved in all".
    Fatigue has grade 1 or 2 at baseline and eases with a chance of 0.45 a visit; a patient is
    redrawn until the last visit is better than the first. Two patients have fever or headache
    of grade 1 at the visit of the second or third infusion, gone at the next.
    """
    rows: list[tuple[str, int, str, int]] = []
    struck = rng.choice(len(courses), 2, replace=False).tolist()
    reactions = dict(zip(struck, ("fever", "headache"), strict=True))
    for i, (patient, course) in enumerate(zip(patient_ids, courses, strict=True)):
        weeks = WEEKS[:WEEK_12] if course.late is None else WEEKS
        while True:
            eased = rng.random(len(weeks) - 1) < 0.45
            grades = np.maximum(rng.integers(1, 3) - np.append(0, eased.cumsum()), 0)
            if grades[-1] < grades[0]:
                break
        rows += [(patient, w, "fatigue", int(g)) for w, g in zip(weeks, grades, strict=True)]
        if i in reactions:
            visit = int(rng.integers(1, 3))
            rows += [(patient, weeks[visit + k], reactions[i], 1 - k) for k in (0, 1)]
    table = pd.DataFrame(rows, columns=["patient", "week", "term", "grade"])
    return table.sort_values(["patient", "week", "term"])


def draw_patients(rng: np.random.Generator, courses: list[Course]) -> pd.DataFrame:
    """Draw the patients' table: adults of both sexes, a fourth infusion where the BMI is > 30."""
    n = len(courses)
    while True:
        male = rng.random(n) < 2 / 3  # membranous nephropathy: about two men to one woman
        age = rng.integers(25, 71, n)
        bmi = np.round(rng.normal(25.5, 3.5, n), 1)
        if (
            ((bmi >= 19) & (bmi <= 35)).all()
            and 2 <= male.sum() <= n - 2
            and 1 <= (bmi > 30).sum() <= 2
        ):
            break
    return pd.DataFrame(
        {
            "patient": [f"MN{i + 1:02d}" for i in range(n)],
            "sex": np.where(male, "male", "female"),
            "age_years": age,
            "bmi": bmi,
            "infusions": np.where(bmi > 30, 4, 3),
            "withdrew_week": pd.array(
                [WITHDREW_WEEK if c.late is None else None for c in courses], dtype="Int64"
            ),
        }
    )


# --- The published facts -----------------------------------------------------------------------


def moved(before: Array, after: Array, direction: Literal["rose", "fell"]) -> bool:
    """Whether paired values moved in a direction with P < 0.05 by every obvious test.

    Two-sided paired t-test on logs, Wilcoxon signed-rank test on logs and on the values as they
    are; the preprint does not say which it used. Patients without the later value are left out.

    Parameters
    ----------
    before, after : ndarray, shape (patient,)
        Positive values of the same marker.
    direction : {"rose", "fell"}
        The direction of the mean log ratio.
    """
    kept = ~np.isnan(after)
    log_ratio = np.log(after[kept] / before[kept])
    p_values = (
        stats.ttest_1samp(log_ratio, 0.0).pvalue,
        stats.wilcoxon(log_ratio).pvalue,
        stats.wilcoxon(after[kept] - before[kept]).pvalue,
    )
    way = log_ratio.mean() > 0 if direction == "rose" else log_ratio.mean() < 0
    return bool(way and max(p_values) < ALPHA)


def moved_short_term(value: Array, direction: Literal["rose", "fell"]) -> bool:
    """Whether (patient, visit) values moved by week 4, and in the mean log of weeks 1, 2, 4."""
    mean = np.exp(np.log(value[:, SHORT]).mean(axis=1))
    return all(moved(value[:, 0], after, direction) for after in (value[:, WEEK_4], mean))


def subset_rose_short_term(v: Values, marker: str) -> bool:
    """Whether a lymphocyte subset rose short term."""
    return moved_short_term(v[marker], "rose")


def subset_rose_by_the_end(v: Values, marker: str) -> bool:
    """Whether a lymphocyte subset rose by week 12, and by each patient's last visit."""
    value = v[marker]
    last = np.where(np.isnan(value[:, WEEK_12]), value[:, WEEK_4], value[:, WEEK_12])
    return all(moved(value[:, 0], after, "rose") for after in (value[:, WEEK_12], last))


def best_fall(v: Values) -> Array:
    """Best fall of 24-h urinary protein over weeks 1, 2, 4: share of baseline, (patient,)."""
    protein = v["urine_protein_24h"]
    return np.asarray(1 - protein[:, SHORT].min(axis=1) / protein[:, 0])


def late_fall(v: Values) -> Array:
    """Fall of 24-h urinary protein at week 12: share of baseline, (patient,), NaN if withdrawn."""
    protein = v["urine_protein_24h"]
    return np.asarray(1 - protein[:, WEEK_12] / protein[:, 0])


def albumin_rose_in_six(v: Values) -> bool:
    """Whether albumin rose in 6 of 8, by week 4 and by the mean of weeks 1, 2, 4.

    The abstract does not say what "rose" means, so both readings must name the same patients, by
    0.3 g/L or more, lest the count hang on the last digit.
    """
    albumin = v["albumin"]
    by_week_4 = albumin[:, WEEK_4] - albumin[:, 0]
    by_mean = albumin[:, SHORT].mean(axis=1) - albumin[:, 0]
    clear = (np.abs(by_week_4) >= 0.3).all() and (np.abs(by_mean) >= 0.3).all()
    same = ((by_week_4 > 0) == (by_mean > 0)).all()
    return bool(clear and same and (by_week_4 > 0).sum() == 6)


def in_complete(v: Values) -> NDArray[np.bool_]:
    """Complete remission at week 12, (patient,); False where not evaluable."""
    low = v["urine_protein_24h"][:, WEEK_12] < COMPLETE_BELOW
    return np.asarray(low & (v["albumin"][:, WEEK_12] >= COMPLETE_ALBUMIN))


def in_partial(v: Values) -> NDArray[np.bool_]:
    """Partial, not complete, remission at week 12, (patient,); False where not evaluable."""
    low = v["urine_protein_24h"][:, WEEK_12] < PARTIAL_BELOW
    return np.asarray((late_fall(v) >= PARTIAL_FALL) & low & ~in_complete(v))


def whole_percents(falls: Array) -> tuple[int, int]:
    """Smallest and largest fall in whole percent."""
    return round(100 * falls.min()), round(100 * falls.max())


def effective_fall(falls: Array) -> NDArray[np.bool_]:
    """Whether each fall, a share of the baseline, counts as improvement; False where NaN."""
    return np.asarray(falls >= EFFECTIVE_FALL)


def volumes_plausible(v: Values) -> bool:
    """Whether excretion / concentration, both as rounded, is a 24-h volume of 0.8 to 3 L."""
    volume = v["urine_protein_24h"] / v["urine_protein_conc"]
    return bool(np.nanmin(volume) >= 0.8 and np.nanmax(volume) <= 3.0)


def visit_noise_plausible(v: Values) -> bool:
    """Whether log protein after baseline, less patient and visit means, has SD 0.15 to 0.30.

    Complete patients only; 3 (n - 1) degrees of freedom remain of 4 n values.
    """
    log_value = np.log(v["urine_protein_24h"])[~np.isnan(late_fall(v)), 1:]
    rest = log_value - log_value.mean(axis=1, keepdims=True) - log_value.mean(axis=0)
    rest += log_value.mean()
    return bool(0.15 <= np.sqrt((rest**2).sum() / (3 * (len(rest) - 1))) <= 0.30)


def subsets_plausible(v: Values) -> bool:
    """Whether CD4 + CD8 fit into CD3 and every count lies in an adult's plausible range."""
    kept = ~np.isnan(v["cd3"])
    parts = (v["cd4"] + v["cd8"])[kept] <= v["cd3"][kept]
    ranges = (
        low <= np.nanmin(v[marker]) and np.nanmax(v[marker]) <= high
        for marker, (low, high) in SUBSET_RANGES.items()
    )
    return bool(parts.all()) and all(ranges)


@dataclass(frozen=True)
class Fact:
    """A statement that the cohort must meet, and the last of the markers it needs."""

    statement: str
    needs: Literal["urine", "albumin", "lymphocytes"]
    holds: Callable[[Values], bool | np.bool_]


FACTS = (
    # Published
    Fact("8 enrolled", "urine", lambda v: len(best_fall(v)) == 8),
    Fact(
        "short term: 7 of 8 improved, 1 no response",
        "urine",
        lambda v: effective_fall(best_fall(v)).sum() == 7,
    ),
    Fact(
        "short term: 24-h urinary protein fell (P < 0.05)",
        "urine",
        lambda v: moved_short_term(v["urine_protein_24h"], "fell"),
    ),
    Fact(
        "short term: urinary protein concentration fell (P < 0.05)",
        "urine",
        lambda v: moved_short_term(v["urine_protein_conc"], "fell"),
    ),
    Fact(
        "best short-term reduction among the 7: 46 % to 79 %",
        "urine",
        lambda v: whole_percents(best_fall(v)[effective_fall(best_fall(v))]) == (46, 79),
    ),
    Fact(
        "week 12: 1 withdrew, 7 evaluable",
        "urine",
        lambda v: np.isnan(late_fall(v)).sum() == 1,
    ),
    Fact(
        "week 12: 5 of 7 improved, 2 no response",
        "urine",
        lambda v: effective_fall(late_fall(v)).sum() == 5,
    ),
    Fact(
        "week 12: 24-h urinary protein fell (P < 0.05)",
        "urine",
        lambda v: moved(v["urine_protein_24h"][:, 0], v["urine_protein_24h"][:, WEEK_12], "fell"),
    ),
    Fact(
        "week-12 reduction among the 5: 17 % to 76 %",
        "urine",
        lambda v: whole_percents(late_fall(v)[effective_fall(late_fall(v))]) == (17, 76),
    ),
    Fact(
        "albumin rose in 6 of 8, by week 4 and by the mean of weeks 1, 2, 4",
        "albumin",
        albumin_rose_in_six,
    ),
    Fact("week 12: 1 complete remission", "albumin", lambda v: in_complete(v).sum() == 1),
    Fact("week 12: 3 partial remissions", "albumin", lambda v: in_partial(v).sum() == 3),
    *(
        Fact(
            f"short term: {marker} rose (P < 0.05)",
            "lymphocytes",
            partial(subset_rose_short_term, marker=marker),
        )
        for marker in ("cd3", "cd4", "cd8")
    ),
    *(
        Fact(
            f"week 12: {marker} rose (P < 0.05)",
            "lymphocytes",
            partial(subset_rose_by_the_end, marker=marker),
        )
        for marker in ("b_cell", "nk_cell")
    ),
    # Implied by the published ones
    Fact(
        "the complete remission started below 1.25 g/24h",
        "albumin",
        lambda v: v["urine_protein_24h"][in_complete(v), 0].max(initial=0.0) < 1.25,
    ),
    Fact(
        "the 17 % patient is effective without remission",
        "albumin",
        lambda v: (
            (effective_fall(late_fall(v)) & ~in_complete(v) & ~in_partial(v)).sum() == 1
            and late_fall(v)[effective_fall(late_fall(v))].min() < PARTIAL_FALL
        ),
    ),
    # Plausible
    Fact("24-h volumes of 0.8 to 3 L", "urine", volumes_plausible),
    Fact("visit noise of log protein: SD 0.15 to 0.30", "urine", visit_noise_plausible),
    Fact(
        "albumin of 15 to 45 g/L",
        "albumin",
        lambda v: np.nanmin(v["albumin"]) >= 15 and np.nanmax(v["albumin"]) <= 45,
    ),
    Fact("subset counts plausible, CD4 + CD8 within CD3", "lymphocytes", subsets_plausible),
)

STAGES: tuple[tuple[str, Callable[[np.random.Generator, list[Course], Values], Values]], ...] = (
    ("urine", draw_urine),
    ("albumin", draw_albumin),
    ("lymphocytes", draw_lymphocytes),
)


# --- Putting it together -----------------------------------------------------------------------

SYNTHETIC = """\
This cohort is SYNTHETIC. None of these eight patients exists.

No patient-level data of the trial (preprint, doi 10.21203/rs.3.rs-6824104/v1) are public. These
tables were drawn by scripts/make_cohort.py, under a fixed seed, from a log-normal longitudinal
mechanism, and redrawn until every summary fact that the preprint's abstract publishes held. The
four published extremes (46 % and 79 % short term, 17 % and 76 % at week 12) were hit by
construction.

Only those published summary facts are real. Everything else (each value, each patient's age, sex
and BMI, the week of withdrawal, who responded, each adverse event, every grade of fatigue, every
correlation) is made up. Draw no conclusion about the treatment from it.
"""


def make_values(rng: np.random.Generator, courses: list[Course]) -> Values:
    """Draw all markers, in the order of ``STAGES``, each until its facts hold.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness, advanced by the call.
    courses : list of Course
        The patients' courses, in the order of their ids.

    Returns
    -------
    dict of str to ndarray, shape (patient, visit)
        All markers in canonical units, rounded; NaN after withdrawal.

    Raises
    ------
    RuntimeError
        If no draw in 2,000 meets the facts, which names those that the last one missed.
    """
    values: Values = {}
    for stage, draw in STAGES:
        facts = [fact for fact in FACTS if fact.needs == stage]
        for _ in range(2000):
            drawn = values | draw(rng, courses, values)
            if all(fact.holds(drawn) for fact in facts):
                values = drawn
                break
        else:
            missed = [fact.statement for fact in facts if not fact.holds(drawn)]
            raise RuntimeError(f"no draw of {stage} meets the facts; the last missed: {missed}")
    return values


def tidy(patient_ids: list[str], values: Values) -> pd.DataFrame:
    """Turn (patient, visit) arrays into the tidy table, one row a measurement.

    Values are text with the decimals that a laboratory reports; ``lower`` and ``upper`` are blank,
    since no synthetic value is censored.
    """
    rows = [
        (patient, week, marker, f"{values[marker][i, t]:.{decimals}f}", unit, None, None)
        for i, patient in enumerate(patient_ids)
        for t, week in enumerate(WEEKS)
        for marker, (unit, decimals) in UNITS.items()
        if not np.isnan(values[marker][i, t])
    ]
    columns = ["patient", "week", "marker", "value", "unit", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns)


def main(out: Path) -> None:
    """Write ``patients.csv``, ``measurements.csv``, ``events.csv`` and ``SYNTHETIC``.

    Parameters
    ----------
    out : Path
        The folder, made if need be; files of these names are overwritten.
    """
    rng = np.random.default_rng(SEED)
    courses = [COURSES[i] for i in rng.permutation(len(COURSES))]
    patients = draw_patients(rng, courses)
    values = make_values(rng, courses)
    # A stream of its own: the tables above stay what they were before there were events.
    (child,) = np.random.SeedSequence(SEED).spawn(1)
    ids = patients["patient"].tolist()
    events = draw_events(np.random.default_rng(child), ids, courses)

    out.mkdir(parents=True, exist_ok=True)
    patients.to_csv(out / "patients.csv", index=False, lineterminator="\n")
    measurements = tidy(ids, values)
    measurements.to_csv(out / "measurements.csv", index=False, lineterminator="\n")
    events.to_csv(out / "events.csv", index=False, lineterminator="\n")
    (out / "SYNTHETIC").write_text(SYNTHETIC, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    default = Path(__file__).resolve().parents[1] / "data" / "cohort"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
