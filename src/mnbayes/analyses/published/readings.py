"""What a published sentence says of single patients, under each reading of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mnbayes.analyses.published.contradictions import patients
from mnbayes.analyses.published.counts import Counts, best_counts, outcome_counts
from mnbayes.analyses.published.facts import Facts, Reduction
from mnbayes.base.arrays import Floats
from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.cards.definitions import PROTEIN, Definitions

RemissionReading = Literal["half", "unknown"]
NoResponseReading = Literal["smaller_fall", "no_fall", "unknown"]
EndsReading = Literal["known", "rounded"]
Withdrawn = Literal["missing", "failure", "success"]

#: Switch to choice to what it says; ``{half}`` and ``{least}`` are falls in percent.
WORDS: dict[str, dict[str, str]] = {
    "remission": {
        "half": "remission needs a fall of at least {half}",
        "unknown": "remission says nothing of the size of the fall",
    },
    "no_response": {
        "smaller_fall": "no response is a fall of less than {least}, or a rise",
        "no_fall": "no response is no fall at all",
        "unknown": "no response says nothing of the change",
    },
    "ends": {
        "known": "the ends of a range are known as printed",
        "rounded": "the ends of a range were rounded, and are known within that",
    },
    "withdrawn": {
        "missing": "the withdrawn are missing: like the others",
        "failure": "the withdrawn had no response",
        "success": "the withdrawn did as well as the best category",
    },
}


class Readings(BaseModel):
    """How ambiguous sentences are read; the choices are the keys of :data:`WORDS`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    remission: RemissionReading = "half"
    no_response: NoResponseReading = "smaller_fall"
    ends: EndsReading = "known"
    withdrawn: Withdrawn = "missing"


@dataclass(frozen=True)
class Evidence:
    """Log ratios of patients, each known or between two ends.

    Attributes
    ----------
    label : tuple of str, length k
        Who they are.
    lower, upper : array, shape (k,)
        Natural logs of the ratio to baseline; equal where it is known, infinite where open.
    patients : array, shape (k,)
        How many share a row.
    """

    label: tuple[str, ...]
    lower: Floats
    upper: Floats
    patients: Floats

    @property
    def informative(self) -> Evidence:
        """Without the rows that say nothing."""
        keep = ~(np.isneginf(self.lower) & np.isposinf(self.upper))
        label = tuple(name for name, kept in zip(self.label, keep, strict=True) if kept)
        return Evidence(label, self.lower[keep], self.upper[keep], self.patients[keep])


type _Row = tuple[str, float, float, int]


def _log_ratio(percent: float) -> float:
    """Natural log of the ratio to baseline after a fall in percent."""
    return float(np.log1p(-percent / 100.0))


def bounds(counts: Counts, reduction: Reduction | None, definitions: Definitions) -> dict[str, str]:
    """Falls in words that complete the sentences of :data:`WORDS`."""
    least = 100 * _fall(definitions, "effective")
    if reduction is not None:
        least = reduction.lowest_percent
    return {"half": f"{100 * _fall(definitions, 'partial'):g} %", "least": f"{least:g} %"}


def _fall(definitions: Definitions, category: str) -> float:
    """The fall that a category of the paper asks for."""
    return definitions.threshold(category, PROTEIN, "fall_at_least")


def _end(label: str, percent: float, reduction: Reduction, ends: EndsReading) -> _Row:
    if ends == "known":
        return label, _log_ratio(percent), _log_ratio(percent), 1
    step = 0.5 * 10.0**-reduction.decimals
    return label, _log_ratio(min(percent + step, 99.9999)), _log_ratio(percent - step), 1


def _responders(
    counts: Counts,
    reduction: Reduction | None,
    half: float | None,
    least: float,
    ends: EndsReading,
    key: str,
) -> list[_Row]:
    """Rows of those with a response; ``half`` is the log ratio that remission needs, or None."""
    remission = (counts.remission or 0) if half is not None else 0
    half = 0.0 if half is None else half
    others = counts.effective - remission
    if reduction is None:
        return [
            ("in remission", -np.inf, half, remission),
            ("with a response", -np.inf, least, others),
        ]
    low, high = _log_ratio(reduction.highest_percent), _log_ratio(reduction.lowest_percent)
    said = f"{-100 * np.expm1(half):g} %"
    if remission and low > half:
        found = f"a highest fall of {reduction.highest_percent:g} %"
        raise _unreadable(f"{key}.highest_percent", found, remission, said)
    if remission and high > half and others < 1:
        found = f"a lowest fall of {reduction.lowest_percent:g} % among {patients(remission)}"
        raise _unreadable(f"{key}.lowest_percent", found, remission, said)
    if reduction.lowest_percent == reduction.highest_percent:
        # Two equal known values would make an SD of 0 certain; they are equal as printed.
        read: EndsReading = "rounded" if counts.effective > 1 else ends
        one = _end("all with a response", reduction.lowest_percent, reduction, read)
        return [(*one[:3], counts.effective)]
    # The lowest fall is of a patient without remission wherever remission forbids it, the
    # highest of one in remission wherever there is one.
    remission -= 1 if remission else 0
    between = counts.effective - 2
    if remission > between:  # every responder is in remission, and so is the lowest
        remission = between
    return [
        _end("highest published fall", reduction.highest_percent, reduction, ends),
        _end("lowest published fall", reduction.lowest_percent, reduction, ends),
        ("between, in remission", low, min(half, high), remission),
        ("between", low, high, between - remission),
    ]


def _unreadable(key: str, found: str, remission: int, half: str) -> InputError:
    expected = (
        f"{half} or more, since {patients(remission)} in remission are read to have fallen so far "
        '(or the reading remission = "unknown")'
    )
    return InputError([Problem("facts", None, key, found, expected)])


def _evidence(
    counts: Counts,
    reduction: Reduction | None,
    readings: Readings,
    definitions: Definitions,
    key: str,
) -> Evidence:
    least = _log_ratio(100 * _fall(definitions, "effective"))
    if reduction is not None:
        least = _log_ratio(reduction.lowest_percent)
    elif readings.no_response == "no_fall":
        least = 0.0  # then any fall is a response
    half = None
    if readings.remission == "half" and counts.remission:
        half = _log_ratio(100 * _fall(definitions, "partial"))
    floor = {"smaller_fall": least, "no_fall": 0.0, "unknown": -np.inf}[readings.no_response]
    left: dict[str, tuple[float, float]] = {
        "missing": (-np.inf, np.inf),
        "failure": (floor, np.inf),
        "success": (-np.inf, least if half is None else half),
    }
    rows = [
        *_responders(counts, reduction, half, least, readings.ends, key),
        ("no response", floor, np.inf, counts.none),
        ("not seen", *left[readings.withdrawn], counts.missing),
    ]
    rows = [row for row in rows if row[3] > 0]
    label, lower, upper, number = zip(*rows, strict=True)
    return Evidence(label, np.array(lower), np.array(upper), np.array(number, dtype=float))


def outcome_evidence(facts: Facts, readings: Readings, definitions: Definitions) -> Evidence:
    """Log ratios at the visit that the answers are about.

    Parameters
    ----------
    facts : Facts
    readings : Readings
    definitions : Definitions
        Says which fall remission needs (``partial.fall``), and, where the facts give no range,
        which fall a response needs (``effective.fall``).

    Raises
    ------
    InputError
        If the facts cannot be true under this reading.
    """
    outcome, counts = facts.outcome, outcome_counts(facts)
    return _evidence(counts, outcome.reduction, readings, definitions, "outcome.reduction")


def best_evidence(facts: Facts, readings: Readings, definitions: Definitions) -> Evidence | None:
    """As :func:`outcome_evidence`, of the least of several visits; None without such facts.

    Who was not seen in the short term is missing under every reading: the readings of a
    withdrawal are about the later visit.
    """
    counts = best_counts(facts)
    if facts.best is None or counts is None:
        return None
    here = readings.model_copy(update={"withdrawn": "missing"})
    return _evidence(counts, facts.best.reduction, here, definitions, "best.reduction")


def parse_readings(texts: Sequence[str], own: Readings) -> Readings:
    """Change readings by ``SWITCH=CHOICE`` texts.

    Parameters
    ----------
    texts : sequence of str
        Such as ``no_response=no_fall``.
    own : Readings
        Of the card.

    Raises
    ------
    InputError
        Every switch or choice that does not exist, with those that do.
    """
    problems, changes = [], {}
    for text in texts:
        switch, _, choice = (part.strip() for part in text.partition("="))
        if switch not in WORDS:
            expected = f"SWITCH=CHOICE with one of {', '.join(WORDS)}"
            problems.append(Problem("--reading", None, None, quoted(text), expected))
        elif choice not in WORDS[switch]:
            expected = f"one of {', '.join(WORDS[switch])}"
            problems.append(Problem("--reading", None, switch, quoted(choice), expected))
        else:
            changes[switch] = choice
    if problems:
        raise InputError(problems)
    return Readings.model_validate(own.model_dump() | changes)
