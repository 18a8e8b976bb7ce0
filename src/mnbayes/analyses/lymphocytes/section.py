"""What moved in the lymphocyte subsets: tables and sentences of one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from markupsafe import Markup

from mnbayes.analyses.lymphocytes import part as subsets_part
from mnbayes.analyses.lymphocytes.figure import subset_forest, subset_ranks
from mnbayes.analyses.lymphocytes.subset_tables import (
    forest_spanned,
    rank_summary,
    ratio_spanned,
    ratio_text,
    reference_sources,
    reference_table,
)
from mnbayes.analyses.lymphocytes.subsets import common_change
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Spanned, Table, records
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import joined, prior_text, shown
from mnbayes.report.kit.tables import great
from mnbayes.report.kit.wording import probability
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import a_prior
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Section, Tidy

OVERLAP = (
    "CD4+ and CD8+ lymphocytes are parts of CD3+. The five are not a composition and not five "
    "independent findings: what moves CD4+ moves CD3+ too."
)


@dataclass(frozen=True)
class Subsets:
    """What the report says of the lymphocyte subsets.

    Attributes
    ----------
    model : str
        Of the one model that is shown.
    shrunk, alone : bool
        Whether its mean changes shrink to a common one; whether each subset was also fitted by
        itself.
    sentences : tuple of str
    ranks : Table or None
    ratio : Markup or None
        The CD4/CD8 ratio of the population; None where the model lacks one of the two.
    others : tuple of str
        Models that also hold subsets and are not shown here.
    """

    model: str
    shrunk: bool
    alone: bool
    sentences: tuple[str, ...]
    ranks: Table | None
    ratio: Markup | None
    others: tuple[str, ...]


def subset_model(run: Run) -> Result | None:
    """The model that speaks on the subsets: one that shrinks them, else the one with most."""
    able = [result for result in shown(run) if not subsets_part.of(result).subsets.empty]
    return max(
        able,
        key=lambda r: (
            common_change(r.fit.tree) is not None,
            subsets_part.of(r).subsets["marker"].nunique(),
        ),
        default=None,
    )


def brief_table(result: Result, shrunk: bool) -> Table:
    """One row a subset at its last visit: all together, each by itself, prior alone."""
    table = subsets_part.of(result).subsets
    week = float(table["week"].max())
    rows = []
    for row in records(table[table["week"] == week]):
        alone = "" if np.isnan(row["alone_gmr_median"]) else ratio_text(row, before="alone_")
        rows.append(
            (
                result.catalogue[row["marker"]].short,
                ratio_text(row),
                probability(row["p_rise"], row["p_rise_mcse"]),
                alone,
                ratio_text(row, after="_prior"),
            )
        )
    together = "Shrunk to a common change" if shrunk else "This model"
    head = ("Subset", together, "P(rise)", "By itself", "Prior alone")
    caption = (
        f"Lymphocyte subsets at {wording.week_name(week)}: geometric mean ratio to baseline "
        "(95 % interval)"
    )
    return Table(caption, head, tuple(rows))


def _common(result: Result) -> list[str]:
    common = common_change(result.fit.tree)
    if common is None:
        return []
    return [
        "The common change that the subsets shrink to is a ratio to baseline of "
        f"{ratio_text(common)}, with a probability of a rise of "
        f"{probability(common['p_rise'], common['p_rise_mcse'])}; under the prior alone "
        f"{ratio_text(common, after='_prior')} and {prior_text(result, common['p_rise_prior'])}."
    ]


def _shrinkage(result: Result) -> list[str]:
    table = subsets_part.of(result).subsets.dropna(subset=["alone_gmr_median"])
    if table.empty:
        return []
    moved = np.abs(np.log(table["gmr_median"] / table["alone_gmr_median"])).max()
    width, before = (
        np.log(table[f"{p}gmr_upper"] / table[f"{p}gmr_lower"]) for p in ("", "alone_")
    )
    change = float(np.exp(np.mean(np.log(width / before)))) - 1
    return [
        "Against each subset fitted by itself, no ratio moved by more than "
        f"{wording.percent(float(np.expm1(moved)))}, and the 95 % intervals are "
        f"{wording.percent(abs(change))} {'narrower' if change < 0 else 'wider'} (geometric mean, "
        "log scale)."
    ]


def _most_changed(result: Result, line: float) -> list[str]:
    if subsets_part.of(result).ranks.empty:
        return []
    first = subsets_part.of(result).ranks[
        (subsets_part.of(result).ranks["rank"] == 1)
        & (subsets_part.of(result).ranks["by"] == "change")
    ]
    row = records(first.sort_values("probability", ascending=False, kind="stable"))[0]
    alone = "" if row["probability"] >= line else " No subset stands out clearly."
    return [
        f"The most changed by {wording.week_name(row['week'])}, up or down, is "
        f"{wording.in_text(result.catalogue[row['marker']])} with a probability of "
        f"{probability(row['probability'], row['mcse'])} "
        f"({prior_text(result, row['prior_probability'])} under the prior alone).{alone}"
    ]


def subsets(run: Run) -> Subsets | None:
    """What the report says of the lymphocyte subsets.

    Returns
    -------
    Subsets or None
        None where no model that may be shown holds one.
    """
    result = subset_model(run)
    if result is None:
        return None
    shrunk = common_change(result.fit.tree) is not None
    ratio = ratio_spanned(result)
    line = run.definitions.decision.probability
    sentences = (*_common(result), *_shrinkage(result), *_most_changed(result, line))
    others = [
        r.name for r in shown(run) if r is not result and not subsets_part.of(r).subsets.empty
    ]
    return Subsets(
        model=result.name,
        shrunk=shrunk,
        alone=bool(subsets_part.of(result).subsets["alone_gmr_median"].notna().any()),
        sentences=sentences,
        ranks=rank_summary(result),
        ratio=None if ratio is None else great(ratio),
        others=tuple(others),
    )


def _ratios(result: Result) -> str:
    """What the forest shows, in words: each subset at the primary week."""
    table = subsets_part.of(result).subsets
    said = [
        f"{result.catalogue[row['marker']].label} "
        + wording.ratio_range(row["gmr_median"], row["gmr_lower"], row["gmr_upper"])
        for row in records(table[table["week"] == result.primary_week])
    ]
    return f"Ratio to baseline at week {result.primary_week:g} (95 % interval): {'; '.join(said)}"


def _first(result: Result) -> str:
    """What the ranks show, in words: which subset most likely comes first."""
    table = subsets_part.of(result).ranks
    first = table[(table["rank"] == 1) & (table["by"] == table["by"].iloc[0])]
    row = records(first.loc[[first["probability"].idxmax()]])[0]
    return (
        f"{result.catalogue[row['marker']].label} most likely changed most by week "
        f"{row['week']:g}: {wording.percent(row['probability'])}, "
        f"{wording.percent(row['prior_probability'])} under the prior alone"
    )


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """Forest and ranks of the subsets, where the model has any."""
    found = subsets_part.of(result)
    if how.repeated or result.withheld:
        return ()
    drawn = []
    if not found.subsets.empty:
        drawn.append(
            Drawn(
                "subset_forest",
                "Lymphocyte subsets by visit",
                _ratios(result),
                partial(subset_forest, result, how.synthetic),
            )
        )
    if not found.ranks.empty:
        drawn.append(
            Drawn(
                "subset_ranks",
                "Ranks of the lymphocyte subsets",
                _first(result),
                partial(subset_ranks, result, how.synthetic),
            )
        )
    return drawn


def _tables(run: Run) -> tuple[Table | Spanned, ...]:
    result = subset_model(run)
    if result is None:
        return ()
    tables = (
        forest_spanned(result, common_change(result.fit.tree) is not None),
        rank_summary(result),
        ratio_spanned(result),
    )
    return tuple(table for table in tables if table is not None)


def section(run: Run) -> Section:
    """The lymphocyte subsets of a run."""
    said = subsets(run)
    parts = [subsets_part.of(result) for result in run.results]
    result = subset_model(run)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if said else "no model with lymphocyte subsets may be shown",
        tables={
            "subsets": Tidy(joined(part.subsets for part in parts)),
            "subset_ranks": Tidy(joined(part.ranks for part in parts)),
            "cd4_cd8": Tidy(joined(part.ratios for part in parts)),
        },
        pictures=run.pictures.get(ANALYSIS.name, {}),
        sentences=said.sentences if said else (),
        shown=_tables(run),
        template="lymphocytes/section.html.j2",
        annex="lymphocytes/annex.html.j2" if said else "",
        words={
            "brief": None if result is None or said is None else brief_table(result, said.shrunk),
            "subsets": said,
            "overlap": OVERLAP,
            "reference": reference_table(run),
            "sources": reference_sources(run),
        },
    )


ANALYSIS = Analysis(
    name="subsets",
    title="Lymphocyte subsets",
    section=section,
    of_model=subsets_part.find,
    figures=figures,
    draws={
        "subset_forest": "lymphocyte subsets",
        "subset_ranks": "more than one lymphocyte subset",
    },
    needs=a_prior,
)
