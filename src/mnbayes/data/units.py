"""Convert laboratory units to a marker's canonical unit, or refuse.

A unit is read by a small grammar before pint sees it, so that nothing in a data file is ever
evaluated (``9**9**9`` is a unit to nobody), and pint knows only the dimensions that matter here.
Letter case counts, as it does in the SI: ``MG/DL`` would be megagrams and is refused.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mnbayes.data.markers import Marker

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pint

#: Units that laboratories give, the usual spelling of each: for messages, and to find out which
#: one was meant.
USUAL = (
    "g/24h",
    "mg/24h",
    "g/day",
    "g/g",
    "mg/g",
    "mg/mmol",
    "g/mol",
    "g/L",
    "g/dL",
    "mg/dL",
    "mmol/L",
    "umol/L",
    "mg/L",
    "nmol/L",
    "cells/uL",
    "/mm3",
    "10^9/L",
    "10^6/L",
    "K/uL",
    "mL/min/1.73m2",
    "mL/s/1.73m2",
    "mL/min",
    "RU/mL",
    "IU/mL",
    "U/L",
    "%",
)

_COUNTS_NOT_PERCENT = (
    "; not a percentage: a count is wanted, cells/uL = percent × total lymphocytes (cells/uL) / 100"
)


class UnitError(ValueError):
    """A unit that does not convert to the marker's canonical unit."""


class Conversion(NamedTuple):
    """Factor to the canonical unit: ``value * multiply / divide``, both whole where they can be.

    Dividing by 1000 rounds once where multiplying by 0.001 rounds twice: 3300 mg is then exactly
    3.3 g.
    """

    multiply: float
    divide: float


class _Kind(NamedTuple):
    """What of a marker decides how its units are read; hashable, as a Marker is not."""

    unit: str
    molar_mass: float | None
    spellings: tuple[tuple[str, float], ...]

    @property
    def counts(self) -> bool:
        return self.unit.startswith("cells/")

    @property
    def ratio(self) -> bool:
        """Whether it is mass by mass, such as protein by creatinine."""
        return self.unit in ("g/g", "mg/g", "mg/mg")


# Everything a unit of a marker is made of. Cells are a dimension of their own: "%" is not a
# concentration of cells. There is neither mega nor giga: "G/L" is a billion cells in one country
# and misspelt grams in the next, so it is read for cells alone, below.
_DEFINITIONS = (
    "deci- = 1e-1 = d-",
    "centi- = 1e-2 = c-",
    "milli- = 1e-3 = m-",
    "micro- = 1e-6 = μ- = u- = mc-",
    "nano- = 1e-9 = n-",
    "pico- = 1e-12 = p-",
    "kilo- = 1e3 = k-",
    "gram = [mass] = g = gm",
    "mole = [substance] = mol",
    "meter = [length] = m = metre",
    "liter = 1e-3 * meter**3 = L = l = litre",
    "second = [time] = s = sec",
    "minute = 60 * second = min",
    "hour = 60 * minute = h = hr",
    "day = 24 * hour = d",
    "cell = [cell_number]",
    # Arbitrary units: each assay's own.
    "relative_unit = [relative_unit] = RU",
    "international_unit = [international_unit] = IU",
    "enzyme_unit = [enzyme_unit] = U",
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
_A_SHARE = re.compile(
    r"(?:%|per ?cent|pct)(?: ?(?:of )?(?:total )?(?:lymphocytes|lymph\.?|cells?))?", re.IGNORECASE
)
_CUBIC_MILLIMETRE = re.compile(r"\b(?:cu ?mm|cmm)\b")
_BODY_SURFACE = re.compile(
    r"(?:/| per ) ?[{(\[]?1[.,]73[ _]?(?:m\^?2|sqm|qm)[})\]]?(?: ?bsa)?$", re.IGNORECASE
)
#: As UCUM writes a day's collection.
_GROUPED = re.compile(r"/\((24)\.?h\)$")
_CREATININE = re.compile(
    r"(?:(?<=[a-z])[ _-]?| ?)(?:of )?[{\[(]?(?:creatinine|kreatinin|creat|krea|crea|cr)\.?[})\]]?$",
    re.IGNORECASE,
)
_OF_CELLS = (
    (re.compile(r"(?:\{cells?\}|zellen|lymphocytes|\{lymphocytes\})", re.IGNORECASE), "cell"),
    (re.compile(r"(?:[Kk]|[Tt]sd\.?|[Tt]hou(?:sand)?) ?/"), "10^3/"),
    (re.compile(r"(?:G|Gpt|Gpt\.) ?/"), "10^9/"),
    (re.compile(r"(?:Mio\.?) ?/"), "10^6/"),
)
_LONGEST = 60


@cache
def _registry() -> pint.UnitRegistry:
    import pint

    # Fractions: 1 mg/dL of creatinine is 62500/707 umol/L, and no power of ten is ever rounded.
    registry = pint.UnitRegistry(None, non_int_type=Fraction)
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


def _of_kind(unit: str, kind: _Kind) -> str:
    """A plain unit without what only repeats the marker's kind: cells, creatinine."""
    unit = _GROUPED.sub(r"/\1h", unit)
    if kind.counts:
        for pattern, plain in _OF_CELLS:
            unit = re.sub(rf"^{pattern.pattern}", plain, unit, flags=pattern.flags)
        unit = unit.replace("{cell}", "cell")
    if kind.ratio:
        unit = _CREATININE.sub("", unit)
    return unit


def _quantity(unit: str, kind: _Kind) -> tuple[pint.Quantity, bool]:
    """Size of one plain `unit`, and whether it is by body surface."""
    import pint

    by_surface = _BODY_SURFACE.search(unit)
    if by_surface:
        unit = unit[: by_surface.start()]
    if (match := _GRAMMAR.fullmatch(_of_kind(unit, kind))) is None:
        raise UnitError(unit)
    part = match.groupdict()
    over = part["over"]
    if over is None:
        # "10^9/L" of a lymphocyte subset counts cells; a bare "/L" of albumin means nothing.
        if not kind.counts:
            raise UnitError(unit)
        over = "cell"
    under = part["under"] or part["inverse"]
    power = int(part["cubed"] or part["inverse_power"] or 1)
    registry = _registry()
    try:
        numerator = registry.Quantity(
            Fraction(10) ** int(part["exponent"] or 0), registry.parse_units(over)
        )
        denominator = registry.Quantity(
            Fraction(part["count"] or 1), registry.parse_units(under) ** power
        )
    except pint.UndefinedUnitError as error:
        raise UnitError(unit) from error
    except (ValueError, TypeError) as error:
        # pint reads "nan" as a number: "cannot have a scaling factor"
        raise UnitError(unit) from error
    if kind.ratio and not numerator.check("[mass]"):
        raise UnitError(unit)  # L/L has no dimension either
    return numerator / denominator, by_surface is not None


def _factor(unit: str, kind: _Kind) -> Fraction:
    plain = _plain(unit)
    if len(unit) > _LONGEST or not plain:
        raise UnitError(unit)
    if plain == _plain(kind.unit):
        return Fraction(1)
    for spelling, factor in kind.spellings:
        if plain == _plain(spelling):
            return Fraction(str(factor))
    if kind.unit == "%":
        if _A_SHARE.fullmatch(plain):
            return Fraction(1)
        raise UnitError(unit)
    registry = _registry()
    size, by_surface = _quantity(plain, kind)
    canonical, surface = _quantity(_plain(kind.unit), kind)
    if by_surface != surface:
        raise UnitError(unit)
    ratio = size / canonical
    if not ratio.dimensionless and kind.molar_mass is not None:
        grams = registry.Quantity(
            Fraction(str(kind.molar_mass)), registry.parse_units("g") / registry.parse_units("mol")
        )
        ratio = next((r for r in (ratio / grams, ratio * grams) if r.dimensionless), ratio)
    if not ratio.dimensionless:
        raise UnitError(unit)
    return Fraction(ratio.to(registry.dimensionless).magnitude)


@lru_cache(maxsize=4096)
def _conversion(unit: str, kind: _Kind) -> Conversion:
    factor = _factor(unit, kind)
    return Conversion(float(factor.numerator), float(factor.denominator))


def _kind(marker: Marker) -> _Kind:
    return _Kind(marker.unit, marker.molar_mass, tuple(marker.spellings.items()))


def conversion(unit: str, marker: Marker) -> Conversion:
    """Factor that takes a value in `unit` to the canonical unit of `marker`.

    Parameters
    ----------
    unit : str
        As written in the data, for example ``mg/24 h``, ``x10^9/L`` or ``mg/g{creat}``.
    marker : Marker

    Returns
    -------
    Conversion
        Factors; exact where the factor is a ratio of whole numbers.

    Raises
    ------
    UnitError
        If the unit is blank, not understood, or of another dimension; the message says what the
        marker needs.
    """
    kind = _kind(marker)
    try:
        return _conversion(unit, kind)
    except UnitError as error:
        message = f"a unit that converts to {marker.unit}: {_either(accepted(marker))}"
        if kind.counts and "/" not in unit and _PERCENT.search(_plain(unit[:_LONGEST])):
            message += _COUNTS_NOT_PERCENT
        raise UnitError(message) from error


def converts(unit: str, marker: Marker) -> bool:
    """Whether a unit converts to that of a marker."""
    try:
        _conversion(unit, _kind(marker))
    except UnitError:
        return False
    return True


def accepted(marker: Marker) -> tuple[str, ...]:
    """Spellings of a marker's units for messages, the canonical one first."""
    return _accepted(_kind(marker))


@cache
def _accepted(kind: _Kind) -> tuple[str, ...]:
    found = {kind.unit: Conversion(1.0, 1.0)}
    for unit in USUAL:
        with suppress(UnitError):
            found[unit] = _conversion(unit, kind)
    for unit, _ in kind.spellings:
        with suppress(UnitError):
            if (factor := _conversion(unit, kind)) not in found.values():
                found[unit] = factor
    return tuple(found)


def plain_unit(unit: str, marker: Marker) -> str:
    """The usual spelling of a unit that converts: ``mg/mmol`` for ``mg/mmol creatinine``.

    Raises
    ------
    UnitError
        If it does not convert.
    """
    factor = conversion(unit, marker)
    same = (name for name in accepted(marker) if conversion(name, marker) == factor)
    return next(same, _plain(unit))


def _either(names: Iterable[str], most: int = 5) -> str:
    *first, last = list(names)[:most]
    return f"{', '.join(first)} or {last}" if first else last
