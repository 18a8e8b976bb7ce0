"""Time a fit and a refit of the proteinuria card: mnbayes beside brms, rstanarm and bambi.

Everything is measured in one run on this machine, each first fit in a process of its own, with
4 chains of 1000 draws after the program's default tuning (mnbayes 500, the others 1000) and a
target acceptance of 0.9. ``python scripts/benchmark.py``
takes some ten minutes with brms; ``--quick`` measures everything once. What is not
installed is left out, and how to get it is printed. The result goes to ``results/benchmark.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from peers import routes
from peers.timing import RouteError, Timing, cache_environment, has_module, timed_process
from rich.console import Console
from rich.table import Table

from mnbayes.cards import load_card
from mnbayes.cohort import load_cohort
from mnbayes.overrides import apply_changes, parse_setting
from mnbayes.resources import embedded_cohort

RESULT = Path(__file__).parents[1] / "results" / "benchmark.json"
GOAL = 0.1
HOW_TO_GET_BAMBI = (
    "python -m venv bambi-env && bambi-env/bin/pip install bambi nutpie, in an environment apart; "
    "then add --bambi-python bambi-env/bin/python"
)
FIRST_COLD, FIRST_WARM, REFIT = "first fit, empty caches", "first fit, warm caches", "refit"
NAMES = {
    "mnbayes": "mnbayes",
    "brms": "brms",
    "rstanarm": "rstanarm (nearest model)",
    "bambi": "bambi + nutpie (nearest model)",
}


@dataclass
class Benchmark:
    """All timings of a run and the conditions they were taken under.

    Attributes
    ----------
    date : str
    machine : dict
        With the load before and after: a busy machine is slow.
    timings : list of Timing
    versions : dict
        By program.
    stages : list of dict
        Seconds by stage of each refit of mnbayes.
    collapsed : dict
        Fits per minute of the collapsed engine, effective draws per second, and growth of the
        seconds of a fit with the number of patients; empty where not measured.
    notes : list of str
        What was not measured, and how to get it; what was odd.
    """

    date: str
    machine: dict[str, Any]
    timings: list[Timing] = field(default_factory=list)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    stages: list[dict[str, float]] = field(default_factory=list)
    collapsed: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def seconds(self, program: str, task: str) -> float | None:
        """Median seconds; None where not measured."""
        found = [t for t in self.timings if (t.program, t.task) == (program, task) and t.seconds]
        return median(found[0].seconds) if found else None

    def ratio(self, task: str, peer_task: str) -> float | None:
        """Seconds of mnbayes as a multiple of those of brms."""
        ours, theirs = self.seconds("mnbayes", task), self.seconds("brms", peer_task)
        return None if ours is None or theirs is None else ours / theirs


def python_route(
    program: str, command: list[str | Path], out: Path, folder: Path, runs: int, refits: int
) -> tuple[list[Timing], dict[str, Any]]:
    """Time a Python program: fresh processes with empty and with warm caches, then refits.

    Parameters
    ----------
    command : list
        Interpreter, script and arguments; the number of refits is appended.
    folder : Path
        For the caches.
    runs : int
        Fresh processes of each kind.
    """
    cold: list[float] = []
    warm: list[float] = []
    peaks: list[float] = []
    imports = f"import {program}, arviz, nutpie, pymc"
    bytecode = cache_environment(folder / f"{program}-imports")
    subprocess.run([command[0], "-c", imports], env=bytecode, check=True, capture_output=True)
    for run in range(runs):
        env = cache_environment(folder / f"{program}-{run}")
        for seconds in (cold, warm):
            answer, peak = timed_process([*command, "0"], out, env)
            seconds.append(answer["seconds"]["load"] + answer["seconds"]["first"])
            peaks.append(peak)
    answer, peak_refit = timed_process([*command, str(refits)], out, env)
    return [
        Timing(program, FIRST_COLD, cold, max(peaks[::2])),
        Timing(program, FIRST_WARM, warm, max(peaks[1::2])),
        Timing(program, f"{REFIT}, new prior numbers", answer["seconds"]["refits"], peak_refit),
    ], answer


def r_route(
    program: str, command: list[str | Path], out: Path, first_runs: list[list[str]]
) -> tuple[list[Timing], dict[str, Any]]:
    """Time an R program in fresh processes; the last of them also refits.

    Parameters
    ----------
    first_runs : list of list of str
        Arguments after the ones in `command`, one list a process.
    """
    first, peaks = [], []
    for arguments in first_runs:
        answer, peak = timed_process([*command, *arguments], out)
        first.append(answer["seconds"]["load"] + answer["seconds"]["first"])
        peaks.append(peak)
    label = f"{REFIT}, recompile = FALSE" if program == "brms" else REFIT
    timings = [
        Timing(program, "first fit", first, max(peaks)),
        Timing(program, label, answer["seconds"]["refits"], peaks[-1]),
    ]
    if changed := answer["seconds"].get("changed_priors"):
        timings.append(Timing(program, f"{REFIT}, new prior numbers", changed, peaks[-1]))
    return timings, answer


type Route = Callable[[], tuple[list[Timing], dict[str, Any]]]


def keep(result: Benchmark, console: Console, program: str, route: Route) -> None:
    """Measure one program; where it fails the others' times are worth having all the same."""
    console.print(f"{NAMES[program]} …")
    try:
        timings, answer = route()
    except RouteError as error:
        result.notes.append(f"{program} not measured: it {error}")
        return
    result.timings.extend(timings)
    result.versions[program] = answer["versions"]
    result.stages.extend(answer.get("stages", {}).get("refits", []))
    if answer.get("retried") or not answer.get("converged", True):
        result.notes.append(
            f"{program}: {answer['retried']} fits were repeated by the convergence gate (their "
            f"times are included); all clean in the end: {answer['converged']}."
        )


def measure(arguments: argparse.Namespace, console: Console) -> Benchmark:
    """Run every program that is installed, one after the other."""
    runs, refits = (1, 3) if arguments.quick else (3, 5)
    card, cohort = load_card("proteinuria"), load_cohort(embedded_cohort())
    result = Benchmark(
        date=datetime.now(UTC).date().isoformat(),
        machine={
            "cores": os.cpu_count(),
            "system": platform.system(),
            "python": platform.python_version(),
            "load_before": [round(load, 2) for load in os.getloadavg()],
        },
    )
    cores = str(routes.CORES)
    firsts = [["0", cores]] * (runs - 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, priors = routes.write_inputs(folder, card, cohort)
        (other,) = apply_changes([card], [parse_setting("change_mean.sigma=0.3")], strict=True)
        changed, out = folder / "changed.json", folder / "out.json"
        changed.write_text(json.dumps(routes.brms_priors(other)), encoding="utf-8")

        def python(program: str, command: list[str | Path]) -> Route:
            return lambda: python_route(program, command, out, folder, runs, refits)

        ours: list[str | Path] = [sys.executable, routes.PEERS / "mnbayes_proteinuria.py", out]
        keep(result, console, "mnbayes", python("mnbayes", ours))
        console.print("collapsed engine …")
        engine: list[str | Path] = [sys.executable, routes.PEERS / "mnbayes_collapsed.py", out]
        try:
            seconds = "10" if arguments.quick else "30"
            result.collapsed, _ = timed_process([*engine, seconds], out)
        except RouteError as error:
            result.notes.append(f"collapsed engine not measured: it {error}")

        brms: list[str | Path] = ["Rscript", routes.PEERS / "brms_proteinuria.R", data, priors, out]
        last = [str(refits), cores, "1000", "0.9", str(changed)]
        arm: list[str | Path] = ["Rscript", routes.PEERS / "rstanarm_proteinuria.R", data, out]
        for program, command, final in (
            ("brms", brms, last),
            ("rstanarm", arm, [str(refits), cores]),
        ):
            if missing := routes.missing_r((program, "jsonlite")):
                result.notes.append(f"{program} not measured ({missing}). {routes.HOW_TO_GET_R}")
                continue
            route = partial(r_route, program, command, out, [*firsts, final])
            keep(result, console, program, route)

        other_python = arguments.bambi_python or sys.executable
        if has_module(other_python, "bambi"):
            bambi: list[str | Path] = [other_python, routes.PEERS / "bambi_proteinuria.py"]
            keep(result, console, "bambi", python("bambi", [*bambi, data, out]))
        else:
            result.notes.append(f"bambi not measured (not installed). {HOW_TO_GET_BAMBI}")
    result.machine["load_after"] = [round(load, 2) for load in os.getloadavg()]
    return result


def ratios(result: Benchmark) -> dict[str, float | None]:
    """Seconds of mnbayes over those of brms, for comparable tasks."""
    new = f"{REFIT}, new prior numbers"
    return {
        "refit / brms refit without compiling": result.ratio(new, f"{REFIT}, recompile = FALSE"),
        "refit / brms refit with new prior numbers": result.ratio(new, new),
        "first fit, empty caches / brms first fit": result.ratio(FIRST_COLD, "first fit"),
        "first fit, warm caches / brms first fit": result.ratio(FIRST_WARM, "first fit"),
    }


def show_collapsed(result: Benchmark, console: Console) -> None:
    """Print what the collapsed engine does in a minute, and how a fit grows with patients."""
    found = result.collapsed
    if not found:
        return
    title = f"Whole fits of the collapsed engine, {found['processes']} processes"
    table = Table("measure", "value", title=title)
    table.add_row("fits per minute", f"{found['fits_per_minute']:.0f}")
    table.add_row("not trusted", f"{found['not_trusted']} of {found['fits']}")
    table.add_row("effective draws a fit", f"{found['effective_per_fit']:.0f}")
    for name, value in found["effective_per_second"].items():
        table.add_row(f"effective draws per second, {name}", f"{value:.0f}")
    brms = result.seconds("brms", f"{REFIT}, recompile = FALSE")
    if brms is not None:
        times = found["fits_per_minute"] * brms / 60.0
        table.add_row("times as many as brms refits", f"{times:.0f}")
    for engine, seconds in found["growth"].items():
        for n, value in seconds.items():
            ratio = value / seconds["8"]
            label = f"seconds a fit, {engine}, {n} patients"
            table.add_row(label, f"{value:.4f} ({ratio:.1f} times 8)")
    console.print(table)


def show(result: Benchmark, console: Console) -> None:
    """Print the timings, the ratios and the notes."""
    cores = result.machine["cores"]
    table = Table(title=f"Seconds, {result.date}, {cores}-core machine")
    table.add_column("program", no_wrap=True)
    table.add_column("task", no_wrap=True)
    for column in ("median", "range", "runs", "peak MiB"):
        table.add_column(column, justify="right", no_wrap=True)
    for timing in result.timings:
        low, high = min(timing.seconds), max(timing.seconds)
        table.add_row(
            NAMES[timing.program],
            timing.task,
            f"{median(timing.seconds):.2f}",
            f"{low:.2f}–{high:.2f}",
            str(len(timing.seconds)),
            f"{timing.peak_mib:.0f}",
        )
    console.print(table)
    show_collapsed(result, console)
    measured = {name: value for name, value in ratios(result).items() if value is not None}
    if measured:
        table = Table(title="Seconds of mnbayes as a share of those of brms")
        table.add_column("comparison", no_wrap=True)
        table.add_column("ratio", justify="right")
        for name, value in measured.items():
            table.add_row(name, f"{value:.3f}")
        console.print(table)
        refit = next(iter(measured.values()))
        verdict = "met" if refit <= GOAL else "missed"
        console.print(f"Goal for the refit: at most {GOAL}: {verdict}.", markup=False)
    if result.machine["load_before"][0] > cores / 2:
        console.print("The machine was busy before the run; repeat it on a quiet one.")
    for note in result.notes:
        console.print(note, markup=False, soft_wrap=True)


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one first fit each, three refits")
    parser.add_argument("--bambi-python", help="interpreter of an environment that has bambi")
    parser.add_argument("--out", type=Path, default=RESULT, help="where to store the result")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    result = measure(arguments, console)
    show(result, console)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    stored = asdict(result) | {"ratios": ratios(result), "goal": GOAL}
    arguments.out.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    console.print(f"Stored in {arguments.out.parent.name}/{arguments.out.name}.")


if __name__ == "__main__":
    main()
