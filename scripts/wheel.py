"""Build the source archive and the wheel, and use the wheel where nothing else of mnbayes is.

python scripts/wheel.py                      (the Pythons from 3.12 that are found)
python scripts/wheel.py --python python3.14  (this one; repeatable)

For each Python: a new environment, the wheel with the versions of ``constraints.txt``, and in an
empty folder the import, ``mnbayes check`` and a small ``mnbayes fit``. A warning of the build or a
command that fails ends in exit status 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
PYTHONS = ("python3.12", "python3.13", "python3.14")
#: What is tried of an installed wheel, in an empty folder.
COMMANDS = (
    ["-c", "import mnbayes as mn; print(mn.__file__, len(mn.embedded_cohort().patient_ids))"],
    ["-m", "mnbayes.cli", "--version"],
    ["-m", "mnbayes.cli", "init", "trial"],
    ["-m", "mnbayes.cli", "check", "trial"],
    [
        "-m",
        "mnbayes.cli",
        "fit",
        "trial",
        "--model",
        "proteinuria",
        "--no-influence",
        "--out",
        "run",
    ],
)


def run(command: Sequence[str | Path], folder: Path) -> str:
    """What a command prints; without this tree on the path.

    Raises
    ------
    RuntimeError
        If it fails, with all that it printed.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def build(folder: Path) -> Path:
    """The wheel, built from the source archive; both are put into a folder.

    Raises
    ------
    RuntimeError
        If the build fails or warns.
    """
    said = run([sys.executable, "-W", "error", "-m", "build", "--outdir", folder, ROOT], folder)
    if "warning" in said.casefold():
        raise RuntimeError(said)
    (wheel,) = folder.glob("*.whl")
    return wheel


def try_wheel(python: str, wheel: Path, folder: Path) -> None:
    """Install a wheel for a Python, and use it in an empty folder."""
    environment, empty = folder / "environment", folder / "empty"
    empty.mkdir(parents=True)
    run([python, "-m", "venv", environment], folder)
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    installed = binaries / "python"
    constraints = ROOT / "constraints.txt"
    run([installed, "-m", "pip", "install", "-q", "-c", constraints, wheel], folder)
    for command in COMMANDS:
        print("  ", run([installed, *command], empty).strip().splitlines()[-1], flush=True)
    if not (empty / "run" / "report.html").is_file():
        raise RuntimeError("the run has no report")


def found(name: str) -> str | None:
    """A Python itself, not the program that a version manager puts in its place; None if none."""
    path = shutil.which(name)
    if path is None:
        return None
    command = [path, "-c", "import sys; print(sys.executable)"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return None if done.returncode else done.stdout.strip()


def main() -> int:
    """Try every Python that is there; 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--python", action="append", help="a Python; repeatable")
    asked = parser.parse_args()
    failed = 0
    with TemporaryDirectory() as temporary:
        place = Path(temporary)
        (place / "dist").mkdir()
        wheel = build(place / "dist")
        print(f"Built: {wheel.name}")
        for number, name in enumerate(asked.python or PYTHONS):
            python = found(name)
            if python is None:
                print(f"{name}: not here, so not tried")
                failed += asked.python is not None
                continue
            print(f"{name}:", flush=True)
            try:
                try_wheel(python, wheel, place / str(number))
            except RuntimeError as error:
                failed += 1
                print(error)
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
