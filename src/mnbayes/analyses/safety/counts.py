"""Adverse events and symptoms: counts of patients, and what so few patients leave open.

Patients are counted, not rows: a patient with fever in three weeks is one patient with fever.

- An **adverse event** is a term with a grade above 0 after week 0, higher than the patient's
  grade of the same term at week 0 (which is 0 where there is no such row).
- A **symptom** is a term with a grade above 0 at week 0. It has *improved* if its last recorded
  grade is below that one. A symptom that gets worse is an adverse event too.

With few patients and few events no model is needed. A count of patients has an exact one-sided
limit (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404), for none of n the rule of three
(Hanley and Lippman-Hand 1983, doi:10.1001/jama.1983.03330370053031), and the posterior of its
rate under a flat and under Jeffreys' beta prior, each beside that prior alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mnbayes.answers.denominators import exact_interval
from mnbayes.data.cohort import Cohort

type Side = Literal["upper", "lower"]

LEVEL = 0.95
#: Both parameters of the symmetric beta prior.
PRIORS = {"flat": 1.0, "jeffreys": 0.5}
#: Grade from which CTCAE calls an event severe.
SEVERE = 3
#: Stands for all terms together.
ANY = "(any)"

COLUMNS = (
    *("kind", "term", "outcome", "patients", "total", "share", "side", "exact", "rule_of_three"),
    *(
        f"{prior}_{number}{alone}"
        for prior in PRIORS
        for alone in ("", "_prior")
        for number in ("median", "limit")
    ),
    *("terms", "highest_grade"),
)


@dataclass(frozen=True)
class Limits:
    """How high, or how low, a rate may be after a count; shares between 0 and 1.

    Attributes
    ----------
    exact : float
        Exact one-sided 95 % limit.
    rule_of_three : float
        Its rule of thumb, ``3 / n`` for an upper limit with none of n patients, ``1 - 3 / n``
        for a lower one with all of them; NaN for other counts.
    flat_median, flat_limit, jeffreys_median, jeffreys_limit : float
        Median and one-sided 95 % limit of the rate under a Beta(1, 1) and a Beta(½, ½) prior.
    """

    exact: float
    rule_of_three: float
    flat_median: float
    flat_limit: float
    jeffreys_median: float
    jeffreys_limit: float


def rate_limits(count: int, total: int, side: Side = "upper") -> Limits:
    """Limits of the rate behind a count of patients.

    Parameters
    ----------
    count, total : int
        ``count`` of ``total`` patients. With 0 of 0 the beta limits are those of the priors.
    side : {"upper", "lower"}
        Which one-sided limit: the upper one asks how common something bad may be, the lower one
        how rare something good.

    Returns
    -------
    Limits

    Raises
    ------
    ValueError
        If the count is not between 0 and the total.

    Examples
    --------
    >>> limits = rate_limits(0, 8)
    >>> [round(100 * x, 1) for x in (limits.exact, limits.rule_of_three, limits.flat_limit)]
    [31.2, 37.5, 28.3]
    """
    from scipy.special import betaincinv

    if not 0 <= count <= total:
        raise ValueError(f"the count must be between 0 and the total; found {count} of {total}")
    upper = side == "upper"
    exact, rule = float(upper), float("nan")
    if total:
        # Each end of the two-sided interval that leaves out 5 % twice is a one-sided 95 % limit.
        exact = exact_interval(count, total, 1 - 2 * (1 - LEVEL))[upper]
        if count == (0 if upper else total):
            three = min(3 / total, 1.0)
            rule = three if upper else 1 - three
    quantiles = (0.5, LEVEL if upper else 1 - LEVEL)
    betas = [
        float(betaincinv(count + shape, total - count + shape, q))
        for shape in PRIORS.values()
        for q in quantiles
    ]
    return Limits(exact, rule, *betas)


def adverse_events(events: pd.DataFrame) -> pd.DataFrame:
    """The highest grade of each adverse event of each patient.

    Parameters
    ----------
    events : DataFrame
        As in :class:`mnbayes.data.cohort.Cohort`.

    Returns
    -------
    DataFrame
        Columns patient, term, grade (above 0), in the order of `events`: one row for each
        patient and term that was worse after week 0 than at week 0.
    """
    keys = ["patient", "term"]
    worst = events[events["week"] > 0].groupby(keys, sort=False)["grade"].max()
    before = events[events["week"] == 0].set_index(keys)["grade"].reindex(worst.index)
    return worst[worst > before.fillna(0.0)].reset_index()


def symptom_courses(events: pd.DataFrame) -> pd.DataFrame:
    """Where each symptom of each patient started and ended.

    Parameters
    ----------
    events : DataFrame
        As in :class:`mnbayes.data.cohort.Cohort`.

    Returns
    -------
    DataFrame
        Columns patient, term, baseline (grade at week 0, above 0), last_week and last (grade in
        the last later row; both NaN where there is none), in the order of `events`.
    """
    keys = ["patient", "term"]
    present = events[(events["week"] == 0) & (events["grade"] > 0)]
    later = events[events["week"] > 0].sort_values("week").drop_duplicates(keys, keep="last")
    table = present[[*keys, "grade"]].merge(later, on=keys, how="left", suffixes=("", "_last"))
    return table.set_axis([*keys, "baseline", "last_week", "last"], axis="columns")


def safety_table(cohort: Cohort) -> pd.DataFrame:
    """Count patients with adverse events and with improved symptoms, each with its limits.

    Parameters
    ----------
    cohort : Cohort
        With its events.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`, shares between 0 and 1; ``<prior>_<number>_prior`` is the number
        under the prior alone. Adverse events (``kind`` "adverse", ``side`` "upper") of all
        enrolled patients: the two rows of any term are always there, by ``outcome`` "grade 1 or
        higher" and "grade 3 or higher", followed by each term that occurred, with its number of
        distinct ``terms`` and ``highest_grade`` (0 where there is none). Symptoms (``kind``
        "symptom", ``side`` "lower"), for each term present at baseline: "improved" and "gone" of
        those with a later row, and, where some have none, "improved, of all who had it", in
        which they count as not improved.

    Raises
    ------
    ValueError
        If the cohort has no table of events.
    """
    if cohort.events is None:
        raise ValueError("the cohort has no table of events")
    enrolled = len(cohort.patients)
    adverse = adverse_events(cohort.events)
    rows = []
    counted = [(ANY, adverse), *adverse.groupby("term", sort=True)]
    for term, part in counted:
        for least in (1, SEVERE):
            reached = part[part["grade"] >= least]
            rows.append(
                {"kind": "adverse", "term": term, "outcome": f"grade {least} or higher"}
                | _counted(int(reached["patient"].nunique()), enrolled, "upper")
                | {"terms": reached["term"].nunique(), "highest_grade": part["grade"].max()}
            )
    for term, part in symptom_courses(cohort.events).groupby("term", sort=True):
        followed = int(part["last"].count())
        improved = int((part["last"] < part["baseline"]).sum())
        outcomes = [
            ("improved", improved, followed),
            ("gone", int((part["last"] == 0).sum()), followed),
        ]
        if followed < len(part):
            outcomes.append(("improved, of all who had it", improved, len(part)))
        for outcome, count, total in outcomes:
            rows.append(
                {"kind": "symptom", "term": term, "outcome": outcome}
                | _counted(count, total, "lower")
                | {"terms": 1, "highest_grade": part["baseline"].max()}
            )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(highest_grade=table["highest_grade"].fillna(0).astype(int))


def _counted(count: int, total: int, side: Side) -> dict[str, object]:
    """A count with its limits and those of the priors, as cells of a row."""
    limits, alone = asdict(rate_limits(count, total, side)), asdict(rate_limits(0, 0, side))
    share = count / total if total else np.nan
    betas = [name for name in limits if name not in ("exact", "rule_of_three")]
    return (
        {"patients": count, "total": total, "share": share, "side": side}
        | limits
        | {f"{name}_prior": alone[name] for name in betas}
    )
