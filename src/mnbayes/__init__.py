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
    from mnbayes.cards import Card as Card
    from mnbayes.cards import load_card as load_card
    from mnbayes.cohort import Cohort as Cohort
    from mnbayes.cohort import load_cohort as load_cohort
    from mnbayes.comparison.runs import Comparison as Comparison
    from mnbayes.comparison.runs import compare_runs as compare_runs
    from mnbayes.definitions import Definitions as Definitions
    from mnbayes.definitions import load_definitions as load_definitions
    from mnbayes.design.plan import Plan as Plan
    from mnbayes.design.plan import plan_counts as plan_counts
    from mnbayes.design.plan import plan_run as plan_run
    from mnbayes.fitting import Fit as Fit
    from mnbayes.fitting import Sampling as Sampling
    from mnbayes.fitting import fit as fit
    from mnbayes.historical.card import load_historical_card as load_historical_card
    from mnbayes.historical.fit import HistoricalResult as HistoricalResult
    from mnbayes.historical.fit import fit_historical as fit_historical
    from mnbayes.historical.table import load_historical as load_historical
    from mnbayes.overrides import with_priors as with_priors
    from mnbayes.pipeline import Job as Job
    from mnbayes.pipeline import run_job as run_job
    from mnbayes.problems import InputError as InputError
    from mnbayes.problems import Problem as Problem
    from mnbayes.published import PublishedResult as PublishedResult
    from mnbayes.published import fit_published as fit_published
    from mnbayes.published import load_facts as load_facts
    from mnbayes.published import load_published_card as load_published_card
    from mnbayes.resources import embedded_cohort as embedded_cohort
    from mnbayes.results import Result as Result
    from mnbayes.results import summarise as summarise
    from mnbayes.sensitivity.multiverse import Multiverse as Multiverse
    from mnbayes.sensitivity.multiverse import run_multiverse as run_multiverse
    from mnbayes.withdrawal.strategies import (
        register_withdrawal_strategy as register_withdrawal_strategy,
    )

_HOME = {
    "Card": "cards",
    "load_card": "cards",
    "Cohort": "cohort",
    "load_cohort": "cohort",
    "Comparison": "comparison.runs",
    "compare_runs": "comparison.runs",
    "Definitions": "definitions",
    "load_definitions": "definitions",
    "Plan": "design.plan",
    "plan_counts": "design.plan",
    "plan_run": "design.plan",
    "Fit": "fitting",
    "Sampling": "fitting",
    "fit": "fitting",
    "HistoricalResult": "historical.fit",
    "fit_historical": "historical.fit",
    "load_historical": "historical.table",
    "load_historical_card": "historical.card",
    "with_priors": "overrides",
    "Job": "pipeline",
    "run_job": "pipeline",
    "InputError": "problems",
    "Problem": "problems",
    "PublishedResult": "published",
    "fit_published": "published",
    "load_facts": "published",
    "load_published_card": "published",
    "embedded_cohort": "resources",
    "Result": "results",
    "summarise": "results",
    "Multiverse": "sensitivity.multiverse",
    "run_multiverse": "sensitivity.multiverse",
    "register_withdrawal_strategy": "withdrawal.strategies",
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
