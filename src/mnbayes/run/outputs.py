"""The files of a run, written whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnbayes.base.new_files import replacing
from mnbayes.base.problems import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from mnbayes.run.run import Run
    from mnbayes.run.section import Picture

MANIFEST = "run.json"


def new_folder(parent: Path, started: datetime) -> Path:
    """A folder name under ``parent`` that is not taken, such as ``results/20260102-030405``."""
    stem = started.strftime("%Y%m%d-%H%M%S")
    candidates = (parent / (stem if i == 1 else f"{stem}-{i}") for i in range(1, 10_000))
    return next(path for path in candidates if not path.exists())


def check_replaceable(folder: Path, manifest: str = MANIFEST) -> None:
    """Refuse a folder whose content is not a previous run's.

    Parameters
    ----------
    folder : Path
    manifest : str
        Name of the file by which a folder of this kind is known.

    Raises
    ------
    InputError
        If ``folder`` is a file, or holds something but no such file.
    """
    expected = f"a new folder, an empty one, or one that holds an earlier run's {manifest}"
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / manifest).is_file():
            raise InputError(
                [Problem("--out", None, None, f"{folder}, which holds other files", expected)]
            )
    elif any(parent.exists() and not parent.is_dir() for parent in folder.parents):
        raise InputError(
            [Problem("--out", None, None, f"{folder}, which lies in a file", expected)]
        )
    elif folder.exists() or folder.is_symlink():
        raise InputError([Problem("--out", None, None, f"{folder}, which is a file", expected)])


@contextmanager
def whole_folder(folder: Path, manifest: str = MANIFEST) -> Iterator[Path]:
    """A temporary folder that takes the place of ``folder`` when the block succeeds.

    It lies beside ``folder``, so that the move is a rename. If the block fails or the process
    is killed, what ``folder`` held before is untouched.
    """
    check_replaceable(folder, manifest)
    with replacing(folder) as place:
        yield place


def write_tree(tree: xr.DataTree, folder: Path, name: str) -> None:
    """Write a model's draws into a folder, as ``<name>.nc``."""
    tree.to_netcdf(folder / f"{name}.nc", engine="h5netcdf")


def write_run(
    run: Run, folder: Path, report: Mapping[str, str] | None = None, draws: Path | None = None
) -> None:
    """Write every output of a run into ``folder``.

    Parameters
    ----------
    run : Run
        With its sections.
    folder : Path
        Replaced whole if it holds an earlier run.
    report : mapping, optional
        File name to HTML page.
    draws : Path, optional
        Folder with the draws that are already written (:func:`write_tree`), and ArviZ's
        pictures of each model in a folder of its name; they are moved.

    Raises
    ------
    InputError
        If ``folder`` holds something that is not a run.
    """
    with whole_folder(folder) as place:
        for name, table in run.written.items():
            table.to_csv(place / f"{name}.csv", index=False)
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
        _write_json(place / MANIFEST, run.manifest)


def write_beside(
    folder: Path,
    manifest: str,
    described: Mapping[str, Any],
    *,
    tables: Mapping[str, pd.DataFrame],
    trees: Mapping[str, xr.DataTree],
    pictures: Mapping[str, Picture],
    page: str,
) -> None:
    """Write the files of a model that stands beside a cohort, whole or not at all.

    Parameters
    ----------
    folder : Path
    manifest : str
        File of what is described; by it the folder is known again.
    described : mapping
    tables, trees, pictures : mapping
        By file, without ending; draws go into ``posterior/``, pictures into ``plots/``.
    page : str
        The HTML page.

    Raises
    ------
    InputError
        If the folder holds something else.
    """
    with whole_folder(folder, manifest) as place:
        for name, table in tables.items():
            table.to_csv(place / f"{name}.csv", index=False)
        (place / "posterior").mkdir()
        for name, tree in trees.items():
            write_tree(tree, place / "posterior", name)
        (place / "plots").mkdir()
        for name, picture in pictures.items():
            (place / "plots" / f"{name}.svg").write_bytes(picture.content)
        (place / "report.html").write_text(page, encoding="utf-8")
        _write_json(place / manifest, described)


def _write_json(path: Path, described: Mapping[str, Any]) -> None:
    text = json.dumps(described, indent=2, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


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
