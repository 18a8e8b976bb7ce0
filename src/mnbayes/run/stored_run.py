"""A run as it can be compared: read back from its folder, or taken from memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from mnbayes.answers.reported import PRIOR, ROW_KEYS, reported_numbers
from mnbayes.answers.result import Result
from mnbayes.base.csv_files import read_csv_table
from mnbayes.base.problems import InputError, Problem, gathered, quoted, row_problems
from mnbayes.cards.definitions import Definitions, parse_definitions
from mnbayes.data.read_table import read_table
from mnbayes.run.record import MANIFEST, read_manifest, shown_name, table_of, texts_of
from mnbayes.run.run import Run, of_models
from mnbayes.run.section import Section, Tidy
from mnbayes.run.stored_tree import DAMAGED

_GROUPS = ("posterior", PRIOR)
#: Tables of responses.
_RESPONSES = ("probabilities", "population")
_OLD_MAIN = "urine_protein_24h"
_DIMS = {"chain", "draw", "marker", "later_visit"}
#: Columns that hold probabilities and shares.
_SHARES = re.compile(r"(prior_)?probability|(p_fall(_[0-9]+)?|share_[a-z]+)(_prior)?")


@dataclass(frozen=True, eq=False)
class StoredRun:
    """What two runs are compared by.

    Attributes
    ----------
    name : str
        Name of the folder, without its path.
    manifest : dict
        What ``run.json`` holds; a run of another version may lack some of it.
    numbers : DataFrame
        See :func:`mnbayes.answers.reported.reported_numbers`.
    """

    name: str
    manifest: Mapping[str, Any]
    numbers: pd.DataFrame


def _prior_draws(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Draws of the prior by model: as many as of the posterior."""
    counts = {}
    for name, model in table_of(manifest, "models").items():
        chains, draws = (table_of(model).get(key) for key in ("chains", "draws"))
        if isinstance(chains, int) and isinstance(draws, int) and min(chains, draws) > 0:
            counts[name] = float(chains * draws)
    return counts


def read_numbers(folder: Path, name: str) -> pd.DataFrame:
    """Read one of the tables of :data:`mnbayes.answers.reported.ROW_KEYS` back.

    Parameters
    ----------
    folder : Path
        Of a run.
    name : str
        Name of the table, without ending.

    Returns
    -------
    DataFrame
        Its keys as text, but for ``week``; every other column as numbers, blank as NaN. Numbers
        are exactly those that were written.

    Raises
    ------
    InputError
        With every cell that is not what it should be.
    """
    run, file, keys = shown_name(folder), f"{name}.csv", ROW_KEYS[name]
    shown = f"{run}/{file}"
    if not (folder / file).is_file():
        raise InputError([Problem(shown, None, None, "no such file", "a table of a run")])
    content = (folder / file).read_bytes().strip()
    if content and b"\n" not in content:
        # A model that judges no response has a header alone, which no cohort's table may.
        columns = content.decode("utf-8", "replace").split(",")
        if len(set(columns)) < len(columns):
            raise InputError([Problem(shown, 1, None, quoted(",".join(columns)), "columns once")])
        text = pd.DataFrame(columns=columns, dtype="str")
    else:
        table, problems = read_table(folder, name)
        if table is None or problems:
            raise InputError([replace(problem, file=shown) for problem in problems])
        text = table.text
    text = text.drop(columns="synthetic", errors="ignore")  # the manifest says it, too
    missing = [key for key in keys if key not in text]
    if missing:
        found = quoted(",".join(text.columns))
        expected = f"columns {', '.join(keys)} (no {', '.join(missing)})"
        raise InputError([Problem(shown, 1, None, found, expected)])
    problems = []
    numbers = {}
    for column in text.columns:
        if column not in keys or column == "week":
            numbers[column], more = _numbers(shown, column, text[column])
            problems += more
    frame = text.assign(**numbers)
    twice = text[frame.duplicated(list(keys))]
    found_rows = [quoted(",".join(row)) for row in zip(*(twice[key] for key in keys), strict=True)]
    problems += row_problems(shown, None, list(twice.index), found_rows, "each row once")
    if problems:
        raise InputError(problems)
    return frame


def _numbers(file: str, column: str, cells: pd.Series[str]) -> tuple[list[float], list[Problem]]:
    values: list[float] = []
    bad: list[int] = []
    share = _SHARES.fullmatch(column) is not None
    for row, cell in cells.items():
        try:
            value = float(cell) if cell else np.nan
        except ValueError:
            value = np.inf
        if np.isinf(value) or (share and not (np.isnan(value) or 0.0 <= value <= 1.0)):
            bad.append(int(str(row)))
        values.append(value)
    found = [quoted(cells.loc[row]) for row in bad]
    expected = "a number from 0 to 1 or a blank" if share else "a finite number or a blank"
    return values, row_problems(file, column, bad, found, expected)


def _stored_draws(folder: Path, model: str) -> dict[str, xr.DataArray]:
    """Draws of the ratios from ``posterior/<model>.nc``; none where it cannot be read."""
    # xarray would look at every variable of the file, which takes a second.
    import h5netcdf  # type: ignore[import-untyped]

    if Path(model).name != model:
        return {}
    found = {}
    try:
        with h5netcdf.File(folder / "posterior" / f"{model}.nc", "r") as file:
            for group in _GROUPS:
                variables = file[group].variables
                draws = variables["visit_change"]
                coords = {name: _labels(variables[name][...]) for name in draws.dimensions}
                found[group] = xr.DataArray(draws[...], coords, draws.dimensions)
    except DAMAGED:
        return {}
    return {group: draws for group, draws in found.items() if set(draws.dims) == _DIMS}


def _labels(values: NDArray[Any]) -> list[Any]:
    return [label.decode() if isinstance(label, bytes) else label for label in values.tolist()]


def compared_tables(sections: Iterable[Section]) -> dict[str, Tidy]:
    """Tables of sections, beside those that every run has, of which two runs are compared."""
    return {
        name: table
        for section in sections
        for name, table in section.tables.items()
        if table.keys and name not in ROW_KEYS
    }


def _more_tables(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Tidy]:
    """As :func:`compared_tables`, read back by what the manifest says of each section."""
    found: dict[str, Tidy] = {}
    with gathered() as attempt:
        for section in table_of(manifest, "sections").values():
            for name, said in table_of(section, "compared").items():
                path = folder / f"{name}.csv"
                if name not in ROW_KEYS and path.name == f"{name}.csv" and path.is_file():
                    found[name] = attempt(_more_table, path, table_of(said))
    return found


def _more_table(path: Path, said: Mapping[str, Any]) -> Tidy:
    shown = f"{shown_name(path.parent)}/{path.name}"
    try:
        frame = read_csv_table(path)
    except (OSError, ValueError) as error:
        raise InputError([Problem(shown, None, None, quoted(error), "a table of a run")]) from error
    keys, errors = texts_of(said, "keys"), table_of(said, "errors")
    numbers = frame.select_dtypes("number").columns
    lacking = [key for key in keys if key not in frame]
    lacking += [name for both in errors.items() for name in both if name not in numbers]
    if lacking:
        found, expected = ", ".join(map(str, lacking)), "columns of the table, errors being numbers"
        raise InputError([Problem(f"{shown}, as {MANIFEST} has it", None, None, found, expected)])
    return Tidy(frame, keys, errors)


def recorded_definitions(manifest: Mapping[str, Any]) -> Definitions:
    """The definitions of response of a run.

    Raises
    ------
    InputError
        If they are not there, or are those of a version before responses were data.
    """
    recorded = table_of(manifest, "definitions")
    if "category" not in recorded:
        found = "none in the form of this version"
        expected = "a run of this version: fit again, or read the old run with its own version"
        raise InputError([Problem(MANIFEST, None, "definitions", found, expected)])
    return parse_definitions(recorded, MANIFEST)


def _judges(manifest: Mapping[str, Any]) -> bool:
    """Whether a model of a run judges responses; their tables are not written where none does."""
    models = [table_of(model) for model in table_of(manifest, "models").values()]
    # A version that did not record it judged by 24-h protein alone.
    return not models or any(
        bool(model["judged"])
        if "judged" in model
        else "markers" not in model or _OLD_MAIN in texts_of(model, "markers")
        for model in models
    )


def load_run(folder: str | Path) -> StoredRun:
    """Read a run back from its folder.

    Parameters
    ----------
    folder : str or Path
        As ``mnbayes fit`` wrote it. What a run of another version did not record is left blank;
        without ``posterior/<model>.nc`` the Monte Carlo errors of its ratios are unknown.

    Raises
    ------
    InputError
        If it is not a run's folder, or a file of it is damaged; every problem at once.
    """
    place = Path(folder)
    manifest = read_manifest(place)
    name = shown_name(place)
    unwritten = () if _judges(manifest) else _RESPONSES
    with gathered() as attempt:
        tables = {
            table: attempt(read_numbers, place, table)
            if table not in unwritten
            else pd.DataFrame(columns=list(keys))
            for table, keys in ROW_KEYS.items()
        }
        more = attempt(_more_tables, place, manifest)
    models = tables["estimates"]["model"].unique()
    draws = {str(model): _stored_draws(place, str(model)) for model in models}
    numbers = reported_numbers(tables, _prior_draws(manifest), draws, more)
    return StoredRun(name, manifest, numbers)


def stored(run: Run, name: str) -> StoredRun:
    """A run in memory, as :func:`load_run` would read it back from a folder of that name."""
    more = compared_tables(run.sections)
    # Where no model judges a response its tables are empty, and not among the run's.
    tables = {table: of_models(run, table) for table in ROW_KEYS} | run.tables
    return in_memory(run.results, tables, run.manifest, name, more)


def in_memory(
    results: Iterable[Result],
    tables: Mapping[str, pd.DataFrame],
    manifest: Mapping[str, Any],
    name: str,
    more: Mapping[str, Tidy] | None = None,
) -> StoredRun:
    """Results as a run that was read back.

    Parameters
    ----------
    results : iterable of Result
    tables : mapping
        Those of :data:`mnbayes.answers.reported.ROW_KEYS`, of all results.
    manifest : mapping
        What is known of what ``run.json`` would say.
    name : str
    more : mapping, optional
        See :func:`compared_tables`.
    """
    draws = {
        result.name: {
            group: result.fit.tree[group].to_dataset()["visit_change"]
            for group in _GROUPS
            if group in result.fit.tree.children
        }
        for result in results
    }
    manifest = json.loads(json.dumps(manifest))  # what comes back from a file: no tuples
    numbers = reported_numbers(tables, _prior_draws(manifest), draws, more)
    return StoredRun(name, manifest, numbers)
