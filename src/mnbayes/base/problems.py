"""What is wrong with an input, said once, completely and with the place where it is."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from mnbayes.base.untrusted_text import visible

Severity = Literal["error", "warning"]

LISTED = 20  # problems printed
EXAMPLES = 3  # of what was found, in one problem of many rows
RANGES = 6  # of rows, in one problem
_HINTED = 200  # different texts of one problem that are looked at for a hint
LONGEST = 60  # characters of a found value that are shown
_LONGEST_FOUND, _LONGEST_EXPECTED = 500, 1500  # of all that is shown of one problem
#: Shortest word, and least likeness (of 1), of which the beginning of a name is thought of.
_SHORTEST, _ALIKE = 4, 0.8


@dataclass(frozen=True)
class Problem:
    """One problem of one input file.

    Attributes
    ----------
    file : str
        Name of the file, without its folder.
    row : int or None
        Line in the file, the header being line 1, the first of several; None where the whole file
        is meant.
    column : str or None
        Column, None where the whole row or file is meant.
    found : str
        What the file says.
    expected : str
        What it should say.
    severity : {"error", "warning"}
        A warning does not stop the program.
    rows : tuple of int
        Every line where it stands, ascending, where there are several; else empty.
    """

    file: str
    row: int | None
    column: str | None
    found: str
    expected: str
    severity: Severity = "error"
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        place = [self.file]
        if self.rows:
            place.append(f"{len(self.rows):,} rows ({ranges(self.rows)})")
        elif self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column {cut(self.column, 2 * LONGEST)}")
        kind = "warning: " if self.severity == "warning" else ""
        found = cut(self.found, _LONGEST_FOUND)
        expected = cut(self.expected, _LONGEST_EXPECTED)
        said = f"{kind}{', '.join(place)}: found {found}; expected {expected}"
        # Names of files and columns may be somebody's trick on a terminal as well.
        return visible(" ".join(said.replace("\t", " ").splitlines()))


class InputError(ValueError):
    """An input cannot be used; all its problems are listed, not only the first.

    Parameters
    ----------
    problems : iterable of Problem
        Errors, and the warnings met on the way. Errors are kept first.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(problems, key=lambda problem: problem.severity != "error")
        self.problems: tuple[Problem, ...] = tuple(ordered)
        super().__init__(self.problems)  # args rebuild the error when it is pickled

    def __str__(self) -> str:
        shown = _representative(self.problems, LISTED)
        lines = [str(problem) for problem in shown]
        left = len(self.problems) - len(shown)
        if left:
            lines.append(f"… and {left:,} more")
        return "\n".join(lines)


class TakenError(InputError):
    """Another run took the place of an output; what was made is kept, where the problem says."""


def cut(text: str, most: int) -> str:
    """The beginning of a text that is too long to be shown."""
    return text if len(text) <= most else text[: most - 1] + "…"


def quoted(text: object) -> str:
    """Text as found in a file, on one line, quoted and cut to a readable length."""
    plain = str(text)
    if not plain:
        return "blank"
    plain = cut(plain, LONGEST)
    return '"' + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain) + '"'


def few(names: Sequence[str], most: int, between: str = ", ") -> str:
    """The first of some names, and how many more there are: "a, b and 3 more"."""
    left = len(names) - most
    return between.join(names[:most]) + (f" and {left:,} more" if left > 0 else "")


def ranges(rows: Sequence[int]) -> str:
    """Ascending whole numbers as a reader would write them: ``2–37, 40``."""
    runs: list[list[int]] = []
    for row in rows:
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        elif len(runs) == RANGES:
            return ", ".join([*map(_range, runs), f"… to {rows[-1]}"])
        else:
            runs.append([row, row])
    return ", ".join(map(_range, runs))


def _range(run: Sequence[int]) -> str:
    first, last = run
    return str(first) if first == last else f"{first}\N{EN DASH}{last}"


def one_problem(
    file: str,
    column: str | None,
    rows: Iterable[int],
    examples: Sequence[str],
    distinct: int,
    expected: str,
    severity: Severity = "error",
) -> Problem:
    """One problem of many rows.

    Parameters
    ----------
    file, column, expected, severity
        As in `Problem`.
    rows : iterable of int
        Lines in the file, at least one.
    examples : sequence of str
        What some of them say; no more than the first three are shown.
    distinct : int
        How many different things they say.
    """
    lines = tuple(sorted(int(row) for row in rows))
    shown = examples[:EXAMPLES]
    more = distinct - len(shown)
    found = "; ".join(shown) + (f"; and {more:,} more" if more > 0 else "")
    several = lines if len(lines) > 1 else ()
    return Problem(file, lines[0], column, found, expected, severity, several)


def row_problems(
    file: str,
    column: str | None,
    rows: Sequence[int],
    found: Sequence[str],
    expected: str,
    *,
    severity: Severity = "error",
    hint: Callable[[str], str] | None = None,
    otherwise: str = "",
) -> list[Problem]:
    """One problem for each cause, however many rows have it.

    Parameters
    ----------
    file, column, expected, severity
        As in `Problem`.
    rows : sequence of int, length n
        Lines in the file.
    found : sequence of str, length n
        What each of these rows says.
    hint : callable, optional
        What was found to text appended to `expected`; what has another hint has another cause.
    otherwise : str
        The hint of whatever comes after the first two hundred different texts, since hints may be
        slow and nobody reads hundreds.

    Returns
    -------
    list of Problem
        In the order of their first rows.
    """
    causes: dict[str, str] = {}
    lines: defaultdict[str, list[int]] = defaultdict(list)
    said: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for row, text in zip(rows, found, strict=True):
        if text not in causes:
            told = hint if len(causes) < _HINTED else None
            causes[text] = otherwise if told is None else told(text)
        lines[causes[text]].append(row)
        said[causes[text]][text] = None
    return [
        one_problem(
            file,
            column,
            lines[cause],
            list(said[cause]),
            len(said[cause]),
            expected + cause,
            severity,
        )
        for cause in lines
    ]


def _representative(problems: Sequence[Problem], limit: int) -> list[Problem]:
    """At most `limit` problems, every kind before many of one kind, in their given order.

    Errors come before warnings whatever their kind, so that no warning hides an error.
    """
    if len(problems) <= limit:
        return list(problems)
    seen: Counter[tuple[str, str | None, str, bool]] = Counter()
    ranked: list[tuple[bool, int, int]] = []
    for position, problem in enumerate(problems):
        warning = problem.severity == "warning"
        # The first words of `expected` name the kind; a hint may follow.
        kind = (problem.file, problem.column, problem.expected[:25], warning)
        ranked.append((warning, seen[kind], position))
        seen[kind] += 1
    kept = sorted(position for _, _, position in sorted(ranked)[:limit])
    return [problems[position] for position in kept]


class Attempt(Protocol):
    """Calls a function, keeping its problems for later."""

    def __call__[**P, T](self, action: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``action`` with the arguments."""


@contextmanager
def gathered() -> Iterator[Attempt]:
    """Collect the problems of several attempts and raise them together.

    Yields
    ------
    callable
        Calls a function with its arguments. If that raises :class:`InputError`, the problems
        are kept, and all that were kept are raised at the end of the block.
    """
    problems: list[Problem] = []

    def attempt[**P, T](action: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return action(*args, **kwargs)
        except InputError as error:
            problems.extend(error.problems)
            return cast(T, None)  # never used: the block ends in InputError

    yield attempt
    if problems:
        raise InputError(list(dict.fromkeys(problems)))  # several models may lack the same


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Name the closest of some names, as the end of a message; empty where none is close.

    Where none is, the first one whose beginning is: "kdgio" for ``kdigo_mn_protein``.
    """
    known = list(names)
    near = difflib.get_close_matches(word, known, n=1)
    if not near and len(word) >= _SHORTEST:
        begins = {name[: len(word)]: name for name in reversed(known)}
        near = [begins[start] for start in difflib.get_close_matches(word, begins, 1, _ALIKE)]
    return f" (did you mean {near[0]}?)" if near else ""
