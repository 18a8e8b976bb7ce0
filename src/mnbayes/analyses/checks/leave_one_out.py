"""Leave one measurement out, or one patient, with the patients' effects integrated out.

ArviZ's leave-one-out weighs the posterior's draws by one over the likelihood of what is left out.
Given the patients' *levels*, as the tree has it, a measurement holds on to its patient's level,
and the weights fail (Pareto k above 0.7). Here the likelihood is that of a measurement given the
patient's other measurements, or that of all of a patient's, and the effects are integrated out:
the exact weights of the refit without them, for the population's parameters.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from mnbayes.analyses.checks.predictive import Predictive, conditionals, log_predictive
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import stacked
from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.inference.contract import CELLS, hyperparameters_of, level
from mnbayes.inference.fit import Fit
from mnbayes.models.given_levels import completed

#: What is left out.
By = Literal["measurement", "patient"]
#: Which of the seed's streams weights and censored values are drawn from.
_STREAM = 17
#: Parameters that say how many independent draws there are, as ArviZ counts them.
_JUDGED = ("baseline_mean", "visit_change", "baseline_sd", "change_sd", "residual_sd")
LEFT_OUT_COLUMNS = (
    *("model", "by", "patient", "week", "marker", "value", "median", "lower", "upper"),
    *("pit", "sds", "weight", "tail", "elpd", "pareto_k", "trusted"),
)


@dataclass(frozen=True)
class _Integrated:
    """Log-likelihoods of what is left out at each draw, effects integrated out.

    Attributes
    ----------
    posterior : Dataset
        The draws that are used.
    measurement, patient : array, shape (draw, cell) and (draw, patient)
        Patients without a measurement are left out of it.
    others : Predictive
    distance : array, shape (draw, patient)
    weight : array, shape (draw, cell)
        Of a Student-t residual, squared residual SD over that of the draw; 1 of a normal one.
    """

    posterior: xr.Dataset
    measurement: Floats
    patient: Floats
    others: Predictive
    distance: Floats
    weight: Floats


def _integrated(fit: Fit, every: int) -> _Integrated:
    posterior = fit.tree["posterior"].to_dataset().isel(draw=slice(None, None, every))
    parameters, data = hyperparameters_of(posterior), fit.observations
    levels = stacked(level(fit.tree, "posterior").isel(draw=slice(None, None, every)), *CELLS)
    rng = np.random.default_rng(np.random.SeedSequence(fit.sampling.seed, spawn_key=(_STREAM,)))
    value, noise_sd = completed(levels, data, parameters, rng)
    given = conditionals(parameters, data, value, noise_sd)
    patient, _, marker = np.nonzero(data.observed)
    first = np.flatnonzero(np.diff(patient, prepend=-1))
    return _Integrated(
        posterior,
        log_predictive(given.others, data),
        np.add.reduceat(log_predictive(given.earlier, data), first, axis=1),
        given.others,
        given.distance[:, measured_patients(fit)],
        (parameters.residual_sd[:, marker] / noise_sd) ** 2,
    )


def measured_patients(fit: Fit) -> NDArray[np.bool_]:
    """Who has a measurement."""
    return np.asarray(fit.observations.observed.any(axis=(1, 2)))


def _loo(posterior: xr.Dataset, loglik: Floats, coords: dict[str, Any]) -> Any:
    """ArviZ's Pareto-smoothed leave-one-out of a log-likelihood, shape (draw, thing)."""
    import arviz_stats

    sizes = posterior.sizes["chain"], posterior.sizes["draw"]
    dims = ("chain", "draw", next(iter(coords)))
    of_draws = {"chain": posterior["chain"], "draw": posterior["draw"]}
    likelihood = xr.Dataset(
        {"measurement": (dims, loglik.reshape(*sizes, -1))}, coords=of_draws | coords
    )
    ess = posterior[[name for name in _JUDGED if name in posterior]].azstats.ess(method="mean")
    effective = np.concatenate([each.to_numpy().ravel() for each in ess.data_vars.values()])
    reff = float(effective.mean()) / len(loglik)
    # Left to itself, loo smooths the weights twice.
    log_weights, k = likelihood["measurement"].azstats.psislw(r_eff=reff, dim=["chain", "draw"])
    tree = xr.DataTree.from_dict({"posterior": posterior, "log_likelihood": likelihood})
    return arviz_stats.loo(tree, pointwise=True, reff=reff, log_weights=log_weights, pareto_k=k)


def _cells(fit: Fit) -> dict[str, Any]:
    data = fit.observations
    axes = data.patients, data.weeks, data.markers
    places = np.nonzero(data.observed)
    return {"observation": np.arange(places[0].size)} | {
        name: ("observation", np.array(axis)[place])
        for name, axis, place in zip(CELLS, axes, places, strict=True)
    }


def _patients(fit: Fit) -> dict[str, Any]:
    return {"patient": np.array(fit.observations.patients)[measured_patients(fit)]}


def integrated_loo(fit: Fit | Result, by: By = "measurement", every: int = 1) -> Any:
    """Expected log predictive density by leave-one-out, patients' effects integrated out.

    Parameters
    ----------
    fit : Fit or Result
        Of a card.
    by : {"measurement", "patient"}
        What is left out: one measurement, predicted from the patient's others and from the other
        patients, or all that a patient has, predicted from the other patients.
    every : int
        Of so many draws of a chain one is used.

    Returns
    -------
    ELPDData
        As ``az.loo`` returns it, pointwise: ``az.compare`` and ``az.plot_khat`` take it. On the
        log scale, so models are compared on the same measurements.

    Raises
    ------
    InputError
        If the model is one's own: only of a card the distribution of a patient's measurements is
        known.

    Notes
    -----
    Student-t residuals and censored values are normal given their weights and values, which are
    drawn. By measurement those of the others are given and the cell's own integrated out. By
    patient ``log p(y)`` is the sum of each measurement given the earlier ones and their weights
    and values: averaged over those, ``1 / p`` is the exact weight of the refit without the
    patient.

    Examples
    --------
    >>> az.compare({name: mn.integrated_loo(each, "patient") for name, each in fits.items()})
    """
    fit = fit.fit if isinstance(fit, Result) else fit
    if by not in ("measurement", "patient"):
        expected = f"measurement or patient{did_you_mean(by, ['measurement', 'patient'])}"
        raise InputError([Problem("integrated_loo", None, "by", repr(by), expected)])
    _ = fit.required_card
    found = _integrated(fit, every)
    if by == "patient":
        return _loo(found.posterior, found.patient, _patients(fit))
    return _loo(found.posterior, found.measurement, _cells(fit))


def _weights(left_out: Any) -> Floats:
    """Normalised weights of the draws, shape (draw, thing)."""
    log_weight = stacked(left_out.log_weights)
    weight = np.exp(log_weight - log_weight.max(axis=0))
    return np.asarray(weight / weight.sum(axis=0))


def _quantiles(draws: Floats, weight: Floats, levels: tuple[float, ...]) -> Floats:
    """Weighted quantiles of each column, shape (level, column)."""
    order = np.argsort(draws, axis=0)
    draws = np.take_along_axis(draws, order, axis=0)
    below = np.cumsum(np.take_along_axis(weight, order, axis=0), axis=0)
    place = np.array([[np.searchsorted(column, p) for column in below.T] for p in levels])
    place = np.minimum(place, len(draws) - 1)
    return np.asarray(np.take_along_axis(draws, place, axis=0))


@dataclass(frozen=True)
class LeftOut:
    """What the others say of each measurement, and the other patients of each patient.

    Attributes
    ----------
    table : DataFrame
        Columns :data:`LEFT_OUT_COLUMNS` (``left_out.csv``), a row for each measurement and then
        one for each patient. ``value`` is as recorded; ``median, lower, upper`` the 95 % interval
        of what the others predict, in the marker's unit. ``pit`` is the predicted probability of
        less than the value (of a censored one half that of its interval is added). ``sds`` says
        how many predictive SDs, on the log scale, an exact value lies above the predicted mean,
        ``weight`` what it counts with Student-t residuals, 1 where all count alike. ``tail`` is
        the share of such patients who would be further from what the others predict (normal
        residuals, no censored value). ``elpd`` is the log predictive density, ``pareto_k``
        ArviZ's judgement of the weights, ``trusted`` whether it is low enough for the number of
        draws.
    ends : array, shape (cell, 2)
        The predicted probabilities below the two ends of what was recorded: equal where exact.
    bands : array, shape (5, cell)
        2.5 %, 25 %, 50 %, 75 % and 97.5 % points of what the others predict, log scale.
    elpd : dict
        By what is left out, the sum and its standard error.
    """

    table: pd.DataFrame
    ends: Floats
    bands: Floats
    elpd: dict[str, tuple[float, float]]


def leave_one_out(fit: Fit, every: int = 1) -> LeftOut:
    """Predict each measurement and each patient from the others; see :class:`LeftOut`."""
    found, data = _integrated(fit, every), fit.observations
    with warnings.catch_warnings():
        # k-hat above its limit: the table says so, row by row.
        warnings.filterwarnings("ignore", "Estimated shape parameter of Pareto", UserWarning)
        by_cell = _loo(found.posterior, found.measurement, _cells(fit))
        by_patient = _loo(found.posterior, found.patient, _patients(fit))
    weight, others = _weights(by_cell), found.others
    hidden = data.censored[data.observed]
    recorded = data.recorded[data.observed]
    ends = np.tile(recorded[:, None], 2)
    ends[hidden, 0] = data.log_lower[data.observed][hidden]
    ends[hidden, 1] = data.log_upper[data.observed][hidden]
    below = [(weight * others.below(ends[:, 0])).sum(axis=0)]
    below += [(weight * others.below(ends[:, 1])).sum(axis=0) if hidden.any() else below[0]]
    rng = np.random.default_rng(np.random.SeedSequence(fit.sampling.seed, spawn_key=(_STREAM, 1)))
    bands = _quantiles(others.drawn(rng), weight, (0.025, 0.25, 0.5, 0.75, 0.975))
    mean = (weight * others.mean).sum(axis=0)
    spread = (weight * (others.sd**2 + others.mean**2)).sum(axis=0) - mean**2
    patient, visit, marker = np.nonzero(data.observed)
    rows = pd.DataFrame(
        {
            "by": "measurement",
            "patient": np.array(data.patients)[patient],
            "week": np.array(data.weeks)[visit],
            "marker": np.array(data.markers)[marker],
            "value": np.exp(recorded),
            "median": np.exp(bands[2]),
            "lower": np.exp(bands[0]),
            "upper": np.exp(bands[4]),
            "pit": (below[0] + below[1]) / 2,
            "sds": np.where(hidden, np.nan, (recorded - mean) / np.sqrt(spread)),
            "weight": found.weight.mean(axis=0),
            "tail": np.nan,
            **_judged(by_cell),
        }
    )
    who = measured_patients(fit)
    count = data.observed.sum(axis=(1, 2))[who]
    plain = not (data.weights or hidden.any())
    tail = (_weights(by_patient) * special.chdtrc(count, found.distance)).sum(axis=0)
    patients = pd.DataFrame(
        {
            "by": "patient",
            "patient": np.array(data.patients)[who],
            "tail": tail if plain else np.nan,
            **_judged(by_patient),
        }
    )
    table = pd.concat([rows, patients], ignore_index=True).assign(model=fit.name)
    table["marker"] = table["marker"].fillna("")
    elpd = {
        name: (float(each.elpd), float(each.se))
        for name, each in (("measurement", by_cell), ("patient", by_patient))
    }
    return LeftOut(table[list(LEFT_OUT_COLUMNS)], np.stack(below, axis=1), bands, elpd)


def _judged(left_out: Any) -> dict[str, Any]:
    k = np.asarray(left_out.pareto_k, dtype=float)
    return {
        "elpd": np.asarray(left_out.elpd_i, dtype=float),
        "pareto_k": k,
        "trusted": k <= left_out.good_k,
    }
