"""What the priors of a run say before any data, and the sets they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnbayes.analyses.priors.limits import physiological_limits
from mnbayes.analyses.priors.predictive import (
    PATIENT_BEYOND,
    TYPICAL_BEYOND,
    PriorPredictive,
    prior_predictive,
)
from mnbayes.analyses.priors.tables import prior_predictive_tables, prior_table
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import wording
from mnbayes.run.analysis import Analysis
from mnbayes.run.run import Run
from mnbayes.run.section import Section


@dataclass(frozen=True)
class Consequences:
    """What a model's priors imply for patients.

    Attributes
    ----------
    table : Table
    verdict : tuple of str
        One sentence for each implausible consequence, or one that says there is none.
    plausible : bool
    """

    table: Table
    verdict: tuple[str, ...]
    plausible: bool


def consequences(result: Result, definitions: Definitions) -> Consequences:
    """Draw from a model's priors alone, at its visits and with the seed of its fit.

    Nothing here depends on the fit, and an absurd prior may be why one failed: of a withheld model
    the levels are shown, without probabilities.
    """
    weeks, seed = result.fit.observations.weeks, result.fit.sampling.seed
    predictive = prior_predictive(result.fit.card, definitions, weeks, seed=seed)
    fine = (
        f"Nothing implausible: at every visit fewer than {wording.percent(TYPICAL_BEYOND)} of "
        f"typical patients and {wording.percent(PATIENT_BEYOND)} of next patients lie beyond what "
        "is found in patients."
    )
    table = _table(predictive, shares=not result.withheld)
    return Consequences(table, predictive.implausible or (fine,), not predictive.implausible)


def _table(predictive: PriorPredictive, *, shares: bool) -> Table:
    draws = len(predictive.draws.patient)
    limits = physiological_limits()
    last = predictive.draws.weeks[-1]
    rows = []
    for row in records(predictive.levels[predictive.levels["week"].isin([0.0, last])]):
        marker, limit = MARKERS[row["marker"]], limits[row["marker"]]
        cells = [
            f"{marker.label}, {marker.unit}",
            wording.week_name(row["week"]),
            *(
                _interval(*(row[f"{who}_{part}"] for part in ("median", "lower", "upper")))
                for who in ("typical", "patient")
            ),
        ]
        for side, bound in (("below", limit.lower), ("above", limit.upper)) if shares else ():
            share = row[f"patient_{side}"]
            error = wording.independent_error(share, draws)
            cells.append(f"{side} {bound:g}: {wording.probability(share, error)}")
        rows.append(tuple(cells))
    head: tuple[str, ...] = (
        "Marker",
        "Visit",
        "Typical (median) patient",
        "Next patient, as measured",
    )
    if shares:
        head = (*head, "Next patient, too low", "Next patient, too high")
    caption = "Levels under the prior alone: median (95 % interval)"
    return Table(caption, head, tuple(rows), frozenset({0, 1}))


def _interval(median: float, lower: float, upper: float) -> str:
    return f"{wording.level(median)} ({wording.level(lower)} to {wording.level(upper)})"


def limits_table(run: Run) -> Table:
    """The levels that no patient has, with the reason for each limit."""
    used = [marker for result in run.results for marker in result.fit.observations.markers]
    limits = physiological_limits()
    rows = tuple(
        (
            MARKERS[marker].label,
            f"{limits[marker].lower:g} to {limits[marker].upper:g} {MARKERS[marker].unit}",
            limits[marker].why,
            limits[marker].source,
        )
        for marker in dict.fromkeys(used)
    )
    head = ("Marker", "Found in patients", "Why", "Source")
    return Table("What is found in patients", head, rows, frozenset(range(4)), wide=True)


def prior_sets(run: Run) -> tuple[Mapping[str, Any], ...]:
    """The prior sets of a run, the weakest first: name, title, why, source, sha256."""
    recorded = run.manifest.get("prior_sets")
    return tuple(recorded) if isinstance(recorded, list) else ()


def section(run: Run) -> Section:
    """The priors of a run, and what they say before any fit."""
    implied = {r.name: consequences(r, run.definitions) for r in run.results}
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        shown=tuple(prior_table(result) for result in run.results[:1]),
        template="priors/section.html.j2",
        words={
            "sets": prior_sets(run),
            "limits": limits_table(run),
            "implied": implied,
            "prior_table": prior_table,
            "prior_predictive_tables": prior_predictive_tables,
        },
    )


ANALYSIS = Analysis(name="priors", title="Priors", section=section)
