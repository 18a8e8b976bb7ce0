"""What might be true: scenarios, each a pure function from a random stream to a cohort.

A scenario states levels of 24-h protein and albumin as they truly are, as they are measured, and
who leaves. None draws from the model's priors: their numbers are those of the literature
(``docs/design.md``), so that the model meets patients that it did not make up.

Your own is a function like these::

    @register_scenario("rebound", "Rebound", "Half at week 4, none of it at week 12.", 1.0)
    def rebound(n, rng):
        base = baselines(n, rng)
        fall = np.log(0.5) * np.array([0.0, 1.0, 1.0, 1.0, 0.0])
        return measured(base, np.broadcast_to(fall, (n, 5)), rng)

register it before :func:`mnbayes.analyses.characteristics.command.run_characteristics` is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnbayes.answers.response_draws import ALBUMIN, PROTEIN
from mnbayes.base.arrays import Floats
from mnbayes.base.problems import InputError, Problem, did_you_mean, quoted

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


type Simulate = Callable[[int, np.random.Generator], Simulated]


@dataclass(frozen=True)
class Scenario:
    """A scenario.

    Attributes
    ----------
    name, title : str
        In commands; in tables and pictures.
    says : str
        What is true in it, in a sentence or two.
    gmr : float or None
        True geometric mean ratio of all who are enrolled at the last visit; None: by simulation.
    simulate : callable
        Number of patients and random stream to :class:`Simulated`.
    """

    name: str
    title: str
    says: str
    gmr: float | None
    simulate: Simulate


_REGISTRY: dict[str, Scenario] = {}


def register_scenario[F: Simulate](
    name: str, title: str, says: str, gmr: float | None = None
) -> Callable[[F], F]:
    """Register a scenario; use as a decorator.

    Parameters
    ----------
    name, title, says, gmr
        As in :class:`Scenario`.

    Raises
    ------
    ValueError
        If the name is taken, or is not a name.
    """
    if not name.isidentifier():
        raise ValueError(f"a scenario's name is letters, digits and underscores; found {name!r}")
    if name in _REGISTRY:
        raise ValueError(f"there is a scenario {name!r} already: {_REGISTRY[name].title}")

    def register(function: F) -> F:
        _REGISTRY[name] = Scenario(name, title, says, gmr, function)
        return function

    return register


def scenarios() -> tuple[Scenario, ...]:
    """All scenarios: the built-in ones, then the user's in order of registration."""
    return tuple(_REGISTRY.values())


def find_scenario(name: str) -> Scenario:
    """A scenario by its name.

    Raises
    ------
    InputError
        If there is none; the ones there are are listed.
    """
    if name not in _REGISTRY:
        expected = f"one of {', '.join(_REGISTRY)}{did_you_mean(name, _REGISTRY)}"
        raise InputError([Problem("--scenario", None, None, quoted(name), expected)])
    return _REGISTRY[name]


# Parts that scenarios are made of.


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


# Nothing changes on average: a go is false.


@register_scenario(
    "no_change", "No change", "Nobody changes; visits differ by measurement error alone.", 1.0
)
def no_change(n: int, rng: np.random.Generator) -> Simulated:
    """Every true level stays."""
    return measured(baselines(n, rng), np.zeros((n, len(WEEKS))), rng)


@register_scenario(
    "scatter",
    "No mean change",
    f"Patients move for good by a log SD of {OWN_SD:g}, as many up as down.",
    1.0,
)
def scatter(n: int, rng: np.random.Generator) -> Simulated:
    """Ups and downs that cancel."""
    return measured(baselines(n, rng), course(own_changes(n, 0.0, rng)), rng)


@register_scenario(
    "regression_to_mean",
    "Regression to the mean",
    f"Nobody changes, but only who was measured at {ENTRY:g} g/24h or more at baseline is "
    f"enrolled, from patients around {SCREENED:g} g/24h: later visits are lower without any "
    "change.",
    1.0,
)
def regression_to_mean(n: int, rng: np.random.Generator) -> Simulated:
    """Selection for a high measurement."""
    return selected(n, SCREENED, rng)


@register_scenario(
    "strong_regression",
    "Strong regression to the mean",
    f"The same from patients around {SCREENED_LOW:g} g/24h, few of whom are ever measured so "
    "high: most are enrolled at a peak.",
    1.0,
)
def strong_regression(n: int, rng: np.random.Generator) -> Simulated:
    """Selection for a measurement that few reach."""
    return selected(n, SCREENED_LOW, rng)


@register_scenario(
    "heavy_tails",
    "No change, heavy tails",
    f"Nobody changes; measurement errors are Student-t with {HEAVY_DF:g} degrees of freedom.",
    1.0,
)
def heavy_tails(n: int, rng: np.random.Generator) -> Simulated:
    """Outlying measurements."""
    shape = (n, len(WEEKS))
    return measured(baselines(n, rng), np.zeros(shape), rng, heavy(shape, rng))


@register_scenario(
    "worst_leave_no_change",
    "No mean change, the worst leave",
    f"As no mean change, but the {100 * LEAVING:g} % whose protein truly rose most leave before "
    "week 12.",
    1.0,
)
def worst_leave_no_change(n: int, rng: np.random.Generator) -> Simulated:
    """Those who stay look better than those who were enrolled."""
    cohort = scatter(n, rng)
    return without(cohort, worst(cohort), rng)


# Protein falls: a go is right.


@register_scenario(
    "change",
    "Change",
    f"Protein falls to {100 * RATIO:g} % of baseline in the geometric mean, by week 1 and for "
    f"good; patients differ by a log SD of {OWN_SD:g}.",
    RATIO,
)
def change(n: int, rng: np.random.Generator) -> Simulated:
    """A common change with normal spread."""
    return measured(baselines(n, rng), course(own_changes(n, np.log(RATIO), rng)), rng)


@register_scenario(
    "slow_change",
    "Slow change",
    "As change, but half of it has come by week 1 and all of it only by week 12.",
    RATIO,
)
def slow_change(n: int, rng: np.random.Generator) -> Simulated:
    """A change that the other visits understate."""
    return measured(baselines(n, rng), course(own_changes(n, np.log(RATIO), rng), SLOWLY), rng)


@register_scenario(
    "heavy_tails_change",
    "Change, heavy tails",
    "As change, but patients' own changes and measurement errors are Student-t with "
    f"{HEAVY_DF:g} degrees of freedom.",
    RATIO,
)
def heavy_tails_change(n: int, rng: np.random.Generator) -> Simulated:
    """Outlying patients and measurements."""
    own = np.log(RATIO) + OWN_SD / np.sqrt(3.0) * rng.standard_t(HEAVY_DF, n)
    return measured(baselines(n, rng), course(own), rng, heavy((n, len(WEEKS)), rng))


@register_scenario(
    "responders",
    "Responders and others",
    f"{100 * RESPONDERS:g} % of patients fall to {100 * RESPONSE:g} % of baseline, the others do "
    "not change.",
    RESPONSE**RESPONDERS,
)
def responders(n: int, rng: np.random.Generator) -> Simulated:
    """Two kinds of patients, where the model has one."""
    own = np.where(rng.uniform(size=n) < RESPONDERS, np.log(RESPONSE), 0.0)
    return measured(baselines(n, rng), course(own), rng)


@register_scenario(
    "random_leave",
    "Change, anyone leaves",
    f"As change, but {100 * LEAVING:g} % leave before week 12, whoever they are.",
    RATIO,
)
def random_leave(n: int, rng: np.random.Generator) -> Simulated:
    """Withdrawal at random."""
    cohort = change(n, rng)
    return without(cohort, rng.permutation(n)[: leaving(n)], rng)


@register_scenario(
    "worst_leave",
    "Change, the worst leave",
    f"As change, but the {100 * LEAVING:g} % whose protein truly moved worst leave before week 12.",
    RATIO,
)
def worst_leave(n: int, rng: np.random.Generator) -> Simulated:
    """Withdrawal not at random."""
    cohort = change(n, rng)
    return without(cohort, worst(cohort), rng)
