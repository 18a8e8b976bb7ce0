"""Draws from a posterior density by importance sampling around its mode.

The mode by quasi-Newton steps (BFGS; Nocedal and Wright 2006, *Numerical Optimization*, ch. 6),
the curvature there from differences of the gradient, proposals from a multivariate t, a few
rounds in which the proposal takes the weighted mean and covariance of the round before (Cappé et
al. 2008, Statistics and Computing 18:447), and weights whose tail is smoothed by a generalised
Pareto distribution (Vehtari et al. 2024, JMLR 25(72):1), whose shape ``k`` says whether they can
be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.numerics.c_signature import call_density
from mnbayes.numerics.compiling import compiled

#: Degrees of freedom of the proposals: heavier tails than the posterior of scores and log SDs.
PROPOSAL_DF = 7.0
#: Scale of the first proposals, wider than the curvature at the mode says.
FIRST_SCALE = 1.15
#: Least curvature believed, in units of 1 over squared unconstrained distance; the prior of a
#: normal score has 1.
MIN_CURVATURE = 0.1
MAX_STEPS = 200


@dataclass(frozen=True)
class Proposal:
    """Of a multivariate t: its centre, shape (n,), and a root of its scale matrix, (n, n)."""

    centre: Floats
    root: Floats


@compiled
def _largest(values):
    """Largest absolute value."""
    out = 0.0
    for value in values:
        out = max(out, abs(value))
    return out


@compiled
def find_mode(log_density, data, n):
    """Mode of a log density on unconstrained space, from its origin.

    Parameters
    ----------
    log_density : int
        Address of :func:`mnbayes.numerics.posterior.gradient_function`.
    data : array
        From :func:`mnbayes.numerics.posterior.pack`.
    n : int
        Number of coordinates.

    Returns
    -------
    point : array, shape (n,)
    value : float
        Log density there; nan where no finite density was found.
    """
    x = np.zeros(n)
    gradient = np.zeros(n)
    out = np.zeros(1)
    status = call_density(log_density, x, gradient, out, data)
    value = out[0] if status == 0 else np.nan
    inverse = np.eye(n)
    trial, trial_gradient = np.zeros(n), np.zeros(n)
    trial_value = value
    fresh = True
    for _ in range(MAX_STEPS):
        if _largest(gradient) < 1e-4:
            break
        direction = inverse @ gradient  # uphill
        slope = direction @ gradient
        if not slope > 0.0:
            inverse = np.eye(n)
            direction = gradient.copy()
            slope = direction @ gradient
            fresh = True
        step = min(1.0, (0.5 if fresh else 2.0) / _largest(direction))
        found = False
        for _ in range(40):
            trial = x + step * direction
            status = call_density(log_density, trial, trial_gradient, out, data)
            trial_value = out[0]
            if status == 0 and trial_value >= value + 1e-4 * step * slope:
                found = True
                break
            step *= 0.5
        if not found:
            break
        moved = trial - x
        turned = gradient - trial_gradient  # of the negative log density
        bend = moved @ turned
        if bend > 1e-10:
            if fresh:  # scale the first metric by what one step has shown
                inverse *= bend / (turned @ turned)
                fresh = False
            times = inverse @ turned
            both = (1.0 + (turned @ times) / bend) / bend
            for i in range(n):
                for j in range(n):
                    cross = times[i] * moved[j] + moved[i] * times[j]
                    inverse[i, j] += both * moved[i] * moved[j] - cross / bend
        gained = trial_value - value
        x, value = trial.copy(), trial_value
        gradient = trial_gradient.copy()
        if gained < 1e-9 and _largest(gradient) < 1e-2:
            break
    return x, value


@compiled
def curvature(log_density, data, point):
    """Negative second derivatives of a log density, by central differences of its gradient."""
    n = point.size
    out = np.zeros((n, n))
    value = np.zeros(1)
    ahead, behind = np.zeros(n), np.zeros(n)
    h = 1e-4
    for i in range(n):
        moved = point.copy()
        moved[i] += h
        call_density(log_density, moved, ahead, value, data)
        moved[i] -= 2.0 * h
        call_density(log_density, moved, behind, value, data)
        for j in range(n):
            slope = (behind[j] - ahead[j]) / (4.0 * h)
            out[i, j] += slope
            out[j, i] += slope
    return out


@compiled
def propose(log_density, data, centre, root, normal, chi_square):
    """Draws of a multivariate t around ``centre``, and their log weights up to a constant.

    Parameters
    ----------
    log_density : int
        Address of :func:`mnbayes.numerics.posterior.value_function`.
    root : array, shape (n, n)
        ``root root'`` is the scale matrix.
    normal : array, shape (draw, n)
    chi_square : array, shape (draw,)
        With :data:`PROPOSAL_DF` degrees of freedom.

    Returns
    -------
    points : array, shape (draw, n)
    log_weight : array, shape (draw,)
    """
    n_draw, n = normal.shape
    points = np.empty((n_draw, n))
    log_weight = np.full(n_draw, -np.inf)
    value = np.zeros(1)
    unused = np.zeros(n)
    for d in range(n_draw):
        standard = normal[d] * np.sqrt(PROPOSAL_DF / chi_square[d])
        points[d] = centre + root @ standard
        log_t = -0.5 * (PROPOSAL_DF + n) * np.log1p((standard @ standard) / PROPOSAL_DF)
        point = points[d]
        status = call_density(log_density, point, unused, value, data)
        if status == 0:
            log_weight[d] = value[0] - log_t
    return points, log_weight


def pareto_tail(excess: Floats) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution fitted to sorted positive values.

    Zhang and Stephens (2009), Technometrics 51:316, with the weak prior on the shape of Vehtari
    et al. (2024), appendix G. ArviZ's own takes ten times as long, which a study would feel.
    """
    n = excess.size
    quartile = excess[int(n / 4.0 + 0.5) - 1]
    grid = np.arange(0.5, 30 + int(np.sqrt(n)))
    theta = 1.0 / excess[-1] + (1.0 - np.sqrt(grid.size / grid)) / (3.0 * quartile)
    shape = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-theta / shape) - shape - 1.0)
    weight = np.exp(profile - profile.max())
    centre = (weight @ theta) / weight.sum()
    final = float(np.log1p(-centre * excess).mean())
    return (n * final + 5.0) / (n + 10.0), float(-final / centre)


def smooth(log_weight: Floats) -> tuple[Floats, float]:
    """Pareto-smoothed weights, normalised to sum 1, and the shape ``k`` of their tail.

    Parameters
    ----------
    log_weight : array
        Up to a constant; -inf where the density is 0.

    Returns
    -------
    weight : array
    k : float
        inf where too few weights are left to fit a tail.
    """
    n = log_weight.size
    largest = log_weight.max()
    if not np.isfinite(largest):
        return np.full(n, 1.0 / n), np.inf
    weight = np.exp(log_weight - largest)
    n_tail = int(min(0.2 * n, 3.0 * np.sqrt(n)))
    order = np.argpartition(weight, n - n_tail - 1)
    cut = weight[order[n - n_tail - 1]]
    tail = order[n - n_tail :]
    tail = tail[np.argsort(weight[tail])]
    excess = weight[tail] - cut
    if n_tail < 5 or not excess[n_tail // 4] > 0.0:
        return weight / weight.sum(), np.inf
    k, scale = pareto_tail(excess)
    if np.isfinite(k):
        p = (np.arange(n_tail) + 0.5) / n_tail
        weight[tail] = np.minimum(cut + scale * np.expm1(-k * np.log1p(-p)) / k, 1.0)
    return weight / weight.sum(), k if np.isfinite(k) else np.inf


def root_of_inverse(matrix: Floats, least: float) -> Floats:
    """``S`` with ``S S'`` the inverse of a symmetric matrix, eigenvalues raised to ``least``."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors / np.sqrt(np.maximum(values, least)))


def first_proposal(slope: int, data: Floats, n: int) -> Proposal | None:
    """Proposal around the mode, or None where no finite density was found.

    Parameters
    ----------
    slope : int
        Address of the log density with its gradient.
    data : array
        From :func:`mnbayes.numerics.posterior.pack`.
    n : int
        Number of coordinates.
    """
    centre, height = find_mode(slope, data, n)
    if not np.isfinite(height):
        return None
    root = root_of_inverse(curvature(slope, data, centre), MIN_CURVATURE)
    return Proposal(centre, FIRST_SCALE * root)


def adapted(proposal: Proposal, points: Floats, weight: Floats) -> Proposal:
    """The next proposal, from weighted points of the one before.

    Few effective draws know less of the covariance than the curvature at the mode does, so the
    two are mixed.
    """
    effective = 1.0 / (weight @ weight)
    known = effective / (effective + 5.0 * proposal.centre.size)
    mean = weight @ points
    centred = points - mean
    covariance = (centred * weight[:, None]).T @ centred
    mixed = known * covariance + (1.0 - known) * (proposal.root @ proposal.root.T)
    values, vectors = np.linalg.eigh(mixed)
    return Proposal(
        known * mean + (1.0 - known) * proposal.centre,
        vectors * np.sqrt(np.maximum(values, 1e-10)),
    )


@compiled
def resample(weight, start, count):
    """Systematic resampling: positions of ``count`` equally weighted draws, in order.

    Parameters
    ----------
    start : float
        Uniform on [0, 1).
    """
    out = np.empty(count, dtype=np.int64)
    cumulative, i = weight[0], 0
    for j in range(count):
        target = (start + j) / count
        while cumulative < target and i < weight.size - 1:
            i += 1
            cumulative += weight[i]
        out[j] = i
    return out
