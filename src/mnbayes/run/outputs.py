"""The files of a run, written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnbayes.base.csv_files import csv_table
from mnbayes.base.problems import Problem
from mnbayes.run.keeping import Placed, Target, whole_folder
from mnbayes.run.record import MANIFEST
from mnbayes.run.written_files import write_record

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from mnbayes.run.run import Run
    from mnbayes.run.section import Picture


def write_tree(tree: xr.DataTree, folder: Path, name: str) -> None:
    """Write a model's draws into a folder, as ``<name>.nc``."""
    # By way of the memory: HDF5 takes a process down with it whose disk is full.
    (folder / f"{name}.nc").write_bytes(tree.to_netcdf(engine="h5netcdf"))


def write_run(
    run: Run,
    folder: Path | Target,
    report: Mapping[str, str] | None = None,
    draws: Path | None = None,
) -> Placed:
    """Write every output of a run into ``folder``, whole or not at all.

    Parameters
    ----------
    run : Run
        With its sections.
    folder : Path or Target
        New, empty, or one whose run may be moved aside (:mod:`mnbayes.run.keeping`).
    report : mapping, optional
        File name to HTML page.
    draws : Path, optional
        Folder with the draws that are already written (:func:`write_tree`), and ArviZ's
        pictures of each model in a folder of its name; they are moved.

    Returns
    -------
    Placed

    Raises
    ------
    InputError
        If ``folder`` holds something.
    """
    with whole_folder(folder, converged=run.converged) as made:
        place = made.path
        for name, table in run.written.items():
            (place / f"{name}.csv").write_bytes(csv_table(table))
        trees = {result.name: result.fit.tree for result in run.results}
        for section in run.sections:
            trees |= section.trees
        (place / "posterior").mkdir()
        for name, tree in trees.items():
            written = None if draws is None else draws / f"{name}.nc"
            if written is not None and written.exists():
                shutil.move(written, place / "posterior")
            else:
                write_tree(tree, place / "posterior", name)
        (place / "plots").mkdir()
        for section in run.sections:
            for model, pictures in section.pictures.items():
                for picture in pictures:
                    (place / picture.path(model)).write_bytes(picture.content)
        drawn = [name for name in trees if draws is not None and (draws / name).is_dir()]
        if draws is not None and drawn:
            (place / "plots" / "arviz").mkdir()
            for name in drawn:
                shutil.move(draws / name, place / "plots" / "arviz")
        for name, page in (report or {}).items():
            (place / name).write_text(page, encoding="utf-8")
        write_record(place, MANIFEST, run.manifest)
    return made.placed


def write_beside(
    target: Target,
    described: Mapping[str, Any],
    *,
    tables: Mapping[str, pd.DataFrame],
    trees: Mapping[str, xr.DataTree],
    pictures: Mapping[str, Picture],
    page: str,
) -> Placed:
    """Write the files of a model that stands beside a cohort, whole or not at all.

    Parameters
    ----------
    target : Target
    described : mapping
        Goes into the target's record, by which the folder is known again.
    tables, trees, pictures : mapping
        By file, without ending; draws go into ``posterior/``, pictures into ``plots/``.
    page : str
        The HTML page.

    Returns
    -------
    Placed
    """
    converged = bool(described.get("converged", True))
    with whole_folder(target, converged=converged) as made:
        place = made.path
        for name, table in tables.items():
            (place / f"{name}.csv").write_bytes(csv_table(table))
        (place / "posterior").mkdir()
        for name, tree in trees.items():
            write_tree(tree, place / "posterior", name)
        (place / "plots").mkdir()
        for name, picture in pictures.items():
            (place / "plots" / f"{name}.svg").write_bytes(picture.content)
        (place / "report.html").write_text(page, encoding="utf-8")
        write_record(place, target.manifest, described)
    return made.placed


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole: a reader, or a kill, never meets half of it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)


def file_name_problems(endings: Mapping[str, tuple[Path | None, str]]) -> list[Problem]:
    """Files that a user asks for under a name of another kind.

    Parameters
    ----------
    endings : mapping
        Option to the path, if one was given, and the ending it must have.
    """
    return [
        Problem(option, None, None, str(path), f"a file name in {ending}")
        for option, (path, ending) in endings.items()
        if path is not None and (path.suffix.lower() != ending or path.is_dir())
    ]
