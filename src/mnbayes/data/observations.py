"""A cohort as the arrays a longitudinal model works on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.data.cohort import Cohort
from mnbayes.data.markers import Catalogue, shipped_markers
from mnbayes.data.visits import SAME
from mnbayes.numerics.groups import Groups, group_patients


class Shape(Protocol):
    """What of a model's structure decides how measurements are arranged."""

    @property
    def residual(self) -> str:
        """Family of the residuals."""

    @property
    def correlation(self) -> str:
        """Which patient effects are correlated."""

    @property
    def covariate(self) -> str:
        """Column of the patients' table; blank for none."""

    @property
    def drift(self) -> bool:
        """Whether patients have deviations that are correlated in time."""


class ModelNeeds(Protocol):
    """What a model asks of a cohort: a card has all of it."""

    @property
    def name(self) -> str:
        """Name of the model, for messages."""

    @property
    def markers(self) -> tuple[str, ...]:
        """Markers, in the model's order."""

    @property
    def structure(self) -> Shape:
        """The model's structure."""


@dataclass(frozen=True)
class Observations:
    """Values of a model's markers over patients and visits, on the models' scale.

    Attributes
    ----------
    markers, patients : tuple of str
    weeks : tuple of float
        Planned visits, baseline (week 0) first: those of the mean.
    log_value : array, shape (patient, visit, marker)
        Natural logs in canonical units, log odds of percentages (scale "logit"); nan where
        missing or censored.
    log_lower, log_upper : array, shape (patient, visit, marker)
        Interval of a censored value (-inf or inf where open); nan elsewhere.
    covariate : array, shape (patient,)
        Centred; zeros where the model has none.
    covariate_mean : float
        What was subtracted.
    withdrew_week : array, shape (patient,)
        nan where not withdrawn.
    weights : bool
        Whether residuals are Student-t, so that every cell has a weight.
    left_out : tuple of str
        Sentences that count and name the rows this model does not use.
    separate : bool
        Whether a patient's markers are independent given the mean changes.
    catalogue : mapping
        What the markers are.
    own_times : array, shape (patient, visit), or None
        See :attr:`times`. None where all are the planned weeks, or the model has no correlation
        in time.
    """

    markers: tuple[str, ...]
    patients: tuple[str, ...]
    weeks: tuple[float, ...]
    log_value: Floats
    log_lower: Floats
    log_upper: Floats
    covariate: Floats
    covariate_mean: float
    withdrew_week: Floats
    weights: bool
    left_out: tuple[str, ...]
    separate: bool = False
    catalogue: Catalogue = field(default_factory=shipped_markers)
    own_times: Floats | None = None

    @property
    def times(self) -> Floats:
        """Weeks at which a patient came, those of the correlation in time; (patient, visit).

        The planned week where nothing was measured.
        """
        if self.own_times is not None:
            return self.own_times
        return np.tile(np.array(self.weeks), (len(self.patients), 1))

    @property
    def censored(self) -> NDArray[np.bool_]:
        """Where a value is an interval, shape (patient, visit, marker)."""
        return ~np.isnan(self.log_lower)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Where there is a value or an interval, shape (patient, visit, marker)."""
        return np.isfinite(self.log_value) | self.censored

    @property
    def recorded(self) -> Floats:
        """Log values; of a censored one its limit, of an interval the middle; nan where missing.

        Shape (patient, visit, marker).
        """
        low, high = self.log_lower, self.log_upper
        with np.errstate(invalid="ignore"):
            middle = (low + high) / 2
        limit = np.where(np.isinf(high), low, np.where(np.isinf(low), high, middle))
        return np.where(self.censored, limit, self.log_value)

    @property
    def odds(self) -> bool:
        """Whether a marker is a percentage, whose changes are odds ratios."""
        return any(self.catalogue[name].scale == "logit" for name in self.markers)

    def in_units(self, cells: Floats) -> Floats:
        """Values of the measured cells, in their order, in the markers' units."""
        marker, out = np.nonzero(self.observed)[2], np.empty(len(cells))
        for k, name in enumerate(self.markers):
            out[marker == k] = self.catalogue[name].in_units(cells[marker == k])
        return out

    @cached_property
    def groups(self) -> Groups:
        """The observations as sufficient statistics for the kernel."""
        return group_patients(
            self.log_value,
            self.censored,
            self.covariate,
            self.times,
            one_each=self.weights or bool(self.censored.any()),
            # Weights are numbered patient by patient, so they keep a patient's markers together.
            by_marker=self.separate and not self.weights,
        )


def _left_out(card: ModelNeeds, cohort: Cohort) -> tuple[str, ...]:
    counts = Counter(cohort.measurements["marker"].tolist())
    rows = [
        f"{count} of {marker}" for marker, count in counts.items() if marker not in card.markers
    ]
    if not rows:
        return ()
    return (f"Rows of markers that the model {card.name} does not use: {', '.join(rows)}.",)


def _covariate(card: ModelNeeds, cohort: Cohort) -> Floats:
    name = card.structure.covariate
    if not name:
        return np.zeros(len(cohort.patients))
    numbers = cohort.patients.select_dtypes("number").drop(columns="withdrew_week", errors="ignore")
    known = [str(column) for column in numbers if numbers[column].notna().any()]
    if name not in numbers:
        expected = (
            f"a column of the patients' table that holds numbers: {', '.join(known)}"
            f"{did_you_mean(name, known)}"
            if known
            else "a column of numbers in the patients' table, which has none"
        )
        raise InputError([Problem(card.name, None, "structure.covariate", repr(name), expected)])
    values = cohort.patients[name].to_numpy(dtype=float, na_value=np.nan)
    if np.isnan(values).any():
        missing = cohort.patients["patient"][np.isnan(values)].tolist()
        raise InputError(
            [
                Problem(
                    "patients.csv",
                    None,
                    name,
                    f"blank for {', '.join(missing)}",
                    f"a number for every patient, since the model {card.name} uses it",
                )
            ]
        )
    return values


def _places(column: pd.Series[Any], labels: Sequence[object]) -> NDArray[np.int64]:
    """Where each value stands among the labels."""
    place = {label: position for position, label in enumerate(labels)}
    return np.array([place[value] for value in column.tolist()], dtype=np.int64)


def _own_times(
    rows: pd.DataFrame, patients: Sequence[str], weeks: Sequence[float]
) -> Floats | None:
    """When patients came to the visits, the mean over the markers; see :attr:`Observations.times`.

    Times nearer than an hour to the planned ones are these. So are all of a patient whose visits
    would otherwise be at one time.
    """
    if "actual_week" not in rows:
        return None
    # As planned, as most often: without the table, which takes longer than all the rest.
    if not ((rows["actual_week"] - rows["week"]).abs() > SAME).any():
        return None
    came = rows.pivot_table("actual_week", "patient", "week")
    came = came.reindex(index=list(patients), columns=list(weeks))
    planned = np.tile(np.array(weeks), (len(patients), 1))
    own = came.to_numpy(dtype=float, na_value=np.nan)
    own = np.where(abs(own - planned) > SAME, own, planned)  # not where it is nan
    own = np.where((np.diff(own) > SAME).all(axis=1, keepdims=True), own, planned)
    return None if np.array_equal(own, planned) else own


def observations(card: ModelNeeds, cohort: Cohort) -> Observations:
    """Arrange a cohort for a card's model.

    Raises
    ------
    InputError
        If the cohort lacks a marker of the card, has fewer than two patients or no visit
        after baseline, or lacks the card's covariate.
    """
    rows = cohort.measurements[cohort.measurements["marker"].isin(card.markers)]
    present = set(rows["marker"])
    problems = [
        Problem(
            "measurements.csv",
            None,
            "marker",
            "no row",
            f"{marker}, which the model {card.name} needs",
        )
        for marker in card.markers
        if marker not in present
    ]
    measured = rows["patient"].nunique()
    if present and measured < 2:
        expected = "at least two patients: one says nothing of the spread between patients"
        problems.append(Problem("measurements.csv", None, "patient", f"{measured}", expected))
    weeks = tuple(sorted({0.0, *rows["week"].astype(float)}))
    if len(weeks) < 2:
        problems.append(
            Problem(
                "measurements.csv",
                None,
                "week",
                "only week 0",
                f"at least one visit after baseline: the model {card.name} is one of change",
            )
        )
    if problems:
        raise InputError(problems)

    patients = tuple(str(p) for p in cohort.patients["patient"])
    shape = (len(patients), len(weeks), len(card.markers))
    position = tuple(
        _places(rows[column], labels)
        for column, labels in zip(
            ("patient", "week", "marker"), (patients, weeks, card.markers), strict=True
        )
    )
    arrays = {}
    for column in ("value", "lower", "upper"):
        array = np.full(shape, np.nan)
        array[position] = rows[column].to_numpy(dtype=float, na_value=np.nan)
        for k, marker in enumerate(card.markers):
            array[..., k] = cohort.catalogue[marker].on_scale(array[..., k])
        arrays[column] = array
    covariate = _covariate(card, cohort)
    return Observations(
        markers=card.markers,
        patients=patients,
        weeks=weeks,
        log_value=arrays["value"],
        log_lower=arrays["lower"],
        log_upper=arrays["upper"],
        covariate=covariate - covariate.mean(),
        covariate_mean=float(covariate.mean()),
        withdrew_week=cohort.patients["withdrew_week"].to_numpy(dtype=float, na_value=np.nan),
        weights=card.structure.residual == "student_t",
        left_out=_left_out(card, cohort),
        separate=card.structure.correlation == "within",
        catalogue=cohort.catalogue,
        own_times=_own_times(rows, patients, weeks) if card.structure.drift else None,
    )
