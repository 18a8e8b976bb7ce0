"""Tasks side by side in processes, with one line of news from all of them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import active_children, forkserver, get_context, get_start_method
from multiprocessing.util import get_temp_dir
from pathlib import Path
from queue import Empty
from typing import Any

from mnbayes.base.ending import deaf_to_interrupts, end_with_parent, undisturbed
from mnbayes.base.memory import free_memory
from mnbayes.base.new_files import mark_ours
from mnbayes.base.problems import InputError, Problem
from mnbayes.base.threads import one_thread

#: Called with what is being worked on, a stage, the steps done and in all.
News = Callable[[str, str, int, int], None]


#: Bytes of a process with what it has loaded, and of this one and the one that workers come from.
WORKER, _MAIN = 250_000_000, 700_000_000
#: Loads what workers need, once for all of them.
_PRELOADED = "mnbayes.worker_modules"

_queue: Any = None  # of a worker process: where it reports


def cores() -> int:
    """Cores that this process may use, as many as there is memory for a process each."""
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux: `taskset`, and what a scheduler allots
        count = min(count, len(os.sched_getaffinity(0)))
    free = free_memory()
    return count if free is None else max(1, min(count, (free - _MAIN) // WORKER))


def silent(*_: object) -> None:
    """Take news and show nothing."""


def _receive_queue(queue: Any) -> None:
    global _queue
    _queue = queue
    end_with_parent()


def _report(name: str, stage: str, done: int, total: int) -> None:
    if _queue is not None:
        _queue.put((name, stage, done, total))


def _work[Task, Done](function: Callable[[Task, News], Done], task: Task) -> Done:
    return function(task, _report)


def _context() -> Any:
    """How processes are started: from one that has loaded what they need, on Linux.

    Elsewhere, and where the user chose so (``multiprocessing.set_start_method("spawn")``), each
    loads it for itself: system libraries of macOS do not survive a fork.
    """
    if not _forked():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    # Its socket lies in a folder of multiprocessing's own, which a killed process leaves.
    mark_ours(Path(get_temp_dir()))
    return context


def _forked() -> bool:
    return sys.platform == "linux" and get_start_method(allow_none=True) != "spawn"


@contextmanager
def without_the_script() -> Iterator[None]:
    """Let no new process run the user's script: it needs nothing of it.

    A process that is started, not forked, first imports the main module. A script that calls
    mnbayes outside of ``if __name__ == "__main__"`` would there call it again, and again.
    """
    main = sys.modules.get("__main__")
    known = vars(main) if main is not None else {}
    hidden: dict[str, Any] = {
        name: known[name] for name in ("__file__", "__spec__") if name in known
    }
    known.pop("__file__", None)
    if "__spec__" in known:
        known["__spec__"] = None
    try:
        yield
    finally:
        known.update(hidden)


def prepare() -> None:
    """Start loading what workers need, in a process of its own, while this one goes on.

    Called where it is clear that work will be done side by side, as early as possible.
    """
    if _forked() and cores() > 1:
        _context()
        with deaf_to_interrupts(), one_thread(), without_the_script():
            forkserver.ensure_running()


def side_by_side[Task, Done](
    function: Callable[[Task, News], Done],
    tasks: Sequence[Task],
    news: News,
    finished: Callable[[int, Done], None] = silent,
) -> list[Done]:
    """Call a function on each task, in a process for each core where there are several.

    Parameters
    ----------
    function : callable
        Of a module, so that another process finds it; called with a task and with where to
        report.
    tasks : sequence
    news : callable
        Called in this process with what the tasks report.
    finished : callable
        Called in this process with the position of each task that is done and with what came of
        it, in the order in which they are done; the other tasks go on meanwhile.

    Returns
    -------
    list
        In the order of the tasks.

    Raises
    ------
    InputError
        If something ends one of the processes: the system, for want of memory.
    """
    workers = min(len(tasks), cores())
    if workers <= 1:
        done = []
        for position, task in enumerate(tasks):
            done.append(function(task, news))
            finished(position, done[-1])
        return done
    context, others = _context(), set(active_children())
    queue = context.Queue()

    failed = threading.Event()

    def relay() -> None:
        while not failed.is_set():
            with suppress(Empty):
                if (message := queue.get(timeout=0.2)) is None:
                    return
                news(*message)

    listener = threading.Thread(target=relay, daemon=True)
    listener.start()
    try:
        with ProcessPoolExecutor(workers, context, _receive_queue, (queue,)) as pool:
            try:
                # Processes start as tasks come. One whose start is cut short would complain.
                with undisturbed(), deaf_to_interrupts(), one_thread(), without_the_script():
                    running = {
                        pool.submit(_work, function, task): i for i, task in enumerate(tasks)
                    }
                for future in as_completed(running):
                    finished(running[future], future.result())
            except BaseException:
                # Ctrl-C, or a task that failed. The pool by itself would first do what waits; and a
                # process that is ended while it tells something leaves the queue locked.
                failed.set()
                pool.shutdown(wait=False, cancel_futures=True)
                queue.cancel_join_thread()
                own = set(active_children()) - others
                for process in own:
                    process.terminate()
                for process in own:
                    process.join(timeout=5)
                raise
            return [future.result() for future in running]
    except BrokenProcessPool:
        found = "a process that something ended (the system, for want of memory?)"
        expected = f"{workers} processes side by side, or fewer cores (taskset on Linux)"
        raise InputError([Problem("workers", None, None, found, expected)]) from None
    finally:
        queue.put(None)
        listener.join(timeout=5)
