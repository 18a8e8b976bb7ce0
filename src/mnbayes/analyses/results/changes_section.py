"""Change tables of one model: ratio to baseline by visit, and the best of several visits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mnbayes.answers.result import Result, before_primary
from mnbayes.base.text_table import Spanned, Table, records
from mnbayes.data.markers import Marker
from mnbayes.report.kit import wording
from mnbayes.report.kit.dominance import TAG, ratio_dominated
from mnbayes.report.kit.results import fall_errors, prior_text
from mnbayes.report.kit.wording import probability


def change_table(result: Result, marker: str, slug: str) -> Spanned:
    """Geometric mean ratio to baseline by visit, beside the prior's.

    The probability of the direction that is better, of both where neither is.
    """
    rows = result.estimates.loc[result.estimates["marker"] == marker]
    errors = fall_errors(result, marker)
    about = result.catalogue[marker]
    shown = _probabilities(about)
    data: list[dict[str, str]] = []
    for row in records(rows):
        error = errors[row["week"]]
        cells = {"week": wording.week_name(row["week"])}
        for suffix in ("", "_prior"):
            cells[f"gmr{suffix}"] = wording.ratio_range(
                *(row[f"gmr_{part}{suffix}"] for part in ("median", "lower", "upper"))
            )
            for name in shown:
                of = "p_fall" if name == "p_rise" else name
                value = row[f"{of}{suffix}"]
                value = 1 - value if name == "p_rise" else value
                cells[f"{name}{suffix}"] = (
                    prior_text(result, value) if suffix else probability(value, error[of])
                )
        dominated = ratio_dominated(
            *(row[f"gmr_{part}"] for part in ("lower", "upper", "lower_prior", "upper_prior"))
        )
        data.append(cells | {"remark": TAG if dominated else ""})
    shown = {"gmr": f"{about.mean_ratio} (95 % interval)"} | shown
    labels = {"week": "Visit", "remark": "Remark"} | shown
    labels |= {f"{name}_prior": label for name, label in shown.items()}
    worst = max(v for error in errors.values() for k, v in error.items() if k != "log_gmr")
    ratio = "odds ratio" if about.scale == "logit" else "ratio (GMR)"
    worst_ratio = max(error["log_gmr"] for error in errors.values())
    return Spanned(
        pd.DataFrame(data),
        f"change-{slug}-{marker}",
        f"{about.label}: geometric mean {ratio} to baseline. Largest Monte Carlo "
        f"standard error: {wording.points(worst)} points of a probability, "
        f"{wording.points(worst_ratio)} % of a ratio.",
        labels,
        {"Given the data": list(shown), "Prior alone": [f"{name}_prior" for name in shown]},
        ("remark",),
    )


def _probabilities(marker: Marker) -> dict[str, str]:
    """Which probabilities of a marker's change are shown, and their heads."""
    rise = {"p_rise": "P(rise)"}
    fall = {"p_fall": "P(fall)"}
    if marker.falls and marker.scale == "log":  # shares of odds say nothing to a reader
        return fall | {"p_fall_30": "P(fall ≥ 30 %)", "p_fall_50": "P(fall ≥ 50 %)"}
    return {"lower": fall, "higher": rise, "neither": fall | rise}[marker.better]


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
