"""A running Dask cluster that works on a study."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any

from distributed import Client, KilledWorker
from distributed.core import rpc
from distributed.security import Security

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.studies.batches import Outcome, differences, present, work
from mnbayes.studies.places import BATCH_SECONDS, Returned, UnusableError
from mnbayes.studies.study import Batch

#: Seconds until a scheduler must have answered, a worker must have joined, all must have said
#: which versions they have. The last two include imports from a slow disk.
CONNECT, JOIN, ANSWER = 10.0, 60.0, 60.0
#: Seconds after which a cluster that has lost its workers is given up.
NO_WORKERS = 120.0
_FETCH = 10.0  # seconds until a finished batch must have arrived
_CLOSE = 2.0
_HERE = ", as where the study was started"


class Cluster:
    """The workers of a Dask cluster. What Dask does when one dies is left to Dask."""

    def __init__(self, client: Client, pack: bytes) -> None:
        self._client, self._pack = client, pack
        # Dask drops the work of a future that nobody holds.
        self._running: dict[Any, Batch] = {}
        self._finished: SimpleQueue[Any] = SimpleQueue()
        self._seen = monotonic()  # when a worker was there

    def threads(self) -> int:
        """Threads of all workers of the cluster."""
        if self._client.status in ("closed", "closing"):
            raise UnusableError("the scheduler went away")
        threads = 0
        # The client reconnects, or closes. As Client.nthreads, which would wait for a frozen
        # scheduler without end.
        with suppress(OSError, TimeoutError):
            found = self._client.sync(self._client.scheduler.ncores, callback_timeout=_FETCH)
            threads = int(sum(found.values()))
        now = monotonic()
        self._seen = now if threads else self._seen
        if now - self._seen > NO_WORKERS:
            raise UnusableError(f"the cluster has had no workers for {NO_WORKERS:g} s")
        return threads

    def submit(self, batch: Batch) -> None:
        """Hand a batch to the scheduler."""
        future = self._client.submit(work, self._pack, batch, BATCH_SECONDS, pure=False)
        self._hold(future, batch)

    def collect(self, timeout: float) -> list[Returned]:
        """Batches that the scheduler has results of, or has given up."""
        futures = []
        with suppress(Empty):
            futures.append(self._finished.get(timeout=timeout))
            while True:
                futures.append(self._finished.get_nowait())
        return [back for future in futures for back in self._fetched(future)]

    def _hold(self, future: Any, batch: Batch) -> None:
        self._running[future] = batch
        future.add_done_callback(self._finished.put)

    def _fetched(self, future: Any) -> list[Returned]:
        batch = self._running.pop(future)
        try:
            outcome: Outcome = future.result(timeout=_FETCH)
        except TimeoutError:
            # It went with its worker before it was fetched, and is being done again.
            self._hold(future, batch)
            return []
        except CancelledError:
            return [Returned(batch)]  # by a restart of the scheduler or of its workers
        except KilledWorker:
            return [Returned(batch, died=True)]
        except Exception as error:
            # Replicates' own errors are results; this is one of the cluster.
            raise UnusableError(f"a worker could not take up the study: {error}") from error
        return [Returned(batch, outcome)]


@contextmanager
def cluster(scheduler: str, pack: bytes) -> Iterator[Cluster]:
    """Connect to a running Dask cluster.

    Parameters
    ----------
    scheduler : str
        Address of the scheduler. Secrets for ``tls://`` are taken from Dask's configuration.
    pack : bytes
        The study, from :func:`mnbayes.studies.batches.packed`.

    Raises
    ------
    InputError
        If nothing answers at the address, if the cluster has no workers, or if workers have other
        versions of mnbayes or of the packages its numbers depend on (each one is listed).
    """
    # Client itself, where nothing answers, is left half made and delays the program's end.
    with ThreadPoolExecutor(1) as thread:  # a notebook has an event loop in its own
        answer = thread.submit(asyncio.run, _greeted(scheduler)).result()
    if answer:
        expected = "the address of a running Dask scheduler, such as tcp://host:8786"
        raise InputError([_problem(None, f"{quoted(scheduler)} ({answer})", expected)])
    client = Client(scheduler, timeout=CONNECT, set_as_default=False)
    try:
        _await_worker(client, scheduler)
        _check_workers(client, pack)
        yield Cluster(client, pack)
    finally:
        client.close(timeout=_CLOSE)


def _problem(worker: str | None, found: str, expected: str) -> Problem:
    return Problem("--scheduler", None, worker, found, expected)


async def _greeted(address: str) -> str:
    """Why there is no scheduler at an address; blank where there is one."""
    try:
        secrets = Security().get_connection_args("client")
        async with rpc(address, timeout=CONNECT, connection_args=secrets) as peer:
            identity = await asyncio.wait_for(peer.identity(), CONNECT)
    except Exception as error:
        # Another kind of server may answer with anything, which Dask reads as though it were its
        # own language: a MemoryError for a length of exabytes, for one.
        reason = str(error).strip() or "no answer"
        return f"{type(error).__name__}: {reason.splitlines()[0]}"
    kind = str(identity.get("type"))
    return "" if kind == "Scheduler" else f"a {kind.lower()}"


def _await_worker(client: Client, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=JOIN)
    except TimeoutError:
        found = f"a scheduler without workers at {scheduler}"
        raise InputError([_problem(None, found, f"a worker within {JOIN:g} s")]) from None


def _check_workers(client: Client, pack: bytes) -> None:
    """Refuse a cluster whose workers would compute something else, or nothing.

    Asked outside the scheduling of tasks: a worker that cannot read a task ends without a word.
    """
    answers: dict[str, Any] = {}

    def ask() -> None:
        try:
            client.run_on_scheduler(present)
        except Exception as error:
            answers["scheduler"] = error
        else:
            answers.update(client.run(differences, pack, on_error="return"))

    # In a thread of its own, since one frozen worker would keep all others' answers.
    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER)  # afterwards, each batch still checks its worker
    problems = []
    for place, answer in list(answers.items()):
        if isinstance(answer, Exception):  # without mnbayes there, nothing of it can be asked
            answer = [(repr(answer), "the same mnbayes")]
        problems += [_problem(place, found, expected + _HERE) for found, expected in answer]
    if problems:
        raise InputError(problems)
