"""From a paper's facts to answers: every specification fitted, the reported one with its draws."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.published import answers as an
from mnbayes.analyses.published.card import PublishedCard
from mnbayes.analyses.published.categories import shares
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.facts import Facts
from mnbayes.analyses.published.fitting import Part, fit_part
from mnbayes.analyses.published.grid import grid_part, summed_answers
from mnbayes.analyses.published.posteriors import best_visit, one_visit
from mnbayes.analyses.published.readings import Evidence, best_evidence, outcome_evidence
from mnbayes.analyses.published.result import ANSWER_COLUMNS, SPECIFICATION, PublishedResult
from mnbayes.analyses.published.specifications import (
    OWN,
    Specification,
    brought_cards,
    distinct,
    specifications,
)
from mnbayes.analyses.published.tables import blanked, estimates, population, probabilities
from mnbayes.analyses.published.trees import published_tree
from mnbayes.base.labelled import typed
from mnbayes.base.problems import InputError
from mnbayes.base.workers import silent
from mnbayes.cards import families as priors
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.inference.sampling import Sampling

#: Least draws a chain: with them every reported probability is within 0.01 of its exact value.
LEAST_DRAWS = 2000
#: At 0.9 one fit in ten has a divergence, where the density falls off a cliff towards small SDs;
#: at 0.95 none of 50 had.
LEAST_ACCEPT = 0.95
News = Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Fitted:
    """One specification's parts and rows."""

    card: PublishedCard
    evidence: Evidence
    best: Evidence | None
    parts: dict[str, Part]
    found: dict[str, an.Conditional]
    rows: list[dict[str, Any]]

    @property
    def converged(self) -> bool:
        return all(part.diagnostics.converged for part in self.parts.values())


def _rows(
    part: str, now: Mapping[str, an.Answer], before: Mapping[str, an.Answer], reason: str
) -> list[dict[str, Any]]:
    return [
        {
            "part": part, "quantity": name, "category": "",
            "value": answer.value, "lower": answer.lower, "upper": answer.upper,
            "mcse": answer.mcse, "prior": before[name].value,
            "prior_lower": before[name].lower, "prior_upper": before[name].upper,
            "reason": reason,
        }
        for name, answer in now.items()
    ]  # fmt: skip


def _counted(spec: Specification, facts: Facts, definitions: Definitions) -> list[dict[str, Any]]:
    """Shares of the categories and whether they exceed their benchmarks: exact, no draws."""
    counts, rows = outcome_counts(facts), []
    prior = shares(counts, spec.card.shares, None)
    for category, share in shares(counts, spec.card.shares, spec.readings.withdrawn).items():
        ends = (share.quantile(0.025), share.quantile(0.975))
        before = prior[category]
        now = {"share": an.Answer(share.mean, *ends)}
        was = {
            "share": an.Answer(before.mean, before.quantile(0.025), before.quantile(0.975)),
        }
        if category in definitions.benchmarks:
            bar = definitions.benchmarks[category]
            now["exceeds"], was["exceeds"] = (
                an.Answer(share.above(bar)),
                an.Answer(before.above(bar)),
            )
        rows += [row | {"category": category} for row in _rows("counts", now, was, "")]
    return rows


def _fit(
    spec: Specification,
    facts: Facts,
    definitions: Definitions,
    sampling: Sampling,
    best_sampling: Sampling,
    stream: np.random.SeedSequence,
    *,
    allow_unconverged: bool,
    with_best: bool,
    reported: _Fitted | None,
) -> _Fitted:
    """Fit a specification; beside the reported one without draws of its own where that will do."""
    evidence = outcome_evidence(facts, spec.readings, definitions)
    best = best_evidence(facts, spec.readings, definitions) if with_best else None
    prior = an.prior_answers(spec.card)
    densities = {"outcome": one_visit(spec.card, evidence)}
    of_part = {"outcome": evidence}
    if best is not None and facts.best is not None:
        densities["best"] = best_visit(spec.card, best, len(facts.best.weeks))
        densities["best_naive"] = one_visit(spec.card, best)
        of_part |= {"best_naive": best}
    parts, found, rows = {}, {}, []
    for (name, density), own in zip(densities.items(), stream.spawn(3), strict=False):
        if reported is not None:
            known = _known(name, spec, of_part.get(name), best, reported)
            if known is not None:
                rows += _rows(name, known, prior, "")
                continue
        # In two dimensions a failed fit is replaced by independent draws from a grid.
        grid = partial(grid_part, spec.card, of_part[name], sampling) if name in of_part else None
        part = fit_part(density, best_sampling if name == "best" else sampling, own, grid)
        reason = "; ".join(part.diagnostics.reasons)
        mean, sd = part.draws["mean_log_ratio"], part.draws["sd_log_ratio"]
        if name in of_part:
            found[name] = an.conditional(spec.card.prior["mean_log_ratio"], of_part[name], mean, sd)
            now = an.ratio_answers(found[name], mean)
        else:
            now = an.drawn_answers(mean)
        if reason and not allow_unconverged:
            now = dict.fromkeys(now, an.Answer(np.nan, mcse=np.nan))
        parts[name] = part
        rows += _rows(name, now, prior, reason)
    rows += _counted(spec, facts, definitions)
    return _Fitted(spec.card, evidence, best, parts, found, [spec.labels | row for row in rows])


def _known(
    part: str,
    spec: Specification,
    evidence: Evidence | None,
    best: Evidence | None,
    reported: _Fitted,
) -> dict[str, an.Answer] | None:
    """Answers without sampling: summed in two dimensions, else the reported draws weighted.

    None where the draws are of other evidence, or the weights cannot be trusted.
    """
    if evidence is not None:
        return summed_answers(spec.card, evidence)
    if best is None or reported.best is None or not best.same_as(reported.best):
        return None
    draws = reported.parts[part].draws
    ratio = np.zeros_like(draws["mean_log_ratio"])
    for name, values in draws.items():
        now, was = spec.card.prior[name], reported.card.prior[name]
        ratio += priors.log_density(now.distribution, now.arguments, values)
        ratio -= priors.log_density(was.distribution, was.arguments, values)
    return an.weighted_answers(draws["mean_log_ratio"], ratio)


def fit_published(
    facts: Facts,
    card: PublishedCard,
    definitions: Definitions | None = None,
    sampling: Sampling | None = None,
    *,
    news: News = silent,
    prior_set: str = OWN,
    others: Mapping[str, PublishedCard] | None = None,
    allow_unconverged: bool = False,
) -> PublishedResult:
    """Fit the published-evidence model to a paper's facts.

    Nothing is compiled where it was compiled once on this machine.

    Parameters
    ----------
    facts : Facts
    card : PublishedCard
        Priors and readings of the reported answers.
    definitions : Definitions, optional
        Says which fall a remission needs, and the benchmarks; default: those that mnbayes brings.
    sampling : Sampling, optional
        At least 2,000 draws a chain are made whatever it says.
    news : callable
        Called with a stage (``sampling``), the specifications done and in all.
    prior_set : str
        What the card's priors are called.
    others : mapping, optional
        Prior set to card, whose answers are put beside; default: every set that mnbayes brings.
    allow_unconverged : bool
        Whether to show the numbers of a fit that failed the gate.

    Returns
    -------
    PublishedResult
        Look at ``converged`` before using its numbers.

    Raises
    ------
    InputError
        If the facts cannot be true under the card's readings.
    """
    clock = time.perf_counter()
    definitions = load_definitions() if definitions is None else definitions
    sampling = sampling or Sampling()
    asked = sampling.draws
    sampling = replace(
        sampling,
        draws=max(sampling.draws, LEAST_DRAWS),
        target_accept=max(sampling.target_accept, LEAST_ACCEPT),
    )
    cards, same = distinct(card, prior_set, brought_cards() if others is None else others)
    specs = specifications(cards, facts)
    streams = np.random.SeedSequence(sampling.seed).spawn(len(specs) + 1)
    base: _Fitted | None = None
    rows: list[dict[str, Any]] = []
    for number, (spec, stream) in enumerate(zip(specs, streams, strict=False)):
        news("fitting every prior set and reading", number, len(specs))
        # The handling of the later withdrawn does not touch the short term.
        with_best = spec.readings.withdrawn == card.readings.withdrawn
        with_best &= spec.readings.remission == card.readings.remission
        with_best &= spec.readings.ends == card.readings.ends
        try:
            fitted = _fit(
                spec, facts, definitions, sampling,
                # Its evaluations are dear, and beside the reported one it has fewer draws.
                sampling if base is None else replace(sampling, draws=asked),
                stream, with_best=with_best, allow_unconverged=allow_unconverged,
                # Answers beside withheld ones are not shown as though they were better.
                reported=base if base is not None and base.converged else None,
            )  # fmt: skip
        except InputError as error:
            if base is None:
                raise
            # The facts cannot be true under this other reading: a finding, not a failure.
            why = "; ".join(f"{p.column}: {p.found}; needs {p.expected}" for p in error.problems)
            rows.append(spec.labels | {"part": "outcome", "quantity": "gmr", "reason": why})
            continue
        base = base or fitted
        rows += fitted.rows
    assert base is not None
    reasons = tuple(
        f"{name}: {reason}" if name != "outcome" else reason
        for name, part in base.parts.items()
        for reason in part.diagnostics.reasons
    )
    withheld = () if allow_unconverged else reasons
    table = pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))
    table["reason"] = table["reason"].fillna("")
    table["category"] = table["category"].fillna("")
    table = typed(table, (*SPECIFICATION, "part", "quantity", "category", "reason"))
    name = next(iter(cards))
    tree = published_tree(
        card, facts, base.evidence, base.best, base.parts,
        np.random.default_rng(streams[-1]),
    )  # fmt: skip
    parameters = []
    for part, own in base.parts.items():
        own_table = own.table.copy()
        if part != "outcome":
            own_table["parameter"] = [f"{part}.{parameter}" for parameter in own_table["parameter"]]
        parameters.append(own_table)
    diagnostics = pd.concat(parameters, ignore_index=True)
    diagnostics.insert(0, "model", card.name)
    reported = base.rows
    tables = (
        estimates(facts, card, reported),
        probabilities(facts, card, definitions),
        population(facts, card),
    )
    if withheld:  # the shares come from counts, without a draw that could fail
        tables = (blanked(tables[0]), *tables[1:])
    shown = base.found["outcome"]
    return PublishedResult(
        facts, card, definitions, sampling, name, base.evidence, base.best, *tables, table,
        diagnostics, tree, shown.grid, shown.density, reasons, withheld, same,
        any(part.retried for part in base.parts.values()), time.perf_counter() - clock,
    )  # fmt: skip
