"""How much memory there is, as the files of Linux say it."""

import re
from pathlib import Path

import pytest

from mnbayes.base import memory
from mnbayes.base.memory import check_memory, free_memory
from mnbayes.base.problems import InputError

GIB = 2**30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of a machine with 8 GiB that can be had, 2 of them swap."""
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "cgroup")
    (tmp_path / "proc" / "self").mkdir(parents=True)
    lines = f"MemTotal: 9 kB\nMemAvailable: {6 * 2**20} kB\nSwapFree: {2 * 2**20} kB\n"
    (tmp_path / "proc" / "meminfo").write_text(lines)
    return tmp_path


def limit(group: Path, names: tuple[str, str, str], most: str, used: int, droppable: int) -> None:
    group.mkdir(parents=True, exist_ok=True)
    (group / names[0]).write_text(f"{most}\n")
    (group / names[1]).write_text(f"{used}\n")
    (group / "memory.stat").write_text(f"anon 5\n{names[2]} {droppable}\nfile 7\n")


TWO = ("memory.max", "memory.current", "inactive_file")
ONE = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def test_the_machine_alone(machine: Path) -> None:
    assert free_memory() == 8 * GIB
    (machine / "proc" / "meminfo").write_text("of another kind")
    assert free_memory() is None
    check_memory(10**15, "nothing")  # nobody says that there is less


@pytest.mark.parametrize(
    ("line", "place", "names"),
    [
        ("0::/", "", TWO),
        ("0::/a/b", "a/b", TWO),
        ("0::/a/b/c", "a/b", TWO),  # a limit further up
        ("4:cpu,memory:/a", "cpu,memory/a", ONE),
    ],
)
def test_a_control_group(machine: Path, line: str, place: str, names: tuple[str, str, str]) -> None:
    (machine / "proc" / "self" / "cgroup").write_text(f"9:pids:/x\n{line}\n")
    limit(machine / "cgroup" / place, names, str(GIB), 700, 200)
    assert free_memory() == GIB - 500
    with pytest.raises(InputError, match=re.escape("found 1,074 MB free; expected some 2,000 MB")):
        check_memory(2 * 10**9, "less")
    limit(machine / "cgroup" / place, names, "max", 700, 200)
    assert free_memory() == 8 * GIB
    limit(machine / "cgroup" / place, names, "100", 700, 200)
    assert free_memory() == 0
