"""Cohorts simulated from a card's own priors and model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.cohort import Cohort
from mnbayes.data.markers import Catalogue, shipped_markers
from mnbayes.models import effects as fx
from mnbayes.models.hyperparameters import hyperparameters_from_draws
from mnbayes.models.likelihood import draw_prior


@dataclass(frozen=True)
class Simulated:
    """A simulated cohort and what it was simulated from.

    Attributes
    ----------
    cohort : Cohort
    change_mean : array, shape (marker,)
        True mean change of the log value.
    visit_change : array, shape (visit - 1, marker)
        True log of the geometric mean ratio to baseline at each later visit.
    level : array, shape (patient, visit, marker)
        True log levels.
    """

    cohort: Cohort
    change_mean: Floats
    visit_change: Floats
    level: Floats


def simulate_cohorts(
    card: Card,
    n_patients: int,
    weeks: Sequence[float],
    n_cohorts: int,
    rng: np.random.Generator,
) -> list[Simulated]:
    """Draw parameters from a card's priors, then a complete cohort from each draw.

    Parameters
    ----------
    card : Card
        Without a covariate.
    weeks : sequence of float
        Visits, baseline (week 0) first.

    Returns
    -------
    list of Simulated
        Of length ``n_cohorts``; values are in canonical units.
    """
    draws = draw_prior(card, len(weeks) - 1, n_cohorts, rng)
    parameters = hyperparameters_from_draws(draws, card.structure.correlation)
    deviations = fx.prior_deviations(parameters, np.array(weeks, dtype=float), n_patients, rng)
    level = fx.levels(parameters, *deviations, np.zeros(n_patients))
    measured = fx.measurements(level, parameters, rng)
    return [
        Simulated(
            cohort_of(measured[i], card.markers, weeks, card.catalogue),
            draws["change_mean"][i],
            parameters.visit_change[i],
            level[i],
        )
        for i in range(n_cohorts)
    ]


def cohort_of(
    scaled: Floats,
    markers: Sequence[str],
    weeks: Sequence[float],
    known: Catalogue | None = None,
) -> Cohort:
    """A cohort of complete values on the models' scale, shape (patient, visit, marker)."""
    known = shipped_markers() if known is None else known
    patients = [f"S{i + 1:03d}" for i in range(scaled.shape[0])]
    grid = pd.MultiIndex.from_product(
        [patients, weeks, markers], names=["patient", "week", "marker"]
    )
    rows = grid.to_frame(index=False)
    rows["value"] = np.stack(
        [known[marker].in_units(scaled[..., k]) for k, marker in enumerate(markers)], axis=-1
    ).ravel()
    rows["unit"] = rows["marker"].map({marker: known[marker].unit for marker in markers})
    rows["lower"] = rows["upper"] = np.nan
    table = pd.DataFrame(
        {
            "patient": patients,
            "sex": "unknown",
            "age_years": np.nan,
            "bmi": np.nan,
            "infusions": pd.NA,
            "withdrew_week": np.nan,
        }
    )
    return Cohort(table, rows, "simulated", "", True, (), catalogue=known)
