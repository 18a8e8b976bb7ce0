"""TOML files that a user edits: read, and said what is wrong with them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mnbayes.problems import InputError, Problem, quoted


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary.

    Raises
    ------
    InputError
        If the file is missing, is not UTF-8 or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            [Problem(str(path), None, None, error.strerror or "unreadable", "a TOML file")]
        ) from error
    except RecursionError:
        found = "tables or lists nested too deeply"
        raise InputError([Problem(str(path), None, None, found, "a prior's numbers")]) from None
    except ValueError as error:
        # Not UTF-8, not TOML, or a number or date that Python itself refuses.
        found = quoted(error)
        raise InputError([Problem(str(path), None, None, found, "valid TOML in UTF-8")]) from error


def validation_problems(error: ValidationError, file: str) -> list[Problem]:
    """Pydantic's errors as problems, the key path standing in for the column."""
    return [
        Problem(
            file,
            None,
            ".".join(str(part) for part in item["loc"] if part != "") or None,
            "otherwise" if isinstance(item["input"], dict) else repr(item["input"])[:80],
            item["msg"].removeprefix("Value error, "),
        )
        for item in error.errors()
    ]
