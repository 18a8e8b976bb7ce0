"""One thread that fits: of each page only the newest wish counts."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import threading
import traceback
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from mnbayes.base.problems import InputError

#: Kind of a wish for other settings; a task is given a function that says whether one waits.
SETTINGS = "set"
type Newer = Callable[[], bool]
type Work = Callable[[Newer], None]


class SupersededError(Exception):
    """Raised in a task that is not worth its end: something newer waits, or its page is gone."""


#: Tasks between two looks for memory that can be given back; a look takes a tenth of a second.
_TRIMMED = 40


def give_back() -> None:
    """Let go of what fits left behind, and give it back to the system, where its library can.

    Trees of draws stand in circles of references, which Python looks for too seldom for their
    size; of what is freed glibc keeps about one MiB each time.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@dataclass
class Worker:
    """Runs one task after the other; a page's newer task replaces the one of its kind that waits.

    Attributes
    ----------
    failed : callable
        Called with the page and what to say where a task raises.
    """

    failed: Callable[[Hashable, str], None]
    _waiting: dict[tuple[Hashable, str], Work] = field(default_factory=dict)
    _served: Hashable = None
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _stopped: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._run, name="explorer fits", daemon=True)
        self._thread.start()

    def ask(self, page: Hashable, work: Work, kind: str = SETTINGS) -> None:
        """Wish for something in place of what this page still waits for of that kind."""
        with self._changed:
            self._waiting.pop((page, kind), None)  # a page that drags stands behind the others
            self._waiting[page, kind] = work
            self._changed.notify()

    def forget(self, page: Hashable) -> None:
        """A page was closed: nothing is done for it any more."""
        with self._changed:
            if self._served == page:
                self._served = None
            for key in [key for key in self._waiting if key[0] == page]:
                del self._waiting[key]

    def stop(self, seconds: float = 10.0) -> None:
        """Stop; what is under way is told that nobody waits for it."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        done = 0
        while True:
            with self._changed:
                while not self._waiting and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                page, kind = next(iter(self._waiting))
                work = self._waiting.pop((page, kind))
                self._served = page

            def newer(page: Hashable = page) -> bool:
                gone = self._stopped or self._served != page
                return gone or (page, SETTINGS) in self._waiting

            try:
                work(newer)
            except SupersededError:
                pass
            except InputError as error:
                self.failed(page, str(error))
            except Exception as error:  # one page's trouble must not end the others
                traceback.print_exc()
                said = f"This could not be worked out ({type(error).__name__}: {error})."
                self.failed(page, said)
            done += 1
            if done % _TRIMMED == 0:
                give_back()
