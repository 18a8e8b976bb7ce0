"""Operating characteristics as a value, and as the folder that keeps them."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mnbayes.analyses.characteristics.judges import BETWEEN, FALSE, TRUE
from mnbayes.base.csv_files import csv_table, read_csv_table
from mnbayes.base.problems import InputError, Problem

#: By this file a folder of operating characteristics is known.
MANIFEST = "characteristics.json"
TABLES = ("estimates", "decisions", "per_patient")
#: Digits after the point that are kept of a rate or a bias.
DIGITS = 5
_TEXTS = ("scenario", "judge", "meaning", "quantity")


@dataclass(frozen=True)
class Described:
    """A scenario or a judge: its name, title and what it says."""

    name: str
    title: str
    says: str


@dataclass(frozen=True, eq=False)
class Characteristics:
    """Operating characteristics of one model.

    Attributes
    ----------
    model, prior_set, definitions : str
        Names.
    replicates : int
        For each scenario and number of patients.
    patients : tuple of int
    scenarios, rules, others : tuple of Described
        Others are the judges that are no rules.
    left_out : dict
        Rule to the reason why this model cannot be judged by it.
    seed : int
    date : str
        When the study ended, year-month-day.
    fingerprint : str
        Of the card, the definitions, the rules and the scenarios.
    first : tuple of str
        The first replicates of each cell, as lines of CSV: a test does them again, and sees
        whether the program still gives these numbers.
    seconds : float
        How long the last start took; shorter than the study where it had been interrupted.
    estimates, decisions, per_patient : DataFrame
        From :mod:`mnbayes.analyses.characteristics.summary` and, of the patients, from
        :mod:`mnbayes.analyses.characteristics.patients`.
    """

    model: str
    prior_set: str
    definitions: str
    replicates: int
    patients: tuple[int, ...]
    scenarios: tuple[Described, ...]
    rules: tuple[Described, ...]
    others: tuple[Described, ...]
    left_out: Mapping[str, str]
    seed: int
    date: str
    fingerprint: str
    first: tuple[str, ...]
    seconds: float
    estimates: pd.DataFrame
    decisions: pd.DataFrame
    per_patient: pd.DataFrame

    @property
    def judges(self) -> tuple[Described, ...]:
        """The rules, then the others."""
        return (*self.rules, *self.others)

    @property
    def cells(self) -> int:
        """Scenarios times numbers of patients."""
        return len(self.scenarios) * len(self.patients)

    @cached_property
    def _groups(self) -> dict[tuple[str, str], pd.DataFrame]:
        # A report asks for each of them many times.
        groups = self.decisions.sort_values("patients").groupby(["judge", "scenario"], sort=False)
        return {(str(judge), str(scenario)): rows for (judge, scenario), rows in groups}

    @cached_property
    def _cells(self) -> dict[tuple[str, str, int], dict[Hashable, Any]]:
        keys = zip(
            *(self.decisions[name] for name in ("judge", "scenario", "patients")), strict=True
        )
        return dict(zip(keys, self.decisions.to_dict("records"), strict=True))

    def cell(self, judge: str, scenario: str, patients: int) -> dict[Hashable, Any]:
        """The row of a judge, a scenario and a number of patients.

        Raises
        ------
        KeyError
            If there is none.
        """
        return self._cells[judge, scenario, patients]

    def of(self, judge: str, scenario: str) -> pd.DataFrame:
        """A judge's rows in a scenario, by number of patients."""
        return self._groups.get((judge, scenario), self.decisions.iloc[:0])

    @cached_property
    def _told(self) -> dict[tuple[str, int], dict[str, tuple[float, float]]]:
        found: dict[tuple[str, int], dict[str, tuple[float, float]]] = {}
        for row in self.per_patient.to_dict("records"):
            of = found.setdefault((row["scenario"], row["patients"]), {})
            of[row["quantity"]] = row["value"], row["mcse"]
        return found

    def told(self, scenario: str, patients: int) -> dict[str, tuple[float, float]]:
        """What is said of single patients: quantity to value and Monte Carlo error."""
        return self._told.get((scenario, patients), {})

    def meaning(self, scenario: str) -> str:
        """What a go means in a scenario: ``false`` where it is for every rule.

        Otherwise ``true`` where it is right for every rule, and ``between`` where it is not.
        """
        found = set[str]().union(*(self.of(rule.name, scenario)["meaning"] for rule in self.rules))
        return found.pop() if len(found) == 1 else BETWEEN

    def with_meaning(self, *meanings: str) -> tuple[Described, ...]:
        """The scenarios in which a go has one of these meanings."""
        return tuple(item for item in self.scenarios if self.meaning(item.name) in meanings)

    @property
    def false_go(self) -> tuple[Described, ...]:
        """Scenarios in which a go is false."""
        return self.with_meaning(FALSE)

    @property
    def other_go(self) -> tuple[Described, ...]:
        """Scenarios in which a go is right, for some rules at least."""
        return self.with_meaning(TRUE, BETWEEN)


def result_files(found: Characteristics) -> dict[str, bytes]:
    """Names and contents of the files that keep a result."""
    names = [field.name for field in fields(found) if field.name not in TABLES]
    data = {name: getattr(found, name) for name in names}
    for name in ("scenarios", "rules", "others"):
        data[name] = [asdict(item) for item in data[name]]
    data["left_out"] = dict(found.left_out)
    text = json.dumps(data, indent=2, ensure_ascii=False)
    contents = {MANIFEST: f"{text}\n".encode()}
    for name in TABLES:
        table: pd.DataFrame = getattr(found, name)
        contents[f"{name}.csv"] = csv_table(table.round(DIGITS))
    return contents


def read_result(folder: Path) -> Characteristics:
    """Read a result that was kept in a folder.

    Raises
    ------
    InputError
        If the folder does not hold one of this version.
    """
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for name in ("scenarios", "rules", "others"):
            data[name] = tuple(Described(**item) for item in data[name])
        for name in ("patients", "first"):
            data[name] = tuple(data[name])
        for name in TABLES:
            # Told: a column of "true" and "false" would be read as truth values.
            data[name] = read_csv_table(folder / f"{name}.csv", _TEXTS)
        return Characteristics(**data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        found = str(error).splitlines()[0] if str(error) else type(error).__name__
        expected = "what this version of mnbayes characteristics writes"
        raise InputError([Problem(str(folder), None, None, found, expected)]) from error
