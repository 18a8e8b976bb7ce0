"""Calibrate both engines, and see whether wrong samplers are caught; store the result.

Run ``python scripts/calibration.py`` after a card or an engine's numbers changed
(``tests/test_calibration_stored.py`` then fails and says so); on two idle cores it takes about
an hour. The result, with how it was made, is ``data/calibration.json``, which reports quote.
``--only CASE`` does that case again and leaves the others as they are stored; with ``--folder`` it
may be killed and started again, and goes on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from mnbayes.analyses.calibration.replicates import calibration_study, first_cases
from mnbayes.analyses.calibration.result import Calibration, as_plain, calibration_of, reading
from mnbayes.analyses.calibration.sampler import CalibratedEngine
from mnbayes.analyses.calibration.simulate import Setting
from mnbayes.analyses.calibration.wrong import with_scaled_prior, with_shared_effects
from mnbayes.analyses.sensitivity.specifications import with_structure
from mnbayes.base.resources import calibration_file
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import PROTEIN, load_definitions
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.observations import observations
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.rerun import as_lines, first_replicates
from mnbayes.studies.run import run_study

SEED = 20261122
#: Detection limit of the censored case: a fifth of the values that the priors allow are below it,
#: in half of the cohorts fewer than a tenth and in some nearly all. Real limits are lower; they
#: would hardly be met.
LIMIT = 1.5


@dataclass(frozen=True)
class Case:
    """One calibration: a card as it is shipped but for what is named, and how often."""

    engine: CalibratedEngine
    model: str
    replicates: int
    posterior: bool = False
    structure: Mapping[str, str] = field(default_factory=dict)
    detection_limits: Mapping[str, float] = field(default_factory=dict)


CASES = {
    "drift": Case("nuts", "proteinuria", 10_000),
    "step": Case("nuts", "proteinuria", 1_000, structure={"trajectory": "step"}),
    "student_t": Case("nuts", "proteinuria", 1_000, structure={"residual": "student_t"}),
    "censored": Case("nuts", "proteinuria", 1_000, detection_limits={PROTEIN: LIMIT}),
    "remission": Case("nuts", "remission", 1_000),
    "lymphocytes": Case("nuts", "lymphocytes", 1_000),
    "joint": Case("nuts", "joint", 1_000),
    "collapsed": Case("collapsed", "proteinuria", 10_000),
    "collapsed-posterior": Case("collapsed", "proteinuria", 10_000, posterior=True),
    "collapsed-remission": Case("collapsed", "remission", 2_000),
}
#: What ``--only`` takes besides: the samplers that are wrong on purpose.
WRONG_CASES = "wrong"
#: Replicates with a sampler that is wrong on purpose, and the factor of a prior's scale.
WRONG, FACTOR = 1_000, 1.5
#: Replicates of a right and of a wrong sampler whose numbers are stored.
FIRST, FIRST_WRONG = 5, 2
#: Shares of values below the detection limit by which failed fits are counted.
SHARES = (0.2, 0.4, 0.6, 0.8)
SCALED = ("baseline_mean", "change_mean", "visit_sd", "baseline_sd", "change_sd", "residual_sd")


def setting_of(case: Case) -> Setting:
    """The setting of a case, with the embedded cohort's pattern."""
    card = with_structure(load_card(case.model), **case.structure)
    observed = observations(card, embedded_cohort())
    return Setting(
        card.scheduled(observed.weeks[-1]),
        observed,
        load_definitions(),
        case.posterior,
        engine=case.engine,
        detection_limits=case.detection_limits,
    )


def wrong_settings() -> Iterator[tuple[str, Setting]]:
    """Each wrong sampler with its name."""
    right = setting_of(CASES["collapsed"])
    yield "all patients given one change of their own", with_shared_effects(right)
    for name in SCALED:
        yield f"scale of the prior {name} times {FACTOR:g}", with_scaled_prior(right, name, FACTOR)


def first_of(setting: Setting, count: int) -> list[str]:
    """Numbers of the first replicates, by which a test sees whether the result is stale."""
    if setting.engine == "nuts":
        return as_lines(first_cases(setting, count, SEED))
    return as_lines(first_replicates(calibration_study(setting, count, SEED), count))


def failed_by_share(setting: Setting, table: pd.DataFrame) -> list[dict[str, float]]:
    """Failed fits by the share of a cohort's values that are below the detection limit."""
    censored = first_cases(setting, len(table), SEED)["censored"][table["replicate"]]
    shares = censored / setting.observed.observed.sum()
    failed = table["failure"].notna().to_numpy()
    within = np.digitize(shares, SHARES)
    return [
        {
            "at_least": low,
            "replicates": int((within == band).sum()),
            "failed": int(failed[within == band].sum()),
        }
        for band, low in enumerate((0.0, *SHARES))
    ]


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
    parser.add_argument(
        "--only", action="append", choices=[*CASES, WRONG_CASES], help="default: everything"
    )
    parser.add_argument("--most", type=int, help="replicates of a case, at most")
    parser.add_argument("--scheduler", help="address of a Dask cluster")
    arguments = parser.parse_args()
    console = Console(width=100)

    def repeated(name: str, setting: Setting, replicates: int, folder: Path) -> pd.DataFrame:
        count = min(replicates, arguments.most or replicates)
        with Progress() as bars:
            bar = bars.add_task(name, total=count)
            return run_study(
                calibration_study(setting, count, SEED),
                folder / "".join(c if c.isalnum() else "-" for c in name),
                scheduler=arguments.scheduler,
                news=lambda study, stage, done, total: bars.update(bar, completed=done),
            )

    stored = _stored(arguments.out)
    calibrations, wrong = stored.get("calibrations", []), stored.get("wrong", [])
    kept = {each["case"]: each for each in calibrations if each.get("case") in CASES}
    only = arguments.only or [*CASES, WRONG_CASES]

    def write() -> None:
        parts = [kept[name] for name in CASES if name in kept]
        cards = [setting_of(CASES[each["case"]]).card for each in parts]
        content = {
            "how": "python scripts/calibration.py",
            "date": max((each["date"] for each in parts), default=""),
            "seed": SEED,
            "fingerprint": fingerprint(cards),
            "calibrations": parts,
            "wrong": wrong,
        }
        text = json.dumps(content, indent=1)
        arguments.out.write_text(_rows_together(text) + "\n", encoding="utf-8")

    passed = True
    with folder_of(arguments.folder) as folder:
        for name, case in CASES.items():
            if name not in only:
                continue
            setting, started = setting_of(case), time.perf_counter()
            table = repeated(name, setting, case.replicates, folder)
            found = calibration_of(setting, table)
            seconds = round(time.perf_counter() - started, 1)
            passed = passed and found.passed
            console.print(found.table().to_string(), markup=False, highlight=False)
            console.print(
                f"{name}: {found.replicates:,} replicates, {found.failed} failed, "
                f"{seconds:.0f} s: {'passed' if found.passed else found.reasons}"
            )
            kept[name] = {
                "case": name,
                **as_plain(found),
                "date": datetime.now(UTC).strftime("%Y-%m-%d"),
                "card": fingerprint([setting.card]),
                "depends": dict(calibration_study(setting, 1, SEED).depends),
                "first": first_of(setting, FIRST),
            }
            if case.detection_limits:
                kept[name]["failed_by_share"] = failed_by_share(setting, table)
            write()
        if WRONG_CASES in only:
            wrong = []
            for name, bad in wrong_settings():
                found = calibration_of(bad, repeated(name, bad, WRONG, folder))
                caught = plain_wrong(name, found)
                wrong.append(caught | {"first": first_of(bad, FIRST_WRONG)})
                console.print(caught, highlight=False)
            write()
    return 0 if passed else 1


def _stored(path: Path) -> dict[str, Any]:
    """What is stored already, or nothing."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


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
