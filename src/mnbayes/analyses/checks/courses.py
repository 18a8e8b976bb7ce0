"""What the patients' courses show, in one number each: of the measurements, and of replicates.

A replicate is measurements of *new* patients from the same population, with the same visits:
their effects and drift are drawn anew. Replicates of the same patients have seen the courses that
they are compared with, and hardly ever find them unlikely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import stacked
from mnbayes.data.markers import Marker
from mnbayes.inference.contract import CELLS, drawn, hyperparameters_of, level, predicted
from mnbayes.inference.fit import Fit
from mnbayes.models.effects import levels, measurements, prior_deviations
from mnbayes.models.given_levels import completed

type Seen = NDArray[np.bool_]

COURSE_COLUMNS = (
    *("model", "marker", "statistic", "replicated", "observed", "lower", "median", "upper", "tail"),
)
#: Of the seed's streams the one of replicates, and how many of them are enough.
_STREAM, _ENOUGH = 18, 2000


def rebound(value: Floats, seen: Seen) -> Floats:
    """Largest rise from one measured visit after baseline to the next, over all patients.

    Parameters
    ----------
    value : array, shape (draw, patient, visit)
    seen : array of bool, shape (patient, visit)

    Returns
    -------
    array, shape (draw,)
        NaN where the visits do not allow it.
    """
    patient, before, after = _steps(seen[:, 1:])
    if not patient.size:
        return np.full(len(value), np.nan)
    later = value[:, :, 1:]
    return np.asarray((later[:, patient, after] - later[:, patient, before]).max(axis=1))


def spread(value: Floats, seen: Seen) -> Floats:
    """SD over patients of the change from baseline to the last measured visit."""
    able = np.flatnonzero(seen[:, 0] & seen[:, 1:].any(axis=1))
    if able.size < 2:
        return np.full(len(value), np.nan)
    last = seen.shape[1] - 1 - np.argmax(seen[able, ::-1], axis=1)
    return np.asarray((value[:, able, last] - value[:, able, 0]).std(axis=1, ddof=1))


def lag_1(value: Floats, seen: Seen) -> Floats:
    """Correlation of deviations at one measured visit after baseline and the next.

    Deviations are from the patient's own mean after baseline, and from the visits' means of
    those. Independent ones correlate negatively, since they are few around their own mean: the
    replicates say how much.
    """
    own, seen = np.where(seen, value, 0.0)[:, :, 1:], seen[:, 1:]
    for axis in (2, 1):
        own = np.where(seen, own, 0.0)
        count = seen[None].sum(axis=axis, keepdims=True)
        own = own - own.sum(axis=axis, keepdims=True) / np.maximum(count, 1)
    patient, before, after = _steps(seen)
    if patient.size < 3:
        return np.full(len(value), np.nan)
    first, second = own[:, patient, before], own[:, patient, after]
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.asarray((first * second).sum(axis=1) / scale)


def _steps(seen: Seen) -> NDArray[np.int64]:
    """Patient, and two measured visits in a row, of every such step: shape (3, step)."""
    steps = [
        (patient, *pair)
        for patient, visits in enumerate(seen)
        for pair in pairwise(np.flatnonzero(visits).tolist())
    ]
    return np.array(steps, dtype=np.int64).reshape(-1, 3).T


#: Statistics of the courses by name.
STATISTICS: Mapping[str, Callable[[Floats, Seen], Floats]] = {
    "rebound": rebound,
    "spread": spread,
    "lag_1": lag_1,
}


def worsening(marker: Marker) -> float:
    """Sign of a change for the worse; a fall where neither direction is better."""
    return 1.0 if marker.falls else -1.0


def course_table(fit: Fit) -> pd.DataFrame:
    """Statistics of the measured courses beside those of replicates (``predictive_checks.csv``).

    Returns
    -------
    DataFrame
        Columns :data:`COURSE_COLUMNS`, a row for each marker and statistic that the visits
        allow: ``observed``, the 95 % interval of the replicates, and ``tail``, the share of them
        that are larger. ``rebound`` is the largest change for the worse between visits in a row
        (a ratio), ``spread`` the SD of log changes, ``lag_1`` a correlation, ``residual_sd`` the
        posterior mean of the residual SD against its prior. ``replicated`` says what was drawn:
        ``new patients`` from the population; ``same patients`` where a model of one's own
        does not say how patients are distributed, which is lenient; ``prior``.

    Notes
    -----
    A censored value is drawn given its patient's level for each draw of the posterior; so
    ``observed`` is then a median over draws, and the tail compares draw by draw (Gelman et al.
    2005, doi:10.1111/j.0006-341X.2005.031010.x).
    """
    data = fit.observations
    value, replicate, replicated = _both(fit)
    rows = []
    for column, marker in enumerate(data.markers):
        seen, sign = data.observed[:, :, column], worsening(fit.catalogue[marker])
        for name, statistic in STATISTICS.items():
            turned = sign if name == "rebound" else 1.0
            measured = statistic(turned * value[..., column], seen)
            found = statistic(turned * replicate[..., column], seen)
            if np.isnan(measured).any():
                continue
            tail = float((found >= measured).mean())
            numbers = [np.median(measured), *np.quantile(found, (0.025, 0.5, 0.975))]
            if name == "rebound":
                numbers = sorted(np.exp(turned * np.array(numbers[1:])).tolist())
                numbers = [float(np.exp(turned * np.median(measured))), *numbers]
            rows.append((fit.name, marker, name, replicated, *numbers, tail))
        rows += [(fit.name, marker, *row) for row in _residual_sd(fit, marker)]
    return pd.DataFrame(rows, columns=list(COURSE_COLUMNS))


def _both(fit: Fit) -> tuple[Floats, Floats, str]:
    """Log values and replicates, shape (draw, patient, visit, marker), and what these are."""
    data, tree = fit.observations, fit.tree
    if fit.card is None:
        return data.recorded[None], stacked(predicted(tree, "posterior"), *CELLS), "same patients"
    rng = np.random.default_rng(np.random.SeedSequence(fit.sampling.seed, spawn_key=(_STREAM,)))
    sizes = tree["posterior"].sizes
    some = {"draw": slice(None, None, -(-sizes["chain"] * sizes["draw"] // _ENOUGH))}
    parameters = hyperparameters_of(tree["posterior"].to_dataset().isel(some))
    who = len(data.patients)
    new = levels(parameters, *prior_deviations(parameters, data.times, who, rng), data.covariate)
    replicate = measurements(new, parameters, rng)
    if not data.censored.any():
        return data.log_value[None], replicate, "new patients"
    value = np.full(replicate.shape, np.nan)
    known = stacked(level(tree, "posterior").isel(some), *CELLS)
    value[:, data.observed] = completed(known, data, parameters, rng)[0]
    return value, replicate, "new patients"


def _residual_sd(fit: Fit, marker: str) -> list[tuple[object, ...]]:
    """Posterior mean of a marker's residual SD in the distribution of its prior."""
    if not all(drawn(fit.tree, group, "residual_sd") for group in ("posterior", "prior")):
        return []
    draws = [fit.tree[group].dataset["residual_sd"] for group in ("posterior", "prior")]
    # A model of one's own may have one for all markers.
    now, prior = (
        stacked(each.sel(marker=marker) if "marker" in each.dims else each) for each in draws
    )
    mean, ends = float(now.mean()), np.quantile(prior, (0.025, 0.5, 0.975))
    return [("residual_sd", "prior", mean, *ends, float((prior >= mean).mean()))]
