"""Do the changes go together? Each correlation beside its prior, and what that means in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from mnbayes.analyses.correlations import part as correlations_part
from mnbayes.analyses.correlations.figure import correlations
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Spanned, records
from mnbayes.cards.definitions import PROTEIN
from mnbayes.data.markers import Catalogue
from mnbayes.report.kit import wording
from mnbayes.report.kit.prior_left import share_left
from mnbayes.report.kit.results import joined, prior_text, shown
from mnbayes.report.kit.tables import great
from mnbayes.report.kit.wording import probability
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import a_prior
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Section, Tidy

_PARTS = ("median", "lower", "upper")
#: So many pairs are shown whole.
_FEW = 6
#: A posterior interval wider than this share of the prior's says little beyond the prior.
NARROWER = 0.8


@dataclass(frozen=True)
class Together:
    """Correlations of one model.

    Attributes
    ----------
    model, title : str
    verdict : tuple of str
        How many intervals are hardly narrower than the prior's, and which are; then how likely a
        rise of each other marker goes with a fall of 24-h protein.
    by_counting : str
        Which markers go together by counting alone; blank if none.
    table : Markup
    spanned : Spanned
        The same table before it is written out.
    """

    model: str
    title: str
    verdict: tuple[str, ...]
    by_counting: str
    table: Markup
    spanned: Spanned


def signed(value: float) -> str:
    """A correlation with two decimals and a true minus sign."""
    return wording.BLANK if np.isnan(value) else f"{value:z.2f}".replace("-", "−")


def _range(row: dict[str, Any], suffix: str = "") -> str:
    median, low, high = (signed(row[f"correlation_{part}{suffix}"]) for part in _PARTS)
    return f"{median} ({low} to {high})"


def width_left(row: dict[str, Any]) -> float:
    """Width of a correlation's 95 % interval, as a share of the prior's; NaN if that has none."""
    ends = (f"correlation_{end}{of}" for of in ("", "_prior") for end in ("lower", "upper"))
    return share_left(*(float(row[end]) for end in ends))


def shown_rows(result: Result) -> list[dict[str, Any]]:
    """Pairs that a page shows: those with 24-h protein, and those that the data narrowed."""
    rows = records(correlations_part.of(result))
    if len(rows) <= _FEW or not any(row["marker"] == PROTEIN for row in rows):
        return rows
    return [row for row in rows if row["marker"] == PROTEIN or width_left(row) <= NARROWER]


def _pair(row: dict[str, Any], known: Catalogue) -> str:
    first, second = (wording.in_text(known[row[name]]) for name in ("marker", "other"))
    return f"{first} and {second}"


def _short(text: str) -> str:
    # A pair's full name leaves too little room for six columns of numbers.
    for word in (" lymphocytes", "serum ", "urinary "):
        text = text.replace(word, "")
    return text


def correlation_spanned(result: Result, number: int) -> Spanned:
    """Correlations with their sign's probability, beside the prior's.

    ``number`` keeps the ids of a page's tables apart.
    """
    table, rows = correlations_part.of(result), shown_rows(result)
    data = [
        {
            "pair": _short(_pair(row, result.catalogue)),
            "now": _range(row),
            "sign": probability(row["p_positive"], row["p_positive_mcse"]),
            "prior": _range(row, "_prior"),
            "prior_sign": prior_text(result, row["p_positive_prior"]),
            "left": wording.percent(width_left(row)),
        }
        for row in rows
    ]
    interval, sign = "correlation (95 % interval)", "P(above 0)"
    others = len(table) - len(rows)
    rest = f" The other {others} pairs are in correlations.csv." if others else ""
    return Spanned(
        pd.DataFrame(data),
        f"correlations-{number}",
        f"Correlation between the patients' changes of two markers.{rest}",
        {
            "pair": "Changes of",
            "now": interval,
            "sign": sign,
            "prior": interval,
            "prior_sign": sign,
            "left": "Width of the prior's interval left",
        },
        {"Given the data": ["now", "sign"], "Prior alone": ["prior", "prior_sign"]},
    )


def verdict(result: Result) -> tuple[str, ...]:
    """How many intervals the data narrowed, which, and what goes with a fall of 24-h protein."""
    rows = records(correlations_part.of(result))
    free = [row for row in rows if width_left(row) <= NARROWER]
    patients, count = len(result.fit.observations.patients), len(rows)
    share = wording.percent(NARROWER)
    said = []
    if len(free) < count:
        which = "The interval is" if count == 1 else f"{count - len(free)} of {count} intervals are"
        if not free and count > 1:
            which = f"All {count} intervals are"
        said.append(
            f"{which} wider than {share} of the interval under the prior alone: with {patients} "
            "patients this says little more than what was assumed."
        )
    if free:
        named = [
            f"{_pair(row, result.catalogue)} ({signed(row['correlation_median'])}"
            f"{', the interval includes 0' if _open(row) else ''})"
            for row in free
        ]
        said.append(f"The data narrowed {wording.listed(named)}.")
    return (*said, *_with_protein(result, rows))


def _open(row: dict[str, Any]) -> bool:
    return bool(row["correlation_lower"] <= 0 <= row["correlation_upper"])


def _with_protein(result: Result, rows: list[dict[str, Any]]) -> tuple[str, ...]:
    # A response is a fall of protein, so a marker that rises goes with it where the sign is
    # negative.
    chances = [
        f"{wording.in_text(result.catalogue[row['other']])} "
        f"{probability(1 - row['p_positive'], row['p_positive_mcse'])}"
        for row in rows
        if row["marker"] == PROTEIN
    ]
    if not chances:
        return ()
    protein = wording.in_text(result.catalogue[PROTEIN])
    return (
        f"Probability that a greater rise goes with a greater fall of {protein}, about one half "
        f"under the prior alone: {wording.listed(chances)}.",
    )


#: Markers of which the first is made of the others, and how that is said.
_MADE_OF = {
    ("cd3", "cd4"): "CD4+ lymphocytes are part of CD3+",
    ("cd3", "cd8"): "CD8+ lymphocytes are part of CD3+",
    (PROTEIN, "urine_protein_conc"): "protein excretion is concentration times volume",
}


def by_counting(result: Result) -> str:
    """Which markers go together by counting alone; blank if none."""
    markers = set(result.fit.observations.markers)
    told = [said for pair, said in _MADE_OF.items() if markers.issuperset(pair)]
    return f"Some go together by counting alone: {wording.listed(told)}." if told else ""


def together(run: Run) -> tuple[Together, ...]:
    """Correlations of each model that may be shown and has any, the one with most first."""
    able = [result for result in shown(run) if not correlations_part.of(result).empty]
    able.sort(key=lambda result: -len(correlations_part.of(result)))
    return tuple(
        Together(
            result.name,
            result.fit.title,
            verdict(result),
            by_counting(result),
            great(correlation_spanned(result, number)),
            correlation_spanned(result, number),
        )
        for number, result in enumerate(able, 1)
    )


def _clearest(result: Result) -> str:
    """What the picture shows, in words: the pair of which the data say most."""
    table = correlations_part.of(result)
    row = records(table.loc[[(table["p_positive"] - 0.5).abs().idxmax()]])[0]
    pair = " and ".join(result.catalogue[row[name]].label for name in ("marker", "other"))
    low, high = row["correlation_lower"], row["correlation_upper"]
    return (
        f"The clearest of {len(table)} correlations between changes: {pair}, median "
        f"{row['correlation_median']:.2f} (95 % interval {low:.2f} to {high:.2f}), probability "
        f"above 0 {wording.percent(row['p_positive'])}, under the prior alone "
        f"{wording.percent(row['p_positive_prior'])}"
    )


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """Prior and posterior of each correlation."""
    if result.withheld or correlations_part.of(result).empty:
        return ()
    return [
        Drawn(
            "correlations",
            "Correlations between changes",
            _clearest(result),
            partial(correlations, result, how.synthetic),
        )
    ]


def section(run: Run) -> Section:
    """The correlations of a run."""
    said = together(run)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if said else "no model of two or more markers with correlated changes",
        tables={
            "correlations": Tidy(joined(correlations_part.of(result) for result in run.results))
        },
        pictures=run.pictures.get(ANALYSIS.name, {}),
        sentences=said[0].verdict if said else (),
        shown=(said[0].spanned,) if said else (),
        template="correlations/section.html.j2",
        words={"together": said},
    )


ANALYSIS = Analysis(
    name="correlations",
    title="Do the changes go together?",
    section=section,
    of_model=correlations_part.find,
    figures=figures,
    draws={
        "correlations": "more than one marker",
    },
    needs=a_prior,
    place="annex",
)
