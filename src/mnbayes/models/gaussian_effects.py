"""Everything that the density integrates out, drawn exactly given its points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.models.effects import EffectDraws
from mnbayes.models.roles import FIXED
from mnbayes.numerics.density import Density
from mnbayes.numerics.effect_draws import draw_effects


@dataclass(frozen=True)
class GaussianDraws(EffectDraws):
    """Draws of everything at some points of a density: what it expands to, the fixed effects too.

    Attributes
    ----------
    loglik : array, shape (draw,)
        Of all data, effects integrated out.
    """

    loglik: Floats


def draw_gaussian_effects(
    card: Card,
    observations: Observations,
    density: Density,
    points: Floats,
    rng: np.random.Generator,
) -> GaussianDraws:
    """Draw the effects given each point.

    Parameters
    ----------
    card : Card
    observations : Observations
    density : Density
        From :func:`mnbayes.models.density.longitudinal_density`.
    points : array, shape (draw, coordinate)
    rng : Generator
    """
    n_draw, n_marker, groups = len(points), len(observations.markers), observations.groups
    n_patient, n_visit = len(observations.patients), len(observations.weeks) - 1
    cells = (n_draw, n_patient, n_visit + 1, n_marker)
    drifts = card.structure.drift
    fixed, effects, drift, loglik = draw_effects(
        np.ascontiguousarray(points),
        density.data,
        observations.log_value,
        groups.member,
        groups.schedule,
        rng.standard_normal((n_draw, (3 + n_visit) * n_marker + 1)),
        rng.standard_normal((n_draw, n_patient, 2 * n_marker)),
        rng.standard_normal(cells if drifts else (*cells[:2], 0, n_marker)),
        rng.standard_normal(cells),
    )
    out = dict(density.expand(points))
    for position, name in enumerate(FIXED):
        if name in card.parameters or name == "change_mean":
            out[name] = fixed[:, position * n_marker : (position + 1) * n_marker]
    if card.structure.shrink:
        common = fixed[:, -1:]
        out["change_mean"] = out["change_mean"] + common
        mean = card.argument_values("common_change").get("mu", np.zeros(1))
        out.setdefault("common_change", mean + common[:, 0])
    deviation = fixed[:, 3 * n_marker : -1].reshape(n_draw, n_visit, n_marker)
    out["visit_offset"] = deviation / out["visit_sd"][:, None]
    return GaussianDraws(out, effects, drift if drifts else None, loglik)
