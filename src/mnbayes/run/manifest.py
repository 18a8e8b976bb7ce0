"""Provenance of a run: what ``run.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mnbayes.answers.result import Result
from mnbayes.base.versions import versions
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.cards.prior_sets import PriorSet
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Fit
from mnbayes.run.run import Run


def manifest(
    cohort: Cohort,
    definitions: Definitions,
    results: Sequence[Result],
    prior_set: str,
    settings: Sequence[str],
    started: datetime,
    seconds: Mapping[str, float],
    *,
    unconverged_shown: bool = False,
    prior_sets: Sequence[PriorSet] = (),
) -> dict[str, Any]:
    """Describe a run as plain values.

    Parameters
    ----------
    seconds : mapping
        Wall-clock seconds of the stages that are not one model's.
    prior_sets : sequence of PriorSet
        Behind the name ``prior_set``, the weakest first.
    """
    checks = [result.fit.diagnostics for result in results]
    return {
        "started": started.isoformat(timespec="seconds"),
        "converged": all(check.converged for check in checks),
        "divergences": sum(check.divergences for check in checks),
        "worst_rhat": max(check.worst_rhat for check in checks),
        "worst_ess": min(min(check.worst_ess_bulk, check.worst_ess_tail) for check in checks),
        "unconverged_shown": unconverged_shown,
        "synthetic": cohort.synthetic,
        "seed": results[0].fit.sampling.seed,
        "prior_set": prior_set,
        "prior_sets": [each.described for each in prior_sets],
        "settings": list(settings),
        "data": data_manifest(cohort),
        "definitions": definitions.recorded(),
        "models": {result.name: model_manifest(result) for result in results},
        "versions": versions(),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
    }


def data_manifest(cohort: Cohort) -> dict[str, Any]:
    """What ``run.json`` says of the data."""
    return {
        "sha256": cohort.sha256,
        "patients": len(cohort.patients),
        "rows": len(cohort.measurements),
        "arm": cohort.arm,
        "trial": cohort.trial.model_dump(mode="json", exclude_defaults=True, exclude={"quotes"}),
        **({"pseudonyms": True} if cohort.pseudonyms else {}),
    }


def model_manifest(result: Result) -> dict[str, Any]:
    """What ``run.json`` says of one model."""
    fit = result.fit
    return {
        **(_stated_by_card(fit.card) if fit.card is not None else _own(fit)),
        "primary_week": fit.primary_week,
        "engine": fit.engine,
        "handed_over": fit.handed_over,
        "chains": fit.sampling.chains,
        "draws": fit.sampling.draws,
        "tune": fit.sampling.tune,
        "target_accept": fit.sampling.target_accept,
        "retried": fit.retried,
        "diagnostics": fit.diagnostics.as_dict(),
        "withheld": list(result.withheld),
        "left_out": list(fit.observations.left_out),
        "judged": list(result.evaluable),
        "seconds": {name: round(value, 2) for name, value in fit.seconds.items()},
    }


def _own(fit: Fit) -> dict[str, Any]:
    """What is known of a model of one's own: its file."""
    own = fit.own
    return {
        "own": "" if own is None else own.file,
        "own_sha256": "" if own is None else own.sha256,
        "markers": list(fit.observations.markers),
    }


def _stated_by_card(card: Card) -> dict[str, Any]:
    return {
        "card_sha256": card.sha256,
        "priors_sha256": card.priors_sha256,
        "markers": list(card.markers),
        "structure": card.structure.model_dump(),
        "priors": {
            name: {marker or "model": spec.formula for marker, spec in table.items()}
            for name, table in card.prior.items()
            if name in card.parameters
        },
        # To the last digit, so that two runs can be compared.
        "prior_arguments": {
            name: {
                marker or "model": {"distribution": spec.distribution, **spec.arguments}
                for marker, spec in table.items()
            }
            for name, table in card.prior.items()
            if name in card.parameters
        },
        "beliefs": {
            name: stated
            for name, table in card.prior.items()
            if name in card.parameters
            and (stated := {m or "model": s.belief for m, s in table.items() if s.belief})
        },
    }


def sections_manifest(run: Run) -> dict[str, Any]:
    """What ``run.json`` says of the sections, and of the models that stand beside the cohort."""
    return {"sections": {section.name: section.described for section in run.sections}}
