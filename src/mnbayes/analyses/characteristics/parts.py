"""What scenarios are made of: their numbers, and cohorts from true courses of protein.

The numbers are those of the literature (``docs/design.md``), none is drawn from a model's priors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnbayes.answers.categories import BoolArray, Category, classify, judge
from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import ALBUMIN, PROTEIN, Definitions
from mnbayes.data.markers import shipped_markers

#: Visits, and the markers of every scenario in their order.
WEEKS = (0.0, 1.0, 2.0, 4.0, 12.0)
MARKERS = (PROTEIN, ALBUMIN)

#: Geometric mean of true baselines, g/24h, and their SD on the log scale: nephrotic as a rule,
#: but wider than the 0.4 of nephrotic patients, since lower baselines are implied.
BASELINE, BASELINE_SD = 4.0, 0.5
#: SD of one log measurement around the true log level: 0.15 to 0.35 in serial collections.
NOISE = 0.3
#: Scale and degrees of freedom of heavy tails: a robust SD of 0.26 with a plain one of 0.45, as in
#: transplant patients' serial data (robust 0.26-0.29, plain 0.43-0.47).
HEAVY_SCALE, HEAVY_DF = 0.26, 3.0
#: Share of the final log change that is there at each visit: at once, as the model expects of
#: most visits, or slowly.
AT_ONCE = np.array([0.0, 1.0, 1.0, 1.0, 1.0])
SLOWLY = np.array([0.0, 0.5, 0.7, 0.85, 1.0])
#: Geometric mean ratio under a change, and SD of patients' own log changes.
RATIO, OWN_SD = 0.5, 0.5
#: Share of responders in the mixture, and their ratio.
RESPONDERS, RESPONSE = 0.6, 0.3
#: Share of the enrolled who leave: twice the trial's 1 of 8.
LEAVING = 0.25
#: One patient in eight: leaves, or relapses, where courses turn.
ONE_OF_EIGHT = 1 / 8
#: Share of the final log change at each visit where it comes evenly in log(1 + weeks): 27, 43, 63
#: and 100 %; and where it is whole until week 2 and then lost week by week, until week 12.
GRADUALLY = np.log1p(WEEKS) / np.log1p(WEEKS[-1])
LOST = np.array([0.0, 1.0, 1.0, 0.8, 0.0])
#: Share of those whose protein has fallen who are back at baseline by week 12.
REBOUNDING = 0.3
#: A relapse ends between baseline and this many times it, anywhere on the log scale.
RELAPSE = 1.5
#: Screening for regression to the mean: geometric mean of the patients who might be enrolled (for
#: a weak and a strong regression), their log SD, and the least measured baseline with which one
#: is, g/24h (the nephrotic range).
SCREENED, SCREENED_LOW, SCREENED_SD, ENTRY = 2.5, 1.5, 0.4, 3.5
#: Albumin: geometric mean g/L, log SD, SD of one measurement, and log change for each unit of log
#: change of protein (protein halved: albumin up by a seventh).
ALBUMIN_BASELINE, ALBUMIN_SD, ALBUMIN_NOISE, ALBUMIN_SLOPE = 28.0, 0.2, 0.05, -0.2


@dataclass(frozen=True)
class Simulated:
    """One simulated cohort.

    Attributes
    ----------
    true, measured : array, shape (patient, visit, marker)
        Natural logs in canonical units, markers as in :data:`MARKERS`; measurements are NaN from
        a patient's withdrawal on, true levels are not.
    """

    true: Floats
    measured: Floats

    @property
    def withdrew(self) -> NDArray[np.bool_]:
        """Who was not there at the last visit, shape (patient,)."""
        return np.isnan(self.measured[:, -1, 0])


def baselines(n: int, rng: np.random.Generator) -> Floats:
    """True log baselines of protein, shape (patient,)."""
    return np.asarray(np.log(BASELINE) + BASELINE_SD * rng.standard_normal(n))


def course(change: Floats, onset: Floats = AT_ONCE) -> Floats:
    """Log change at each visit, from the final one of each patient: shape (patient, visit)."""
    return np.asarray(change[:, None] * onset)


def measured(
    base: Floats, change: Floats, rng: np.random.Generator, noise: Floats | None = None
) -> Simulated:
    """A complete cohort from its protein.

    Parameters
    ----------
    base : array, shape (patient,)
        True log baselines.
    change : array, shape (patient, visit)
        True log changes; 0 at baseline.
    noise : array, shape (patient, visit), optional
        Errors of the log protein; normal with SD :data:`NOISE` by default.
    """
    shape = change.shape
    error = NOISE * rng.standard_normal(shape) if noise is None else noise
    protein = base[:, None] + change
    own = np.log(ALBUMIN_BASELINE) + ALBUMIN_SD * rng.standard_normal(shape[0])
    albumin = own[:, None] + ALBUMIN_SLOPE * change
    true = np.stack([protein, albumin], axis=-1)
    errors = np.stack([error, ALBUMIN_NOISE * rng.standard_normal(shape)], axis=-1)
    return Simulated(true, true + errors)


def without(cohort: Simulated, leaving: NDArray[np.int64], rng: np.random.Generator) -> Simulated:
    """The cohort after some patients left: each is last seen at week 1, 2 or 4, as likely each.

    Parameters
    ----------
    leaving : array of int
        Positions of those who leave.
    """
    seen = cohort.measured.copy()
    for patient, first in zip(leaving, rng.integers(2, len(WEEKS), leaving.size), strict=True):
        seen[patient, first:] = np.nan
    return Simulated(cohort.true, seen)


def some(n: int, share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of a share of `n` patients, whoever they are: that share of any `n` on average."""
    return rng.permutation(n)[: int(share * n + rng.uniform())]


def one_leaves(cohort: Simulated, rng: np.random.Generator) -> Simulated:
    """The cohort after one patient in eight left, whoever that is."""
    return without(cohort, some(len(cohort.true), ONE_OF_EIGHT, rng), rng)


def leaving(n: int) -> int:
    """How many of `n` patients leave."""
    return round(LEAVING * n)


def worst(cohort: Simulated) -> NDArray[np.int64]:
    """The patients who leave if it is those whose true protein has moved worst."""
    moved = cohort.true[:, -1, 0] - cohort.true[:, 0, 0]
    return np.argsort(-moved)[: leaving(moved.size)]


def selected(n: int, centre: float, rng: np.random.Generator) -> Simulated:
    """Patients who do not change, picked for their first measurement.

    Parameters
    ----------
    centre : float
        Geometric mean of those who might be enrolled, g/24h.
    """
    from scipy.special import ndtr, ndtri

    # In closed form, so that no patient is drawn in vain: the measured baselines are a normal cut
    # off at the entry criterion, the true ones are normal given these.
    variance = SCREENED_SD**2 + NOISE**2
    below = ndtr(np.log(ENTRY / centre) / np.sqrt(variance))
    excess = np.sqrt(variance) * ndtri(below + (1 - below) * rng.uniform(size=n))
    reliability = SCREENED_SD**2 / variance
    spread = SCREENED_SD * np.sqrt(1 - reliability)
    base = np.log(centre) + reliability * excess + spread * rng.standard_normal(n)
    cohort = measured(base, np.zeros((n, len(WEEKS))), rng)
    cohort.measured[:, 0, 0] = np.log(centre) + excess
    return cohort


def heavy(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Student-t errors of log protein."""
    return HEAVY_SCALE * rng.standard_t(HEAVY_DF, shape)


def own_changes(n: int, centre: float, rng: np.random.Generator) -> Floats:
    """Patients' final log changes, normal around `centre`."""
    return centre + OWN_SD * rng.standard_normal(n)


def met(
    definitions: Definitions, first: Floats, last: Floats, albumin: Floats | None = None
) -> dict[Category, BoolArray]:
    """Categories of response from log levels of protein, and of albumin where a model has it."""
    visit = {PROTEIN: last} if albumin is None else {PROTEIN: last, ALBUMIN: albumin}
    return classify(judge(definitions, tuple(visit), shipped_markers()), {PROTEIN: first}, visit)
