"""Texts and values that a file should not hold, and TOML with any of them in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from mnbayes.base.toml_files import toml_text

#: Of cells, names, units, dates, and of those who mean harm.
ODD = (
    *("2", "4.2", "7", "12", "25", "31.5", "60", "100", "mg/24h", "g/dL", "male", "P02", "P03"),
    *("", " ", "0", "-0", "-1", "1", "1e308", "1e309", "1e-320", "9" * 40, "9" * 5000, "1_000"),
    *("nan", "NaN", "inf", "-inf", "NA", "None", "null", "true", "TRUE", "#REF!", "#N/A", "<"),
    *("<0.2", ">20", "<<1", "1,5", "1.2.3", "1/2", "0x1F", "1E5", "001", "½", "²", "١٢", "٣"),
    *("2024-02-30", "2024-13-45", "0000-00-00", "9999-12-31", "03/04/2024", "-2024-01-01"),
    *("Week 4", "Week 99999999999", "Day 0", "Baseline", "Month ²", "Screening", "W", "week"),
    *("female", "g/24h", "mg/dL", "%", "10^9/L", "urine_protein_24h", "albumin", "P01", "p01"),
    *("=1+1", "+1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", "../../etc/passwd", "/", "\\", "."),
    *("\0", "\r", "\n", "\x1b[31m", "\x85", "\u2028", "\u202e", "\ufeff", "\ud800", "\x7f"),
    *(
        "<script>",
        "{{ 7 * 7 }}",
        "%s%n",
        "${x}",
        "'",
        '"',
        "'''",
        "`",
        "x" * 10_000,
        "é",
        "e\u0301",
    ),
    *("A1:XFD1048576", "A1048576", "XFD1", "-1:0", "rId99", "[", "(((", "a" * 39, "(?P<", "*"),
)


def _deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


_VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 2, 10**18, 10**400, -(10**30), 0.0, -0.0, 1.0, 0.5, 1e308, 5e-324, -1e-9, 1e6),
    *(float("nan"), float("inf"), float("-inf"), True, False, "", "x" * 10_000),
    *([], {}, [[]], {"a": {}}, [{}], [1, "a"], ["a", "a"], {"": 1}, [0] * 5000, _deep(150)),
    *(dt.date(2024, 2, 29), dt.time(1, 2), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
)

texts: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(ODD),
    st.text(max_size=12),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(repr),
)
values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(_VALUES), texts, st.floats(), st.integers(-3, 3000)
)


def toml_value(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, Mapping):
        inside = (f"{toml_text(str(name))} = {toml_value(each)}" for name, each in value.items())
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return "0" if value is None else repr(value)


def toml_file(tree: Mapping[str, Any]) -> str:
    """A whole file; tables are written on one line."""
    lines = (f"{toml_text(str(name))} = {toml_value(each)}\n" for name, each in tree.items())
    return "".join(lines)
