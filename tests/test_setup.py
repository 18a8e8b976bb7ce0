"""What ``make`` does first: finding a Python, or saying what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FIND = Path(__file__).parents[1] / "scripts" / "find_python.sh"


def find(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(FIND)],
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def python(folder: Path, name: str, version: tuple[int, int]) -> None:
    """A stand-in that calls itself a Python of some version."""
    text = f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = {version}; $2"\n'
    (folder / name).write_text(text, encoding="utf-8")
    (folder / name).chmod(0o755)


def test_without_a_python_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = find(tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "3.12" in done.stderr
    assert "install" in done.stderr


def test_a_python_that_is_too_old_does_not_count(tmp_path: Path) -> None:
    python(tmp_path, "python3", (3, 11))
    assert find(tmp_path).returncode == 1
    # … but any that is new enough does, under whatever name.
    python(tmp_path, "python", (3, 12))
    done = find(tmp_path)
    assert done.returncode == 0, done.stderr
    assert os.access(done.stdout.strip(), os.X_OK)


def test_the_users_own_choice_comes_first(tmp_path: Path) -> None:
    done = find(tmp_path, PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).samefile(sys.executable)


@pytest.mark.xdist_group("setup")
def test_a_group_of_tests_keeps_to_one_process(
    request: pytest.FixtureRequest, worker_id: str
) -> None:
    """Side by side, a group is told by the end of its tests' names; else each process fits all."""
    assert worker_id == "master" or request.node.nodeid.endswith("@setup")
