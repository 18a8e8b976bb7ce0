"""What an import has found so far: patients, values, decisions, and what it must ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.base.text_table import Table
from mnbayes.data.imports.mapping import key


@dataclass(frozen=True)
class Place:
    """Where something stands: file, row, column."""

    file: str
    row: int | None = None
    column: str | None = None

    def problem(self, found: str, expected: str) -> Problem:
        """A problem of this place."""
        return Problem(self.file, self.row, self.column, found, expected)


@dataclass(frozen=True)
class Reading:
    """One measurement as it will be written; texts as found.

    Attributes
    ----------
    patient, marker, value, unit, lower, upper : str
    week : float
        Planned week.
    actual : float or None
        Weeks from baseline by date or study day, where they are known.
    place : Place
    """

    patient: str
    week: float
    marker: str
    value: str
    unit: str
    lower: str
    upper: str
    place: Place
    actual: float | None = None


@dataclass(frozen=True)
class Options:
    """What the user answers beforehand; all of it may be blank.

    Attributes
    ----------
    arm : str
    sheet : str or None
    units : dict
        Unit by marker, or by a name as the file has it.
    visits : dict
        Week by name of a visit; None leaves it out.
    weeks : tuple of float
        Planned weeks, where the file has only days or dates.
    baseline_date : str
        Column of the date of week 0, or "first".
    decimal : str
        "." or "," where the file alone does not tell.
    """

    arm: str = ""
    sheet: str | None = None
    units: dict[str, str] = field(default_factory=dict)
    visits: dict[str, float | None] = field(default_factory=dict)
    weeks: tuple[float, ...] = ()
    baseline_date: str = ""
    decimal: str = ""


class OpenQuestionsError(InputError):
    """What only the user knows; every question is listed, with the words that answer it."""

    def __init__(self, problems: Sequence[Problem], answers: Sequence[str] = ()) -> None:
        super().__init__(problems)
        self.answers = tuple(dict.fromkeys(answers))
        self.args = (problems, answers)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        if self.answers:
            lines += [
                "Ask again with the answers; what is suggested is a guess from the values:",
                "  " + " ".join(self.answers),
            ]
        return "\n".join(lines)


@dataclass
class Draft:
    """A cohort in the making.

    Attributes
    ----------
    kind : str
        What the files are, in words.
    patients : dict
        Row of ``patients.csv`` by patient, each a dictionary of texts.
    places : dict
        Where each patient stands.
    readings, events : list
    planned : dict
        Names of each planned week.
    decisions : list of tuple
        Topic, what was found, what was made of it, how many.
    left_out : Counter
        Values or rows that are not used, by reason.
    read : int
        Rows (CDISC) or values (sheets) that were looked at.
    markers : bytes
        A file of markers of one's own, which goes beside the tables; blank where there is none.
    warnings, notes : list of str
    questions, problems : list of Problem
    answered : set of str
        Names of units and visits that were given and are there, as `key` writes them.
    answers : list of str
        Options that answer the questions, where a suggestion is possible.
    """

    kind: str
    files: tuple[tuple[str, str], ...] = ()
    patients: dict[str, dict[str, str]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    events: list[dict[str, str]] | None = None
    planned: dict[float, list[str]] = field(default_factory=dict)
    decisions: list[tuple[str, str, str, int | None]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    read: int = 0
    markers: bytes = b""
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    questions: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    answers: list[str] = field(default_factory=list)

    def decide(self, topic: str, found: str, made: str, count: int | None = None) -> None:
        """Write a decision down."""
        self.decisions.append((topic, found, made, count))

    def ask(self, place: Place, found: str, expected: str, answer: str = "") -> None:
        """Put a question; one that was put already is not repeated."""
        problem = place.problem(found, expected)
        if problem not in self.questions:
            self.questions.append(problem)
            if answer:
                self.answers.append(answer)

    def stop_where_open(self) -> None:
        """End where something is wrong or must be asked, with all of it."""
        if self.questions or self.problems:
            raise OpenQuestionsError([*self.problems, *self.questions], self.answers)

    def check_answers(self, options: Options) -> None:
        """Say which units and visits that were given name nothing in the files."""
        for option, given in (("--unit", options.units), ("--visit", options.visits)):
            for name in given:
                if key(name) not in self.answered:
                    expected = "a marker, header or code" if option == "--unit" else "a visit"
                    self.problems.append(
                        Problem(option, None, None, quoted(name), f"{expected} of the files")
                    )

    def plan(self, week: float, name: str) -> None:
        """Note the name of a planned week."""
        names = self.planned.setdefault(week, [])
        if name and name not in names:
            names.append(name)

    def tables(self) -> Iterator[Table]:
        """What was decided, as tables to show before anything is written."""
        head = ("what", "number")
        counts = [
            ("read", f"{self.read:,}"),
            ("written", f"{len(self.readings):,}"),
            *((f"left out: {why}", f"{n:,}") for why, n in self.left_out.items()),
            ("patients", f"{len(self.patients):,}"),
        ]
        if self.events is not None:
            counts.append(("adverse events", f"{len(self.events):,}"))
        yield Table(self.kind, head, tuple(counts))
        for topic in dict.fromkeys(each[0] for each in self.decisions):
            rows = [each[1:] for each in self.decisions if each[0] == topic]
            counted = any(n is not None for *_, n in rows)
            yield Table(
                topic,
                ("found", "read as", *(["number"] if counted else [])),
                tuple(
                    (found, made, *([f"{n:,}" if n is not None else ""] if counted else []))
                    for found, made, n in rows
                ),
                frozenset({0, 1}),
                wide=True,
            )
