"""What a posterior of mean and SD of log ratios says: the answers, each with its error.

Only the SD is taken from the draws. Given the SD, the mean's posterior has one dimension and is
integrated on a grid (Rao-Blackwellised; Gelfand and Smith 1990, JASA 85:398), so that 8,000 draws
give probabilities to about 0.002.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from mnbayes.analyses.published.card import PublishedCard
from mnbayes.analyses.published.readings import Evidence
from mnbayes.answers.change import QUANTILES
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import effective_draws, mcse
from mnbayes.cards import families as priors
from mnbayes.cards.card import PriorSpec
from mnbayes.inference.importance_weights import trusted_weights, weighted_mean, weighted_quantiles

#: Statement about the typical patient to the log ratio it must be below.
TYPICAL = {"p_fall": 0.0, "p_fall_30": float(np.log(0.7)), "p_fall_50": float(np.log(0.5))}
#: Statement about one patient as measured, likewise.
NEXT = {"next_any_fall": 0.0, "next_fall_50": float(np.log(0.5))}
#: Points of the grid of means and of log SDs, and of the prior's integral.
GRID, NODES, PRIOR_POINTS = 321, 129, 2**13


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes
    ----------
    value : float
        Median of a ratio; a probability.
    lower, upper : float
        95 % equal-tailed interval of the ratio, or of the share of patients behind a
        probability about the next one; NaN where there is none.
    mcse : float
        Monte Carlo standard error of the value.
    """

    value: float
    lower: float = np.nan
    upper: float = np.nan
    mcse: float = 0.0


@dataclass(frozen=True)
class Conditional:
    """Posterior of the mean given the SD, on grids of both, and the draws of the SD.

    What follows from an SD varies smoothly with it, so it is worked out at a few and
    interpolated at the draws.

    Attributes
    ----------
    grid : array, shape (point,)
        Mean log ratios.
    log_sds : array, shape (node,)
        Logs of SDs, evenly spaced over the draws.
    weight : array, shape (node, point)
        Probability at each point given the SD, summing to 1 over them.
    sd : array, shape (chain, draw)
        Draws.
    """

    grid: Floats
    log_sds: Floats
    weight: Floats
    sd: Floats

    def _at_draws(self, values: Floats) -> Floats:
        return np.asarray(np.interp(np.log(self.sd), self.log_sds, values))

    def below(self, log_ratio: float) -> Floats:
        """P(mean < log ratio) given each draw's SD; shape (chain, draw)."""
        step = self.grid[1] - self.grid[0]
        # A point's probability is spread evenly over its cell.
        inside = np.clip((log_ratio - self.grid) / step + 0.5, 0.0, 1.0)
        return self._at_draws(self.weight @ inside)

    def next_below(self, log_ratio: float) -> Floats:
        """P(next patient's log ratio < log ratio) given each draw's SD; shape (chain, draw)."""
        chance = ndtr((log_ratio - self.grid) / np.exp(self.log_sds)[:, None])
        return self._at_draws(np.sum(self.weight * chance, axis=1))

    @property
    def mass(self) -> Floats:
        """Posterior probability of the mean at each point; shape (point,)."""
        place = np.interp(np.log(self.sd).ravel(), self.log_sds, np.arange(self.log_sds.size))
        left = np.minimum(place.astype(int), self.log_sds.size - 2)
        share = place - left
        count = self.log_sds.size
        nodes = np.bincount(left, 1 - share, count) + np.bincount(left + 1, share, count)
        return np.asarray(nodes @ self.weight / place.size)

    @property
    def density(self) -> Floats:
        """Posterior density of the mean; shape (point,)."""
        return np.asarray(self.mass / (self.grid[1] - self.grid[0]))

    def quantile(self, probability: float) -> float:
        """Quantile of the mean."""
        step = self.grid[1] - self.grid[0]
        cumulative = np.concatenate([[0.0], np.cumsum(self.mass)])
        edges = np.concatenate([self.grid - step / 2, [self.grid[-1] + step / 2]])
        return float(np.interp(probability, cumulative, edges))


def loglik(evidence: Evidence, mean: Floats, sd: Floats) -> Floats:
    """Log likelihood of each row of evidence; broadcasts over mean and SD.

    Returns
    -------
    array, shape (row, ...)
    """
    rows = []
    mean, sd = np.asarray(mean, dtype=float), np.asarray(sd, dtype=float)
    for low, high, patients in zip(evidence.lower, evidence.upper, evidence.patients, strict=True):
        if low == high:
            z = (low - mean) / sd
            term = -0.5 * z**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
        else:
            a, b = (low - mean) / sd, (high - mean) / sd
            # From the nearer tail, where the digits are.
            flip = np.broadcast_to(a > 0, np.broadcast(a, b).shape)
            between = np.where(flip, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
            with np.errstate(divide="ignore"):
                term = np.log(between)
        rows.append(patients * term)
    return np.array(rows)


def conditional(prior: PriorSpec, evidence: Evidence, mean: Floats, sd: Floats) -> Conditional:
    """Integrate the mean out, given each draw of the SD.

    Parameters
    ----------
    prior : PriorSpec
        Of the mean.
    evidence : Evidence
    mean, sd : array, shape (chain, draw)
        Draws; those of the mean only say where the grid has to lie.
    """
    spread = float(mean.std())
    grid = np.linspace(mean.min() - spread, mean.max() + spread, GRID)
    log_sds = np.linspace(np.log(sd.min()), np.log(sd.max()), NODES)
    rows = loglik(evidence.informative, grid, np.exp(log_sds)[:, None])
    weight = np.zeros((NODES, GRID)) + rows.sum(axis=0)
    weight = weight + priors.log_density(prior.distribution, prior.arguments, grid)
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    return Conditional(grid, log_sds, weight / weight.sum(axis=1, keepdims=True), sd)


def ratio_answers(found: Conditional, mean: Floats) -> dict[str, Answer]:
    """Answers of a posterior.

    Parameters
    ----------
    found : Conditional
    mean : array, shape (chain, draw)
        Draws that go with its SDs, for the intervals of shares.

    Returns
    -------
    dict
        ``gmr``, :data:`TYPICAL` (about the mean) and :data:`NEXT` (about one patient as
        measured, with the interval of the share of such patients).
    """
    ends = [found.quantile(probability) for probability in QUANTILES]
    height = float(np.interp(ends[0], found.grid, found.density))
    of_median = float(mcse(found.below(ends[0]))) / height  # error of the log median
    median, lower, upper = (float(np.exp(end)) for end in ends)
    answers = {"gmr": Answer(median, lower, upper, median * of_median)}
    for name, bound in TYPICAL.items():
        chance = found.below(bound)
        answers[name] = Answer(float(chance.mean()), mcse=float(mcse(chance)))
    for name, bound in NEXT.items():
        chance = found.next_below(bound)
        lower, upper = np.quantile(ndtr((bound - mean) / found.sd), [0.025, 0.975])
        answers[name] = Answer(
            float(chance.mean()), float(lower), float(upper), float(mcse(chance))
        )
    return answers


def prior_answers(card: PublishedCard) -> dict[str, Answer]:
    """The same answers under the prior alone.

    The mean's are exact; those about one patient are a quasi-Monte Carlo integral, good to
    0.001.
    """
    from scipy.stats import qmc

    spec = {name: card.prior[name] for name in ("mean_log_ratio", "sd_log_ratio")}
    centre = spec["mean_log_ratio"]
    ends = np.exp(priors.quantile(centre.distribution, centre.arguments, QUANTILES)).tolist()
    answers = {"gmr": Answer(ends[0], ends[1], ends[2])}
    for name, bound in TYPICAL.items():
        answers[name] = Answer(float(priors.cdf(centre.distribution, centre.arguments, bound)))
    uniform = qmc.Sobol(2, scramble=True, rng=np.random.default_rng(20240301)).random(PRIOR_POINTS)
    uniform = np.clip(uniform, 2.0**-31, 1 - 2.0**-31)
    mean, sd = (
        priors.quantile(each.distribution, each.arguments, uniform[:, column])
        for column, each in enumerate(spec.values())
    )
    for name, bound in NEXT.items():
        share = ndtr((bound - mean) / sd)
        lower, upper = np.quantile(share, [0.025, 0.975])
        answers[name] = Answer(float(share.mean()), float(lower), float(upper))
    return answers


def weighted_answers(mean: Floats, log_ratio: Floats) -> dict[str, Answer] | None:
    """Answers about the mean under another prior, from weighted draws.

    Parameters
    ----------
    mean : array, shape (chain, draw)
    log_ratio : array, shape (chain, draw)
        Log of the other prior's density over that of the draws.

    Returns
    -------
    dict or None
        As of :func:`drawn_answers`; None where the weights cannot be trusted.
    """
    effective = float(effective_draws(mean))
    trusted = trusted_weights(log_ratio, effective)
    if trusted is None:
        return None
    weights, _ = trusted
    ends = weighted_quantiles(mean, QUANTILES, weights)
    median, lower, upper = (float(np.exp(end)) for end in ends)
    below = (mean < np.log(median)).astype(float)
    _, error = weighted_mean(below, weights, effective)
    around = weighted_quantiles(mean, (0.5 - error, 0.5 + error), weights)
    half = float(around[1] - around[0]) / 2  # error of the log median
    answers = {"gmr": Answer(median, lower, upper, median * half)}
    for name, bound in TYPICAL.items():
        value, error = weighted_mean((mean < bound).astype(float), weights, effective)
        answers[name] = Answer(value, mcse=error)
    return answers


def drawn_answers(mean: Floats) -> dict[str, Answer]:
    """Answers about the mean from its draws alone, where no grid integrates it out.

    Parameters
    ----------
    mean : array, shape (chain, draw)

    Returns
    -------
    dict
        ``gmr`` and :data:`TYPICAL`.
    """
    from arviz_stats.base.array import array_stats

    ends = np.exp(np.quantile(mean, QUANTILES)).tolist()
    error = array_stats.mcse(mean, chain_axis=0, draw_axis=1, method="median")
    answers = {"gmr": Answer(ends[0], ends[1], ends[2], float(ends[0] * error))}
    for name, bound in TYPICAL.items():
        below = mean < bound
        answers[name] = Answer(float(below.mean()), mcse=float(mcse(below, mean)))
    return answers
