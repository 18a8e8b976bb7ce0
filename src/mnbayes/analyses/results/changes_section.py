"""The best of several visits of one model, beside what noise makes of it."""

from __future__ import annotations

import numpy as np

from mnbayes.answers.result import Result, before_primary
from mnbayes.base.text_table import Table, records
from mnbayes.report.kit import wording
from mnbayes.report.kit.wording import probability


def best_table(result: Result) -> Table | None:
    """The best reduction over the short-term visits beside what noise makes of it."""
    if result.best.empty:
        return None
    draws = result.fit.diagnostics.worst_ess_bulk  # of the least certain quantity: on the safe side
    rows = []
    for row in records(result.best):
        spans = [
            wording.BLANK
            if np.isnan(row[f"{name}_median"])
            else f"{wording.percent(row[f'{name}_median'])} "
            f"({wording.percent_range(row[f'{name}_lower'], row[f'{name}_upper'])})"
            for name in ("replicated", "latent", "latent_best")
        ]
        chance = row["p_replicated_at_least"]
        rows.append(
            (
                row["patient"],
                wording.BLANK if np.isnan(row["best_week"]) else f"{row['best_week']:g}",
                wording.percent(row["observed_best"]),
                spans[0],
                probability(chance, wording.independent_error(chance, draws)),
                spans[1],
                spans[2],
                wording.BLANK if np.isnan(row["bias"]) else f"{100 * row['bias']:.0f} points",
            )
        )
    head = (
        "Patient",
        "Best week",
        "Best fall, as measured",
        "Best fall of replicated measurements (95 % interval)",
        "P(replicated ≥ measured)",
        "True fall at that week (95 % interval)",
        "Best true fall (95 % interval)",
        "Added by noise",
    )
    over = wording.listed([f"{week:g}" for week in before_primary(result.fit)])
    main = result.judged.main
    label = wording.in_text(result.catalogue[main])
    return Table(f"Best fall of {label} over weeks {over}", head, tuple(rows))
