"""Replicates done again: whether recorded numbers are still those that the program gives.

A replicate's random stream is known from the study's seed and the replicate's place, so that any
one can be repeated by itself. What is compared is numbers: a study is stale when they have moved,
whatever happened to the files of the program.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mnbayes.base.problems import InputError, Problem
from mnbayes.studies.batches import work_here
from mnbayes.studies.identity import ELSEWHERE, LEDGER
from mnbayes.studies.records import as_frame, read_records
from mnbayes.studies.study import KINDS, Run, Study

#: Relative and absolute difference up to which two numbers are the same: processors of different
#: kinds, and other versions of compilers, round otherwise in the last of sixteen digits.
RELATIVE, ABSOLUTE = 1e-6, 1e-9


def repeated(study: Study, runs: Sequence[Run]) -> pd.DataFrame:
    """Do some replicates of a study in this process.

    Returns
    -------
    DataFrame
        As :func:`mnbayes.studies.run.run_study` returns it.
    """
    columns = {name: KINDS[kind] for name, kind in study.columns.items()}
    records = read_records(columns, [work_here(study, tuple(runs)).payload])
    return as_frame(records, [dict(cell.parameters) for cell in study.cells])


def first_replicates(study: Study, count: int) -> pd.DataFrame:
    """The first replicates of each cell of a study, done in this process.

    A stored result keeps them (:func:`as_lines`), and a test does them again.
    """
    return repeated(study, [Run(cell, 0, count) for cell in range(len(study.cells))])


def as_lines(table: pd.DataFrame) -> list[str]:
    """A table as lines of CSV, with digits enough to see a difference."""
    return table.to_csv(index=False, float_format="%.10g").splitlines()


def from_lines(lines: Sequence[str]) -> pd.DataFrame:
    """Read what :func:`as_lines` wrote; what is blank is missing."""
    return pd.read_csv(io.StringIO("\n".join(lines)))


def moved(recorded: Sequence[str], now: pd.DataFrame) -> list[str]:
    """Columns in which a table is no longer the recorded one.

    Parameters
    ----------
    recorded : sequence of str
        From :func:`as_lines`.
    """
    before, after = from_lines(recorded), from_lines(as_lines(now))
    if len(before) != len(after):
        return [f"{len(after)} rows, not {len(before)}"]
    names = dict.fromkeys([*before.columns, *after.columns])
    return [
        name
        for name in names
        if name not in before or name not in after or not _same(before[name], after[name])
    ]


def _same(one: pd.Series, other: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(one) and pd.api.types.is_numeric_dtype(other):
        pair = one.to_numpy(dtype=float), other.to_numpy(dtype=float)
        return bool(np.allclose(*pair, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True))
    # A column of texts that are all blank is read as one of missing numbers.
    texts = [each.astype(object).where(each.notna(), "").astype(str) for each in (one, other)]
    return texts[0].tolist() == texts[1].tolist()


def check_numbers(study: Study, recorded: pd.DataFrame) -> None:
    """Refuse a ledger whose first good replicate the program no longer repeats.

    Parameters
    ----------
    recorded : DataFrame
        The ledger's table.

    Raises
    ------
    InputError
        Naming each column that has moved.
    """
    good = recorded[recorded["failure"].isna()].head(1)
    if good.empty:
        return
    cell, replicate = (int(good[name].iloc[0]) for name in ("cell", "replicate"))
    again = repeated(study, [Run(cell, replicate, replicate + 1)])
    problems = [
        Problem(
            LEDGER,
            None,
            name,
            f"{good[name].iloc[0]} for replicate {replicate} of cell {cell}",
            f"{again[name].iloc[0]}, which this program gives{ELSEWHERE}",
        )
        for name in moved(as_lines(good), again)
    ]
    if problems:
        raise InputError(problems)
