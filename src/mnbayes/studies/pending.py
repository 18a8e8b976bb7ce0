"""What a study still has to do, and in which batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from mnbayes.studies.study import Batch, Run

#: Most replicates in one batch, and most runs. A batch ends after some time anyway; this bounds
#: its size as a message, which has to fit into a pipe that nobody reads for the moment.
LARGEST, MOST_RUNS = 2000, 50
_PARTS = 10  # into which a batch is cut that workers died with


class Pending:
    """Runs of replicates, handed out in batches and taken back where they were not done.

    A batch that workers died with is cut into parts, down to single replicates. A single one is
    tried once more when nothing else is running, since Dask cannot tell which of the tasks that a
    worker held has killed it.
    """

    def __init__(self, missing: Iterable[Run]) -> None:
        self._runs = deque(missing)
        self._left = sum(run.size for run in self._runs)
        self._parts: deque[Batch] = deque()
        self._suspects: deque[Batch] = deque()
        self._tried: set[Batch] = set()

    def __bool__(self) -> bool:
        return bool(self._runs or self._parts or self._suspects)

    def take(self, threads: int, alone: bool = True) -> Batch:
        """The next batch, for one of several threads.

        Parameters
        ----------
        threads : int
            Of the cluster. No batch is more than a fair share of what is left, so that the
            threads come to their end together.
        alone : bool
            Whether nothing else is running. Only then suspects are handed out.

        Returns
        -------
        tuple of Run
            Empty where only suspects are left and something else is running.
        """
        if self._parts:
            return self._parts.popleft()
        if not self._runs:
            return self._suspect() if alone and self._suspects else ()
        want = min(LARGEST, max(1, -(-self._left // (2 * max(1, threads)))))
        taken: list[Run] = []
        while self._runs and want and len(taken) < MOST_RUNS:
            run = self._runs.popleft()
            stop = min(run.stop, run.start + want)
            taken.append(Run(run.cell, run.start, stop))
            if stop < run.stop:
                self._runs.appendleft(Run(run.cell, stop, run.stop))
            want -= stop - run.start
            self._left -= stop - run.start
        return tuple(taken)

    def put_back(self, batch: Batch, done: int = 0) -> None:
        """Take back what is left of a batch after its first replicates."""
        for run in reversed(_split(batch, done)[1]):
            self._runs.appendleft(run)
            self._left += run.size

    def suspect(self, batch: Batch) -> bool:
        """Take back a batch that workers died with.

        Returns
        -------
        bool
            False for a single replicate that was running alone: nothing else can have killed them.
        """
        size = sum(run.size for run in batch)
        if size == 1:
            if batch in self._tried:
                return False
            self._suspects.append(batch)
            return True
        step = -(-size // _PARTS)
        while batch:
            part, batch = _split(batch, step)
            self._parts.append(part)
        return True

    def _suspect(self) -> Batch:
        batch = self._suspects.popleft()
        self._tried.add(batch)
        return batch


def _split(batch: Batch, count: int) -> tuple[Batch, Batch]:
    """The first replicates of a batch, and the others."""
    first: list[Run] = []
    rest: list[Run] = []
    for run in batch:
        middle = run.start + min(count, run.size)
        count -= middle - run.start
        if middle > run.start:
            first.append(Run(run.cell, run.start, middle))
        if middle < run.stop:
            rest.append(Run(run.cell, middle, run.stop))
    return tuple(first), tuple(rest)
