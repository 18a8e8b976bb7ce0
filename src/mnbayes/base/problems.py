"""What is wrong with an input, said once, completely and with the place where it is."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, cast

Severity = Literal["error", "warning"]

LISTED = 20  # problems printed, and rows listed of one kind of problem
LONGEST = 60  # characters of a found value that are shown


@dataclass(frozen=True)
class Problem:
    """One problem of one input file.

    Attributes
    ----------
    file : str
        Name of the file, without its folder.
    row : int or None
        Line in the file, the header being line 1; None where the whole file is meant.
    column : str or None
        Column, None where the whole row or file is meant.
    found : str
        What the file says.
    expected : str
        What it should say.
    severity : {"error", "warning"}
        A warning does not stop the program.
    """

    file: str
    row: int | None
    column: str | None
    found: str
    expected: str
    severity: Severity = "error"

    def __str__(self) -> str:
        place = [self.file]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column {self.column}")
        kind = "warning: " if self.severity == "warning" else ""
        return f"{kind}{', '.join(place)}: found {self.found}; expected {self.expected}"


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


def quoted(text: object) -> str:
    """Text as found in a file, on one line, quoted and cut to a readable length."""
    plain = str(text)
    if not plain:
        return "blank"
    if len(plain) > LONGEST:
        plain = plain[: LONGEST - 1] + "…"
    return '"' + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain) + '"'


def row_problems(
    file: str,
    column: str | None,
    rows: Sequence[int],
    found: Sequence[str],
    expected: str,
    *,
    severity: Severity = "error",
    hint: Callable[[int], str] | None = None,
) -> list[Problem]:
    """One problem for each row, summarised after the first twenty.

    A table of another study has the same problem a million times; twenty rows and a count say
    as much and cost nothing.

    Parameters
    ----------
    file, column, expected, severity
        As in `Problem`.
    rows : sequence of int, length n
        Lines in the file.
    found : sequence of str, length n or at least ``min(n, 20)``
        What each of these rows says.
    hint : callable, optional
        Position in `rows` to text appended to `expected`; called for listed rows only.

    Returns
    -------
    list of Problem
        At most 21.
    """
    total = len(rows)
    problems = [
        Problem(
            file,
            int(rows[i]),
            column,
            found[i],
            expected + (hint(i) if hint is not None else ""),
            severity,
        )
        for i in range(min(total, LISTED))
    ]
    if total > LISTED:
        count = f"and {total - LISTED:,} more rows like these ({total:,} in all)"
        problems.append(Problem(file, None, column, count, expected, severity))
    return problems


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
        # The count that ends a long list is shown next to the first row of its kind.
        summary = problem.row is None and seen[kind] >= LISTED
        ranked.append((warning, 1 if summary else seen[kind], position))
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
    """Name the closest of some names, as the end of a message; empty where none is close."""
    near = difflib.get_close_matches(word, list(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
