"""How the terminal, the report and the plot put a comparison into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mnbayes.analyses.comparison.numbers import BEYOND
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.number_words import BLANK
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit.wording import percent


class Compared(Protocol):
    """What sentences are made of: :class:`mnbayes.analyses.comparison.runs.Comparison`."""

    @property
    def given_data(self) -> pd.DataFrame:
        """Numbers of both runs that depend on the data."""

    @property
    def called(self) -> Mapping[str, str]:
        """Categories as said of patients."""

    @property
    def different(self) -> str:
        """That the patients are others; empty where they are the same."""

    @property
    def only(self) -> pd.DataFrame:
        """Numbers of one run alone."""


_PRIOR = "_prior"
_ESTIMATES = {
    "gmr_median": "ratio to baseline",
    "gmr_lower": "ratio, lower end",
    "gmr_upper": "ratio, upper end",
    "p_fall": "P(fall)",
    "p_fall_30": "P(fall ≥ 30 %)",
    "p_fall_50": "P(fall ≥ 50 %)",
}
_SHARES = {"share_median": ", median", "share_lower": ", lower end", "share_upper": ", upper end"}


def label(row: Mapping[str, Any], called: Mapping[str, str]) -> str:
    """What a number is, without its model: "MN01 in remission, week 12 (latent)"."""
    column = str(row["column"]).removeprefix("prior_").removesuffix(_PRIOR)
    week = f"week {row['week']:g}"
    category = called.get(str(row["category"]), str(row["category"]))
    if row["table"] == "estimates":
        marker = str(row["marker"])
        name = MARKERS[marker].label if marker in MARKERS else marker
        text = f"{name}, {week}: {_ESTIMATES.get(column, column)}"
    elif row["quantity"] == "population":
        text = f"Share {category}, {week}{_SHARES.get(column, '')}"
    elif row["quantity"] == "exceeds":
        text = f"Share {category} above the benchmark, {week}"
    elif row["quantity"] == "next_patient":
        text = f"Next patient {category}, {week}"
    else:
        text = f"{row['patient']} {category}, {week} ({row['quantity']})"
    return f"{text}, prior alone" if column != row["column"] else text


def value(row: Mapping[str, Any], run: str) -> str:
    """A number of run ``a`` or ``b``, no digit finer than its Monte Carlo error."""
    number, error = float(row[run]), float(row[f"mc_error_{run}"])
    column = str(row["column"])
    if column.startswith("gmr_"):
        return f"{number:.2f}" if number < 9.995 else f"{number:.3g}"
    if not column.startswith(("probability", "prior_probability", "p_fall", "share_")):
        return f"{number:.4g}"
    return percent(number) if np.isnan(error) else round_to_mcse(number, error)


def _signed(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def difference(row: Mapping[str, Any]) -> str:
    """The difference: a factor for a ratio, points for a probability or share."""
    amount = float(row["difference"])
    if row["scale"] == "log":
        return f"× {np.exp(amount):.2f}"
    if str(row["column"]).startswith("gmr_") or abs(amount) > 1:
        return _signed(f"{amount:+.3g}")
    # Whole points whatever the error, which stands beside it.
    points = 100 * amount
    if amount and abs(points) < 0.5:
        return "<1 point"
    return _signed(f"{points:+.0f} point{'s' if abs(points) >= 1.5 else ''}") if amount else "0"


def cells(row: Mapping[str, Any], called: Mapping[str, str], mark: str = "") -> tuple[str, ...]:
    """A row of a table of numbers that differ: name, both values, difference, and its sizes.

    ``mark`` stands behind the last.
    """
    return (
        f"{row['model']}: {label(row, called)}",
        value(row, "a"),
        value(row, "b"),
        difference(row),
        units(row["in_sd"]),
        units(row["in_errors"]) + mark,
    )


def units(amount: float) -> str:
    """A difference in units of an SD or of a Monte Carlo error, signed."""
    if np.isnan(amount):
        return BLANK
    if np.isinf(amount):
        return "exact"
    if amount == 0:
        return "0"
    return _signed(f"{amount:+z.1f}" if abs(amount) < 9.95 else f"{amount:+.0f}")


def short(text: str) -> str:
    """A hash cut to its first digits."""
    is_hash = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return f"{text[:12]}…" if is_hash else text


def verdict_sentence(comparison: Compared) -> str:
    """How many of the numbers that depend on the data moved beyond noise."""
    numbers = comparison.given_data
    counts = numbers["verdict"].value_counts()
    total, changed = len(numbers), int(counts.get("changed", 0))
    unknown = int(counts.get("unknown", 0))
    if not total:
        return "No number is reported by both runs."
    if counts.get("same", 0) == total:
        return f"All {total} numbers given the data are the same to the last digit."
    if comparison.different:
        return f"{total - int(counts.get('same', 0))} of {total} numbers given the data differ."
    beyond = f"{BEYOND:g} Monte Carlo errors"
    moved = (
        f"{changed} of {total} numbers given the data differ by more than {beyond}"
        if changed
        else f"None of {total} numbers given the data differs by more than {beyond}: "
        "what differs is within the noise of the draws"
    )
    if unknown:
        moved += f"; the error of {unknown} that differ is not known"
    return f"{moved}."


def only_sentences(comparison: Compared, names: Mapping[str, str]) -> list[str]:
    """Numbers that one run alone reports, counted by run, model and reason."""
    only: pd.DataFrame = comparison.only
    sentences = []
    for (run, model, reason), part in only.groupby(["run", "model", "reason"], sort=False):
        other = names["b" if run == "a" else "a"]
        why = (
            f"blank in {other} (withheld or not evaluable there)"
            if reason == "blank"
            else f"with no such row in {other}"
        )
        weeks = ", ".join(f"{week:g}" for week in sorted(part["week"].dropna().unique()))
        count = f"{len(part)} number{'s' if len(part) > 1 else ''}"
        sentences.append(f"Only in {names[str(run)]}: {count} of {model} (weeks {weeks}), {why}.")
    return sentences
