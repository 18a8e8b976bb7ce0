"""Fit under faults of the machine, one after the other, and see whether each is borne or said.

sudo python scripts/faults.py    (Linux; writes docs/faults.json)

Each fault is a fit of its own, too short to converge: exit status 1 says that it was done and its
numbers are withheld, 2 that it was refused in words before anything was sampled. The tables of all
fits that were done must be the same to the byte. To make a folder read-only or full takes root.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

RESULT = Path(__file__).parents[1] / "docs" / "faults.json"
_FIT = "fit --model proteinuria --model remission --chains 2 --draws 20 --tune 100"
_FIT += " --no-influence --no-report"
_SOURCE = Path(__file__).parents[1] / "src"
_GIB = 2**30


@dataclass(frozen=True)
class Fault:
    """What is wrong with the machine.

    Attributes
    ----------
    shell : str
        Run before the fit, in its shell; ``{place}`` is a folder of its own.
    environment : mapping
        A value of None takes a variable away.
    status : int
        That the fit must end with.
    says : str
        What it must say then.
    memory : int
        Bytes that its control group allows; 0: no limit.
    fit : str
        Arguments of the command, but its folder.
    """

    shell: str = ""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    status: int = 1
    says: str = ""
    memory: int = 0
    fit: str = _FIT


_READ_ONLY = "mount --bind {0} {0} && mount -o remount,ro,bind {0}"
_LOCALE = "localedef -i {0} -f UTF-8 {{place}}/{0}.UTF-8"


def _spoken(name: str) -> Fault:
    return Fault(_LOCALE.format(name), {"LOCPATH": "{place}", "LC_ALL": f"{name}.UTF-8"})


FAULTS = {
    "none": Fault(environment={"PYTHONHASHSEED": "1"}),
    "another seed of hashes": Fault(environment={"PYTHONHASHSEED": "2"}),
    "decimal commas (de_DE)": _spoken("de_DE"),
    "Turkish (tr_TR)": _spoken("tr_TR"),
    "HOME is not set": Fault(environment={"HOME": None}),
    "HOME is nowhere": Fault(environment={"HOME": "/proc/nowhere"}),
    "source and caches are read-only": Fault(
        f"{_READ_ONLY.format(_SOURCE)} && mkdir {{place}}/home"
        f" && {_READ_ONLY.format('{place}/home')}",
        {"HOME": "{place}/home", "NUMBA_CACHE_DIR": None},
    ),
    "the numba cache is half written": Fault(
        "find {place}/numba -name '*.nb?' -exec truncate --size=100 {{}} +"
    ),
    "one core": Fault("taskset --cpu-list --pid 0 $$"),
    "the folder is read-only": Fault(
        _READ_ONLY.format("{place}/out"), status=2, says="{place}/out/run: Read-only file system"
    ),
    "the disk is full": Fault(
        "mount -t tmpfs -o size=1m none {place}/out", status=2, says="where 1 MB are free"
    ),
    "no folder for temporary files": Fault(
        _READ_ONLY.format("{place}/tmp"), {"TMPDIR": "{place}/tmp"}, 1
    ),
    "1 GiB of address space": Fault("ulimit -v 1048576", status=2, says="an address space of"),
    "1 GiB of memory": Fault(memory=_GIB),
    "512 MiB of memory": Fault(status=2, says="MB free", memory=_GIB // 2),
}


def run(name: str, fault: Fault, place: Path, numba: Path) -> dict[str, Any]:
    """A fit under a fault: how it ended, and what is wrong with that."""
    for each in ("out", "tmp"):
        (place / each).mkdir()
    shutil.copytree(numba, place / "numba")

    def filled(text: str) -> str:
        return text.replace("{place}", str(place)).replace("{{}}", "{}")

    environment = dict(os.environ) | {"NUMBA_CACHE_DIR": str(place / "numba")}
    for key, value in fault.environment.items():
        environment.pop(key, None)
        if value is not None:
            environment[key] = filled(value)
    program = [sys.executable, "-m", "mnbayes.cli", *fault.fit.split()]
    program += ["--force", "--out", str(place / "out" / "run")]
    with group(fault.memory) if fault.memory else nullcontext() as joined:
        steps = [filled(fault.shell), f"echo $$ > {joined}/cgroup.procs" if joined else ""]
        shell = " && ".join(filter(None, steps)) or ":"
        done = subprocess.run(
            [
                "unshare",
                "--mount",
                "--propagation=slave",
                "sh",
                "-c",
                f'{shell} || exit 99; exec "$@"',
                "sh",
                *program,
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=place,
        )
    wrong = []
    if done.returncode != fault.status:
        wrong.append(f"exit status {done.returncode}")
    if "Traceback" in done.stderr or filled(fault.says) not in done.stderr:
        wrong.append(done.stderr[-500:])
    words = said(done).replace(str(place), "FOLDER")
    return {"fault": name, "status": done.returncode, "said": words, "wrong": wrong}


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The line by which a fit was refused."""
    lines = [line for line in done.stderr.splitlines() if "expected" in line]
    return lines[0] if done.returncode == 2 and lines else ""


@contextmanager
def group(most: int) -> Iterator[Path]:
    """A control group of so many bytes."""
    root = Path("/sys/fs/cgroup")
    first = (root / "memory").is_dir()
    own = (root / "memory" if first else root) / f"mnbayes-faults-{os.getpid()}"
    own.mkdir()
    try:
        (own / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(most))
        yield own
    finally:
        own.rmdir()


def tables(run: Path) -> dict[str, bytes]:
    """The tables of a run by name."""
    return {path.name: path.read_bytes() for path in sorted(run.glob("*.csv"))}


def main() -> None:
    """Try every fault, and store what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", choices=list(FAULTS), action="append")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    found, reference = [], None
    with TemporaryDirectory() as outside:
        numba = Path(outside) / "numba"
        numba.mkdir()
        for name in asked.fault or FAULTS:
            with TemporaryDirectory() as place:
                result = run(name, FAULTS[name], Path(place), numba)
                made = tables(Path(place) / "out" / "run")
                if name == "none":
                    reference = made
                    shutil.copytree(Path(place) / "numba", numba, dirs_exist_ok=True)
                if made and reference is not None:
                    result["same_tables"] = made == reference
                    if made != reference:
                        result["wrong"].append("other tables")
            found.append(result)
            print(result, flush=True)
    asked.out.write_text(
        json.dumps(
            {"made_by": "scripts/faults.py", "system": sys.platform, "faults": found}, indent=1
        )
        + "\n",
        encoding="utf-8",
    )
    if any(each["wrong"] for each in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
