"""What ``mnbayes compare`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mnbayes.analyses.comparison import words
from mnbayes.analyses.comparison.numbers import BEYOND, largest, main_numbers
from mnbayes.analyses.comparison.runs import Comparison
from mnbayes.run.history import post_hoc_sentences

#: Numbers shown unless all are asked for.
SHOWN = 12


def show(comparison: Comparison, *, everything: bool = False) -> None:
    """Print what differs between two runs.

    Parameters
    ----------
    comparison : Comparison
    everything : bool
        Whether to list every number, also those under the prior alone; otherwise the main ones
        with the largest differences.
    """
    console = Console(soft_wrap=False)

    def say(text: str, style: str = "") -> None:
        console.print(escape(text), highlight=False, style=style)

    if comparison.synthetic:
        say("SYNTHETIC cohort: no real patient.", "bold")
    say(f"A: {comparison.a} ({comparison.started[0]})")
    say(f"B: {comparison.b} ({comparison.started[1]})")
    if comparison.settings.empty and comparison.priors.empty:
        say("Data, cards, priors, definitions, seed, draws and versions are the same.")
    if not comparison.settings.empty:
        console.print(_settings(comparison.settings))
    if not comparison.priors.empty:
        console.print(_priors(comparison.priors))
    if comparison.post_hoc:
        say(comparison.post_hoc, "bold")
    say(words.verdict_sentence(comparison))
    for sentence in words.only_sentences(comparison, {"a": "A", "b": "B"}):
        say(sentence)
    chosen = comparison.numbers if everything else main_numbers(comparison.given_data)
    differing = largest(chosen[chosen["verdict"] != "same"])
    rows = chosen if everything else differing.head(SHOWN)
    if not rows.empty:
        console.print(_numbers(rows, everything, len(differing)))
        if len(rows) < len(comparison.numbers):
            say("--all lists every number, --out FILE.csv writes them.")


def say_post_hoc(manifest: Mapping[str, Any]) -> None:
    """Print the priors that were changed after an earlier run on the same data."""
    console = Console(soft_wrap=False)
    for sentence in post_hoc_sentences(manifest):
        console.print(escape(f"Post hoc prior: {sentence}"), highlight=False)


def _settings(settings: pd.DataFrame) -> Table:
    table = Table("what differs", "A", "B", title="Settings")
    for row in settings.itertuples():
        cells = (f"{row.part}: {row.item}", words.short(str(row.a)), words.short(str(row.b)))
        table.add_row(*map(escape, cells))
    return table


def _priors(priors: pd.DataFrame) -> Table:
    table = Table("prior", "A", "B", title="Priors")
    for row in priors.itertuples():
        marker = "" if row.marker == "model" else f", {row.marker}"
        cells = (f"{row.model}: {row.parameter}{marker}", str(row.a), str(row.b))
        table.add_row(*map(escape, cells))
    return table


def _numbers(rows: pd.DataFrame, everything: bool, differing: int) -> Table:
    title = (
        f"All {len(rows)} numbers"
        if everything
        else f"Main numbers: the {len(rows)} largest of {differing} differences, B less A"
    )
    caption = f"* beyond {BEYOND:g} MC errors (Monte Carlo standard errors of the difference)"
    if (rows["verdict"] == "unknown").any():
        caption += "\n? error not known"
    table = Table(title=title, caption=caption)
    table.add_column("number")
    for head in ("A", "B", "difference", "in SD", "in MC errors"):
        table.add_column(head, justify="right")
    for model, part in rows.groupby("model", sort=False):
        table.add_section()
        table.add_row(escape(f"model {model}"), style="italic")
        for row in part.to_dict("records"):
            table.add_row(*_cells({str(key): value for key, value in row.items()}))
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    mark = {"changed": " *", "unknown": " ?"}.get(row["verdict"], "")
    return [
        escape(words.label(row)),
        words.value(row, "a"),
        words.value(row, "b"),
        words.difference(row),
        words.units(row["in_sd"]),
        words.units(row["in_errors"]) + mark,
    ]
