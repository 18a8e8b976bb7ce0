"""Withdrawal of one model: the enrolled under each strategy, and the tipping point."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from mnbayes.analyses.withdrawal.enrolled import LABELS, withdrawal_table
from mnbayes.analyses.withdrawal.tipping import Tipping, tipping
from mnbayes.analyses.withdrawal.unseen import withdrawal_draws
from mnbayes.answers.result import ModelAsked, Result, blanked

NAME = "withdrawal"


@dataclass(frozen=True)
class Withdrawal:
    """Who left, under other assumptions.

    Attributes
    ----------
    table : DataFrame
        The enrolled patients at the primary week under each withdrawal strategy; empty where the
        model lacks the main marker of the definitions.
    tipping : Tipping or None
        Where a worsening of the unseen overturns a conclusion; None where nobody withdrew, where
        withheld or where the model lacks that marker.
    """

    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    tipping: Tipping | None = None


def of(result: Result) -> Withdrawal:
    """What was found of the withdrawals of a model."""
    found: Withdrawal = result.parts.get(NAME, Withdrawal())
    return found


def find(asked: ModelAsked) -> Withdrawal:
    """Apply every strategy and sweep delta."""
    result, definitions = asked.result, asked.definitions
    tree, left = result.fit.tree, result.fit.observations.withdrew_week
    if result.judged.main not in result.fit.observations.markers:
        return Withdrawal()
    unseen, unseen_prior = (
        withdrawal_draws(tree, group, left, definitions) for group in ("posterior", "prior")
    )
    table = withdrawal_table(unseen, unseen_prior, definitions, result.name)
    if result.withheld:
        return Withdrawal(blanked(table, LABELS))
    return Withdrawal(table, tipping(unseen, unseen_prior, definitions, result.name))
