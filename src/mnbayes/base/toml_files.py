"""TOML files that a user edits: read, and said what is wrong with them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ValidationError

from mnbayes.base.problems import InputError, Problem, did_you_mean, quoted
from mnbayes.base.untrusted_text import CONTROL, visible


def _file_name(text: str) -> str:
    if not re.fullmatch(r"\w[\w+. -]{0,99}", text):
        expected = (
            "letters, digits, _, +, -, points and spaces, at most 100: files are called by it"
        )
        raise ValueError(f"{expected}; found {quoted(text)}")
    return text


#: A name by which files are called: no path leads anywhere else.
FileName = Annotated[str, AfterValidator(_file_name)]


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary.

    Raises
    ------
    InputError
        If the file is missing, is not UTF-8 or is not TOML.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            [Problem(str(path), None, None, error.strerror or "unreadable", "a TOML file")]
        ) from error
    except ValueError as error:  # a path that Python itself refuses
        raise _no_toml(str(path), error) from error
    return parse_toml(content, str(path))


def parse_toml(content: bytes, file: str) -> dict[str, Any]:
    """As :func:`read_toml`, of what a file holds.

    Raises
    ------
    InputError
        If it is not UTF-8 or is not TOML.
    """
    try:
        text = content.decode("utf-8-sig")
        read = tomllib.loads(text.replace("\r\n", "\n").replace("\r", "\n"))
    except RecursionError:
        found = "tables or lists nested too deeply"
        raise InputError([Problem(file, None, None, found, "a prior's numbers")]) from None
    except ValueError as error:
        # Not UTF-8, not TOML, or a number or date that Python itself refuses.
        raise _no_toml(file, error) from error
    # An escape such as \u001b says what the file itself may not hold.
    if problems := list(_control_codes(read, Path(file).name, ())):
        raise InputError(problems)
    return read


def _no_toml(file: str, error: ValueError) -> InputError:
    return InputError([Problem(file, None, None, quoted(error), "valid TOML in UTF-8")])


def _control_codes(value: object, file: str, place: tuple[str, ...]) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _control_codes(key, file, place)
            yield from _control_codes(each, file, (*place, visible(key)))
    elif isinstance(value, list):
        for each in value:
            yield from _control_codes(each, file, place)
    elif isinstance(value, str) and CONTROL.search(value):
        expected = "text without control codes"
        yield Problem(file, None, ".".join(place), quoted(value), expected)


def toml_text(text: str) -> str:
    """A text as a basic string of TOML, on one line: its escapes are those of JSON."""
    whole = text.encode("utf-8", "replace").decode()  # a lone surrogate is no character
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def plain_toml(values: Mapping[str, Any], place: str = "") -> list[str]:
    """Plain values as lines of TOML: numbers, texts, and tables of them in any depth."""
    own, below = [], []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            below.append((key, [value], False))
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            below.append((key, value, True))
        else:
            own.append(f"{_key(key)} = {_plain_value(value)}")
    for key, tables, many in below:
        inner = f"{place}.{_key(key)}" if place else _key(key)
        for table in tables:
            own += ["", f"[[{inner}]]" if many else f"[{inner}]", *plain_toml(table, inner)]
    return own


def _key(key: object) -> str:
    text = str(key)
    return text if re.fullmatch("[A-Za-z0-9_-]+", text) else toml_text(text)


def _plain_value(value: Any) -> str:
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain_value, value))}]"
    return "{}" if isinstance(value, Mapping) else repr(value)


def validation_problems(
    error: ValidationError, file: str, model: type[BaseModel] | None = None
) -> list[Problem]:
    """Pydantic's errors as problems, the key path standing in for the column.

    Parameters
    ----------
    error : ValidationError
    file : str
    model : type, optional
        What the file was validated as, to name the keys that a table of it may have.
    """
    return [
        Problem(
            file,
            None,
            ".".join(str(part) for part in item["loc"] if part != "") or None,
            *_found_and_expected(item["type"], item["msg"], item["loc"], item["input"], model),
        )
        for item in error.errors()
    ]


def _keys_at(model: type[BaseModel], path: tuple[int | str, ...]) -> tuple[str, ...]:
    """Keys that a table may have, found by walking the models along its path."""
    for part in path:
        if isinstance(part, str):
            named = {field.alias or name: field for name, field in model.model_fields.items()}
            annotation = named[part].annotation
            kinds = (annotation, *get_args(annotation))  # a table, perhaps one of many or none
            model = next(k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel))
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _found_and_expected(
    kind: str,
    message: str,
    place: tuple[int | str, ...],
    value: object,
    model: type[BaseModel] | None,
) -> tuple[str, str]:
    key = place[-1] if place else ""
    if kind == "missing":
        return "nothing", f"a value for {key}"
    if kind == "extra_forbidden" and model is not None:
        keys = _keys_at(model, place[:-1])
        return "unknown key", f"one of {', '.join(keys)}{did_you_mean(str(key), keys)}"
    if kind == "extra_forbidden":
        return "unknown key", "only keys that mnbayes's own file of this kind has"
    expected = message.removeprefix("Value error, ").removeprefix("Input should be ")
    if "; found " in expected:  # from a check of our own, which knows what is worth quoting
        expected, _, found = expected.partition("; found ")
        return found or "blank", expected
    return "otherwise" if isinstance(value, dict) else repr(value)[:80], expected
