"""The command line: each module holds the commands of one purpose, in the order of the help."""

from __future__ import annotations

import sys

from mnbayes.base.ending import end_as_interrupted
from mnbayes.base.threads import use_one_thread
from mnbayes.cli import cohorts as cohorts
from mnbayes.cli import evidence as evidence
from mnbayes.cli import explore as explore
from mnbayes.cli import exports as exports
from mnbayes.cli import imports as imports
from mnbayes.cli import priors as priors
from mnbayes.cli import runs as runs
from mnbayes.cli import streams
from mnbayes.cli import studies as studies
from mnbayes.cli.shared import app

use_one_thread()  # no command has loaded NumPy yet


def main() -> None:
    """Entry point of the ``mnbayes`` command."""
    _run(sys.argv[1:])


def fit_main() -> None:
    """Entry point of ``scripts/fit.py``: the ``fit`` command by itself."""
    _run(["fit", *sys.argv[1:]])


def _run(arguments: list[str]) -> None:
    streams.set_up()
    end_as_interrupted()
    status: int | str | None = 0
    try:
        app(arguments, prog_name="mnbayes")
    except SystemExit as done:
        status = done.code
    except OSError as error:  # help or a version on a full disk
        sys.stderr.write(f"output: {error.strerror}\n")
        status = 2
    raise SystemExit(streams.finished(status))
