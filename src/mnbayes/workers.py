"""Tasks side by side in processes, with one line of news from all of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any

#: Called with what is being worked on, a stage, the steps done and in all.
News = Callable[[str, str, int, int], None]

_queue: Any = None  # of a worker process: where it reports


def _receive_queue(queue: Any) -> None:
    global _queue
    _queue = queue


def _report(name: str, stage: str, done: int, total: int) -> None:
    if _queue is not None:
        _queue.put((name, stage, done, total))


def _work[Task, Done](function: Callable[[Task, News], Done], task: Task) -> Done:
    return function(task, _report)


def side_by_side[Task, Done](
    function: Callable[[Task, News], Done],
    tasks: Sequence[Task],
    news: News,
    meanwhile: Callable[[], None] = lambda: None,
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
    meanwhile : callable
        Called in this process once a task is done: a core is free then. Not called where the
        tasks run in this process.

    Returns
    -------
    list
        In the order of the tasks.
    """
    workers = min(len(tasks), os.cpu_count() or 1)
    if workers <= 1:
        return [function(task, news) for task in tasks]
    context = get_context("spawn")
    queue = context.Queue()

    def relay() -> None:
        while (message := queue.get()) is not None:
            news(*message)

    listener = threading.Thread(target=relay, daemon=True)
    listener.start()
    try:
        with ProcessPoolExecutor(workers, context, _receive_queue, (queue,)) as pool:
            running = [pool.submit(_work, function, task) for task in tasks]
            wait(running, return_when=FIRST_COMPLETED)
            meanwhile()
            return [future.result() for future in running]
    finally:
        queue.put(None)
        listener.join(timeout=5)
