"""Write a draft as a cohort's folder, whole or not at all, once the loader accepts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mnbayes.base.csv_files import csv_rows
from mnbayes.base.new_files import move_into, temporary_beside, temporary_folder
from mnbayes.base.problems import InputError, Problem, few
from mnbayes.base.text_table import Table
from mnbayes.base.toml_files import toml_text
from mnbayes.base.untrusted_text import markdown_text
from mnbayes.data.cohort import load_cohort
from mnbayes.data.imports.draft import Draft, Place, Reading
from mnbayes.data.imports.grids import unreadable
from mnbayes.data.imports.visits import in_window, windows
from mnbayes.data.schema import COLUMNS
from mnbayes.data.trial import FILE as TRIAL
from mnbayes.data.trial import Visit

LOG = "import.md"
MARKERS_FILE = "markers.toml"


def check_empty(folder: Path) -> None:
    """Refuse a folder that holds anything.

    Raises
    ------
    InputError
        If it is a file, or a folder with something in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        found = "a folder with files in it" if folder.is_dir() else "a file"
        raise unreadable(str(folder), found, "a new folder, or an empty one")


def place_whole(files: Mapping[str, str | bytes], folder: Path) -> None:
    """Write files into a new folder: all of them, or none.

    Raises
    ------
    InputError
        If the folder holds anything.
    """
    check_empty(folder)
    with temporary_beside(folder) as made:
        _fill(made, files)
        if not move_into(made, folder):
            raise unreadable(
                str(folder), "a folder with files in it", "a new folder, or an empty one"
            )


def write_draft(
    draft: Draft,
    folder: Path,
    *,
    actual_times: bool = False,
    accept_implausible: bool = False,
    command: str = "",
) -> None:
    """Write a draft as a cohort's folder, once the loader accepts it.

    Parameters
    ----------
    draft : Draft
    folder : Path
        A new folder, or an empty one.
    actual_times : bool
        Write the time as measured where it lies in the window of its visit.
    accept_implausible : bool
        Write values beyond what is possible, with a warning.
    command : str
        How it was asked for, for the log.

    Raises
    ------
    InputError
        If the loader refuses it: every problem, with the cell or row that it comes from. Nothing
        is written then.
    """
    check_empty(folder)
    readings = (
        sorted(draft.readings, key=lambda r: list(draft.patients).index(r.patient))
        if (len(draft.patients) < 50)
        else draft.readings
    )
    visits = windows([*{r.week for r in readings}])
    if actual_times:
        readings = [
            replace(r, week=round(r.actual, 2) + 0.0)
            if r.actual is not None and r.week > 0 and in_window(r.actual, visits) == r.week
            else r
            for r in readings
        ]
    arms = dict.fromkeys(row.get("arm", "") for row in draft.patients.values())
    for arm in arms:  # the loader wants one arm: several are looked at one by one
        own = {p for p, row in draft.patients.items() if row.get("arm", "") == arm}
        _validate(draft, own, [r for r in readings if r.patient in own], accept_implausible)
    files = _tables(draft, set(draft.patients), readings)
    if visits:
        files[TRIAL] = _trial(draft, visits)
    files[LOG] = _log(draft, command)
    place_whole(files, folder)


def _tables(
    draft: Draft, patients: set[str], readings: Iterable[Reading]
) -> dict[str, str | bytes]:
    columns = [*COLUMNS["patients"]]
    if any("arm" in row for row in draft.patients.values()) and len(patients) == len(
        draft.patients
    ):
        columns.append("arm")
    rows = [row for name, row in draft.patients.items() if name in patients]
    found: dict[str, str | bytes] = {
        "patients.csv": _csv(columns, ([row.get(c, "") for c in columns] for row in rows)),
        "measurements.csv": _csv(
            COLUMNS["measurements"],
            (
                [r.patient, f"{r.week:.10g}", r.marker, r.value, r.unit, r.lower, r.upper]
                for r in readings
            ),
        ),
    }
    if draft.markers:
        found[MARKERS_FILE] = draft.markers
    if draft.events is not None:
        found["events.csv"] = _csv(
            COLUMNS["events"],
            ([e[c] for c in COLUMNS["events"]] for e in draft.events if e["patient"] in patients),
        )
    return found


def _validate(draft: Draft, patients: set[str], readings: Sequence[Reading], accept: bool) -> None:
    """Let the loader read it; its rows are traced back to the cells they come from."""
    with temporary_folder() as temporary:
        _fill(temporary, _tables(draft, patients, readings))
        try:
            found = load_cohort(temporary, accept_implausible=accept).warnings
        except InputError as error:
            places = [draft.places[name] for name in draft.patients if name in patients]
            problems = [_traced(p, readings, places) for p in error.problems]
            raise InputError(problems) from None
    for problem in found:
        places = [draft.places[name] for name in draft.patients if name in patients]
        draft.warnings.append(str(_traced(problem, readings, places)).removeprefix("warning: "))


def _traced(problem: Problem, readings: Sequence[Reading], patients: Sequence[Place]) -> Problem:
    """A problem of a row that was written, as one of the cell it comes from."""
    of: Sequence[Place] = []
    if problem.file == "measurements.csv":
        of = [reading.place for reading in readings]
    elif problem.file == "patients.csv":
        of = patients
    lines = getattr(problem, "rows", ()) or (problem.row,)
    places = [of[line - 2] for line in lines if line is not None and 0 <= line - 2 < len(of)]
    if not places:
        return problem
    # A cell is a value; what is wrong with another column of it is said beside it.
    found = "" if problem.column in (None, "value", "patient") else f"{problem.column} "
    found += problem.found
    if len(places) > 1:
        cells = [f"{place.column} in row {place.row}" for place in places]
        found += f" ({few(cells, 5)})"
    one = places[0] if len(places) == 1 else Place(places[0].file)
    return Problem(one.file, one.row, one.column, found, problem.expected, problem.severity)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return csv_rows([columns, *rows])


def _fill(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        data = content.encode("utf-8", "replace") if isinstance(content, str) else content
        (folder / name).write_bytes(data)


def _trial(draft: Draft, visits: Sequence[object]) -> str:
    lines = [
        "# Planned visits and their windows in weeks, as `mnbayes import` divided them: half-way",
        "# between two visits. Change what the protocol says otherwise.",
    ]
    names = ", ".join(name for name, _ in draft.files)
    lines.append(f"sources = [{toml_text(f'imported from {names}; {LOG} lists every decision')}]")
    for visit in visits:
        assert isinstance(visit, Visit)
        called = ", ".join(draft.planned.get(visit.week, []))
        comment = "".join(c if c.isprintable() else " " for c in called)[:60]
        lines += [
            "",
            f"[[visits]]{f'  # {comment}' if comment else ''}",
            f"week = {visit.week!r}",
            f"earliest = {visit.earliest!r}",
            f"latest = {visit.latest!r}",
        ]
    return "\n".join(lines) + "\n"


def markdown(table: Table) -> str:
    """A table in Markdown."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(markdown_text(" ".join(cell.split())) for cell in cells) + " |"

    rule = "|" + "|".join("---" if i in table.text else "--:" for i in range(len(table.head))) + "|"
    return "\n".join(
        [f"## {markdown_text(table.caption)}", "", line(table.head), rule, *map(line, table.rows)]
    )


def _log(draft: Draft, command: str) -> str:
    parts = ["# Import", "Every decision of `mnbayes import`; `docs/import.md` has the rules."]
    if command:
        parts.append(f"```sh\n{command}\n```")
    parts.append(
        "\n".join(f"- {markdown_text(name)}, SHA-256 {digest}" for name, digest in draft.files)
    )
    parts += [markdown(table) for table in draft.tables()]
    for heading, lines in (("Warnings", draft.warnings), ("Notes", draft.notes)):
        if lines:
            parts.append(
                f"## {heading}\n\n" + "\n".join(f"- {markdown_text(line)}" for line in lines)
            )
    return "\n\n".join(parts) + "\n"
