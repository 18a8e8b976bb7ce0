"""What ``mnbayes calibrate`` shows."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mnbayes.analyses.calibration.command import Outcome
from mnbayes.analyses.calibration.result import Calibration
from mnbayes.analyses.calibration.section import what_was_done
from mnbayes.base.text_table import records
from mnbayes.report.kit.console import say

_GROUPS = {"parameter": "parameter", "derived": "derived", "data": "of the data"}


def show_calibration(outcome: Outcome) -> None:
    """Print what was done, the table of quantities, and the verdict last."""
    console = Console(soft_wrap=False)
    calibration = outcome.calibration
    if outcome.synthetic:
        used = "values" if calibration.posterior else "patients, visits and missing values"
        console.print(f"[bold]SYNTHETIC cohort: its {used} are used. No real patient.[/bold]")
    say(console, f"{outcome.title} (prior set {outcome.prior_set}).")
    say(console, what_was_done(calibration))
    if calibration.checks:
        console.print(_table(calibration))
    for reason, count in calibration.failures.items():
        say(console, f"Failed: {count:,} fits ({reason})")
    say(console, verdict(calibration), "bold")


def _table(calibration: Calibration) -> Table:
    table = Table(title="Ranks of the truth")
    table.add_column("quantity")
    table.add_column("kind")
    for head in ("largest difference", "p"):
        table.add_column(head, justify="right")
    table.add_column("in its band")
    for row in records(calibration.table()):
        table.add_row(
            escape(row["quantity"]),
            _GROUPS[row["group"]],
            f"{100 * row['largest']:+.1f} points",
            "<0.001" if row["p_value"] < 0.001 else f"{row['p_value']:.3f}",
            "yes" if row["inside"] else f"NO: {row['reading']}",
        )
    return table


def verdict(calibration: Calibration) -> str:
    """The verdict in a sentence."""
    count = len(calibration.counts)
    if calibration.passed:
        return (
            f"Passed: all {count} quantities stay in their bands (level "
            f"{100 * calibration.level:g} % for all together), "
            f"{calibration.failed:,} of {calibration.replicates:,} fits failed."
        )
    return f"NOT calibrated: {'; '.join(calibration.reasons)}."
