"""What a facts file says that cannot all be true, in words."""

from __future__ import annotations

from collections.abc import Iterator

from mnbayes.analyses.published.facts import (
    Best,
    Count,
    Facts,
    Outcome,
    Reduction,
    Remission,
    Response,
)
from mnbayes.base.problems import Problem, did_you_mean, quoted
from mnbayes.data.markers import MARKERS

#: Place of a fact in the file, what it says, and what it should say.
type _Found = Iterator[tuple[str, str, str]]


def patients(count: int) -> str:
    """A count in words: "1 patient", "5 patients"."""
    return f"{count} patient{'' if count == 1 else 's'}"


def evaluable_of(facts: Facts, part: Outcome | Best) -> int:
    """Patients seen, where need be from those enrolled and withdrawn."""
    if part.evaluable is not None:
        return part.evaluable
    withdrew = getattr(part, "withdrew", None)
    return facts.enrolled.patients - (withdrew or 0)


def contradictions(facts: Facts, file: str) -> list[Problem]:
    """Every contradiction of the facts among themselves.

    Parameters
    ----------
    facts : Facts
    file : str
        For messages.

    Returns
    -------
    list of Problem
        Empty where the facts can all be true; the key of the fact stands in for the column.
    """
    return [Problem(file, None, key, found, expected) for key, found, expected in _all(facts)]


def _all(facts: Facts) -> _Found:
    if facts.marker not in MARKERS:
        names = ", ".join(MARKERS)
        yield "marker", quoted(facts.marker), f"one of {names}{did_you_mean(facts.marker, MARKERS)}"
    n = facts.enrolled.patients
    if n < 1:
        yield "enrolled.patients", str(n), "1 or more"
    outcome, best = facts.outcome, facts.best
    if not outcome.week > 0:
        yield "outcome.week", f"{outcome.week:g}", "a week after baseline, above 0"
    yield from _seen(n, "outcome", outcome.evaluable, outcome.withdrew)
    yield from _responses("outcome", outcome.response, evaluable_of(facts, outcome), n)
    effective = _effective(outcome.response, evaluable_of(facts, outcome))
    if outcome.reduction is not None:
        yield from _range("outcome.reduction", outcome.reduction, effective)
    if outcome.remission is not None:
        yield from _remissions(outcome.remission, effective)
    if best is not None:
        if not best.weeks or min(best.weeks) <= 0 or len(set(best.weeks)) < len(best.weeks):
            said = ", ".join(f"{week:g}" for week in best.weeks) or "no week"
            yield "best.weeks", said, "different weeks after baseline, above 0"
        yield from _seen(n, "best", best.evaluable, None)
        yield from _responses("best", best.response, evaluable_of(facts, best), n)
        if best.reduction is not None:
            effective = _effective(best.response, evaluable_of(facts, best))
            yield from _range("best.reduction", best.reduction, effective)
    for place, each in enumerate(facts.count):
        yield from _count(f"count.{place}", each, n)


def _seen(n: int, key: str, evaluable: int | None, withdrew: int | None) -> _Found:
    for name, count in (("evaluable", evaluable), ("withdrew", withdrew)):
        if count is not None and count < 0:
            yield f"{key}.{name}", str(count), "0 or more patients"
        if count is not None and count > n:
            yield f"{key}.{name}", patients(count), f"no more than the {n} enrolled"
    seen = evaluable if evaluable is not None else n - (withdrew or 0)
    if seen == 0 < n:
        yield f"{key}.evaluable", "nobody seen", "1 or more patients seen"
    if evaluable is not None and withdrew is not None and evaluable + withdrew != n:
        yield (
            f"{key}.evaluable",
            f"{evaluable} evaluable and {withdrew} withdrawn, {evaluable + withdrew} in all",
            f"as many as were enrolled: {n}",
        )


def _effective(response: Response, evaluable: int) -> int:
    if response.effective is not None:
        return response.effective
    return evaluable - (response.none or 0)


def _responses(part: str, response: Response, evaluable: int, n: int) -> _Found:
    key = f"{part}.response"
    counts = {"effective": response.effective, "none": response.none}
    if all(count is None for count in counts.values()):
        yield key, "neither effective nor none", "how many responded, or how many did not"
        return
    for name, count in counts.items():
        if count is not None and count < 0:
            yield f"{key}.{name}", str(count), "0 or more patients"
        if count is not None and count > evaluable:
            yield f"{key}.{name}", patients(count), f"no more than the {evaluable} evaluable"
    given = [count for count in counts.values() if count is not None]
    if len(given) == 2 and sum(given) != evaluable:
        yield (
            key,
            f"{given[0]} effective and {given[1]} without response, {sum(given)} in all",
            f"as many as were evaluable: {evaluable}",
        )
    stated, effective = response.effective_percent, _effective(response, evaluable)
    if stated is not None and not any(_agrees(stated, effective, of) for of in (evaluable, n)):
        rates = " or ".join(
            f"{effective} of {of} ({100 * effective / of:.0f} %)"
            for of in dict.fromkeys((evaluable, n))
            if of > 0
        )
        yield f"{key}.effective_percent", f"{stated:g} %", f"the rate of the counts: {rates}"


def _agrees(percent: float, count: int, of: int) -> bool:
    """Whether a printed percentage is a rounded share."""
    _, _, digits = f"{percent:.10g}".partition(".")
    return of > 0 and abs(percent - 100 * count / of) <= 0.5 * 10.0 ** -len(digits) + 1e-9


def _remissions(remission: Remission, effective: int) -> _Found:
    key = "outcome.remission"
    counts = {
        "complete": remission.complete,
        "partial": remission.partial,
        "total": remission.total,
    }
    given = {name: count for name, count in counts.items() if count is not None}
    if not given:
        yield key, "no count", "complete and partial, or total"
    for name, count in given.items():
        if count < 0:
            yield f"{key}.{name}", str(count), "0 or more patients"
    complete, partial, total = counts.values()
    if total is not None and complete is not None and partial is not None:
        if complete + partial != total:
            said = f"{complete} complete and {partial} partial, but {total} in all"
            yield f"{key}.total", said, f"their sum, {complete + partial}"
    elif total is None and given and len(given) < 2:
        missing = "partial" if partial is None else "complete"
        yield key, f"no count of {missing} remissions", "complete and partial, or total"
    parts = (complete or 0) + (partial or 0)
    most = max(parts, total or 0)
    if most > effective:
        split = f" ({complete} complete, {partial} partial)" if parts == most else ""
        remissions = f"{most} remission{'' if most == 1 else 's'}{split}"
        yield key, remissions, f"no more remissions than responders: {effective}"


def _range(key: str, reduction: Reduction, effective: int) -> _Found:
    low, high = reduction.lowest_percent, reduction.highest_percent
    said = f"{low:g} % to {high:g} %"
    if low > high:
        yield key, said, "the lowest first: this range is turned round"
    for name, end in (("lowest_percent", low), ("highest_percent", high)):
        if end > 100:
            yield f"{key}.{name}", f"{end:g} %", "a reduction of at most 100 %: no more can be lost"
        elif end == 100:
            expected = "below 100 %: a level of nothing has no ratio to baseline"
            yield f"{key}.{name}", f"{end:g} %", expected
        elif end <= 0:
            expected = "a fall, above 0 %, since it is one of those with a response"
            yield f"{key}.{name}", f"{end:g} %", expected
    if not 0 <= reduction.decimals <= 3:
        yield f"{key}.decimals", str(reduction.decimals), "0 to 3 digits after the point"
    if effective < 1:
        yield key, said, "no range, since nobody responded"
    elif effective == 1 and low < high:
        yield key, f"{said} in 1 patient", "one number for one patient: both ends the same"


def _count(key: str, count: Count, n: int) -> _Found:
    if count.patients < 0:
        yield f"{key}.patients", str(count.patients), "0 or more patients"
    if not 1 <= count.of <= n:
        yield f"{key}.of", str(count.of), f"from 1 to the {n} enrolled"
    if count.patients > count.of:
        yield f"{key}.patients", f"{count.patients} of {count.of}", f"no more than {count.of}"
    elif count.percent is not None and not _agrees(count.percent, count.patients, count.of):
        share = 100 * count.patients / max(count.of, 1)
        expected = f"the rate of the counts: {count.patients} of {count.of} ({share:.0f} %)"
        yield f"{key}.percent", f"{count.percent:g} %", expected
