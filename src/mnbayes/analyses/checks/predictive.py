"""What a model says of a patient's measurements given the patient's others, in NumPy.

Given a draw of the SDs and correlations all measurements are jointly normal, patients' effects,
drift, and means with normal priors integrated out. Then one measurement given all others, and
those of one patient given the other patients, follow from the diagonal blocks of the inverse
covariance (Sundararajan and Keerthi 2001, doi:10.1162/08997660151134343).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.models.effects import cell_covariance
from mnbayes.models.given_levels import alike
from mnbayes.models.hyperparameters import Hyperparameters
from mnbayes.models.roles import FIXED, integrated
from mnbayes.numerics.designs import fixed_design

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
    """Each measurement given other ones, of all patients.

    Attributes
    ----------
    others : Predictive
        Given all other measurements.
    later : Predictive
        Given the other patients' measurements and the later ones of its own, in the order of the
        cells: the last given the other patients alone.
    distance : array, shape (draw, patient)
        Squared Mahalanobis distance of all measurements of a patient from what the other
        patients say.
    """

    others: Predictive
    later: Predictive
    distance: Floats


@dataclass(frozen=True)
class Means:
    """What is linear in the mean, in the order of :func:`mnbayes.numerics.designs.fixed_design`.

    Attributes
    ----------
    offset, sd : array, shape (draw, fixed)
        Prior mean and SD given the draw; the draw itself and 0 of what is not integrated out.
    """

    offset: Floats
    sd: Floats


def means(card: Card, draws: Mapping[str, Floats], n_visit: int) -> Means:
    """Means of a card's model given draws of the rest; those with normal priors are free.

    Parameters
    ----------
    card : Card
    draws : mapping
        By name, of the top-level parameters that the card has; the draw on the first axis.
    n_visit : int
        After baseline.
    """
    n_draws, n_marker = draws["visit_sd"].shape
    none = np.zeros((n_draws, n_marker))

    def of(name: str) -> tuple[Floats, Floats]:
        if name not in card.parameters:
            return none, none
        if not integrated(card, name):
            return none + draws[name].reshape(n_draws, -1), none
        mean, sd = card.argument_values(name).values()
        return none + mean, none + sd

    of_name = {name: of(name) for name in (*FIXED, "common_change")}
    common = of_name["common_change"]
    if card.structure.shrink:  # the markers' changes deviate from the common one
        of_name["change_mean"] = common[0], none + draws["change_spread"].reshape(n_draws, 1)
    visits = np.tile(draws["visit_sd"], (1, n_visit))
    offset, sd = (np.concatenate([of_name[name][at] for name in FIXED], axis=1) for at in range(2))
    return Means(
        np.concatenate([offset, np.zeros_like(visits), none[:, :1]], axis=1),
        np.concatenate([sd, visits, common[1][:, :1]], axis=1),
    )


@dataclass(frozen=True)
class _Block:
    """Patients of one covariance and design: places of their cells, precision, scaled design."""

    patients: list[int]
    places: NDArray[np.int64]
    precision: Floats
    weighted: Floats
    error: Floats


def _blocks(
    parameters: Hyperparameters, data: Observations, mean: Means, value: Floats, noise_sd: Floats
) -> Iterator[tuple[_Block, Floats]]:
    """Each block, and the scaled design of its cells."""
    ends = np.cumsum(data.observed.sum(axis=(1, 2)))
    n_visit, times = len(data.weeks) - 1, data.times
    for together in alike(data):
        visit, marker = np.nonzero(data.observed[together[0]])
        for covariate in np.unique(data.covariate[together]):
            patients = [i for i in together if data.covariate[i] == covariate]
            places = np.array([np.arange(ends[i] - visit.size, ends[i]) for i in patients])
            own = times[patients[0]]
            cov = cell_covariance(parameters, own, visit, marker, noise_sd[:, places[0]])
            precision = np.linalg.inv(cov)
            design = fixed_design(visit, marker, covariate, parameters.n_markers, n_visit)
            scaled = design * mean.sd[:, None]
            error = (value[:, places] - (mean.offset @ design.T)[:, None]).transpose(0, 2, 1)
            yield _Block(patients, places, precision, precision @ scaled, error), scaled


def conditionals(
    parameters: Hyperparameters, data: Observations, mean: Means, value: Floats, noise_sd: Floats
) -> Conditionals:
    """What each draw says of each measurement from others.

    Parameters
    ----------
    parameters : Hyperparameters
        Of which the SDs and correlations are used.
    data : Observations
    mean : Means
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
    size = mean.sd.shape[1]
    information = np.broadcast_to(np.eye(size), (len(value), size, size)).copy()
    score = np.zeros((len(value), size, 1))
    blocks = []
    for block, scaled in _blocks(parameters, data, mean, value, noise_sd):
        information += len(block.patients) * scaled.transpose(0, 2, 1) @ block.weighted
        score += block.weighted.transpose(0, 2, 1) @ block.error.sum(axis=2, keepdims=True)
        blocks.append(block)
    covariance = np.linalg.inv(information)
    centre = covariance @ score
    others, last = ((np.empty(value.shape), np.empty(value.shape)) for _ in range(2))
    distance = np.zeros((len(value), len(data.patients)))
    for block in blocks:
        gradient = block.precision @ block.error - block.weighted @ centre
        precision = block.precision - block.weighted @ covariance @ block.weighted.transpose(
            0, 2, 1
        )
        factor = np.linalg.cholesky(precision)
        scaled = np.linalg.solve(factor, gradient)  # cell by patient
        pivot = np.diagonal(factor, axis1=1, axis2=2)[..., None]
        diagonal = np.diagonal(precision, axis1=1, axis2=2)[..., None]
        for found, shift, variance in (
            (others, gradient / diagonal, 1 / diagonal),
            (last, scaled / pivot, 1 / pivot**2),
        ):
            found[0][:, block.places] = value[:, block.places] - shift.transpose(0, 2, 1)
            found[1][:, block.places] = variance.transpose(0, 2, 1)
        distance[:, block.patients] = (scaled**2).sum(axis=1)
    scale = parameters.residual_sd[:, np.nonzero(data.observed)[2]]

    def predictive(found: tuple[Floats, Floats]) -> Predictive:
        own = np.maximum(found[1] - noise_sd**2, 0.0)
        return Predictive(found[0], own, scale, parameters.residual_df)

    return Conditionals(predictive(others), predictive(last), distance)


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
