"""One fit of the historical model: sampled and judged.

With every study's effects integrated out (:mod:`mnbayes.analyses.historical.quadrature`) some eight
parameters are left: class rates, covariates, the spread between studies and the correlation of
two arms. They are sampled by importance, from a multivariate t that two rounds shape
(:mod:`mnbayes.numerics.importance`); the effects are drawn given them. No gradient is needed and
nothing is compiled; the Pareto shape of the weights says whether to trust the draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit, ndtr

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.design import COVARIATES, Design, design
from mnbayes.analyses.historical.quadrature import (
    draw_log_odds,
    study_likelihood,
    study_numbers,
    study_precision,
)
from mnbayes.analyses.historical.table import HistoricalTable
from mnbayes.base.arrays import Floats
from mnbayes.base.workers import silent
from mnbayes.cards import families as priors
from mnbayes.inference.collapsed import Weighted, importance_sample
from mnbayes.inference.diagnostics import Diagnostics, diagnose, parameter_table
from mnbayes.inference.sampling import Sampling
from mnbayes.numerics import importance

#: Scale of the first proposals: a little wider than priors and normal errors say.
FIRST_SCALE = 1.15
#: Proposals for each draw; seven in ten of them count.
PROPOSALS = 2
#: Median of a half-normal.
_MEDIAN = 0.6745
#: Probabilities one SD below and above the middle of a normal prior.
_ONE_SD = (0.158655, 0.841345)
#: Of the sampled quantities, the dims after chain and draw.
DIMS: dict[str, tuple[str, ...]] = {
    "class_log_odds": ("treatment_class",),
    "refractory": (),
    "doubling_of_time": (),
    "between_study_sd": (),
    "arm_correlation": (),
    "log_odds": ("row",),
}


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of the historical model of one table.

    Attributes
    ----------
    design : Design
    draws : dict
        Names of :data:`DIMS` to arrays, the draw on the first axis, chain after chain.
    stats : Dataset
        Which draws repeat the one before; attributes ``pareto_k`` and ``effective``.
    parameters : DataFrame
        Convergence of every sampled quantity.
    diagnostics : Diagnostics
    sampling : Sampling
    """

    design: Design
    draws: dict[str, Floats]
    stats: xr.Dataset
    parameters: pd.DataFrame
    diagnostics: Diagnostics
    sampling: Sampling

    @property
    def dataset(self) -> xr.Dataset:
        """The draws with their names."""
        return labelled(self.draws, self.design, self.sampling.chains)


def labelled(draws: dict[str, Floats], data: Design, chains: int) -> xr.Dataset:
    """Draws as a dataset with dims ``chain``, ``draw`` and those of :data:`DIMS`."""
    variables = {
        name: (("chain", "draw", *DIMS[name]), array.reshape(chains, -1, *array.shape[1:]))
        for name, array in draws.items()
    }
    coords: dict[str, object] = {"treatment_class": list(data.classes)}
    if "log_odds" in draws:
        coords["row"] = list(data.labels)
    count = next(iter(variables.values()))[1].shape[1]
    coords |= {"chain": np.arange(chains), "draw": np.arange(count)}
    return xr.Dataset(variables, coords=coords)


def sample_historical(
    table: HistoricalTable,
    card: HistoricalCard,
    sampling: Sampling,
    stream: np.random.SeedSequence,
    news: Callable[[str, int, int], None] = silent,
    *,
    effects: bool = True,
) -> Posterior:
    """Sample the model of a table.

    Parameters
    ----------
    table : HistoricalTable
    card : HistoricalCard
    sampling : Sampling
        Chains and draws.
    stream : SeedSequence
    news : callable
        Called with a stage, the draws made and in all.
    effects : bool
        Whether the arms' ``log_odds`` are wanted too.

    Raises
    ------
    InputError
        If the priors make the counts impossible.
    """
    data = design(table, card)
    size = data.x.shape[1] + 1 + (data.n_arms > 0)

    def draw(rounds: Sequence[int], rng: np.random.Generator) -> Weighted:
        return _weighted(data, card, size, rounds, rng)

    of_top, of_effects = stream.spawn(2)
    sampled = importance_sample(
        draw,
        size,
        sampling,
        of_top,
        lambda done, total: news("sampling", done, total),
        PROPOSALS,
    )
    draws, _ = located(sampled.draws["unconstrained"], data, card)
    if effects:
        draws["log_odds"] = draw_log_odds(draws, data, np.random.default_rng(of_effects))
    diagnostics = parameter_table(labelled(draws, data, sampling.chains))
    gate = diagnose(diagnostics, sampled.stats)
    return Posterior(data, draws, sampled.stats, diagnostics, gate, sampling)


def located(points: Floats, data: Design, card: HistoricalCard) -> tuple[dict[str, Floats], Floats]:
    """Parameters above the studies of points of the proposals.

    Parameters
    ----------
    points : array, shape (draw, coordinate)
        Coordinates: standard normal ones of the coefficients given the other two, if each arm's
        log odds were observed with a normal error (:func:`_coefficients`); of
        ``between_study_sd`` the score at which a half-normal has its prior's probability, which
        ends at 0 as the SD does; of ``arm_correlation`` the normal score of its log odds.

    Returns
    -------
    draws : dict
        Names of :data:`DIMS` to arrays.
    stretch : array, shape (draw,)
        Log of how much the map to the coefficients stretches.
    """
    classes, size = len(data.classes), data.x.shape[1]
    spread, correlation = (card.prior[n] for n in ("between_study_sd", "arm_correlation"))
    below = 2.0 * ndtr(abs(points[:, size])) - 1.0
    tau = priors.quantile(spread.distribution, spread.arguments, below)
    rho = np.ones_like(tau)
    if data.n_arms:
        below = ndtr(points[:, size + 1])
        rho = expit(priors.quantile(correlation.distribution, correlation.arguments, below))
    mean, root = _coefficients(tau, rho, data, card)
    values = mean + np.einsum("dij,dj->di", root, points[:, :size])
    out = {"class_log_odds": values[:, :classes]}
    out |= {name: values[:, classes + i] for i, name in enumerate(COVARIATES)}
    out["between_study_sd"] = tau
    if data.n_arms:
        out["arm_correlation"] = rho
    return out, np.log(np.linalg.det(root))


def _coefficients(
    tau: Floats, rho: Floats, data: Design, card: HistoricalCard
) -> tuple[Floats, Floats]:
    """Mean and a root of the covariance of the coefficients, were the log odds observed.

    Of their priors the middle and the SD of a normal one count.

    Returns
    -------
    mean : array, shape (draw, coefficient)
    root : array, shape (draw, coefficient, coefficient)
    """
    names = [*(["class_log_odds"] * len(data.classes)), *COVARIATES]
    specs = [card.prior[name] for name in names]
    ends = np.array([priors.quantile(s.distribution, s.arguments, _ONE_SD) for s in specs])
    centre, sd = ends.mean(axis=1), (ends[:, 1] - ends[:, 0]) / 2
    precision = np.broadcast_to(np.diag(sd**-2.0), (tau.size, sd.size, sd.size)).copy()
    pulled = np.broadcast_to(centre / sd**2, (tau.size, sd.size)).copy()
    for arms in study_numbers(data):
        g, shared = study_precision(tau, rho, arms)
        y, x = arms[:, 4], arms[:, 6:]
        gx = g @ x
        precision += np.einsum("da,ai,aj->dij", g, x, x)
        precision -= shared[:, None, None] * gx[:, :, None] * gx[:, None, :]
        pulled += (g * y) @ x - (shared * (g @ y))[:, None] * gx
    root = np.linalg.inv(np.linalg.cholesky(precision)).transpose(0, 2, 1)
    return np.einsum("dij,dkj,dk->di", root, root, pulled), root


def log_density(points: Floats, data: Design, card: HistoricalCard) -> Floats:
    """Log posterior density at points of :func:`located`, effects integrated out.

    Returns
    -------
    array, shape (draw,)
        Up to a constant.
    """
    draws, total = located(points, data, card)
    size = data.x.shape[1]
    total = total - 0.5 * (points[:, size:] ** 2).sum(axis=1)  # scores
    for name in ("class_log_odds", *COVARIATES):
        spec = card.prior[name]
        density = priors.log_density(spec.distribution, spec.arguments, draws[name])
        total += density.reshape(len(points), -1).sum(axis=1)
    for arms in study_numbers(data):
        total += study_likelihood(draws, arms)
    return np.where(points[:, size] < 0.0, -np.inf, total)


def _weighted(
    data: Design,
    card: HistoricalCard,
    size: int,
    rounds: Sequence[int],
    rng: np.random.Generator,
) -> Weighted:
    """Weighted draws of the last round, each round shaping the proposal of the next."""
    weighted, df = None, importance.PROPOSAL_DF
    centre = np.zeros(size)
    centre[data.x.shape[1]] = _MEDIAN
    proposal = importance.Proposal(centre, FIRST_SCALE * np.eye(size))
    for count in rounds:
        if weighted is not None:
            proposal = importance.adapted(proposal, weighted.points, weighted.weight)
        normal = rng.standard_normal((count, size))
        standard = normal * np.sqrt(df / rng.chisquare(df, count))[:, None]
        points = proposal.centre + standard @ proposal.root.T
        log_t = -0.5 * (df + size) * np.log1p((standard**2).sum(axis=1) / df)
        with np.errstate(all="ignore"):  # far out a spread may be beyond every number
            log_weight = log_density(points, data, card) - log_t
        log_weight = np.where(np.isfinite(log_weight), log_weight, -np.inf)
        weighted = Weighted(points, *importance.smooth(log_weight))
    assert weighted is not None
    return weighted
