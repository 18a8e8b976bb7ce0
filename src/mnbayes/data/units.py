"""Convert laboratory units to a marker's canonical unit, or refuse.

A unit is read by a small grammar before pint sees it, so that nothing in a data file is ever
evaluated (``9**9**9`` is a unit to nobody), and pint knows only the dimensions that matter here.
Letter case counts, as it does in the SI: ``MG/DL`` would be megagrams and is refused.
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mnbayes.data.markers import MARKERS

if TYPE_CHECKING:
    import pint

EXAMPLES: dict[str, str] = {
    "g/24h": "g/24h, mg/24h or g/day",
    "g/L": "g/L, g/dL, mg/dL or mg/L",
    "cells/uL": "cells/uL, /mm3, 10^9/L or 10^6/L",
}
"""Accepted spellings by canonical unit, for messages."""

_COUNTS_NOT_PERCENT = (
    "; not a percentage: the models are log models of counts. Give absolute counts: "
    "cells/uL = percent × total lymphocytes (cells/uL) / 100"
)


class UnitError(ValueError):
    """A unit that does not convert to the marker's canonical unit."""


class Conversion(NamedTuple):
    """Factor to the canonical unit: ``value * multiply / divide``.

    One of the two is 1. Dividing by 1000 rounds once where multiplying by 0.001 rounds twice:
    3300 mg is then exactly 3.3 g.
    """

    multiply: float
    divide: float


# Everything a unit of these markers is made of. Cells are a dimension of their own: "%" is not a
# concentration of cells. There is neither mega nor giga: "G/L" is a billion cells in one country
# and misspelt grams in the next.
_DEFINITIONS = (
    "deci- = 1e-1 = d-",
    "centi- = 1e-2 = c-",
    "milli- = 1e-3 = m-",
    "micro- = 1e-6 = μ- = u- = mc-",
    "nano- = 1e-9 = n-",
    "kilo- = 1e3 = k-",
    "gram = [mass] = g = gm",
    "meter = [length] = m = metre",
    "liter = 1e-3 * meter**3 = L = l = litre",
    "hour = [time] = h = hr",
    "day = 24 * hour = d",
    "minute = hour / 60 = min",
    "cell = [cell_number]",
)

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_NAME = r"[A-Za-zμ]{1,12}"
_POWER_OF_TEN = r"[xX×*]? ?10(?:\^|\*\*?)(?P<exponent>[0-9]{1,2}) ?[×*·]? ?"
_GRAMMAR = re.compile(
    rf"(?:{_POWER_OF_TEN})?(?:(?P<over>{_NAME})|1)? ?"
    rf"(?:(?:/| per ) ?(?P<count>[1-9][0-9]{{0,2}})?[ -]?(?P<under>{_NAME})\^?(?P<cubed>3)?"
    rf"|[ .·*](?P<inverse>{_NAME})\^?-(?P<inverse_power>[13]))",
)
_PERCENT = re.compile(r"%|per ?cent|\bpct\b", re.IGNORECASE)
_CUBIC_MILLIMETRE = re.compile(r"\b(?:cu ?mm|cmm)\b")


@cache
def _registry() -> pint.UnitRegistry:
    import pint

    registry = pint.UnitRegistry(None)
    for line in _DEFINITIONS:
        registry.define(line)
    return registry


def _plain(unit: str) -> str:
    """One spelling for signs that look alike: superscripts, full-width letters, both micros."""
    text = re.sub(
        "[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+", lambda match: "^" + match.group().translate(_SUPERSCRIPTS), unit
    )
    # NFKC also turns the micro sign into the Greek letter, and "㎎" into "mg".
    text = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")
    text = " ".join(text.split()).replace(" /", "/").replace("/ ", "/")
    text = re.sub(r"\b[Cc]ells?\b", "cell", text)
    return _CUBIC_MILLIMETRE.sub("mm3", text)


def _quantity(unit: str, marker: str) -> pint.Quantity:
    """Size of one `unit`, as a pint quantity."""
    import pint

    if len(unit) > 40 or (match := _GRAMMAR.fullmatch(_plain(unit))) is None:
        raise UnitError(unit)
    part = match.groupdict()
    over = part["over"]
    if over is None:
        # "10^9/L" of a lymphocyte subset counts cells; a bare "/L" of albumin means nothing.
        if not MARKERS[marker].unit.startswith("cells/"):
            raise UnitError(unit)
        over = "cell"
    under = part["under"] or part["inverse"]
    power = int(part["cubed"] or part["inverse_power"] or 1)
    count = float(part["count"] or 1)
    registry = _registry()
    try:
        numerator = registry.Quantity(
            10.0 ** int(part["exponent"] or 0), registry.parse_units(over)
        )
        denominator = registry.Quantity(count, registry.parse_units(under) ** power)
    except pint.UndefinedUnitError as error:
        raise UnitError(unit) from error
    except ValueError as error:  # pint reads "nan" as a number: "cannot have a scaling factor"
        raise UnitError(unit) from error
    return numerator / denominator


@cache
def _canonical(marker: str) -> pint.Quantity:
    return _quantity(MARKERS[marker].unit, marker)


@lru_cache(maxsize=4096)
def conversion(unit: str, marker: str) -> Conversion:
    """Factor that takes a value in `unit` to the canonical unit of `marker`.

    Parameters
    ----------
    unit : str
        As written in the data, for example ``mg/24 h``, ``x10^9/L`` or ``cells/µL``.
    marker : str
        A name in `MARKERS`.

    Returns
    -------
    Conversion
        Factors; exact where the factor or its inverse is a whole number.

    Raises
    ------
    UnitError
        If the unit is blank, not understood, or of another dimension; the message says what the
        marker needs.
    KeyError
        If `marker` is not a marker.
    """
    import pint

    canonical = MARKERS[marker].unit
    message = f"a unit that converts to {canonical}: {EXAMPLES[canonical]}"
    if canonical.startswith("cells/") and "/" not in unit and _PERCENT.search(_plain(unit[:40])):
        message += _COUNTS_NOT_PERCENT
    try:
        ratio = (_quantity(unit, marker) / _canonical(marker)).to(_registry().dimensionless)
    except UnitError as error:
        raise UnitError(message) from error
    except pint.DimensionalityError as error:
        raise UnitError(message) from error
    factor = float(ratio.magnitude)
    # pint multiplies prefixes as floats; a whole factor, or one over a whole one, is meant so.
    if factor >= 1.0:
        whole = float(round(factor))
        return Conversion(whole if math.isclose(whole, factor, rel_tol=1e-12) else factor, 1.0)
    whole = float(round(1.0 / factor))
    if math.isclose(whole * factor, 1.0, rel_tol=1e-12):
        return Conversion(1.0, whole)
    return Conversion(float(f"{factor:.15g}"), 1.0)
