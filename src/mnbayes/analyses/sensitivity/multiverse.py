"""The multiverse: every answer again under each prior set, structure and definition.

Each combination of card, prior set, family of residuals and trajectory is one fit, which has to
pass the gate; definitions of response only read its draws again. Every fit has the seed that
``mnbayes fit`` would have, so that a specification's numbers are those of that run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd

from mnbayes.analyses.sensitivity.power_scaling import POWER_COLUMNS, power_scaling
from mnbayes.analyses.sensitivity.specifications import (
    Fitting,
    Variant,
    default_prior_sets,
    fittings,
    parse_thresholds,
    variants,
)
from mnbayes.answers.answer_table import KEYS, refit_answers
from mnbayes.base.problems import InputError, gathered
from mnbayes.base.workers import News, side_by_side, silent
from mnbayes.cards.card import Card
from mnbayes.cards.chosen_definitions import definitions_of
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Fit, Sampling, fit
from mnbayes.models.well_posed import well_posed

NUMBERS = ("prior", "value", "lower", "upper", "mcse", "benchmark")
#: What names a specification, besides the thresholds that vary.
SPECIFICATION = ("model", "prior_set", "residual", "trajectory")


@dataclass(frozen=True)
class Multiverse:
    """Every answer under every specification.

    Attributes
    ----------
    cohort : Cohort
    definitions : Definitions
        The present ones: those of the first specification of each model.
    sampling : Sampling
    axes : tuple of str
        Columns that name a specification: ``model, prior_set, residual, trajectory`` and the
        thresholds.
    table : DataFrame
        ``sensitivity.csv``: the axes; ``kind, patient, marker, week, category`` as in
        ``influence.csv``; ``prior, value, lower, upper, mcse``; ``benchmark`` of ``exceeds`` and
        ``population``; and ``reason``, why a specification has no numbers. Probabilities and
        shares lie between 0 and 1, ratios have no unit.
    power_scaling : DataFrame
        ``power_scaling.csv``: that of every fit, under the present definitions; columns
        ``prior_set``, ``residual``, ``trajectory`` and those of
        :func:`mnbayes.analyses.sensitivity.power_scaling.power_scaling`.
    fits : DataFrame
        One row for each fit: ``model, prior_set, residual, trajectory, card_sha256, retried,
        reason, seconds``; ``reason`` is blank where the fit passed the gate.
    started : datetime
    seconds : float
    """

    cohort: Cohort
    definitions: Definitions
    sampling: Sampling
    axes: tuple[str, ...]
    table: pd.DataFrame
    power_scaling: pd.DataFrame
    fits: pd.DataFrame
    started: datetime
    seconds: float

    @property
    def models(self) -> list[str]:
        """Names of the models."""
        return list(dict.fromkeys(self.fits["model"]))


@dataclass(frozen=True)
class _Task:
    """One fit, whose answers are wanted under each variant."""

    cohort: Cohort
    fitting: Fitting
    variants: tuple[Variant, ...]
    sampling: Sampling


@dataclass(frozen=True)
class _Fitted:
    """What came of one fit: why it has no numbers, or its answers under each variant."""

    fitting: Fitting
    reason: str = ""
    retried: bool = False
    seconds: float = 0.0
    answers: tuple[pd.DataFrame, ...] = ()
    power: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def name(self) -> dict[str, str]:
        """What names the fit: model, prior set and structure."""
        return dict(zip(SPECIFICATION, _key(self.fitting), strict=True))


def _key(fitting: Fitting) -> tuple[str, str, str, str]:
    return fitting.card.name, fitting.prior_set, fitting.residual, fitting.trajectory


def _answers(fitted: Fit, variant: Variant, *, power: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answers of a fit under some definitions, and their power scaling where it is asked for."""
    answers, draws = refit_answers(
        fitted.tree, variant.definitions, fitted.name, fitted.sampling.seed
    )
    scaled = power_scaling(fitted, draws, answers) if power else pd.DataFrame()
    bar = answers["category"].map(variant.definitions.benchmarks).astype(float)
    answers["benchmark"] = bar.where(answers["kind"].isin(["exceeds", "population"]))
    return answers, scaled


def _fit_one(task: _Task, news: Callable[[str, int, int], None]) -> _Fitted:
    fitting = task.fitting
    try:
        fitted = fit(fitting.card, task.cohort, task.sampling, news)
    except InputError as error:
        wrong = [f"{p.found}; expected {p.expected}" for p in error.problems]
        return _Fitted(fitting, f"cannot be fitted: {'; '.join(wrong)}")
    if fitted.diagnostics.reasons:
        why = f"did not converge: {'; '.join(fitted.diagnostics.reasons)}"
        return _Fitted(fitting, why, fitted.retried)
    news("summarising", 0, 0)
    parts = [
        _answers(fitted, variant, power=position == 0)
        for position, variant in enumerate(task.variants)
    ]
    answers = tuple(part[0] for part in parts)
    return _Fitted(fitting, "", fitted.retried, 0.0, answers, parts[0][1])


def _timed(task: _Task, news: News) -> _Fitted:
    clock, label = time.perf_counter(), ", ".join(_key(task.fitting))
    done = _fit_one(task, partial(news, label))
    news(label, "done", 0, 0)
    return replace(done, seconds=time.perf_counter() - clock)


def _tasks(
    cohort: Cohort, chosen: Sequence[Fitting], variants_: Sequence[Variant], sampling: Sampling
) -> list[_Task]:
    """Fits: those with Student-t residuals first, which take longest."""
    with gathered() as attempt:
        for each in chosen:
            attempt(well_posed, each.card, cohort)
    tasks = [_Task(cohort, each, tuple(variants_), sampling) for each in chosen]
    return sorted(tasks, key=lambda task: task.fitting.residual == "normal")


def run_multiverse(
    cohort: Cohort,
    cards: Sequence[Card],
    definitions: Definitions | None = None,
    *,
    prior_sets: Sequence[str] = (),
    residuals: Sequence[str] = (),
    trajectories: Sequence[str] = (),
    thresholds: Sequence[str] = (),
    sampling: Sampling | None = None,
    progress: News = silent,
) -> Multiverse:
    """Refit models under every combination of prior set and structure, definitions on top.

    Parameters
    ----------
    cohort : Cohort
    cards : sequence of Card
        With their own priors.
    definitions : Definitions, optional
    prior_sets : sequence of str, optional
        Names or paths; default: every set that mnbayes brings. The first one is what the others
        are compared with.
    residuals : sequence of {"normal", "student_t"}, optional
        Default: both, each card's own first.
    trajectories : sequence of {"step", "drift"}, optional
        Default: both, each card's own first.
    thresholds : sequence of str, optional
        ``NAME=VALUE,VALUE``: values to try beside the present one, such as
        ``"effective.fall=0.10,0.25"``; see
        :func:`mnbayes.analyses.sensitivity.specifications.thresholds`.
    sampling : Sampling, optional
    progress : callable, optional
        Called with a fit's label, a stage, the iterations done and in all.

    Returns
    -------
    Multiverse

    Raises
    ------
    InputError
        If a name does not exist, or the cohort lacks what a card needs.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    first = cards[0].markers if cards else ()
    definitions = definitions_of(cohort, definitions, first)
    with gathered() as attempt:
        chosen = attempt(
            fittings, cards, prior_sets or default_prior_sets(), residuals, trajectories
        )
        grid = attempt(parse_thresholds, thresholds, definitions)
    tried = variants(definitions, grid)
    sampling = sampling or Sampling()
    tasks = _tasks(cohort, chosen, tried, sampling)
    done = side_by_side(_timed, tasks, progress)
    order = {_key(each): place for place, each in enumerate(chosen)}
    done.sort(key=lambda each: order[_key(each.fitting)])
    return Multiverse(
        cohort=cohort,
        definitions=definitions,
        sampling=sampling,
        axes=(*SPECIFICATION, *grid),
        table=_table(done, tried),
        power_scaling=_power(done),
        fits=_fits(done),
        started=started,
        seconds=time.perf_counter() - clock,
    )


def _fits(done: Sequence[_Fitted]) -> pd.DataFrame:
    rows = [
        each.name
        | {
            "card_sha256": each.fitting.card.sha256,
            "retried": each.retried,
            "reason": each.reason,
            "seconds": round(each.seconds, 2),
        }
        for each in done
    ]
    return pd.DataFrame(rows)


def _power(done: Sequence[_Fitted]) -> pd.DataFrame:
    columns = [*SPECIFICATION, *(name for name in POWER_COLUMNS if name != "model")]
    parts = [each.power.assign(**each.name) for each in done if not each.power.empty]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns]


def _table(done: Sequence[_Fitted], tried: Sequence[Variant]) -> pd.DataFrame:
    """All answers, long; a fit without any has a blank row for each answer of its model."""
    texts = ["kind", "patient", "marker", "category"]
    known: dict[str, pd.DataFrame] = {}
    for each in done:
        if each.answers:
            known.setdefault(each.fitting.card.name, each.answers[0][list(KEYS)])
    nothing = pd.DataFrame([dict.fromkeys(texts, "") | {"week": np.nan}])
    parts = []
    for each in done:
        blank = known.get(each.fitting.card.name, nothing)
        for position, variant in enumerate(tried):
            rows = each.answers[position] if each.answers else blank
            parts.append(rows.assign(**each.name, **variant.thresholds, reason=each.reason))
    columns = [*SPECIFICATION, *tried[0].thresholds, *KEYS, *NUMBERS, "reason"]
    table = pd.concat(parts, ignore_index=True).reindex(columns=columns)
    types = dict.fromkeys([*SPECIFICATION, *texts, "reason"], "str")
    return table.astype(types | dict.fromkeys([*NUMBERS, "week"], "float64"))
