"""What a model says of a patient's measurements given the patient's others, in NumPy.

Given a draw of the population's parameters, a patient's measurements are jointly normal, patients'
effects and drift integrated out. Each measurement given the others, and each given those before
it, then follow from one Cholesky factor (Sundararajan and Keerthi 2001,
doi:10.1162/08997660151134343).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from mnbayes.base.arrays import Floats
from mnbayes.data.observations import Observations
from mnbayes.models.effects import cell_covariance, levels
from mnbayes.models.given_levels import alike
from mnbayes.models.hyperparameters import Hyperparameters

_HALF_LOG_2PI = float(0.5 * np.log(2 * np.pi))
#: Of the logarithm of a Student-t residual's precision weight, in its SDs: the trapezoidal rule
#: with these nodes is right to 1e-5 from 2 degrees of freedom on.
_NODES = np.arange(-16.0, 6.5, 0.8)


@dataclass(frozen=True)
class Predictive:
    """Distribution of measurements: a normal true level, and a normal or Student-t residual.

    Attributes
    ----------
    mean, variance : array, shape (draw, cell)
        Of the true level.
    noise_sd : array, shape (draw, cell)
    df : array, shape (draw,)
        Of the residual; inf where it is normal.
    """

    mean: Floats
    variance: Floats
    noise_sd: Floats
    df: Floats

    @property
    def sd(self) -> Floats:
        """Root of the level's variance and the squared scale of the residual."""
        return np.asarray(np.sqrt(self.variance + self.noise_sd**2))

    def log_density(self, value: Floats) -> Floats:
        """Log density of a value of each cell, shape (draw, cell)."""

        def normal(sd: Floats) -> Floats:
            return np.asarray(-0.5 * ((value - self.mean) / sd) ** 2 - np.log(sd) - _HALF_LOG_2PI)

        return self._log_mean(normal)

    def log_probability(self, low: Floats, high: Floats) -> Floats:
        """Log probability of an interval of each cell, shape (draw, cell)."""

        def normal(sd: Floats) -> Floats:
            a, b = (low - self.mean) / sd, (high - self.mean) / sd
            # In the lower tail probabilities near 0 keep their digits.
            a, b = np.where(a > 0, -b, a), np.where(a > 0, -a, b)
            most = special.log_ndtr(b)
            with np.errstate(divide="ignore"):
                return np.asarray(most + np.log1p(-np.exp(special.log_ndtr(a) - most)))

        return self._log_mean(normal)

    def below(self, value: Floats) -> Floats:
        """Probability of less than a value of each cell, shape (draw, cell)."""
        total = np.zeros(self.mean.shape)
        for log_share, sd in self._parts():
            total += np.exp(log_share) * special.ndtr((value - self.mean) / sd)
        return total

    def drawn(self, rng: np.random.Generator) -> Floats:
        """A measurement of each cell for each draw."""
        noise = rng.standard_normal(self.mean.shape) * self.noise_sd
        if np.isfinite(self.df).all():
            df = self.df[:, None]
            noise /= np.sqrt(rng.chisquare(np.broadcast_to(df, noise.shape)) / df)
        level = self.mean + np.sqrt(self.variance) * rng.standard_normal(self.mean.shape)
        return np.asarray(level + noise)

    def _log_mean(self, normal: Callable[[Floats], Floats]) -> Floats:
        total = np.full(self.mean.shape, -np.inf)
        for log_share, sd in self._parts():
            np.logaddexp(total, log_share + normal(sd), out=total)
        return total

    def _parts(self) -> Iterator[tuple[Floats, Floats]]:
        """Log shares and SDs of the normals that the distribution is a mixture of.

        A Student-t residual is normal given its precision weight, which is gamma distributed.
        """
        if not np.isfinite(self.df).all():
            yield np.zeros((1, 1)), self.sd
            return
        df = self.df[:, None]
        log_weight = np.sqrt(2 / df) * _NODES
        log_share = df / 2 * (log_weight - np.exp(log_weight))
        log_share -= special.logsumexp(log_share, axis=1, keepdims=True)
        for node in range(_NODES.size):
            noise = self.noise_sd**2 * np.exp(-log_weight[:, node, None])
            yield log_share[:, node, None], np.sqrt(self.variance + noise)


@dataclass(frozen=True)
class Conditionals:
    """Each measurement given other ones of the same patient.

    Attributes
    ----------
    others : Predictive
        Given all other measurements of the patient.
    earlier : Predictive
        Given those before it, in the order of the cells: baseline's given nothing.
    distance : array, shape (draw, patient)
        Squared Mahalanobis distance of all measurements of a patient.
    """

    others: Predictive
    earlier: Predictive
    distance: Floats


def conditionals(
    parameters: Hyperparameters, data: Observations, value: Floats, noise_sd: Floats
) -> Conditionals:
    """What each draw says of each measurement from the patient's others.

    Parameters
    ----------
    parameters : Hyperparameters
    data : Observations
    value, noise_sd : array, shape (draw, cell)
        Log values, and SDs of their normal residuals, from
        :func:`mnbayes.models.given_levels.completed`. Where residuals are Student-t or values
        censored, what is said of a cell is given the weights and the censored values of *others*;
        its own are integrated out.

    Returns
    -------
    Conditionals
        Cells in patient, visit, marker order.
    """
    patient, visit, marker = np.nonzero(data.observed)
    n, n_patients = parameters.n_draws, len(data.patients)
    nobody = np.zeros((n, n_patients, 2 * parameters.n_markers))
    expected = levels(parameters, nobody, None, data.covariate)[:, patient, visit, marker]
    error = value - expected
    ends = np.cumsum(data.observed.sum(axis=(1, 2)))
    found = [np.empty(value.shape) for _ in range(4)]
    distance = np.zeros((n, n_patients))
    for patients in alike(data):
        at, of = np.nonzero(data.observed[patients[0]])
        own = np.array([np.arange(ends[i] - at.size, ends[i]) for i in patients])
        cov = cell_covariance(parameters, np.array(data.weeks), at, of, noise_sd[:, own[0]])
        factor = np.linalg.cholesky(cov)
        inverse = np.linalg.inv(factor)
        scaled = inverse @ error[:, own].transpose(0, 2, 1)  # cell by patient
        precision = (inverse**2).sum(axis=1)[..., None]
        last = np.diagonal(factor, axis1=1, axis2=2)[..., None]
        surprise = inverse.transpose(0, 2, 1) @ scaled / precision, last * scaled
        for array, each in zip(found[:2], surprise, strict=True):
            array[:, own] = value[:, own] - each.transpose(0, 2, 1)
        found[2][:, own] = (1 / precision).transpose(0, 2, 1)
        found[3][:, own] = (last**2).transpose(0, 2, 1)
        distance[:, patients] = (scaled**2).sum(axis=1)
    scale = parameters.residual_sd[:, marker]

    def predictive(mean: Floats, variance: Floats) -> Predictive:
        own = np.maximum(variance - noise_sd**2, 0.0)
        return Predictive(mean, own, scale, parameters.residual_df)

    return Conditionals(predictive(found[0], found[2]), predictive(found[1], found[3]), distance)


def log_predictive(predictive: Predictive, data: Observations) -> Floats:
    """Log density of each measurement, log probability of the interval of a censored one.

    Returns
    -------
    array, shape (draw, cell)
    """
    hidden = data.censored[data.observed]
    out = np.empty(predictive.mean.shape)
    exact = ~hidden
    out[:, exact] = cells(predictive, exact).log_density(data.log_value[data.observed][exact])
    if hidden.any():
        low, high = (end[data.observed][hidden] for end in (data.log_lower, data.log_upper))
        out[:, hidden] = cells(predictive, hidden).log_probability(low, high)
    return out


def cells(
    predictive: Predictive, which: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> Predictive:
    """Some of the cells."""
    return Predictive(
        predictive.mean[:, which],
        predictive.variance[:, which],
        predictive.noise_sd[:, which],
        predictive.df,
    )
