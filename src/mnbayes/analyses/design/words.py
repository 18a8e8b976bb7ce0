"""A rule and what it says, in words; for the report, the pictures and the terminal."""

from __future__ import annotations

from mnbayes.analyses.design.decision import CONSIDER, GO, RELEVANCE, Decision, Judged
from mnbayes.report.kit import wording


def quantity(decision: Decision) -> str:
    """What a rule is about: "share in remission at week 12"."""
    at = f" at week {decision.week:g}" if decision.week == decision.week else ""  # not NaN
    if decision.quantity == "share":
        return f"share of such patients {decision.about}{at}"
    label = decision.about or decision.marker
    return f"geometric mean ratio of {wording.within(label)} to baseline{at}"


def value(decision: Decision, number: float) -> str:
    """A value of the quantity as its threshold is written."""
    return wording.stated(number) if decision.quantity == "share" else f"{number:g}"


def event(decision: Decision, judged: Judged) -> str:
    """The event of a criterion: "share > 25 %", "GMR ≤ 0.7"."""
    share = decision.quantity == "share"
    strict, reached = (">", "≥") if decision.above else ("<", "≤")
    sign = reached if judged.name == RELEVANCE else strict
    return f"{'share' if share else 'GMR'} {sign} {value(decision, judged.threshold)}"


def asked(decision: Decision, judged: Judged) -> str:
    """What a criterion asks for: "P(share > 25 %) at least 80 %"."""
    text = f"P({event(decision, judged)}) at least {wording.stated(judged.required)}"
    return f"{text} (the median reaches it)" if judged.required == 0.5 else text


def interval(decision: Decision, numbers: tuple[float, float, float]) -> str:
    """Median and 95 % interval of the quantity."""
    if decision.quantity == "share":
        return wording.percent_with_range(*numbers)
    return wording.ratio_range(*numbers)


def verdict(decision: Decision) -> str:
    """The verdict and which criteria it rests on."""
    if not decision.verdict:
        return f"No decision: {'; '.join(decision.reasons)}."
    first, second = decision.judged
    if decision.verdict == GO:
        text = "Go: both criteria hold"
    elif decision.verdict == CONSIDER:
        held, failed = (first, second) if first.met else (second, first)
        text = f"Consider: {held.name} holds, {failed.name} does not"
    else:
        text = "No-go: neither criterion holds"
    return f"{text}."


def doubts(decision: Decision) -> tuple[str, ...]:
    """What to keep in mind of a verdict: the prior's own, Monte Carlo error, failed checks."""
    if not decision.verdict:
        return ()
    found = []
    if decision.prior_verdict == decision.verdict:
        found.append(
            f"The prior alone, without any patient, would have said the same ({decision.verdict})."
        )
    else:
        found.append(
            f"The prior alone, without any patient, would have said {decision.prior_verdict}."
        )
    for judged in decision.judged:
        if judged.unsure:
            near = wording.probability(judged.probability, judged.error)
            found.append(
                f"{judged.name.capitalize()} is within the Monte Carlo error of its line "
                f"({near} against {wording.stated(judged.required)}): more draws would be "
                "needed to be sure."
            )
    if decision.doubtful:
        found.append(
            f"This fit failed its checks ({'; '.join(decision.doubtful)}): do not rely on this."
        )
    return tuple(found)
