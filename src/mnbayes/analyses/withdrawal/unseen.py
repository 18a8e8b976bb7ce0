"""A fit's draws as withdrawal strategies see them, and what a strategy makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from mnbayes.answers.response_draws import judge_of
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.data.markers import Catalogue, Marker, shipped_markers
from mnbayes.inference.contract import (
    CELLS,
    catalogue,
    level,
    predicted,
    primary_week,
    recorded,
)

type BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class WithdrawalDraws:
    """Draws of one group of a fit, the posterior or the prior, as strategies see them.

    Attributes
    ----------
    patients, markers : tuple of str
        All enrolled patients; the markers that the definitions ask for and the model has, the
        main one first.
    weeks : tuple of float
        Visits, baseline first.
    primary_week : float
        The one of them that the report's headlines are about.
    level : array, shape (..., patient, visit, marker)
        True log levels; missing at random where nothing was measured. ``...`` is (chain, draw).
    measured : array, shape (..., patient, visit, marker)
        Log measurements, NaN where there is none. Of the posterior: the records, the same in
        every draw (a censored one is a replicate cut to its interval). Of the prior, which
        knows no records: measurements that it predicts at the same visits.
    seen : array of bool, shape (patient, visit, marker)
        Measured, exactly or censored.
    withdrew_week : array, shape (patient,)
        NaN where not withdrawn.
    catalogue : mapping
        What the markers are.
    """

    patients: tuple[str, ...]
    markers: tuple[str, ...]
    weeks: tuple[float, ...]
    primary_week: float
    level: Floats
    measured: Floats
    seen: BoolArray
    withdrew_week: Floats
    catalogue: Catalogue = field(default_factory=shipped_markers)

    @property
    def main(self) -> Marker:
        """The first marker: whether it was measured says whether a visit was seen."""
        return self.catalogue[self.markers[0]]

    @property
    def after(self) -> BoolArray:
        """Visits after a withdrawal, shape (patient, visit)."""
        late = np.asarray(self.weeks) >= self.withdrew_week[:, None]
        later = np.arange(len(self.weeks)) > 0  # a ratio to baseline needs the baseline
        return np.asarray(late & later & ~self.seen[..., 0])

    @property
    def open(self) -> BoolArray:
        """Levels that a strategy may alter, shape (patient, visit, marker)."""
        return np.asarray(self.after[..., None] & ~self.seen)

    def only(self, weeks: Sequence[float]) -> WithdrawalDraws:
        """The same at some of the visits."""
        at = [self.weeks.index(week) for week in weeks]
        return replace(
            self,
            weeks=tuple(weeks),
            level=self.level[..., at, :],
            measured=self.measured[..., at, :],
            seen=self.seen[:, at],
        )


@dataclass(frozen=True)
class Outcome:
    """What a strategy makes of the draws.

    Attributes
    ----------
    level : array, shape (..., patient, visit, marker)
        True log levels under the strategy.
    no_response : array of bool that broadcasts to (..., patient, visit), or None
        Where a patient counts as no response whatever the level. Such a patient has no level
        to average either: a geometric mean ratio over all patients is then left blank.
    """

    level: Floats
    no_response: BoolArray | None = None


def withdrawal_draws(
    tree: xr.DataTree,
    group: str = "posterior",
    withdrew_week: ArrayLike | None = None,
    definitions: Definitions | None = None,
) -> WithdrawalDraws:
    """The draws of a fit that strategies work on.

    Parameters
    ----------
    tree : DataTree
        A fit with the main marker of the definitions.
    group : {"posterior", "prior"}
    withdrew_week : array_like, shape (patient,), optional
        NaN where not withdrawn; default: the fit's ``constant_data``.
    definitions : Definitions, optional
        Default: those of the embedded trial.

    Returns
    -------
    WithdrawalDraws
        Shape (chain, draw, ...).
    """
    data = recorded(tree)
    known = labels(data["marker"])
    judged = judge_of(tree, load_definitions() if definitions is None else definitions)
    markers = [name for name in judged.definitions.markers if name in known]

    def cells(draws: xr.DataArray) -> Floats:
        return array(draws.sel(marker=markers), *CELLS)

    value, lower, upper = (cells(data[name]) for name in ("log_value", "log_lower", "log_upper"))
    seen = ~(np.isnan(value) & np.isnan(lower) & np.isnan(upper))
    measured = cells(predicted(tree, group))
    if group == "posterior":
        low = np.where(np.isnan(lower), -np.inf, lower)
        high = np.where(np.isnan(upper), np.inf, upper)
        measured = np.where(np.isnan(value), np.clip(measured, low, high), value)
    if withdrew_week is None:
        withdrew_week = tree["constant_data"]["withdrew_week"].to_numpy()
    return WithdrawalDraws(
        patients=tuple(labels(data["patient"])),
        markers=tuple(markers),
        weeks=tuple(array(data["visit"]).tolist()),
        primary_week=primary_week(tree),
        level=cells(level(tree, group)),
        measured=np.where(seen, measured, np.nan),
        seen=seen,
        withdrew_week=np.asarray(withdrew_week, dtype=float),
        catalogue=catalogue(tree),
    )
