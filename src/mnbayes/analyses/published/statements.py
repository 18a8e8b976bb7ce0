"""Each published statement beside what the data behind it support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mnbayes.analyses.published.contradictions import patients
from mnbayes.analyses.published.counts import Counts, best_counts, outcome_counts
from mnbayes.analyses.published.facts import Reduction
from mnbayes.analyses.published.result import PublishedResult
from mnbayes.answers.denominators import exact_interval
from mnbayes.base.text_table import Table, records
from mnbayes.cards.definitions import PROTEIN
from mnbayes.report.kit import wording

type Answers = Mapping[tuple[str, str, str], Mapping[str, Any]]


def reported_answers(result: PublishedResult) -> Answers:
    """The reported answers by part, quantity and category."""
    rows = records(result.reported)
    return {(row["part"], row["quantity"], row["category"]): row for row in rows}


def rate(count: int, of: int) -> str:
    """A counted rate with its exact 95 % interval: "5 of 7 (71.4 %; 29.0 % to 96.3 %)"."""
    ends = wording.percent_range(*exact_interval(count, of), 1)
    return f"{count} of {of} ({wording.percent(count / of, 1)}; {ends})"


def both_rates(counts: Counts, category: str) -> str:
    """A counted rate over those seen, and over the enrolled where somebody is missing."""
    number = counts.of(category) or 0
    said = f"Of those seen {rate(number, counts.evaluable)}."
    if counts.missing:
        said += (
            f" With the {counts.missing} not seen as no response {rate(number, counts.enrolled)}."
        )
    return said


def gmr_text(row: Mapping[str, Any]) -> str:
    """A ratio with its interval, or that it is withheld."""
    if np.isnan(row["value"]):
        return "withheld"
    return wording.ratio_range(row["value"], row["lower"], row["upper"])


def chance(row: Mapping[str, Any]) -> str:
    """A probability, no digit finer than its error, or that it is withheld."""
    if np.isnan(row["value"]):
        return "withheld"
    return wording.probability(row["value"], row["mcse"])


def _range(reduction: Reduction) -> str:
    return f"{reduction.lowest_percent:g} % to {reduction.highest_percent:g} %"


def _response(counts: Counts) -> str:
    return f"{both_rates(counts, 'effective')} A P-value says neither how many nor by how much."


def _reduction(result: PublishedResult, counts: Counts, answers: Answers) -> str:
    gmr = answers["outcome", "gmr", ""]
    others = counts.enrolled - counts.effective
    left_out = (
        f"The range leaves out the {patients(others)} without a response or not seen. "
        if others
        else ""
    )
    return f"{left_out}With everybody in, the typical ratio to baseline is {gmr_text(gmr)}."


def _remission(result: PublishedResult, counts: Counts, answers: Answers) -> str:
    said = [both_rates(counts, "remission")]
    between = counts.effective - (counts.remission or 0)
    if between:
        said.append(
            f"{wording.capital(patients(between))} counted as a response had no "
            "remission: the rate of response is the looser one."
        )
    reduction, asked = result.facts.outcome.reduction, result.definitions.threshold
    if counts.complete and reduction is not None and result.facts.marker == PROTEIN:
        level = asked("complete", PROTEIN, "below")
        start = level / (1 - reduction.highest_percent / 100)
        nephrotic = asked("partial", PROTEIN, "below")
        said.append(
            f"A complete remission is a level below {level:g} g/24h. After a fall of at most "
            f"{reduction.highest_percent:g} % it must have started below {start:.2f} g/24h"
            + (": that patient was not nephrotic at baseline." if start < nephrotic else ".")
        )
    return " ".join(said)


def _best(result: PublishedResult, answers: Answers) -> str:
    best = result.facts.best
    assert best is not None
    true, naive = answers["best", "gmr", ""], answers["best_naive", "gmr", ""]
    return (
        f"Each of these is the best of {len(best.weeks)} noisy visits, which picks the luckiest "
        f"error. The typical ratio behind them is {gmr_text(true)}; reading them as single "
        f"measurements would give {gmr_text(naive)}."
    )


def behind_best(result: PublishedResult) -> str:
    """The typical ratio behind the best of several visits; blank without such facts."""
    if result.facts.best is None:
        return ""
    return _best(result, reported_answers(result))


def statements(result: PublishedResult) -> Table:
    """Tabulate every published statement and what can be said from it.

    Parameters
    ----------
    result : PublishedResult

    Returns
    -------
    Table
        Statements in mnbayes' words as the facts file has them.
    """
    facts, answers = result.facts, reported_answers(result)
    counts, best = outcome_counts(facts), best_counts(facts)
    outcome = facts.outcome
    rows: list[tuple[str, str]] = [
        (
            facts.enrolled.says or f"{patients(facts.enrolled.patients)} enrolled.",
            f"One patient more or less moves a rate by {100 / counts.evaluable:.0f} percentage "
            "points.",
        )
    ]
    if counts.missing:
        rows.append(
            (
                outcome.says or f"{patients(counts.evaluable)} seen at week {outcome.week:g}.",
                f"Nothing is known of {patients(counts.missing)} at week {outcome.week:g}. The "
                "last table has the answers for every fate.",
            )
        )
    rows.append(
        (
            outcome.response.says or f"{counts.effective} responded, {counts.none} did not.",
            _response(counts),
        )
    )
    if outcome.reduction is not None:
        said = outcome.reduction.says or f"Reductions of {_range(outcome.reduction)}."
        rows.append((said, _reduction(result, counts, answers)))
    if outcome.remission is not None:
        said = outcome.remission.says or f"{counts.remission} in remission."
        rows.append((said, _remission(result, counts, answers)))
    if facts.best is not None and best is not None:
        said = facts.best.response.says or f"{best.effective} responded in the short term."
        rows.append((said, both_rates(best, "effective")))
        if facts.best.reduction is not None:
            said = facts.best.reduction.says or f"Best reductions {_range(facts.best.reduction)}."
            rows.append((said, _best(result, answers)))
    rows += [
        (each.says or f"{each.what}.", f"Of those counted {rate(each.patients, each.of)}.")
        for each in facts.count
    ]
    rows += [(each.says, each.supports) for each in facts.statement]
    head = ("What the paper says (in our words)", "What the data behind it support")
    return Table(
        "Each published statement; counts with exact 95 % intervals",
        head,
        tuple(rows),
        frozenset({0, 1}),
        wide=True,
    )
