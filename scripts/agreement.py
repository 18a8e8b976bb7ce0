"""Compare mnbayes with brms on the model that both can state; store brms's answer for the tests.

Run ``python scripts/agreement.py`` after the embedded cohort's 24-h proteinuria, the card's
priors or the R script changed (``tests/test_agreement.py`` then fails and says so). It takes some
minutes and needs R with brms. The result, with how it was made, is
``tests/reference/brms_proteinuria.json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from peers import routes
from rich.console import Console
from rich.table import Table

from mnbayes.data.embedded import embedded_cohort
from mnbayes.inference.fit import Sampling, fit

REFERENCE = Path(__file__).parents[1] / "tests" / "reference" / "brms_proteinuria.json"
DRAWS = 5000
#: Smaller steps than for a benchmark: the reference must be free of divergences.
TARGET_ACCEPT = 0.99


def compare(ours: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]) -> Table:
    """Table of both posteriors, and their difference in combined Monte Carlo errors."""
    table = Table(title="Posterior of the proteinuria card on the embedded cohort")
    table.add_column("parameter", no_wrap=True)
    for column in ("mean mnbayes", "mean brms", "errors apart", "SD mnbayes", "SD brms", "ratio"):
        table.add_column(column, justify="right")
    for name, mine in ours.items():
        other = theirs[name]
        error = (mine["mcse_mean"] ** 2 + other["mcse_mean"] ** 2) ** 0.5
        table.add_row(
            name,
            f"{mine['mean']:.4f}",
            f"{other['mean']:.4f}",
            f"{(mine['mean'] - other['mean']) / error:+.2f}",
            f"{mine['sd']:.4f}",
            f"{other['sd']:.4f}",
            f"{mine['sd'] / other['sd']:.3f}",
        )
    return table


def main() -> int:
    """Fit by both, print the comparison, store brms's side; 1 if a fit is not clean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=DRAWS, help="draws a chain, 4 chains")
    parser.add_argument("--out", type=Path, default=REFERENCE, help="where to store the result")
    arguments = parser.parse_args()
    console = Console()
    if missing := routes.missing_r(("brms", "jsonlite")):
        console.print(f"Not installed: {missing}. To get it: {routes.HOW_TO_GET_R}", markup=False)
        console.print("Nothing was stored.")
        return 0

    card, cohort = routes.peer_card(), embedded_cohort()
    sampling = Sampling(draws=arguments.draws, target_accept=TARGET_ACCEPT, seed=1)
    ours = fit(card, cohort, sampling)
    with tempfile.TemporaryDirectory() as folder:
        brms = routes.run_brms(
            Path(folder), card, cohort, refits=0, draws=arguments.draws, adapt_delta=TARGET_ACCEPT
        )
    mine = routes.estimates(ours)
    console.print(compare(mine, brms["parameters"]))

    problems = list(ours.diagnostics.reasons)
    if brms["sampling"]["divergences"]:
        problems.append(f"brms: {brms['sampling']['divergences']} divergent transitions")
    if problems:
        console.print(f"Not stored: {'; '.join(problems)}.", markup=False)
        return 1
    stored: dict[str, Any] = {
        "made_by": "scripts/agreement.py",
        "date": datetime.now(UTC).date().isoformat(),
        "data_sha256": routes.data_hash(cohort),
        "priors_sha256": routes.priors_hash(card),
        "r_script_sha256": routes.file_hash(routes.PEERS / "brms_proteinuria.R"),
        "cohort_sha256": cohort.sha256,
        "priors": routes.prior_numbers(card),
        "brms": {key: brms[key] for key in ("versions", "sampling", "parameters")},
        "mnbayes": {
            "versions": {name: version(name) for name in ("pymc", "nutpie", "numpy")},
            "sampling": {
                "chains": 4,
                "warmup": sampling.tune,
                "draws": sampling.draws,
                "target_accept": TARGET_ACCEPT,
                "seed": sampling.seed,
            },
            "parameters": mine,
        },
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    console.print(f"Stored in {arguments.out.name}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
