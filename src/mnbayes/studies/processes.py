"""Processes of this machine that work on a study, each over a pipe of its own.

Each process is handed batches one after the other, so that it is known with which one it died. It
ends when its driver does, however that ends.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context
from typing import Any

from mnbayes.base.ending import deaf_to_interrupts, end_with_parent
from mnbayes.base.threads import one_thread
from mnbayes.base.workers import without_the_script
from mnbayes.studies.batches import differences, work
from mnbayes.studies.places import BATCH_SECONDS, Returned, UnusableError
from mnbayes.studies.study import Batch

#: Processes that may die with a batch in hand before the batch is suspected (Dask's number).
ALLOWED_DEATHS = 3
_STARTS = 3  # processes that may end in a row before they are ready
_END = 5.0  # seconds a killed process has to be gone


def _serve(pipe: connection.Connection, pack: bytes) -> None:
    """What a process does: say that it is there, then work on each batch that it is sent."""
    # Between batches the closed pipe would tell that the driver is gone; in an endless one, this.
    end_with_parent()
    pipe.send(differences(pack))
    while True:
        try:
            batch = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(work(pack, batch, BATCH_SECONDS))
        except BrokenPipeError:
            return


class _Lane:
    """One process and the batches in its hands, the first of which it works on."""

    def __init__(self, pack: bytes) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, pack), daemon=True)
        with deaf_to_interrupts(), one_thread(), without_the_script():
            self.process.start()
        theirs.close()  # so that the pipe ends with the process
        self.ready = False
        self.batches: deque[Batch] = deque()

    def submit(self, batch: Batch) -> None:
        """Hand out a batch; of a dead process nothing is said until it is asked."""
        self.batches.append(batch)
        with suppress(OSError):
            self.pipe.send(batch)

    def end(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.join(_END)
        self.pipe.close()


class Processes:
    """Processes of one thread each; a dead one is replaced."""

    def __init__(self, number: int, pack: bytes) -> None:
        self._pack = pack
        self._lanes: list[_Lane] = []
        self._deaths: Counter[Batch] = Counter()
        self._failed_starts = 0
        for _ in range(number):
            self._lanes.append(_Lane(pack))

    def threads(self) -> int:
        """The number of processes."""
        return len(self._lanes)

    def submit(self, batch: Batch) -> None:
        """Hand a batch to the process that has fewest."""
        min(self._lanes, key=lambda lane: len(lane.batches)).submit(batch)

    def collect(self, timeout: float) -> list[Returned]:
        """Batches that came back, or whose process died as often as is allowed."""
        spoken = set(connection.wait([lane.pipe for lane in self._lanes], timeout))
        back: list[Returned] = []
        for place, lane in enumerate(self._lanes):
            if lane.pipe in spoken:
                try:
                    message = lane.pipe.recv()
                except (EOFError, OSError):
                    lane.end()
                    self._lanes[place] = _Lane(self._pack)
                    back += self._died(lane, self._lanes[place])
                else:
                    back += self._heard(lane, message)
        return back

    def close(self) -> None:
        """Kill all processes."""
        for lane in self._lanes:
            lane.end()

    def _heard(self, lane: _Lane, message: Any) -> list[Returned]:
        if lane.ready:
            return [Returned(lane.batches.popleft(), message)]
        if message:
            found, expected = message[0]
            raise UnusableError(f"a worker process has {found}, not {expected}")
        lane.ready, self._failed_starts = True, 0
        return []

    def _died(self, dead: _Lane, heir: _Lane) -> list[Returned]:
        """Give a dead process's batches to the next one, unless the first was its death."""
        if not dead.ready:
            self._failed_starts += 1
            if self._failed_starts >= _STARTS * len(self._lanes):
                raise UnusableError("the worker processes end before they are ready")
        elif dead.batches:
            first = dead.batches[0]
            self._deaths[first] += 1
            if self._deaths[first] > ALLOWED_DEATHS:
                del self._deaths[first]
                others = (Returned(batch) for batch in list(dead.batches)[1:])
                return [Returned(first, died=True), *others]
        for batch in dead.batches:
            heir.submit(batch)
        return []


@contextmanager
def processes(number: int, pack: bytes) -> Iterator[Processes]:
    """Processes on this machine, killed at the end of the block.

    Parameters
    ----------
    number : int
    pack : bytes
        The study, from :func:`mnbayes.studies.batches.packed`.
    """
    # A machine's processes all have the driver's files; what they loaded is checked all the same.
    place = Processes(number, pack)
    try:
        yield place
    finally:
        place.close()
