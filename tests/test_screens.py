"""Screens of any kind: the exit status is true, and what a screen lacks is replaced."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mnbayes.cli import app


def run(
    *arguments: str, stdout: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "mnbayes.cli", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run's record whose title no screen of one byte a letter shows."""
    folder = tmp_path_factory.mktemp("runs") / "İstanbul"
    folder.mkdir()
    record = {"data": {"trial": {"title": "Zoë \u202e 周 \x1b[31m"}}, "started": "2026-01-02T03:04"}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder.parent


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "utf-8"])
def test_letters_that_a_screen_lacks_are_replaced(listed: Path, encoding: str) -> None:
    plain = {"COLUMNS": "40", "TERM": "dumb", "NO_COLOR": "1", "PYTHONIOENCODING": encoding}
    done = run("runs", str(listed), **plain)
    assert (done.returncode, done.stderr) == (0, b"")
    said = done.stdout.decode(encoding)
    assert ("周" in said) == (encoding == "utf-8")
    assert ("Zoë" in said) == (encoding != "ascii")
    assert "stanbul" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    refused = run("runs", str(listed / "gürültü→"), **plain)
    assert refused.returncode == 2
    assert b"expected" in refused.stderr
    assert b"Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "status"), [(("--help",), 0), (("runs", "{}"), 0), (("chec",), 2)]
)
def test_a_reader_who_left_changes_no_exit_status(
    listed: Path, arguments: tuple[str, ...], status: int
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(*(each.format(listed) for each in arguments), stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == status
    assert b"Traceback" not in done.stderr
    assert b"Broken" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device on this system")
@pytest.mark.parametrize("arguments", [("--help",), ("runs", "{}")])
def test_a_full_disk_is_said_once(listed: Path, arguments: tuple[str, ...]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = run(*(each.format(listed) for each in arguments), stdout=full)
    finally:
        os.close(full)
    assert done.returncode == 2
    assert done.stderr.count(b"No space left on device") == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [("withdrawal", "--strategy", "lofc"), ("characteristics", "--scenario", "no_chnge")],
)
def test_misspelt_names_are_all_that_is_said(command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "did you mean" in done.stderr


def test_the_tests_have_no_network() -> None:
    import socket

    with pytest.raises(AssertionError, match="reached for the network"):
        socket.getaddrinfo("example.org", 443)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one,
        pytest.raises(AssertionError, match="reached for the network"),
    ):
        one.connect(("192.0.2.1", 443))
    code = "import socket; print(socket.getaddrinfo.__module__)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "sitecustomize"
