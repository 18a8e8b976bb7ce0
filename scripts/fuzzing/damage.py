"""Damage to a valid file: cells, rows, values, keys, members, frames, and bytes of any kind."""

from __future__ import annotations

import copy
import csv
import io
import json
import tomllib
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzzing.values import texts, toml_file, values
from mnbayes.studies.frames import framed, whole_frames

type Draw = Callable[[st.SearchStrategy[Any]], Any]

_ENCODINGS = ("utf-16", "utf-16-le", "utf-8-sig", "cp1252", "latin-1", "utf-32", "gb18030")
_MANY = 3000  # rows or lines put in at once


def _place(draw: Draw, length: int) -> int:
    return int(draw(st.integers(0, max(length - 1, 0))))


def of_bytes(draw: Draw, content: bytes) -> bytes:
    """Flip, cut, repeat, put in, or recode bytes."""
    start = _place(draw, len(content))
    end = start + draw(st.integers(1, 64))
    match draw(st.integers(0, 8)):
        case 0 | 1 | 2:
            flipped: bytes = draw(st.binary(min_size=1, max_size=8))
            return content[:start] + flipped + content[start + len(flipped) :]
        case 3:
            return content[:start]
        case 4:
            return content[:start] + content[end:]
        case 5:
            return content[:end] + content[start:]
        case 6:
            more: bytes = draw(st.binary(max_size=64))
            return content[:start] + more + content[start:]
        case 7:
            return content[start:]
        case _:
            text = content.decode("utf-8", "replace")
            return text.encode(draw(st.sampled_from(_ENCODINGS)), "replace")


def of_text(draw: Draw, content: bytes) -> bytes:
    """Repeat, drop, swap or fill lines; replace a word."""
    lines = content.decode("utf-8", "replace").splitlines(keepends=True) or [""]
    i, j = _place(draw, len(lines)), _place(draw, len(lines))
    match draw(st.integers(0, 6)):
        case 0:
            lines.insert(j, lines[i])
        case 1:
            del lines[i]
        case 2:
            lines[i], lines[j] = lines[j], lines[i]
        case 3:
            lines[i] *= _MANY
        case 4:
            words = lines[i].split(" ")
            words[_place(draw, len(words))] = draw(texts)
            lines[i] = " ".join(words)
        case 5:
            lines[i] = draw(st.sampled_from("[{(\"'#,;=")) * draw(st.integers(1, _MANY))
        case _:
            lines[i] = lines[i].replace(*draw(st.tuples(st.sampled_from(",.=\"'\n"), texts)))
    return "".join(lines).encode("utf-8", "replace")


def of_cells(draw: Draw, content: bytes) -> bytes:
    """Cells, rows and columns of a CSV file."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8", "replace"), newline="")))
    if not rows or not rows[0]:
        return of_bytes(draw, content)
    for _ in range(draw(st.integers(1, 3))):
        i, j = _place(draw, len(rows)), _place(draw, len(rows[0]))
        row = rows[i]
        column = min(j, max(len(row) - 1, 0))
        match draw(st.integers(0, 11)):
            case 0 | 1 | 2 | 3:
                row[column : column + 1] = [draw(texts)]
            case 4:  # one text in a whole column
                text = draw(texts)
                for each in rows[1:]:
                    each[column : column + 1] = [text]
            case 5:
                rows.insert(_place(draw, len(rows)), list(row))
            case 6 if len(rows) > 1:
                del rows[i]
            case 7:
                for each in rows:
                    del each[column : column + 1]
            case 8:
                for each in rows:
                    each.insert(_place(draw, len(each)), each[min(column, len(each) - 1)])
                    if draw(st.booleans()):
                        break
            case 9:
                other = rows[_place(draw, len(rows))]
                row[column : column + 1] = other[column : column + 1]
            case 10:
                rows[0][j : j + 1] = [draw(texts)]
            case _:
                rows += [list(row) for _ in range(draw(st.sampled_from((1, 20, _MANY))))]
        if not rows or not rows[0]:
            break
    written = io.StringIO(newline="")
    sign = draw(st.sampled_from((",", ",", ",", ",", ";", "\t")))
    csv.writer(
        written, delimiter=sign, lineterminator=draw(st.sampled_from(("\n", "\r\n")))
    ).writerows(rows)
    return written.getvalue().encode("utf-8", "replace")


def of_tree(draw: Draw, tree: Any) -> Any:
    """Values and keys of nested tables and lists, in place."""
    for _ in range(draw(st.integers(1, 3))):
        places: list[tuple[Any, Any]] = []
        waiting = [tree]
        while waiting:
            here = waiting.pop()
            inside = here.items() if isinstance(here, dict) else enumerate(here)
            for name, each in inside:
                places.append((here, name))
                if isinstance(each, dict | list) and len(places) < 5000:
                    waiting.append(each)
        if not places:
            return tree
        here, name = places[_place(draw, len(places))]
        other, another = places[_place(draw, len(places))]
        match draw(st.integers(0, 7)):
            case 0 | 1 | 2 | 3:
                here[name] = copy.deepcopy(draw(values))  # some are changed in their turn
            case 4:
                del here[name]
            case 5 if isinstance(here, dict):
                found = here[name] if draw(st.booleans()) else draw(values)
                here[draw(texts)] = copy.deepcopy(found)
            case 6 if isinstance(here, dict):
                here[draw(texts)] = here.pop(name)
            case _:  # what stands elsewhere
                here[name] = json.loads(json.dumps(other[another], default=str))
    return tree


def of_toml(draw: Draw, content: bytes) -> bytes:
    """A TOML file: a value or a key in five cases of six, else its text."""
    if draw(st.integers(0, 5)) == 0:
        return of_text(draw, content)
    try:
        return toml_file(of_tree(draw, tomllib.loads(content.decode()))).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return of_text(draw, content)


def of_json(draw: Draw, content: bytes) -> bytes:
    """The same of JSON, or of one JSON text a line."""
    if draw(st.integers(0, 5)) == 0:
        return of_text(draw, content)
    try:
        lines = [content] if content.lstrip()[:2] in (b"{\n", b"{ ") else content.splitlines()
        trees = [json.loads(line) for line in lines]
        i = _place(draw, len(trees))
        (trees[i],) = of_tree(draw, [trees[i]]) or [None]
        return "\n".join(json.dumps(tree, default=str) for tree in trees).encode()
    except (ValueError, RecursionError):
        return of_text(draw, content)


def of_workbook(draw: Draw, content: bytes) -> bytes:
    """Members of a workbook's archive: a text between tags, an attribute, bytes, one too few."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.integers(0, 7)):
            case 0 | 1 | 2 | 3:
                sign = draw(st.sampled_from(('"', ">")))
                parts = members.get(name, b"").decode("utf-8", "replace").split(sign)
                i = _place(draw, len(parts))
                kept = parts[i].partition("<")[2] if sign == ">" else ""
                text = draw(texts)
                parts[i] = text + ("<" + kept if kept else "")
                members[name] = sign.join(parts).encode("utf-8", "replace")
            case 4:
                members[name] = of_bytes(draw, members.get(name, b""))
            case 5:
                members.pop(name, None)
            case 6:
                members[draw(st.sampled_from(sorted(members) or ["a"]))] = members.get(name, b"")
            case _:
                members[name] = of_text(draw, members.get(name, b""))
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for member, each in members.items():
            archive.writestr(member, each)
    return written.getvalue()


def of_ledger(draw: Draw, content: bytes) -> bytes:
    """Frames of a ledger, whole again after the damage."""
    payloads = [bytes(each) for each in whole_frames(content)[0]]
    if len(payloads) < 2:
        return of_bytes(draw, content)
    i = _place(draw, len(payloads))
    match draw(st.integers(0, 5)):
        case 0 | 1:
            payloads[0] = of_json(draw, payloads[0])
        case 2 | 3:
            payloads[i] = of_bytes(draw, payloads[i])
        case 4:
            payloads.insert(_place(draw, len(payloads)), payloads[i])
        case _:
            del payloads[i]
    return b"".join(map(framed, payloads))


def of_draws(draw: Draw, content: bytes) -> bytes:
    """Variables and attributes of a posterior's file: gone, renamed, of another shape or kind."""
    import h5py  # type: ignore[import-untyped]

    file = io.BytesIO(content)
    with h5py.File(file, "r+") as tree:
        names: list[str] = []
        tree.visit(names.append)
        name = draw(st.sampled_from(sorted(names)))
        match draw(st.integers(0, 4)):
            case 0:
                del tree[name]
            case 1:
                attributes = tree[name].attrs if draw(st.booleans()) else tree.attrs
                if key := list(attributes):
                    attributes[key[_place(draw, len(key))]] = draw(
                        st.sampled_from(("", "x", 0, -1, np.nan, b"\xff", np.arange(3.0)))
                    )
            case 2:
                tree.move(name, f"moved_{len(names)}")
            case _:
                del tree[name]
                shape = draw(st.sampled_from(((), (0,), (1,), (2, 3), (2, 20, 6, 4, 1))))
                kind = draw(st.sampled_from(("f8", "i4", "S3", "u1")))
                tree[name] = np.full(shape, 1, kind)
    return file.getvalue()


#: By ending; what has none of these is damaged in its bytes alone.
KINDS: dict[str, Callable[[Draw, bytes], bytes]] = {
    ".csv": of_cells,
    ".toml": of_toml,
    ".json": of_json,
    ".ndjson": of_json,
    ".xlsx": of_workbook,
    ".ledger": of_ledger,
    ".nc": of_draws,
}


def damaged(draw: Draw, ending: str, content: bytes) -> bytes:
    """A file with some damage: of its own kind, of its bytes, or of both."""
    how = draw(st.integers(0, 7))
    if how and ending in KINDS:
        content = KINDS[ending](draw, content)
    if how < 2 or ending not in KINDS:
        for _ in range(draw(st.integers(1, 3))):
            content = of_bytes(draw, content)
    return content
