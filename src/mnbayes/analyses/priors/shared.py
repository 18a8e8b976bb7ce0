"""Every prior of a run once: what models and markers share stands in one row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from mnbayes.base.text_table import Table
from mnbayes.cards.card import Card, PriorSpec
from mnbayes.data.markers import Catalogue
from mnbayes.report.kit import wording

#: Columns of ``priors.csv``: every prior of every model, nothing left out.
PRIOR_COLUMNS = ("model", "parameter", "marker", "distribution", "meaning", "why", "source")
_NUMBER = r"\d+(?:\.\d+)?"
#: A number, or a range as sources print it (723-2271).
_NUMBERS = re.compile(rf"(?<![\w.])(?:[−-](?=\d))?{_NUMBER}(?:-{_NUMBER})?")
_ABOVE = "as above"


@dataclass
class Shared:
    """Priors of one parameter that differ in their numbers alone.

    Attributes
    ----------
    parameter : str
    models : list of str
        Names, in the run's order.
    specs : dict
        Marker to its prior; the key is blank where a prior is of all markers.
    """

    parameter: str
    models: list[str] = field(default_factory=list)
    specs: dict[str, PriorSpec] = field(default_factory=dict)

    @property
    def distribution(self) -> str:
        """The distribution; of several markers with the range of each argument."""
        return merged([spec.formula for spec in self.specs.values()])

    @property
    def meaning(self) -> str:
        """What it means in clinical terms."""
        return merged([spec.explained for spec in self.specs.values()])

    @property
    def why(self) -> str:
        """Its reason."""
        return merged([spec.why for spec in self.specs.values()])

    @property
    def sources(self) -> tuple[str, ...]:
        """Its sources, each once."""
        gathered: dict[str, list[str]] = {}
        for spec in self.specs.values():
            for text in filter(None, re.split(r";\s+", spec.source)):
                gathered.setdefault(_without_numbers(text), []).append(text)
        return tuple(merged(texts) for texts in gathered.values())


def _without_numbers(text: str) -> str:
    return _NUMBERS.sub("#", text)


def merged(texts: Sequence[str]) -> str:
    """Texts that differ in numbers alone as one: a number that varies becomes its range.

    Examples
    --------
    >>> merged(["Normal(7.16, 0.4)", "Normal(5.26, 0.4)"])
    'Normal(5.26–7.16, 0.4)'
    >>> merged(["of 723-2271 cells", "of 61-607 cells"])
    'of … cells'
    """
    first = texts[0]
    columns = zip(*([m.group() for m in _NUMBERS.finditer(text)] for text in texts), strict=True)
    shown = iter([_range(column) for column in columns])
    return _NUMBERS.sub(lambda _: next(shown), first)


def _range(numbers: Sequence[str]) -> str:
    if len(set(numbers)) == 1:
        return numbers[0]
    try:
        ordered = sorted(numbers, key=lambda text: float(text.replace("−", "-")))
    except ValueError:  # ranges, as sources print them
        return "…"
    between = " to " if any(text[0] in "-−" for text in ordered) else "–"
    return f"{ordered[0]}{between}{ordered[-1]}"


def shared_priors(cards: Iterable[Card]) -> tuple[Shared, ...]:
    """Gather the priors of some cards, parameter by parameter in the cards' order."""
    gathered: dict[str, dict[tuple[str, ...], Shared]] = {}
    for card in cards:
        for parameter in card.parameters:
            rows = gathered.setdefault(parameter, {})
            for marker, spec in card.prior[parameter].items():
                text = _without_numbers(f"{spec.formula}|{spec.explained}|{spec.why}")
                # Two cards may give one marker different numbers: these are two rows.
                variant = 0
                while (row := rows.get((text, str(variant)))) is not None:
                    if row.specs.get(marker, spec) == spec:
                        break
                    variant += 1
                row = rows.setdefault((text, str(variant)), Shared(parameter))
                row.specs[marker] = spec
                if card.name not in row.models:
                    row.models.append(card.name)
    return tuple(row for rows in gathered.values() for row in rows.values())


def marker_names(names: Iterable[str], known: Catalogue) -> str:
    """Markers in a cell: "CD3+, CD4+ and B lymphocytes"."""
    by_last: dict[str, list[str]] = {}
    for name in names:
        first, _, last = known[name].label.rpartition(" ")
        by_last.setdefault(last, []).append(first)
    return ", ".join(f"{wording.listed(firsts)} {last}".strip() for last, firsts in by_last.items())


def shared_table(cards: Sequence[Card], known: Catalogue) -> tuple[Table, ...]:
    """Every prior once, and the sources by their numbers.

    Returns
    -------
    tuple of Table
        No reason and no source stands twice.
    """
    sources: dict[str, int] = {}
    said: set[str] = set()
    rows: list[tuple[str, ...]] = []
    meaning = ""
    names = [card.name for card in cards]
    of_all = {marker for card in cards for marker in card.markers}
    for row in shared_priors(cards):
        markers = [marker for marker in row.specs if marker]
        told = (
            "all markers" if not markers or set(markers) == of_all else marker_names(markers, known)
        )
        numbers = dict.fromkeys(str(_number(text, sources)) for text in row.sources)
        models = "all models" if row.models == names else ", ".join(row.models)
        cited = f" [{', '.join(numbers)}]" if numbers else ""
        rows.append(
            (
                row.parameter,
                told if len(names) == 1 else f"{told} ({models})",
                row.distribution,
                _ABOVE if row.meaning == meaning else row.meaning,
                f"{_new_sentences(row.why, said)}{cited}",
            )
        )
        meaning = row.meaning
    head = ("Parameter", "Of", "Prior", "In clinical terms", "Why [source]")
    first = Table("Every prior once", head, tuple(rows), frozenset(range(5)), wide=True)
    listed = tuple((str(number), text) for text, number in sources.items())
    second = Table("Sources of the priors", ("No.", "Source"), listed, frozenset({1}), wide=True)
    return (first, second) if listed else (first,)


def _number(text: str, sources: dict[str, int]) -> int:
    """The number of a source, a new one if need be.

    One that ends as another does is the same: a card may name the file before it, or not.
    """
    for known, number in sources.items():
        if f" {known}".endswith(f" {text}") or f" {text}".endswith(f" {known}"):
            return number
    return sources.setdefault(text, len(sources) + 1)


def _new_sentences(why: str, said: set[str]) -> str:
    """What of a reason was not said before."""
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", why.strip())
    new = [sentence for sentence in sentences if sentence not in said]
    said.update(sentences)
    return " ".join(new) or _ABOVE


def prior_frame(cards: Iterable[Card]) -> pd.DataFrame:
    """Every prior of every model (``priors.csv``), columns :data:`PRIOR_COLUMNS`."""
    rows = [
        (card.name, parameter, marker, spec.formula, spec.explained, spec.why, spec.source)
        for card in cards
        for parameter in card.parameters
        for marker, spec in card.prior[parameter].items()
    ]
    return pd.DataFrame(rows, columns=list(PRIOR_COLUMNS)).astype("str")


def same_priors(card: Card, marker: str) -> Mapping[str, str]:
    """What of a card decides the levels of a marker under its priors alone, but correlations."""
    return {
        parameter: spec.formula
        for parameter in card.parameters
        if parameter != "correlation"
        for name, spec in card.prior[parameter].items()
        if name in ("", marker)
    }
