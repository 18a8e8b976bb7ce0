"""The share of responders: as counted, by the model, and its benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnbayes.analyses.design.beta_binomial import Beta
from mnbayes.analyses.design.evidence import Counts, Evidence
from mnbayes.analyses.design.shares import true_share
from mnbayes.answers.denominators import exact_interval
from mnbayes.base.arrays import Floats
from mnbayes.cards.definitions import Category, Definitions
from mnbayes.report.kit import wording

#: Median, lower and upper end of an interval.
type Ends = tuple[float, float, float]

_ENDS = (0.5, 0.025, 0.975)


@dataclass(frozen=True)
class Share:
    """What is known of the share of responders in one category at one visit.

    Attributes
    ----------
    short, about : str
        The category, and of patients: "in remission".
    week : float
        NaN where it is not known.
    counts : Counts or None
        As measured; None where nobody can be judged.
    model, prior : tuple of float, or None
        Median and 95 % equal-tailed interval of the share of all such patients.
    coming, prior_coming : float
        Probability that the next patient responds, as measured; NaN where not known.
    benchmark : float
        NaN where there is none.
    """

    short: str
    about: str
    week: float
    counts: Counts | None
    model: Ends | None
    prior: Ends | None
    coming: float
    prior_coming: float
    benchmark: float


def shares_of(evidence: Evidence, definitions: Definitions, week: float) -> tuple[Share, ...]:
    """The share in each category of which headlines are made, that a model can judge."""
    if evidence.tree is None or evidence.withheld:
        return ()
    table = evidence.probabilities
    if table.empty:
        return ()
    coming = table[(table["quantity"] == "next_patient") & (table["week"] == week)]
    found = []
    for category in definitions.stated:
        if category in evidence.not_evaluable:
            continue
        own = coming.loc[coming["category"] == category, ["probability", "prior_probability"]]
        now, before = own.iloc[0].astype(float) if len(own) else (np.nan, np.nan)
        model, prior = (
            _three(
                np.quantile(true_share(evidence.tree, group, category, week, definitions), _ENDS)
            )
            if group in evidence.tree.children
            else None
            for group in ("posterior", "prior")
        )
        counts = evidence.counts(category, week)
        bar = definitions.benchmarks.get(category, np.nan)
        short, about = definitions.short(category), definitions.patients(category)
        found.append(Share(short, about, week, counts, model, prior, now, before, bar))
    return tuple(found)


def share_counted(
    definitions: Definitions, category: Category, week: float, seen: Counts, now: Beta, before: Beta
) -> Share:
    """The share of counts alone: the next patient's probability is the mean of the share."""
    return Share(
        definitions.short(category) if category in definitions.categories else category,
        definitions.patients(category) if category in definitions.categories else category,
        week,
        seen,
        _three(now.quantile(list(_ENDS))),
        _three(before.quantile(list(_ENDS))),
        now.a / (now.a + now.b),
        before.a / (before.a + before.b),
        definitions.benchmarks.get(category, np.nan),
    )


def _three(numbers: Floats) -> Ends:
    median, low, high = map(float, numbers)
    return median, low, high


def counted(seen: Counts) -> list[tuple[str, int, int]]:
    """Label, responders and number of patients of each denominator; one where both agree."""
    rows = [("measured", seen.responders, seen.evaluable)]
    if seen.enrolled != seen.evaluable:
        rows.append(("enrolled", seen.responders, seen.enrolled))
    return rows


def finding(shares: Sequence[Share]) -> str:
    """What the picture shows, in words."""
    said = []
    for one in shares:
        parts = []
        for label, responders, total in counted(one.counts) if one.counts else ():
            ends = wording.percent_range(*exact_interval(responders, total))
            parts.append(f"{responders} of {total} {label} (exact 95 % interval {ends})")
        if one.model:
            ends = wording.percent_with_range(*one.model)
            parts.append(f"model's share of all such patients {ends}")
        if not np.isnan(one.coming):
            parts.append(f"next patient {wording.percent(one.coming)}")
        if not np.isnan(one.benchmark):
            parts.append(f"benchmark {wording.stated(one.benchmark)}")
        at = "" if np.isnan(one.week) else f" at week {one.week:g}"
        said.append(f"{wording.capital(one.about)}{at}: {'; '.join(parts)}")
    return ". ".join(said)
