"""Power scaling as array functions: what a density raised to another power does to draws.

Kallioinen, Paananen, Bürkner and Vehtari (2024), Stat. Comput. 34:57,
doi:10.1007/s11222-023-10366-5. The draws of one fit are weighted with the density to the power
``alpha - 1``, the weights' tail is smoothed (PSIS; Vehtari et al. 2024, JMLR 25:72), and nothing
is fitted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.inference.diagnostics import MIN_ESS

#: Powers of the sensitivity's difference quotient.
NEAR = (0.99, 1.01)
#: Fewest draws whose tail can be smoothed.
FEWEST = 100
#: Largest Pareto shape with which weighted draws stand for a refit: above it the weights' variance
#: is infinite, and the error of what they say is not known.
MAX_SHAPE = 0.5


def _arviz() -> Any:
    from arviz_stats.base.array import array_stats  # heavy: loads SciPy's statistics

    return array_stats


def _usable(log_density: Floats) -> bool:
    """Whether there is a density to scale: enough draws, and not the same at all of them."""
    return log_density.size >= FEWEST and bool(np.ptp(log_density) > 1e-12)


def near_weights(log_density: Floats) -> tuple[Floats, Floats] | None:
    """Weights of the draws for the powers :data:`NEAR` of a density, by ArviZ.

    Parameters
    ----------
    log_density : array, shape (chain, draw)
        Log prior or log-likelihood at the draws, constants aside.

    Returns
    -------
    tuple of array, shape (chain, draw), or None
        None where the density is the same at all draws, or there are too few of them.
    """
    if not _usable(log_density):
        return None
    lower, upper = (_near(log_density, power) for power in NEAR)
    return lower, upper


def _near(log_density: Floats, power: float) -> Floats:
    try:
        log_weights = _arviz().power_scale_lw(log_density, alpha=power, axis=(0, 1))
    except ValueError:  # the largest weights are all equal: there is no tail to smooth
        log_weights = (power - 1.0) * log_density
    return np.asarray(np.exp(log_weights), dtype=float)


def sensitivity(draws: Floats, weights: tuple[Floats, Floats] | None) -> tuple[float, float]:
    """How much the distribution of a quantity moves when a density counts more or less.

    The cumulative Jensen-Shannon distance between the draws and their weighted version, a
    number between 0 and 1, over the difference of the powers' binary logarithms: the distance
    for each doubling, by ArviZ.

    Parameters
    ----------
    draws : array, shape (chain, draw)
        Of a continuous quantity. Of an indicator the distance says little: it is relative to
        the area under the distribution functions, so that a probability of 99.7 % that becomes
        99.8 % would seem to move a lot.
    weights : tuple of array or None
        From :func:`near_weights`.

    Returns
    -------
    value : float
        0 where all draws are equal, or all weights; NaN of too few draws.
    error : float
        Its Monte Carlo standard error, from the spread between chains; NaN of one chain.
    """
    if draws.size < FEWEST:
        return float("nan"), float("nan")
    if weights is None or np.ptp(draws) == 0:
        return 0.0, 0.0
    whole = float(_arviz().power_scale_sense(draws, *weights, *NEAR))
    if len(draws) == 1:
        return whole, float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):  # a chain whose draws are all equal
        parts = _arviz().power_scale_sense(draws[:, None], *(w[:, None] for w in weights), *NEAR)
    return whole, float(np.nan_to_num(parts).std(ddof=1) / np.sqrt(len(draws)))


def scaled_weights(log_density: Floats, power: float) -> tuple[Floats, float]:
    """Weights that turn draws of a posterior into draws of the one with a scaled density.

    Parameters
    ----------
    log_density : array, shape (chain, draw)
    power : float
        1 leaves all as it is, 2 counts the density twice.

    Returns
    -------
    weights : array, shape (chain, draw)
        They sum to 1; Pareto-smoothed.
    khat : float
        Pareto shape of the weights' tail. Above :func:`highest_khat` weighted estimates cannot
        be relied on. -inf where there is nothing to weight, NaN of too few draws.
    """
    return smoothed_weights((power - 1.0) * log_density)


def smoothed_weights(log_ratio: Floats) -> tuple[Floats, float]:
    """Weights that turn draws of one density into draws of another.

    Parameters
    ----------
    log_ratio : array, shape (chain, draw)
        Log of the other density over the one drawn from, up to a constant.

    Returns
    -------
    weights, khat
        As of :func:`scaled_weights`.
    """
    even = np.full(log_ratio.shape, 1.0 / log_ratio.size)
    if log_ratio.size < FEWEST:
        return even, float("nan")
    if not _usable(log_ratio):
        return even, float("-inf")
    try:
        # psislw takes the log-likelihood that is to be left out, the negative of the log ratio.
        log_weights, khat = _arviz().psislw(-log_ratio, axis=(0, 1))
    except ValueError:  # the largest weights are all equal: there is no tail to smooth
        log_weights, khat = log_ratio, float("-inf")
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum(), dtype=float), float(khat)


def trusted_weights(log_ratio: Floats, effective: float) -> tuple[Floats, float] | None:
    """Weights as of :func:`smoothed_weights`, if weighted draws may stand for a refit.

    The gate is that of a fit: an effective sample size of at least
    :data:`mnbayes.inference.diagnostics.MIN_ESS`, and a Pareto shape of at most :data:`MAX_SHAPE`.

    Parameters
    ----------
    log_ratio : array, shape (chain, draw)
    effective : float
        Effective number of draws without weights.

    Returns
    -------
    tuple or None
        Weights and ``khat``; None where they cannot be trusted.
    """
    weights, khat = smoothed_weights(log_ratio)
    left = effective / (weights.size * float((weights**2).sum()))
    return (weights, khat) if khat <= MAX_SHAPE and left >= MIN_ESS else None


def highest_khat(draws: int) -> float:
    """Pareto shape up to which this many draws give a reliable estimate.

    Vehtari et al. (2024), JMLR 25:72: ``min(1 - 1 / log10(draws), 0.7)``.
    """
    return min(1.0 - 1.0 / float(np.log10(draws)), 0.7)


def weighted_mean(draws: Floats, weights: Floats, effective: float) -> tuple[float, float]:
    """Weighted mean of draws and its Monte Carlo standard error.

    Parameters
    ----------
    draws, weights : array, shape (chain, draw)
        The weights sum to 1.
    effective : float
        Effective number of draws without weights: the error is widened by the root of the
        number of draws over it.

    Returns
    -------
    mean, error : float
        Where all draws are 0 or all are 1 the error is that of one more draw.
    """
    values = np.asarray(draws, dtype=float)
    mean = float((weights * values).sum())
    ratio = values.size / effective
    if np.ptp(values) == 0:
        mean = float(values.flat[0])  # the weighted sum may miss it by a rounding
        sure = mean in (0.0, 1.0)
        return mean, 1.0 / (1.0 / (ratio * (weights**2).sum()) + 1.0) if sure else 0.0
    return mean, float(np.sqrt(ratio * (weights**2 * (values - mean) ** 2).sum()))


def weighted_quantiles(
    draws: Floats, probabilities: Sequence[float], weights: Floats, axis: int | None = None
) -> Floats:
    """Quantiles of weighted draws, each the value of a draw; weights of the draws' shape.

    Over all draws, or along an axis. NumPy has no other weighted kind; among many draws it makes
    no difference.
    """
    found = np.quantile(draws, probabilities, axis, weights=weights, method="inverted_cdf")
    return np.asarray(found, dtype=float)


def weighted_median(draws: Floats, weights: Floats) -> float:
    """Weighted median of draws, interpolated between neighbours."""
    order = np.argsort(draws, axis=None)
    cumulated = np.cumsum(weights.ravel()[order])
    # A draw stands for the middle of its weight.
    middle = cumulated - weights.ravel()[order] / 2
    return float(np.interp(0.5, middle, draws.ravel()[order]))
