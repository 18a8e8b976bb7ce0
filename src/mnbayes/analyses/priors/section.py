"""What the priors of a run say before any data, and the sets they came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnbayes.analyses.priors import words
from mnbayes.analyses.priors.elicit_command import Elicitation
from mnbayes.analyses.priors.predictive import PriorPredictive, prior_predictive
from mnbayes.analyses.priors.shared import prior_frame, shared_table
from mnbayes.analyses.priors.tables import (
    belief_table,
    density_table,
    levels_frame,
    levels_once,
    levels_table,
    prior_predictive_table,
    statements_table,
)
from mnbayes.cards.card import Card
from mnbayes.report.kit.results import response_model, shown
from mnbayes.run.analysis import Analysis
from mnbayes.run.needs import a_card
from mnbayes.run.run import Run
from mnbayes.run.section import Section, Tidy


def predictives(run: Run) -> dict[str, tuple[Card, PriorPredictive]]:
    """Model to its card and what its priors say, at its visits and with the seed of its fit.

    Nothing here depends on the fit, and an absurd prior may be why one failed: of a withheld model
    the levels are shown, without probabilities.
    """
    found = {}
    for result in run.results:
        card, fit = result.fit.required_card, result.fit
        said = prior_predictive(
            card, run.definitions, fit.observations.weeks, seed=fit.sampling.seed
        )
        found[result.name] = (card, said)
    return found


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
    found = predictives(run)
    cards = [card for card, _ in found.values()]
    shares = {result.name for result in run.results if not result.withheld}
    tables = shared_table(cards, run.catalogue)
    absurd = {name: said.implausible for name, (_, said) in found.items() if said.implausible}
    judging = response_model(shown(run))
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        tables={
            "priors": Tidy(prior_frame(cards)),
            "prior_levels": Tidy(levels_frame(found, shares)),
        },
        shown=tables,
        template="priors/section.html.j2",
        words={
            "sets": prior_sets(run),
            "priors": tables,
            "levels": levels_once(found, shares),
            "fine": words.nothing_implausible(),
            "absurd": absurd,
            "responses": None if judging is None else prior_predictive_table(judging),
        },
    )


ANALYSIS = Analysis(
    name="priors",
    title="Priors",
    section=section,
    needs=a_card,
    place="annex",
)
