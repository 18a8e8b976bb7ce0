"""From settings to answers, by the functions that a run uses: no formula of the explorer's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mnbayes.analyses.design.decision import Decision, decide
from mnbayes.analyses.design.rules import rules_for
from mnbayes.analyses.priors.predictive import PriorPredictive, prior_predictive
from mnbayes.analyses.sensitivity.power_scaling import power_scaling
from mnbayes.analyses.withdrawal.enrolled import withdrawal_table
from mnbayes.analyses.withdrawal.strategies import find_strategy
from mnbayes.analyses.withdrawal.tipping import Tipping, tipping
from mnbayes.analyses.withdrawal.unseen import withdrawal_draws
from mnbayes.answers.response_draws import ResponseDraws
from mnbayes.answers.result import Result, base_result, withheld
from mnbayes.base.workers import silent
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.explorer.case import Case
from mnbayes.explorer.settings import Settings
from mnbayes.inference.fit import Fit, fit
from mnbayes.inference.quick_fit import quick_fit
from mnbayes.inference.sampling import Sampling


@dataclass(frozen=True)
class Answered:
    """What settings come to.

    Attributes
    ----------
    settings : Settings
    own : Card
        With its own priors.
    card : Card
        With the priors of the settings.
    definitions : Definitions
    result : Result
        At the visit of the headlines; withheld where the fit failed its gate.
    before : Result
        The same with nothing withheld, for what holds under the prior alone.
    draws : ResponseDraws or None
    settled : bool
        Whether it is what ``mnbayes fit --engine auto`` gives; else of fewer draws.
    """

    settings: Settings
    own: Card
    card: Card
    definitions: Definitions
    result: Result
    before: Result
    draws: ResponseDraws | None
    settled: bool

    @property
    def fit(self) -> Fit:
        """The fit."""
        return self.result.fit


@dataclass(frozen=True)
class Further:
    """What is worked out once the dials are at rest.

    Attributes
    ----------
    decision : Decision or None
    enrolled : DataFrame
        The enrolled patients under missing at random and under the strategy of the settings, as
        in ``withdrawal.csv``; empty where nobody withdrew.
    swept : Tipping or None
    power : DataFrame
        As in ``power_scaling.csv``.
    prior : PriorPredictive
    """

    decision: Decision | None
    enrolled: pd.DataFrame
    swept: Tipping | None
    power: pd.DataFrame
    prior: PriorPredictive


def answer(
    case: Case,
    settings: Settings,
    *,
    settled: bool = True,
    progress: Callable[[str, int, int], None] = silent,
) -> Answered | None:
    """Fit settings and tabulate the headlines.

    Parameters
    ----------
    case : Case
    settings : Settings
    settled : bool
        Whether the draws are those of ``mnbayes fit --engine auto``, with NUTS where the collapsed
        engine cannot be trusted; else those of :func:`mnbayes.inference.quick_fit.quick_fit`.
    progress : callable
        Called with a stage, the steps done and in all.

    Returns
    -------
    Answered or None
        None of a quick answer that there is not: the model is not Gaussian.

    Raises
    ------
    InputError
        As :func:`mnbayes.fit` and :class:`mnbayes.explorer.case.Case` raise it.
    """
    own, card = case.base(settings), case.card(settings)
    definitions, cohort = case.definitions_of(settings), case.cohort_of(settings)
    if settled:
        sampling = Sampling(seed=settings.seed, engine="auto")
        fitted: Fit | None = fit(card, cohort, sampling, progress)
    else:
        fitted = quick_fit(card, cohort, settings.seed)
    if fitted is None:
        return None
    before, drawn = base_result(
        fitted,
        definitions,
        settings.seed,
        headline=True,
        patients=settled,  # the table of patients follows at rest
        allow_unconverged=True,
    )
    result = before if fitted.diagnostics.converged else withheld(before)
    return Answered(settings, own, card, definitions, result, before, drawn, settled)


def further(case: Case, answered: Answered) -> Further:
    """Decision, withdrawal, power scaling and plausibility of an answer."""
    result, definitions, fitted = answered.result, answered.definitions, answered.fit
    rule = rules_for(definitions).rule[0]
    decision = decide(result, rule, definitions)
    enrolled, swept = _withdrawn(case, answered)
    power = pd.DataFrame()
    if not result.withheld:
        power = power_scaling(fitted, answered.draws, result.answers)
    prior = prior_predictive(answered.card, definitions, fitted.observations.weeks)
    return Further(decision, enrolled, swept, power, prior)


def _withdrawn(case: Case, answered: Answered) -> tuple[pd.DataFrame, Tipping | None]:
    """The enrolled under two assumptions, and where a worsening overturns a conclusion."""
    result, definitions = answered.result, answered.definitions
    left = answered.fit.observations.withdrew_week
    nobody = bool(np.isnan(left).all())
    if nobody or result.withheld or result.judged.main not in answered.card.markers:
        return pd.DataFrame(), None
    tree, settings = answered.fit.tree, answered.settings
    now, before = (
        withdrawal_draws(tree, group, left, definitions) for group in ("posterior", "prior")
    )
    chosen = case.strategy_of(settings)
    strategies = [find_strategy("mar"), *([chosen] if chosen.name != "mar" else [])]
    week = now.primary_week
    table = withdrawal_table(now, before, definitions, result.name, strategies, week)
    return table, tipping(now, before, definitions, result.name)
