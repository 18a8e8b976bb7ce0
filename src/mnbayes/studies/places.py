"""Where batches are worked on, as the driver of a study sees it."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, Protocol

from mnbayes.studies.batches import Outcome, work
from mnbayes.studies.study import Batch

#: Seconds a batch takes: long beside the millisecond that handing it out costs, short beside what
#: a user waits for, or loses by a kill.
BATCH_SECONDS = 0.5


class Returned(NamedTuple):
    """A batch that is in nobody's hands any more.

    Attributes
    ----------
    batch : tuple of Run
    outcome : Outcome or None
        None where nothing came of it.
    died : bool
        Whether nothing came of it because workers died with it, time and again.
    """

    batch: Batch
    outcome: Outcome | None = None
    died: bool = False


class UnusableError(RuntimeError):
    """A place cannot go on working on a study, for a reason that it gives."""


class Place(Protocol):
    """Somewhere with workers that have the study."""

    def threads(self) -> int:
        """Threads of the workers now.

        Raises
        ------
        UnusableError
            If there is no hope of any.
        """

    def submit(self, batch: Batch) -> None:
        """Hand out a batch."""

    def collect(self, timeout: float) -> list[Returned]:
        """Batches that came back; waits some seconds for the first.

        Raises
        ------
        UnusableError
            If the workers cannot do the study.
        """


class Here:
    """The driver's own process: it works when it is asked for what came back."""

    def __init__(self, pack: bytes) -> None:
        self._pack = pack
        self._waiting: deque[Batch] = deque()

    def threads(self) -> int:
        """One."""
        return 1

    def submit(self, batch: Batch) -> None:
        """Keep a batch for later."""
        self._waiting.append(batch)

    def collect(self, timeout: float) -> list[Returned]:
        """Work on one batch."""
        batch = self._waiting.popleft()
        return [Returned(batch, work(self._pack, batch, BATCH_SECONDS))]
