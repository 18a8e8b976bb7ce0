"""Printing a report: which browser, what it is told, and what is said when it fails."""

from __future__ import annotations

import os
import select
import stat
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mnbayes as mn
from mnbayes.base.problems import InputError
from mnbayes.cli import app
from mnbayes.report import pdf
from mnbayes.report.pdf import PrintError, find_browser, report_pdf

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the browsers here are scripts")

#: A browser that writes what it was told into the file it should print.
PRINTS = """
for each in "$@"; do case "$each" in --print-to-pdf=*) out="${each#*=}";; esac; done
{ echo "%PDF-1.7"; printf '%s\\n' "$@"; } > "$out"
"""


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "a run"
    folder.mkdir()
    (folder / "report.html").write_text("<p>Report</p>", encoding="utf-8")
    return folder


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the search path, without a browser; none stands elsewhere."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(pdf, "places", lambda: iter(()))
    return folder


def test_a_browser_of_the_search_path_comes_first(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = script(tmp_path / "Google Chrome", "")
    monkeypatch.setattr(pdf, "places", lambda: iter((tmp_path / "none", elsewhere)))
    assert find_browser() == str(elsewhere)
    edge = script(nowhere / "msedge", "")
    assert find_browser() == str(edge)
    chromium = script(nowhere / "chromium", "")
    assert find_browser() == str(chromium)


def test_places_of_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROGRAMFILES", str(tmp_path))
    assert tmp_path / "Google/Chrome/Application/chrome.exe" in set(pdf.places())


def test_the_browser_prints_alone(run: Path, tmp_path: Path) -> None:
    made = mn.report_pdf(run, browser=script(tmp_path / "browser", PRINTS))
    assert made == run / "report.pdf"
    told = made.read_text(encoding="utf-8").splitlines()
    assert {"--headless", "--no-pdf-header-footer", "--disable-background-networking"} <= set(told)
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in told
    assert ("--no-sandbox" in told) == (os.geteuid() == 0)
    assert told[-1] == (run / "report.html").as_uri()
    (profile,) = (Path(each.partition("=")[2]) for each in told if "user-data-dir" in each)
    assert not profile.parent.exists()
    assert {path.name for path in run.iterdir()} == {"report.html", "report.pdf"}


def test_any_page_can_be_printed(run: Path, tmp_path: Path) -> None:
    (run / "annex.html").write_text("<p>Annex</p>", encoding="utf-8")
    browser = script(tmp_path / "browser", PRINTS)
    assert report_pdf(run / "annex.html", browser=browser) == run / "annex.pdf"


@pytest.mark.parametrize("missing", ["none", "."])
def test_what_is_no_page_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(InputError, match="no such page"):
        report_pdf(tmp_path / missing, browser="none")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo starting >&2; echo no display >&2; exit 1", "wrote no PDF: no display"),
        ("exit 0", "wrote no PDF$"),
        ('echo "<html>" > "$(dirname "$0")/a run/report.part.pdf"', "wrote no PDF$"),
    ],
)
def test_a_browser_that_fails_leaves_what_was_there(
    run: Path, tmp_path: Path, body: str, said: str
) -> None:
    (run / "report.pdf").write_bytes(b"%PDF of before")
    with pytest.raises(PrintError, match=said):
        report_pdf(run, browser=script(tmp_path / "browser", body))
    assert (run / "report.pdf").read_bytes() == b"%PDF of before"
    assert not (run / "report.part.pdf").exists()


def test_a_browser_that_does_not_start(run: Path, tmp_path: Path) -> None:
    (tmp_path / "browser").write_text("not a program", encoding="utf-8")
    with pytest.raises(PrintError, match="does not start: Permission denied"):
        report_pdf(run, browser=tmp_path / "browser")


def test_a_browser_that_hangs_is_ended_with_its_children(run: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        body = f"exec 3>'{pipe}'; sleep 600 & wait"
        with pytest.raises(PrintError, match=r"did not print within 0\.2 seconds"):
            report_pdf(run, browser=script(tmp_path / "browser", body), seconds=0.2)
        os.close(os.open(pipe, os.O_WRONLY))  # also if the browser did not get so far
        # The pipe ends when nobody holds its other end any more.
        assert select.select([reader], [], [], 60)[0]
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


def test_without_a_browser_nothing_is_fitted(nowhere: Path, tmp_path: Path) -> None:
    asked = ["fit", "--pdf", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[0].startswith(
        "--pdf: found no browser that can print; expected"
    )
    assert not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, [*asked, "--no-report"])
    assert done.exit_code == 2
    assert "--no-report" in done.stderr
