"""Probabilities of response of each patient and of the next one."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.answers.categories import Judge, judge
from mnbayes.answers.result import Result
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Catalogue
from mnbayes.report.kit import style, wording
from mnbayes.report.kit.measured import PANELS
from mnbayes.report.kit.results import (
    awaits_confirmation,
    best_measured,
    by_patient,
    rows_of,
    stated,
)

#: Colour and hatch of categories, best response first, and of patients without a response.
LOOKS: tuple[tuple[str, str], ...] = (
    (style.GREEN, ""),
    (style.SKY, "//"),
    (style.OLIVE, "||"),
    (style.ORANGE, "\\\\"),
    (style.PURPLE, "++"),
    (style.BLUE, "--"),
)
NO_RESPONSE = (style.PALE, "xx")
#: Narrowest segment that carries its percentage.
LABELLED = 0.17
#: Where a missing baseline or a censored value leaves the measured category undecided.
OPEN = "undecided"
LEFT_OPEN = "a missing or censored value leaves it open"
#: Where the definitions name no category of patients without a response.
NONE = "no response"


def looks(definitions: Definitions, catalogue: Catalogue) -> dict[str, tuple[str, str]]:
    """Colour and hatch by category: by its rank among all that do not overlap."""
    whole = judge(definitions, definitions.markers, catalogue)
    apart = [category for category, _ in whole.parts] or list(definitions.categories)
    others = [c for c in definitions.categories if c not in apart]
    ranked = [c for c in (*apart, *others) if c in definitions.responses]
    found = {c: LOOKS[rank % len(LOOKS)] for rank, c in enumerate(ranked)}
    return found | dict.fromkeys(set(definitions.categories) - set(ranked), NO_RESPONSE)


def segments(table: pd.DataFrame, judged: Judge) -> pd.DataFrame:
    """Cut nested categories into segments that add to 1.

    Parameters
    ----------
    table : DataFrame
        Rows of one quantity and week, one for each patient and category; columns ``patient``
        (NaN for the next patient), ``category``, ``probability``, ``mcse``.
    judged : Judge
        What lies within what; where its categories do not nest, the primary one alone is shown.

    Returns
    -------
    DataFrame
        Columns ``patient, segment, probability, mcse``; a category without the one inside it
        (``effective`` without ``remission``); segments that cannot be judged are left out. The
        error of a difference is that of its larger part, an upper bound.
    """
    rows = []
    for patient, part in table.groupby("patient", sort=False, dropna=False):
        cells = part.set_index("category")
        value, error = cells["probability"], cells["mcse"]
        for segment, inside in judged.told:
            probability, mcse = float(value[segment]), float(error[segment])
            if inside is not None:
                probability -= float(value[inside])
                mcse = max(mcse, float(error[inside]))
            if not np.isnan(probability):
                rows.append((patient, segment, max(probability, 0.0), mcse))
    return pd.DataFrame(rows, columns=["patient", "segment", "probability", "mcse"])


def _as_measured(best: str | None, judged: Judge) -> str:
    # The best category that was observed, in words.
    if best is None:
        return OPEN
    return judged.definitions.short(best) if best else NONE


def _bar(ax: Axes, y: float, parts: pd.DataFrame, look: Mapping[str, tuple[str, str]]) -> None:
    left = 0.0
    for row in parts.itertuples(index=False):
        color, hatch = look[str(row.segment)]
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


def finding(result: Result, week: float) -> str:
    """What the picture shows, in words: the probabilities of the category read first."""
    category = (*stated(result), *result.evaluable)[0]
    own = by_patient(result, "latent", week, category)
    told = [
        f"{patient} {round_to_mcse(row['probability'], row['mcse'])}"
        for patient, row in list(own.items())[:PANELS]
    ]
    (coming,) = [r for r in rows_of(result, "next_patient", week) if r["category"] == category][:1]
    next_one = round_to_mcse(coming["probability"], coming["mcse"])
    return (
        f"Probability of {result.judged_by.called(category)} at week {week:g}: "
        f"{', '.join(told)}; next patient {next_one}"
    )


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
        as measured. Categories that the model cannot judge are not there.
    """
    table = result.probabilities
    table = table[table["week"] == week]
    judged = result.judged
    look = looks(judged.definitions, result.catalogue)
    latent = segments(table[table["quantity"] == "latent"], judged)
    coming = segments(table[table["quantity"] == "next_patient"], judged)
    as_measured = best_measured(result, week)
    patients, cut = style.shown(result.fit.observations.patients, style.BARS)
    observations = result.fit.observations
    used = [observations.markers.index(name) for name in judged.markers]
    seen = observations.observed[:, observations.weeks.index(week)][:, used].all(axis=1)

    ax, where = style.one_panel(ax, style.NARROW, 0.32 * (len(patients) + 1.6) + 0.8)
    labels, places, words = [], [], []
    for row, patient in enumerate(patients):
        _bar(ax, row, latent[latent["patient"] == patient], look)
        name = style.short(patient)
        labels.append(name if seen[row] else f"{name}\npredicted")
        places.append(float(row))
        words.append(_as_measured(as_measured[patient], judged) if seen[row] else "not measured")
    waits = awaits_confirmation(result, week)
    left_open = "a next visit would have to confirm it" if waits else LEFT_OPEN
    below = len(patients) + 0.5
    _bar(ax, below, coming, look)
    ax.set_yticks([*places, below], [*labels, "Next patient"])
    ax.set_ylim(below + 0.6, -0.6)
    ax.set_xlim(0, 100)
    ax.set_xlabel("Probability, %", fontsize=style.TEXT)
    for place, word in zip([*places, below], [*words, "to come"], strict=True):
        style.beside(ax, textwrap.fill(word, 11), 1, place, 5, linespacing=0.95)
    ax.annotate(
        "as measured:",
        (1, 1),
        xycoords="axes fraction",
        xytext=(5, 3),
        textcoords="offset points",
        fontsize=style.SMALL,
        color=style.SOFT,
        style="italic",
    )
    kinds = [part for part in judged.told if part[0] in set(latent["segment"])]
    style.heading(
        where,
        f"Probability of response at week {style.week_text(week)}",
        [style.area(*look[part[0]], _label(*part, judged)) for part in kinds],
        columns=2,
    )
    style.foot(
        where,
        result,
        synthetic,
        cut,
        "Patients: the probability that the true level meets the definition. "
        "Next patient: that a new patient's measurement would. "
        "One measurement near a threshold leaves the true level open on both sides.",
        f"Undecided: {left_open}." if OPEN in words else "",
        f"Not judged: {wording.reasons(result.not_evaluable)}." if result.not_evaluable else "",
    )
    return style.figure_of(ax)


def _label(category: str, inside: str | None, judged: Judge) -> str:
    definitions = judged.definitions
    label = definitions.short(category)
    if inside is not None:
        return f"{label}, no {definitions.short(inside)}"
    named = [str(part.category) for part in definitions.rule(category).either]
    lost = [definitions.short(name) for name in named if name in judged.reasons]
    return f"{label} ({wording.listed(lost)} not judged)" if lost else label
