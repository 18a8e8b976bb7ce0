"""A step or a drift: what each says of patients whose true courses are known; store the tables.

Run ``python scripts/trajectory.py`` after the proteinuria card, a scenario or the collapsed
engine's numbers changed (``tests/test_trajectory.py`` then fails and says so); it takes some
minutes on two cores. Both structures have the card's priors and are fitted to the same cohorts of
eight; so are wider priors of the visits and of the drift. The result is
``tests/reference/trajectory.json``, and the tables in ``docs/trajectory.md``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from page_blocks import with_block
from rich.progress import Progress

from mnbayes.analyses.characteristics.command import characteristics_study
from mnbayes.analyses.characteristics.judges import other_judges, rule_judges, truth_of
from mnbayes.analyses.characteristics.patients import per_patient, told
from mnbayes.analyses.characteristics.scenarios import find_scenario
from mnbayes.analyses.characteristics.summary import estimates
from mnbayes.analyses.design.rules import load_rules
from mnbayes.analyses.sensitivity.specifications import STRUCTURES, with_structure
from mnbayes.base.text_table import records
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.overrides import apply_changes
from mnbayes.cards.prior_sets import Change
from mnbayes.studies.rerun import as_lines
from mnbayes.studies.run import run_study
from mnbayes.studies.study import Study

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests" / "reference" / "trajectory.json"
PAGE = ROOT / "docs" / "trajectory.md"
#: In the order of the page: courses that are parallel, that turn, and parallel ones badly measured.
SCENARIOS = (
    *("random_leave", "gradual", "early_and_lost", "rebound", "relapse_of_one"),
    "heavy_tails_change",
)
PATIENTS, REPLICATES, SEED = 8, 500, 20261129
_VISITS = {"visit_sd": {"distribution": "LogNormal", "mu": -0.69, "sigma": 0.4}}
_HALF_NORMAL = {"serial_sd": {"distribution": "HalfNormal", "sigma": 0.5}}
_LOG_NORMAL = {"serial_sd": {"distribution": "LogNormal", "mu": -0.92, "sigma": 0.4}}
#: Priors that were tried in the place of the card's, by what the page calls them.
TRIED = {
    "visits LogNormal(log 0.5, 0.4)": _VISITS,
    "and drift HalfNormal(0.5)": _VISITS | _HALF_NORMAL,
    "and drift LogNormal(log 0.4, 0.4)": _VISITS | _LOG_NORMAL,
}
#: The scenarios of which the page shows what they do.
SHOWN = ("random_leave", "gradual", "rebound", "heavy_tails_change")
#: Replicates of each scenario whose numbers are stored; a test does them again.
FIRST = 1
HEAD = (
    "| truth | trajectory | 95 % / 80 % of a patient's ratio | 95 %, who left | RMSE | "
    "confident wrong | “likely” true | 95 % of the GMR | its bias |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|"
)


def card_of(name: str) -> Card:
    """The proteinuria card with a trajectory, or with priors of :data:`TRIED`."""
    card = load_card("proteinuria")
    if name not in TRIED:
        return with_structure(card, trajectory=name)
    changes = [Change(parameter, "", values, name) for parameter, values in TRIED[name].items()]
    return apply_changes([card], changes, strict=True)[0]


def study_of(name: str, replicates: int) -> Study:
    """The study of one structure, or of priors that were tried."""
    card, definitions = card_of(name), load_definitions()
    rules, _ = rule_judges(load_rules().rule, card, definitions)
    chosen = [find_scenario(name) for name in SCENARIOS]
    return characteristics_study(card, definitions, rules, chosen, (PATIENTS,), replicates, SEED)


def rates(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What the table shows of one structure, by scenario."""
    definitions, card = load_definitions(), load_card("proteinuria")
    rules, _ = rule_judges(load_rules().rule, card, definitions)
    judges = (*rules, *other_judges())
    truths = {name: truth_of(find_scenario(name), judges, definitions) for name in SCENARIOS}
    found: dict[str, dict[str, float]] = {name: {} for name in SCENARIOS}
    for row in records(per_patient(table, told(card))):
        found[row["scenario"]][row["quantity"]] = row["value"]
        found[row["scenario"]][f"{row['quantity']}_mcse"] = row["mcse"]
    for row in records(estimates(table, truths)):
        for column in ("coverage", "coverage_mcse", "bias", "withheld"):
            found[row["scenario"]][f"gmr_{column}"] = float(row[column])
    return found


def row_of(name: str, model: str, rate: dict[str, float], *, titled: bool) -> str:
    """A line of the page's tables."""

    def percent(key: str) -> str:
        value = rate.get(key, float("nan"))
        return "–" if value != value else f"{100 * value:.0f}"

    cells = (
        find_scenario(name).title if titled else "",
        model,
        f"{percent('covered_95')} / {percent('covered_80')}",
        percent("covered_left"),
        f"{rate['rmse']:.3f}",
        f"{percent('wrong_effective')} %",
        f"{percent('true_effective')} %",
        percent("gmr_coverage"),
        f"{rate['gmr_bias']:+.2f}",
    )
    return f"| {' | '.join(cells)} |"


def table_of(stored: dict[str, Any], models: Sequence[str], scenarios: Sequence[str]) -> str:
    """A table of the page: what some models say, scenario by scenario."""
    rows = [
        row_of(name, model, stored["rates"][model][name], titled=model == models[0])
        for name in scenarios
        for model in models
    ]
    return "\n".join([HEAD, *rows])


def filled(page: str, stored: dict[str, Any]) -> str:
    """The page with its tables as stored."""
    structures = STRUCTURES["trajectory"]
    page = with_block(page, "table", table_of(stored, structures, SCENARIOS))
    return with_block(page, "tried", table_of(stored, ("drift", *TRIED), SHOWN))


def stored_by(
    how: str, names: Sequence[str], study: Callable[[str, int], Study], replicates: int
) -> dict[str, Any]:
    """Run a study for each name: what a page shows of it, and the numbers a test does again."""
    stored: dict[str, Any] = {
        "how": how,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "patients": PATIENTS,
        "replicates": replicates,
        "seed": SEED,
        "rates": {},
        "first": {},
    }
    with Progress() as bars, tempfile.TemporaryDirectory() as folder:
        for i, name in enumerate(names):
            bar = bars.add_task(name, total=replicates * len(SCENARIOS))

            def news(name: str, stage: str, done: int, total: int, bar: Any = bar) -> None:
                bars.update(bar, completed=done)

            table = run_study(study(name, replicates), Path(folder) / str(i), news=news)
            stored["rates"][name] = rates(table)
            stored["first"][name] = as_lines(table[table["replicate"] < FIRST])
    return stored


def asked(about: str | None, reference: Path) -> tuple[Path, int]:
    """Where to store the result, and how many replicates, as the command line asks."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0] if about else None)
    parser.add_argument("--out", type=Path, default=reference, help="where to store the result")
    parser.add_argument("--scale", type=float, default=1.0, help="times the replicates")
    arguments = parser.parse_args()
    return arguments.out, max(2, round(REPLICATES * arguments.scale))


def write(stored: dict[str, Any], out: Path, fill: Callable[[str, dict[str, Any]], str]) -> None:
    """Store the result, and fill the page."""
    out.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), stored), encoding="utf-8")


def main() -> int:
    """Run every study, store them, fill the page."""
    out, count = asked(__doc__, REFERENCE)
    names = (*STRUCTURES["trajectory"], *TRIED)
    write(stored_by("python scripts/trajectory.py", names, study_of, count), out, filled)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
