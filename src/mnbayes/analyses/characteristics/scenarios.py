"""What might be true: scenarios, each a pure function from a random stream to a cohort.

A scenario states levels of 24-h protein and albumin as they truly are, as they are measured, and
who leaves. None draws from the model's priors, so that the model meets patients that it did not
make up; the numbers are in :mod:`mnbayes.analyses.characteristics.parts`.

Your own is a function like these::

    @register_scenario("half_way", "Half way", "Half at week 4, as at first by week 12.", 1.0)
    def half_way(n, rng):
        fall = np.log(0.5) * np.array([0.0, 1.0, 1.0, 1.0, 0.0])
        return measured(baselines(n, rng), np.broadcast_to(fall, (n, 5)), rng)

register it before :func:`mnbayes.analyses.characteristics.command.run_characteristics` is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mnbayes.analyses.characteristics.parts import (
    ENTRY,
    GRADUALLY,
    HEAVY_DF,
    LEAVING,
    LOST,
    ONE_OF_EIGHT,
    OWN_SD,
    RATIO,
    REBOUNDING,
    RELAPSE,
    RESPONDERS,
    RESPONSE,
    SCREENED,
    SCREENED_LOW,
    SLOWLY,
    WEEKS,
    Simulated,
    baselines,
    course,
    heavy,
    leaving,
    measured,
    one_leaves,
    own_changes,
    selected,
    some,
    without,
    worst,
)
from mnbayes.base.problems import InputError, Problem, did_you_mean, quoted

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


# Courses that turn: patients' courses are not parallel, and one patient in eight leaves.


@register_scenario(
    "gradual",
    "Gradual",
    f"As change, but it comes evenly in log time till week 12: {100 * GRADUALLY[1]:.0f} % of it by "
    "week 1. One patient in eight leaves.",
    RATIO,
)
def gradual(n: int, rng: np.random.Generator) -> Simulated:
    """A change that is not over when the visits are."""
    own = course(own_changes(n, np.log(RATIO), rng), GRADUALLY)
    return one_leaves(measured(baselines(n, rng), own, rng), rng)


@register_scenario(
    "early_and_lost",
    "Early and lost",
    f"Protein falls to {100 * RATIO:g} % by week 1, but from week 2 on that mean fall is lost "
    "week by week: none of it is left at week 12. Patients differ for good by a log SD of "
    f"{OWN_SD:g}; one in eight leaves.",
    1.0,
)
def early_and_lost(n: int, rng: np.random.Generator) -> Simulated:
    """The mean fall does not last; what patients have of their own does."""
    moved = course(own_changes(n, 0.0, rng)) + np.log(RATIO) * LOST
    return one_leaves(measured(baselines(n, rng), moved, rng), rng)


_CHANGES = NormalDist(np.log(RATIO), OWN_SD)
#: Mean log change that those who rebound lose: that of whoever has fallen, in closed form.
_REBOUND = _CHANGES.mean * _CHANGES.cdf(0.0) - _CHANGES.variance * _CHANGES.pdf(0.0)


@register_scenario(
    "rebound",
    "Rebound of some",
    f"As change, but {100 * REBOUNDING:g} % of those whose protein has fallen are back at "
    "baseline by week 12. One patient in eight leaves.",
    float(np.exp(_CHANGES.mean - REBOUNDING * _REBOUND)),
)
def rebound(n: int, rng: np.random.Generator) -> Simulated:
    """Some go back after week 4, the others keep what they have."""
    own = own_changes(n, np.log(RATIO), rng)
    moved = course(own)
    moved[(own < 0) & (rng.uniform(size=n) < REBOUNDING), -1] = 0.0
    return one_leaves(measured(baselines(n, rng), moved, rng), rng)


@register_scenario(
    "relapse_of_one",
    "Relapse of one",
    "As change, but one patient in eight, whoever that is, ends at week 12 between baseline and "
    f"{RELAPSE:g} times it. One in eight leaves.",
    float(RATIO ** (1 - ONE_OF_EIGHT) * RELAPSE ** (ONE_OF_EIGHT / 2)),
)
def relapse_of_one(n: int, rng: np.random.Generator) -> Simulated:
    """One of a cohort of eight loses everything, and perhaps more."""
    moved = course(own_changes(n, np.log(RATIO), rng))
    back = some(n, ONE_OF_EIGHT, rng)
    moved[back, -1] = np.log(RELAPSE) * rng.uniform(size=back.size)
    return one_leaves(measured(baselines(n, rng), moved, rng), rng)
