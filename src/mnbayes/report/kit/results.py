"""Rows and cells of a model that several sections use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from mnbayes.answers.change import falls
from mnbayes.answers.result import Result
from mnbayes.base.labelled import array
from mnbayes.base.montecarlo import mcse
from mnbayes.report.kit import wording
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import Picture, Section


def prior_draws(result: Result) -> int:
    """Number of independent draws of the prior; as many as of the posterior where it has none."""
    tree = result.fit.tree
    sizes = tree["prior" if "prior" in tree.children else "posterior"].sizes
    return int(sizes["chain"] * sizes["draw"])


def prior_text(result: Result, value: float) -> str:
    """A probability under the prior alone, no digit finer than its Monte Carlo error."""
    return wording.probability_of_draws(value, prior_draws(result))


def primary_first(result: Result) -> list[float]:
    """Later visits, that of the primary analysis first, then the latest first."""
    later = result.fit.observations.weeks[:0:-1]
    return sorted(later, key=lambda week: week != result.primary_week)


def measured_at(result: Result, week: float, marker: str) -> str:
    """How many patients a headline rests on: "7 of 8 patients measured"."""
    data = result.fit.observations
    seen = data.observed[:, data.weeks.index(week), data.markers.index(marker)]
    return f"{int(seen.sum())} of {len(seen)} patients measured"


def fall_errors(
    result: Result, marker: str, weeks: Sequence[float] = ()
) -> dict[float, dict[str, float]]:
    """Monte Carlo standard errors of the probabilities of a fall; at all weeks if none is named.

    Returns
    -------
    dict
        Week to errors by name: :data:`mnbayes.answers.change.FALLS`, and ``log_gmr``, the error
        of the mean log ratio.
    """
    draws = result.fit.tree["posterior"].dataset["visit_change"].sel(marker=marker)
    if weeks:
        draws = draws.sel(later_visit=list(weeks))
    log_gmr = array(draws, "later_visit")
    columns = {
        **{name: mcse(met, log_gmr) for name, met in falls(log_gmr).items()},
        "log_gmr": mcse(log_gmr),
    }
    return {
        float(week): {name: float(values[i]) for name, values in columns.items()}
        for i, week in enumerate(array(draws["later_visit"]))
    }


def not_measured(result: Result, week: float) -> dict[str, str]:
    """Patients whose visit is predicted, with the reason: a marker of the model is missing."""
    data = result.fit.observations
    seen = data.observed[:, data.weeks.index(week)].all(axis=-1)
    reasons = {}
    for patient, complete, withdrew in zip(data.patients, seen, data.withdrew_week, strict=True):
        if not complete:
            gone = not np.isnan(withdrew) and withdrew <= week
            reasons[patient] = (
                f"withdrew in week {withdrew:g}" if gone else "not measured at this visit"
            )
    return reasons


def best_measured(result: Result, week: float) -> dict[str, str | None]:
    """By patient, the best category that the measurements meet.

    Blank where they meet none of those that say how a patient stands; None where a missing or
    censored value, or a visit still to come, leaves that open.
    """
    told = [category for category, _ in result.judged.told]
    rows = rows_of(result, "observed", week)
    held = {(row["patient"], row["category"]): row["probability"] for row in rows}
    found: dict[str, str | None] = {}
    for patient in result.fit.observations.patients:
        values = {c: held.get((patient, c), np.nan) for c in told}
        open_still = None if any(np.isnan(value) for value in values.values()) else ""
        found[patient] = next((c for c, value in values.items() if value == 1), open_still)
    return found


def awaits_confirmation(result: Result, week: float) -> bool:
    """Whether responses at a visit stay open because a next one would have to confirm them."""
    return bool(result.judged.confirmed) and week == result.fit.observations.weeks[-1]


def rows_of(result: Result, quantity: str, week: float) -> list[dict[str, Any]]:
    """Rows of one quantity at one visit."""
    return [dict(row) for row in result.rows.get((quantity, week), ())]


def by_patient(
    result: Result, quantity: str, week: float, category: str
) -> dict[str, dict[str, Any]]:
    """Rows of one quantity, visit and category by patient, in the cohort's order."""
    rows = rows_of(result, quantity, week)
    return {str(row["patient"]): row for row in rows if row["category"] == category}


def share_ends(result: Result, week: float, category: str) -> tuple[float, float, float, float]:
    """Ends of the 95 % interval of the share of patients: posterior, then prior alone."""
    row = result.share_rows[week, category]
    lower, upper, prior_lower, prior_upper = (
        float(row[f"share_{end}{suffix}"])
        for suffix in ("", "_prior")
        for end in ("lower", "upper")
    )
    return lower, upper, prior_lower, prior_upper


def stated(result: Result) -> tuple[str, ...]:
    """Of the categories that this model can judge those of which headlines are made."""
    return tuple(c for c in result.judged_by.stated if c in result.evaluable)


def shown(run: Run) -> list[Result]:
    """Results whose numbers are not withheld, models of fewer markers first.

    Where several models answer a question, the simplest one does.
    """
    results = [result for result in run.results if not result.withheld]
    return sorted(results, key=lambda result: len(result.fit.observations.markers))


def response_model(results: list[Result]) -> Result | None:
    """The model that judges the most categories; of equals the one with the fewest markers."""
    able = [result for result in results if result.evaluable]
    able.sort(key=lambda result: len(result.fit.observations.markers))
    return max(able, key=lambda result: len(result.evaluable), default=None)


def primary_model(results: list[Result]) -> Result | None:
    """The model of the primary analysis: it judges most categories, else has the primary marker.

    Parameters
    ----------
    results : list of Result
        Not withheld, the simplest first.
    """

    def has_primary(result: Result) -> bool:
        cohort = result.fit.cohort
        return cohort is not None and cohort.primary_marker in result.fit.observations.markers

    first = next(filter(has_primary, results), results[0] if results else None)
    return response_model(results) or first


#: Page 1's heading of the answer itself.
ANSWER = "What happened?"
#: Page 1's heading of the rule stated beforehand.
FOLLOWS = "Go or not?"
#: Page 1's heading of what threatens the answers.
OVERTURNS = "What would overturn it?"
#: Page 1's heading of what happened to patients.
SAFETY = "Was anybody harmed?"


def joined(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Tables of several models one below the other; empty where none has a row."""
    filled = [frame for frame in frames if not frame.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


@dataclass(frozen=True)
class ModelShown:
    """A model as the templates name it.

    Attributes
    ----------
    slug : str
        For ids in the page.
    result : Result
    """

    slug: str
    result: Result

    @property
    def doubtful(self) -> tuple[str, ...]:
        """Why its fit failed the gate; blank if it did not."""
        return self.result.fit.diagnostics.reasons


def models_shown(run: Run) -> tuple[ModelShown, ...]:
    """The models of a run in its order."""

    def slug(result: Result, position: int) -> str:
        # The position keeps ids apart where two cards' names differ only in punctuation.
        return f"{re.sub(r'[^a-z0-9]+', '-', result.name.lower()).strip('-')}-{position}"

    return tuple(ModelShown(slug(r, i), r) for i, r in enumerate(run.results, 1))


def beside_section(
    run: Run,
    analysis: Analysis,
    made: Callable[[Any, Mapping[str, tuple[Picture, ...]]], Section],
) -> Section:
    """The section of what was fitted beside the cohort's models, where a run has it."""
    found = run.found.get(analysis.name)
    if found is None:
        return Section(
            name=analysis.name, title=analysis.title, absent="it was not asked for", hidden=True
        )
    return made(found, run.pictures.get(analysis.name, {}))


def beside_record(
    card: BaseModel,
    converged: bool,
    withheld: Sequence[str],
    seconds: float | Mapping[str, float],
) -> dict[str, Any]:
    """What ``run.json`` says of a model that stands beside the cohort."""
    total = sum(seconds.values()) if isinstance(seconds, Mapping) else seconds
    return {
        "converged": converged,
        "withheld": list(withheld),
        "card": card.model_dump(mode="json", by_alias=True),
        "seconds": round(total, 2),
    }


def doubted(name: str, reasons: Sequence[str], withheld: Sequence[str]) -> tuple[str, ...]:
    """That a model's fit failed the gate, and what becomes of its numbers; nothing if it passed."""
    if not (reasons or withheld):
        return ()
    shown_or_not = "withheld" if withheld else "shown all the same"
    why = "; ".join(withheld or reasons)
    return (f"{name} did not converge ({why}): its numbers are {shown_or_not}.",)


def gate_sentences(result: Result, *, unconverged_shown: bool) -> tuple[str, ...]:
    """What the gate says of a model's fit; nothing of one that passed it."""
    reasons = result.fit.diagnostics.reasons
    said = list(doubted(result.name, reasons, () if unconverged_shown else reasons))
    if result.fit.handed_over:
        said.append(
            f"{result.name}: NUTS took over from the collapsed engine ({result.fit.handed_over})."
        )
    return tuple(said)
