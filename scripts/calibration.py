"""Calibrate the collapsed engine, and see whether wrong samplers are caught; store the result.

Run ``python scripts/calibration.py`` after a card or the engine's numbers changed
(``tests/test_calibration_stored.py`` then fails and says so); on two idle cores it takes some ten
minutes. The result, with how it was made, is ``data/calibration.json``, which reports quote. With
``--folder`` it may be killed and started again, and goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from mnbayes.analyses.calibration.replicates import calibration_study
from mnbayes.analyses.calibration.result import Calibration, as_plain, calibration_of, reading
from mnbayes.analyses.calibration.simulate import Setting
from mnbayes.analyses.calibration.wrong import with_scaled_prior, with_shared_effects
from mnbayes.base.resources import calibration_file
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.observations import observations
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.rerun import as_lines, first_replicates
from mnbayes.studies.run import run_study

SEED = 20261122
#: Model, whether given the cohort, replicates.
CASES = (("proteinuria", False, 10_000), ("proteinuria", True, 10_000), ("remission", False, 2_000))
#: Replicates with a sampler that is wrong on purpose, and the factor of a prior's scale.
WRONG, FACTOR = 1_000, 1.5
#: Replicates of a right and of a wrong sampler whose numbers are stored.
FIRST, FIRST_WRONG = 5, 2
SCALED = ("baseline_mean", "change_mean", "visit_sd", "baseline_sd", "change_sd", "residual_sd")


def setting_of(model: str, posterior: bool = False) -> Setting:
    """A card as it is shipped, with the embedded cohort's pattern."""
    card = load_card(model)
    observed = observations(card, embedded_cohort())
    return Setting(card, observed, load_definitions(), posterior)


def wrong_settings() -> Iterator[tuple[str, Setting]]:
    """Each wrong sampler with its name."""
    right = setting_of("proteinuria")
    yield "all patients given one change of their own", with_shared_effects(right)
    for name in SCALED:
        yield f"scale of the prior {name} times {FACTOR:g}", with_scaled_prior(right, name, FACTOR)


def first_of(setting: Setting, count: int) -> list[str]:
    """Numbers of the first replicates, by which a test sees whether the result is stale."""
    return as_lines(first_replicates(calibration_study(setting, count, SEED), count))


def plain_wrong(name: str, found: Calibration) -> dict[str, Any]:
    """A wrong sampler's result as plain values."""
    worst = min(found.checks, key=lambda quantity: found.checks[quantity].p_value)
    return {
        "sampler": name,
        "replicates": found.replicates,
        "failed": found.failed,
        "caught": bool(found.outside),
        "quantity": worst,
        "reading": reading(found.counts[worst]),
        "p_value": round(found.checks[worst].p_value, 6),
        "outside": list(found.outside),
    }


@contextmanager
def folder_of(given: Path | None) -> Iterator[Path]:
    """The folder of the ledgers, or a temporary one."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def main() -> int:
    """Calibrate, print and store; the exit status says whether all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=calibration_file(), help="stored result")
    parser.add_argument("--folder", type=Path, help="folder for the ledgers, to be gone on with")
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of replicates")
    parser.add_argument("--scheduler", help="address of a Dask cluster")
    arguments = parser.parse_args()
    console = Console(width=100)

    def calibrate(name: str, setting: Setting, replicates: int, folder: Path) -> Calibration:
        count = max(20, round(replicates * arguments.scale))
        with Progress() as bars:
            bar = bars.add_task(name, total=count)
            table = run_study(
                calibration_study(setting, count, SEED),
                folder / "".join(c if c.isalnum() else "-" for c in name),
                scheduler=arguments.scheduler,
                news=lambda study, stage, done, total: bars.update(bar, completed=done),
            )
        return calibration_of(setting, table)

    settings = [setting_of(model, posterior) for model, posterior, _ in CASES]
    calibrations, wrong, seconds = [], [], []
    with folder_of(arguments.folder) as folder:
        for (model, posterior, replicates), setting in zip(CASES, settings, strict=True):
            name = f"{model}, {'posterior' if posterior else 'prior'}"
            started = time.perf_counter()
            found = calibrate(name, setting, replicates, folder)
            seconds.append(round(time.perf_counter() - started, 1))
            console.print(found.table().to_string(), markup=False, highlight=False)
            console.print(
                f"{name}: {found.replicates:,} replicates, {found.failed} failed, "
                f"{seconds[-1]:.0f} s: {'passed' if found.passed else found.reasons}"
            )
            calibrations.append(found)
        for name, bad in wrong_settings():
            caught = plain_wrong(name, calibrate(name, bad, WRONG, folder))
            wrong.append(caught | {"first": first_of(bad, FIRST_WRONG)})
            console.print(caught, highlight=False)
    cards = {name: load_card(name) for name, _, _ in CASES}
    stored = {
        "how": "python scripts/calibration.py",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "seed": SEED,
        "cores": os.cpu_count(),
        "fingerprint": fingerprint(cards.values()),
        "cards": {name: fingerprint([card]) for name, card in cards.items()},
        "calibrations": [
            as_plain(found)
            | {
                "seconds": took,
                "depends": dict(calibration_study(setting, 1, SEED).depends),
                "first": first_of(setting, FIRST),
            }
            for found, took, setting in zip(calibrations, seconds, settings, strict=True)
        ],
        "wrong": wrong,
    }
    text = json.dumps(stored, indent=1)
    arguments.out.write_text(_rows_together(text) + "\n", encoding="utf-8")
    return 0 if all(found.passed for found in calibrations) else 1


def _rows_together(text: str) -> str:
    """Lists of numbers in one line each."""
    lines, row = [], ""
    for line in text.split("\n"):
        bare = line.strip()
        if row:
            row += bare
            if bare.startswith("]"):
                lines.append(row)
                row = ""
        elif line.endswith('"counts": ['):
            row = line
        else:
            lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
