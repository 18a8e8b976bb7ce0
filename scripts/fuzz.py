"""Damage every file that mnbayes reads, in ten thousand ways, and see that it says so.

python scripts/fuzz.py                        (all readers; writes docs/fuzz.json)
python scripts/fuzz.py --reader card --cases 500 --seconds 60 --kept /tmp/defects
python scripts/fuzz.py --more --seconds 3600  (other cases, until those stored are ten thousand)

Each reader starts from valid files. Hypothesis damages cells, rows, columns, values, keys, frames
and bytes; then Atheris (``pip install "mnbayes[fuzz]"``), guided by what of the package's code is
reached, chooses the damage. A case may end in success or in the program's own message, one
printable line a problem. Anything else is a defect: another error, a warning, more than 5 s of the
processor, more than 1 GiB beyond what the process has. A reader's cases run in a process of their
own; what crashes it, is a defect too.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from page_blocks import write_block

RESULT = Path(__file__).parents[1] / "docs" / "fuzz.json"
PAGE = RESULT.with_name("robustness.md")
BLOCK = "fuzz"
CASES, SECONDS, GUIDED = 10_000, 300.0, 300.0
#: Seconds beyond its own that a process may take, for a case that hangs in a library's own code.
_GRACE = 600.0
#: The option that says how long each kind of cases takes.
_TIMES = {"hypothesis": "seconds", "guided": "guided"}
#: Inputs that the guided cases start from, and bytes of each; shorter ones choose no damage.
_FIRST, _LENGTH = 8, 1024
#: Seconds after which the counts are written.
_NOTED = 0.5


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--reader", action="append", help="only this one; repeatable")
    parser.add_argument(
        "--cases", type=int, default=CASES, help="of Hypothesis, of each reader; 0: none"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at most, for these")
    parser.add_argument(
        "--guided", type=float, default=GUIDED, help="seconds of guided cases; 0: none"
    )
    parser.add_argument("--seed", type=int, default=0, help="0: the same cases each time")
    parser.add_argument(
        "--more", action="store_true", help="go on where the stored result ends, up to the numbers"
    )
    parser.add_argument("--run", type=Path, help="folder of a small run (default: one is made)")
    parser.add_argument("--kept", type=Path, help="folder for the files of each kind of defect")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--child", choices=tuple(_TIMES), help=argparse.SUPPRESS)
    return parser.parse_args(given)


def compiled() -> list[str]:
    """Modules that Numba compiles: nothing may be added to them."""
    rooms = ("numerics", "inference")
    source = Path(__file__).parents[1] / "src" / "mnbayes"
    return [f"mnbayes.{room}.{p.stem}" for room in rooms for p in (source / room).glob("*.py")]


def supervise(asked: argparse.Namespace) -> None:
    """Run the cases of each reader in a process of its own, a fork of this one; keep the counts."""
    if asked.child == "guided":
        import atheris

        with atheris.instrument_imports(include=["mnbayes"], exclude=compiled()):
            from fuzzing import readers
    else:
        from fuzzing import readers
    from fuzzing import running, values

    # Hypothesis's tables of characters: seconds, once for all.
    running.property_of(lambda draw: draw(values.texts), 3)()
    for name in asked.reader or readers.READERS:
        wanted = left(name, asked)
        if wanted.cases <= 0 if asked.child == "hypothesis" else wanted.guided < 1:
            continue
        with TemporaryDirectory() as temporary:
            scratch = Path(temporary)
            with warnings.catch_warnings():
                # Threads of libraries, idle here: the fork needs none of them.
                warnings.simplefilter("ignore", DeprecationWarning)
                process = os.fork()
            if process == 0:
                with (scratch / "said").open("wb") as file:
                    os.dup2(file.fileno(), 1)
                    os.dup2(file.fileno(), 2)
                os.chdir(scratch)
                try:
                    cases_of(name, wanted, scratch)
                except BaseException:
                    traceback.print_exc()
                    sys.stderr.flush()
                    os._exit(1)
                os._exit(0)
            ended = _waited(process, getattr(wanted, _TIMES[asked.child]) + _GRACE)
            keep(name, ended, asked, scratch)


def _waited(process: int, seconds: float) -> int:
    """How a process ended; -9 if it had to be ended."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.2)
    os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def keep(name: str, ended: int, asked: argparse.Namespace, scratch: Path) -> None:
    """Put what came of a reader's cases into the stored result."""
    counts = scratch / "counts.json"
    last = (scratch / "said").read_text("utf-8", "replace").strip().splitlines()[-1:]
    found: dict[str, Any] = {"cases": 0, "seconds": 0.0, "defects": {}}
    if counts.is_file():
        found = json.loads(counts.read_text(encoding="utf-8"))
    if ended:
        found["defects"][f"ended with {ended}"] = 1
        print(f"  {name}: ended with {ended}: {last}", flush=True)
    print(
        f"{name}, {asked.child}: {found['cases']:,} cases in {found['seconds']:.0f} s, "
        f"{found.get('refused', 0):,} refused, {found.get('read', 0):,} read, "
        f"defects: {found['defects'] or 'none'}",
        flush=True,
    )
    with locked(asked.out):
        stored = json.loads(asked.out.read_text(encoding="utf-8"))
        of = stored["readers"].setdefault(name, {})
        of[asked.child] = together(of.get(asked.child, {}), found) if asked.more else found
        text = json.dumps(stored, indent=2, ensure_ascii=False)
        asked.out.write_text(text + "\n", encoding="utf-8")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time change a file: several may fuzz side by side."""
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def together(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The counts of two times as one."""
    if not before or not found["cases"]:
        return before or found
    added = {key: before[key] + found[key] for key in ("cases", "read", "refused")}
    return {
        **added,
        "seconds": round(before["seconds"] + found["seconds"], 1),
        "defects": dict(Counter(before["defects"]) + Counter(found["defects"])),
        "slowest_case_seconds": max(each["slowest_case_seconds"] for each in (before, found)),
    }


def left(name: str, asked: argparse.Namespace) -> argparse.Namespace:
    """What is asked of one reader; with ``--more`` what the stored result lacks of it."""
    if not asked.more:
        return asked
    stored = json.loads(asked.out.read_text(encoding="utf-8"))
    done = stored["readers"].get(name, {}).get(asked.child, {"cases": 0, "seconds": 0.0})
    return argparse.Namespace(
        **vars(asked)
        | {
            "cases": asked.cases - done["cases"],
            "guided": asked.guided - done["seconds"],
            "seed": asked.seed + done["cases"],  # other cases than those
        }
    )


def cases_of(name: str, asked: argparse.Namespace, scratch: Path) -> None:
    """The cases of one reader, in this process; what came of them is written as they go."""
    from fuzzing import readers, running
    from hypothesis import seed

    counts, folder = scratch / "counts.json", scratch / "case"
    kept = None if asked.kept is None else asked.kept / re.sub(r"\W+", "_", name)
    reader = readers.READERS[name]
    sets = reader.files(asked.run)
    running.warm_up(reader, sets, folder)
    running.limit_memory()
    outcomes = running.Outcomes()
    started = time.monotonic()
    plain = running.case(reader, sets, folder, outcomes, kept)

    written = 0.0

    def noted(draw: Any) -> None:
        nonlocal written
        defects = outcomes.defects
        plain(draw)
        passed = time.monotonic() - started
        over = asked.child == "hypothesis" and passed > asked.seconds
        # Now and then: a crash, or Atheris at its end, ends this process without a word.
        if over or passed > written + _NOTED or outcomes.defects != defects:
            running.written(outcomes, counts, passed)
            written = passed
        if over:
            os._exit(0)  # Hypothesis would take an error for a finding, and look for a smaller one

    if asked.child == "hypothesis":
        seed(asked.seed)(running.property_of(noted, asked.cases))()
        running.written(outcomes, counts, time.monotonic() - started)
        return

    import atheris

    corpus = scratch / "corpus"
    corpus.mkdir()
    numbers = random.Random(asked.seed)
    for i in range(_FIRST):
        (corpus / str(i)).write_bytes(numbers.randbytes(_LENGTH))
    options = {
        "max_total_time": max(int(asked.guided), 1),
        "seed": asked.seed + 1,
        "max_len": 2 * _LENGTH,
        "len_control": 0,
        "rss_limit_mb": 0,
        "timeout": 600,
    }
    given = [f"-{option}={value}" for option, value in options.items()]
    test = running.property_of(noted, 1)
    atheris.Setup(["fuzz", *given, str(corpus)], test.hypothesis.fuzz_one_input)
    atheris.Fuzz()


def small_run(folder: Path) -> Path:
    """A run of few draws: its files are of the right form, and its numbers mean nothing."""
    from mnbayes.data.imports.example import write_example

    example, run = folder / "trial", folder / "run"
    write_example(example)
    options = "--model remission --no-influence --no-report --chains 2 --draws 20 --tune 50"
    command = [sys.executable, "-m", "mnbayes.cli", "fit", str(example), "--out", str(run)]
    done = subprocess.run(
        [*command, *options.split(), "--allow-unconverged"], check=False, capture_output=True
    )
    if not (run / "run.json").is_file():  # status 1 says that it did not converge
        raise RuntimeError(done.stderr.decode("utf-8", "replace"))
    return run


def markdown(stored: dict[str, Any]) -> str:
    """The stored result as a table."""
    lines = ["| reader | Hypothesis | guided | refused | defects |", "|---|---|---|---|---|"]
    for name, kinds in stored["readers"].items():
        each = [kinds.get(kind, {}) for kind in _TIMES]
        run = [f"{of['cases']:,} in {of['seconds']:.0f} s" if of else "" for of in each]
        refused = sum(of.get("refused", 0) for of in each)
        defects = sum(sum(of.get("defects", {}).values()) for of in each)
        lines.append(f"| {name} | {' | '.join(run)} | {refused:,} | {defects} |")
    cases = sum(of["cases"] for kinds in stored["readers"].values() for of in kinds.values())
    tools = " and ".join(stored["tools"])
    return "\n".join([f"{cases:,} cases; {tools}, Python {stored['python']}.", "", *lines])


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
        supervise(asked)
        return 0
    kinds = ["hypothesis"] if asked.cases > 0 else []
    if asked.guided > 0 and find_spec("atheris") is not None:
        kinds.append("guided")
    stored: dict[str, Any] = {"readers": {}}
    part = asked.more or asked.reader or len(kinds) < len(_TIMES)
    if part and asked.out.is_file():
        stored = json.loads(asked.out.read_text(encoding="utf-8"))
    stored |= {
        "python": platform.python_version(),
        "tools": [each for each in (tool("hypothesis"), tool("atheris")) if each],
    }
    if not asked.more:
        asked.out.write_text(json.dumps(stored), encoding="utf-8")
    with TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        run = asked.run or small_run(scratch)
        for kind in kinds:
            command = [sys.executable, __file__, "--child", kind, "--run", str(run.resolve())]
            for option in ("cases", "seconds", "guided", "seed", "out"):
                command += [f"--{option}", str(getattr(asked, option))]
            if asked.kept is not None:
                command += ["--kept", str(asked.kept.resolve())]
            command += ["--more"] if asked.more else []
            for name in asked.reader or ():
                command += ["--reader", name]
            storage = {"HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis")}
            subprocess.run(command, check=True, env=os.environ | storage)
    stored = json.loads(asked.out.read_text(encoding="utf-8"))
    if asked.out == RESULT:
        write_block(PAGE, BLOCK, markdown(stored))
    return int(any(each["defects"] for of in stored["readers"].values() for each in of.values()))


if __name__ == "__main__":
    raise SystemExit(main())
