"""Run each program of the race in processes of its own, and gather what it took."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

from rich.console import Console

from mnbayes.cards.overrides import apply_changes, parse_setting
from mnbayes.data.embedded import embedded_cohort
from peers import routes
from peers.timing import RouteError, cache_environment, has_module, timed_process

#: Seconds of a refit beyond which the next size, ten times as many patients, is left out.
LIMIT = 12
IMPORTS = "nutpie, mnbayes.inference.fit, mnbayes.inference.trees, mnbayes.inference.collapsed"
HOW_TO_GET_BAMBI = (
    "python -m venv bambi-env && bambi-env/bin/pip install bambi nutpie, in an environment apart; "
    "then add --bambi-python bambi-env/bin/python"
)


@dataclass
class Measured:
    """What one program took; lists have one entry a repetition.

    Attributes
    ----------
    first_cold, first_warm : list of float
        Seconds from the start of a fresh process to the end of its first fit; with nothing
        compiled on the disk, and again. R's programs keep nothing and have the first only.
    warm, new_priors : list of float
        Seconds of a further fit in the same process.
    effective : list of float
        Effective draws of each fit in ``warm``: the smallest, over bulk and tail and over the
        card's own parameters.
    growth : dict
        Seconds of a refit by number of patients.
    peak_mib : float
        Largest process of the first fits.
    versions : dict
    """

    first_cold: list[float]
    first_warm: list[float]
    warm: list[float]
    new_priors: list[float]
    effective: list[float]
    growth: dict[str, float]
    peak_mib: float
    versions: dict[str, str]


@dataclass
class Race:
    """All that was measured in a run, and the conditions.

    Attributes
    ----------
    date : str
    machine : dict
        With the load before and after: a busy machine is slow.
    programs : dict
        By name; see :data:`peers.standings.NAMES`.
    studies : dict
        Fits of the collapsed engine as studies use it; see ``mnbayes_studies.py``.
    overhead : dict
        Seconds of refits, and of nutpie alone; see ``mnbayes_overhead.py``.
    notes : list of str
        What was not measured, and how to get it; what was odd.
    """

    date: str
    machine: dict[str, Any]
    programs: dict[str, Measured] = field(default_factory=dict)
    studies: dict[str, Any] = field(default_factory=dict)
    overhead: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _measured(
    answer: dict[str, Any], cold: list[float], warm: list[float], peak: float
) -> Measured:
    seconds = answer["seconds"]
    return Measured(
        cold,
        warm,
        seconds["warm"],
        seconds["new_priors"],
        answer["effective"],
        dict(seconds["growth"]),
        peak,
        answer["versions"],
    )


def python_program(
    command: list[str | Path],
    imports: str,
    out: Path,
    folder: Path,
    runs: int,
    further: list[str],
) -> tuple[Measured, dict[str, Any]]:
    """Measure a Python program: fresh processes with empty and with warm caches, then refits.

    Parameters
    ----------
    command : list
        Interpreter, script and arguments up to the number of refits.
    imports : str
        Modules whose bytecode is made beforehand.
    folder : Path
        For the caches.
    runs : int
        Fresh processes with empty caches.
    further : list of str
        Number of refits, limit and larger data, of the last process.
    """
    cold: list[float] = []
    warm: list[float] = []
    peaks: list[float] = []

    def first(arguments: list[str]) -> tuple[float, dict[str, Any]]:
        answer, peak = timed_process([*command, *arguments], out, env)
        if arguments == ["0"]:
            peaks.append(peak)
        return answer["seconds"]["load"] + answer["seconds"]["first"], answer

    # Python's own bytecode is made by an installer, or by the first start ever.
    env = cache_environment(folder / "imports")
    subprocess.run([command[0], "-c", f"import {imports}"], env=env, check=True, stdout=DEVNULL)
    for run in range(runs):
        env = cache_environment(folder / f"run-{run}")
        cold.append(first(["0"])[0])
        if run:
            warm.append(first(["0"])[0])
    seconds, answer = first(further)
    return _measured(answer, cold, [*warm, seconds], max(peaks)), answer


def r_program(
    command: list[str | Path], out: Path, first: list[str], further: list[str]
) -> tuple[Measured, dict[str, Any]]:
    """Measure an R program: a fresh process with a first fit, and one that goes on to refits.

    Parameters
    ----------
    first, further : list of str
        Arguments of the two after the ones in ``command``.
    """
    alone, peak = timed_process([*command, *first], out)
    answer, _ = timed_process([*command, *further], out)
    cold = [each["seconds"]["load"] + each["seconds"]["first"] for each in (alone, answer)]
    return _measured(answer, cold, [], peak), answer


type Command = list[str | Path]
type Program = Callable[[], tuple[Measured, dict[str, Any]]]


def keep(race: Race, console: Console, program: str, run: Program) -> None:
    """Measure one program; where it fails the others' times are worth having all the same."""
    console.print(f"{program} …")
    try:
        measured, answer = run()
    except RouteError as error:
        race.notes.append(f"{program} not measured: it {error}")
        return
    race.programs[program] = measured
    if left := [n for n in routes.LARGER if str(n) not in measured.growth]:
        longest = max(measured.growth.values() or measured.warm)
        sizes = " and ".join(str(n) for n in left)
        race.notes.append(
            f"{program} with {sizes} patients was left out: the size before took {longest:.0f} s."
        )
    if answer.get("not_converged"):
        race.notes.append(f"{program}: {answer['not_converged']} fits did not converge.")
    if answer.get("retried"):
        race.notes.append(f"{program}: {answer['retried']} fits were repeated by the gate.")
    if divergent := sum(answer.get("divergences", [])):
        fits = len(answer["divergences"])
        race.notes.append(f"{program}: {divergent} divergent transitions in {fits} warm fits.")


@dataclass(frozen=True)
class _Course:
    """What all programs of a race are given."""

    race: Race
    console: Console
    quick: bool
    folder: Path
    data: Path
    priors: Path
    changed: Path
    larger: list[str]

    @property
    def out(self) -> Path:
        return self.folder / "out.json"


def _prepare(race: Race, console: Console, quick: bool, folder: Path) -> _Course:
    """Write what the peers read: data, priors, priors with another number, larger data."""
    card = routes.peer_card()
    data, priors = routes.write_inputs(folder, card, embedded_cohort())
    (other,) = apply_changes([card], [parse_setting("change_mean.sigma=0.3")], strict=True)
    changed = folder / "changed.json"
    changed.write_text(json.dumps(routes.brms_priors(other)), encoding="utf-8")
    larger = []
    for n in routes.LARGER:
        larger.append(str(folder / f"data-{n}.csv"))
        routes.peer_data(routes.larger_cohort(n)).to_csv(larger[-1], index=False)
    return _Course(race, console, quick, folder, data, priors, changed, larger)


def _ours(course: _Course) -> None:
    """Measure both engines, fits of a study, and the overhead over nutpie."""

    def part(module: str, option: str) -> dict[str, Any]:
        course.console.print(f"{module} …")
        command: Command = [sys.executable, "-m", f"peers.{module}", course.out, option]
        try:
            return timed_process(command, course.out)[0]
        except RouteError as error:
            course.race.notes.append(f"{module} not measured: it {error}")
            return {}

    runs, refits = (1, "3") if course.quick else (3, "5")
    further = [refits, str(5 * LIMIT), *(str(n) for n in routes.LARGER)]
    for engine in ("collapsed", "nuts"):
        command: Command = [sys.executable, "-m", "peers.mnbayes_proteinuria", course.out, engine]
        folder = course.folder / engine
        run = partial(python_program, command, IMPORTS, course.out, folder, runs, further)
        keep(course.race, course.console, f"mnbayes {engine}", run)
    course.race.studies = part("mnbayes_studies", "5" if course.quick else "30")
    course.race.overhead = part("mnbayes_overhead", "6" if course.quick else "60")


def _r_programs(course: _Course) -> None:
    """Measure brms and rstanarm, if they are installed."""
    refits, cores, limit = "2" if course.quick else "3", str(routes.CORES), str(LIMIT)
    same, larger = [cores, "1000", "0.9"], course.larger
    brms = [routes.PEERS / "brms_proteinuria.R", course.data, course.priors, course.out]
    arm = [routes.PEERS / "rstanarm_proteinuria.R", course.data, course.out]
    for program, script, first, further in (
        ("brms", brms, ["0", *same], [refits, *same, str(course.changed), limit, *larger]),
        ("rstanarm", arm, ["0", cores], [refits, cores, limit, *larger]),
    ):
        if missing := routes.missing_r((program, "jsonlite")):
            course.race.notes.append(f"{program} not measured ({missing}). {routes.HOW_TO_GET_R}")
            continue
        run = partial(r_program, ["Rscript", *script], course.out, first, further)
        keep(course.race, course.console, program, run)


def _bambi(course: _Course, python: str) -> None:
    """Measure bambi, if an interpreter has it."""
    if not has_module(python, "bambi"):
        course.race.notes.append(f"bambi not measured (not installed). {HOW_TO_GET_BAMBI}")
        return
    command: Command = [python, routes.PEERS / "bambi_proteinuria.py", course.data, course.out]
    further = ["2" if course.quick else "3", str(LIMIT), *course.larger]
    folder = course.folder / "bambi"
    run = partial(python_program, command, "bambi, nutpie", course.out, folder, 1, further)
    keep(course.race, course.console, "bambi", run)


def run_race(
    console: Console, quick: bool = False, only: str = "", bambi_python: str = sys.executable
) -> Race:
    """Run every program that is installed, one after the other.

    Parameters
    ----------
    console : Console
        For what is at work.
    quick : bool
        First fits of mnbayes once, fewer refits.
    only : {"", "mnbayes", "r", "bambi"}
        The part to run; all of them by default.
    bambi_python : str
        An interpreter that may have bambi.
    """
    machine = {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }
    race = Race(datetime.now(UTC).date().isoformat(), machine)
    with tempfile.TemporaryDirectory() as name:
        course = _prepare(race, console, quick, Path(name))
        if only in ("", "mnbayes"):
            _ours(course)
        if only in ("", "r"):
            _r_programs(course)
        if only in ("", "bambi"):
            _bambi(course, bambi_python)
    machine["load_after"] = [round(load, 2) for load in os.getloadavg()]
    return race
