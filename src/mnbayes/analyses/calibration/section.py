"""What the stored calibration says, in words and a table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from mnbayes.analyses.calibration.result import Calibration, Outcome, from_plain
from mnbayes.analyses.calibration.sampler import CalibratedEngine
from mnbayes.base.resources import calibration_file
from mnbayes.base.text_table import Table, records
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.report.kit import wording
from mnbayes.run.analysis import Analysis
from mnbayes.run.needs import a_card
from mnbayes.run.run import Run
from mnbayes.run.section import Section, Tidy
from mnbayes.studies.fingerprint import fingerprint


def what_was_done(calibration: Calibration) -> str:
    """A calibration in two sentences."""
    if calibration.posterior:
        drawn = (
            "the posterior given the cohort, as many new patients simulated from it, and the model "
            "fitted to the cohort and the new patients together"
        )
    else:
        drawn = "the priors, a cohort simulated from it, and the model fitted to that cohort"
    return (
        f"{calibration.replicates:,} times a truth was drawn from {drawn} "
        f"({_ENGINES[calibration.engine]}). The rank of the truth among {calibration.draws} "
        "posterior draws is uniform where the program is right."
    )


_ENGINES: dict[CalibratedEngine, str] = {"nuts": "NUTS", "collapsed": "collapsed engine"}


@dataclass(frozen=True)
class StoredCalibration:
    """The calibration that the package brings.

    Attributes
    ----------
    date, fingerprint : str
        When its last part was made, and the hash of the cards that it is of.
    names : tuple of str
        Of the cases, by which the script knows them.
    calibrations : tuple of Calibration
    depends : tuple of mapping
        Of each calibration: hashes of all that it was given.
    first : tuple of tuple of str
        Of each calibration: numbers of its first replicates, as lines of CSV.
    cards : tuple of str
        Of each calibration: the hash of what of its card decides a fit.
    wrong : tuple of mapping
        Samplers that are wrong on purpose: ``sampler``, ``replicates``, ``caught`` and, of the
        quantity farthest beyond its band, ``quantity`` and ``reading``.
    """

    date: str
    fingerprint: str
    names: tuple[str, ...]
    calibrations: tuple[Calibration, ...]
    depends: tuple[dict[str, Any], ...]
    first: tuple[tuple[str, ...], ...]
    cards: tuple[str, ...]
    wrong: tuple[dict[str, Any], ...]


@lru_cache(maxsize=2)
def stored_calibration(path: Path | None = None) -> StoredCalibration:
    """Read the stored calibration (``data/calibration.json``, by ``scripts/calibration.py``)."""
    place = calibration_file() if path is None else path
    stored = json.loads(place.read_text(encoding="utf-8"))
    cases = stored["calibrations"]
    return StoredCalibration(
        stored["date"],
        stored["fingerprint"],
        tuple(each["case"] for each in cases),
        tuple(from_plain(each) for each in cases),
        tuple(each["depends"] for each in cases),
        tuple(tuple(each["first"]) for each in cases),
        tuple(each["card"] for each in cases),
        tuple(stored["wrong"]),
    )


@dataclass(frozen=True)
class CalibrationSection:
    """What the report says of calibration.

    Attributes
    ----------
    sentences : tuple of str
    table : Table
        One row for each calibration.
    wrong : Table
        One for each sampler that was wrong on purpose.
    remarks : tuple of str
        What of this run was not calibrated as it stands.
    """

    sentences: tuple[str, ...]
    table: Table
    wrong: Table
    remarks: tuple[str, ...]


def calibration_section(
    cards: Iterable[Card], stored: StoredCalibration | None = None
) -> CalibrationSection:
    """What the report says of calibration.

    Parameters
    ----------
    cards : iterable of Card
        Of the run.
    stored : StoredCalibration, optional
        Default: the one that the package brings.
    """
    kept = stored if stored is not None else stored_calibration()
    first = kept.calibrations[0]
    failed = [
        f"{_named(each)}, {_ENGINES[each.engine]} ({'; '.join(each.reasons)})"
        for each in kept.calibrations
        if not each.passed
    ]
    sentences = (
        *([f"NOT passed: {'; '.join(failed)}."] if failed else []),
        "In each replicate a truth was drawn, a cohort simulated from it and the model fitted. "
        f"Where the program is right, the rank of the truth among {first.draws} posterior draws "
        "is uniform, and all quantities of a row stay in their bands with probability "
        f"{100 * first.level:g} %. Passing does not make the model right. Stored on {kept.date}; "
        f"cards {kept.fingerprint[:12]}.",
    )
    return CalibrationSection(sentences, _table(kept), _wrong(kept), tuple(_remarks(cards, kept)))


def _named(calibration: Calibration) -> str:
    return f"{calibration.model}: {calibration.structure}"


def _table(kept: StoredCalibration) -> Table:
    rows = []
    for each in kept.calibrations:
        inside = len(each.checks) - len(each.outside)
        rows.append(
            (
                _named(each),
                _ENGINES[each.engine],
                "cohort's posterior" if each.posterior else "prior",
                f"{each.replicates:,}",
                f"{each.failed:,}",
                f"{inside} of {len(each.checks)}",
                "passed" if each.passed else "NOT passed",
            )
        )
    head = (
        *("Model", "Engine", "Truths from", "Replicates", "Failed fits", "Inside their bands"),
        "Verdict",
    )
    caption = "Simulation-based calibration"
    return Table(caption, head, tuple(rows), frozenset({0, 1, 2, 6}))


def _wrong(kept: StoredCalibration) -> Table:
    rows = tuple(
        (str(each["sampler"]), "caught" if each["caught"] else "not caught") for each in kept.wrong
    )
    counts = sorted({each["replicates"] for each in kept.wrong})
    of = f" {wording.listed([f'{n:,}' for n in counts])} replicates each" if counts else ""
    caption = f"Would it notice a wrong program?{of}"
    return Table(caption, ("Wrong on purpose", "Verdict"), rows, frozenset({0, 1}), wide=True)


def _remarks(cards: Iterable[Card], kept: StoredCalibration) -> list[str]:
    remarks = []
    for card in cards:
        own = fingerprint([card])
        of_model = [
            (each, stored)
            for each, stored in zip(kept.calibrations, kept.cards, strict=True)
            if each.model == card.name
        ]
        as_it_stands = [each for each, stored in of_model if stored == own]
        if not of_model:
            remarks.append(f"The model {card.name} is not among those that were calibrated.")
        elif not as_it_stands:
            remarks.append(
                f"This run's card {card.name} has other priors or another structure than the "
                f"calibrated one; mnbayes calibrate --model {card.name} checks it as it stands."
            )
        elif not all(each.passed for each in as_it_stands):
            failed = [
                f"{each.structure}, {_ENGINES[each.engine]}"
                for each in as_it_stands
                if not each.passed
            ]
            remarks.append(f"This run's model {card.name} did NOT pass as: {'; '.join(failed)}.")
    return remarks


#: Columns of ``calibration_wrong.csv``.
_OF_WRONG = ("sampler", "replicates", "failed", "caught", "quantity", "reading", "p_value")


def section(run: Run) -> Section:
    """The stored calibration, beside the cards of a run."""
    said = calibration_section([result.fit.required_card for result in run.results])
    wrong = pd.DataFrame(stored_calibration().wrong)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        sentences=said.sentences,
        tables={"calibration_wrong": Tidy(wrong[list(_OF_WRONG)])},
        shown=(said.table,),
        template="calibration/brief.html.j2",
        annex="calibration/section.html.j2",
        words={"calibration": said},
        of_cohort=False,
    )


_GROUPS = {"parameter": "parameter", "derived": "derived", "data": "of the data"}


def of_outcome(outcome: Outcome) -> Section:
    """One calibration: ``mnbayes calibrate``."""
    calibration = outcome.calibration
    used = "values" if calibration.posterior else "patients, visits and missing values"
    failures = [
        f"Failed: {count:,} fits ({reason})" for reason, count in calibration.failures.items()
    ]
    return Section(
        name=ANALYSIS.name,
        title=f"{outcome.title} (prior set {outcome.prior_set})",
        sentences=(
            what_was_done(calibration),
            f"The {used} are those of the {'synthetic ' if outcome.synthetic else ''}cohort.",
            *failures,
        ),
        shown=(_ranks(calibration),) if calibration.checks else (),
    )


def _ranks(calibration: Calibration) -> Table:
    rows = tuple(
        (
            row["quantity"],
            _GROUPS[row["group"]],
            f"{100 * row['largest']:+.1f} points",
            "<0.001" if row["p_value"] < 0.001 else f"{row['p_value']:.3f}",
            "yes" if row["inside"] else f"NO: {row['reading']}",
        )
        for row in records(calibration.table())
    )
    head = ("Quantity", "Kind", "Largest difference", "p", "In its band")
    return Table("Ranks of the truth", head, rows, frozenset({0, 1, 4}))


def verdict(calibration: Calibration) -> str:
    """The verdict in a sentence."""
    count = len(calibration.counts)
    if calibration.passed:
        return (
            f"Passed: all {count} quantities stay in their bands (level "
            f"{100 * calibration.level:g} % for all together), "
            f"{calibration.failed:,} of {calibration.replicates:,} fits failed."
        )
    return f"NOT calibrated: {'; '.join(calibration.reasons)}."


def prepare(cards: Iterable[Card], definitions: Definitions) -> None:
    """Read the stored result, which is kept."""
    calibration_section(cards)


ANALYSIS = Analysis(
    name="calibration",
    title="Calibration of the program",
    section=section,
    prepare=prepare,
    needs=a_card,
    part="checks",
)
