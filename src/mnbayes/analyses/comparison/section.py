"""The difference from the previous run, in words and as tables."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mnbayes.analyses.comparison import words
from mnbayes.analyses.comparison.numbers import BEYOND, largest
from mnbayes.analyses.comparison.runs import Comparison, with_previous
from mnbayes.base.text_table import Table, records
from mnbayes.run.analysis import Analysis
from mnbayes.run.history import post_hoc_sentences, when
from mnbayes.run.record import table_of
from mnbayes.run.run import Run
from mnbayes.run.section import Section

#: Most numbers in the report's table.
SHOWN = 12
_SAME = "Data, cards, priors, definitions, seed, draws and versions are the same."


@dataclass(frozen=True)
class Difference:
    """What the report says of the previous run.

    Attributes
    ----------
    sentences : tuple of str
        Which run it was, and what its numbers did.
    post_hoc : tuple of str
        Priors changed after an earlier run on the same data, one sentence each.
    settings, priors, numbers : Table or None
        What differs; None where nothing does.
    """

    sentences: tuple[str, ...]
    post_hoc: tuple[str, ...]
    settings: Table | None = None
    priors: Table | None = None
    numbers: Table | None = None


#: What two runs are called, in the report and by the command.
type Names = tuple[str, str]
_REPORT: Names = ("Previous run", "This run")
_COMMAND: Names = ("A", "B")
_MARKS = {"changed": " *", "unknown": " ?"}


def _settings(comparison: Comparison, names: Names) -> Table | None:
    rows = tuple(
        (f"{row['part']}: {row['item']}", words.short(row["a"]), words.short(row["b"]))
        for row in records(comparison.settings)
    )
    if not rows:
        return None
    head = ("What differs", *names)
    return Table("What was put in", head, rows, frozenset(range(3)), wide=True)


def _priors(comparison: Comparison, names: Names) -> Table | None:
    rows = tuple(
        (f"{row['model']}: {row['parameter']}", row["marker"], row["a"], row["b"])
        for row in records(comparison.priors)
    )
    if not rows:
        return None
    head = ("Prior", "Marker", *names)
    return Table("Priors that differ", head, rows, frozenset(range(4)), wide=True)


def _numbers(
    comparison: Comparison, chosen: pd.DataFrame, caption: str, names: Names, *, marked: bool
) -> Table | None:
    columns = 5 if comparison.different else 6  # without Monte Carlo errors
    rows = tuple(
        words.cells(row, comparison.called, _MARKS.get(row["verdict"], "") if marked else "")
        for row in records(chosen)
    )
    if not rows:
        return None
    rows = tuple(cells[:columns] for cells in rows)
    head = ("Number", *names, "Difference", "In SD", "In Monte Carlo errors")[:columns]
    return Table(caption, head, rows)


def of_comparison(comparison: Comparison, *, everything: bool = False) -> Section:
    """What differs between two runs: ``mnbayes compare``.

    Parameters
    ----------
    comparison : Comparison
    everything : bool
        Whether to list every number, also those under the prior alone; otherwise the main ones
        with the largest differences.
    """
    a, b = _COMMAND
    settings, priors = _settings(comparison, _COMMAND), _priors(comparison, _COMMAND)
    chosen = comparison.numbers if everything else comparison.main
    differing = largest(chosen[chosen["verdict"] != "same"], in_sd=bool(comparison.different))
    rows = chosen if everything else differing.head(SHOWN)
    caption = (
        f"All {len(rows)} numbers"
        if everything
        else f"Main numbers: the {len(rows)} largest of {len(differing)} differences, {b} less {a}"
    )
    if not comparison.different:
        caption += f"; * beyond {BEYOND:g} Monte Carlo errors"
        if (rows["verdict"] == "unknown").any():
            caption += ", ? error not known"
    sentences = [
        f"{a}: {comparison.a} ({comparison.started[0]})",
        f"{b}: {comparison.b} ({comparison.started[1]})",
        *([_SAME] if settings is None and priors is None else []),
        words.verdict_sentence(comparison),
        *words.only_sentences(comparison, {"a": a, "b": b}),
    ]
    if not rows.empty and len(rows) < len(comparison.numbers):
        sentences.append("--all lists every number, --out FILE.csv writes them.")
    tables = (settings, priors, _numbers(comparison, rows, caption, _COMMAND, marked=True))
    return Section(
        name=ANALYSIS.name,
        title="Difference between two runs",
        remarks=tuple(filter(None, (comparison.different, comparison.post_hoc))),
        sentences=tuple(sentences),
        shown=tuple(table for table in tables if table is not None),
    )


def difference(run: Run, comparison: Comparison | None) -> Difference:
    """What differs between a run and the one before it.

    Parameters
    ----------
    run : Run
        With ``previous`` in its manifest.
    comparison : Comparison or None
        With the previous run, if that can be read.

    Returns
    -------
    Difference
        Folders are named without their path.
    """
    post_hoc = post_hoc_sentences(run.manifest)
    previous = table_of(run.manifest, "previous")
    if not previous:
        return Difference(("There is no previous run of these data to compare with.",), post_hoc)
    replaced = ", whose folder this run was given" if previous.get("replaced") else ""
    name, started = previous.get("folder"), when(previous.get("started"))
    which = f"The previous run is {name} ({started}){replaced}."
    if comparison is None:
        sentence = "Its files cannot be read back, so its numbers are not compared."
        return Difference((which, sentence), post_hoc)
    settings, priors = _settings(comparison, _REPORT), _priors(comparison, _REPORT)
    sentences = [which]
    if settings is None and priors is None:
        sentences.append(_SAME)
    main = comparison.main
    changed = largest(main[main["verdict"] == "changed"])
    sentences.append(words.verdict_sentence(comparison))
    if changed.empty and not comparison.changed.empty:
        sentences.append(
            "None of the main numbers at the primary week moved beyond Monte Carlo error."
        )
    names = {"a": "the previous run", "b": "this run"}
    sentences += words.only_sentences(comparison, names)
    rows = changed.head(SHOWN)
    left = len(changed) - len(rows)
    caption = f"Main numbers at the primary week that moved beyond {BEYOND:g} Monte Carlo errors"
    if left:
        caption += f"; the {len(rows)} largest, {left} more are not shown"
    numbers = _numbers(comparison, rows, caption, _REPORT, marked=False)
    return Difference(tuple(sentences), post_hoc, settings, priors, numbers)


def section(run: Run) -> Section:
    """The difference from the previous run."""
    said = difference(run, with_previous(run))
    tables = (said.settings, said.priors, said.numbers)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        sentences=(*said.post_hoc, *said.sentences),
        shown=tuple(table for table in tables if table is not None),
        template="comparison/section.html.j2",
        words={"previous": said},
    )


ANALYSIS = Analysis(
    name="previous",
    title="Difference from the previous run",
    section=section,
    place="annex",
)
