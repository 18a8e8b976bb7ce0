"""“Run this”: a folder of results by the code of ``mnbayes fit``, in a process of its own.

The process ends with the explorer: it reads to the end of what it is told, which comes when the
explorer is gone, however that went.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnbayes.base.problems import InputError, Problem
from mnbayes.explorer.case import Case
from mnbayes.explorer.saving import Author, prior_set_of
from mnbayes.explorer.settings import Settings, read_settings

#: Seconds in which a run that is told to end may clear away what it has begun.
_LONGEST_END = 30.0


@dataclass
class Running:
    """At most one run at a time."""

    process: subprocess.Popen[str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, case: Case, settings: Settings, author: Author, out: Path, send: Any) -> str:
        """Begin a run; what becomes of it is sent to the page.

        Raises
        ------
        InputError
            If one is under way.
        """
        with self._lock:
            if self.process is not None and self.process.poll() is None:
                expected = "one run at a time: wait for it"
                raise InputError([Problem("the page", None, None, "a run under way", expected)])
            told = asked_of(case, settings, author, out)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mnbayes.explorer.running"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        threading.Thread(target=self._listen, args=(self.process, send), daemon=True).start()
        return "The run has begun; it takes a minute or two."

    def _listen(self, process: subprocess.Popen[str], send: Any) -> None:
        assert process.stdout is not None
        last = "The run ended without a word."
        for line in process.stdout:
            last = line.strip() or last
            send({"type": "ran", "text": last})
        process.wait()

    def stop(self, seconds: float = 40.0) -> None:
        """End a run that is under way; what it had begun to write is cleared away."""
        with self._lock:
            if self.process is None or self.process.poll() is not None:
                return
            assert self.process.stdin is not None
            self.process.stdin.close()  # its end is what the process waits for
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def asked_of(case: Case, settings: Settings, author: Author, out: Path) -> dict[str, Any]:
    """A run as plain values, which :func:`run` takes in another process."""
    return {
        "folder": str(case.folder) if case.folder is not None else None,
        "models": [card.model_dump(mode="json", by_alias=True) for card in case.cards],
        "files": list(case.files),
        "definitions": case.definitions,
        "settings": settings.as_dict(),
        "author": asdict(author),
        "out": str(out),
    }


def _until_the_end() -> None:
    """End this process with the one that asked: as Ctrl-C would, so that nothing is left."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_LONGEST_END)
    os._exit(1)


def run(told: Mapping[str, Any]) -> str:
    """Fit what a page says as ``mnbayes fit`` would, and write its folder.

    Returns
    -------
    str
        A sentence: where the folder is.
    """
    from mnbayes.base.resources import embedded_cohort_folder
    from mnbayes.cards.card import restore_card
    from mnbayes.cards.prior_sets import joined_name
    from mnbayes.data.cohort import load_cohort
    from mnbayes.inference.sampling import Sampling
    from mnbayes.pipeline import Job, run_job
    from mnbayes.run.keeping import claim, new_folder

    folder = told["folder"]
    cohort = load_cohort(folder if folder is not None else embedded_cohort_folder())
    cards = tuple(restore_card(each, str(each.get("name"))) for each in told["models"])
    place = None if folder is None else Path(folder)
    case = Case(cohort, cards, place, tuple(told["files"]), told["definitions"])
    settings = read_settings(told["settings"], cards[0].name)
    sets = case.sets(settings.sets)
    if case.changes(settings):
        author = Author(**told["author"])
        sets = (*sets, prior_set_of(case, settings, author, datetime.now(UTC)))
    out = new_folder(Path(told["out"]), datetime.now())
    job = Job(
        cohort=case.cohort_of(settings),
        cards=(case.card(settings),),
        definitions=case.definitions_of(settings),
        sampling=Sampling(seed=settings.seed, engine="auto"),
        prior_set=joined_name(sets),
        prior_sets=sets,
    )
    target = claim(out, any_name=True)

    def told_of(model: str, stage: str, done: int, total: int) -> None:
        if done == 0:
            print(f"{model}: {stage} …", flush=True)

    finished = run_job(job, target, told_of)
    state = "" if finished.converged else " It did not converge: its probabilities are withheld."
    return f"Done: {(finished.folder or out) / 'report.html'}.{state}"


def main() -> None:
    """Read one line, run it, say where it is."""
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_until_the_end, daemon=True).start()
    try:
        print(run(told), flush=True)
    except InputError as error:
        print(f"Nothing was written. {error}", flush=True)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    from mnbayes.base.threads import use_one_thread

    use_one_thread()
    main()
