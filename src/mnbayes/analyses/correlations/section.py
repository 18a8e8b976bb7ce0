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
from mnbayes.report.kit.dominance import TAG, interval_dominated, probability_dominated
from mnbayes.report.kit.results import joined, prior_text, shown
from mnbayes.report.kit.tables import great
from mnbayes.report.kit.wording import probability
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import a_prior
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Section, Tidy

_PARTS = ("median", "lower", "upper")


@dataclass(frozen=True)
class Together:
    """Correlations of one model.

    Attributes
    ----------
    model, title : str
    verdict : tuple of str
        How many are prior-dominated, and which are not.
    questions : tuple of tuple of str
        "Does the patient whose B lymphocytes rise also respond?" and its answer, for each marker
        beside 24-h protein.
    table : Markup
    spanned : Spanned
        The same table before it is written out.
    """

    model: str
    title: str
    verdict: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]
    table: Markup
    spanned: Spanned


def signed(value: float) -> str:
    """A correlation with two decimals and a true minus sign."""
    return wording.BLANK if np.isnan(value) else f"{value:z.2f}".replace("-", "−")


def _range(row: dict[str, Any], suffix: str = "") -> str:
    median, low, high = (signed(row[f"correlation_{part}{suffix}"]) for part in _PARTS)
    return f"{median} ({low} to {high})"


def dominated(row: dict[str, Any]) -> bool:
    """Whether the posterior interval of a correlation is wider than 80 % of the prior's."""
    return interval_dominated(
        *(row[f"correlation_{end}"] for end in ("lower", "upper", "lower_prior", "upper_prior"))
    )


def _pair(row: dict[str, Any], known: Catalogue) -> str:
    first, second = (wording.in_text(known[row[name]]) for name in ("marker", "other"))
    return f"{first} and {second}"


def _short(text: str) -> str:
    # A pair's full name leaves too little room for six columns of numbers.
    for word in (" lymphocytes", "serum ", "urinary "):
        text = text.replace(word, "")
    return text


def correlation_spanned(result: Result, number: int) -> Spanned:
    """Every correlation with its sign's probability, beside the prior's.

    ``number`` keeps the ids of a page's tables apart.
    """
    table = correlations_part.of(result)
    data = [
        {
            "pair": _short(_pair(row, result.catalogue)),
            "now": _range(row),
            "sign": probability(row["p_positive"], row["p_positive_mcse"]),
            "mcse": wording.points(row["p_positive_mcse"]),
            "prior": _range(row, "_prior"),
            "prior_sign": prior_text(result, row["p_positive_prior"]),
            "remark": TAG if dominated(row) else "",
        }
        for row in records(table)
    ]
    interval, sign = "correlation (95 % interval)", "P(above 0)"
    return Spanned(
        pd.DataFrame(data),
        f"correlations-{number}",
        "Correlation between the patients' changes of two markers. Largest Monte Carlo standard "
        f"error of a correlation: {signed(float(table['correlation_mcse'].max()))}.",
        {
            "pair": "Changes of",
            "now": interval,
            "sign": sign,
            "mcse": "MCSE, points",
            "prior": interval,
            "prior_sign": sign,
            "remark": "Remark",
        },
        {"Given the data": ["now", "sign", "mcse"], "Prior alone": ["prior", "prior_sign"]},
        ("remark",),
    )


def verdict(result: Result) -> tuple[str, ...]:
    """How many correlations are prior-dominated, and which are not."""
    rows = records(correlations_part.of(result))
    free = [row for row in rows if not dominated(row)]
    patients = len(result.fit.observations.patients)
    count = len(rows)
    if not free:
        which = "The one correlation is" if count == 1 else f"All {count} correlations are"
        return (
            f"{which} prior-dominated: with {patients} patients the 95 % intervals are hardly "
            "narrower than before any data. This says little more than what was assumed.",
        )
    named = wording.listed(
        [f"{_pair(row, result.catalogue)} ({signed(row['correlation_median'])})" for row in free]
    )
    if len(free) == count:
        return (f"No correlation is prior-dominated: {named}.",)
    share = f"{count - len(free)} of {count} correlations"
    return (
        f"{share} {'is' if count - len(free) == 1 else 'are'} prior-dominated: with {patients} "
        "patients they say little more than what was assumed.",
        f"Not prior-dominated: {named}. An interval narrower than the prior's is not yet an "
        "answer; see whether it includes 0.",
    )


def _answer(result: Result, row: dict[str, Any], falls: bool) -> str:
    # A response is a fall of protein, so a marker that rises goes with it where the sign is
    # negative, and one that falls where it is positive.
    def going(positive: float) -> float:
        return positive if falls else 1 - positive

    change = "fall" if falls else "rise"
    protein = wording.in_text(result.catalogue[PROTEIN])
    chance = probability(going(row["p_positive"]), row["p_positive_mcse"])
    prior = prior_text(result, going(row["p_positive_prior"]))
    text = (
        f"The probability that a greater {change} goes with a greater fall of "
        f"{protein} is {chance} ({prior} under the prior alone). The correlation "
        f"of the two changes is {_range(row)}; under the prior alone {_range(row, '_prior')}. "
    )
    if dominated(row):
        if probability_dominated(row["p_positive"], row["p_positive_prior"]):
            return text + "Prior-dominated: the data do not answer this."
        return text + "The interval is hardly narrower than the prior's: the data say little."
    if row["correlation_lower"] <= 0 <= row["correlation_upper"]:
        return text + "The interval includes 0: the data leave it open."
    agrees = (row["correlation_median"] > 0) == falls
    return text + ("The data speak for it." if agrees else "The data speak against it.")


def questions(result: Result) -> tuple[tuple[str, str], ...]:
    """Each marker's question to 24-h protein, with its answer; empty without that marker."""
    found = []
    for row in records(correlations_part.of(result)):
        if row["marker"] != PROTEIN:
            continue
        marker = result.catalogue[row["other"]]
        name, falls = wording.in_text(marker), marker.falls
        verb = "falls" if falls else "rise" if name.endswith("s") else "rises"
        question = f"Does the patient whose {name} {verb} also respond?"
        found.append((question, _answer(result, row, falls)))
    return tuple(found)


def together(run: Run) -> tuple[Together, ...]:
    """Correlations of each model that may be shown and has any, the one with most first."""
    able = [result for result in shown(run) if not correlations_part.of(result).empty]
    able.sort(key=lambda result: -len(correlations_part.of(result)))
    return tuple(
        Together(
            result.name,
            result.fit.title,
            verdict(result),
            questions(result),
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
