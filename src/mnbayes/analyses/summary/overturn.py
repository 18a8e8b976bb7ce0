"""What could overturn the answers: one patient, who was not seen, chance of selection."""

from __future__ import annotations

from mnbayes.analyses.influence.section import influence_of
from mnbayes.analyses.regression.section import regression
from mnbayes.analyses.withdrawal.section import what_the_unseen_overturn
from mnbayes.report.kit.results import response_model, shown
from mnbayes.run.run import Run


def overturns(run: Run) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What is threatened by what, for the first page.

    Returns
    -------
    tuple of (str, tuple of str)
        The threat in a few words, and what it would take or do, in paragraphs. Only threats that a
        model that may be shown can judge.
    """
    out: list[tuple[str, tuple[str, ...]]] = []
    asked = [result for result in shown(run) if not result.influence.empty]
    model = response_model(asked) or (asked[0] if asked else None)
    if model is not None:
        said = influence_of(model, run.definitions.benchmarks, run.definitions.decision.probability)
        out.append(("One patient", (*said.sentences[:1], said.verdict)))
    tipped = [result for result in shown(run) if result.tipping is not None]
    model = response_model(tipped)
    if model is not None:
        out.append(("Who was not seen", what_the_unseen_overturn(model)))
    if (bound := regression(run)) is not None:
        out.append(("Regression to the mean", bound.sentences[-1:]))
    return tuple(out)
