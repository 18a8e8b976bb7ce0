"""Compare two runs: what was put in, what came out, and whether a difference is more than noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mnbayes.analyses.comparison import words
from mnbayes.analyses.comparison.inputs import (
    compare_priors,
    compare_settings,
    different_patients,
    post_hoc_sentence,
)
from mnbayes.analyses.comparison.numbers import compare_numbers, largest, main_numbers
from mnbayes.answers.reported import of_prior
from mnbayes.base.display import Displayed, Screen
from mnbayes.base.problems import InputError, gathered
from mnbayes.base.text_table import Table, records
from mnbayes.data.cohort import synthetic_words
from mnbayes.run.history import earlier_runs, when
from mnbayes.run.record import shown_name, table_of
from mnbayes.run.run import Run
from mnbayes.run.stored_run import StoredRun, load_run, recorded_definitions, stored


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Displayed):
    """Two runs side by side.

    Attributes
    ----------
    a, b : str
        Names of their folders, or what two fits are called.
    started : tuple of str
        When each started, in words.
    synthetic : bool
        Whether either run says that its cohort is synthetic.
    settings : DataFrame
        Columns ``part, item, a, b``: what differs in data, models, cards, definitions, sampling
        and versions, as text; ``not recorded`` where a run does not say.
    priors : DataFrame
        Columns ``model, parameter, marker, a, b``: priors that differ, in models of both runs.
    numbers : DataFrame
        Every number that both runs report, named by
        :data:`mnbayes.answers.reported.KEYS`.

        - ``a``, ``b``: the two values;
        - ``scale``: ``log`` for ratios, whose ``difference`` is log(b) - log(a), ``plain`` for
          the others, b - a;
        - ``sd``: SD of the quantity (root mean square of the two runs'), NaN for probabilities;
        - ``mc_error``: Monte Carlo standard error of the difference, the root of the sum of
          squares of ``mc_error_a`` and ``mc_error_b``;
        - ``in_sd``, ``in_errors``: the difference in units of each;
        - ``verdict``: ``same`` (equal to the last digit), ``noise`` (at most
          :data:`mnbayes.analyses.comparison.numbers.BEYOND` Monte Carlo errors), ``changed`` (more)
          or ``unknown`` (no error is known).
    only : DataFrame
        Numbers that one run alone reports, with its ``run`` (``a`` or ``b``), their ``value``,
        and the ``reason``: ``no such row`` or ``blank`` in the other.
    post_hoc : str
        The sentence that says which run's priors were changed after the other had been run on
        the same data; empty where none were.
    called : mapping
        Categories of response, as said of patients, of either run's definitions.
    stated : tuple of str
        Those of them of which headlines are made.
    weeks : mapping
        Model to its primary week, where run b says so, or else run a.
    different : str
        The sentence that says that the runs are of different patients; empty where they are of
        the same, as far as is known. Monte Carlo errors mean nothing then.
    """

    a: str
    b: str
    started: tuple[str, str]
    synthetic: bool
    settings: pd.DataFrame
    priors: pd.DataFrame
    numbers: pd.DataFrame
    only: pd.DataFrame
    post_hoc: str
    called: Mapping[str, str] = field(default_factory=dict)
    stated: tuple[str, ...] = ()
    weeks: Mapping[str, float] = field(default_factory=dict)
    different: str = ""

    @property
    def given_data(self) -> pd.DataFrame:
        """The numbers that depend on the data: all but those under the prior alone."""
        return self.numbers[~of_prior(self.numbers["column"])]

    @property
    def main(self) -> pd.DataFrame:
        """The numbers given the data that a reader looks at first."""
        return main_numbers(self.given_data, self.stated, self.weeks)

    @property
    def changed(self) -> pd.DataFrame:
        """The numbers that differ by more than noise, the most certain difference first."""
        return largest(self.numbers[self.numbers["verdict"] == "changed"])

    def _screen(self) -> Screen:
        settings = [
            (f"{row['part']}: {row['item']}", words.short(row["a"]), words.short(row["b"]))
            for row in records(self.settings)
        ]
        priors = [
            (f"prior of {row['model']}: {row['parameter']}, {row['marker']}", row["a"], row["b"])
            for row in records(self.priors)
        ]
        main = self.main
        differing = records(largest(main[main["verdict"] != "same"], in_sd=bool(self.different)))
        columns = 5 if self.different else 6  # without Monte Carlo errors
        rows = tuple(words.cells(row, self.called)[:columns] for row in differing)
        head = ("number", self.a, self.b, "difference", "in SD", "in MC errors")[:columns]
        mark = synthetic_words(self.synthetic)
        return Screen(
            f"Comparison of {self.a} with {self.b}{mark}",
            (),
            (
                Table(
                    "What differs",
                    ("", self.a, self.b),
                    (*priors, *settings),
                    frozenset(range(3)),
                ),
                Table("Largest differences of the main numbers at the primary week", head, rows),
            ),
            (self.different, self.post_hoc, words.verdict_sentence(self)),
        )


def compare_stored(a: StoredRun, b: StoredRun) -> Comparison:
    """Compare two runs; a pure function of what they stored.

    Parameters
    ----------
    a, b : StoredRun
        Differences are from a to b.
    """
    numbers, only = compare_numbers(a.numbers, b.numbers)
    priors = compare_priors(a.manifest, b.manifest)
    return Comparison(
        a.name,
        b.name,
        (when(a.manifest.get("started")), when(b.manifest.get("started"))),
        any(run.manifest.get("synthetic") is True for run in (a, b)),
        compare_settings(a.manifest, b.manifest),
        priors,
        numbers,
        only,
        post_hoc_sentence(a, b, priors),
        *_categories(a, b),
        _primary_weeks(a) | _primary_weeks(b),
        different_patients(a, b),
    )


def _primary_weeks(run: StoredRun) -> dict[str, float]:
    """Model to its primary week, as far as a run says."""
    models = table_of(run.manifest, "models")
    weeks = {name: table_of(model).get("primary_week") for name, model in models.items()}
    return {name: float(week) for name, week in weeks.items() if isinstance(week, int | float)}


def _categories(*runs: StoredRun) -> tuple[dict[str, str], tuple[str, ...]]:
    """Categories as said of patients, and the stated ones; none of a run of an older form."""
    called: dict[str, str] = {}
    stated: dict[str, None] = {}
    for run in runs:
        try:
            definitions = recorded_definitions(run.manifest)
        except InputError:
            continue
        called |= {name: definitions.patients(name) for name in definitions.categories}
        stated |= dict.fromkeys(definitions.stated)
    return called, tuple(stated)


def with_previous(run: Run) -> Comparison | None:
    """The comparison of a run with its previous one; None where there is none to be read."""
    if run.folder is None:
        return None
    previous = earlier_runs(run.folder, run.cohort.sha256).previous
    if previous is None:
        return None
    try:
        before = load_run(previous.folder)
    except (InputError, OSError):
        return None
    return compare_stored(before, stored(run, shown_name(run.folder)))


def compare_runs(a: str | Path, b: str | Path) -> Comparison:
    """Compare the runs of two folders.

    Parameters
    ----------
    a, b : str or Path
        Folders that ``mnbayes fit`` wrote.

    Returns
    -------
    Comparison
        Differences are from a to b.

    Raises
    ------
    InputError
        If one is not a run's folder or is damaged; the problems of both at once.
    """
    with gathered() as attempt:
        runs = [attempt(load_run, folder) for folder in (a, b)]
    return compare_stored(runs[0], runs[1])
