"""How processes end that are told to: what they began is cleared up, none outlives the others."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

#: What asks a program to end: Ctrl-C, ``kill``, and a terminal that is closed (not on Windows).
_ASKED = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class EndedError(KeyboardInterrupt):
    """The program was told to end, by other means than Ctrl-C.

    Attributes
    ----------
    status : int
        Exit status, as of a process that the signal ended.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def _end(number: int, _: FrameType | None) -> NoReturn:
    raise EndedError(number)


def end_as_interrupted() -> None:
    """Have this program leave its blocks when it is told to end, as after Ctrl-C.

    What is told to be ignored (``nohup``) stays so.
    """
    for number in _ASKED:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def deaf() -> None:
    """Let nothing ask this process to end any more: it is about to."""
    if threading.current_thread() is threading.main_thread():
        for number in _ASKED:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def undisturbed() -> Iterator[None]:
    """What asks the program to end is heard after the block, which is short."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where Python tells nobody of a signal
        return
    heard: list[int] = []
    # None: set by something other than Python, which can be heard and not be set again.
    before = {each: signal.getsignal(each) for each in _ASKED}
    known = {number: handler for number, handler in before.items() if handler is not None}
    for number in known:
        signal.signal(number, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        for number, handler in known.items():
            signal.signal(number, handler)
        for number in heard:
            signal.raise_signal(number)


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started in the block do not hear Ctrl-C.

    The process that started them hears it and ends them; they would only add their own complaints.
    """
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows
    if masks:
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # multiprocessing's own; its start would undo the mask
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masks else set()
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def end_with_parent() -> None:
    """Have this worker process end when the one that started it does, however that ends.

    It would otherwise wait for work without end: its own copy of a pipe keeps that open.
    """
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
