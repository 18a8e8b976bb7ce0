"""Every parameter and effect of the model from draws of what the collapsed engine samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mnbayes.cards import Card
from mnbayes.inference.densities import Density
from mnbayes.models.longitudinal import FIXED
from mnbayes.models.observations import Observations
from mnbayes.numerics.effect_draws import draw_effects
from mnbayes.numerics.groups import Floats


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
        Without serial correlation.
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

    Raises
    ------
    ValueError
        If the card has serial correlation.
    """
    if card.structure.serial:
        raise ValueError("patients' serial deviations are not drawn here")
    n_draw, n_marker = len(points), len(observations.markers)
    n_patient, n_visit = len(observations.patients), len(observations.weeks) - 1
    n_fixed = (3 + n_visit) * n_marker + 1
    fixed, effects, loglik = draw_effects(
        np.ascontiguousarray(points),
        density.data,
        observations.log_value,
        observations.groups.member,
        rng.standard_normal((n_draw, n_fixed)),
        rng.standard_normal((n_draw, n_patient, 2 * n_marker)),
    )
    out = dict(density.expand(points))
    common = fixed[:, -1:]
    for position, name in enumerate(FIXED):
        if name in card.parameters or name == "change_mean":
            out[name] = fixed[:, position * n_marker : (position + 1) * n_marker]
    if card.structure.shrink:
        out["change_mean"] = out["change_mean"] + common
        mean = card.argument_values("common_change").get("mu", np.zeros(1))
        out.setdefault("common_change", mean + common[:, 0])
    deviation = fixed[:, 3 * n_marker : -1].reshape(n_draw, n_visit, n_marker)
    out["visit_change"] = out["change_mean"][:, None] + deviation
    out["patient_baseline"] = out["baseline_mean"][:, None] + effects[..., :n_marker]
    out["patient_change"] = effects[..., n_marker:]
    out["level"] = _levels(out, observations.covariate)
    out["loglik"] = loglik
    return out


def _levels(draws: Mapping[str, Floats], covariate: Floats) -> Floats:
    """Patients' true log levels, shape (draw, patient, visit, marker)."""
    baseline, change = draws["patient_baseline"], draws["patient_change"]
    later = draws["visit_change"][:, None] + change[:, :, None]
    if "covariate_slope" in draws:
        later = later + (covariate[:, None] * draws["covariate_slope"][:, None])[:, :, None]
    return np.concatenate([baseline[:, :, None], baseline[:, :, None] + later], axis=2)
