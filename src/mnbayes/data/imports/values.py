"""Values as people write them: decimal commas, detection limits, ranges, words for nothing."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import NamedTuple

from mnbayes.data.imports.grids import Cell, as_text
from mnbayes.data.imports.mapping import is_unit

_AMOUNT = r"[0-9][0-9.,]*(?:[eE][+-]?[0-9]{1,2})?"
_LIMIT = re.compile(rf"(<=|>=|<|>)? ?({_AMOUNT})(?: ?([^0-9].*))?")
_RANGE = re.compile(rf"({_AMOUNT}) ?(?:-|–|to|bis|~) ?({_AMOUNT})")
_COMMA = re.compile(r"[<>=≤≥ ]*[0-9]+,([0-9]+)\D*")
_SIGNS = str.maketrans({"≤": "<=", "≥": ">=", "＜": "<", "＞": ">", "−": "-", "\xa0": " "})
#: Years in which no visit of a trial at hand can lie.
FIRST_YEAR, LAST_YEAR = 1990, 2045


class CellError(ValueError):
    """A cell that holds something else than it should: what was expected."""


class Value(NamedTuple):
    """A value or an interval, as text for ``measurements.csv``; a unit where the cell has one."""

    value: str = ""
    lower: str = ""
    upper: str = ""
    unit: str = ""


class AmbiguousError(CellError):
    """A comma or point that may be decimal or may divide thousands."""


def decimal_sign(cells: Iterable[object]) -> str:
    """The comma where some text cannot be read otherwise ("2,8"), else blank."""
    for cell in cells:
        match = _COMMA.fullmatch(cell) if isinstance(cell, str) else None
        if match is not None and len(match[1]) != 3:
            return ","
    return ""


def number(text: str, decimal: str = "") -> str:
    """A number with a decimal point, as text.

    Raises
    ------
    AmbiguousError
        If "1,234" may be a thousand or one.
    CellError
        If it is no number.
    """
    mantissa, sign, exponent = text.partition("e" if "e" in text else "E")
    signs = [c for c in mantissa if c in ".,"]
    whole = re.fullmatch(r"[0-9]{1,3}(?:([.,])[0-9]{3})+", mantissa)
    if not signs:
        pass
    elif len(set(signs)) == 2:  # the last is the decimal one: 1.234,5
        thousands, last = signs[0], signs[-1]
        if signs.count(last) > 1 or not re.fullmatch(
            rf"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+{re.escape(last)}[0-9]+", mantissa
        ):
            raise CellError("a number")
        mantissa = mantissa.replace(thousands, "").replace(last, ".")
    elif len(signs) > 1:
        if whole is None:
            raise CellError("a number")
        mantissa = mantissa.replace(signs[0], "")
    elif whole is not None and not mantissa.startswith("0") and decimal != signs[0]:
        if decimal and decimal != "?":
            mantissa = mantissa.replace(signs[0], "")
        elif signs[0] == "," or decimal == "?":
            raise AmbiguousError('--decimal "," or --decimal "."')
    else:
        mantissa = mantissa.replace(",", ".")
    if not re.fullmatch(r"[0-9]{1,30}(?:\.[0-9]{0,30})?", mantissa):
        raise CellError("a number")
    return mantissa + (f"e{exponent}" if sign else "")


def read_value(cell: Cell, missing: Collection[str], decimal: str = "") -> Value | None:
    """A cell as a value or an interval; None where it says that there is none.

    Parameters
    ----------
    cell : str, float, bool or date
    missing : collection of str
        Words for nothing, in small letters.
    decimal : str
        The decimal sign: ".", ",", "" (not known: a point) or "?" (the file uses both).

    Raises
    ------
    CellError
        If it is neither; its text says what was expected.
    """
    if isinstance(cell, (dt.date, dt.datetime, dt.time, dt.timedelta)):
        raise CellError("a number; a spreadsheet makes dates of numbers such as 3.5")
    if isinstance(cell, bool):
        raise CellError("a number")
    text = as_text(cell)
    if text.casefold() in missing or not text:
        return None
    if isinstance(cell, (int, float)):
        return Value(text)
    text = unicodedata.normalize("NFKC", text.translate(_SIGNS)).translate(_SIGNS)
    if match := _RANGE.fullmatch(text):
        return Value("", number(match[1], decimal), number(match[2], decimal))
    match = _LIMIT.fullmatch(text)
    if match is None or (match[3] and not is_unit(match[3])):
        raise CellError("a number, a limit such as <0.1, or blank")
    amount, unit = number(match[2], decimal), match[3] or ""
    if not match[1]:
        return Value(amount, unit=unit)
    return Value("", *(("", amount) if "<" in match[1] else (amount, "")), unit)


def read_date(cell: object) -> dt.date | None:
    """A date of a cell: typed, ISO, or day.month.year; None where it is none, or only partial.

    Raises
    ------
    CellError
        If day and month may be swapped (03/04/2024), or the year is far from any trial at hand.
    """
    if isinstance(cell, dt.datetime):
        found = cell.date()
    elif isinstance(cell, dt.date):
        found = cell
    else:
        text = as_text(cell)
        if not (
            parts := re.fullmatch(
                r"(\d{1,4})([-/.年])(\d{1,2})[-/.月](\d{1,4})日?(?:[T ].*)?", text
            )
        ):
            return None
        first, sign, second, third = parts.groups()
        if len(first) == 4:
            order = (int(first), int(second), int(third))
        elif len(third) == 4 and (sign == "." or int(first) > 12):
            order = (int(third), int(second), int(first))
        elif len(third) == 4 and int(second) > 12:
            order = (int(third), int(first), int(second))
        elif len(third) == 4:
            raise CellError("a date as 2024-04-03: day and month may be swapped")
        else:
            raise CellError("a date with a year of four digits, as 2024-04-03")
        try:
            found = dt.date(*order)
        except ValueError:
            raise CellError("a date that exists") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise CellError(
            f"a date from {FIRST_YEAR} to {LAST_YEAR}; programs count days from 1900, 1904, 1960 "
            "or 1970, and a date that moved between them is years off"
        )
    return found
