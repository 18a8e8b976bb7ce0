"""How much memory there is for this process and its workers, asked before it is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mnbayes.base.problems import InputError, Problem

#: Bytes of address space: a fit runs in these, and not in 2 GiB.
_MAPPED = 3 * 2**30

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
#: Files of a control group: the limit, what is used, what of it can be dropped (in memory.stat).
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def free_memory() -> int | None:
    """Bytes that can still be taken before the kernel ends a process; None where nobody says.

    The least of what the machine has, swap included, and what the control groups of this process
    allow (containers, batch systems). Linux only.
    """
    found = list(_free())
    return min(found) if found else None


def _free() -> Iterator[int]:
    with suppress(OSError, KeyError, ValueError):
        lines = (line.split() for line in (_PROC / "meminfo").read_text().splitlines())
        kilobytes = {words[0]: int(words[1]) for words in lines}
        yield 1024 * (kilobytes["MemAvailable:"] + kilobytes["SwapFree:"])
    with suppress(OSError):
        for line in (_PROC / "self" / "cgroup").read_text().splitlines():
            _, kind, name = line.split(":", 2)
            if not kind or "memory" in kind.split(","):
                root, files = (_GROUPS / kind, _VERSION_1) if kind else (_GROUPS, _VERSION_2)
                group = root / name.lstrip("/")
                for each in (group, *group.parents):
                    yield from _free_of(each, *files)
                    if each == root:
                        break


def _free_of(group: Path, limit: str, used: str, droppable: str) -> Iterator[int]:
    with suppress(OSError, ValueError):  # no such file; "max"
        most = int((group / limit).read_text())
        stat = re.search(rf"^{droppable} (\d+)", (group / "memory.stat").read_text(), re.MULTILINE)
        yield max(0, most - int((group / used).read_text()) + int(stat[1] if stat else 0))


def check_memory(need: int, instead: str) -> None:
    """Whether there is enough memory, where the system can say so.

    Parameters
    ----------
    need : int
        Bytes.
    instead : str
        What the user can do, as the end of the message.

    Raises
    ------
    InputError
    """
    free = free_memory()
    if free is not None and free < need:
        found, expected = f"{free / 1e6:,.0f} MB free", f"some {need / 1e6:,.0f} MB, or {instead}"
        raise InputError([Problem("memory", None, None, found, expected)])


def check_address_space() -> None:
    """Whether this process may map what its libraries do (``ulimit -v``, batch systems).

    Raises
    ------
    InputError
    """
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY and most < _MAPPED:
        expected = (
            f"{_MAPPED / 1e6:,.0f} MB or no limit (ulimit -v): libraries map more than they use"
        )
        found = f"an address space of {most / 1e6:,.0f} MB"
        raise InputError([Problem("memory", None, None, found, expected)])
