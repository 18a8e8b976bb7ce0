"""Picture of a comparison: the main numbers of two runs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mnbayes.analyses.comparison import words
from mnbayes.analyses.comparison.numbers import BEYOND, largest
from mnbayes.analyses.comparison.runs import Comparison
from mnbayes.answers.reported import KEYS
from mnbayes.base.text_table import records
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest, forest_height

#: Most rows of the panel of probabilities.
ROWS = 30
#: Numbers of a row with their ends.
_NUMBERS = ["a", "b", "lower_a", "lower_b", "upper_a", "upper_b"]
_LOOKS: dict[str, dict[str, Any]] = {
    "a": {"color": style.GREY, "marker": "s"},
    "b": {"color": style.BLUE, "marker": "o"},
}


def _ends(comparison: Comparison, ratios: pd.DataFrame) -> pd.DataFrame:
    """The ratios with the ends of their intervals in both runs, NaN where one lacks them."""
    keys = [key for key in KEYS if key != "column"]
    out = ratios
    for end in ("lower", "upper"):
        rows = comparison.numbers[comparison.numbers["column"] == f"gmr_{end}"]
        named = rows[[*keys, "a", "b"]].rename(columns={run: f"{end}_{run}" for run in "ab"})
        out = out.merge(named, on=keys, how="left")
    return out


def _row(row: dict[str, Any], scale: float, called: Mapping[str, str]) -> Row:
    """Both runs' number with its ends, and the size of their difference."""
    estimates = tuple(
        Estimate(*(scale * row[name] for name in (run, f"lower_{run}", f"upper_{run}")), **look)
        for run, look in _LOOKS.items()
    )
    certain = row["verdict"] == "changed"
    text = f"{words.difference(row)}: {words.units(row['in_errors'])} MC errors"
    if row["verdict"] == "same":
        text = "the same"
    elif row["verdict"] == "unknown":
        text = f"{words.difference(row)}: error not known"
    return Row(
        f"{row['model']}: {words.label(row, called)}",
        estimates,
        texts=(f"{text} *" if certain else text,),
        color=style.BLACK if certain else style.GREY,
    )


def main_differences(comparison: Comparison) -> Figure:
    """Draw the main numbers of both runs, at the primary week of each model.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    Figure
        Above, ratios to baseline with 95 % intervals on a log axis; below, probabilities and
        shares with two Monte Carlo standard errors to either side. Run A is a square above, run
        B a circle below. Beside each row its difference; in black with a star where that is
        beyond :data:`mnbayes.analyses.comparison.numbers.BEYOND` Monte Carlo errors.
    """
    main = comparison.main
    ratios = _ends(comparison, main[main["scale"] == "log"])
    shares = main[main["scale"] != "log"]
    kept = largest(shares).head(ROWS).index
    left_out = len(shares) - len(kept)
    shares = shares[shares.index.isin(kept)]
    order = {model: place for place, model in enumerate(main["model"].unique())}
    shares = shares.sort_values("model", key=lambda names: names.map(order), kind="stable")
    for run in "ab":
        error = 2 * shares[f"mc_error_{run}"].fillna(0.0)
        shares[f"lower_{run}"] = (shares[run] - error).clip(lower=0)
        shares[f"upper_{run}"] = (shares[run] + error).clip(upper=1)
    panels = [
        (part, [_row(row, scale, comparison.called) for row in records(part)])
        for part, scale in ((ratios, 1.0), (shares, 100.0))
        if len(part)
    ]
    heights = [forest_height(rows) for _, rows in panels]
    figure = style.new_figure(style.WIDE, sum(heights))
    # A comparison may have no main number at all.
    grid = figure.add_gridspec(max(len(panels), 1), 1, height_ratios=heights or None)
    for place, (part, rows) in enumerate(panels):
        ax = figure.add_subplot(grid[place])
        style.tidy(ax)
        if part is ratios:
            style.log_axis(ax, "x", *style.log_limits(part[_NUMBERS], [1.0]))
            ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
            label = "Ratio to baseline, with 95 % interval (no unit; log axis)"
            ax.set_xlabel(label, fontsize=style.TEXT)
        else:
            label = "Probability or share, %, with two Monte Carlo standard errors"
            style.percent_axis(ax, "x", label)
            ax.set_xlim(-2, 102)
        forest(ax, rows)
    handles: list[style.Handle] = [
        style.dot(look["color"], look["marker"], f"{run.upper()}: {name} ({started})", face="white")
        for (run, look), name, started in zip(
            _LOOKS.items(), (comparison.a, comparison.b), comparison.started, strict=True
        )
    ]
    columns = 2 if len(comparison.a) + len(comparison.b) < 60 else 1
    style.heading(figure, "Main numbers of two runs, given the data", handles, columns)
    style.note(
        figure,
        f"MC errors: the difference from A to B in Monte Carlo standard errors; * beyond "
        f"{BEYOND:g} of them, more than noise.",
        f"The {ROWS} largest differences of probabilities are shown, {left_out} are not."
        if left_out
        else "",
        comparison.post_hoc,
        style.SYNTHETIC if comparison.synthetic else "",
    )
    return figure
