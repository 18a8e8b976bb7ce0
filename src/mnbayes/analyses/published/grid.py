"""Mean and SD of log ratios summed over a grid: answers, or independent draws.

Beside the reported answers stand those under other priors and readings; they are summed, which
takes a tenth of sampling's time and has no Monte Carlo error. Draws are for the reported ones where
NUTS cannot be trusted: facts without a single known value, such as counts alone, leave SDs close
to 0 possible. There the likelihood of the mean is a box whose walls are as thick as the SD, which
no step size of NUTS fits.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import ndtr

from mnbayes.analyses.published.answers import NEXT, TYPICAL, Answer, loglik
from mnbayes.analyses.published.card import PublishedCard
from mnbayes.analyses.published.fitting import Part
from mnbayes.analyses.published.readings import Evidence
from mnbayes.answers.change import QUANTILES
from mnbayes.base.arrays import Floats
from mnbayes.base.problems import InputError, Problem
from mnbayes.cards import families as priors
from mnbayes.inference.diagnostics import diagnose, parameter_table
from mnbayes.inference.importance_weights import weighted_quantiles
from mnbayes.inference.sampling import Sampling

#: Points of the mean and of the log SD.
MEANS, LOG_SDS = 801, 321
#: Enough where a value is known exactly, so that no SD is near 0.
FEWER_MEANS, FEWER_LOG_SDS = 241, 121
#: Probability that a prior leaves out at either end of the grid.
_TAIL = 1e-7


def _mass(card: PublishedCard, evidence: Evidence, mean: Floats, log_sd: Floats) -> Floats:
    """Posterior probability of each cell; shape (mean, log SD)."""
    m, s = mean[:, None], np.exp(log_sd)[None, :]
    log_mass = np.zeros((mean.size, log_sd.size)) + log_sd
    for name, value in (("mean_log_ratio", m), ("sd_log_ratio", s)):
        spec = card.prior[name]
        log_mass = log_mass + priors.log_density(spec.distribution, spec.arguments, value)
    for row in range(evidence.lower.size):
        one = Evidence(
            evidence.label[row : row + 1],
            *(a[row : row + 1] for a in (evidence.lower, evidence.upper, evidence.patients)),
        )
        log_mass = log_mass + loglik(one, m, s)[0]
    mass = np.exp(log_mass - log_mass.max())
    return np.asarray(mass / mass.sum())


def _around(points: Floats, mass: Floats) -> tuple[float, float]:
    """Ends of where all but a billionth of the mass lies, a point further on either side."""
    kept = np.nonzero(np.cumsum(mass) > 1e-9)[0][0], np.nonzero(np.cumsum(mass) < 1 - 1e-9)[0]
    last = min(int(kept[1][-1]) + 2 if kept[1].size else 1, points.size - 1)
    return float(points[max(int(kept[0]) - 1, 0)]), float(points[last])


def summed_posterior(
    card: PublishedCard, evidence: Evidence, points: tuple[int, int] = (MEANS, LOG_SDS)
) -> tuple[Floats, Floats, Floats]:
    """Posterior of mean and log SD on an even grid of both, where its mass is.

    Returns
    -------
    mean : array, shape (mean,)
    log_sd : array, shape (log SD,)
    mass : array, shape (mean, log SD)
        Probability of each cell.
    """
    kept = evidence.informative
    ends = [
        priors.quantile(spec.distribution, spec.arguments, [_TAIL, 1 - _TAIL])
        for spec in (card.prior["mean_log_ratio"], card.prior["sd_log_ratio"])
    ]
    means, log_sds = points
    mean = np.linspace(ends[0][0], ends[0][1], means)
    log_sd = np.linspace(max(np.log(ends[1][0]), -9.0), np.log(ends[1][1]), log_sds)
    # Twice: the first grid finds where the mass is.
    mass = _mass(card, kept, mean, log_sd)
    mean = np.linspace(*_around(mean, mass.sum(axis=1)), means)
    log_sd = np.linspace(*_around(log_sd, mass.sum(axis=0)), log_sds)
    return mean, log_sd, _mass(card, kept, mean, log_sd)


def summed_answers(card: PublishedCard, evidence: Evidence) -> dict[str, Answer]:
    """The answers of :func:`mnbayes.analyses.published.answers.ratio_answers`, without a draw.

    Raises
    ------
    InputError
        If the priors make the facts impossible.
    """
    known = bool((evidence.informative.lower == evidence.informative.upper).any())
    points = (FEWER_MEANS, FEWER_LOG_SDS) if known else (MEANS, LOG_SDS)
    grid, log_sd, mass = summed_posterior(card, evidence, points)
    if not np.isfinite(mass).all():
        expected = "priors under which the measurements are possible"
        raise InputError([Problem("priors", None, None, "no possible mean and SD", expected)])
    step = grid[1] - grid[0]
    # A point's probability is spread evenly over its cell.
    edges = np.append(grid - step / 2, grid[-1] + step / 2)
    cumulative = np.append(0.0, np.cumsum(mass.sum(axis=1)))
    answers = {"gmr": Answer(*np.exp(np.interp(QUANTILES, cumulative, edges)).tolist())}
    for name, bound in TYPICAL.items():
        answers[name] = Answer(float(np.interp(bound, edges, cumulative)))
    for name, bound in NEXT.items():
        share = ndtr((bound - grid[:, None]) / np.exp(log_sd))
        lower, upper = weighted_quantiles(share, (0.025, 0.975), mass)
        answers[name] = Answer(float(np.sum(mass * share)), float(lower), float(upper))
    return answers


def grid_part(
    card: PublishedCard, evidence: Evidence, sampling: Sampling, stream: np.random.SeedSequence
) -> Part:
    """Draw mean and SD of log ratios at one visit from the summed posterior.

    Parameters
    ----------
    card : PublishedCard
    evidence : Evidence
    sampling : Sampling
        Chains and draws; the draws are independent.
    stream : SeedSequence

    Returns
    -------
    Part
        With the diagnostics that such draws have; ``retried`` is true.
    """
    *used, mass = summed_posterior(card, evidence)
    rng = np.random.default_rng(stream)
    shape = (sampling.chains, sampling.draws)
    picked = np.searchsorted(np.cumsum(mass.ravel()), rng.random(shape), side="right")
    row, column = np.divmod(np.minimum(picked, mass.size - 1), LOG_SDS)
    places = [
        axis[index] + (rng.random(shape) - 0.5) * (axis[1] - axis[0])
        for axis, index in zip(used, (row, column), strict=True)
    ]
    draws = {"mean_log_ratio": places[0], "sd_log_ratio": np.exp(places[1])}
    dims = ("chain", "draw")
    logp = np.log(np.maximum(mass[row, column], 1e-300))
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    stats = xr.Dataset(
        {
            "diverging": (dims, np.zeros(shape, dtype=bool)),
            "energy": (dims, -logp),
            "logp": (dims, logp),
        },
        coords=coords,
    )
    table = parameter_table(xr.Dataset({name: (dims, values) for name, values in draws.items()}))
    return Part(draws, stats, table, diagnose(table, stats), True)
