"""Rows of the influence of one patient: what each is about, and what the report concludes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.influence import part as influence_part
from mnbayes.answers import conclusions
from mnbayes.answers.conclusions import Estimate, Flip, Row, as_reported, crosses
from mnbayes.answers.reported import MEDIAN_ERROR, TAIL_ERROR
from mnbayes.answers.result import Result
from mnbayes.report.kit.wording import percent, percent_range, probability, ratio_range

#: A difference of fewer Monte Carlo standard errors may be chance. Two would be crossed by chance
#: alone somewhere among the fifty or more differences of a table.
NOISE = 3.0
#: Error of an end of a normal sample's interval in errors of its median.
_END_ERROR = TAIL_ERROR / MEDIAN_ERROR

#: What is said of all patients, in the order of the table.
MAIN = ("gmr", "p_fall", "p_rise", "next_patient", "population", "exceeds")


def last_visit(result: Result) -> pd.DataFrame:
    """Influence on the answers that the report gives, at the primary week.

    As in ``influence.csv``, of the stated categories alone, and of patients' own probabilities
    those in the summary: of the first stated category that can be judged. Where
    a rise is reported, as for albumin, ``p_fall`` has become ``p_rise``.
    """
    table = influence_part.of(result)
    table = table[table["week"] == result.primary_week]
    stated = result.judged_by.stated
    first = next((c for c in stated if c in set(table["category"])), "")
    main = table["kind"].isin(MAIN) & table["category"].isin(["", *stated])
    table = table[main | (table["kind"] == "latent") & (table["category"] == first)]
    table = as_reported(table, ["prior", "value", "value_without"], result.catalogue).reset_index(
        drop=True
    )
    rise = table["kind"] == "p_rise"
    return table.assign(difference=table["difference"].mask(rise, -table["difference"]))


def conclusion(row: Row, benchmarks: Mapping[Any, float], line: float, suffix: str = "") -> str:
    """What the report would conclude from a row.

    Parameters
    ----------
    row : mapping
        Of :func:`last_visit`.
    benchmarks : mapping
        Category to benchmark share.
    line : float
        The definitions' decision probability.
    suffix : str
        Blank for all patients, ``"_without"`` for the refit.

    Returns
    -------
    str
        Of a probability likely (from the line on), unlikely (below its complement) or
        uncertain; of a share whether it is above its benchmark; of a ratio whether its interval
        leaves 1 out. Blank where there is no number, or no benchmark.
    """
    value = row[f"value{suffix}"]
    if np.isnan(value):
        return ""
    if row["kind"] == "gmr":
        lower, upper = row[f"lower{suffix}"], row[f"upper{suffix}"]
        if lower <= 1 <= upper:
            return "an interval that includes 1"
        return "a fall" if upper < 1 else "a rise"
    if row["kind"] == "population":
        bar = benchmarks.get(row["category"])
        if bar is None:
            return ""
        return f"{'above' if value > bar else 'not above'} the benchmark of {percent(bar)}"
    return conclusions.conclusion(value, line)


def flip(row: Row, benchmarks: Mapping[Any, float], line: float) -> Flip:
    """Whether the report would conclude otherwise without the patient.

    Parameters
    ----------
    row : mapping
        Of :func:`last_visit`.
    benchmarks : mapping
        Category to benchmark share.
    line : float
        The definitions' decision probability.

    Returns
    -------
    {"no", "close", "yes"}
        ``close``: it would, but one of both numbers lies within two Monte Carlo standard
        errors of the line between the conclusions.
    """

    def both(column: str, widened: float = 1.0) -> tuple[Estimate, Estimate]:
        then, now = (
            (row[f"{column}{suffix}"], widened * row[f"mcse{suffix}"])
            for suffix in ("", "_without")
        )
        return then, now

    if row["kind"] not in ("gmr", "population"):
        return conclusions.flip(*both("value"), line)
    now = conclusion(row, benchmarks, line, "_without")
    if now in ("", conclusion(row, benchmarks, line)):
        return "no"
    if row["kind"] == "population":
        sure = crosses(*both("value"), benchmarks[row["category"]])
    else:
        sure = any(crosses(*both(end, _END_ERROR), 1.0) for end in ("lower", "upper"))
    return "yes" if sure else "close"


def number(row: Row, suffix: str = "") -> str:
    """An answer as text, with its interval where it has one."""
    value = row[f"value{suffix}"]
    if row["kind"] == "gmr":
        return ratio_range(value, row[f"lower{suffix}"], row[f"upper{suffix}"])
    text = probability(value, row[f"mcse{suffix}"])
    if row["kind"] == "population" and not np.isnan(value):
        text += f" ({percent_range(row[f'lower{suffix}'], row[f'upper{suffix}'])})"
    return text


def beyond_noise(row: Row) -> bool:
    """Whether a difference is more than Monte Carlo error explains."""
    return bool(abs(row["difference"]) > NOISE * row["mcse_difference"])
