"""The published-evidence model's posteriors as compiled densities with their data."""

from __future__ import annotations

import numpy as np

from mnbayes.analyses.published import density
from mnbayes.analyses.published.card import PublishedCard
from mnbayes.analyses.published.readings import Evidence
from mnbayes.base.arrays import Floats
from mnbayes.cards.families import FAMILIES
from mnbayes.numerics.density import Density

#: Gauss-Legendre nodes of the integral over noise or change; :mod:`.density`.
NODES = 40


def _prior(card: PublishedCard, parameter: str) -> list[float]:
    spec = card.prior[parameter]
    arguments = [spec.arguments[name] for name in FAMILIES[spec.distribution].arguments]
    padding = [0.0] * (density.PRIOR_SIZE - 1 - len(arguments))
    return [float(density.FAMILIES.index(spec.distribution)), *arguments, *padding]


def _rows(evidence: Evidence) -> Floats:
    kept = evidence.informative
    return np.column_stack([kept.lower, kept.upper, kept.patients]).ravel()


def least_nodes(visits: int) -> Floats:
    """Nodes and weights of expectations over the least of some standard normals, and over one.

    Parameters
    ----------
    visits : int
        How many the least is of.

    Returns
    -------
    array, shape (4, 40)
        Rows: nodes of the least, their weights; nodes of one standard normal, their weights.
        Weights sum to 1.
    """
    from scipy.stats import norm

    unit, weight = np.polynomial.legendre.leggauss(NODES)
    # Beyond seven SDs lie less than 1e-11; the least of several lies lower.
    rows = []
    for low, high, count in ((-7.0, 7.0 if visits == 1 else 4.5, visits), (-7.0, 7.0, 1)):
        u = 0.5 * (high - low) * unit + 0.5 * (high + low)
        w = weight * count * np.exp(norm.logpdf(u) + (count - 1) * norm.logsf(u))
        rows += [u, w / w.sum()]
    return np.array(rows)


def _sized(numbers: list[float] | Floats) -> Floats:
    # The first number is the length of all.
    return np.concatenate([[1.0 + len(numbers)], numbers])


def one_visit(card: PublishedCard, evidence: Evidence) -> Density:
    """Posterior of the mean and SD of log ratios at one visit.

    Parameters
    ----------
    card : PublishedCard
        Priors of ``mean_log_ratio`` and ``sd_log_ratio``.
    evidence : Evidence

    Returns
    -------
    Density
        Expands to these two parameters.
    """
    rows = _rows(evidence)
    numbers = [*_prior(card, "mean_log_ratio"), *_prior(card, "sd_log_ratio"), rows.size / 3]
    return Density(
        2,
        density.one_visit_c.address,
        _sized(np.concatenate([numbers, rows])),
        lambda draws: {"mean_log_ratio": draws[:, 0], "sd_log_ratio": np.exp(draws[:, 1])},
    )


def best_visit(card: PublishedCard, evidence: Evidence, visits: int) -> Density:
    """Posterior of mean and SD of the true log ratios behind the best of several noisy visits.

    Parameters
    ----------
    card : PublishedCard
        With a prior of ``visit_noise_sd`` besides the two of :func:`one_visit`.
    evidence : Evidence
        Of each patient's least log ratio.
    visits : int
        How many it is the least of.

    Returns
    -------
    Density
        Expands to these three parameters.
    """
    rows = _rows(evidence)
    names = ("mean_log_ratio", "sd_log_ratio", "visit_noise_sd")
    prior = [number for name in names for number in _prior(card, name)]
    numbers = [*prior, float(visits), rows.size / 3, float(NODES)]
    data = np.concatenate([numbers, least_nodes(visits).ravel(), rows])
    return Density(
        3,
        density.best_visit_c.address,
        _sized(data),
        lambda draws: {
            "mean_log_ratio": draws[:, 0],
            "sd_log_ratio": np.exp(draws[:, 1]),
            "visit_noise_sd": np.exp(draws[:, 2]),
        },
    )
