"""Probabilities of response of each patient and of the next one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.answers.result import Result
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.cards.definitions import CATEGORIES
from mnbayes.report.kit import style

#: Segment to label, colour and hatch, best response first.
SEGMENTS: dict[str, tuple[str, str, str]] = {
    "complete": ("complete remission", style.GREEN, ""),
    "partial": ("partial remission", style.SKY, "//"),
    "effective": ("effective, no remission", "#F0E442", ".."),
    "none": ("not effective", "#D9D9D9", "xx"),
}
#: Narrowest segment that carries its percentage.
LABELLED = 0.08
#: Where a missing baseline or a censored value leaves the measured category undecided.
OPEN = "undecided"


def segments(table: pd.DataFrame) -> pd.DataFrame:
    """Cut nested categories into segments that add to 1.

    Parameters
    ----------
    table : DataFrame
        Rows of one quantity and week, one for each patient and category; columns ``patient``
        (NaN for the next patient), ``category``, ``probability``, ``mcse``.

    Returns
    -------
    DataFrame
        Columns ``patient, segment, probability, mcse``; ``effective`` without remission where
        remission can be judged, otherwise all of it; segments that cannot be judged are left
        out. The error of a difference is that of its larger part, an upper bound.
    """
    rows = []
    for patient, part in table.groupby("patient", sort=False, dropna=False):
        cells = part.set_index("category")
        value, error = cells["probability"], cells["mcse"]
        for segment in SEGMENTS:
            probability, mcse = float(value[segment]), float(error[segment])
            if segment == "effective" and not np.isnan(value["remission"]):
                probability -= float(value["remission"])
                mcse = max(mcse, float(error["remission"]))
            if not np.isnan(probability):
                rows.append((patient, segment, max(probability, 0.0), mcse))
    return pd.DataFrame(rows, columns=["patient", "segment", "probability", "mcse"])


def _as_measured(table: pd.DataFrame) -> str:
    # The best category that was observed, in words.
    met = table.loc[table["probability"] == 1.0, "category"].tolist()
    best = next((c for c in CATEGORIES if c in met and c != "remission"), None)
    return OPEN if best is None else {"none": "not effective"}.get(best, best)


def _bar(ax: Axes, y: float, parts: pd.DataFrame) -> None:
    left = 0.0
    for row in parts.itertuples(index=False):
        _, color, hatch = SEGMENTS[str(row.segment)]
        width = float(str(row.probability))
        ax.barh(
            y,
            100 * width,
            left=100 * left,
            height=0.74,
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.8,
        )
        if width >= LABELLED:
            ax.text(
                100 * (left + width / 2),
                y,
                round_to_mcse(width, float(str(row.mcse))),
                ha="center",
                va="center",
                fontsize=style.SMALL,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
            )
        left += width


def response_probabilities(
    result: Result, week: float, synthetic: bool, *, ax: Axes | None = None
) -> Figure:
    """Draw each patient's probabilities of response at one visit, and the next patient's.

    Parameters
    ----------
    result : Result
    week : float
        One of the later visits.
    synthetic : bool
        Whether to say that the cohort is synthetic.
    ax : Axes, optional
        Where to draw; a figure of its own without it.

    Returns
    -------
    Figure
        A stacked bar for each patient (the first 40): probabilities that the true level meets
        the definitions; beside it the category as measured. Under a gap, the next patient's,
        as measured. A model that cannot judge remission has only effective and not effective.
    """
    table = result.probabilities
    table = table[table["week"] == week]
    latent = segments(table[table["quantity"] == "latent"])
    coming = segments(table[table["quantity"] == "next_patient"])
    as_measured = table[table["quantity"] == "observed"]
    patients, cut = style.shown(result.fit.observations.patients, style.BARS)
    observations = result.fit.observations
    used = [
        observations.markers.index(name)
        for name in ("urine_protein_24h", "albumin")
        if name in observations.markers
    ]
    seen = observations.observed[:, observations.weeks.index(week)][:, used].all(axis=1)

    ax, where = style.one_panel(ax, 8.6, 0.32 * (len(patients) + 1.6) + 0.8)
    labels, places, words = [], [], []
    for row, patient in enumerate(patients):
        _bar(ax, row, latent[latent["patient"] == patient])
        labels.append(patient if seen[row] else f"{patient} (predicted)")
        places.append(float(row))
        own = as_measured[as_measured["patient"] == patient]
        words.append(_as_measured(own) if seen[row] else "not measured")
    below = len(patients) + 0.5
    _bar(ax, below, coming)
    ax.set_yticks([*places, below], [*labels, "Next patient"])
    ax.set_ylim(below + 0.6, -0.6)
    ax.set_xlim(0, 100)
    ax.set_xlabel("Probability, %", fontsize=style.TEXT)
    ax.set_ylabel("Patient", fontsize=style.TEXT)
    for place, word in zip([*places, below], [*words, "to come"], strict=True):
        style.beside(ax, word, 1, place, 5)
    ax.annotate(
        "as measured:",
        (1, 1),
        xycoords="axes fraction",
        xytext=(5, 3),
        textcoords="offset points",
        fontsize=style.SMALL,
        color="#333333",
        style="italic",
    )
    kinds = [name for name in SEGMENTS if name in set(latent["segment"])]
    words_of = {name: label for name, (label, _, _) in SEGMENTS.items()}
    if "partial" not in kinds:
        words_of["effective"] = "effective (remission not judged)"
    style.heading(
        where,
        f"Probability of response at week {style.week_text(week)}",
        [style.area(SEGMENTS[k][1], SEGMENTS[k][2], words_of[k]) for k in kinds],
        columns=4,
    )
    unjudged = sorted(set(result.not_evaluable.values()))
    style.foot(
        where,
        result,
        synthetic,
        cut,
        "Patients: the probability that the true level meets the definition (latent). "
        "Next patient: that a new patient's measurement would. "
        "One measurement near a threshold leaves the true level open on both sides.",
        "Undecided: a missing or censored value leaves it open." if OPEN in words else "",
        *(f"Remission is not judged: it {reason}." for reason in unjudged),
    )
    return style.figure_of(ax)
