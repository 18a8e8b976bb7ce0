"""One bar a patient: follow-up, visits, withdrawal and adverse events."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.safety.counts import adverse_events
from mnbayes.base.text_table import records
from mnbayes.data.cohort import Cohort
from mnbayes.report.kit import style, wording

#: Of terms, the most frequent first; what is rarer shares the last.
_LOOKS = (
    (style.VERMILLION, "^"),
    (style.PURPLE, "D"),
    (style.ORANGE, "s"),
    (style.BLACK, "P"),
)
_ROW = 0.3


def _events(cohort: Cohort) -> pd.DataFrame:
    """Adverse events in the week in which each was worst, with the look of its term."""
    if cohort.events is None:
        return pd.DataFrame(columns=["patient", "week", "term", "grade", "look"])
    worst = adverse_events(cohort.events)
    later = cohort.events[cohort.events["week"] > 0]
    reached = later.merge(worst, on=["patient", "term", "grade"])
    table = reached.drop_duplicates(["patient", "term"]).reset_index(drop=True)
    terms = list(table["term"].value_counts().index)
    named = terms if len(terms) <= len(_LOOKS) else terms[: len(_LOOKS) - 1]
    look = {term: named.index(term) if term in named else len(_LOOKS) - 1 for term in terms}
    return table.assign(look=table["term"].map(look))


def _ends(cohort: Cohort) -> pd.Series[float]:
    """Week in which each patient was last seen, or left."""
    seen = cohort.measurements.groupby("patient")["week"].max()
    left = cohort.patients.set_index("patient")["withdrew_week"]
    last = seen.reindex(left.index).fillna(0.0)
    return left.fillna(last).astype(float)


def finding(cohort: Cohort) -> str:
    """What the picture shows, in words."""
    patients, events = cohort.patients, _events(cohort)
    left = patients[patients["withdrew_week"].notna()]
    named = [f"{row['patient']} in week {row['withdrew_week']:g}" for row in records(left)]
    said = [
        f"{len(patients)} patients, visits up to week {max(cohort.weeks):g}, "
        + (f"{len(left)} withdrawn ({wording.listed(named)})" if named else "0 withdrawn")
    ]
    if cohort.events is None:
        said.append("No table of events: what happened is not known")
    elif events.empty:
        said.append("No adverse event recorded")
    else:
        told = [
            f"{row['term']} grade {row['grade']:g} in {row['patient']}, week {row['week']:g}"
            for row in records(events)
        ]
        some = told if len(told) <= 6 else [*told[:6], f"{len(told) - 6} more"]
        said.append(f"{events['patient'].nunique()} had an adverse event: {'; '.join(some)}")
    if patients["infusions"].notna().any():
        counts = patients["infusions"].value_counts().sort_index()
        given = [f"{number} had {count:g}" for count, number in counts.items()]
        said.append(f"Infusions are counts ({wording.listed(given)}): their days are not recorded")
    return ". ".join(said)


def swimmer(cohort: Cohort, *, ax: Axes | None = None) -> Figure:
    """Draw each patient's time in the trial.

    Parameters
    ----------
    cohort : Cohort
    ax : Axes, optional
        Where to draw; a figure of its own without it.

    Returns
    -------
    Figure
        A bar for each patient (the first 40) from baseline to the last visit with a measurement
        or to the withdrawal, which is a cross; a tick at each such visit; adverse events by term,
        with their grade; the number of infusions, whose days the data do not hold.
    """
    patients, cut = style.shown(cohort.patient_ids, style.BARS)
    row = {patient: place for place, patient in enumerate(patients)}
    ax, where = style.one_panel(ax, style.NARROW, _ROW * (len(patients) + 0.6) + 0.5)
    places, ends = np.arange(len(patients)), _ends(cohort).loc[patients].to_numpy(dtype=float)
    ax.barh(places, ends, height=0.42, color=style.BAND_95, edgecolor=style.BAND_50, linewidth=0.8)
    visits = cohort.measurements.loc[
        cohort.measurements["patient"].isin(patients), ["patient", "week"]
    ].drop_duplicates()
    ax.plot(
        visits["week"],
        visits["patient"].map(row),
        "|",
        color=style.BLUE,
        markersize=9,
        markeredgewidth=1.4,
        zorder=3,
    )
    left = cohort.patients[cohort.patients["withdrew_week"].notna()]
    left = left[left["patient"].isin(patients)]
    ax.plot(
        left["withdrew_week"],
        left["patient"].map(row),
        "X",
        color=style.BLACK,
        markersize=7,
        zorder=5,
        clip_on=False,
    )
    handles: list[style.Handle] = [
        style.area(style.BAND_95, label="in the trial", edge=style.BAND_50),
        style.dot(style.BLUE, "|", "visit"),
    ]
    if len(left):
        handles.append(style.dot(style.BLACK, "X", "withdrew"))
    events = _events(cohort)
    events = events[events["patient"].isin(patients)]
    for look, part in events.groupby("look"):
        color, symbol = _LOOKS[int(str(look))]
        at = part["patient"].map(row) - 0.36
        ax.plot(part["week"], at, symbol, color=color, markersize=5.5, zorder=4, clip_on=False)
        terms = sorted(set(part["term"]))
        called = style.short(terms[0]) if len(terms) == 1 else "other event"
        handles.append(style.dot(color, symbol, called))
        for week, place, grade in zip(part["week"], at, part["grade"], strict=True):
            ax.annotate(
                f"grade {grade:g}",
                (week, place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=style.SMALL,
            )
    ax.set_yticks(places, list(map(style.short, patients)))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(patients) - 0.4, -0.8)
    last = max(float(ends.max()), max(cohort.weeks, default=1.0))
    style.week_axis(ax, [week for week in cohort.weeks if week <= last] or [0.0, last])
    infusions = cohort.patients.set_index("patient")["infusions"]
    if infusions.notna().any():
        for patient, place in row.items():
            count = infusions[patient]
            style.beside(ax, "?" if np.isnan(count) else f"{count:g} ×", 1, place, 5)
        style.beside(ax, "infusions", 1, -0.75, -12, color=style.SOFT)
    style.heading(where, "Patients' time in the trial, and adverse events", handles, 3)
    words = [
        cut,
        "Adverse events: new or worse than at baseline."
        if cohort.events is not None
        else "No table of events: what happened is not known.",
        "Infusions: a count; their days are not in the data." if infusions.notna().any() else "",
        style.SYNTHETIC if cohort.synthetic else "",
    ]
    if isinstance(where, Figure):
        style.note(where, *words)
    elif cohort.synthetic:
        where.set_title(f"{where.get_title('left')}\n{style.SYNTHETIC}", loc="left")
    return style.figure_of(ax)
