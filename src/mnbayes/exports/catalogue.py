"""The tables that a journal wants, in the order in which a paper would print them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.exports import answers, participants, prior_tables, robustness
from mnbayes.exports.exhibit import Exhibit, cleaned, printable
from mnbayes.exports.participants import Made
from mnbayes.exports.source import Source

SYNTHETIC = "SYNTHETIC COHORT: no real patient. Draw no conclusion about any treatment."

#: Name, the same in every run, to what makes the table or says why the run has none.
TABLES: dict[str, Callable[[Source], Made | str]] = {
    "patients": participants.patients,
    "visits": participants.visits,
    "counts": participants.counts,
    "change": answers.change,
    "markers": answers.markers,
    "responses": answers.responses,
    "population": answers.population,
    "safety": participants.safety,
    "influence": robustness.influence,
    "priors": prior_tables.priors,
    "prior_sensitivity": prior_tables.prior_sensitivity,
    "prior_sets": prior_tables.prior_sets,
    "structures": robustness.structures,
    "withdrawal": robustness.withdrawal,
}


#: Tables of what was measured or assumed, whatever became of a fit.
_WITHOUT_A_MODEL = frozenset({"patients", "visits", "counts", "safety", "priors", "markers"})


@dataclass(frozen=True)
class Exhibits:
    """The tables of a run.

    Attributes
    ----------
    tables : tuple of Exhibit
        Numbered from 1.
    absent : dict
        Name of a table that the run cannot give, to the reason.
    """

    tables: tuple[Exhibit, ...]
    absent: dict[str, str]

    def chosen(self, asked: Sequence[str]) -> tuple[Exhibit, ...]:
        """The tables of some numbers or names; all where none is asked for.

        Raises
        ------
        InputError
            With every one that the run does not have.
        """
        if not asked:
            return self.tables
        by = {key: each for each in self.tables for key in (str(each.number), each.name)}
        expected = ", ".join(f"{each.number} {each.name}" for each in self.tables)
        problems = [
            Problem(
                "--table",
                None,
                None,
                _found(text, self.absent),
                f"one of {expected}" + did_you_mean(text, by),
            )
            for text in asked
            if text not in by
        ]
        if problems:
            raise InputError(problems)
        return tuple(
            sorted(
                {by[text].number: by[text] for text in asked}.values(), key=lambda each: each.number
            )
        )


def _found(text: str, absent: dict[str, str]) -> str:
    return f"{text}, which this run lacks: {absent[text]}" if text in absent else repr(text)


def exhibits(source: Source) -> Exhibits:
    """Every table of a run; of a synthetic cohort each says so in its caption and footnotes."""
    found: list[Exhibit] = []
    absent: dict[str, str] = {}
    for name, make in TABLES.items():
        made = make(source)
        if isinstance(made, str):
            absent[name] = made
            continue
        table, notes = made.table, made.footnotes
        if name not in _WITHOUT_A_MODEL:
            said = answers.doubt(source, source.primary)
            notes = (*(text for text in said if text not in notes), *notes)
        if source.synthetic:
            table = replace(table, caption=f"SYNTHETIC. {table.caption}")
            notes = (SYNTHETIC, *notes)
        notes = tuple(map(printable, notes))
        found.append(Exhibit(len(found) + 1, name, cleaned(table), notes))
    return Exhibits(tuple(found), absent)
