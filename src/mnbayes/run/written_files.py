"""Which files of a run's folder the program wrote, and what becomes of the others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mnbayes.base.problems import few
from mnbayes.run.record import table_of

#: What the program may add to a folder that it wrote.
_ADDED = frozenset({"report.pdf"})
#: What it writes, where a folder has no list of that: folders that it fills, endings of files.
_FILLED, _ENDINGS = frozenset({"plots", "posterior"}), (".html", ".csv", ".svg")
_LISTED = 5  # names in a sentence


def write_record(folder: Path, manifest: str, described: Mapping[str, Any]) -> None:
    """Write the record of what was made, last of all: with the list of every other file."""
    written = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    text = json.dumps({**described, "written": written}, indent=2, ensure_ascii=False)
    (folder / manifest).write_text(f"{text}\n", encoding="utf-8")


def give_back(record: Mapping[str, Any], manifest: str, aside: Path, place: Path) -> list[str]:
    """Let what the program did not write stay in its place.

    Parameters
    ----------
    record : mapping
        Of the run that was moved aside.
    manifest : str
        Name of its file.
    aside, place : Path
        Where that run is now, and where it was.

    Returns
    -------
    list of str
        What stayed and what could not, in sentences.
    """
    stayed, left = [], []
    for path in list(foreign_files(aside, record, manifest)):
        name = path.relative_to(aside)
        try:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(place / name):
                left.append(name.as_posix())
            else:
                path.rename(place / name)
                stayed.append(name.as_posix())
        except OSError:
            left.append(name.as_posix())
    said = []
    if stayed:
        said.append(f"Stayed, as no file of a run: {few(stayed, _LISTED)}.")
    if left:
        said.append(f"Moved with it, as the new run has such a file: {few(left, _LISTED)}.")
    return said


def foreign_files(folder: Path, record: Mapping[str, Any], manifest: str) -> Iterator[Path]:
    """What the program did not write: files, and folders as a whole where none of it is in them.

    A record of an older version has no list of what was written; then the kinds of files decide.
    """
    written = record.get("written")
    if isinstance(written, list):
        own = frozenset({manifest, *map(str, written)}) | _ADDED
        yield from _unlisted(folder, folder, own)
        return
    listed = [table_of(each).get("files") for each in table_of(record, "sections").values()]
    tables = {f"{name}.csv" for names in listed if isinstance(names, list) for name in names}
    for path in sorted(folder.iterdir()):
        if path.name in {manifest, *_ADDED, *_FILLED}:
            continue
        if path.suffix == ".csv" and tables:
            if path.name not in tables:
                yield path
        elif path.is_dir() or path.suffix not in _ENDINGS:
            yield path


def _unlisted(folder: Path, inside: Path, own: frozenset[str]) -> Iterator[Path]:
    for path in sorted(inside.iterdir()):
        name = path.relative_to(folder).as_posix()
        if name in own:
            continue
        mixed = any(each.startswith(f"{name}/") for each in own)
        if mixed and path.is_dir() and not path.is_symlink():
            yield from _unlisted(folder, path, own)
        else:
            yield path
