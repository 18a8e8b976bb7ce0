"""One case after another: what came of it, within 5 s and 1 GiB."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import resource
import shutil
import signal
import time
import traceback
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzzing.damage import Draw, damaged
from fuzzing.readers import Files, Reader
from mnbayes.base.problems import InputError

#: Seconds of the processor that a case may take, and bytes that it may take beyond what the process
#: has when every valid file has been read.
SLOWEST, MOST_MEMORY = 5.0, 2**30


#: Categories of characters that end a line, or that a terminal obeys.
_NOT_SHOWN = frozenset(("Cc", "Zl", "Zp"))


class SlowError(BaseException):
    """A case took too long; no reader may catch it."""


@dataclass
class Outcomes:
    """What came of some cases.

    Attributes
    ----------
    counts : Counter
        Of ``read``, ``refused`` and each kind of defect.
    shown : dict
        Of each kind of defect, the traceback of the first case.
    slowest : float
        Seconds of the processor.
    """

    counts: Counter[str] = field(default_factory=Counter)
    shown: dict[str, str] = field(default_factory=dict)
    slowest: float = 0.0

    @property
    def cases(self) -> int:
        """How many there were."""
        return self.counts.total()

    @property
    def defects(self) -> dict[str, int]:
        """Count by kind of defect."""
        return {k: n for k, n in self.counts.items() if k not in ("read", "refused")}


def limit_memory() -> None:
    """Let this process have :data:`MOST_MEMORY` more than it has, on Linux."""
    status = Path("/proc/self/statm")
    if status.is_file():
        pages = int(status.read_text().split()[0])
        most = pages * resource.getpagesize() + MOST_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _too_slow(_: int, __: FrameType | None) -> None:
    raise SlowError


def unclear(error: InputError) -> str:
    """What is wrong with a message; blank where it is one line a problem that can be printed."""
    if not error.problems:
        return "no problem named"
    for problem in error.problems:
        text = str(problem)
        if any(unicodedata.category(sign) in _NOT_SHOWN for sign in text):
            return "a line break or control code in a message"
        if not (problem.file and problem.found and problem.expected) or len(text) > 4000:
            return "a message with nothing found or expected, or of more than 4,000 characters"
    return ""


def outcome(read: Callable[[Path], object], folder: Path) -> tuple[str, str]:
    """What came of reading a folder: ``read``, ``refused``, or a defect and its traceback."""
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SLOWEST)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(folder)
    except InputError as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        wrong = unclear(error)
        return (f"message: {wrong}", str(error)[:3000]) if wrong else ("refused", "")
    except BaseException as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if isinstance(error, KeyboardInterrupt):
            raise
        return _kind(error), "".join(traceback.format_exception(error))[-6000:]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "read", ""


def _kind(error: BaseException) -> str:
    """An error and where in the package it came from."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "mnbayes" in Path(frame.filename).parts
    ]
    place = f" in {Path(ours[-1].filename).name}, {ours[-1].name}" if ours else ""
    name = "over 5 s" if isinstance(error, SlowError) else type(error).__name__
    return name + place


def put(folder: Path, files: Files) -> None:
    """Write files into a new folder in place of an old one."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def case(
    reader: Reader, sets: list[Files], folder: Path, outcomes: Outcomes, kept: Path | None = None
) -> Callable[[Draw], None]:
    """A function that damages files, reads them and counts what came of it."""

    def run(draw: Draw) -> None:
        files: Mapping[str, bytes] = sets[draw(st.integers(0, len(sets) - 1))]
        able = [n for n in files if any(fnmatch.fnmatch(n, p) for p in reader.damaged)]
        name = able[draw(st.integers(0, len(able) - 1))]
        changed = {name: damaged(draw, Path(name).suffix, files[name])}
        put(folder, {**files, **changed})
        before = time.process_time()
        kind, shown = outcome(reader.read, folder)
        outcomes.slowest = max(outcomes.slowest, time.process_time() - before)
        outcomes.counts[kind] += 1
        if shown and kind not in outcomes.shown:
            outcomes.shown[kind] = shown
            if kept is not None:
                mark = hashlib.sha256(kind.encode()).hexdigest()[:8]
                shutil.rmtree(kept / mark, ignore_errors=True)
                shutil.copytree(folder, kept / mark / "files")
                (kept / mark / "defect.txt").write_text(f"{kind}\n\n{shown}", "utf-8", "replace")

    return run


def property_of(run: Callable[[Draw], None], cases: int) -> Any:
    """A Hypothesis test that runs cases; nothing it meets ends it."""

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        run(data.draw)

    return fuzz


def warm_up(reader: Reader, sets: list[Files], folder: Path) -> None:
    """Read every valid file, so that nothing is imported later.

    Raises
    ------
    RuntimeError
        If one of them cannot be read.
    """
    for files in sets:
        put(folder, files)
        kind, shown = outcome(reader.read, folder)
        if kind != "read":
            raise RuntimeError(f"valid files {', '.join(files)} end in {kind}: {shown}")


def written(outcomes: Outcomes, path: Path, seconds: float) -> None:
    """Keep what came of the cases so far."""
    said = {
        "cases": outcomes.cases,
        "seconds": round(seconds, 1),
        "read": outcomes.counts["read"],
        "refused": outcomes.counts["refused"],
        "defects": outcomes.defects,
        "slowest_case_seconds": round(outcomes.slowest, 2),
    }
    path.write_text(json.dumps(said), encoding="utf-8")
