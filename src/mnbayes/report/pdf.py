"""The report as a PDF, printed by a browser that is there: Chromium, or one made from it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mnbayes.base.new_files import temporary_folder
from mnbayes.base.problems import InputError, Problem

#: Commands by which systems know a browser that prints without a window.
COMMANDS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge", "brave-browser", "brave"),
    *("vivaldi", "vivaldi-stable"),
)
_MAC = ("Google Chrome", "Chromium", "Microsoft Edge", "Brave Browser", "Vivaldi")
_WINDOWS = (
    "Google/Chrome/Application/chrome.exe",
    "Chromium/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
    "BraveSoftware/Brave-Browser/Application/brave.exe",
)
#: Seconds after which a browser is ended; a report takes some three.
SECONDS = 120.0


class PrintError(RuntimeError):
    """A browser was there and wrote no PDF."""


def places() -> Iterator[Path]:
    """Where browsers stand that are on no search path."""
    if sys.platform == "darwin":
        for root in (Path("/Applications"), Path.home() / "Applications"):
            for name in _MAC:
                yield root / f"{name}.app" / "Contents" / "MacOS" / name
    for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):  # of Windows alone
        if root_folder := os.environ.get(variable):
            yield from (Path(root_folder) / name for name in _WINDOWS)


def find_browser() -> str:
    """Path of a browser that can print.

    Raises
    ------
    InputError
        If there is none.
    """
    for name in COMMANDS:
        if found := shutil.which(name):
            return found
    for place in places():
        if place.is_file():
            return str(place)
    expected = (
        "Chromium, Chrome, Edge or Brave on this machine; without one, print report.html from "
        "the browser that shows it"
    )
    raise InputError([Problem("--pdf", None, None, "no browser that can print", expected)])


def report_pdf(
    run: str | Path, *, browser: str | Path | None = None, seconds: float = SECONDS
) -> Path:
    """Print a report as PDF beside its page.

    The browser has a profile of its own, no window and no network, and it ends with the call.

    Parameters
    ----------
    run : str or Path
        Folder of a run, whose ``report.html`` is printed, or a page such as its ``annex.html``.
    browser : str or Path, optional
        Default: the first that is found.
    seconds : float
        The browser is ended after so many seconds.

    Returns
    -------
    Path
        Of the PDF: the page's name with the ending ``.pdf``. One that was there is replaced.

    Raises
    ------
    InputError
        If there is no such page, or no browser.
    PrintError
        If the browser wrote no PDF, or not in time.
    """
    page = Path(run).resolve()
    if page.is_dir():
        page = page / "report.html"
    if not page.is_file():
        expected = "the folder of a run with report.html, or an HTML page"
        raise InputError([Problem(str(run), None, None, "no such page", expected)])
    browser = find_browser() if browser is None else str(browser)
    made = page.with_suffix(".pdf")
    # It takes the place of an earlier one when it is whole.
    part = made.with_name(f"{made.stem}.part.pdf")
    try:
        said = _print(browser, page, part, seconds)
        if not part.is_file() or part.read_bytes()[:4] != b"%PDF":
            raise PrintError(f"{browser} wrote no PDF{said}")
        part.replace(made)
    finally:
        part.unlink(missing_ok=True)
    return made


def _print(browser: str, page: Path, part: Path, seconds: float) -> str:
    """Let a browser print, and end it; its last words, with a colon before them."""
    with temporary_folder() as own:
        words = own / "said"
        command = [
            *(browser, "--headless", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--no-default-browser-check", "--disable-extensions"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            "--host-resolver-rules=MAP * ~NOTFOUND",  # a report needs no network
            f"--user-data-dir={own / 'profile'}",
            *("--no-pdf-header-footer", "--generate-pdf-document-outline"),
            f"--print-to-pdf={part}",
            page.as_uri(),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium refuses to start as root with one
        with words.open("wb") as said:
            try:
                # A group of its own: launchers start the browser as their child.
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
            except OSError as error:
                raise PrintError(f"{browser} does not start: {error.strerror}") from None
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                raise PrintError(f"{browser} did not print within {seconds:g} seconds") from None
            finally:
                _end(process)
        lines = words.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a browser with what it started."""
    if sys.platform == "win32":
        process.kill()
    else:
        # The group outlives its launcher; one that has ended is not found, or refused on macOS.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
