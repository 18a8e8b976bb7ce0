"""The record of a run, ``run.json``, as it is read back: nothing heavy is needed for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnbayes.base.problems import InputError, Problem, did_you_mean, quoted

MANIFEST = "run.json"


def table_of(value: object, *path: str) -> dict[str, Any]:
    """A table inside what ``run.json`` holds; empty where it is not recorded."""
    found = _inside(value, path)
    return dict(found) if isinstance(found, Mapping) else {}


def texts_of(value: object, *path: str) -> tuple[str, ...]:
    """A list inside what ``run.json`` holds, as texts; empty where it is not recorded."""
    found = _inside(value, path)
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _inside(value: object, path: Sequence[str]) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def models_with(
    manifest: Mapping[str, Any], marker: str, chosen: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """What is recorded of a run's cards that have a marker: of those chosen, else of all.

    Raises
    ------
    InputError
        If one that is chosen does not have it, or none has.
    """
    models = {name: table_of(model) for name, model in table_of(manifest, "models").items()}
    able = {
        name: model
        for name, model in models.items()
        if marker in texts_of(model, "markers") and "own" not in model
    }
    unknown = [name for name in chosen if name not in able]
    if unknown or not able:
        expected = f"a model of the run that has {marker} ({', '.join(able) or 'none'})"
        raise InputError(
            Problem("--model", None, None, name, f"{expected}{did_you_mean(name, able)}")
            for name in unknown or ["no such model"]
        )
    return {name: able[name] for name in chosen or able}


def started_at(manifest: Mapping[str, Any]) -> datetime | None:
    """When a run started, in UTC; None where that is not recorded."""
    try:
        moment = datetime.fromisoformat(manifest["started"])
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a run's ``run.json``.

    Raises
    ------
    InputError
        If there is no such folder or file, or it is not a JSON object.
    """
    name, path = shown_name(folder), folder / MANIFEST
    expected = f"the folder of a run, with {MANIFEST} and its tables"
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise InputError([Problem(str(folder), None, None, found, expected)])
    if not path.is_file():
        raise InputError([Problem(str(folder), None, None, f"no {MANIFEST}", expected)])
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not JSON, not UTF-8
        problem = Problem(f"{name}/{MANIFEST}", None, None, str(error), "a run's JSON")
        raise InputError([problem]) from error
    if not isinstance(content, dict):
        found = quoted(json.dumps(content))
        raise InputError([Problem(f"{name}/{MANIFEST}", None, None, found, "a JSON object")])
    return content


def shown_name(folder: Path) -> str:
    """Name of a folder without its path, also of ``.``."""
    return folder.resolve().name


def read_or_empty(path: Path) -> dict[str, Any]:
    """What a record holds; nothing where there is none, or it is damaged."""
    try:
        return table_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return {}
