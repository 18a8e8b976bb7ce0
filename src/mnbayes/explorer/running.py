"""“Run this”: a folder of results by the code of ``mnbayes fit``, in a process of its own.

What that process does is :mod:`mnbayes.explorer.run_process`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mnbayes.base.problems import InputError, Problem
from mnbayes.explorer.case import Case
from mnbayes.explorer.saving import Author
from mnbayes.explorer.settings import Settings


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
                [sys.executable, "-m", "mnbayes.explorer.run_process"],
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
    """A run as plain values, which :func:`mnbayes.explorer.run_process.run` takes."""
    return {
        "folder": str(case.folder) if case.folder is not None else None,
        "models": [card.model_dump(mode="json", by_alias=True) for card in case.cards],
        "files": list(case.files),
        "definitions": case.definitions,
        "settings": settings.as_dict(),
        "author": asdict(author),
        "out": str(out),
    }
