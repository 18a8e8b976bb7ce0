"""Rows of the influence of one patient: what each is about, and what the report concludes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from mnbayes.comparison.reported import MEDIAN_ERROR, TAIL_ERROR
from mnbayes.report import wording
from mnbayes.report.changes import URINE, last_week
from mnbayes.report.summary import LIKELY, UNLIKELY
from mnbayes.report.wording import percent, percent_range, probability, ratio_range
from mnbayes.results import Result

#: A difference of fewer Monte Carlo standard errors may be chance. Two would be crossed by chance
#: alone somewhere among the fifty or more differences of a table.
NOISE = 3.0
#: A number this many Monte Carlo standard errors from a line may as well lie beyond it.
CLOSE = 2.0
#: Error of an end of a normal sample's interval in errors of its median.
_END_ERROR = TAIL_ERROR / MEDIAN_ERROR

#: What is said of all patients, in the order of the table.
MAIN = ("gmr", "p_fall", "p_rise", "next_patient", "population", "exceeds")
_CATEGORIES = ("remission", "effective")
_CALLED = {"remission": "remission", "effective": "a response called effective"}

#: A row of the table of influence.
type Row = Mapping[str, Any]
type Flip = Literal["no", "close", "yes"]


def last_visit(result: Result) -> pd.DataFrame:
    """Influence on the answers that the report gives, at the last visit.

    As in ``influence.csv``, of remission and effective alone, and of patients' own probabilities
    those in the summary: of remission, or of effective where remission cannot be judged. Where
    a rise is reported, as for albumin, ``p_fall`` has become ``p_rise``.
    """
    table = result.influence
    table = table[table["week"] == last_week(result)]
    first = next((c for c in _CATEGORIES if c in set(table["category"])), "")
    main = table["kind"].isin(MAIN) & table["category"].isin(["", *_CATEGORIES])
    table = table[main | (table["kind"] == "latent") & (table["category"] == first)].copy()
    rise = (table["kind"] == "p_fall") & ~table["marker"].isin(URINE)
    for column in ("prior", "value", "value_without"):
        table[column] = table[column].mask(rise, 1 - table[column])
    table["difference"] = table["difference"].mask(rise, -table["difference"])
    table["kind"] = table["kind"].mask(rise, "p_rise")
    return table.reset_index(drop=True)


def answer(row: Row, benchmarks: Mapping[Any, float]) -> str:
    """What a row is about, as the subject of a sentence."""
    called = _CALLED.get(row["category"], "")
    label = wording.in_text(row["marker"]) if row["marker"] else ""
    bar = percent(benchmarks[row["category"]]) if row["kind"] == "exceeds" else ""
    return {
        "gmr": f"the ratio of {label} to baseline (GMR)",
        "p_fall": f"the probability that {label} fell",
        "p_rise": f"the probability that {label} rose",
        "next_patient": f"the next patient's probability of {called} (next_patient)",
        "population": f"the expected share of such patients with {called} (population)",
        "exceeds": f"the probability that more than {bar} of such patients have {called} (exceeds)",
        "latent": f"{row['patient']}'s probability of {called} (latent)",
    }[row["kind"]]


def conclusion(row: Row, benchmarks: Mapping[Any, float], suffix: str = "") -> str:
    """What the report would conclude from a row.

    Parameters
    ----------
    row : mapping
        Of :func:`last_visit`.
    benchmarks : mapping
        Category to benchmark share.
    suffix : str
        Blank for all patients, ``"_without"`` for the refit.

    Returns
    -------
    str
        Of a probability likely, uncertain or unlikely (at least 80 %, below 20 %, as in the
        summary); of a share whether it is above its benchmark; of a ratio whether its interval
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
    return "likely" if value >= LIKELY else "unlikely" if value < UNLIKELY else "uncertain"


def _lines(row: Row, benchmarks: Mapping[Any, float]) -> dict[str, tuple[float, ...]]:
    """Column to the lines between one conclusion from it and the next."""
    if row["kind"] == "gmr":
        return {"lower": (1.0,), "upper": (1.0,)}
    if row["kind"] == "population":
        return {"value": (benchmarks[row["category"]],)}
    return {"value": (UNLIKELY, LIKELY)}


def flip(row: Row, benchmarks: Mapping[Any, float]) -> Flip:
    """Whether the report would conclude otherwise without the patient.

    Parameters
    ----------
    row : mapping
        Of :func:`last_visit`.
    benchmarks : mapping
        Category to benchmark share.

    Returns
    -------
    {"no", "close", "yes"}
        ``close``: it would, but one of both numbers lies within two Monte Carlo standard
        errors of the line between the conclusions.
    """
    now = conclusion(row, benchmarks, "_without")
    if not now or now == conclusion(row, benchmarks):
        return "no"
    errors = np.array([row["mcse"], row["mcse_without"]])
    for column, lines in _lines(row, benchmarks).items():
        far = CLOSE * errors * (_END_ERROR if column != "value" else 1.0)
        for line in lines:
            beyond = np.array([row[column], row[f"{column}_without"]]) - line
            if beyond.prod() < 0 and np.all(np.abs(beyond) > far):
                return "yes"
    return "close"


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
