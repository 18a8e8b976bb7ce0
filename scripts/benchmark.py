"""Race mnbayes, by NUTS and collapsed, against brms, rstanarm and bambi on the proteinuria card.

Everything is measured in one run on this machine, each first fit in a process of its own, with
4 chains of 1000 draws after the program's default tuning (mnbayes 500, the others 1000) and a
target acceptance of 0.9. ``python scripts/benchmark.py`` takes some eleven minutes with all
programs; ``--quick`` measures first fits once. What is not installed is left out, and how to get
it is printed. The result goes to ``results/benchmark.json`` and ``results/benchmark.png``;
``--quote`` puts both where docs/speed.md quotes them and rewrites its block, from this run or, with
``--stored FILE``, from an earlier one.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from peers.picture import race_figure
from peers.race import run_race
from peers.standings import PICTURE, Stored, busy, goals, rows, with_block
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results" / "benchmark.json"
#: What the page on speed quotes.
QUOTED = ROOT / "docs" / "benchmark.json"


def show(stored: Stored, console: Console) -> None:
    """Print the table, the goals and the notes."""
    header, *body = rows(stored)
    machine = stored["machine"]
    title = f"4 chains × 1,000 draws, {stored['date']}, {machine['cores']} cores"
    table = Table(title=title)
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i else "left")
    for row in body:
        table.add_row(*row)
    console.print(table)
    for goal in goals(stored):
        says = f"{'met' if goal.met else 'MISSED'}: {goal.says}: {goal.value}"
        console.print(says, markup=False, highlight=False, soft_wrap=True)
    if busy(stored):
        console.print("The machine was busy before the run; repeat it on a quiet one.")
    for note in stored["notes"]:
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def store(stored: Stored, file: Path, picture: Path) -> None:
    """Write the result and its picture."""
    for path in (file, picture):
        path.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    race_figure(stored).savefig(picture)


def quote(stored: Stored) -> None:
    """Put a result where the page on speed quotes it, and rewrite that page's block."""
    store(stored, QUOTED, ROOT / PICTURE)
    page = ROOT / "docs" / "speed.md"
    page.write_text(with_block(page.read_text(encoding="utf-8"), stored), encoding="utf-8")


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="first fits once, fewer refits")
    parser.add_argument("--only", choices=["mnbayes", "r", "bambi"], help="run one part alone")
    parser.add_argument(
        "--bambi-python",
        default=sys.executable,
        help="interpreter of an environment that has bambi",
    )
    parser.add_argument("--out", type=Path, default=RESULT, help="where to store the result")
    parser.add_argument("--stored", type=Path, help="show a stored result; measure nothing")
    parser.add_argument("--quote", action="store_true", help="quote the result in docs/speed.md")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    if arguments.stored:
        stored: Stored = json.loads(arguments.stored.read_text(encoding="utf-8"))
    else:
        stored = asdict(
            run_race(console, arguments.quick, arguments.only or "", arguments.bambi_python)
        )
        store(stored, arguments.out, arguments.out.with_suffix(".png"))
        console.print(f"Stored in {arguments.out.parent.name}/{arguments.out.name}.")
    show(stored, console)
    if arguments.quote:
        quote(stored)
        console.print("docs/speed.md quotes it, from docs/benchmark.json.")


if __name__ == "__main__":
    main()
