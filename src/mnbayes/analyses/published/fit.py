"""From a paper's facts to answers: every specification fitted, the reported one with its draws."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.published import answers as an
from mnbayes.analyses.published.card import PublishedCard
from mnbayes.analyses.published.categories import shares
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.facts import Facts
from mnbayes.analyses.published.grid import Part, Summed, summed
from mnbayes.analyses.published.readings import Evidence, best_evidence, outcome_evidence
from mnbayes.analyses.published.result import ANSWER_COLUMNS, SPECIFICATION, PublishedResult
from mnbayes.analyses.published.specifications import (
    OWN,
    Specification,
    brought_cards,
    distinct,
    specifications,
)
from mnbayes.analyses.published.tables import estimates, population, probabilities
from mnbayes.analyses.published.trees import published_tree
from mnbayes.answers.reported import ROW_KEYS
from mnbayes.answers.result import blanked
from mnbayes.base.labelled import typed
from mnbayes.base.problems import InputError
from mnbayes.base.workers import silent
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.sampling import Sampling

News = Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Fitted:
    """One specification's rows, and the reported one's parts."""

    evidence: Evidence
    best: Evidence | None
    sums: dict[str, Summed]
    parts: dict[str, Part]
    reasons: tuple[str, ...]
    rows: list[dict[str, Any]]


def _rows(
    part: str, now: Mapping[str, an.Answer], before: Mapping[str, an.Answer], reason: str
) -> list[dict[str, Any]]:
    return [
        {
            "part": part,
            "quantity": name,
            "category": "",
            "value": answer.value,
            "lower": answer.lower,
            "upper": answer.upper,
            "mcse": answer.mcse,
            "prior": before[name].value,
            "prior_lower": before[name].lower,
            "prior_upper": before[name].upper,
            "reason": reason,
        }
        for name, answer in now.items()
    ]


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
    stream: np.random.SeedSequence,
    *,
    allow_unconverged: bool,
    with_best: bool,
    reported: bool,
) -> _Fitted:
    """Sum a specification's posteriors; of the reported one make draws too."""
    evidence = outcome_evidence(facts, spec.readings, definitions)
    best = best_evidence(facts, spec.readings, definitions) if with_best else None
    of_part = {"outcome": (evidence, 1)}
    if best is not None and facts.best is not None:
        of_part |= {"best": (best, len(facts.best.weeks)), "best_naive": (best, 1)}
    prior = an.prior_answers(spec.card)
    sums, parts, reasons, rows = {}, {}, [], []
    for (name, (found, visits)), own in zip(of_part.items(), stream.spawn(3), strict=False):
        posterior = summed(spec.card, found, visits, fine=reported)
        now, doubts = posterior.answers(of_patients=name != "best"), posterior.doubts()
        reason = "; ".join(doubts)
        reasons += [doubt if name == "outcome" else f"{name}: {doubt}" for doubt in doubts]
        if reported:
            sums[name], parts[name] = posterior, posterior.part(sampling, own)
        if reason and not allow_unconverged:
            now = dict.fromkeys(now, an.Answer(np.nan, mcse=np.nan))
        rows += _rows(name, now, prior, reason)
    rows += _counted(spec, facts, definitions)
    rows = [spec.labels | row for row in rows]
    return _Fitted(evidence, best, sums, parts, tuple(reasons), rows)


def fit_published(
    facts: Facts,
    card: PublishedCard,
    definitions: Definitions,
    sampling: Sampling | None = None,
    *,
    news: News = silent,
    prior_set: str = OWN,
    others: Mapping[str, PublishedCard] | None = None,
    allow_unconverged: bool = False,
) -> PublishedResult:
    """Fit the published-evidence model to a paper's facts.

    The posteriors are summed on grids (:mod:`.grid`): nothing is compiled, and
    only the draws of the tree depend on the seed.

    Parameters
    ----------
    facts : Facts
    card : PublishedCard
        Priors and readings of the reported answers.
    definitions : Definitions
        Says which fall a remission needs, and the benchmarks.
    sampling : Sampling, optional
        Chains, draws and seed of the tree.
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
    sampling = sampling or Sampling()
    cards, same = distinct(card, prior_set, brought_cards() if others is None else others)
    specs = specifications(cards, facts)
    streams = np.random.SeedSequence(sampling.seed).spawn(len(specs) + 1)
    base: _Fitted | None = None
    rows: list[dict[str, Any]] = []
    for number, (spec, stream) in enumerate(zip(specs, streams, strict=False)):
        news("sampling", number, len(specs))
        # The handling of the later withdrawn does not touch the short term.
        with_best = spec.readings.withdrawn == card.readings.withdrawn
        with_best &= spec.readings.remission == card.readings.remission
        with_best &= spec.readings.ends == card.readings.ends
        try:
            fitted = _fit(
                spec,
                facts,
                definitions,
                sampling,
                stream,
                with_best=with_best,
                allow_unconverged=allow_unconverged,
                reported=base is None,
            )
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
    withheld = () if allow_unconverged else base.reasons
    table = pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))
    table["reason"] = table["reason"].fillna("")
    table["category"] = table["category"].fillna("")
    table = typed(table, (*SPECIFICATION, "part", "quantity", "category", "reason"))
    name = next(iter(cards))
    tree = published_tree(
        card,
        facts,
        base.evidence,
        base.best,
        base.parts,
        np.random.default_rng(streams[-1]),
    )
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
    if withheld:  # the shares come from counts, in closed form
        tables = (blanked(tables[0], ROW_KEYS["estimates"]), *tables[1:])
    shown = base.sums["outcome"]
    return PublishedResult(
        facts,
        card,
        definitions,
        sampling,
        name,
        base.evidence,
        base.best,
        *tables,
        table,
        diagnostics,
        tree,
        shown.mean,
        shown.density,
        base.reasons,
        withheld,
        same,
        time.perf_counter() - clock,
    )
