"""The command line: each module holds the commands of one purpose, in the order of the help."""

from __future__ import annotations

import sys

from mnbayes.base.threads import use_one_thread
from mnbayes.cli import cohorts as cohorts
from mnbayes.cli import evidence as evidence
from mnbayes.cli import explore as explore
from mnbayes.cli import exports as exports
from mnbayes.cli import imports as imports
from mnbayes.cli import priors as priors
from mnbayes.cli import runs as runs
from mnbayes.cli import studies as studies
from mnbayes.cli.shared import app

use_one_thread()  # no command has loaded NumPy yet


def main() -> None:
    """Entry point of the ``mnbayes`` command."""
    app(prog_name="mnbayes")


def fit_main() -> None:
    """Entry point of ``scripts/fit.py``: the ``fit`` command by itself."""
    app(["fit", *sys.argv[1:]], prog_name="mnbayes")
