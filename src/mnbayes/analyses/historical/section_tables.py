"""Tables of the historical model."""

from __future__ import annotations

from typing import Any

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.fit import HistoricalResult
from mnbayes.base.text_table import Table, records
from mnbayes.report.kit import wording
from mnbayes.report.kit.wording import percent, percent_with_range, probability

PATIENTS = {"yes": "refractory", "no": "non-refractory", "mixed": "mixed"}


def _with_range(row: dict[str, Any], centre: str, after: str = "") -> str:
    return percent_with_range(*(row[f"{name}{after}"] for name in (centre, "lower", "upper")))


def class_rows(result: HistoricalResult) -> Table:
    """Rates of a new study of each class, in the benchmark's patients at its month."""
    mark = result.card.benchmark
    rows = tuple(
        (
            result.card.titles[row["treatment_class"]],
            f"{row['arms']}{'' if row['arms'] else ', borrowed'}",
            percent_with_range(row["mean"], row["lower"], row["upper"]),
            percent_with_range(*(row[f"typical_{end}"] for end in ("median", "lower", "upper"))),
            _with_range(row, "mean", "_prior"),
        )
        for row in records(result.rates)
        if (row["refractory"], row["month"]) == (mark.refractory, mark.month)
    )
    caption = (
        f"Rate of remission in a new study of {PATIENTS[mark.refractory]} patients at month "
        f"{mark.month:g}; the first row is the benchmark"
    )
    head = ("Class", "Arms of such patients", "New study (95 %)", "Typical study", "Prior alone")
    return Table(caption, head, rows, frozenset({0}))


def conflict_rows(result: HistoricalResult) -> Table:
    """The trial's counts against history."""
    rows = tuple(
        (
            str(row["count"]),
            f"{row['remission']} of {row['n']}",
            f"{row['expected']:.1f} ({row['lower']} to {row['upper']})",
            probability(row["p_at_least"], row["p_at_least_mcse"]),
            wording.probability_of_draws(row["p_at_least_prior"], 4000),
            f"{percent(row['vague_weight'])} → {percent(row['vague_weight_after'])}",
            _with_range(row, "mean", "_after"),
        )
        for row in records(result.conflict)
    )
    return Table(
        f"Remissions of the trial against history at month {result.card.benchmark.month:g}",
        (
            *("Count", "Seen", "Predicted (95 %)", "P(so many or more)", "… prior alone"),
            *("Weight of the vague part", "Rate after the count (95 %)"),
        ),
        rows,
    )


def prior_rows(card: HistoricalCard) -> Table:
    """Every prior, what it means and why."""
    rows = tuple(
        (name, spec.formula, spec.explained, spec.why) for name, spec in card.prior.items()
    )
    return Table(
        "Priors of the historical model",
        ("Prior", "Distribution", "In clinical terms", "Why"),
        rows,
        frozenset({0, 1, 2, 3}),
        wide=True,
    )
