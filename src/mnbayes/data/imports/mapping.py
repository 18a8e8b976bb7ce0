"""Names that files use for markers, columns and visits (``data/import_mapping.toml``)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping as Map
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.base.resources import import_mapping_file
from mnbayes.base.toml_files import read_toml, validation_problems
from mnbayes.data.markers import MARKERS, Catalogue

Words = Annotated[list[str], Field(max_length=500)]

#: Kinds of unit that never convert into each other, by what their text looks like.
_KINDS = (
    ("percent", re.compile(r"%|per ?cent|\bpct\b", re.IGNORECASE)),
    ("rate", re.compile(r"m?l/(?:min|s)\b", re.IGNORECASE)),
    (
        "per day",
        re.compile(r"/ ?(?:24|1? ?d(?:ay)?\b|tag|日|天|24小时)|(?:24 ?h|day)", re.IGNORECASE),
    ),
    ("ratio", re.compile(r"/ ?[mμu]?(?:g|mol)\b|crea?t?|krea", re.IGNORECASE)),
)
_ATOM = r"[a-zμ0-9.^*×{}\[\]_+-]{0,12}"
_UNIT = re.compile(
    rf"%|per ?cent|[xX×*]? ?10\^?[0-9]{{1,2}} ?/ ?[a-zμ]{{1,3}}|{_ATOM} ?/ ?{_ATOM}(?:/{_ATOM})?"
    r"(?: ?(?:h|hours?|m2|creatinine|krea))?",
    re.IGNORECASE,
)
_OVER = re.compile(
    r"(?:[kmμun]?g|[mμun]?mol|[mk]?l|m?iu|i?u|ru|k?u|cells?|\{cells\}|zellen|k|g|[x×]?10\^?[0-9]+|"
    r"[x×*]? ?10\^?[0-9]+|)",
    re.IGNORECASE,
)


def key(text: str) -> str:
    """A name without case, spaces and signs, save those that tell markers apart."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in plain if c.isalnum() or c in "+%:")


def unit_kind(unit: str) -> str:
    """Which kind of unit a text is: percent, rate, per day, ratio, or blank for any other."""
    plain = unicodedata.normalize("NFKC", unit)
    return next((kind for kind, pattern in _KINDS if pattern.search(plain)), "")


def plain_unit(text: str) -> str:
    """A unit without look-alike signs, and with a point in its 1,73 m²."""
    return unicodedata.normalize("NFKC", text).replace("1,73", "1.73").strip()


def is_unit(text: str) -> bool:
    """Whether a text looks like a unit of the laboratory."""
    plain = plain_unit(text)
    if len(plain) > 40 or not _UNIT.fullmatch(plain):
        return False
    return "/" not in plain or _OVER.fullmatch(plain.split("/")[0].strip()) is not None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _File(_Strict):
    """A mapping file as it stands."""

    missing: Words = Field(default_factory=list)
    yes: Words = Field(default_factory=list)
    no: Words = Field(default_factory=list)
    summary: Words = Field(default_factory=list)
    urine: Words = Field(default_factory=list)
    ask_specimen: Words = Field(default_factory=list)
    specimens: dict[str, Words] = Field(default_factory=dict)
    sex: dict[str, Words] = Field(default_factory=dict)
    columns: dict[str, Words] = Field(default_factory=dict)
    visits: dict[str, Words] = Field(default_factory=dict)
    names: dict[str, Words] = Field(default_factory=dict)
    codes: dict[str, str | Words] = Field(default_factory=dict)
    units: dict[str, dict[str, float]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Mapping:
    """What names mean; the user's file stands before the shipped one.

    Attributes
    ----------
    files : tuple of _File
        The strongest first.
    catalogue : mapping
        Markers by name.
    """

    files: tuple[_File, ...]
    catalogue: Catalogue

    @cached_property
    def units(self) -> frozenset[str]:
        """Units that the catalogue's markers declare, as :func:`plain_unit` writes them."""
        about = self.catalogue.values()
        return frozenset(plain_unit(u) for m in about for u in (m.unit, *m.spellings))

    def is_unit(self, text: str) -> bool:
        """Whether a text is a unit: one that a marker declares, or what looks like one."""
        return plain_unit(text) in self.units or is_unit(text)

    def words(self, table: str, name: str = "") -> list[str]:
        """All words of a list, or of one list of a table."""
        found: list[str] = []
        for each in self.files:
            value = getattr(each, table)
            found += value.get(name, []) if name else value
        return found

    @cached_property
    def names(self) -> Map[str, tuple[str, ...]]:
        """Markers by name, as :func:`key` writes it."""
        result: dict[str, tuple[str, ...]] = {}
        for each in self.files:
            own: dict[str, list[str]] = {}
            # The weakest file is the shipped one; markers of one's own go by their own names too.
            last = each is self.files[-1]
            listed: dict[str, list[str]] = {
                name: [] for name in self.catalogue if last
            } | each.names
            for marker, words in listed.items():
                about = self.catalogue[marker]
                for word in (marker, about.label, about.short, *words):
                    own.setdefault(key(word), []).append(marker)
            for word, markers in own.items():
                result.setdefault(word, tuple(dict.fromkeys(markers)))
        return result

    @cached_property
    def codes(self) -> Map[str, tuple[str, ...]]:
        """Markers by code in capitals; none where a code is left out on purpose."""
        result: dict[str, tuple[str, ...]] = {}
        for each in self.files:
            for code, given in each.codes.items():
                markers = [given] if isinstance(given, str) else given
                result.setdefault(code.upper(), tuple(m for m in markers if m))
        return result

    @cached_property
    def columns(self) -> Map[str, str]:
        """Columns about a patient or a visit by name, as :func:`key` writes it."""
        return self._keyed("columns")

    @cached_property
    def sexes(self) -> Map[str, str]:
        """Sex by word."""
        return self._keyed("sex")

    @cached_property
    def missing(self) -> frozenset[str]:
        """Words of a value that is not there, in small letters."""
        return frozenset(word.casefold() for word in self.words("missing"))

    def answer(self, text: str) -> bool | None:
        """Whether a text says yes or no; None where it says neither."""
        plain = text.strip().casefold()
        if plain in {word.casefold() for word in self.words("yes")}:
            return True
        return False if plain in {word.casefold() for word in self.words("no")} else None

    def specimen(self, *texts: str) -> str:
        """Urine or blood, as the first text that names one says; blank where none does."""
        for text in texts:
            for name in ("urine", "blood"):
                for word in self.words("specimens", name):
                    if re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text.casefold()):
                        return name
        return ""

    def of_kind(self, markers: tuple[str, ...], unit: str, specimen: str = "") -> tuple[str, ...]:
        """Those of some markers that a unit and a specimen allow; a blank one allows all."""
        urine = set(self.words("urine"))
        return tuple(
            name
            for name in markers
            if (not unit or unit_kind(unit) == unit_kind(self.catalogue[name].unit))
            and (not specimen or (specimen == "urine") == (name in urine))
        )

    def suggested_unit(self, marker: str, median: float) -> str:
        """The usual unit in which a median is nearest to the marker's typical value."""
        known = self.catalogue[marker]
        choices: dict[str, float] = {known.unit: 1.0}
        for each in reversed(self.files):
            choices |= each.units.get(marker, {})
        if median <= 0:
            return known.unit
        return min(
            choices,
            key=lambda unit: (
                max(known.typical, x) / min(known.typical, x)
                if (x := median * choices[unit]) > 0
                else float("inf")
            ),
        )

    def _keyed(self, table: str) -> dict[str, str]:
        result: dict[str, str] = {}
        for each in self.files:
            for name, words in getattr(each, table).items():
                for word in (name, *words):
                    result.setdefault(key(word), name)
        return result


def _read(path: Path, catalogue: Catalogue, shipped: _File | None) -> _File:
    try:
        found = _File.model_validate(read_toml(path))
    except ValidationError as error:
        raise InputError(validation_problems(error, path.name, _File)) from error
    problems = []
    # A code of no marker is one that is left out on purpose.
    coded = [
        (f"codes.{code}", [m for m in ([given] if isinstance(given, str) else given) if m])
        for code, given in found.codes.items()
    ]
    for place, markers in [
        *((f"names.{name}", [name]) for name in found.names),
        *((f"units.{name}", [name]) for name in found.units),
        *coded,
        ("urine", found.urine),
    ]:
        for name in markers:
            if name not in catalogue:
                expected = f"a marker{did_you_mean(name, catalogue)}"
                problems.append(Problem(path.name, None, place, f'"{name}"', expected))
    for table in ("columns", "visits", "sex", "specimens"):
        known = getattr(shipped, table) if shipped else {}
        for name in getattr(found, table):
            if shipped and name not in known:
                expected = f"one of {', '.join(known)}{did_you_mean(name, known)}"
                problems.append(
                    Problem(path.name, None, f"{table}.{name}", "unknown key", expected)
                )
    if problems:
        raise InputError(problems)
    return found


def load_mapping(path: Path | None = None, catalogue: Catalogue | None = None) -> Mapping:
    """The shipped mapping, and what a file adds to it.

    Parameters
    ----------
    path : Path, optional
        A TOML file of the same form as ``data/import_mapping.toml``.
    catalogue : mapping, optional
        Markers by name (default: those that mnbayes brings).

    Returns
    -------
    Mapping

    Raises
    ------
    InputError
        If the file cannot be read, or names markers or keys that do not exist.
    """
    known = MARKERS if catalogue is None else catalogue
    shipped = _read(import_mapping_file(), known, None)
    files = (shipped,) if path is None else (_read(path, known, shipped), shipped)
    return Mapping(files, known)
