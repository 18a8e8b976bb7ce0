"""Lymphocyte subsets of one model: changes before and after shrinkage, ranks, CD4/CD8 ratio."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import pandas as pd

from mnbayes.analyses.lymphocytes.alone import alone
from mnbayes.analyses.lymphocytes.cd4_cd8 import cd4_cd8_table
from mnbayes.analyses.lymphocytes.subsets import forest_table, rank_table, subset_estimates
from mnbayes.answers.result import ModelAsked, Result, blanked

NAME = "subsets"


@dataclass(frozen=True)
class Lymphocytes:
    """Tables of the subsets, empty where the model has none of them.

    Attributes
    ----------
    subsets : DataFrame
        Changes before and after shrinkage (``subsets.csv``).
    ranks : DataFrame
        Ranks of the changes (``subset_ranks.csv``).
    ratios : DataFrame
        The CD4/CD8 ratio (``cd4_cd8.csv``).
    seconds : float
        That the fits of one marker each took.
    """

    subsets: pd.DataFrame = field(default_factory=pd.DataFrame)
    ranks: pd.DataFrame = field(default_factory=pd.DataFrame)
    ratios: pd.DataFrame = field(default_factory=pd.DataFrame)
    seconds: float = 0.0


def of(result: Result) -> Lymphocytes:
    """What was found of the subsets of a model."""
    found: Lymphocytes = result.parts.get(NAME, Lymphocytes())
    return found


def find(asked: ModelAsked) -> Lymphocytes:
    """The subsets of a model; each by itself as well where a cohort is there to fit it to."""
    fit = asked.result.fit
    clock, by_itself = time.perf_counter(), None
    if fit.card is not None and fit.card.structure.shrink and asked.cohort is not None:
        by_itself = alone(
            fit.card,
            asked.cohort,
            fit.sampling,
            lambda done, total: asked.progress("one by one", done, total),
        )
    name, seconds = asked.result.name, time.perf_counter() - clock
    found = Lymphocytes(
        subsets=forest_table(subset_estimates(fit.tree, name), by_itself),
        ranks=rank_table(fit.tree, name),
        ratios=cd4_cd8_table(fit.tree, name),
        seconds=0.0 if by_itself is None else seconds,
    )
    if not asked.result.withheld:
        return found
    return replace(
        found,
        subsets=blanked(found.subsets, ("model", "marker", "week")),
        ranks=blanked(found.ranks, ("model", "week", "by", "marker", "rank")),
        ratios=blanked(found.ratios, ("model", "patient", "week", "measured")),
    )
