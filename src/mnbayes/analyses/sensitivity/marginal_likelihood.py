"""Likelihood of the top-level parameters at their draws, patients' effects integrated out.

The posterior is proportional to ``p(top level) p(y | top level)``, and the second factor is what
competes with the priors. It is the likelihood that power scaling raises to a power: with the
power 2 every patient counts twice. Raising the likelihood *given the patients' levels* to a
power instead makes each measurement more precise and leaves the number of patients as it is. A
mean change whose uncertainty comes from eight patients hardly notices that, so weak data would
be diagnosed where there are none.
"""

# The sampler's compiled kernel (numerics.marginal) has the same integral, and both agree to 1e-11.
# Here it is NumPy on purpose: all draws at once are as fast as one call each (4,000 draws of 8
# patients at 5 visits: 0.03 s against 0.1 s for one marker, 0.3 s for seven either way), and
# the kernel would first be compiled for calls from Python, 10 to 20 s. Handing it these draws, as
# partial correlations and in its groups, takes as many lines.

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import stacked
from mnbayes.data.observations import Observations
from mnbayes.inference.contract import CELLS, hyperparameters_of, level
from mnbayes.inference.fit import Fit
from mnbayes.models.effects import cell_covariance
from mnbayes.models.given_levels import alike, completed

_LOG_2PI = float(np.log(2 * np.pi))


def _shared_design(
    data: Observations, visit: NDArray[np.int64], marker: NDArray[np.int64]
) -> Floats:
    """Design of the effects that all patients share, shape (cell, visits and means).

    The deviation of each later visit from the mean change, marker by marker; then the
    deviation of each marker's mean change from the common one.
    """
    n_visit, n_marker = len(data.weeks) - 1, len(data.markers)
    design = np.zeros((visit.size, (n_visit + 1) * n_marker))
    later = np.flatnonzero(visit > 0)
    design[later, (visit[later] - 1) * n_marker + marker[later]] = 1.0
    design[later, n_visit * n_marker + marker[later]] = 1.0
    return design


def marginal_loglik(fit: Fit, rng: np.random.Generator, every: int = 1) -> Floats:
    """Log-likelihood of the top-level parameters at each posterior draw.

    Patients' effects, drifts, visit deviations and, where the markers' mean changes
    shrink to a common one, these mean changes are integrated out: the Gaussian integral of
    :mod:`mnbayes.numerics.marginal` with the means at their draws.

    Parameters
    ----------
    fit : Fit
    rng : Generator
        For the residual weights of a Student-t model and for censored values. The likelihood is
        that given these, each draw with its own.
    every : int
        Of so many draws of a chain one is used.

    Returns
    -------
    array, shape (chain, draw / every)
        Constants are included.
    """
    posterior = fit.tree["posterior"].to_dataset().isel(draw=slice(None, None, every))
    data, parameters = fit.observations, hyperparameters_of(posterior)
    levels = stacked(level(fit.tree, "posterior").isel(draw=slice(None, None, every)), *CELLS)
    shrink = fit.required_card.structure.shrink
    n_draws, n_visit = parameters.n_draws, len(data.weeks) - 1
    change = stacked(posterior["common_change" if shrink else "change_mean"])
    change = np.broadcast_to(change.reshape(n_draws, -1), parameters.baseline_mean.shape)
    spread = stacked(posterior["change_spread"])[:, None] if shrink else np.zeros((n_draws, 1))
    shared_sd = np.concatenate(
        [np.tile(stacked(posterior["visit_sd"]), n_visit), np.tile(spread, len(data.markers))],
        axis=1,
    )
    if not shrink:
        shared_sd = shared_sd[:, : n_visit * len(data.markers)]
    value, noise_sd = completed(levels, data, parameters, rng)
    columns = np.cumsum(data.observed.sum(axis=(1, 2)))

    size = shared_sd.shape[1]
    precision = np.broadcast_to(np.eye(size), (n_draws, size, size)).copy()
    score = np.zeros((n_draws, size))
    total = np.full(n_draws, -0.5 * value.shape[1] * _LOG_2PI)
    for patients in alike(data):
        visit, marker = np.nonzero(data.observed[patients[0]])
        own = [slice(columns[i] - visit.size, columns[i]) for i in patients]
        times = data.times[patients[0]]
        cov = cell_covariance(parameters, times, visit, marker, noise_sd[:, own[0]])
        expected = np.stack(
            [
                parameters.baseline_mean[:, marker]
                + (visit > 0) * (change + data.covariate[i] * parameters.slope)[:, marker]
                for i in patients
            ],
            axis=2,
        )
        error = np.stack([value[:, cells] for cells in own], axis=2) - expected
        design = _shared_design(data, visit, marker)[:, :size] * shared_sd[:, None]
        solved = np.linalg.solve(cov, np.concatenate([error, design], axis=2))
        of_error, of_design = solved[..., : len(patients)], solved[..., len(patients) :]
        root = np.linalg.cholesky(cov)
        total -= len(patients) * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        total -= 0.5 * np.einsum("dci,dci->d", error, of_error)
        precision += len(patients) * design.transpose(0, 2, 1) @ of_design
        score += np.einsum("dcp,dci->dp", design, of_error)
    gain = np.linalg.solve(precision, score[..., None])[..., 0]
    total += 0.5 * np.einsum("dp,dp->d", score, gain) - 0.5 * np.linalg.slogdet(precision)[1]
    return total.reshape(posterior.sizes["chain"], -1)
