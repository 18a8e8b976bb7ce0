"""The main numbers of two runs side by side."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.analyses.comparison import words
from mnbayes.analyses.comparison.runs import BEYOND, Comparison, largest, main_numbers
from mnbayes.answers.reported import KEYS
from mnbayes.report.kit import style

#: Most rows of the panel of probabilities.
ROWS = 30
#: Height of a row and of a panel's axis, inches.
_ROW, _AXIS = 0.24, 0.62
_LOOKS = {"a": (style.GREY, "s", -0.16), "b": (style.BLUE, "o", 0.16)}


def _ends(comparison: Comparison, ratios: pd.DataFrame) -> pd.DataFrame:
    """The ratios with the ends of their intervals in both runs, NaN where one lacks them."""
    keys = [key for key in KEYS if key != "column"]
    out = ratios
    for end in ("lower", "upper"):
        rows = comparison.numbers[comparison.numbers["column"] == f"gmr_{end}"]
        named = rows[[*keys, "a", "b"]].rename(columns={run: f"{end}_{run}" for run in "ab"})
        out = out.merge(named, on=keys, how="left")
    return out


def _rows(ax: Axes, rows: pd.DataFrame) -> None:
    """Labels to the left of a panel, the size of each difference to the right."""
    ax.set_ylim(len(rows) - 0.4, -0.6)
    named = [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
    labels = [f"{row['model']}: {words.label(row)}" for row in named]
    ax.set_yticks(range(len(rows)), labels, fontsize=style.SMALL)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", color=style.RULE, linewidth=0.6)
    ax.set_axisbelow(True)
    for place, row in enumerate(named):
        certain = row["verdict"] == "changed"
        text = f"{words.difference(row)}: {words.units(row['in_errors'])} MC errors"
        if row["verdict"] == "same":
            text = "the same"
        elif row["verdict"] == "unknown":
            text = f"{words.difference(row)}: error not known"
        ax.annotate(
            f"{text} *" if certain else text, (1, place), xycoords=("axes fraction", "data"),
            xytext=(8, 0), textcoords="offset points", va="center", fontsize=style.SMALL,
            weight="bold" if certain else "normal", annotation_clip=False,
        )  # fmt: skip


def _points(ax: Axes, rows: pd.DataFrame, scale: float, ends: dict[str, tuple[str, str]]) -> None:
    for run, (color, marker, shift) in _LOOKS.items():
        places = np.arange(len(rows)) + shift
        low, high = (scale * rows[column].to_numpy(float) for column in ends[run])
        ax.hlines(places, low, high, color=color, linewidth=1.5, zorder=2)
        ax.plot(
            scale * rows[run], places, marker, color=color, markersize=4.5,
            markerfacecolor="white", zorder=3,
        )  # fmt: skip


def main_differences(comparison: Comparison) -> Figure:
    """Draw the main numbers of both runs, at the last visit of each model.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    Figure
        Above, ratios to baseline with 95 % intervals on a log axis; below, probabilities and
        shares with two Monte Carlo standard errors to either side. Run A is a square above, run
        B a circle below. Beside each row its difference; in bold with a star where that is
        beyond :data:`mnbayes.analyses.comparison.runs.BEYOND` Monte Carlo errors.
    """
    main = main_numbers(comparison.given_data)
    ratios = _ends(comparison, main[main["scale"] == "log"])
    shares = main[main["scale"] != "log"]
    kept = largest(shares).head(ROWS).index
    left_out = len(shares) - len(kept)
    shares = shares[shares.index.isin(kept)]
    order = {model: place for place, model in enumerate(main["model"].unique())}
    shares = shares.sort_values("model", key=lambda names: names.map(order), kind="stable")
    for run in "ab":
        error = 2 * shares[f"mc_error_{run}"].fillna(0.0)
        shares = shares.assign(
            **{f"lower_{run}": (shares[run] - error).clip(lower=0),
               f"upper_{run}": (shares[run] + error).clip(upper=1)}
        )  # fmt: skip
    panels = [part for part in (ratios, shares) if len(part)]
    heights = [_ROW * len(part) + _AXIS for part in panels]
    figure = style.new_figure(style.WIDE, sum(heights) + 1.6)
    handles: list[style.Handle] = [
        style.dot(color, marker, f"{run.upper()}: {name} ({started})", face="white")
        for (run, (color, marker, _)), name, started in zip(
            _LOOKS.items(), (comparison.a, comparison.b), comparison.started, strict=True
        )
    ]
    columns = 2 if len(comparison.a) + len(comparison.b) < 60 else 1
    style.heading(figure, "Main numbers of two runs, given the data", handles, columns)
    ends = {run: (f"lower_{run}", f"upper_{run}") for run in "ab"}
    if panels:
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
        for ax, part in zip(grid[:, 0], panels, strict=True):
            style.tidy(ax)
            ax.spines["left"].set_visible(False)
            _rows(ax, part)
            if part is ratios:
                _points(ax, part, 1.0, ends)
                limits = part[["a", "b", *ends["a"], *ends["b"]]]
                style.log_axis(ax, "x", *style.log_limits(limits, [1.0]))
                ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
                ax.set_xlabel("Ratio to baseline, with 95 % interval (no unit; log axis)",
                              fontsize=style.TEXT)  # fmt: skip
            else:
                _points(ax, part, 100.0, ends)
                ax.set_xlim(-2, 102)
                ax.set_xlabel("Probability or share, %, with two Monte Carlo standard errors",
                              fontsize=style.TEXT)  # fmt: skip
    parts = [
        f"MC errors: the difference from A to B in Monte Carlo standard errors; * beyond "
        f"{BEYOND:g} of them, more than noise.",
        f"The {ROWS} largest differences of probabilities are shown, {left_out} are not."
        if left_out
        else "",
        comparison.post_hoc,
        style.SYNTHETIC if comparison.synthetic else "",
    ]
    lines = textwrap.wrap(" ".join(filter(None, parts)), int(style.WIDE * 16))
    figure.supxlabel(
        "\n".join(lines),
        x=0.01, ha="left", fontsize=style.SMALL, color="#333333", multialignment="left",
    )  # fmt: skip
    return figure
