"""How much of the fall regression to the mean alone could explain, in words and as a table."""

from __future__ import annotations

from dataclasses import dataclass

from mnbayes.report import wording
from mnbayes.report.changes import last_week
from mnbayes.report.summary import shown
from mnbayes.report.tables import Table
from mnbayes.run import Run


@dataclass(frozen=True)
class Regression:
    """The bound beside one model's ratio: its name, sentences and a table of assumptions."""

    model: str
    sentences: tuple[str, ...]
    table: Table


def regression(run: Run) -> Regression | None:
    """The regression-to-the-mean bound beside the estimated ratio at the last visit.

    Returns
    -------
    Regression or None
        None where no model that may be shown has an exact baseline of 24-h protein.
    """
    result = next((r for r in shown(run) if not r.regression.empty), None)
    if result is None:
        return None
    table = result.regression
    observed = float(table["gmr_observed"].iloc[0])
    baseline = float(table["baseline_geometric_mean"].iloc[0])
    explained = table["gmr_regression"] <= observed
    means = sorted(set(table["population_geometric_mean"]))
    rows = []
    for reliability, group in table.groupby("reliability"):
        bound = group.set_index("population_geometric_mean")["gmr_regression"]
        cells = [
            wording.ratio(float(bound[mean])) + (" – all of it" if bound[mean] <= observed else "")
            for mean in means
        ]
        rows.append((f"{reliability:g}", *cells))
    sentences = (
        f"The baselines have a geometric mean of {baseline:.2f} g/24h. The estimated ratio at "
        f"{wording.week_name(last_week(result))} is {wording.ratio(observed)}.",
        f"Under {int(explained.sum())} of the {len(table)} pairs of assumptions, regression to "
        "the mean alone gives a ratio as low as that, or lower, with no change in any patient "
        "(marked “all of it”).",
    )
    head = (
        "Reliability of one measurement",
        *(f"population mean {mean:g} g/24h" for mean in means),
    )
    caption = "Ratio to baseline that regression to the mean alone would show"
    return Regression(result.name, sentences, Table(caption, head, tuple(rows)))
