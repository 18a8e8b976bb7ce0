"""Every parameter and effect of the model from draws of what the collapsed engine samples."""

from __future__ import annotations

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.models.effects import courses
from mnbayes.models.gaussian_effects import draw_gaussian_effects
from mnbayes.numerics.density import Density


def complete_draws(
    card: Card,
    observations: Observations,
    density: Density,
    points: Floats,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Draw the effects given each point, and name everything.

    Parameters
    ----------
    card : Card
    observations : Observations
    density : Density
        From :func:`mnbayes.models.density.longitudinal_density`.
    points : array, shape (draw, coordinate)
    rng : Generator

    Returns
    -------
    dict
        The variables of a fit's ``posterior`` group by name, the draw on the first axis: what
        the density expands to, the fixed effects, ``visit_change``, ``patient_baseline``,
        ``patient_change`` and ``level`` (log scale); and ``loglik``, that of all data with the
        effects integrated out.
    """
    drawn = draw_gaussian_effects(card, observations, density, points, rng)
    out, n_marker = dict(drawn.top_level), len(observations.markers)
    deviation = out["visit_sd"][:, None] * out.pop("visit_offset")
    out["visit_change"] = out["change_mean"][:, None] + deviation
    out["patient_baseline"] = out["baseline_mean"][:, None] + drawn.effects[..., :n_marker]
    out["patient_change"] = drawn.effects[..., n_marker:]
    change = out["patient_change"]
    if "covariate_slope" in out:
        change = change + observations.covariate[:, None] * out["covariate_slope"][:, None]
    out["level"] = courses(out["patient_baseline"], change, out["visit_change"], drawn.drift)
    out["loglik"] = drawn.loglik
    return out
