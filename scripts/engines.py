"""Fit simulated cohorts with both engines; store how far they are apart for the tests.

Run ``python scripts/engines.py`` after a card or an engine's numbers changed
(``tests/test_engines.py`` then fails and says so); it takes some 20 minutes. The result, with how
it was made, is ``tests/reference/engines.json``.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.studies.engines import DRAWS, MORE, agreement, agreement_summary, first_cohorts
from mnbayes.studies.fingerprint import fingerprint

REFERENCE = Path(__file__).parents[1] / "tests" / "reference" / "engines.json"
CARD = "proteinuria"
WEEKS = (0.0, 1.0, 2.0, 4.0, 12.0)
PATIENTS = (4, 6, 8, 12, 20)
#: More than the hundred that are wanted: a gate withholds some.
COHORTS = 112
SEED = 20261122
#: Cohorts whose numbers are stored; a test fits them again.
FIRST = 2


def main() -> int:
    """Simulate, fit twice, print how far apart the engines are, and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=REFERENCE, help="where to store the result")
    parser.add_argument("--cohorts", type=int, default=COHORTS)
    arguments = parser.parse_args()
    card = load_card(CARD)
    with Progress() as bars:
        bar = bars.add_task("cohorts", total=arguments.cohorts)
        table = agreement(
            card,
            load_definitions(),
            PATIENTS,
            WEEKS,
            arguments.cohorts,
            SEED,
            lambda done, total: bars.update(bar, completed=done),
        )
    summary = agreement_summary(table)
    stored = {
        "how": "python scripts/engines.py",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "card": CARD,
        "patients": list(PATIENTS),
        "weeks": list(WEEKS),
        "draws_per_chain": DRAWS,
        "times_where_beyond_a_limit": MORE,
        "seed": SEED,
        "fingerprint": fingerprint([card]),
        "summary": summary,
        "withheld_because": table.loc[table["kind"] == "failed", "reason"].tolist(),
        "first": first_cohorts(table, FIRST),
    }
    console = Console()
    for name, value in summary.items():
        console.print(f"{name:>24}  {value:g}", highlight=False)
    arguments.out.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
