"""The published-evidence model summed over a grid: answers, and draws from the same sum.

Mean and SD of log ratios, and the noise of a visit where there are several, are two or three
unknowns, so the posterior is summed as it stands: no step size, no Monte Carlo error, and a sum
at half the points says how good it is. That also holds for facts without a single known value,
such as counts alone, which leave SDs close to 0 possible: there the likelihood of the mean is a
box whose walls are as thick as the SD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from mnbayes.analyses.published.answers import NEXT, TYPICAL, Answer
from mnbayes.analyses.published.card import PublishedCard
from mnbayes.analyses.published.posteriors import least_loglik, loglik
from mnbayes.analyses.published.readings import Evidence
from mnbayes.answers.change import QUANTILES
from mnbayes.base.arrays import Floats
from mnbayes.base.problems import InputError, Problem
from mnbayes.cards import families as priors
from mnbayes.inference.importance_weights import weighted_quantiles
from mnbayes.inference.sampling import Sampling

#: Unknowns, in the order of the grid's axes; all but the first are on the axis as logs.
NAMES = ("mean_log_ratio", "sd_log_ratio", "visit_noise_sd")
#: Points of each axis, by their number. Enough for draws, and for facts without a known value.
POINTS = {2: (801, 321), 3: (121, 41, 25)}
#: Enough for answers alone where a value is known exactly, so that no SD is near 0.
FEWER = {2: (241, 121), 3: (121, 33, 13)}
#: Of these enough to find where the mass is, where every point is dear.
FINDING = {3: (81, 27, 7)}
#: Probability that a prior leaves out at either end of the grid.
_TAIL = 1e-7
#: Least log SD: such patients are all alike.
_LEAST_LOG_SD = -9.0
#: Most that an answer may differ from the one summed at half the points.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Part:
    """One part of the evidence: draws from its summed posterior.

    Attributes
    ----------
    draws : dict
        Parameter to array, shape (chain, draw); independent.
    stats : Dataset
        Log probability of each draw's cell, ``logp``.
    table : DataFrame
        Mean and SD of every parameter, summed; columns of a run's ``diagnostics.csv``, of which
        those about chains are blank, since there are none.
    """

    draws: dict[str, Floats]
    stats: xr.Dataset
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Summed:
    """A posterior summed over an even grid.

    Attributes
    ----------
    axes : tuple of array
        Points of the first of :data:`NAMES`, and of the logs of the others.
    mass : array
        Probability of each cell; one axis for each of ``axes``.
    """

    axes: tuple[Floats, ...]
    mass: Floats

    @property
    def mean(self) -> Floats:
        """Points of the mean log ratio."""
        return self.axes[0]

    @property
    def density(self) -> Floats:
        """Posterior density of the mean log ratio at its points."""
        return np.asarray(_marginal(self.mass, 0) / (self.mean[1] - self.mean[0]))

    def _distribution(self) -> tuple[Floats, Floats]:
        """Ends of the mean's cells, over which a point's probability is spread evenly; below."""
        step = self.mean[1] - self.mean[0]
        edges = np.append(self.mean - step / 2, self.mean[-1] + step / 2)
        return edges, np.append(0.0, np.cumsum(_marginal(self.mass, 0)))

    def answers(self, *, of_patients: bool = True) -> dict[str, Answer]:
        """What the posterior says.

        Parameters
        ----------
        of_patients : bool
            Whether it answers for one patient as measured too.

        Returns
        -------
        dict
            ``gmr``, :data:`~mnbayes.analyses.published.answers.TYPICAL` (about the mean), and
            :data:`.NEXT` (about one patient, with the interval of the
            share of such patients). There is no Monte Carlo error.
        """
        edges, below = self._distribution()
        answers = {"gmr": Answer(*np.exp(np.interp(QUANTILES, below, edges)).tolist())}
        for name, bound in TYPICAL.items():
            answers[name] = Answer(float(np.interp(bound, edges, below)))
        if of_patients:
            of_both = self.mass.reshape(*self.mass.shape[:2], -1).sum(axis=2)
            for name, bound in NEXT.items():
                share = ndtr((bound - self.mean[:, None]) / np.exp(self.axes[1]))
                lower, upper = weighted_quantiles(share, (0.025, 0.975), of_both)
                answers[name] = Answer(float(np.sum(of_both * share)), float(lower), float(upper))
        return answers

    def doubts(self) -> tuple[str, ...]:
        """Why the sum is not to be trusted: answers that half the points would change."""
        mass = self.mass[(slice(None, None, 2),) * self.mass.ndim]
        half = Summed(tuple(axis[::2] for axis in self.axes), mass / mass.sum())
        theirs = half.answers()
        return tuple(
            f"half the points of the sum give {name} = {theirs[name].value:.3f} "
            f"for {mine.value:.3f}"
            for name, mine in self.answers().items()
            if not abs(theirs[name].value - mine.value) <= TOLERANCE * max(1.0, mine.value)
        )

    def part(self, sampling: Sampling, stream: np.random.SeedSequence) -> Part:
        """Draw from the grid.

        Parameters
        ----------
        sampling : Sampling
            Chains and draws.
        stream : SeedSequence
        """
        rng = np.random.default_rng(stream)
        shape, dims = (sampling.chains, sampling.draws), ("chain", "draw")
        picked = np.searchsorted(np.cumsum(self.mass.ravel()), rng.random(shape), side="right")
        cells = np.unravel_index(np.minimum(picked, self.mass.size - 1), self.mass.shape)
        draws, rows = {}, []
        for number, (name, axis, cell) in enumerate(zip(NAMES, self.axes, cells, strict=False)):
            place = axis[cell] + (rng.random(shape) - 0.5) * (axis[1] - axis[0])
            draws[name] = np.exp(place) if number else place
            values, chance = np.exp(axis) if number else axis, _marginal(self.mass, number)
            centre = float(chance @ values)
            spread = float(np.sqrt(chance @ (values - centre) ** 2))
            rows.append((name, centre, spread, 0.0, np.nan, np.nan, np.nan))
        columns = ["parameter", "mean", "sd", "mcse_mean", "rhat", "ess_bulk", "ess_tail"]
        stats = xr.Dataset(
            {"logp": (dims, np.log(self.mass[cells]))},
            coords={"chain": np.arange(shape[0]), "draw": np.arange(shape[1])},
            attrs={"engine": "grid"},
        )
        return Part(draws, stats, pd.DataFrame(rows, columns=columns))


def _marginal(mass: Floats, axis: int) -> Floats:
    others = tuple(other for other in range(mass.ndim) if other != axis)
    return np.asarray(mass.sum(axis=others))


def log_posterior(
    card: PublishedCard, evidence: Evidence, visits: int, point: tuple[Floats, ...]
) -> Floats:
    """Log density of the mean and the logs of the SDs, up to a constant; broadcasts.

    Parameters
    ----------
    card : PublishedCard
    evidence : Evidence
    visits : int
        How many visits each log ratio is the least of; 1: no noise apart.
    point : tuple of array
        Of :data:`NAMES`: the mean, and logs of the others.
    """
    values = [point[0], *(np.exp(log) for log in point[1:])]
    total = np.zeros(np.broadcast_shapes(*(np.shape(each) for each in point)))
    for name, value in zip(NAMES, values, strict=False):
        spec = card.prior[name]
        total = total + priors.log_density(spec.distribution, spec.arguments, value)
    for log in point[1:]:
        total = total + log
    kept = evidence.informative
    if visits > 1:
        rows = least_loglik(kept, values[0], values[1], values[2], visits)
    else:
        rows = loglik(kept, values[0], values[1])
    return np.asarray(total + rows.sum(axis=0))


def _around(points: Floats, mass: Floats) -> tuple[float, float]:
    """Ends of where all but a billionth of the mass lies, a point further on either side."""
    kept = np.nonzero(np.cumsum(mass) > 1e-9)[0][0], np.nonzero(np.cumsum(mass) < 1 - 1e-9)[0]
    last = min(int(kept[1][-1]) + 2 if kept[1].size else 1, points.size - 1)
    return float(points[max(int(kept[0]) - 1, 0)]), float(points[last])


def summed(
    card: PublishedCard, evidence: Evidence, visits: int = 1, *, fine: bool = False
) -> Summed:
    """Sum the posterior of a part of the evidence, where its mass is.

    Parameters
    ----------
    card : PublishedCard
    evidence : Evidence
        Log ratios at one visit, or the least of several.
    visits : int
        How many visits each log ratio is the least of; 1: no noise apart.
    fine : bool
        Whether the grid is to be fine enough for draws.

    Raises
    ------
    InputError
        If the priors make the facts impossible.
    """
    known = bool((evidence.informative.lower == evidence.informative.upper).any())
    size = 2 if visits == 1 else 3
    points = (FEWER if known and not fine else POINTS)[size]
    axes: list[Floats] = []
    for name, count in zip(NAMES, FINDING.get(size, points), strict=False):
        spec = card.prior[name]
        low, high = priors.quantile(spec.distribution, spec.arguments, [_TAIL, 1 - _TAIL])
        if axes:
            low, high = max(np.log(low), _LEAST_LOG_SD), np.log(high)
        axes.append(np.linspace(low, high, count))
    # Twice: the first grid finds where the mass is.
    mass = _mass(card, evidence, visits, axes)
    axes = [
        np.linspace(*_around(axis, _marginal(mass, number)), count)
        for number, (axis, count) in enumerate(zip(axes, points, strict=True))
    ]
    return Summed(tuple(axes), _mass(card, evidence, visits, axes))


def _mass(card: PublishedCard, evidence: Evidence, visits: int, axes: list[Floats]) -> Floats:
    log_mass = log_posterior(card, evidence, visits, tuple(np.ix_(*axes)))
    mass = np.exp(log_mass - log_mass.max())
    mass /= mass.sum()
    if not np.isfinite(mass).all():
        expected = "priors under which the measurements are possible"
        raise InputError([Problem("priors", None, None, "no possible mean and SD", expected)])
    return np.asarray(mass)
