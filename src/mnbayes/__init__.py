"""Bayesian models of tiny single-arm trials.

>>> import mnbayes as mn
>>> cohort = mn.load_cohort("data/cohort")
>>> fitted = mn.fit(mn.load_card("remission"), cohort)
>>> result = mn.summarise(fitted, mn.load_definitions())
>>> result.probabilities

Names load their modules when first used, so that the import is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnbayes.analyses.comparison.runs import Comparison as Comparison
    from mnbayes.analyses.comparison.runs import compare_runs as compare_runs
    from mnbayes.analyses.design.plan import Plan as Plan
    from mnbayes.analyses.design.plan import plan_counts as plan_counts
    from mnbayes.analyses.design.plan import plan_run as plan_run
    from mnbayes.analyses.historical.card import load_historical_card as load_historical_card
    from mnbayes.analyses.historical.fit import HistoricalResult as HistoricalResult
    from mnbayes.analyses.historical.fit import fit_historical as fit_historical
    from mnbayes.analyses.historical.table import load_historical as load_historical
    from mnbayes.analyses.published.card import load_published_card as load_published_card
    from mnbayes.analyses.published.fit import fit_published as fit_published
    from mnbayes.analyses.published.load_facts import load_facts as load_facts
    from mnbayes.analyses.published.result import PublishedResult as PublishedResult
    from mnbayes.analyses.sensitivity.multiverse import Multiverse as Multiverse
    from mnbayes.analyses.sensitivity.multiverse import run_multiverse as run_multiverse
    from mnbayes.analyses.summarise import summarise as summarise
    from mnbayes.analyses.withdrawal.strategies import (
        register_withdrawal_strategy as register_withdrawal_strategy,
    )
    from mnbayes.answers.result import Result as Result
    from mnbayes.base.problems import InputError as InputError
    from mnbayes.base.problems import Problem as Problem
    from mnbayes.base.resources import embedded_cohort as embedded_cohort
    from mnbayes.cards.card import Card as Card
    from mnbayes.cards.card import load_card as load_card
    from mnbayes.cards.definitions import Definitions as Definitions
    from mnbayes.cards.definitions import load_definitions as load_definitions
    from mnbayes.cards.overrides import with_priors as with_priors
    from mnbayes.data.cohort import Cohort as Cohort
    from mnbayes.data.cohort import load_cohort as load_cohort
    from mnbayes.inference.fit import Fit as Fit
    from mnbayes.inference.fit import Sampling as Sampling
    from mnbayes.inference.fit import fit as fit
    from mnbayes.pipeline import Job as Job
    from mnbayes.pipeline import run_job as run_job

_HOME = {
    "Card": "cards.card",
    "load_card": "cards.card",
    "Cohort": "data.cohort",
    "load_cohort": "data.cohort",
    "Comparison": "analyses.comparison.runs",
    "compare_runs": "analyses.comparison.runs",
    "Definitions": "cards.definitions",
    "load_definitions": "cards.definitions",
    "Plan": "analyses.design.plan",
    "plan_counts": "analyses.design.plan",
    "plan_run": "analyses.design.plan",
    "Fit": "inference.fit",
    "Sampling": "inference.fit",
    "fit": "inference.fit",
    "HistoricalResult": "analyses.historical.fit",
    "fit_historical": "analyses.historical.fit",
    "load_historical": "analyses.historical.table",
    "load_historical_card": "analyses.historical.card",
    "with_priors": "cards.overrides",
    "Job": "pipeline",
    "run_job": "pipeline",
    "InputError": "base.problems",
    "Problem": "base.problems",
    "PublishedResult": "analyses.published.result",
    "fit_published": "analyses.published.fit",
    "load_facts": "analyses.published.load_facts",
    "load_published_card": "analyses.published.card",
    "embedded_cohort": "base.resources",
    "Result": "answers.result",
    "summarise": "analyses.summarise",
    "Multiverse": "analyses.sensitivity.multiverse",
    "run_multiverse": "analyses.sensitivity.multiverse",
    "register_withdrawal_strategy": "analyses.withdrawal.strategies",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mnbayes' has no attribute {name!r}")
    value = getattr(import_module(f"mnbayes.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
