"""Tables of the lymphocyte subsets: changes, ranks, the CD4/CD8 ratio and reference ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.lymphocytes import part as subsets_part
from mnbayes.analyses.lymphocytes.subsets import SUBSETS
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Spanned, Table, records
from mnbayes.data.markers import Reference
from mnbayes.data.reference_ranges import placed
from mnbayes.inference.diagnostics import MIN_ESS
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import prior_text
from mnbayes.report.kit.wording import probability
from mnbayes.run.run import Run


def _error(value: float, error: float) -> float:
    # A fit alone that brought no error had at least the effective draws that the gate asks for.
    return wording.independent_error(value, MIN_ESS) if np.isnan(error) else error


def ratio_text(row: Mapping[str, Any], name: str = "gmr", before: str = "", after: str = "") -> str:
    """A ratio with its interval, from columns such as ``<before>gmr_median<after>``."""
    ends = (row[f"{before}{name}_{part}{after}"] for part in ("median", "lower", "upper"))
    return wording.ratio_range(*ends)


def forest_spanned(result: Result, shrunk: bool) -> Spanned:
    """Ratios to baseline by subset and visit, before shrinkage beside after, beside the prior."""
    table = subsets_part.of(result).subsets
    alone = bool(table["alone_gmr_median"].notna().any())
    data = []
    for row in records(table):
        label = result.catalogue[row["marker"]].label.removesuffix(" lymphocytes")
        cells = {"subset": f"{label}, {wording.week_name(row['week'])}"}
        if alone:
            chance = row["alone_p_rise"]
            cells["before"] = ratio_text(row, before="alone_")
            rise = probability(chance, _error(chance, row["alone_p_rise_mcse"]))
            cells["before_rise"] = f"{rise} ({prior_text(result, row['alone_p_rise_prior'])})"
        cells |= {
            "after": ratio_text(row),
            "rise": probability(row["p_rise"], row["p_rise_mcse"]),
            "mcse": wording.points(row["p_rise_mcse"]),
            "prior": ratio_text(row, after="_prior"),
            "prior_rise": prior_text(result, row["p_rise_prior"]),
        }
        data.append(cells)
    ratio, rise = "GMR (95 % interval)", "P(rise)"
    together = "After shrinkage: all together" if shrunk else "This model"
    spanners = {together: ["after", "rise", "mcse"], "Prior alone": ["prior", "prior_rise"]}
    if alone:
        before = {"Before: each by itself": ["before", "before_rise"]}
        spanners = before | spanners
    labels = {
        "subset": "Lymphocytes, visit",
        "before": ratio,
        "before_rise": "P(rise) (prior alone)",
        "after": ratio,
        "rise": rise,
        "mcse": "MCSE, points",
        "prior": ratio,
        "prior_rise": rise,
    }
    return Spanned(
        pd.DataFrame(data),
        "subset-forest",
        "Lymphocyte subsets: geometric mean ratio (GMR) to baseline",
        {name: label for name, label in labels.items() if name in data[0]},
        spanners,
    )


def rank_summary(result: Result) -> Table | None:
    """Probability of each subset to have changed, or risen, the most by the last visit."""
    if subsets_part.of(result).ranks.empty:
        return None
    first = (
        subsets_part.of(result)
        .ranks[subsets_part.of(result).ranks["rank"] == 1]
        .set_index(["by", "marker"])
    )
    rows = []
    for marker in dict.fromkeys(subsets_part.of(result).ranks["marker"]):
        cells = []
        for by in ("change", "rise"):
            row = first.loc[(by, marker)]
            cells += [
                probability(row["probability"], row["mcse"]),
                wording.points(row["mcse"]),
                prior_text(result, row["prior_probability"]),
            ]
        rows.append((result.catalogue[marker].label, *cells))
    week = wording.week_name(float(subsets_part.of(result).ranks["week"].iloc[0]))
    head = [
        f"{what}: {part}"
        for what in ("P(changed most, up or down)", "P(rose most)")
        for part in ("given the data", "MCSE, points", "prior alone")
    ]
    caption = f"Which subset's group ratio changed most by {week}?"
    return Table(caption, ("Subset", *head), tuple(rows))


def ratio_spanned(result: Result) -> Spanned | None:
    """The population's CD4/CD8 ratio by visit, its change, and both under the prior alone."""
    table = subsets_part.of(result).ratios
    if table.empty:
        return None
    data = []
    for row in records(table[table["patient"] == ""]):
        start = row["week"] == 0
        data.append(
            {
                "week": wording.week_name(row["week"]).capitalize(),
                "ratio": ratio_text(row, "ratio"),
                "gmr": ratio_text(row),
                "rise": probability(row["p_rise"], row["p_rise_mcse"]),
                "mcse": wording.points(row["p_rise_mcse"]),
                "prior": ratio_text(row, "ratio", after="_prior"),
                "prior_gmr": ratio_text(row, after="_prior"),
                "prior_rise": wording.BLANK if start else prior_text(result, row["p_rise_prior"]),
            }
        )
    labels = {"ratio": "CD4/CD8", "gmr": "relative to baseline", "rise": "P(rise)"}
    before = {f"prior{'' if k == 'ratio' else f'_{k}'}": label for k, label in labels.items()}
    return Spanned(
        pd.DataFrame(data),
        "cd4-cd8",
        "CD4/CD8 ratio of the geometric means (95 % interval)",
        {"week": "Visit", "mcse": "MCSE, points"} | labels | before,
        {"Given the data": [*labels, "mcse"], "Prior alone": list(before)},
    )


def reference_table(run: Run) -> Table | None:
    """Patients inside the reference ranges at baseline and at the last visit, as measured.

    No model, so a withheld fit does not withhold it; None where no model of the run has a marker
    with a range.
    """
    ranges = _ranges(run)
    weeks = (0.0, run.cohort.weeks[-1])
    if not ranges:
        return None
    counts = records(placed(run.cohort.measurements, ranges, weeks))
    rows = []
    for marker, given in ranges.items():
        cells = []
        for row in (row for row in counts if row["marker"] == marker):
            share = f" ({wording.percent(row['inside'] / row['measured'])})" * bool(row["measured"])
            undecided = f", {row['undecided']} undecided" * bool(row["undecided"])
            cells.append(f"{row['inside']} of {row['measured']}{share}")
            cells.append(f"{row['below']} and {row['above']}{undecided}")
        rows.append((run.catalogue[marker].label, given.words, *cells))
    names = [wording.week_name(week).capitalize() for week in weeks]
    head = [f"{name}: {part}" for name in names for part in ("inside", "below and above")]
    caption = "Patients inside the reference range, as measured"
    return Table(caption, ("Subset", "Range, cells/uL", *head), tuple(rows), frozenset({0, 1}))


def reference_sources(run: Run) -> tuple[str, ...]:
    """Where the ranges of :func:`reference_table` are from, each once."""
    return tuple(
        dict.fromkeys(
            f"{100 * given.coverage:g} % ranges of {given.population}: "
            f"{run.catalogue[marker].source.get('reference', 'no source')}"
            for marker, given in _ranges(run).items()
        )
    )


def _ranges(run: Run) -> dict[str, Reference]:
    """Ranges of the subsets that the models of a run have."""
    used = {m for result in run.results for m in result.fit.observations.markers}
    ranges = {name: marker.reference for name, marker in run.catalogue.items()}
    return {m: r for m, r in ranges.items() if r is not None and m in used and m in SUBSETS}
