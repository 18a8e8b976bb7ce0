"""Recover known changes from simulated cohorts of eight; store the coverage for the tests.

Run ``python scripts/recovery.py`` after a card or the model's numbers changed
(``tests/test_recovery.py`` then fails and says so); it takes some minutes. For each card, cohorts
of the trial's shape (eight patients, weeks 0, 1, 2, 4 and 12) are simulated from the card's own
priors and fitted. The result, with how it was made, is ``tests/reference/recovery.json``.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mnbayes.cards.card import load_card
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.recovery import coverage, first_cohorts, recover

REFERENCE = Path(__file__).parents[1] / "tests" / "reference" / "recovery.json"
WEEKS = (0.0, 1.0, 2.0, 4.0, 12.0)
PATIENTS = 8
SEED = 20261122
#: Cohorts of each card whose numbers are stored; a test fits them again.
FIRST = 1
#: Cohorts for each card: fewer where a fit takes longer.
COHORTS = {"proteinuria": 100, "remission": 200, "lymphocytes": 50}


def main() -> int:
    """Simulate, fit, print the coverage and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=REFERENCE, help="where to store the result")
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of cohorts")
    arguments = parser.parse_args()
    stored: dict[str, object] = {
        "how": "python scripts/recovery.py",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "patients": PATIENTS,
        "weeks": list(WEEKS),
        "seed": SEED,
        "fingerprint": fingerprint([load_card(name) for name in COHORTS]),
    }
    shown = Table(title="Share of 95 % intervals that hold the true log change")
    for column in ("card", "quantity", "marker", "cohorts", "failed fits", "coverage", "+/-"):
        shown.add_column(column)
    results = {}
    with Progress() as bars:
        for name, count in COHORTS.items():
            count = max(2, round(count * arguments.scale))
            bar = bars.add_task(name, total=count)
            advance = partial(bars.update, bar)
            table = recover(
                load_card(name),
                PATIENTS,
                WEEKS,
                count,
                SEED,
                lambda done, total, advance=advance: advance(completed=done),  # type: ignore[misc]
            )
            summary = coverage(table)
            results[name] = summary.round(4).to_dict(orient="records")
            for row in summary.to_dict(orient="records"):
                labels = (str(row[key]) for key in ("quantity", "marker", "cohorts", "failed"))
                shown.add_row(
                    name, *labels, f"{row['coverage']:.3f}", f"{row['standard_error']:.3f}"
                )
    Console().print(shown)
    stored["coverage"] = results
    stored["first"] = {
        name: first_cohorts(load_card(name), PATIENTS, WEEKS, rows[0]["cohorts"], SEED, FIRST)
        for name, rows in results.items()
    }
    arguments.out.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
