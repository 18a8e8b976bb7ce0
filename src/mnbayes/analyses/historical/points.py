"""Design and priors as numbers of the compiled density, and its points as parameters."""

from __future__ import annotations

import numpy as np

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.density import CODES, c_function
from mnbayes.analyses.historical.design import COVARIATES, Design
from mnbayes.base.arrays import Floats
from mnbayes.numerics.density import Density


def working_observations(data: Design) -> tuple[Floats, Floats]:
    """Each arm's log odds as if observed with a normal error, and the information of that.

    They shape the sampler's coordinates, not the model. An interval of counts is taken as its
    middle, with the variance of a uniform distribution over it added.

    Returns
    -------
    log_odds, information : array, shape (row,)
    """
    middle, width = (data.low + data.high) / 2, data.high - data.low
    rate = (middle + 0.5) / (data.n + 1.0)
    information = data.n * rate * (1.0 - rate)
    variance = 1.0 / information + width**2 / 12.0 / information**2
    return np.log(rate / (1.0 - rate)), data.weight / variance


def pack(data: Design, card: HistoricalCard) -> Floats:
    """Design and priors as the array that the density reads.

    Returns
    -------
    array, shape (n,)
        The first number is ``n``.
    """
    names = ["class_log_odds"] * len(data.classes) + list(COVARIATES)
    by_study = rows_by_study(data)
    most = max(len(rows) for rows in by_study)
    numbers = [0.0, len(by_study), data.x.shape[1], float(data.n_arms > 0), most, 0.0]
    for name in (*names, "between_study_sd", "arm_correlation"):
        spec = card.prior[name]
        given = spec.arguments
        numbers += [
            CODES[spec.distribution],
            given.get("nu", 1.0),
            given.get("mu", 0.0),
            1.0 / given["lam"] if "lam" in given else given["sigma"],
        ]
    for study in packed_studies(data):
        numbers += study.tolist()
    packed = np.array(numbers, dtype=float)
    packed[0] = len(packed)
    return packed


def packed_studies(data: Design) -> list[Floats]:
    """Each study as the density reads it: its number of arms, then the numbers of each."""
    log_odds, information = working_observations(data)
    columns = (data.n, data.low, data.high, data.weight, log_odds, information)
    table = np.column_stack([*columns, data.x]).astype(float)
    return [np.concatenate([[len(rows)], table[rows].ravel()]) for rows in rows_by_study(data)]


def rows_by_study(data: Design) -> list[list[int]]:
    """Rows of each study, in the order of the studies."""
    return [np.flatnonzero(data.study == study).tolist() for study in range(len(data.studies))]


def row_log_odds(points: Floats, data: Design) -> Floats:
    """Log odds of every arm at points of the density.

    Parameters
    ----------
    points : array, shape (draw, dimension)
    data : Design

    Returns
    -------
    array, shape (draw, row)
    """
    size = data.x.shape[1]
    tau, at = points[:, size], size + 1 + (data.n_arms > 0)
    rho = 1.0 / (1.0 + np.exp(-points[:, size + 1])) if data.n_arms else np.ones(len(points))
    base = points[:, :size] @ data.x.T
    working, information = working_observations(data)
    out = np.empty_like(base)
    for rows in rows_by_study(data):
        several = len(rows) > 1
        a, b = (tau * np.sqrt(rho), tau * np.sqrt(1.0 - rho)) if several else (tau, 0.0 * tau)
        q = 1.0 + b[:, None] ** 2 * information[rows]
        g = information[rows] / q
        r = working[rows] - base[:, rows]
        p = 1.0 + a**2 * g.sum(axis=1)
        u = a * (g * r).sum(axis=1) / p + points[:, at] / np.sqrt(p)
        out[:, rows] = base[:, rows] + (a * u)[:, None]
        if several:
            own = points[:, at + 1 : at + 1 + len(rows)]
            off = r - (a * u)[:, None]
            v = b[:, None] * information[rows] * off / q + own / np.sqrt(q)
            out[:, rows] += b[:, None] * v
        at += 1 + len(rows) * several
    return out


def historical_density(data: Design, card: HistoricalCard) -> Density:
    """State the model as a compiled log density.

    Returns
    -------
    Density
        Expands draws to ``class_log_odds`` (shape draw, class), the covariates' coefficients,
        ``between_study_sd``, ``arm_correlation`` (where a study has several arms) and
        ``log_odds`` (shape draw, row).
    """
    size, correlated = data.x.shape[1], data.n_arms > 0

    def expand(points: Floats) -> dict[str, Floats]:
        out = {"class_log_odds": points[:, : len(data.classes)]}
        out |= {name: points[:, len(data.classes) + i] for i, name in enumerate(COVARIATES)}
        out["between_study_sd"] = np.abs(points[:, size])
        if correlated:
            out["arm_correlation"] = 1.0 / (1.0 + np.exp(-points[:, size + 1]))
        out["log_odds"] = row_log_odds(points, data)
        return out

    dimension = size + 1 + correlated + data.n_effects
    return Density(dimension, c_function().address, pack(data, card), expand)
