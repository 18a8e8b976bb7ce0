"""What ``mnbayes characteristics`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mnbayes.analyses.characteristics import words
from mnbayes.analyses.characteristics.judges import BETWEEN, FALSE, TRUE
from mnbayes.analyses.characteristics.result import Characteristics
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.text_table import records
from mnbayes.report.kit.console import say

_MEANINGS = {FALSE: "a go is false", TRUE: "a go is right", BETWEEN: "a go is right for some rules"}
#: Columns after the judges'.
_ESTIMATES = ("ratio: estimated over true", "95 % intervals that hold it", "trials withheld")
#: Columns of a terminal that hold the table with its names.
_WIDE = 130


def show_characteristics(found: Characteristics) -> None:
    """Print how often each judge says go, what estimates are, and what it comes to.

    Where the terminal is too narrow for the columns' names they are letters, named below.
    """
    console = Console(soft_wrap=False)
    say(
        console,
        f"Operating characteristics of model {found.model} (prior set {found.prior_set}): "
        f"{found.replicates:,} simulated trials for each row. No real patient.",
        "bold",
    )
    columns = (*(judge.title for judge in found.judges), *_ESTIMATES)
    letters = () if console.width >= _WIDE else tuple(ascii_uppercase[: len(columns)])
    console.print(_table(found, letters or columns))
    marks = [f"{letter}: " for letter in letters] or [""] * len(columns)
    for judge, mark in zip(found.judges, marks, strict=False):
        say(console, f"  {mark}{judge.title}: {judge.says}.")
    if letters:
        for name, mark in zip(_ESTIMATES, marks[len(found.judges) :], strict=True):
            say(console, f"  {mark}{name}.")
    for sentence in words.sentences(found):
        say(console, sentence)


def _table(found: Characteristics, columns: Sequence[str]) -> Table:
    table = Table(title="Trials ending in go; bias and coverage of the ratio at week 12",
                  box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)  # fmt: skip
    for head in ("scenario", "patients", *columns):
        longest = max(len(word) for word in head.split())
        table.add_column(
            head,
            justify="left" if head == "scenario" else "right",
            min_width=max(longest, 5),
        )
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
