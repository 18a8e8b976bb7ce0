"""Damage every file that mnbayes reads, in ten thousand ways, and see that it says so.

python scripts/fuzz.py                        (all readers; writes docs/fuzz.json)
python scripts/fuzz.py --reader card --cases 500 --seconds 60 --kept /tmp/defects

Each reader starts from valid files. Hypothesis damages cells, rows, columns, values, keys, frames
and bytes; then Atheris (``pip install "mnbayes[fuzz]"``), guided by what of the package's code is
reached, chooses the damage. A case may end in success or in the program's own message, one
printable line a problem. Anything else is a defect: another error, a warning, more than 5 s of the
processor, more than 1 GiB beyond what the process has. A reader's cases run in a process of their
own; what crashes it, is a defect too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

RESULT = Path(__file__).parents[1] / "docs" / "fuzz.json"
CASES, SECONDS, GUIDED = 10_000, 300.0, 300.0
#: Seconds beyond its own that a process may take, for a case that hangs in a library's own code.
_GRACE = 180.0
#: Inputs that the guided cases start from, and bytes of each; shorter ones choose no damage.
_FIRST, _LENGTH = 24, 1024
#: Cases after which the counts are written.
_NOTED = 10


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--reader", action="append", help="only this one; repeatable")
    parser.add_argument("--cases", type=int, default=CASES, help="of Hypothesis, of each reader")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at most, for these")
    parser.add_argument("--guided", type=float, default=GUIDED, help="seconds of guided cases")
    parser.add_argument("--seed", type=int, default=0, help="0: the same cases each time")
    parser.add_argument("--run", type=Path, help="folder of a small run (default: one is made)")
    parser.add_argument("--kept", type=Path, help="folder for the files of each kind of defect")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--child", choices=("hypothesis", "guided"), help=argparse.SUPPRESS)
    return parser.parse_args(given)


def compiled() -> list[str]:
    """Modules that Numba compiles: nothing may be added to them."""
    rooms = ("numerics", "inference")
    source = Path(__file__).parents[1] / "src" / "mnbayes"
    return [f"mnbayes.{room}.{p.stem}" for room in rooms for p in (source / room).glob("*.py")]


def child(asked: argparse.Namespace) -> None:
    """Run the cases of one reader in this process; what came of them is written as they go."""
    if asked.child == "guided":
        import atheris

        with atheris.instrument_imports(include=["mnbayes"], exclude=compiled()):
            import fuzzing.readers
    from fuzzing import readers, running
    from hypothesis import seed

    reader = readers.READERS[asked.reader[0]]
    sets = reader.files(asked.run)
    folder = asked.out.parent / "case"
    running.warm_up(reader, sets, folder)
    running.limit_memory()
    outcomes = running.Outcomes()
    started = time.monotonic()
    plain = running.case(reader, sets, folder, outcomes, asked.kept)

    def noted(draw: Any) -> None:
        defects = outcomes.defects
        plain(draw)
        passed = time.monotonic() - started
        # Now and then: a crash ends this process without a word.
        if outcomes.cases % _NOTED == 0 or outcomes.defects != defects:
            running.written(outcomes, asked.out, passed)
        if asked.child == "hypothesis" and passed > asked.seconds:
            running.written(outcomes, asked.out, passed)
            os._exit(0)  # Hypothesis would take an error for a finding, and look for a smaller one

    if asked.child == "guided":
        test = running.property_of(noted, 1, repeatable=True)
        corpus = asked.out.parent / "corpus"
        corpus.mkdir()
        numbers = random.Random(asked.seed)
        for i in range(_FIRST):
            (corpus / str(i)).write_bytes(numbers.randbytes(_LENGTH))
        options = {
            "max_total_time": int(asked.guided),
            "seed": asked.seed + 1,
            "max_len": 2 * _LENGTH,
            "len_control": 0,
            "rss_limit_mb": 0,
            "timeout": 120,
            "verbosity": 0,
        }
        atheris.Setup(
            ["fuzz", *(f"-{k}={v}" for k, v in options.items()), str(corpus)],
            test.hypothesis.fuzz_one_input,
        )
        atheris.Fuzz()
        return

    test = running.property_of(noted, asked.cases, repeatable=False)
    seed(asked.seed)(test)()
    running.written(outcomes, asked.out, time.monotonic() - started)


def run_child(
    name: str, kind: str, run: Path, asked: argparse.Namespace, scratch: Path
) -> dict[str, Any]:
    """The cases of one reader in a process of its own."""
    out = scratch / f"{kind}.json"
    seconds = asked.guided if kind == "guided" else asked.seconds
    command = [sys.executable, __file__, "--child", kind, "--reader", name, "--out", str(out)]
    for option in ("cases", "seconds", "guided", "seed"):
        command += [f"--{option}", str(getattr(asked, option))]
    command += ["--run", str(run)]
    if asked.kept is not None:
        command += ["--kept", str(asked.kept / re.sub(r"\W+", "_", name))]
    # A file per example would outlive the process.
    environment = os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / ".hypothesis")}
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            cwd=scratch,
            env=environment,
            timeout=seconds + _GRACE,
        )
        ended, said = done.returncode, done.stderr.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as error:
        ended, said = -1, f"no end after {error.timeout:.0f} s"
    if not out.is_file():
        raise RuntimeError(f"{name}, {kind}: {said[-3000:]}")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    if ended:
        last = said.strip().splitlines()[-1] if said.strip() else ""
        kept = found["defects"]
        kept["crash"] = kept.get("crash", 0) + 1
        print(f"  {name}, {kind}: ended with {ended}: {last[:300]}", flush=True)
    return found


def small_run(folder: Path) -> Path:
    """A run of few draws: its files are of the right form, and its numbers mean nothing."""
    from mnbayes.data.imports.example import write_example

    example, run = folder / "trial", folder / "run"
    write_example(example)
    options = "--model remission --no-influence --no-report --chains 2 --draws 20 --tune 50"
    command = [sys.executable, "-m", "mnbayes.cli", "fit", str(example), "--out", str(run)]
    subprocess.run(
        [*command, *options.split(), "--allow-unconverged"], check=True, capture_output=True
    )
    return run


def tool(name: str) -> str:
    """A package and its version."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""


def main(given: Sequence[str] | None = None) -> int:
    """Run what was asked; 1 if a defect was found."""
    asked = arguments(given)
    if asked.child:
        child(asked)
        return 0
    from fuzzing.readers import READERS

    kinds = ["hypothesis"] if find_spec("atheris") is None or asked.guided <= 0 else ["hypothesis", "guided"]
    stored: dict[str, Any] = {"readers": {}}
    if asked.reader and asked.out.is_file():  # some of them anew
        stored = json.loads(asked.out.read_text(encoding="utf-8"))
    stored |= {
        "python": platform.python_version(),
        "tools": [each for each in (tool("hypothesis"), tool("atheris")) if each],
        "limits": {"seconds_of_a_case": 5, "bytes_of_a_case": 2**30},
    }
    defects = 0
    with TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        run = asked.run.resolve() if asked.run else small_run(scratch)
        for number, name in enumerate(asked.reader or READERS):
            found = {}
            for kind in kinds:
                place = scratch / f"{number}{kind}"
                place.mkdir()
                found[kind] = run_child(name, kind, run, asked, place)
                said = found[kind]
                print(
                    f"{name}, {kind}: {said['cases']:,} cases in {said['seconds']:.0f} s, "
                    f"{said['refused']:,} refused, {said['read']:,} read, "
                    f"defects: {said['defects'] or 'none'}",
                    flush=True,
                )
                defects += sum(said["defects"].values())
            stored["readers"][name] = found
            stored["readers"] = {n: stored["readers"][n] for n in READERS if n in stored["readers"]}
            text = json.dumps(stored, indent=2, ensure_ascii=False)
            asked.out.write_text(f"{text}\n", encoding="utf-8")
    return int(defects > 0)


if __name__ == "__main__":
    raise SystemExit(main())
