"""One replicate: a cohort of a scenario, its fit, and what each judge needs to know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnbayes.analyses.characteristics.judges import Judge, called
from mnbayes.analyses.characteristics.parts import MARKERS, WEEKS, Simulated
from mnbayes.analyses.characteristics.patients import patient_columns, patients_told, told
from mnbayes.analyses.characteristics.readings import counted, wilcoxon_fall
from mnbayes.analyses.characteristics.scenarios import Scenario
from mnbayes.analyses.design.decision import support
from mnbayes.answers.categories import judge as judging
from mnbayes.answers.population import patient_dims, population_share
from mnbayes.answers.response_draws import POINTS, POINTS_SEED
from mnbayes.base.arrays import Floats
from mnbayes.base.montecarlo import normal_points
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import ALBUMIN, PROTEIN, Category, Definitions
from mnbayes.data.observations import Observations
from mnbayes.inference.study_fits import StudyFit, study_fit
from mnbayes.models.hyperparameters import Hyperparameters, hyperparameters_from_draws

#: Equally weighted draws of a fit.
DRAWS = 500
#: Ends of the 95 % equal-tailed interval, and the median.
QUANTILES = (0.025, 0.5, 0.975)

#: Results of a replicate besides those of the rules and of the patients. ``log_*``: median and
#: 95 % interval of the log GMR of protein at the last visit. ``withheld``: why the fit says
#: nothing; blank where it does. ``wilcoxon``: one-sided P; ``effective`` of ``evaluable``: the
#: count.
COLUMNS: Mapping[str, type] = {
    "log_lower": float,
    "log_median": float,
    "log_upper": float,
    "pareto_k": float,
    "effective_draws": float,
    "withheld": str,
    "wilcoxon": float,
    "effective": int,
    "evaluable": int,
}


def rule_columns(name: str) -> tuple[str, str]:
    """Names of a rule's two probabilities: significance, relevance."""
    return f"significance of {name}", f"relevance of {name}"


@dataclass(frozen=True)
class Setting:
    """What every replicate of a study shares.

    Attributes
    ----------
    card : Card
    definitions : Definitions
    rules : tuple of Judge
    scenarios : dict
        By name.
    """

    card: Card
    definitions: Definitions
    rules: tuple[Judge, ...]
    scenarios: Mapping[str, Scenario]

    @property
    def columns(self) -> dict[str, type]:
        """Results of a replicate and their kinds."""
        named = [name for judge in self.rules for name in rule_columns(judge.name)]
        return {**COLUMNS, **dict.fromkeys(named, float), **patient_columns(told(self.card))}


def replicate(
    stream: np.random.SeedSequence, parameters: Mapping[str, Any], setting: Setting
) -> dict[str, Any]:
    """Simulate a cohort, fit it, and ask every judge.

    Parameters
    ----------
    stream : SeedSequence
        The cohort and the fit have streams of their own: other cards and priors see the same
        cohorts.
    parameters : mapping
        ``scenario`` and ``patients``.
    setting : Setting
    """
    data, fit = (np.random.default_rng(child) for child in stream.spawn(2))
    cohort = setting.scenarios[parameters["scenario"]].simulate(parameters["patients"], data)
    first, last = cohort.measured[:, 0, 0], cohort.measured[:, -1, 0]
    effective, evaluable = counted(first, last, setting.definitions)
    found: dict[str, Any] = dict.fromkeys(setting.columns)
    found |= {
        "wilcoxon": wilcoxon_fall(np.exp(first), np.exp(last)),
        "effective": effective,
        "evaluable": evaluable,
    }
    try:
        fitted = study_fit(setting.card, observed(cohort, setting.card), fit, DRAWS)
    except np.linalg.LinAlgError as error:
        # The fit failed, not the replicate: the tests beside it have their answers.
        return found | {"withheld": f"LinAlgError: {error}"}
    found |= {
        "pareto_k": fitted.pareto_k,
        "effective_draws": fitted.effective,
        "withheld": fitted.doubt,
    }
    if fitted.doubt:
        return found
    of_patients = patients_told(fitted.draws["level"], cohort, setting.card, setting.definitions)
    return found | judged(fitted, setting) | of_patients


def observed(cohort: Simulated, card: Card) -> Observations:
    """A simulated cohort as a card's observations."""
    values = cohort.measured[..., [MARKERS.index(marker) for marker in card.markers]]
    n, nothing = len(values), np.full(values.shape, np.nan)
    return Observations(
        markers=card.markers,
        patients=("",) * n,
        weeks=WEEKS,
        log_value=np.ascontiguousarray(values),
        log_lower=nothing,
        log_upper=nothing,
        covariate=np.zeros(n),
        covariate_mean=0.0,
        withdrew_week=np.full(n, np.nan),
        weights=False,
        left_out=(),
        separate=card.structure.correlation == "within",
    )


def judged(fitted: StudyFit, setting: Setting) -> dict[str, float]:
    """Estimates and the rules' probabilities of a fit."""
    card = setting.card
    population = hyperparameters_from_draws(fitted.draws, card.structure.correlation)
    last = population.visit_change[:, -1, card.markers.index(PROTEIN)]
    ends = dict(
        zip(("log_lower", "log_median", "log_upper"), np.quantile(last, QUANTILES), strict=True)
    )
    found: dict[str, float] = {name: float(value) for name, value in ends.items()}
    # Two rules may ask for categories of one visit, and those come together.
    visits = {judge.visit for judge in setting.rules if judge.quantity == "share"}
    shares = {visit: shares_at(population, visit, card, setting.definitions) for visit in visits}
    for judge in setting.rules:
        if judge.quantity == "share":
            draws = shares[judge.visit][called(judge)]
        else:
            at = judge.visit - 1, card.markers.index(judge.marker)
            draws = np.exp(population.visit_change[:, *at])
        means = (float(event.mean()) for event in support(draws, judge.criteria))
        found |= dict(zip(rule_columns(judge.name), means, strict=True))
    return found


def shares_at(
    population: Hyperparameters, visit: int, card: Card, definitions: Definitions
) -> Mapping[Category, Floats]:
    """Draws of the share of such patients in each category at a visit."""
    if ALBUMIN not in card.markers:
        effective = fall_share(
            population, visit, definitions.threshold("effective", PROTEIN, "fall_at_least")
        )
        return {"effective": effective, "none": 1 - effective}
    # Protein first, albumin second, as the shares ask for.
    order = [card.markers.index(marker) for marker in (PROTEIN, ALBUMIN)]
    one, week = population.at_visit(visit - 1).of_markers(order), np.array([WEEKS[visit]])
    normals = normal_points(POINTS, patient_dims(one), POINTS_SEED)
    return population_share(
        one, week, judging(definitions, (PROTEIN, ALBUMIN), card.catalogue), normals
    )


def fall_share(population: Hyperparameters, visit: int, fall: float) -> Floats:
    """Share of such patients whose true level falls by at least a share, in closed form.

    Without albumin in the model the definition is the fall alone, and a patient's log change is
    normal: what :func:`mnbayes.answers.population.population_share` integrates over points.
    """
    from scipy.special import ndtr

    # Of one marker: its drift at baseline and at the visit are part of the change.
    apart = 1 - np.exp(-WEEKS[visit] / population.serial_weeks)
    drift = 2 * population.serial_sd[:, 0] ** 2 * apart
    sd = np.sqrt(population.change_sd[:, 0] ** 2 + drift)
    share: Floats = ndtr((np.log1p(-fall) - population.visit_change[:, visit - 1, 0]) / sd)
    return share
