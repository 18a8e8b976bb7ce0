"""What ``mnbayes elicit`` shows."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mnbayes.analyses.priors.elicit_command import Elicitation
from mnbayes.analyses.priors.predictive import ALBUMIN, PROTEIN, PriorPredictive
from mnbayes.analyses.priors.terminal import CATEGORIES, interval, number, say_implausible, share
from mnbayes.cards import families as priors
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit.console import say

#: Rows and columns of the density.
ROWS, WIDTH = 13, 44


def show_elicitation(found: Elicitation) -> None:
    """Print a belief, its distribution, how well that fits, its density and what follows."""
    console = Console(soft_wrap=False)
    elicited, own = found.elicited, found.own
    log = " on the log scale" if elicited.belief.quantity.kind in ("level", "change") else ""
    say(console, f"{found.card.name}, prior of {found.name}", "bold")
    say(console, f"Belief: {elicited.belief.sentence}.")
    say(console, f"Distribution: {elicited.formula}{log}. {elicited.sentence}")
    say(console, f"Without the belief: {own.formula}: {own.explained}.")
    table = Table("statement", title="What was stated and what the distribution has")
    table.add_column("stated", justify="right")
    table.add_column("achieved", justify="right")
    for check in elicited.checks:
        statement = f"{check.statement} (if both tails are alike)" if check.implied else None
        table.add_row(
            escape(statement or check.statement),
            f"{100 * check.stated:.3g} %",
            f"{100 * check.achieved:.3g} %",
        )
    console.print(table)
    for note in elicited.notes:
        say(console, note)
    for line in density_rows(found):
        say(console, line)
    console.print(_consequences(found))
    if not found.used:
        say(console, f"{found.name} is switched off in {found.card.name}: nothing follows from it.")
    say_implausible(console, found.with_belief)
    _say_how_to_use(console, found)


def density_rows(found: Elicitation) -> list[str]:
    """The density as bars, one row for each value of the belief's scale.

    Solid within the stated bounds, hatched outside, so that the stated probability can be seen.
    """
    elicited = found.elicited
    belief, family, arguments = elicited.belief, elicited.distribution, elicited.arguments
    low, high = (float(priors.quantile(family, arguments, p)) for p in (0.005, 0.995))
    edges = np.linspace(low, high, ROWS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    mass = np.diff(priors.cdf(family, arguments, edges))
    if not np.isfinite(mass).all() or mass.max() <= 0:
        return []
    start, end = belief.bounds
    rows = []
    for middle, part in zip(middles, mass / mass.max(), strict=True):
        within = (start is None or middle >= start) and (end is None or middle <= end)
        bar = ("█" if within else "░") * max(round(WIDTH * part), 1)
        rows.append(f"{belief.shown(belief.natural(float(middle))):>10} {bar}")
    return rows[::-1] if belief.scale == "fall" else rows


def _consequences(found: Elicitation) -> Table:
    """The marker's change and the next patient, without and with the belief."""
    both = (found.without, found.with_belief)
    info = MARKERS[found.shown_marker]
    last = found.with_belief.draws.weeks[-1]
    table = Table(
        title="Under the prior alone, no data",
        caption="median (95 % interval); a fall is negative where the marker rises",
    )
    table.add_column("consequence")
    table.add_column("without the belief", justify="right")
    table.add_column("with it", justify="right")

    def row(words: str, cell: list[str]) -> None:
        table.add_row(escape(words), *cell)

    levels = [_row(p, "levels", info.name, 0.0) for p in both]
    later = [_row(p, "levels", info.name, last) for p in both]
    ratios = [_row(p, "ratios", info.name, last) for p in both]
    typical = ("typical_median", "typical_lower", "typical_upper")
    patient = ("patient_median", "patient_lower", "patient_upper")
    draws = len(found.with_belief.draws.patient)
    row(f"{info.label}: typical baseline, {info.unit}", [_ends(v, typical) for v in levels])
    row(f"typical ratio to baseline, week {last:g}", [
        _ends(v, ("median", "lower", "upper")) for v in ratios
    ])  # fmt: skip
    row(f"typical fall, week {last:g}", [
        f"{_fall(v['median'])} ({_fall(v['upper'])} to {_fall(v['lower'])})" for v in ratios
    ])  # fmt: skip
    row("P(typical fall of half or more)", [share(v["p_fall_50"], draws) for v in ratios])
    row(f"next patient, baseline, {info.unit}", [_ends(v, patient) for v in levels])
    row(f"next patient, week {last:g}, {info.unit}", [_ends(v, patient) for v in later])
    judged = info.name in (PROTEIN, ALBUMIN)
    chances = [_responses(p, last) if judged else {} for p in both]
    for category, words in CATEGORIES.items():
        if category in chances[0]:
            row(f"P(next patient: {words}), week {last:g}",
                [share(c[category], draws) for c in chances])  # fmt: skip
    return table


def _row(predictive: PriorPredictive, table: str, marker: str, week: float) -> dict[str, float]:
    frame = getattr(predictive, table)
    row = frame[(frame["marker"] == marker) & (frame["week"] == week)].iloc[0]
    return {str(k): float(v) for k, v in row.items() if k != "marker"}


def _responses(predictive: PriorPredictive, week: float) -> dict[str, float]:
    rows = predictive.responses[predictive.responses["week"] == week]
    return {str(c): float(p) for c, p in zip(rows["category"], rows["probability"], strict=True)}


def _ends(row: dict[str, float], names: tuple[str, str, str]) -> str:
    return interval(*(row[name] for name in names))


def _fall(ratio: float) -> str:
    fall = 100 * (1 - ratio)
    return f"{fall:z.0f} %" if fall > -1000 else f"{number(ratio)}-fold"


def _say_how_to_use(console: Console, found: Elicitation) -> None:
    belief = found.elicited.belief
    text, _, scale = belief.text.rpartition(" on ")
    say(console, "To use it:")
    say(console, f"  mnbayes fit --set '{found.name}={belief.text}'")
    where = f"{found.parameter}.{found.marker}" if found.marker else found.parameter
    say(console, f'or in a .toml file for --priors:\n  [priors.{where}]\n  belief = "{text}"')
    say(console, f'  on = "{scale}"\n  why = "…"')
