"""Whether the intervals of a card hold the truth that cohorts were simulated from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.base.labelled import array
from mnbayes.base.workers import silent
from mnbayes.cards.card import Card
from mnbayes.data.observations import observations
from mnbayes.inference.fit import Sampling, fit
from mnbayes.models.density import longitudinal_density
from mnbayes.numerics.posterior import evaluate, gradient_function
from mnbayes.studies.rerun import as_lines
from mnbayes.studies.simulated_cohorts import simulate_cohorts

#: Columns of a recovery table.
RECOVERY_COLUMNS = (
    *("cohort", "marker", "quantity", "truth", "lower", "median", "upper", "covered"),
    *("converged", "reason"),
)
INTERVAL = (0.025, 0.5, 0.975)


def recover(
    card: Card,
    n_patients: int,
    weeks: Sequence[float],
    n_cohorts: int,
    seed: int,
    progress: Callable[[int, int], None] = silent,
    first: int | None = None,
) -> pd.DataFrame:
    """Simulate cohorts from a card's priors, fit the card to each, compare with the truth.

    Parameters
    ----------
    progress : callable
        Called with the cohorts done and in all.
    first : int, optional
        Fit so many of the cohorts only, and the same as if all were fitted.

    Returns
    -------
    DataFrame
        Columns :data:`RECOVERY_COLUMNS`, one row for each cohort, marker and quantity:
        ``mean change`` (over visits) and ``last visit``, both natural logs of a geometric mean
        ratio, with the 95 % equal-tailed interval. A fit that fails the gate keeps its rows,
        its interval blank.
    """
    rng, fits = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    rows: list[tuple[object, ...]] = []
    simulated = simulate_cohorts(card, n_patients, weeks, n_cohorts, rng)
    for number, truth in enumerate(simulated[:first]):
        progress(number, n_cohorts)
        fitted = fit(card, truth.cohort, Sampling(seed=int(fits.integers(2**31))))
        posterior = fitted.tree["posterior"].to_dataset()
        drawn = {
            "mean change": posterior["change_mean"],
            "last visit": posterior["visit_change"].isel(later_visit=-1),
        }
        true = {"mean change": truth.change_mean, "last visit": truth.visit_change[-1]}
        converged = fitted.diagnostics.converged
        for quantity, values in drawn.items():
            ends = np.quantile(array(values, "marker"), INTERVAL, axis=(0, 1))
            for k, marker in enumerate(card.markers):
                low, middle, high = ends[:, k] if converged else (np.nan,) * 3
                value = float(true[quantity][k])
                interval = (low, middle, high, low <= value <= high)
                outcome = (converged, "; ".join(fitted.diagnostics.reasons))
                rows.append((number, marker, quantity, value, *interval, *outcome))
    progress(n_cohorts, n_cohorts)
    return pd.DataFrame(rows, columns=list(RECOVERY_COLUMNS))


def first_cohorts(
    card: Card, n_patients: int, weeks: Sequence[float], n_cohorts: int, seed: int, first: int
) -> dict[str, Any]:
    """Numbers of the first cohorts, by which a stored recovery is seen to be stale.

    Returns
    -------
    dict
        ``intervals``: rows of :func:`recover` as lines of CSV. The truths are the same on every
        machine; NUTS takes another way after one rounding, so the intervals' ends are within
        Monte Carlo error. ``log_density``: what the model states, at fixed points, given the
        first cohort; the same to many digits.
    """
    table = recover(card, n_patients, weeks, n_cohorts, seed, first=first)
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    cohort = simulate_cohorts(card, n_patients, weeks, n_cohorts, rng)[0].cohort
    density = longitudinal_density(card, observations(card, cohort))
    points = np.random.default_rng(0).standard_normal((3, density.dimension))
    values = [evaluate(point, density.data, gradient_function())[0] for point in points]
    return {"intervals": as_lines(table), "log_density": values}


def coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Share of intervals that hold the truth, by quantity and marker, with its standard error.

    Fits that failed the gate count as not covering.

    Returns
    -------
    DataFrame
        Columns ``quantity, marker, cohorts, failed, coverage, standard_error``; the marker is
        ``all`` in the rows over every marker.
    """
    everything = pd.concat([table, table.assign(marker="all")])
    grouped = everything.groupby(["quantity", "marker"], sort=False)
    out = grouped.agg(
        cohorts=("cohort", "nunique"),
        failed=("converged", lambda flags: int((~flags.astype(bool)).sum())),
        coverage=("covered", "mean"),
        intervals=("covered", "size"),
    ).reset_index()
    spread = np.sqrt(out["coverage"] * (1 - out["coverage"]) / out["intervals"])
    return out.drop(columns="intervals").assign(standard_error=spread)
