"""What priors say before any data: typical patients, the next patient, and what is implausible.

Nothing is fitted and nothing compiled: parameters are drawn from a card's priors and one new
patient from each, by the functions that also make the prior group of a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mnbayes.answers.categories import classify_course, judge
from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.data.markers import Catalogue, shipped_markers
from mnbayes.models import effects as fx
from mnbayes.models.hyperparameters import hyperparameters_from_draws
from mnbayes.models.likelihood import draw_prior

#: The trial's planned visits, where no cohort says otherwise.
WEEKS = (0.0, 1.0, 2.0, 4.0, 12.0)
#: A probability below 1 % has then a Monte Carlo error of 0.2 points at most.
DRAWS = 4000

#: Most that a prior may put beyond the limits without a word: one in twenty of typical (median)
#: patients, who lie well inside what patients can have; one in ten of single measurements of a
#: single patient, which under a weak prior will be there at times.
TYPICAL_BEYOND, PATIENT_BEYOND = 0.05, 0.1

LEVEL_COLUMNS = (
    *("marker", "week"),
    *("typical_median", "typical_lower", "typical_upper", "typical_below", "typical_above"),
    *("patient_median", "patient_lower", "patient_upper", "patient_below", "patient_above"),
)
RATIO_COLUMNS = ("marker", "week", "median", "lower", "upper", "p_fall", "p_fall_50")
RESPONSE_COLUMNS = ("category", "week", "probability")


@dataclass(frozen=True)
class PriorDraws:
    """Draws from a card's priors alone, natural logs in canonical units.

    Attributes
    ----------
    markers : tuple of str
    weeks : tuple of float
        Visits, baseline (week 0) first.
    catalogue : mapping
        What the markers are.
    typical : array, shape (draw, visit, marker)
        Level of a typical (median) patient.
    patient : array, shape (draw, visit, marker)
        Measurements of the next patient: patient effects and measurement error included, the
        covariate, where there is one, at its mean.
    """

    markers: tuple[str, ...]
    weeks: tuple[float, ...]
    typical: Floats
    patient: Floats
    catalogue: Catalogue = field(default_factory=shipped_markers)


@dataclass(frozen=True)
class PriorPredictive:
    """What a card's priors say, in a clinician's units.

    Attributes
    ----------
    model : str
    draws : PriorDraws
    levels : DataFrame
        Columns :data:`LEVEL_COLUMNS`: median, 95 % interval and the probabilities of lying below
        and above the physiological limits, of a typical patient and of the next one as measured.
    ratios : DataFrame
        Columns :data:`RATIO_COLUMNS`: the typical ratio to baseline at each later visit.
    responses : DataFrame
        Columns :data:`RESPONSE_COLUMNS`: the next patient's probability of each category that the
        model can judge; empty where it can judge none.
    definitions : Definitions
        By which they are judged.
    implausible : tuple of str
        One sentence for each consequence that no clinician would sign.
    """

    model: str
    draws: PriorDraws
    levels: pd.DataFrame
    ratios: pd.DataFrame
    responses: pd.DataFrame
    implausible: tuple[str, ...]
    definitions: Definitions


def prior_draws(
    card: Card, weeks: Sequence[float] = WEEKS, n: int = DRAWS, seed: int = 1
) -> PriorDraws:
    """Draw parameters from a card's priors, and one new patient from each.

    Parameters
    ----------
    card : Card
    weeks : sequence of float
        Visits, baseline (week 0) first.
    n : int
        Number of draws.
    seed : int
        Cards that differ in numbers only share their random numbers under one seed, so that
        a difference between them is no Monte Carlo error.
    """
    rng = np.random.default_rng(seed)
    parameters = hyperparameters_from_draws(
        draw_prior(card, len(weeks) - 1, n, rng), card.structure.correlation
    )
    deviations = fx.prior_deviations(parameters, np.array(weeks, dtype=float), 1, rng)
    level = fx.levels(parameters, *deviations, np.zeros(1))
    typical = np.repeat(parameters.baseline_mean[:, None], len(weeks), axis=1)
    typical[:, 1:] += parameters.visit_change
    patient = fx.measurements(level, parameters, rng)[:, 0]
    return PriorDraws(
        card.markers, tuple(float(week) for week in weeks), typical, patient, card.catalogue
    )


def _quantiles(values: Floats) -> Floats:
    return np.quantile(values, (0.5, 0.025, 0.975), axis=0)


def level_table(draws: PriorDraws) -> pd.DataFrame:
    """Levels of a typical patient and of the next one (:attr:`PriorPredictive.levels`)."""
    rows = []
    for k, marker in enumerate(draws.markers):
        about = draws.catalogue[marker]
        low, high = about.on_scale(np.array([about.limits.lower, about.limits.upper]))
        for t, week in enumerate(draws.weeks):
            row: list[object] = [marker, week]
            for values in (draws.typical[:, t, k], draws.patient[:, t, k]):
                row += [
                    *about.in_units(_quantiles(values)),
                    np.mean(values < low),
                    np.mean(values > high),
                ]
            rows.append(row)
    return pd.DataFrame(rows, columns=list(LEVEL_COLUMNS)).astype({"marker": "str"})


def ratio_table(draws: PriorDraws) -> pd.DataFrame:
    """Typical ratio to baseline at each later visit (:attr:`PriorPredictive.ratios`)."""
    rows = []
    for k, marker in enumerate(draws.markers):
        for t, week in enumerate(draws.weeks[1:], start=1):
            change = draws.typical[:, t, k] - draws.typical[:, 0, k]
            falls = (np.mean(change < 0), np.mean(change <= np.log(0.5)))
            rows.append((marker, week, *np.exp(_quantiles(change)), *falls))
    return pd.DataFrame(rows, columns=list(RATIO_COLUMNS)).astype({"marker": "str"})


def response_table(draws: PriorDraws, definitions: Definitions) -> pd.DataFrame:
    """Probability of each category of the next patient (:attr:`PriorPredictive.responses`)."""
    rows: list[tuple[str, float, float]] = []
    judged = judge(definitions, draws.markers, draws.catalogue)
    if judged.categories:
        levels = {name: draws.patient[:, :, draws.markers.index(name)] for name in judged.markers}
        first = {name: level[:, 0] for name, level in levels.items()}
        met = classify_course(judged, first, {name: level[:, 1:] for name, level in levels.items()})
        rows = [
            (category, week, float(np.mean(met[category][:, t])))
            for t, week in enumerate(draws.weeks[1:])
            for category in judged.categories
        ]
    table = pd.DataFrame(rows, columns=list(RESPONSE_COLUMNS))
    return table.astype({"category": "str", "week": float, "probability": float})


def implausible(levels: pd.DataFrame, known: Catalogue) -> tuple[str, ...]:
    """Say what the priors allow that no patient has.

    Parameters
    ----------
    levels : DataFrame
        From :func:`level_table`.
    known : mapping
        What the markers are.

    Returns
    -------
    tuple of str
        At most one sentence for each marker, side and stage (baseline, later), about the typical
        patient where that is beyond the limits too often, else about the next one.
    """
    sentences = []
    for marker in dict.fromkeys(levels["marker"]):
        of_marker, found = levels[levels["marker"] == marker], known[marker].limits
        for side, bound in (("below", found.lower), ("above", found.upper)):
            baseline_said = False
            for later in (False, True):
                part = of_marker[(of_marker["week"] > 0) == later]
                typical = float(part[f"typical_{side}"].max())
                patient = float(part[f"patient_{side}"].max())
                if baseline_said or part.empty:
                    continue  # later visits start from that baseline
                what = _beyond(typical, patient, later)
                if what is None:
                    continue
                who, share, look = what
                baseline_said = not later
                info = known[marker]
                when = "at a later visit" if later else "at baseline"
                sentences.append(
                    f"{info.label}: {who} lies {side} {bound:g} {info.unit} {when} with "
                    f"probability {100 * share:.0f} %, where no patient is found. Look at {look}."
                )
    return tuple(sentences)


def _beyond(typical: float, patient: float, later: bool) -> tuple[str, float, str] | None:
    """Who is beyond a limit too often, how often, and which priors decide that."""
    if typical > TYPICAL_BEYOND:
        look = "the mean change and visit_sd" if later else "baseline_mean"
        return "a typical patient", typical, look
    if patient > PATIENT_BEYOND:
        spread = "the mean change and change_sd" if later else "baseline_mean and baseline_sd"
        return "the next patient", patient, f"{spread}, then residual_sd"
    return None


def prior_predictive(
    card: Card,
    definitions: Definitions | None = None,
    weeks: Sequence[float] = WEEKS,
    n: int = DRAWS,
    seed: int = 1,
) -> PriorPredictive:
    """What a card's priors say before any data.

    Parameters
    ----------
    card : Card
    definitions : Definitions, optional
        Default: those of the embedded trial.
    weeks : sequence of float
        Visits, baseline (week 0) first.
    n, seed : int
        Number of draws and their seed.

    Returns
    -------
    PriorPredictive
    """
    definitions = load_definitions() if definitions is None else definitions
    with np.errstate(all="ignore"):  # a prior may reach beyond every number; the tables show it
        draws = prior_draws(card, weeks, n, seed)
        levels = level_table(draws)
        return PriorPredictive(
            card.name,
            draws,
            levels,
            ratio_table(draws),
            response_table(draws, definitions),
            implausible(levels, card.catalogue),
            definitions,
        )
