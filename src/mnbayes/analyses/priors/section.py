"""What the priors of a run say before any data, and the sets they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnbayes.analyses.priors import words
from mnbayes.analyses.priors.elicit_command import Elicitation
from mnbayes.analyses.priors.predictive import PriorPredictive, prior_predictive
from mnbayes.analyses.priors.tables import (
    belief_table,
    density_table,
    levels_table,
    prior_predictive_tables,
    prior_table,
    statements_table,
)
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table
from mnbayes.cards.definitions import Definitions
from mnbayes.run.analysis import Analysis
from mnbayes.run.needs import a_card
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
    predictive = prior_predictive(result.fit.required_card, definitions, weeks, seed=seed)
    table = levels_table(predictive, shares=not result.withheld)
    return Consequences(table, words.verdict(predictive), not predictive.implausible)


def limits_table(run: Run) -> Table:
    """The levels that no patient has, with the reason for each limit."""
    used = [marker for result in run.results for marker in result.fit.observations.markers]
    rows = tuple(
        (
            marker.label,
            f"{marker.limits.lower:g} to {marker.limits.upper:g} {marker.unit}",
            marker.limits.why,
            marker.source_of_limits,
        )
        for marker in (run.catalogue[name] for name in dict.fromkeys(used))
    )
    head = ("Marker", "Found in patients", "Why", "Source")
    return Table("What is found in patients", head, rows, frozenset(range(4)), wide=True)


def prior_sets(run: Run) -> tuple[Mapping[str, Any], ...]:
    """The prior sets of a run, the weakest first: name, title, why, source, sha256."""
    recorded = run.manifest.get("prior_sets")
    return tuple(recorded) if isinstance(recorded, list) else ()


def of_predictive(predictive: PriorPredictive) -> Section:
    """What a card's priors say before any data: ``mnbayes prior``."""
    return Section(
        name=ANALYSIS.name,
        title=f"{predictive.model}: the prior alone, no data",
        remarks=words.warnings(predictive),
        sentences=(*words.falls(predictive), *words.responses(predictive), *words.fine(predictive)),
        shown=(levels_table(predictive, shares=True),),
        of_cohort=False,
    )


def of_belief(found: Elicitation) -> Section:
    """A belief, its distribution, how well that fits and what follows: ``mnbayes elicit``."""
    tables = (statements_table(found), density_table(found), belief_table(found))
    return Section(
        name=ANALYSIS.name,
        title=f"{found.card.name}, prior of {found.name}",
        remarks=words.warnings(found.with_belief),
        sentences=(*words.of_belief(found), *words.fine(found.with_belief)),
        shown=tuple(table for table in tables if table.rows),
        of_cohort=False,
    )


def section(run: Run) -> Section:
    """The priors of a run, and what they say before any fit."""
    implied = {r.name: consequences(r, run.definitions) for r in run.results}
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        shown=tuple(prior_table(result.fit.required_card) for result in run.results[:1]),
        template="priors/section.html.j2",
        words={
            "sets": prior_sets(run),
            "limits": limits_table(run),
            "implied": implied,
            "prior_table": prior_table,
            "prior_predictive_tables": prior_predictive_tables,
        },
    )


ANALYSIS = Analysis(
    name="priors",
    title="Priors",
    section=section,
    needs=a_card,
    place="annex",
)
