"""A comparison as files: every number as CSV, the main ones as a picture."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mnbayes.analyses.comparison.figure import main_differences
from mnbayes.analyses.comparison.numbers import NUMBER_COLUMNS
from mnbayes.analyses.comparison.runs import Comparison
from mnbayes.answers.reported import KEYS
from mnbayes.base.csv_files import csv_table
from mnbayes.base.problems import InputError, Problem
from mnbayes.report.kit import plot_files
from mnbayes.run.outputs import file_name_problems


def check_names(out: Path | None, plot: Path | None) -> None:
    """Refuse file names of another kind, and a file that is something else than a comparison.

    Raises
    ------
    InputError
    """
    problems = [*file_name_problems({"--out": (out, ".csv")}), *plot_files.plot_problems(plot)]
    if out is not None and out.is_file() and not _is_comparison(out):
        expected = "a new file, or one that holds a comparison"
        problems.append(Problem("--out", None, None, f"{out}, another table", expected))
    if problems:
        raise InputError(problems)


def _is_comparison(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline().strip() == ",".join(NUMBER_COLUMNS).encode()


def every_number(comparison: Comparison) -> pd.DataFrame:
    """All numbers of either run, columns as :attr:`Comparison.numbers`.

    Where one run alone reports a number, the other's is blank and the verdict is ``only in a``
    or ``only in b``.
    """
    only = comparison.only
    in_a = only["run"] == "a"
    rows = only[list(KEYS)].assign(
        a=only["value"].where(in_a), b=only["value"].where(~in_a), verdict="only in " + only["run"]
    )
    return pd.concat([comparison.numbers, rows], ignore_index=True)[list(NUMBER_COLUMNS)]


def write_numbers(comparison: Comparison, path: Path) -> None:
    """Write :func:`every_number` as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(csv_table(every_number(comparison)))


def write_plot(comparison: Comparison, path: Path) -> None:
    """Draw the main numbers of both runs into a picture."""
    plot_files.write_plot(main_differences(comparison), path)
