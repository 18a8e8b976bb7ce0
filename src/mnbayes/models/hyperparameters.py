"""Hyperparameters: draws of what describes a population of patients, by array.

One record for all that needs them: patients' effects and levels, the likelihood, answers about
the next patient and the share of patients, studies. The sampler's draws become one here, those of
a posterior tree in :func:`mnbayes.inference.contract.hyperparameters_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.models.correlation import Kind, all_partials


@dataclass(frozen=True)
class Hyperparameters:
    """Draws of the population's parameters; the first axis of every array is the draw.

    Attributes
    ----------
    baseline_mean, baseline_sd, change_sd, residual_sd : array, shape (draw, marker)
        Log scale.
    visit_change : array, shape (draw, visit - 1, marker)
    slope : array, shape (draw, marker)
        Of the covariate; 0 without one.
    cholesky : array, shape (draw, effect, effect)
        Of the correlation matrix of the patient effects: the markers' baselines, then their
        changes.
    serial_sd : array, shape (draw, marker)
        0 where the model has no drift.
    serial_weeks : array, shape (draw,)
    residual_df : array, shape (draw,)
        inf for normal residuals.
    """

    baseline_mean: Floats
    visit_change: Floats
    slope: Floats
    baseline_sd: Floats
    change_sd: Floats
    residual_sd: Floats
    cholesky: Floats
    serial_sd: Floats
    serial_weeks: Floats
    residual_df: Floats

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return int(self.baseline_mean.shape[0])

    @property
    def n_markers(self) -> int:
        """Number of markers."""
        return int(self.baseline_mean.shape[1])

    @property
    def effect_cholesky(self) -> Floats:
        """Cholesky factor of the effects' covariance, shape (draw, effect, effect)."""
        sd = np.concatenate([self.baseline_sd, self.change_sd], axis=1)
        return sd[:, :, None] * self.cholesky

    @property
    def serial(self) -> bool:
        """Whether the model has a drift."""
        return bool(self.serial_sd.any())

    @property
    def student(self) -> bool:
        """Whether residuals are Student-t."""
        return bool(np.isfinite(self.residual_df).all())

    def rows(self, which: slice) -> Hyperparameters:
        """Some of the draws."""
        return Hyperparameters(
            **{each.name: getattr(self, each.name)[which] for each in fields(self)}
        )

    def at_visit(self, later: int) -> Hyperparameters:
        """One of the later visits alone."""
        return replace(self, visit_change=self.visit_change[:, [later]])

    def of_markers(self, columns: Sequence[int]) -> Hyperparameters:
        """Some of the markers, in the order that is wanted."""
        at = list(columns)
        factor = self.cholesky[:, [*at, *(self.n_markers + column for column in at)]]
        if len(at) < self.n_markers:
            factor = np.linalg.cholesky(factor @ factor.transpose(0, 2, 1))
        return replace(
            self,
            baseline_mean=self.baseline_mean[:, at],
            visit_change=self.visit_change[:, :, at],
            slope=self.slope[:, at],
            baseline_sd=self.baseline_sd[:, at],
            change_sd=self.change_sd[:, at],
            residual_sd=self.residual_sd[:, at],
            cholesky=factor,
            serial_sd=self.serial_sd[:, at],
        )


def cholesky_from_unit(unit: Floats, size: int) -> Floats:
    """Cholesky factors of correlation matrices from unit-interval partial correlations.

    Vectorised twin of :func:`mnbayes.numerics.correlation_factor.correlation_cholesky`.

    Parameters
    ----------
    unit : array, shape (draw, size * (size - 1) / 2)

    Returns
    -------
    array, shape (draw, size, size)
    """
    partial = 2.0 * unit - 1.0
    factor = np.zeros((unit.shape[0], size, size))
    position = 0
    for i in range(size):
        left = np.ones(unit.shape[0])
        for j in range(i):
            r = partial[:, position]
            factor[:, i, j] = r * np.sqrt(left)
            left = left * (1.0 - r * r)
            position += 1
        factor[:, i, i] = np.sqrt(left)
    return factor


def hyperparameters_from_draws(
    draws: Mapping[str, Floats], correlation: Kind = "all"
) -> Hyperparameters:
    """Arrange sampled or simulated top-level draws (first axis: draw).

    Parameters
    ----------
    draws : mapping
        By the names of the model's random variables, ``correlation_unit`` among them, and
        ``visit_offset`` or what it makes, ``visit_change``.
    correlation : {"all", "changes", "within"}
        Which correlations ``correlation_unit`` holds.
    """
    mean = draws["baseline_mean"]
    zeros = np.zeros_like(mean)
    n_marker = mean.shape[1]
    unit = all_partials(draws["correlation_unit"], correlation, n_marker)
    change = draws.get("visit_change")
    if change is None:
        change = draws["change_mean"][:, None] + draws["visit_sd"][:, None] * draws["visit_offset"]
    return Hyperparameters(
        baseline_mean=mean,
        visit_change=change,
        slope=draws.get("covariate_slope", zeros),
        baseline_sd=draws["baseline_sd"],
        change_sd=draws["change_sd"],
        residual_sd=draws["residual_sd"],
        cholesky=cholesky_from_unit(unit, 2 * n_marker),
        serial_sd=draws.get("serial_sd", zeros),
        serial_weeks=draws.get("serial_weeks", np.ones(mean.shape[0])),
        residual_df=draws.get("residual_df", np.full(mean.shape[0], np.inf)),
    )
