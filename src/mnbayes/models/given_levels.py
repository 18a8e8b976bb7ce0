"""What the data hide, drawn given the patients' levels: censored values and residual weights."""

from __future__ import annotations

import numpy as np
from scipy import stats

from mnbayes.base.arrays import Floats
from mnbayes.data.observations import Observations
from mnbayes.models.hyperparameters import Hyperparameters


def completed(
    levels: Floats,
    data: Observations,
    parameters: Hyperparameters,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Log values of every observed cell, and the SD of its normal residual.

    A censored value, and the precision weight of a Student-t residual, are drawn from their
    distribution given the patient's level: exact draws of what the posterior says of them.

    Returns
    -------
    value, sd : array, shape (draw, observation)
    """
    patient, visit, marker = np.nonzero(data.observed)
    level = levels[:, patient, visit, marker]
    sd = parameters.residual_sd[:, marker]
    df = np.broadcast_to(parameters.residual_df[:, None], sd.shape)
    student = data.weights
    value = np.broadcast_to(data.log_value[patient, visit, marker], sd.shape).copy()
    hidden = data.censored[patient, visit, marker]
    if hidden.any():
        noise = stats.t(df[:, hidden]) if student else stats.norm()
        ends = [
            (bound[patient, visit, marker][hidden] - level[:, hidden]) / sd[:, hidden]
            for bound in (data.log_lower, data.log_upper)
        ]
        # Drawn in the lower tail, where probabilities near 0 keep their digits.
        flip = ends[0] > 0
        low, high = np.where(flip, -ends[1], ends[0]), np.where(flip, -ends[0], ends[1])
        start, stop = noise.cdf(low), noise.cdf(high)
        uniform = start + rng.random(start.shape) * (stop - start)
        standard = np.clip(noise.ppf(uniform), low, high)
        value[:, hidden] = level[:, hidden] + sd[:, hidden] * np.where(flip, -standard, standard)
    if not student:
        return value, sd
    scaled = ((value - level) / sd) ** 2
    weight = rng.gamma((df + 1) / 2) / ((df + scaled) / 2)
    return value, sd / np.sqrt(weight)


def alike(data: Observations) -> list[list[int]]:
    """Patients that share a covariance matrix: the same cells, times and normal residuals."""
    groups: dict[tuple[bytes, bytes, int], list[int]] = {}
    times = data.times
    for patient, cells in enumerate(data.observed):
        if cells.any():
            alone = patient if data.weights else -1
            key = (cells.tobytes(), times[patient].tobytes(), alone)
            groups.setdefault(key, []).append(patient)
    return list(groups.values())
