"""Which conclusions from published facts hold under every prior set, withdrawal and reading."""

from __future__ import annotations

from collections.abc import Sequence

from mnbayes.analyses.published.result import PublishedResult
from mnbayes.analyses.published.section_tables import Row, by_specification
from mnbayes.analyses.published.statements import chance
from mnbayes.base.problems import few
from mnbayes.report.kit import wording

_WITHDRAWN = {
    "missing": "the withdrawn missing",
    "failure": "the withdrawn as no response",
    "success": "the withdrawn in the best category",
}
_NO_RESPONSE = {
    "smaller_fall": "no response as a smaller fall",
    "no_fall": "no response as no fall at all",
    "unknown": "nothing concluded from no response",
}
_REMISSION = {
    "half": "remission as a fall of half",
    "unknown": "nothing concluded from remission",
}
_HAVE = {
    "complete": "are in complete remission",
    "partial": "are in partial remission",
    "remission": "are in remission",
    "effective": "have a response of any kind",
    "none": "have no response",
}
#: Most exceptions named in a sentence.
NAMED = 6


def _apart(row: Row, base: Row) -> dict[str, str]:
    """What sets a specification apart from the reported one: axis to words."""
    words = {}
    if row["prior_set"] != base["prior_set"]:
        words["prior_set"] = f"prior set {row['prior_set']}"
    for axis, named in (
        ("withdrawn", _WITHDRAWN),
        ("remission", _REMISSION),
        ("no_response", _NO_RESPONSE),
    ):
        if row[axis] != base[axis]:
            words[axis] = named[row[axis]]
    if row["ends"] != base["ends"]:
        words["ends"] = f"ends of ranges {row['ends']}"
    return words


def _fewest(apart: Sequence[tuple[dict[str, str], Row]]) -> list[tuple[dict[str, str], Row]]:
    """Those that no other one explains: what a prior set overturns alone is said once."""

    def within(one: dict[str, str], other: dict[str, str]) -> bool:
        return one.items() < other.items()

    return [
        (words, row) for words, row in apart if not any(within(other, words) for other, _ in apart)
    ]


def conclusions(result: PublishedResult) -> tuple[str, ...]:
    """Say of each conclusion whether it holds as reported, and where it does not.

    A conclusion is that the typical patient fell, or that the share of patients in a category is
    above its benchmark; it holds where its probability is at least the definitions'
    ``decision``.

    Returns
    -------
    tuple of str
        One sentence for each; empty where withheld.
    """
    required = result.definitions.decision.probability
    claims = {("outcome", "p_fall", ""): "The typical patient fell (GMR < 1)"}
    for category, bar in result.definitions.benchmarks.items():
        claims["counts", "exceeds", category] = (
            f"More than {wording.percent(bar)} of such patients {_HAVE[category]}"
        )
    specs = by_specification(result.answers)
    said = []
    for key, claim in claims.items():
        rows = [known[key] for _, known in specs if key in known]
        rows = [row for row in rows if row["value"] == row["value"]]
        base = next((row for row in rows if _is_reported(row, result)), None)
        if base is None:
            continue
        holds = base["value"] >= required
        # A share comes from counts: readings of sizes leave it alone.
        others = _fewest(
            [
                (_apart(row, base), row)
                for row in rows
                if (row["value"] >= required) != holds
                and (key[0] == "outcome" or _same_reading(row, base))
            ]
        )
        verb = "holds" if holds else "does not hold"
        text = (
            f"{claim}: {verb} as reported, {chance(base)} where {wording.percent(required)} are "
            "required"
        )
        named = [
            f"{', '.join(where.values())} ({chance(row)}{_close(row, required)})"
            for where, row in others
        ]
        if named:
            other = "fails" if holds else "would hold"
            text += f"; it {other} with {few(named, NAMED, '; ')}."
        else:
            text += (
                f"; it {verb} under every prior set, handling of the withdrawn and reading tried."
            )
        said.append(text)
    return tuple(said)


def _close(row: Row, required: float) -> str:
    near = abs(row["value"] - required) < 3 * row["mcse"]
    return ", on the line within its Monte Carlo error" if near else ""


def _is_reported(row: Row, result: PublishedResult) -> bool:
    own = result.card.readings.model_dump()
    same = all(row[axis] == value for axis, value in own.items())
    return same and row["prior_set"] == result.prior_set


def _same_reading(row: Row, base: Row) -> bool:
    return all(row[axis] == base[axis] for axis in ("remission", "no_response", "ends"))
