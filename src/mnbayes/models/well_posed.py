"""Refuse, before anything is sampled, what a model can only answer out of its priors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.cards import families as priors
from mnbayes.cards.card import Card, prior_name
from mnbayes.cards.parameters import PARAMETERS
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import Observations, observations

#: A prior may leave a thousandth beyond a factor of e^50 (5e21): further out levels overflow.
_TAIL, _FARTHEST = 0.001, 50.0
#: A Student-t of fewer degrees of freedom than 1 has no mean: at most so much of a prior.
_HEAVIEST, _BELOW_ONE = 1.0, 0.1


def well_posed(card: Card, cohort: Cohort) -> Observations:
    """Arrange a cohort for a card, or say everything that makes the fit meaningless.

    Parameters
    ----------
    card : Card
        With the priors to use.
    cohort : Cohort

    Raises
    ------
    InputError
        If the cohort lacks what the card needs; if a marker has no baseline in any patient, or
        never varies within a patient; if a prior allows numbers that overflow, or residuals
        without a mean.
    """
    with gathered() as attempt:
        data = attempt(observations, card, cohort)
        attempt(_refuse, _of_priors(card))
        if data is not None:
            attempt(_refuse, _of_data(data))
    return data


def _refuse(problems: Iterable[Problem]) -> None:
    if found := list(problems):
        raise InputError(found)


def _of_data(data: Observations) -> Iterable[Problem]:
    seen = data.observed
    for k, marker in enumerate(data.markers):
        if not seen[:, 0, k].any():
            expected = (
                f"a baseline of {marker} (week 0) in at least one patient: without one every ratio "
                "to baseline would come out of a prior"
            )
            found = f"no {marker} at week 0"
            yield Problem("measurements.csv", None, "week", found, expected)
        value = data.log_value[..., k]
        if data.censored[..., k].any():
            continue
        several = [row[np.isfinite(row)] for row in value if np.isfinite(row).sum() > 1]
        if several and all(np.ptp(row) < 1e-9 for row in several):
            expected = (
                "values that differ between a patient's visits, as measured and not copied: the "
                "residual SD is that of their differences"
            )
            found = f"{marker} is the same at every visit of each patient"
            yield Problem("measurements.csv", None, "value", found, expected)


def _of_priors(card: Card) -> Iterable[Problem]:
    for parameter in card.parameters:
        if parameter == "correlation":
            continue
        kind = PARAMETERS[parameter][0]
        for marker, spec in card.prior[parameter].items():
            where = f"priors.{prior_name(parameter, marker, card.markers)}"

            def problem(expected: str, where: str = where, found: str = spec.formula) -> Problem:
                return Problem(card.name, None, where, found, expected)

            if parameter == "residual_df":
                below = float(priors.cdf(spec.distribution, spec.arguments, _HEAVIEST))
                if below > _BELOW_ONE:
                    yield problem(
                        f"at most {_BELOW_ONE:.0%} below {_HEAVIEST:g} degree of freedom (here "
                        f"{below:.0%}): such residuals have no mean, and repeats overflow"
                    )
            elif kind in ("level", "change", "sd"):
                ends = priors.quantile(spec.distribution, spec.arguments, [_TAIL, 1.0 - _TAIL])
                farthest = float(np.abs(ends).max())
                if not farthest <= _FARTHEST:
                    yield problem(
                        f"{1 - 2 * _TAIL:.1%} of it within a factor of e^{_FARTHEST:g} (here "
                        f"e^{farthest:.3g}): values of a log scale beyond that overflow"
                    )
