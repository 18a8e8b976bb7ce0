"""How much of the fall regression to the mean alone could explain, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mnbayes.analyses.regression import part as regression_part
from mnbayes.analyses.regression.bound import explaining_mean
from mnbayes.analyses.regression.figure import regression_bound
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import OVERTURNS, last_week, shown
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, PageOne, Section

#: Reliabilities for which the population mean that explains everything is said in words.
SAID = (0.5, 0.7, 0.9)
#: Geometric means below this, g/24h, are a healthy person's excretion: no population of patients.
HEALTHY = 0.15


@dataclass(frozen=True)
class Regression:
    """The bound beside one model's ratio: its name, sentences and a table of assumptions."""

    model: str
    sentences: tuple[str, ...]
    table: Table


def regression(run: Run) -> Regression | None:
    """The regression-to-the-mean bound beside the estimated fall at the last visit.

    Returns
    -------
    Regression or None
        None where no model that may be shown has an exact baseline of 24-h protein.
    """
    result = next((r for r in shown(run) if not regression_part.of(r).empty), None)
    if result is None:
        return None
    table = regression_part.of(result)
    observed = float(table["gmr_observed"].iloc[0])
    baseline = float(table["baseline_geometric_mean"].iloc[0])
    at = wording.week_name(last_week(result))
    means = sorted(set(table["population_geometric_mean"]))
    rows = []
    for reliability, group in table.groupby("reliability"):
        bound = group.set_index("population_geometric_mean")["gmr_regression"]
        cells = [
            wording.percent(1 - bound[mean])
            + (" – all of it" if bound[mean] <= observed < 1 else "")
            for mean in means
        ]
        rows.append((f"{reliability:g}", *cells))
    sentences = [
        f"The baselines have a geometric mean of {baseline:.2f} g/24h. "
        + (
            f"The estimated fall at {at} is {wording.percent(1 - observed)}."
            if observed < 1
            else f"The estimate at {at} is no fall, so there is none to explain."
        )
    ]
    if observed < 1:
        sentences.append(_needed(baseline, observed))
    head = ("Reliability", *(f"{mean:g} g/24h" for mean in means))
    caption = (
        "Fall that regression to the mean alone would show (negative: a rise), by geometric mean "
        "of the population"
    )
    return Regression(result.name, tuple(sentences), Table(caption, head, tuple(rows)))


def _needed(baseline: float, observed: float) -> str:
    """Which populations would explain the whole fall, in words."""
    parts = []
    for reliability in SAID:
        mean = float(explaining_mean(np.log(baseline), reliability, observed))
        needed = (
            f"{mean:.2g} g/24h or less" if mean >= HEALTHY else "less than healthy people excrete"
        )
        parts.append(f"{needed} if the reliability is {reliability:g}")
    return (
        "For regression to the mean alone to show such a fall, the population from which the "
        f"patients were picked would need a geometric mean of {wording.listed(parts)}."
    )


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """The bound over reliability and population mean."""
    if how.repeated or result.withheld or regression_part.of(result).empty:
        return ()
    return [
        Drawn(
            "regression_bound",
            "Regression to the mean against the estimated fall",
            "Heat map of the fall that regression to the mean alone would show, over the "
            "reliability of one measurement and the population mean, with a line where it equals "
            "the estimated fall; the numbers are in the table below",
            partial(regression_bound, result, how.synthetic),
        )
    ]


def section(run: Run) -> Section:
    """Regression to the mean in a run."""
    said = regression(run)
    page_one = PageOne(OVERTURNS, "Regression to the mean", said.sentences[-1:]) if said else None
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if said else "no model with 24-h urinary protein and an exact baseline",
        pictures=run.pictures.get(ANALYSIS.name, {}),
        page_one=page_one,
        sentences=said.sentences if said else (),
        shown=(said.table,) if said else (),
        template="regression/section.html.j2",
        words={"regression": said},
    )


ANALYSIS = Analysis(
    name="regression",
    title="Regression to the mean",
    section=section,
    of_model=regression_part.find,
    figures=figures,
    draws={
        "regression_bound": "a marker by whose baseline patients were picked",
    },
)
