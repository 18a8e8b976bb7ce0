"""How much of the fall regression to the mean alone could explain, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from mnbayes.analyses.regression import part as regression_part
from mnbayes.analyses.regression.bound import explaining_mean, picked_high, spread_of
from mnbayes.analyses.regression.figure import finding, regression_bound
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.data.markers import Marker
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import OVERTURNS, shown
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.run import Run
from mnbayes.run.section import Asked, Drawn, PageOne, Section, Sentence, Tidy

#: Reliabilities for which the population mean that explains everything is said in words.
SAID = (0.5, 0.7, 0.9)
#: File of the population means that explain everything.
NEEDED = "regression_to_mean"
#: Its columns for a reader, which the file has not.
_WORDS = ["number", "said"]


@dataclass(frozen=True)
class Regression:
    """The bound beside one model's ratio: its name, sentences and tables of assumptions."""

    model: str
    marker: Marker
    sentences: tuple[str, ...]
    brief: str | Sentence
    table: Table
    screened: Table | None
    needed: pd.DataFrame


def regression(run: Run) -> Regression | None:
    """The regression-to-the-mean bound beside the estimated change at the primary week.

    Returns
    -------
    Regression or None
        None where no model that may be shown has an exact baseline of the primary marker.
    """
    result = next((r for r in shown(run) if not regression_part.of(r).empty), None)
    if result is None:
        return None
    whole = regression_part.of(result)
    table = regression_part.stated(whole)
    marker = result.catalogue[str(table["marker"].iloc[0])]
    high, once = picked_high(marker), int(table["screenings"].iloc[0])
    observed = float(table["gmr_observed"].iloc[0])
    baseline = float(table["baseline_geometric_mean"].iloc[0])
    at = wording.week_name(result.primary_week)
    means = sorted(set(table["population_geometric_mean"]))
    rows = []
    for reliability, group in table.groupby("reliability"):
        bound = group.set_index("population_geometric_mean")["gmr_regression"]
        cells = [
            wording.percent(1 - bound[mean])
            + (" – all of it" if _explains(bound[mean], observed, high=high) else "")
            for mean in means
        ]
        rows.append((f"{reliability:g}", *cells))
    moved = "fall" if high else "rise"
    explained = (observed < 1) == high
    sentences = [
        f"The baselines have a geometric mean of {baseline:.{marker.decimals}f} {marker.unit}. "
        + (
            f"The estimated {moved} at {at} is {wording.percent(abs(1 - observed))}."
            if explained
            else f"The estimate at {at} is no {moved}, so there is none to explain."
        )
    ]
    screened, needed = None, pd.DataFrame()
    if explained:
        needed = _needed(result, marker, observed, sorted(set(whole["screenings"])))
        texts = _texts(needed)
        sentences.append(_needed_words(marker, texts[once], once))
        screened = _screened(texts) if len(texts) > 1 else None
    head = ("Reliability", *(f"{mean:g} {marker.unit}" for mean in means))
    caption = (
        "Fall that regression to the mean alone would show (negative: a rise), by geometric mean "
        f"of the population; patients measured {_times(once)} before entry"
    )
    shown_table = Table(caption, head, tuple(rows))
    brief = _page_one(result, needed, once, moved) if explained else sentences[0]
    return Regression(result.name, marker, tuple(sentences), brief, shown_table, screened, needed)


def _explains(bound: float, observed: float, *, high: bool) -> bool:
    return bool(bound <= observed < 1 if high else bound >= observed > 1)


def _times(screenings: int) -> str:
    return "once" if screenings == 1 else f"up to {screenings} times"


def _needed(
    result: Result, marker: Marker, observed: float, screenings: Sequence[int]
) -> pd.DataFrame:
    """Which population mean would explain the whole change, by screenings and reliability.

    Returns
    -------
    DataFrame
        Columns ``model, marker, screenings, reliability, explaining_mean, unit``; and ``number``
        and ``said``, the mean as printed (blank where nobody has it) and in words.
    """
    high, data = picked_high(marker), result.fit.observations
    baselines = data.log_value[:, 0, data.markers.index(marker.name)]
    range_ = marker.reference
    healthy = None if range_ is None else range_.upper if high else range_.lower
    rows = []
    for times, reliability in product(screenings, SAID):
        mean = explaining_mean(
            baselines[np.isfinite(baselines)],
            reliability,
            observed,
            spread=spread_of(marker),
            screenings=times,
            high=high,
        )
        level = float(marker.in_units(np.asarray(mean)))
        number = wording.level(level)
        said = f"{number} {marker.unit} or {'less' if high else 'more'}"
        if healthy is not None and (level < healthy if high else level > healthy):
            number, said = "", "better than healthy people have"
        elif not marker.plausible[0] <= level <= marker.plausible[1]:
            number, said = "", "one beyond what is plausible in anybody"
        rows.append((times, reliability, level, number, said))
    table = pd.DataFrame(rows, columns=["screenings", "reliability", "explaining_mean", *_WORDS])
    table.insert(0, "marker", marker.name)
    table.insert(0, "model", result.name)
    table.insert(5, "unit", marker.unit)
    return table


def _texts(needed: pd.DataFrame) -> dict[int, tuple[str, ...]]:
    """The means in words, by screenings."""
    swept = dict.fromkeys(needed["screenings"].tolist())
    return {n: tuple(needed.loc[needed["screenings"] == n, "said"]) for n in swept}


def _page_one(result: Result, needed: pd.DataFrame, once: int, moved: str) -> Sentence:
    """Which population explains all of it, at the middle reliability."""
    row = records(needed[(needed["screenings"] == once) & (needed["reliability"] == SAID[1])])[0]
    start = f"it alone would show this {moved} if patients, measured {_times(once)}, came from a "
    ending = f" (reliability {SAID[1]:g})."
    if not row["number"]:
        return Sentence((f"{start}population with a mean {row['said']}{ending}",))
    mean = Asked(
        row["number"],
        f"{row['unit']} is the geometric mean of the population at which regression to the mean "
        "alone would show the whole estimated change.",
        NEEDED,
        {
            "model": result.name,
            "screenings": int(row["screenings"]),
            "reliability": float(row["reliability"]),
        },
        "explaining_mean",
    )
    rest = row["said"].removeprefix(row["number"])
    return Sentence((f"{start}population with a mean of ", mean, f"{rest}{ending}"))


def _needed_words(marker: Marker, cells: Sequence[str], screenings: int) -> str:
    """Which populations would explain the whole change, in words."""
    parts = [f"{cell} if the reliability is {r:g}" for r, cell in zip(SAID, cells, strict=True)]
    moved = "fall" if picked_high(marker) else "rise"
    return (
        f"For regression to the mean alone to show such a {moved} in patients measured "
        f"{_times(screenings)} before entry, the population from which they were picked would need "
        f"a geometric mean of {wording.listed(parts)}."
    )


def _screened(needed: dict[int, tuple[str, ...]]) -> Table:
    """What population explains the whole change, by how often a patient was screened."""
    caption = (
        "Geometric mean of the population at which regression to the mean alone would show the "
        "whole estimated change, if a patient entered at the first of so many measurements at or "
        "beyond the least extreme baseline"
    )
    head = ("Measured before entry", *(f"reliability {r:g}" for r in SAID))
    rows = tuple((_times(times), *cells) for times, cells in needed.items())
    return Table(caption, head, rows, frozenset(range(len(head))))


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """The bound over reliability and population mean."""
    if how.repeated or result.withheld or regression_part.of(result).empty:
        return ()
    return [
        Drawn(
            "regression_bound",
            "Regression to the mean against the estimated change",
            finding(result),
            partial(regression_bound, result, how.synthetic),
        )
    ]


def section(run: Run) -> Section:
    """Regression to the mean in a run."""
    said = regression(run)
    page_one = PageOne(OVERTURNS, "Regression to the mean", (said.brief,)) if said else None
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if said else "no model with the primary marker and an exact baseline",
        tables={NEEDED: Tidy(said.needed.drop(columns=_WORDS, errors="ignore"))} if said else {},
        pictures=run.pictures.get(ANALYSIS.name, {}),
        page_one=page_one,
        sentences=said.sentences if said else (),
        shown=tuple(t for t in (said.table, said.screened) if t is not None) if said else (),
        template="regression/section.html.j2",
        annex="regression/annex.html.j2" if said else "",
        words={"regression": said},
    )


ANALYSIS = Analysis(
    name="regression",
    title="Regression to the mean",
    section=section,
    part="overturns",
    of_model=regression_part.find,
    figures=figures,
    draws={
        "regression_bound": "a marker by whose baseline patients were picked",
    },
)
