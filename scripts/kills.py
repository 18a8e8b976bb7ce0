"""Kill `mnbayes fit --force` at random moments, in a folder that has an earlier run.

sudo python scripts/kills.py    (30 kills of each kind, Linux; writes docs/kills.json)

Half of the moments lie anywhere between the start and the end, half between the first file that is
written beside the folder and the end. Kinds: TERM and KILL of the process that was started; INT of
it, and in turn of all of its processes, as a terminal does; power: KILL of all processes at once,
and what was not on the disk is lost (a file system of its own that is shut down without a flush,
which takes root; in half of these some seconds after the end of the fit as well).

After each the earlier run must be there to the byte, in its place or aside with the new run whole
in its place; after TERM and INT no process and no temporary file may be left, after KILL and power
none once another run was started. The fits are too short to converge: what they come to is
withheld, and there is less to draw.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

RESULT = Path(__file__).parents[1] / "docs" / "kills.json"
KINDS, KILLS, SEED = ("TERM", "INT", "KILL", "power"), 30, 20
_FIT = "--model proteinuria --model remission --chains 2 --draws 20 --tune 100"
_FIT += " --no-influence --no-report"
_MARK = "MNBAYES_KILLS"  # in the environment of every process of a fit
_OWN = "notes.txt"  # a file of the user's, in the folder
_GONE = 20.0  # seconds that what is left may take to end
_LATER = 6.0  # seconds after the end of a fit in which the power is cut as well
_SHUT_DOWN, _NO_FLUSH = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN
_DISK = 200  # MB


def start(place: Path) -> subprocess.Popen[bytes]:
    """A fit into ``place/out/run``, with temporary files in ``place/tmp``."""
    command = [sys.executable, "-m", "mnbayes.cli", "fit", *_FIT.split(), "--force"]
    return subprocess.Popen(
        [*command, "--out", str(place / "out" / "run")],
        env=os.environ | {"TMPDIR": str(place / "tmp"), _MARK: str(place)},
        stdout=subprocess.DEVNULL,
        stderr=(place / "said").open("wb"),
        start_new_session=True,
        cwd=place,
    )


def processes(place: Path) -> list[int]:
    """Every process of a place's fits, by its number."""
    mark, found = f"{_MARK}={place}\0".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it ended meanwhile
            if mark in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def contents(folder: Path) -> dict[str, str]:
    """A hash of each file of a run."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _OWN
    }


def is_whole(run: Path) -> bool:
    """Whether a run has every file that its record lists, each of them readable."""
    import xarray as xr

    try:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        for name in record["written"]:
            if name.endswith(".nc"):
                with xr.open_datatree(run / name, engine="h5netcdf") as tree:
                    tree.load()
            elif not (content := (run / name).read_bytes()) or b"\0" in content:
                return False
    except (OSError, ValueError, KeyError):
        return False
    return True


def beside(place: Path) -> set[str]:
    """What lies beside the run, and in the temporary folder."""
    return {path.name for each in ("out", "tmp") for path in (place / each).iterdir()} - {"run"}


@contextmanager
def disk() -> Iterator[Path]:
    """A file system of its own, in a file."""
    with TemporaryDirectory() as outside:
        image, place = Path(outside) / "image", Path(outside) / "disk"
        with image.open("wb") as file:
            file.truncate(_DISK * 2**20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        place.mkdir()
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
        try:
            yield place
        finally:
            unmount(place)


def cut_power(place: Path) -> None:
    """Lose what is not on the disk yet, and start the disk again."""
    image = place.parent / "image"
    handle = os.open(place, os.O_RDONLY)
    fcntl.ioctl(handle, _SHUT_DOWN, struct.pack("I", _NO_FLUSH))
    os.close(handle)
    unmount(place)
    # Whoever else has it mounted (a process with mounts of its own) would keep it shut down.
    while subprocess.run(
        ["losetup", "--associated", image], check=True, capture_output=True
    ).stdout:
        time.sleep(0.1)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)


def unmount(place: Path) -> None:
    """Take a file system away once nobody holds it: dead processes may for a moment."""
    while subprocess.run(["umount", place], check=False, capture_output=True).returncode:
        time.sleep(0.1)


def wait_for_writing(fit: subprocess.Popen[bytes], place: Path) -> None:
    """Return when the first file is written beside the run."""
    while fit.poll() is None and not any((place / "out").glob(".run.mnbayes-*")):
        time.sleep(0.005)


def kill(kind: str, number: int, fit: subprocess.Popen[bytes], place: Path) -> float:
    """End a fit in one way; the seconds until its processes are gone."""
    clock = time.monotonic()
    if kind == "power" or (kind == "INT" and number % 4 > 1):
        with suppress(ProcessLookupError):
            os.killpg(fit.pid, signal.SIGINT if kind == "INT" else signal.SIGKILL)
    else:
        fit.send_signal(getattr(signal, f"SIG{kind}"))
    fit.wait(60)
    while processes(place) and time.monotonic() < clock + 60 + _GONE:
        time.sleep(0.1)
    return time.monotonic() - clock


def next_start(place: Path) -> bool:
    """What the start of the next run does before it works; whether it could."""
    code = "from pathlib import Path; from mnbayes.run.keeping import claim; "
    code += f"claim(Path({str(place / 'out' / 'run')!r}), force=True)"
    environment = os.environ | {"TMPDIR": str(place / "tmp")}
    return not subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode


def trial(
    kind: str, number: int, place: Path, earlier: Path, usual: tuple[float, float], share: float
) -> dict[str, Any]:
    """One kill: when, what came of it, and what is wrong with that (nothing, as a rule).

    ``usual`` are the seconds of a fit in all and of its writing, ``share`` which part of them is
    let pass.
    """
    shutil.copytree(earlier, place / "out" / "run")
    (place / "tmp").mkdir()
    before = contents(earlier)
    if kind == "power":
        os.sync()
    fit, clock = start(place), time.monotonic()
    if number % 2:
        wait_for_writing(fit, place)
        time.sleep(share * (usual[1] + (_LATER if kind == "power" else 0)))
    else:
        time.sleep(share * usual[0])
    after = time.monotonic() - clock
    wrong, ended = [], fit.poll() is not None
    gone = kill(kind, number, fit, place)
    if kind == "power":
        cut_power(place)
    if left := processes(place):
        wrong.append(f"{len(left)} processes are left")
        for process in left:
            os.kill(process, signal.SIGKILL)
    left_over = sorted(name for name in beside(place) if "mnbayes-" in name or "pymp-" in name)
    if kind in ("KILL", "power") and not next_start(place):
        wrong.append("another run cannot be started")
    runs = {path.name: contents(path) for path in (place / "out").iterdir()}
    kept = [name for name, found in runs.items() if found == before]
    new = sorted(set(runs) - set(kept))
    if len(kept) != 1:
        wrong.append(f"the earlier run is in {kept or 'no folder'}")
    wrong += [f"{name} is not whole" for name in new if not is_whole(place / "out" / name)]
    if sum((place / "out" / name / _OWN).is_file() for name in runs) != 1:
        wrong.append(f"{_OWN} is gone")
    if "run" not in runs:
        wrong.append("there is no run in the folder")
    if extra := sorted(beside(place) - set(kept) - set(new)):
        wrong.append(f"left: {extra}")
    told = place / "said"  # which may have gone with the power
    said = told.read_text(errors="replace") if told.is_file() else ""
    if "Traceback" in said:
        wrong.append(f"a traceback: …{said[-300:]}")
    return {
        "kind": kind,
        "writing": bool(number % 2),
        "after": round(after, 2),
        "ended_before": ended,
        "status": fit.returncode,
        "gone": round(gone, 2),
        "left": left_over,
        "new_run": bool(new),
        "wrong": wrong,
    }


@contextmanager
def somewhere(kind: str) -> Iterator[Path]:
    """A new place for a trial."""
    if kind == "power":
        with disk() as place:
            (place / "out").mkdir()
            yield place
    else:
        with TemporaryDirectory() as name:
            (Path(name) / "out").mkdir()
            yield Path(name)


def measured(outside: Path) -> tuple[Path, tuple[float, float]]:
    """The earlier run, with a file of one's own; seconds of a fit and of its writing."""
    with somewhere("KILL") as place:
        (place / "tmp").mkdir()
        clock, fit = time.monotonic(), start(place)
        wait_for_writing(fit, place)
        writing = time.monotonic()
        fit.wait()
        usual = time.monotonic() - clock, time.monotonic() - writing
        shutil.copytree(place / "out" / "run", outside / "run")
    (outside / "run" / _OWN).write_text("mine")
    return outside / "run", usual


def series(kind: str, kills: int) -> list[dict[str, Any]]:
    """All kills of a kind, one after the other."""
    rng, trials = random.Random(f"{kind} {SEED}"), []
    with TemporaryDirectory() as outside:
        earlier, usual = measured(Path(outside))
        print(f"{kind}: a fit takes {usual[0]:.1f} s, {usual[1]:.1f} s of them writing", flush=True)
        for number in range(kills):
            with somewhere(kind) as place:
                trials.append(trial(kind, number, place, earlier, usual, rng.random()))
            print(number, trials[-1], flush=True)
    return trials


def summary(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of a kind, the longest time until all of its processes were gone, what was wrong."""
    return {
        "kills": len(trials),
        "in_the_writing": sum(each["writing"] for each in trials),
        "after_the_end": sum(each["ended_before"] for each in trials),
        "left_for_the_next_start": sum(bool(each["left"]) for each in trials),
        "longest_to_end": max(each["gone"] for each in trials),
        "wrong": [text for each in trials for text in each["wrong"]],
    }


def main() -> None:
    """Kill, and store what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help="of each kind")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    # Where a shell started this in the background, it would be deaf to INT, and every fit as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    kinds = asked.kind or KINDS
    with ThreadPoolExecutor(len(kinds)) as threads:
        trials = list(threads.map(partial(series, kills=asked.kills), kinds))
    found = {
        "made_by": "scripts/kills.py",
        "system": sys.platform,
        "kinds": dict(zip(kinds, map(summary, trials), strict=True)),
        "trials": [each for some in trials for each in some],
    }
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    damaged = sum(bool(each["wrong"]) for some in trials for each in some)
    print(f"{asked.kills * len(kinds)} kills, {damaged} with something wrong")
    if damaged:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
