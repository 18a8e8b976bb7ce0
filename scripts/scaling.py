"""Measure how studies scale: two one-thread workers against one, and opening a large ledger.

Run ``python scripts/scaling.py`` on a machine with two idle cores; it takes about three minutes.
The replicate keeps one core busy for a few milliseconds, as a fit of the collapsed engine does.
Dask's scheduler and workers run as processes on loopback, as on a cluster but for the network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from mnbayes.studies.ledger import open_ledger, read_ledger
from mnbayes.studies.records import record
from mnbayes.studies.run import run_study
from mnbayes.studies.study import Cell, Study

#: Issue 6: two workers do at least this many times what one does; a ledger opens in this time.
GOAL, SECONDS, LARGE = 1.8, 1.0, 100_000
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
MATRICES = 1500  # of a replicate: a few milliseconds
_QUANTITIES = 20  # columns of the large ledger


def busy(stream: np.random.SeedSequence, parameters: Mapping[str, Any]) -> dict[str, float]:
    """Keep a core busy: determinants of many small random matrices."""
    matrices = np.random.default_rng(stream).normal(size=(int(parameters["matrices"]), 8, 8))
    return {"log_determinant": float(np.linalg.slogdet(matrices)[1].mean())}


class Speed(NamedTuple):
    """Replicates a second, and the share of a core that the driver took for them."""

    rate: float
    driver: float


def speed(workers: int, replicates: int, scheduler: str | None) -> Speed:
    """Of a study, from when its workers are at work to the end."""
    cell = Cell({"matrices": MATRICES}, replicates)
    study = Study("scaling", busy, {"log_determinant": float}, (cell,), 1)
    seen: list[tuple[float, float, int]] = []

    def news(name: str, stage: str, done: int, total: int) -> None:
        if done > total / 10:
            seen.append((time.perf_counter(), time.process_time(), done))

    with tempfile.TemporaryDirectory() as folder:
        run_study(
            study, folder, workers=None if scheduler else workers, scheduler=scheduler, news=news
        )
    (began, cpu, first), (ended, cpu_end, last) = seen[0], seen[-1]
    wall = ended - began
    return Speed((last - first) / wall, (cpu_end - cpu) / wall)


def _loop(replicates: int) -> float:
    started = time.perf_counter()
    for stream in np.random.SeedSequence(1).spawn(replicates):
        busy(stream, {"matrices": MATRICES})
    return replicates / (time.perf_counter() - started)


def plain(workers: int, replicates: int) -> Speed:
    """Of independent processes that each loop over replicates: what the machine can give."""
    with get_context("spawn").Pool(workers) as pool:
        pool.map(_loop, [20] * workers, chunksize=1)
        return Speed(sum(pool.map(_loop, [replicates // workers] * workers, chunksize=1)), 0.0)


@contextmanager
def dask(workers: int) -> Iterator[str]:
    """The address of a scheduler with one-thread workers on loopback."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        environment = {**os.environ, **ONE_THREAD}

        def start(what: str, *options: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1"]
            command += ["--scheduler-file", str(file), "--no-dashboard", *options]
            quiet = subprocess.DEVNULL
            return subprocess.Popen(
                command, cwd=folder, env=environment, stdout=quiet, stderr=quiet
            )

        processes = [start("scheduler", "--port", "0")]
        processes += [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(workers)]
        try:
            while not file.exists() or not file.read_text().endswith("}"):
                time.sleep(0.05)
            yield str(json.loads(file.read_text())["address"])
        finally:
            for process in processes:
                process.kill()
                process.wait()


def measure(how: str, workers: int, replicates: int) -> Speed:
    """Of plain loops, of a study in processes, or of one on Dask."""
    if how == "plain loops":
        return plain(workers, replicates)
    if how == "processes":
        return speed(workers, replicates, None)
    with dask(workers) as address:
        return speed(workers, replicates, address)


def opening(console: Console) -> float:
    """Seconds to open a ledger of 100,000 replicates, as batches of 500, and to read its table."""
    columns = {f"quantity_{i}": float for i in range(_QUANTITIES)}
    study = Study("large", busy, columns, (Cell({"matrices": 1}, LARGE),), 1)
    values = dict.fromkeys(columns, 1 / 7)
    starts = range(0, LARGE, 500)
    records = [record(columns, [(0, k + i, values, None) for i in range(500)]) for k in starts]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_ledger(study, folder) as ledger:
            ledger.append(records)
        size = sum(path.stat().st_size for path in folder.iterdir())
        started = time.perf_counter()
        with open_ledger(study, folder) as ledger:
            assert not ledger.missing()
        opened = time.perf_counter() - started
        started = time.perf_counter()
        rows = len(read_ledger(folder))
        table = time.perf_counter() - started
    console.print(
        f"Ledger of {rows:,} replicates with {_QUANTITIES} numbers each ({size / 1e6:.0f} MB): "
        f"opens in {opened:.2f} s, its table is read in {table:.2f} s (goal: {SECONDS:g} s).",
        highlight=False,
    )
    return opened


def main() -> int:
    """Measure and print; the exit status says whether the goals were met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--replicates", type=int, default=4000, help="with two workers")
    parser.add_argument("--rounds", type=int, default=3, help="of which the medians are taken")
    arguments = parser.parse_args()
    console = Console(width=100)
    os.environ |= ONE_THREAD
    table = Table(title="Replicates a second")
    for name in ("", "1 worker", "2 workers", "times as many", "driver's share of a core"):
        table.add_column(name, justify="right" if name else "left")
    met = opening(console) < SECONDS
    for how in ("plain loops", "processes", "Dask"):
        rounds = [
            # As long with one worker as with two.
            [measure(how, k, arguments.replicates * k // 2) for k in (1, 2)]
            for _ in range(arguments.rounds)
        ]
        # A ratio for each round: what else the machine does falls on both of its sides.
        ratio = float(np.median([two.rate / one.rate for one, two in rounds]))
        met &= how == "plain loops" or ratio >= GOAL
        rates = (f"{np.median([each[k].rate for each in rounds]):.0f}" for k in (0, 1))
        share = 100 * float(np.median([two.driver for _, two in rounds]))
        table.add_row(how, *rates, f"{ratio:.2f}", f"{share:.1f} %" if share else "")
    console.print(table)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    console.print(
        f"Goal: {GOAL:g}, where plain loops reach about 2: the machine has no more to give than "
        f"these. {os.cpu_count()} cores, load of the last minute {load:.1f}.",
        highlight=False,
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
