"""A task for a worker process, in a module that imports next to nothing."""

from __future__ import annotations

from collections.abc import Callable


def double(task: int, news: Callable[[str, str, int, int], None]) -> int:
    """Twice the task, which is also reported."""
    news("task", "done", task, 0)
    return 2 * task
