"""``mnbayes characteristics``: the study of the decision rule where the truth is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from mnbayes.analyses.characteristics.figure import characteristics_figures
from mnbayes.analyses.characteristics.judges import Judge, other_judges, rule_judges, truth_of
from mnbayes.analyses.characteristics.parts import MARKERS
from mnbayes.analyses.characteristics.patients import per_patient, told
from mnbayes.analyses.characteristics.replicate import Setting, replicate
from mnbayes.analyses.characteristics.result import (
    MANIFEST,
    TABLES,
    Characteristics,
    Described,
    result_files,
)
from mnbayes.analyses.characteristics.scenarios import Scenario, find_scenario, scenarios
from mnbayes.analyses.characteristics.stored import made_of
from mnbayes.analyses.characteristics.summary import decisions, estimates
from mnbayes.analyses.design.rules import load_rules
from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.base.workers import News, silent
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.definitions import PROTEIN, Definitions, load_definitions
from mnbayes.cards.overrides import override
from mnbayes.cards.prior_sets import PriorSet, joined_name, load_prior_sets
from mnbayes.report.kit.figures import svg_bytes
from mnbayes.run.keeping import claim
from mnbayes.run.outputs import write_whole
from mnbayes.run.study_folders import begun
from mnbayes.studies.identity import LEDGER
from mnbayes.studies.rerun import as_lines
from mnbayes.studies.run import run_study
from mnbayes.studies.study import Cell, Study

#: Numbers of patients of a cohort, and replicates of each scenario and number.
PATIENTS = (4, 8, 16, 40)
REPLICATES = 2000
FEWEST, MOST = 3, 200
#: Replicates of each cell that a result keeps.
FIRST = 1
#: Files beside the ledger.
WRITTEN = (
    *(f"{name}.csv" for name in TABLES),
    *(f"{name}.svg" for name in ("false_go", "right_go", "estimates", "patients")),
    MANIFEST,
)


def characteristics_study(
    card: Card,
    definitions: Definitions,
    rules: Sequence[Judge],
    chosen: Sequence[Scenario],
    patients: Sequence[int],
    replicates: int,
    seed: int,
) -> Study:
    """The study: a cell for each scenario and number of patients."""
    setting = Setting(card, definitions, tuple(rules), {s.name: s for s in chosen})
    cells = tuple(
        Cell({"scenario": s.name, "patients": int(n)}, replicates) for s in chosen for n in patients
    )
    depends = {"made of": made_of(card, definitions, (*rules, *other_judges()), chosen)}
    function = partial(replicate, setting=setting)
    return Study(f"characteristics of {card.name}", function, setting.columns, cells, seed, depends)


def run_characteristics(
    model: str | Path = "proteinuria",
    *,
    scenario: Sequence[str] = (),
    patients: Sequence[int] = (),
    replicates: int = REPLICATES,
    priors: Sequence[str | Path] = ("weak",),
    rule: Path | None = None,
    definitions: Path | str | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    out: Path | None = None,
    force: bool = False,
    seed: int = 1,
    news: News = silent,
    tell: Callable[[str], None] = silent,
) -> tuple[Characteristics, Path]:
    """Simulate cohorts of known truth, fit and judge them, and say how often each judge errs.

    It may be killed and started again: the folder keeps every replicate
    (:func:`mnbayes.studies.run.run_study`).

    Parameters
    ----------
    model : str or Path
        Card of 24-h protein, with or without albumin.
    scenario : sequence of str
        Names; empty: every one that is registered.
    patients : sequence of int
        Numbers of patients; empty: :data:`PATIENTS`.
    replicates : int
        For each scenario and number of patients.
    priors : sequence of str or Path
        Prior sets.
    rule, definitions : Path or str, optional
        Cards; default: those that mnbayes brings.
    scheduler, workers, news
        As of :func:`mnbayes.studies.run.run_study`.
    out : Path, optional
        Folder of the ledger, the tables and the pictures; default: one under
        ``results/characteristics/`` that the same command finds again.
    force : bool
        Whether an earlier study in that folder is moved aside, and a new one begun.
    seed : int
    tell : callable
        Called with sentences on what was moved.

    Returns
    -------
    Characteristics
    Path
        The folder.

    Raises
    ------
    InputError
        With every problem; nothing was written then.
    mnbayes.studies.run.StudyStoppedError
        If workers went away; what was done is recorded.
    """
    clock = time.monotonic()
    with gathered() as attempt:
        own = attempt(load_card, model)
        sets: tuple[PriorSet, ...] = attempt(load_prior_sets, priors)
        rules = attempt(load_rules, rule)
        response = attempt(load_definitions, definitions)
        chosen = [attempt(find_scenario, name) for name in dict.fromkeys(scenario)]
        sizes = attempt(_sizes, patients)
        attempt(_check_replicates, replicates)
    card = override([own], sets)[0]
    file = "decision.toml" if rule is None else rule.name
    with gathered() as attempt:
        attempt(_check_card, card)
        judges = attempt(rule_judges, rules.rule, card, response, file)
    asked, left_out = judges
    everything = (*asked, *other_judges())
    chosen = chosen or list(scenarios())
    study = characteristics_study(card, response, asked, chosen, sizes, replicates, seed)
    folder = out
    if folder is None:
        folder = Path("results") / "characteristics" / f"{card.name}-{study.fingerprint[:8]}"
    target = claim(folder, LEDGER, force=True)  # its own ledger it goes on with
    with begun(target, WRITTEN, anew=force) as said:
        for sentence in said:
            tell(sentence)
        table = run_study(study, folder, scheduler=scheduler, workers=workers, news=news)
    truths = {item.name: truth_of(item, everything, response) for item in chosen}
    found = Characteristics(
        model=card.name,
        prior_set=joined_name(sets),
        definitions=response.name,
        replicates=replicates,
        patients=sizes,
        scenarios=tuple(Described(item.name, item.title, item.says) for item in chosen),
        rules=tuple(Described(item.name, item.title, item.says) for item in asked),
        others=tuple(Described(item.name, item.title, item.says) for item in other_judges()),
        left_out=left_out,
        seed=seed,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        fingerprint=str(study.depends["made of"]),
        first=tuple(as_lines(table[table["replicate"] < FIRST])),
        seconds=round(time.monotonic() - clock, 1),
        estimates=estimates(table, truths),
        decisions=decisions(table, everything, truths),
        per_patient=per_patient(table, told(card)),
    )
    write_characteristics(found, folder)
    return found, folder


def write_characteristics(found: Characteristics, folder: Path, pictures: bool = True) -> None:
    """Write tables and pictures beside the ledger; the manifest last, when all is there."""
    contents = result_files(found)
    if pictures:
        for name, figure in characteristics_figures(found).items():
            contents[f"{name}.svg"] = svg_bytes(figure)
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(contents, key=lambda item: item == MANIFEST):
        write_whole(folder / name, contents[name])


def _sizes(patients: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(sorted(set(patients))) or PATIENTS
    wrong = [n for n in sizes if not FEWEST <= n <= MOST]
    if wrong:
        expected = f"whole numbers from {FEWEST} to {MOST}"
        raise InputError([Problem("--n", None, None, str(n), expected) for n in wrong])
    return sizes


def _check_replicates(replicates: int) -> None:
    if replicates < 2:
        found, expected = str(replicates), "at least 2"
        raise InputError([Problem("--replicates", None, None, found, expected)])


def _check_card(card: Card) -> None:
    structure, problems = card.structure, []

    def problem(found: str, expected: str) -> None:
        problems.append(Problem("--model", None, card.name, found, expected))

    if PROTEIN not in card.markers or not set(card.markers) <= set(MARKERS):
        expected = f"a model of {PROTEIN}, or of it and {MARKERS[1]}: scenarios have these alone"
        problem(", ".join(card.markers), expected)
    if structure.residual != "normal":
        problem(f"residual {structure.residual}", "normal residuals: the collapsed engine's")
    if structure.covariate:
        problem(f"covariate {structure.covariate}", "none: simulated patients have none")
    if problems:
        raise InputError(problems)
