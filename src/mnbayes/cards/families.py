"""Prior distributions a card can name: their arguments, densities, quantiles and draws.

Each family is one row of :data:`FAMILIES`. The density and quantiles come from SciPy, the
random variable of the same name from PyMC (see :mod:`mnbayes.models.longitudinal`); a test
holds the two together. Inverse-gamma is left out on purpose: as a prior of a standard
deviation it is not weak (Gelman 2006, Bayesian Analysis 1:515).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mnbayes.base.arrays import Floats

Role = Literal["location", "scale", "correlation"]


@dataclass(frozen=True)
class Family:
    """A family of prior distributions.

    Attributes
    ----------
    name : str
        The name in cards, which is PyMC's.
    arguments : tuple of str
        Argument names in the order in which they are stored as model data.
    positive : frozenset of str
        The arguments that must be above zero.
    roles : frozenset of str
        The kinds of parameter the family can be a prior of.
    formula : str
        How the family is written in a report, with ``{argument}`` fields.
    """

    name: str
    arguments: tuple[str, ...]
    positive: frozenset[str]
    roles: frozenset[Role]
    formula: str


def _family(
    name: str, arguments: str, positive: str, roles: tuple[Role, ...], formula: str
) -> Family:
    return Family(
        name, tuple(arguments.split()), frozenset(positive.split()), frozenset(roles), formula
    )


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        _family("Normal", "mu sigma", "sigma", ("location",), "Normal({mu}, {sigma})"),
        _family(
            "StudentT", "nu mu sigma", "nu sigma", ("location",), "Student-t({nu}, {mu}, {sigma})"
        ),
        _family("HalfNormal", "sigma", "sigma", ("scale",), "Half-normal({sigma})"),
        _family("HalfStudentT", "nu sigma", "nu sigma", ("scale",), "Half-t({nu}, {sigma})"),
        _family("Exponential", "lam", "lam", ("scale",), "Exponential(rate {lam})"),
        _family("Gamma", "alpha beta", "alpha beta", ("scale",), "Gamma({alpha}, rate {beta})"),
        _family("LogNormal", "mu sigma", "sigma", ("scale",), "Log-normal({mu}, {sigma})"),
        _family("LKJ", "eta", "eta", ("correlation",), "LKJ({eta})"),
    )
}


def formula(family: str, arguments: Mapping[str, float]) -> str:
    """A prior as text, such as ``Normal(0, 0.7)``."""
    numbers = {name: f"{value:.3g}" for name, value in arguments.items()}
    return FAMILIES[family].formula.format(**numbers)


def stretched(family: str, arguments: Mapping[str, float], factor: float) -> dict[str, float]:
    """Arguments of the prior of ``factor`` times what has this prior; for positive quantities."""
    out = dict(arguments)
    if family == "LogNormal":
        out["mu"] += float(np.log(factor))
    elif "sigma" in out:
        out["sigma"] *= factor
    else:  # a rate
        rate = "lam" if family == "Exponential" else "beta"
        out[rate] /= factor
    return out


def _distribution(
    family: str, arguments: Mapping[str, ArrayLike]
) -> tuple[Any, tuple[Floats | float, ...]]:
    """SciPy's distribution, and the arguments of a card in its own order.

    Not frozen: freezing compiles code each time. The two half-families are returned as the
    *symmetric* distribution they fold; :func:`quantile`, :func:`cdf`, :func:`log_density` and
    :func:`draw` fold it.

    Raises
    ------
    KeyError
        If the family has no univariate density (``LKJ``) or is unknown.
    """
    from scipy import stats  # slow to load, and the names of priors are checked without it

    value = {name: np.asarray(arguments[name], dtype=float) for name in FAMILIES[family].arguments}
    match family:
        case "Normal":
            return stats.norm, (value["mu"], value["sigma"])
        case "StudentT":
            return stats.t, (value["nu"], value["mu"], value["sigma"])
        case "HalfNormal":
            return stats.norm, (0.0, value["sigma"])
        case "HalfStudentT":
            return stats.t, (value["nu"], 0.0, value["sigma"])
        case "Exponential":
            return stats.expon, (0.0, 1.0 / value["lam"])
        case "Gamma":
            return stats.gamma, (value["alpha"], 0.0, 1.0 / value["beta"])
        case "LogNormal":
            return stats.lognorm, (value["sigma"], 0.0, np.exp(value["mu"]))
    raise KeyError(family)


def _folds(family: str) -> bool:
    return family.startswith("Half")


def quantile(family: str, arguments: Mapping[str, ArrayLike], probability: ArrayLike) -> Floats:
    """Quantile of a prior; broadcasts over arguments and probability.

    Returns
    -------
    array
        On the parameter's own (log) scale.
    """
    p = np.asarray(probability, dtype=float)
    if _folds(family):
        p = (1.0 + p) / 2.0
    with np.errstate(all="ignore"):  # a quantile may lie beyond every number
        distribution, values = _distribution(family, arguments)
        return np.asarray(distribution.ppf(p, *values))


def cdf(family: str, arguments: Mapping[str, ArrayLike], value: ArrayLike) -> Floats:
    """Probability of a prior below ``value``; broadcasts."""
    x = np.asarray(value, dtype=float)
    with np.errstate(all="ignore"):
        distribution, values = _distribution(family, arguments)
        below = np.asarray(distribution.cdf(x, *values))
    return np.maximum(2.0 * below - 1.0, 0.0) if _folds(family) else below


def normal_log_density(distance: Floats, sd: Floats | float) -> Floats:
    """Log density of a normal at a distance from its mean; SciPy's takes several times as long."""
    out = np.asarray(distance / sd)
    out *= out
    out += np.log(2.0 * np.pi)
    out *= -0.5
    out -= np.log(sd)
    return out


def log_density(family: str, arguments: Mapping[str, ArrayLike], value: ArrayLike) -> Floats:
    """Log density of a prior at ``value``; broadcasts. Outside the support it is -inf."""
    x = np.asarray(value, dtype=float)
    distribution, values = _distribution(family, arguments)
    if family in ("Normal", "HalfNormal"):
        density = normal_log_density(x - values[0], values[1])
    else:
        density = np.asarray(distribution.logpdf(x, *values))
    if _folds(family):
        density = np.where(x >= 0.0, density + np.log(2.0), -np.inf)
    return density


def draw(
    family: str,
    arguments: Mapping[str, ArrayLike],
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> Floats:
    """Independent draws of a prior.

    Parameters
    ----------
    shape : tuple of int
        Shape of the result; the arguments broadcast against its last dimensions.
    """
    distribution, values = _distribution(family, arguments)
    sample = np.asarray(distribution.rvs(*values, size=shape, random_state=rng))
    return np.abs(sample) if _folds(family) else sample


def partial_correlation_alpha(eta: float, size: int) -> Floats:
    """Beta parameters of the canonical partial correlations of an LKJ(``eta``) matrix.

    Lewandowski, Kurowicka and Joe (2009), J. Multivariate Anal. 100:1989, section 2.4: the
    partial correlation in column ``j`` (counted from 0) is ``2 Beta(a, a) - 1`` with
    ``a = eta + (size - 2 - j) / 2``.

    Returns
    -------
    array, shape (size * (size - 1) / 2,)
        Over the lower triangle, row by row.
    """
    column = np.concatenate([np.arange(row) for row in range(1, size)])
    return eta + (size - 2 - column) / 2.0
