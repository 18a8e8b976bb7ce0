"""Load a cohort under pseudonyms: no name leaves this module, not in an error's message either."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mnbayes.base.csv_files import csv_table
from mnbayes.base.new_files import write_new
from mnbayes.base.problems import InputError, Problem
from mnbayes.data.cohort import Cohort, load_cohort
from mnbayes.data.pseudonyms import pseudonyms_of, retold
from mnbayes.data.read_table import read_table
from mnbayes.data.schema import COLUMNS, REQUIRED

if TYPE_CHECKING:
    import pandas as pd


def load_pseudonymised(
    folder: Path, *, arm: str | None = None, accept_implausible: bool = False
) -> tuple[Cohort, pd.DataFrame]:
    """As :func:`mnbayes.load_cohort` and :meth:`mnbayes.Cohort.pseudonymised`.

    Raises
    ------
    InputError
        With every problem of every file, under pseudonyms as well.
    """
    try:
        cohort = load_cohort(folder, arm=arm, accept_implausible=accept_implausible)
    except InputError as error:
        raise InputError(retold(error.problems, pseudonyms_of(_listed(folder)))) from None
    return cohort.pseudonymised()


def _listed(folder: Path) -> list[str]:
    """Every patient that a table names, those of the patients' table first."""
    found: list[str] = []
    for name in COLUMNS:
        if folder.is_dir():
            table, _ = read_table(
                folder, name, optional=True, columns=COLUMNS[name], required=REQUIRED[name]
            )
            if table is not None and "patient" in table.text:
                found += table.text["patient"].tolist()
    return found


def check_key(path: Path | None, folder: Path | None) -> None:
    """Refuse a file for the key that would lie among what is passed on, or be no table.

    Parameters
    ----------
    path : Path or None
        None: no key is asked for.
    folder : Path or None
        Of the run; None where a command writes none.

    Raises
    ------
    InputError
    """
    if path is None:
        return
    if folder is not None and path.resolve().is_relative_to(folder.resolve()):
        found = f"{path}, in the folder of the run"
        expected = "a file elsewhere: whoever is given the run must not be given the key"
        raise InputError([Problem("--pseudonym-key", None, None, found, expected)])
    if path.suffix.lower() != ".csv":
        found, expected = str(path), "a file name in .csv"
        raise InputError([Problem("--pseudonym-key", None, None, found, expected)])


def write_key(key: pd.DataFrame, path: Path | None) -> None:
    """Write the key for its owner alone; a file that holds the same key stays as it is.

    Raises
    ------
    InputError
        If the file holds something else, or cannot be written.
    """
    content = csv_table(key)
    if path is None or (path.is_file() and path.read_bytes() == content):
        return
    write_new(path, content.decode(), " (--pseudonym-key FILE)")
    path.chmod(0o600)
