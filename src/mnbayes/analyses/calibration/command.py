"""``mnbayes calibrate``: one model checked over its prior, or given a cohort."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mnbayes.analyses.calibration.figure import calibration_figure
from mnbayes.analyses.calibration.replicates import calibration_study
from mnbayes.analyses.calibration.result import LEVEL, Outcome, as_plain, calibration_of
from mnbayes.analyses.calibration.sampler import CalibratedEngine
from mnbayes.analyses.calibration.simulate import Setting
from mnbayes.base.csv_files import csv_table
from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.base.resources import embedded_cohort_folder
from mnbayes.base.workers import News, silent
from mnbayes.cards.card import load_card
from mnbayes.cards.chosen_definitions import choose_definitions
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.overrides import load_prior_sets, override, parse_setting
from mnbayes.cards.prior_sets import joined_name
from mnbayes.data.cohort import load_cohort
from mnbayes.data.observations import observations
from mnbayes.report.kit.figures import svg_bytes
from mnbayes.run.keeping import claim, new_folder
from mnbayes.run.outputs import write_whole
from mnbayes.run.study_folders import begun
from mnbayes.studies.identity import LEDGER
from mnbayes.studies.run import run_study

#: Enough to see a shift of a tenth of a posterior SD; some tens of seconds for one marker.
REPLICATES = 2000
#: Files beside the ledger.
WRITTEN = ("calibration.csv", "calibration.json", "calibration.svg", "replicates.csv")


def run_calibrate(
    model: str = "proteinuria",
    *,
    replicates: int = REPLICATES,
    engine: CalibratedEngine | None = None,
    posterior: bool = False,
    data: Path | None = None,
    priors: Sequence[str] = (),
    settings: Sequence[str] = (),
    definitions: Path | str | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    out: Path | None = None,
    force: bool = False,
    seed: int = 1,
    news: News = silent,
) -> Outcome:
    """Calibrate an engine on a card; killed and started again it goes on.

    Parameters
    ----------
    model : str
        Card, by name or .toml file.
    replicates : int
        At least 20.
    engine : {"nuts", "collapsed"}, optional
        Default: the collapsed one, or NUTS where that cannot fit the card to the data.
    posterior : bool
        Truths from the posterior given the cohort instead of from the priors.
    data : Path, optional
        Cohort folder; its patients, visits and missing values are those of simulated data sets.
        Default: the embedded synthetic cohort.
    priors, settings : sequence of str
        As for ``mnbayes fit``; default: the prior set ``weak``.
    definitions : Path or str, optional
        Of response.
    scheduler, workers
        See :func:`mnbayes.studies.run.run_study`.
    out : Path, optional
        Folder for the ledger, ``calibration.json``, ``calibration.csv`` (a row for each quantity),
        ``replicates.csv`` (a row for each replicate) and ``calibration.svg``. One with the ledger
        of the same calibration is gone on with. Default: a new one under ``results/calibration/``.
    force : bool
        Whether an earlier calibration in that folder is moved aside, and a new one begun.
    seed : int
    news : callable

    Returns
    -------
    Outcome
        ``outcome.calibration.passed`` decides the exit status.

    Raises
    ------
    InputError
        Nothing is written then.
    mnbayes.studies.run.StudyStoppedError
        What was done is kept.
    """
    folder = out if out is not None else new_folder(Path("results/calibration"), datetime.now())
    target = claim(folder, LEDGER, force=True)  # its own ledger it goes on with
    with gathered() as attempt:
        cohort = attempt(load_cohort, data if data is not None else embedded_cohort_folder())
        known = cohort.catalogue if cohort is not None else None  # None: it has problems
        own = attempt(load_card, model, known=known)
        sets = attempt(load_prior_sets, list(priors) or ["weak"])
        changes = [attempt(parse_setting, text) for text in settings]
        response = attempt(load_definitions, definitions)
        attempt(_check_numbers, replicates, seed)
    (card,) = override([own], sets, changes)
    if data is not None:  # whose responses may be judged by other definitions
        asked = None if definitions is None else response
        response = choose_definitions(cohort, asked, card.markers).definitions
    observed = observations(card, cohort)
    card = card.scheduled(observed.weeks[-1])
    setting = Setting(card, observed, response, posterior)
    if engine == "collapsed":
        _check_model(setting)
    setting = replace(setting, engine=engine or ("collapsed" if setting.gaussian else "nuts"))
    study = calibration_study(setting, replicates, seed)
    with begun(target, WRITTEN, anew=force) as said:
        table = run_study(study, folder, scheduler=scheduler, workers=workers, news=news)
    calibration = calibration_of(setting, table, LEVEL)
    outcome = Outcome(calibration, card.title, joined_name(sets), folder, cohort.synthetic, said)
    described = as_plain(calibration) | {
        "prior_set": outcome.prior_set,
        "synthetic": outcome.synthetic,
        "seed": seed,
        "study": study.identity,
    }
    write_whole(folder / "replicates.csv", csv_table(table))
    _write_files(outcome, described)
    return outcome


def _check_numbers(replicates: int, seed: int) -> None:
    problems = []
    if replicates < 20:
        problems.append(Problem("--replicates", None, None, str(replicates), "20 or more"))
    if seed < 0:
        problems.append(Problem("--seed", None, None, str(seed), "0 or more"))
    if problems:
        raise InputError(problems)


def _check_model(setting: Setting) -> None:
    """Refuse what the collapsed engine cannot fit.

    Raises
    ------
    InputError
    """
    problems, instead = [], "or --engine nuts: the collapsed engine"
    residual = setting.card.structure.residual
    if residual != "normal":
        expected = f"normal, {instead} has no other residuals"
        problems.append(Problem(setting.card.name, None, "structure.residual", residual, expected))
    if setting.posterior and setting.observed.censored.any():
        found = f"{int(setting.observed.censored.sum())} ranges"
        expected = f"exact values for --posterior, {instead} takes no ranges"
        problems.append(Problem("measurements.csv", None, "value", found, expected))
    if problems:
        raise InputError(problems)


def _write_files(outcome: Outcome, described: dict[str, object]) -> None:
    calibration, folder = outcome.calibration, outcome.folder
    if calibration.checks:
        figure = calibration_figure(calibration, outcome.synthetic)
        write_whole(folder / "calibration.svg", svg_bytes(figure))
    write_whole(folder / "calibration.csv", csv_table(calibration.table()))
    text = json.dumps(described, indent=2, ensure_ascii=False)
    write_whole(folder / "calibration.json", f"{text}\n".encode())
