"""Study the decision rule in simulated trials; store the result that the report shows.

Run ``python scripts/characteristics.py`` after a card, a scenario, the decision rule or the
collapsed engine's numbers changed (``tests/test_characteristics_stored.py`` then fails and says
so); it takes some twenty minutes on two cores for the model of protein, and a few for that with
albumin. It may be killed and started again. The result is ``data/characteristics``, one
folder a model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mnbayes.analyses.characteristics.command import (
    PATIENTS,
    run_characteristics,
    write_characteristics,
)
from mnbayes.analyses.characteristics.section import of_study
from mnbayes.analyses.characteristics.stored import stored_folder
from mnbayes.report.terminal import progress_bars, show_section

SEED = 20261122
#: Numbers of patients and replicates for each model. The first rule, on remission, needs albumin,
#: and a fit of two markers takes ten times as long: the trial's own size, and fewer replicates.
STUDIES = {"proteinuria": (PATIENTS, 1000), "remission": ((8,), 300)}


def main() -> int:
    """Run the studies, print and store them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", action="append", choices=list(STUDIES), help="default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="times the replicates")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: one a core)")
    parser.add_argument("--scheduler", default=None, help="address of a Dask cluster")
    parser.add_argument(
        "--ledgers", type=Path, default=Path("results/characteristics"), help="to go on from"
    )
    parser.add_argument("--out", type=Path, default=stored_folder(), help="where to store")
    arguments = parser.parse_args()
    for model in arguments.model or STUDIES:
        patients, replicates = STUDIES[model]
        with progress_bars() as news:
            found, _ = run_characteristics(
                model,
                patients=patients,
                replicates=max(2, round(replicates * arguments.scale)),
                scheduler=arguments.scheduler,
                workers=arguments.workers,
                out=arguments.ledgers / f"stored-{model}",
                seed=SEED,
                news=news,
            )
        show_section(of_study(found))
        write_characteristics(found, arguments.out / model, pictures=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
