"""Numbers of a prior's family that give an interval its probability.

Within a family the distribution of maximum entropy is taken, as PreliZ's ``maxent`` does
(Icazatti et al. 2023, doi:10.21105/joss.05499). For most families it is known in closed form: of
all normal (or Student-t) distributions with probability P between A and B the widest, and so the
one of largest entropy, is the one centred between them, with (1 - P) / 2 on either side. A
half-normal, half-t and exponential have one scale, which one statement fixes. A log-normal is
fitted as the normal of its logarithm, so that a belief on a time is read as one on a level is. A
gamma between two bounds has no closed form and is PreliZ's. Importing and compiling PreliZ takes
some ten seconds, so it is loaded only there; a test holds every closed form to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mnbayes.cards import families as priors
from mnbayes.cards.beliefs import BeliefError

#: A probability that is further from the stated one than this is said to be missed.
MISSED = 0.01
#: Ratios of the two bounds between which a gamma is sought.
_GAMMA_RATIOS = (1.05, 1000.0)
#: Logs of the shapes among which a gamma with a stated median is sought.
_GAMMA_LOG_SHAPES = (-4.0, 10.0)


@dataclass(frozen=True)
class Wanted:
    """What to fit, on the parameter's own scale; None where a side or the median is open."""

    share: float
    low: float | None
    high: float | None
    median: float | None
    family: str
    present: Mapping[str, float]


def _degrees(wanted: Wanted) -> float:
    nu = wanted.present.get("nu")
    if nu is None:
        raise BeliefError(f"nu as well: the degrees of freedom of {wanted.family}", "nu", "nothing")
    return nu


def _symmetric(wanted: Wanted, nu: float | None = None) -> dict[str, float]:
    """Location and scale of a normal on the line, or of a Student-t with ``nu``."""
    share, low, high, median = wanted.share, wanted.low, wanted.high, wanted.median
    family = "Normal" if nu is None else "StudentT"
    unit = {"mu": 0.0, "sigma": 1.0} | ({} if nu is None else {"nu": nu})

    def z(probability: float) -> float:
        return float(priors.quantile(family, unit, probability))

    if low is not None and high is not None and median is None:
        # Halved before they are added or subtracted, so that neither overflows.
        return {"mu": low / 2 + high / 2, "sigma": (high / 2 - low / 2) / z((1 + share) / 2)}
    if median is None:
        raise AssertionError("where one side is open there is a median")
    if low is not None and high is not None:
        ends = np.array([low - median, high - median])
        centre = float(np.log(high - low))

        def excess(log_sigma: float) -> float:
            below, above = priors.cdf(family, unit, ends / np.exp(log_sigma))
            return float(above - below - share)

        return {"mu": median, "sigma": float(np.exp(_root(excess, centre - 30, centre + 30)))}
    distance = high - median if high is not None else median - (low or 0.0)
    return {"mu": median, "sigma": distance / z(share)}


def _normal(wanted: Wanted) -> dict[str, float]:
    return _symmetric(wanted)


def _student(wanted: Wanted) -> dict[str, float]:
    nu = _degrees(wanted)
    return {"nu": nu} | _symmetric(wanted, nu)


def _log_normal(wanted: Wanted) -> dict[str, float]:
    def log(value: float | None) -> float | None:
        return None if value is None or value == 0 else float(np.log(value))

    low, high, median = log(wanted.low), log(wanted.high), log(wanted.median)
    if low is None and high is not None and median is None:
        raise BeliefError("a lower number above 0, or 'P% below B, median M'")
    return _symmetric(Wanted(wanted.share, low, high, median, "LogNormal", {}))


def _one_scale(wanted: Wanted) -> dict[str, float]:
    """The one scale of a family on the positive half-line, from one statement."""
    low, high, share = wanted.low or None, wanted.high, wanted.share
    bound = high if high is not None else low
    if wanted.median is not None or bound is None or (low is not None and high is not None):
        raise BeliefError(
            f"one statement, 'P% below B' or 'P% above A': {wanted.family} has one number to fit"
        )
    fixed = {"nu": _degrees(wanted)} if wanted.family == "HalfStudentT" else {}
    rate = wanted.family == "Exponential"
    unit = fixed | {"lam" if rate else "sigma": 1.0}
    probability = share if high is not None else 1 - share
    scale = bound / float(priors.quantile(wanted.family, unit, probability))
    return fixed | ({"lam": 1 / scale} if rate else {"sigma": scale})


def _gamma(wanted: Wanted) -> dict[str, float]:
    share, low, high, median = wanted.share, wanted.low or 0.0, wanted.high, wanted.median
    from scipy import stats

    if median is None and high is not None and low > 0:
        return _gamma_by_preliz(low, high, share)
    if median is None:
        raise BeliefError("a lower number above 0, or 'P% below B, median M'")
    if median <= 0:
        raise BeliefError("a median above 0", found=f"median {median:g}")
    upper = np.inf if high is None else high

    # With the median kept, a larger shape draws the mass towards it.
    def rate(log_shape: float) -> float:
        return float(stats.gamma.ppf(0.5, np.exp(log_shape))) / median

    def excess(log_shape: float) -> float:
        shape, beta = np.exp(log_shape), rate(log_shape)
        return float(
            stats.gamma.cdf(upper * beta, shape) - stats.gamma.cdf(low * beta, shape) - share
        )

    root = _root(excess, *_GAMMA_LOG_SHAPES)
    return {"alpha": float(np.exp(root)), "beta": rate(root)}


def _gamma_by_preliz(low: float, high: float, share: float) -> dict[str, float]:
    least, most = _GAMMA_RATIOS
    if not least <= high / low <= most:
        raise BeliefError(f"bounds whose ratio lies between {least:g} and {most:g}")
    import warnings

    from matplotlib import rc_context

    unit = float(np.sqrt(low) * np.sqrt(high))
    # PreliZ sets matplotlib's defaults on import, and warns of what is checked here afterwards.
    with rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import preliz

        fitted = preliz.maxent(preliz.Gamma(), low / unit, high / unit, share, plot=False)
    arguments = {"alpha": float(fitted.alpha), "beta": float(fitted.beta) / unit}
    check_arguments("Gamma", arguments)
    inside = priors.cdf("Gamma", arguments, high) - priors.cdf("Gamma", arguments, low)
    if not abs(float(inside) - share) <= MISSED:
        raise BeliefError("another range: no gamma distribution with this one was found")
    return arguments


def _root(excess: Callable[[float], float], low: float, high: float) -> float:
    """Where a monotone function is 0 between two ends."""
    at_ends = np.array([excess(low), excess(high)])
    if not (np.isfinite(at_ends).all() and at_ends[0] * at_ends[1] <= 0):
        raise BeliefError("another statement: no distribution of the prior's family says this one")
    from scipy import optimize

    return float(optimize.brentq(excess, low, high, xtol=1e-12))


def check_arguments(family: str, arguments: Mapping[str, float]) -> None:
    """Refuse numbers that no sampler could use.

    Raises
    ------
    BeliefError
    """
    positive = priors.FAMILIES[family].positive
    for name, value in arguments.items():
        if not abs(value) < 1e300 or (name in positive and not value > 1e-300):
            raise BeliefError(f"a less extreme belief: {name} would be {value:g}")


ONE_NUMBER = ("HalfNormal", "HalfStudentT", "Exponential")
FITS: dict[str, Callable[[Wanted], dict[str, float]]] = {
    "Normal": _normal,
    "StudentT": _student,
    "LogNormal": _log_normal,
    "Gamma": _gamma,
    **dict.fromkeys(ONE_NUMBER, _one_scale),
}
