"""Leave one measurement out, or one patient, with the patients' effects integrated out.

ArviZ's leave-one-out weighs the posterior's draws by one over the likelihood of what is left out.
Given the patients' *levels*, as the tree has it, a measurement holds on to its patient's level,
and the weights fail (Pareto k above 0.7). Here the likelihood is that of a measurement, or of all
that a patient has, given all other measurements, with patients' effects, drift, and means with
normal priors integrated out: the exact weights of the refit without it, for SDs and correlations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from mnbayes.analyses.checks.predictive import Predictive, conditionals, log_predictive, means
from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import stacked
from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.inference.contract import CELLS, hyperparameters_of, level
from mnbayes.inference.fit import Fit
from mnbayes.inference.importance_weights import highest_khat, weighted_quantiles
from mnbayes.inference.trees import measured_cells
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
    draws = {str(name): stacked(each) for name, each in posterior.data_vars.items()}
    mean = means(fit.required_card, draws, len(data.weeks) - 1)
    given = conditionals(parameters, data, mean, value, noise_sd)
    patient, _, marker = np.nonzero(data.observed)
    first = np.flatnonzero(np.diff(patient, prepend=-1))
    return _Integrated(
        posterior,
        log_predictive(given.others, data),
        np.add.reduceat(log_predictive(given.later, data), first, axis=1),
        given.others,
        given.distance[:, measured_patients(fit)],
        (parameters.residual_sd[:, marker] / noise_sd) ** 2,
    )


def measured_patients(fit: Fit) -> NDArray[np.bool_]:
    """Who has a measurement."""
    return np.asarray(fit.observations.observed.any(axis=(1, 2)))


@dataclass(frozen=True)
class _Smoothed:
    """A log-likelihood of what is left out, and ArviZ's smoothed weights of the draws.

    Attributes
    ----------
    likelihood : Dataset
        ``measurement``, with dims chain, draw and what is left out.
    log_weights, k : DataArray
    reff : float
        Effective draws a draw.
    """

    likelihood: xr.Dataset
    log_weights: xr.DataArray
    k: xr.DataArray
    reff: float

    @property
    def weights(self) -> Floats:
        """Normalised weights of the draws, shape (draw, thing)."""
        log_weight = stacked(self.log_weights)
        weight = np.exp(log_weight - log_weight.max(axis=0))
        return np.asarray(weight / weight.sum(axis=0))

    @property
    def judged(self) -> dict[str, Floats]:
        """Log predictive density of what is left out, Pareto k, and whether k is low enough."""
        loglik, k = stacked(self.likelihood["measurement"]), self.k.to_numpy()
        elpd = special.logsumexp(loglik, axis=0, b=self.weights)
        return {
            "elpd": np.asarray(elpd),
            "pareto_k": k,
            "trusted": k <= highest_khat(len(loglik)),  # as ArviZ's good_k
        }


def _smoothed(posterior: xr.Dataset, loglik: Floats, coords: dict[str, Any]) -> _Smoothed:
    """Smooth the weights of a log-likelihood, shape (draw, thing)."""
    import arviz_stats  # noqa: F401  (gives every array its azstats)

    sizes = posterior.sizes["chain"], posterior.sizes["draw"]
    dims = ("chain", "draw", next(iter(coords)))
    of_draws = {"chain": posterior["chain"], "draw": posterior["draw"]}
    likelihood = xr.Dataset(
        {"measurement": (dims, loglik.reshape(*sizes, -1))}, coords=of_draws | coords
    )
    ess = posterior[[name for name in _JUDGED if name in posterior]].azstats.ess(method="mean")
    effective = np.concatenate([each.to_numpy().ravel() for each in ess.data_vars.values()])
    reff = float(effective.mean()) / len(loglik)
    log_weights = xr.full_like(likelihood["measurement"], -np.log(len(loglik)))
    k = log_weights[0, 0].drop_vars(["chain", "draw"]) * 0.0
    # Draws that all say the same count alike; ArviZ refuses to smooth them.
    differ = np.ptp(loglik, axis=0) > 1e-9
    if differ.any():
        of = {dims[2]: differ}
        some = likelihood["measurement"].isel(of)
        log_weights[of], k[of] = some.azstats.psislw(r_eff=reff, dim=["chain", "draw"])
    return _Smoothed(likelihood, log_weights, k, reff)


def _patients(fit: Fit) -> dict[str, Any]:
    return {"patient": np.array(fit.observations.patients)[measured_patients(fit)]}


def integrated_loo(fit: Fit | Result, by: By = "measurement", every: int = 1) -> Any:
    """Expected log predictive density by leave-one-out, patients' effects integrated out.

    Parameters
    ----------
    fit : Fit or Result
        Of a card.
    by : {"measurement", "patient"}
        What is left out: one measurement, predicted from all others, its patient's among them, or
        all that a patient has, predicted from the other patients.
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
    Student-t residuals and censored values are normal given weights and true values, which are
    drawn. By measurement those of the others are given and the cell's own integrated out. By
    patient ``log p(y)`` is the sum of each measurement given the later ones and their weights
    and values: averaged over those, ``1 / p`` is the exact weight of the refit without the
    patient.

    Examples
    --------
    >>> az.compare({name: mn.integrated_loo(each, "patient") for name, each in fits.items()})
    """
    import arviz_stats

    fit = fit.fit if isinstance(fit, Result) else fit
    if by not in ("measurement", "patient"):
        expected = f"measurement or patient{did_you_mean(by, ['measurement', 'patient'])}"
        raise InputError([Problem("integrated_loo", None, "by", repr(by), expected)])
    found = _integrated(fit, every)
    if by == "patient":
        smoothed = _smoothed(found.posterior, found.patient, _patients(fit))
    else:
        smoothed = _smoothed(
            found.posterior, found.measurement, measured_cells(fit.observations)[1]
        )
    groups = {"posterior": found.posterior, "log_likelihood": smoothed.likelihood}
    return arviz_stats.loo(
        xr.DataTree.from_dict(groups),
        pointwise=True,
        reff=smoothed.reff,
        log_weights=smoothed.log_weights,
        pareto_k=smoothed.k,
    )


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
    by_cell = _smoothed(found.posterior, found.measurement, measured_cells(fit.observations)[1])
    by_patient = _smoothed(found.posterior, found.patient, _patients(fit))
    weight, others = by_cell.weights, found.others
    hidden = data.censored[data.observed]
    recorded = data.recorded[data.observed]
    ends = np.tile(recorded[:, None], 2)
    ends[hidden, 0] = data.log_lower[data.observed][hidden]
    ends[hidden, 1] = data.log_upper[data.observed][hidden]
    below = [(weight * others.below(ends[:, 0])).sum(axis=0)]
    below += [(weight * others.below(ends[:, 1])).sum(axis=0) if hidden.any() else below[0]]
    rng = np.random.default_rng(np.random.SeedSequence(fit.sampling.seed, spawn_key=(_STREAM, 1)))
    bands = weighted_quantiles(others.drawn(rng), (0.025, 0.25, 0.5, 0.75, 0.975), weight, axis=0)
    mean = (weight * others.mean).sum(axis=0)
    spread = (weight * (others.sd**2 + others.mean**2)).sum(axis=0) - mean**2
    patient, visit, marker = np.nonzero(data.observed)
    rows = pd.DataFrame(
        {
            "by": "measurement",
            "patient": np.array(data.patients)[patient],
            "week": np.array(data.weeks)[visit],
            "marker": np.array(data.markers)[marker],
            "value": data.in_units(recorded),
            "median": data.in_units(bands[2]),
            "lower": data.in_units(bands[0]),
            "upper": data.in_units(bands[4]),
            "pit": (below[0] + below[1]) / 2,
            "sds": np.where(hidden, np.nan, (recorded - mean) / np.sqrt(spread)),
            "weight": found.weight.mean(axis=0),
            "tail": np.nan,
            **by_cell.judged,
        }
    )
    who = measured_patients(fit)
    count = data.observed.sum(axis=(1, 2))[who]
    plain = not (data.weights or hidden.any())
    tail = (by_patient.weights * special.chdtrc(count, found.distance)).sum(axis=0)
    patients = pd.DataFrame(
        {
            "by": "patient",
            "patient": np.array(data.patients)[who],
            "tail": tail if plain else np.nan,
            **by_patient.judged,
        }
    )
    table = pd.concat([rows, patients], ignore_index=True).assign(model=fit.name)
    table["marker"] = table["marker"].fillna("")
    elpd = {
        str(by): (float(each.sum()), float(np.sqrt(each.size * each.var())))
        for by, each in table.groupby("by")["elpd"]
    }
    return LeftOut(table[list(LEFT_OUT_COLUMNS)], np.stack(below, axis=1), bands, elpd)
