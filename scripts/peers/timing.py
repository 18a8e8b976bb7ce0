"""Run a program in a process of its own and measure it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

#: Where processes start, so that ``-m peers.…`` is found.
_SCRIPTS = Path(__file__).parents[1]


class RouteError(RuntimeError):
    """A program that is installed did not do what was asked."""


def timed_process(
    command: list[str | Path], out: Path, env: dict[str, str] | None = None
) -> tuple[dict[str, Any], float]:
    """Run a program that writes JSON; return what it wrote and its peak memory in MiB.

    Peak memory is that of the largest single process among those started.

    Raises
    ------
    RouteError
        If it fails, with the end of what it printed.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=env, cwd=_SCRIPTS, stdout=log, stderr=log)
        # wait4 also accounts for the children the process waited for, such as a C++ compiler.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            printed = log.read().decode(errors="replace").strip()[-500:]
            raise RouteError(f"ended with status {process.returncode}: {printed}")
    answer: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return answer, usage.ru_maxrss / 1024


def cache_environment(folder: Path) -> dict[str, str]:
    """Environment whose compiled code is kept in a folder; an empty one makes a cold start."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return env | {
        "PYTENSOR_FLAGS": f"base_compiledir={folder / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        # Python's own bytecode is kept for all runs: an installer may have compiled it before.
        "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode"),
    }


def has_module(python: str, name: str) -> bool:
    """Whether an interpreter can import a module."""
    code = f"import importlib.util as u; raise SystemExit(u.find_spec({name!r}) is None)"
    return subprocess.run([python, "-c", code], check=False).returncode == 0
