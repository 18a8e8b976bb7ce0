"""What ``mnbayes characteristics`` shows."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mnbayes.characteristics import words
from mnbayes.characteristics.judges import BETWEEN, FALSE, TRUE
from mnbayes.characteristics.result import Characteristics
from mnbayes.montecarlo import round_to_mcse
from mnbayes.report.tables import records
from mnbayes.terminal.priors import say

_MEANINGS = {FALSE: "a go is false", TRUE: "a go is right", BETWEEN: "a go is right for some rules"}


def show_characteristics(found: Characteristics) -> None:
    """Print how often each judge says go, what estimates are, and what it comes to."""
    console = Console(soft_wrap=False)
    say(
        console,
        f"Operating characteristics of model {found.model} (prior set {found.prior_set}): "
        f"{found.replicates:,} simulated trials for each row. No real patient.",
        "bold",
    )
    console.print(_table(found))
    for judge in found.judges:
        say(console, f"  {judge.title}: {judge.says}.")
    for sentence in words.sentences(found):
        say(console, sentence)


def _table(found: Characteristics) -> Table:
    table = Table(title="Trials ending in go; bias and coverage of the ratio at week 12")
    table.add_column("scenario")
    table.add_column("patients", justify="right")
    for judge in found.judges:
        table.add_column(judge.title, justify="right")
    for head in ("ratio: estimated over true", "95 % intervals that hold it", "withheld"):
        table.add_column(head, justify="right")
    for scenario in (*found.false_go, *found.other_go):
        table.add_section()
        rows = found.estimates[found.estimates["scenario"] == scenario.name]
        head = f"{scenario.title} ({_MEANINGS[found.meaning(scenario.name)]})"
        for place, row in enumerate(records(rows.sort_values("patients"))):
            table.add_row(
                escape(head) if place == 0 else "",
                f"{row['patients']}",
                *(
                    words.rate(found, judge.name, scenario.name, row["patients"])
                    for judge in found.judges
                ),
                words.relative(row["bias"]),
                round_to_mcse(row["coverage"], row["coverage_mcse"]),
                f"{row['withheld'] + row['failed']}",
            )
    return table
