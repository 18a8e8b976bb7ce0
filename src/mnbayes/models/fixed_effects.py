"""Mean baseline, mean and common change, slope and visit deviations given the rest, drawn exactly.

The sampler never sees them (:mod:`mnbayes.numerics.marginal`, whose notation this follows);
given the SDs and correlations they are jointly normal.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.models.effects import cell_covariance
from mnbayes.models.hyperparameters import Hyperparameters, hyperparameters_from_draws
from mnbayes.models.roles import FIXED, integrated
from mnbayes.numerics.designs import fixed_design


def draw_fixed_effects(
    card: Card, observations: Observations, draws: Mapping[str, Floats], rng: np.random.Generator
) -> dict[str, Floats]:
    """Draw the integrated parameters: one exact draw for each draw of the others.

    Parameters
    ----------
    card : Card
    observations : Observations
    draws : mapping
        The sampler's draws by name, the draw on the first axis.
    rng : Generator

    Returns
    -------
    dict
        ``draws`` with ``baseline_mean``, ``change_mean`` and ``covariate_slope`` (where the
        model has it), shape (draw, marker), ``common_change`` (where the model has it), shape
        (draw,), and ``visit_offset``, shape (draw, visit - 1, marker).
    """
    visit_sd = draws["visit_sd"]
    n_draws, n_marker = visit_sd.shape
    n_visit = len(observations.weeks) - 1
    offset, sd, common_sd = _offsets_and_sds(card, draws, n_draws, n_marker)
    all_sd = np.concatenate([sd, np.tile(visit_sd, (1, n_visit)), common_sd], axis=1)

    groups = observations.groups
    known = _placeholder(card, draws, n_draws, n_visit, n_marker)
    precision = np.broadcast_to(np.eye(all_sd.shape[1]), (n_draws, *[all_sd.shape[1]] * 2)).copy()
    score = np.zeros(all_sd.shape)
    for g, n in enumerate(groups.size):
        cells = slice(groups.start[g], groups.start[g + 1])
        visit, marker = groups.visit[cells], groups.marker[cells]
        noise_sd = known.residual_sd[:, marker]
        if "residual_weight" in draws:
            noise_sd = noise_sd / np.sqrt(draws["residual_weight"][:, cells])
        cov = cell_covariance(known, np.array(observations.weeks), visit, marker, noise_sd)
        design = fixed_design(visit, marker, float(groups.covariate[g]), n_marker, n_visit)
        value = np.broadcast_to(groups.mean[cells], (n_draws, visit.size)).copy()
        hidden = groups.augmented[cells] >= 0
        if hidden.any():
            value[:, hidden] = draws["censored_value"][:, groups.augmented[cells][hidden]]
        error = value - offset @ design[:, : offset.shape[1]].T
        scaled = design * all_sd[:, None]
        weighted = n * np.linalg.solve(cov, scaled)
        precision += scaled.transpose(0, 2, 1) @ weighted
        score += np.einsum("ncp,nc->np", weighted, error)
    mean = np.linalg.solve(precision, score[..., None])
    # With precision = L L', solving L' z = noise gives z the covariance precision^-1.
    upper = np.linalg.cholesky(precision).transpose(0, 2, 1)
    noise = rng.standard_normal(score.shape)[..., None]
    standard = (mean + np.linalg.solve(upper, noise))[..., 0]

    values = offset + sd * standard[:, : offset.shape[1]]
    out = dict(draws)
    for position, name in enumerate(FIXED):
        if name in card.parameters:
            out[name] = values[:, position * n_marker : (position + 1) * n_marker]
    if card.structure.shrink:
        change = slice(n_marker, 2 * n_marker)
        common = common_sd * standard[:, -1:]
        out["change_mean"] = values[:, change] + common
        out["common_change"] = offset[:, n_marker] + common[:, 0]
    out["visit_offset"] = standard[:, offset.shape[1] : -1].reshape(n_draws, n_visit, n_marker)
    return out


def _offsets_and_sds(
    card: Card, draws: Mapping[str, Floats], n_draws: int, n_marker: int
) -> tuple[Floats, Floats, Floats]:
    """Prior means and SDs of the integrated parameters; values and 0 of the sampled ones.

    Returns
    -------
    offset, sd : array, shape (draw, 3 * marker)
    common_sd : array, shape (draw, 1)
        Of the change that the markers share; 0 where they share none.
    """
    offset = np.zeros((n_draws, len(FIXED), n_marker))
    sd = np.zeros_like(offset)
    for position, name in enumerate(FIXED):
        if name not in card.parameters:
            continue
        if integrated(card, name):
            arguments = card.argument_values(name)
            offset[:, position], sd[:, position] = arguments["mu"], arguments["sigma"]
        else:
            offset[:, position] = draws[name]
    common_sd = np.zeros((n_draws, 1))
    if card.structure.shrink:
        position = FIXED.index("change_mean")
        sd[:, position] = draws["change_spread"][:, None]
        if integrated(card, "common_change"):
            arguments = card.argument_values("common_change")
            offset[:, position], common_sd[:] = arguments["mu"], arguments["sigma"]
        else:
            offset[:, position] = draws["common_change"][:, None]
    return offset.reshape(n_draws, -1), sd.reshape(n_draws, -1), common_sd


def _placeholder(
    card: Card, draws: Mapping[str, Floats], n_draws: int, n_visit: int, n_marker: int
) -> Hyperparameters:
    """Hyperparameters whose covariance part is right; the means are not known yet."""
    zeros = np.zeros((n_draws, n_marker))
    unknown = {
        "baseline_mean": zeros,
        "change_mean": zeros,
        "visit_offset": np.zeros((n_draws, n_visit, n_marker)),
    }
    return hyperparameters_from_draws(dict(draws) | unknown, card.structure.correlation)
